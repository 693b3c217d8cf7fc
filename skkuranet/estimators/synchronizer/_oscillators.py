"""Base of the estimators of disordered oscillators."""

from __future__ import annotations

import math

import torch

from skkuranet._utils.tools import as_tensor
from skkuranet.estimators._arrays import as_given, checked, on_host
from skkuranet.estimators._base import KuraNetBase
from skkuranet.estimators._connectivity import (
    edges_of,
    warn_if_apart,
)
from skkuranet.estimators._node_columns import NodeMotion
from skkuranet.estimators._simulation import LIMIT_TIME, steps_in
from skkuranet.losses import feature_correlation

# The last part of a trajectory over which order is averaged: 200 steps of 0.1, as in Table I.
_SCORED_TIME = 20.0
CPU = torch.device("cpu")


class OscillatorBase(KuraNetBase):
    """Networks of disordered oscillators under the couplings that fit has learned."""

    def score(self, X, y=None, *, connectivity=None, random_state=None):
        r"""Return the order parameter R of the network made of these rows, at the limit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Oscillators; one network is made of all rows.
        y : None
            Not used.
        connectivity : array-like, sparse matrix or callable, default=None
            Graph of this network; None takes the estimator's.
        random_state : int, RandomState instance or None, default=None
            Source of the initial phases; None takes the estimator's.

        Returns
        -------
        float
            Mean of R over the last 20 of 500 units of time, from random initial phases; 1 for
            perfect synchrony. With another ``objective``, 1 minus its loss at the limit.

        Raises
        ------
        ValueError
            If X cannot be used, or phases do not stay finite.
        """
        last = steps_in(LIMIT_TIME, self.step_size)
        path = self.simulate(
            X,
            save_from=max(0, last - steps_in(_SCORED_TIME, self.step_size)),
            connectivity=connectivity,
            random_state=random_state,
        )
        if self.objective == "synchrony":
            order = float(path.order_parameter().mean())
            if math.isnan(order):
                raise ValueError(
                    "score: phases of the network made of X do not stay finite. Lower step_size, "
                    "or look for rows of X that are far from those of fit."
                )
            # Rounding may leave perfect synchrony just above 1.
            return min(1.0, order)
        X = checked(self, X, "score")
        seen = path.states if path.phases is None else path.phases
        seen = torch.as_tensor(seen).to(CPU).unsqueeze(1)
        objective = self._objective_of(self._node_motion().of(X, torch.float32, CPU))
        return 1.0 - float(objective.limit_loss(seen, torch.arange(len(X)).unsqueeze(0)))

    def simulate(
        self,
        X,
        *,
        n_steps=None,
        save_from=0,
        step_size=None,
        initial_phases=None,
        connectivity=None,
        random_state=None,
    ):
        """Integrate the mutual dynamics of these rows alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Oscillators; one network is made of all rows.
        n_steps : int, default=None
            Number of steps; None for 500 units of time.
        save_from : int, default=0
            First step that is kept; ``n_steps`` keeps the limit alone.
        step_size : float, default=None
            Euler step in units of time; None takes the estimator's.
        initial_phases : array-like of shape (n_samples,), default=None
            In radians, and integrated in their own precision; None draws them at random, in
            single precision.
        connectivity : array-like, sparse matrix or callable, default=None
            Graph of this network; None takes the estimator's.
        random_state : int, RandomState instance or None, default=None
            Source of the initial phases; None takes the estimator's.

        Returns
        -------
        Trajectory
            ``times`` (T,) and ``phases`` (T, n_samples); its methods tell which oscillators drift
            and how fast. Tensors, on the same device, where X is one and scikit-learn dispatches.
        """
        X = checked(self, X, "simulate")
        edges = self._edges(X, connectivity)
        if edges is not None:
            warn_if_apart(edges, len(X))
        return self._simulated(
            X,
            n_steps=n_steps,
            save_from=save_from,
            step_size=step_size,
            initial_phases=initial_phases,
            random_state=random_state,
            edges=edges,
        )

    def network(self, X, *, connectivity=None):
        """Return the network made of these rows, for analysis.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Oscillators; one network is made of all rows.
        connectivity : array-like, sparse matrix or callable, default=None
            Graph of this network; None takes the estimator's.

        Returns
        -------
        OscillatorNetwork
            With the learned couplings, in double precision; :mod:`skkuranet.analysis` finds where
            it locks and how stable it is.
        """
        X = checked(self, X, "network")
        return self.trained_network_.oscillators(X, edges=self._edges(X, connectivity))

    def coupling_matrix(self, X, Y=None, *, connectivity=None):
        """Return couplings as a matrix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Targets.
        Y : array-like of shape (n_sources, n_features), default=None
            A network that drives the rows of X and on which they do not act back; None couples
            the rows of X with one another.
        connectivity : array-like, sparse matrix or callable, default=None
            Graph of the network made of X; None takes the estimator's.

        Returns
        -------
        ndarray of shape (n_samples, n_samples) or (n_samples, n_sources)
            K[i, j] is the strength with which source j acts on target i.
        """
        given, X = X, checked(self, X, "coupling_matrix")
        if Y is not None:
            if connectivity is not None:
                raise ValueError(
                    "connectivity says how the rows of X couple with one another; leave it out "
                    "where Y drives them."
                )
            sources = checked(self, Y, "coupling_matrix", "Y")
            return as_given(self.trained_network_.matrix(X, sources), given)
        couplings = self.trained_network_.matrix(X, edges=self._edges(X, connectivity))
        # Factors leave rounding errors there.
        return as_given(couplings.fill_diagonal_(0.0), given)

    def feature_correlation(self, X, *, connectivity=None):
        r"""Return the correlation of the features of coupled oscillators, C_x (eq. 7).

        .. math::
            C_x = \frac{\sum_{ij} K_{ij} (x_i - \bar x) \cdot (x_j - \bar x)}
                       {\sum_{ij} K_{ij} |x_i - \bar x|^2}

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Oscillators; one network is made of all rows.
        connectivity : array-like, sparse matrix or callable, default=None
            Graph of this network; None takes the estimator's.

        Returns
        -------
        float
            From −1, where opposites are coupled, to 1; 0 where features do not vary.
        """
        X = checked(self, X, "feature_correlation")
        coupling = self.trained_network_.couple(X, edges=self._edges(X, connectivity))
        # Centred in double precision: features may vary little around a large value.
        features = as_tensor(X, torch.float64, coupling.device)
        centred = (features - features.mean(0)).to(coupling.dtype)
        with torch.no_grad():
            return float(feature_correlation(coupling, centred))

    def fan_in(self, X, *, connectivity=None):
        r"""Return the mean coupling of each oscillator as a source, times their number.

        The paper's :math:`\langle k_j \rangle = \frac1n \sum_i K_{ij}`, times n so that it does
        not depend on n: its mean is ``average_degree``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Oscillators; one network is made of all rows.
        connectivity : array-like, sparse matrix or callable, default=None
            Graph of this network; None takes the estimator's.

        Returns
        -------
        ndarray of shape (n_samples,)
            Sum of the couplings of each source.
        """
        given, X = X, checked(self, X, "fan_in")
        coupling = self.trained_network_.couple(X, edges=self._edges(X, connectivity))
        ones = torch.ones((1, len(X)), dtype=coupling.dtype, device=coupling.device)
        with torch.no_grad():
            return as_given(coupling.rmatvec(ones)[0], given)

    def _node_motion(self, columns=None):
        columns = self.columns_ if columns is None else columns
        return NodeMotion(self.dynamics, columns, self.noise or 0.0, self.history)

    def _edges(self, X, connectivity=None):
        """Return the edges of the network made of X; None where all pairs couple."""
        graph = self.connectivity if connectivity is None else connectivity
        if graph is None:
            return None
        graph = graph(on_host(X)) if callable(graph) else graph
        return edges_of(graph, len(X), weighted=self.edge_weights)
