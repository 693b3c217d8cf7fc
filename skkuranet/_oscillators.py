"""What can be asked of a network made of rows: its motion, order, couplings and fan-in."""

from __future__ import annotations

import warnings
from contextlib import contextmanager

import numpy as np
import torch

from skkuranet._arrays import as_given, device_for, on_host
from skkuranet._columns import NodeMotion, node_parameters
from skkuranet._graph import DrawnGraph, FixedGraph, edges_of, warn_if_apart
from skkuranet._simulation import LIMIT_TIME, SimulationMixin, steps_in
from skkuranet._tools import as_tensor
from skkuranet.losses import feature_correlation

# The last part of a trajectory over which order is averaged: 200 steps of 0.1, as in Table I.
_SCORED_TIME = 20.0
CPU = torch.device("cpu")


class OscillatorMixin(SimulationMixin):
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
        """
        last = steps_in(LIMIT_TIME, self.step_size)
        path = self.simulate(
            X,
            save_from=max(0, last - steps_in(_SCORED_TIME, self.step_size)),
            connectivity=connectivity,
            random_state=random_state,
        )
        if self.objective == "synchrony":
            # Rounding may leave perfect synchrony just above 1.
            return min(1.0, float(path.order_parameter().mean()))
        X = self._check(X, "score")
        seen = path.states if path.phases is None else path.phases
        seen = torch.as_tensor(seen).to(CPU).unsqueeze(1)
        objective = self._objective_of(self._motion(X))
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
        storage=None,
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
        storage : {None, "bfloat16"}, default=None
            16-bit type in which pairwise couplings are evaluated and stored: half the memory and,
            on processors and cards that compute in it, less time. What the network says is then
            rounded by some tenths of a percent, and strong couplings that are exponentials of it
            by some percent. Phases are in single precision.
        random_state : int, RandomState instance or None, default=None
            Source of the initial phases; None takes the estimator's.

        Returns
        -------
        Trajectory
            ``times`` (T,) and ``phases`` (T, n_samples); its methods tell which oscillators drift
            and how fast. Tensors, on the same device, where X is one and scikit-learn dispatches.
        """
        X = self._check(X, "simulate")
        edges = self._edges(X, connectivity)
        if edges is not None:
            warn_if_apart(edges, len(X))
        return self._simulate(
            X,
            n_steps=n_steps,
            save_from=save_from,
            step_size=step_size,
            initial_phases=initial_phases,
            random_state=random_state,
            storage=storage,
            edges=edges,
        )

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
        given, X = X, self._check(X, "coupling_matrix")
        if Y is not None:
            if connectivity is not None:
                raise ValueError(
                    "connectivity says how the rows of X couple with one another; leave it out "
                    "where Y drives them."
                )
            sources = self._check(Y, "coupling_matrix")
            return as_given(self._coupling_matrix(X, sources), given)
        couplings = self._coupling_matrix(X, None, self._edges(X, connectivity))
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
        X = self._check(X, "feature_correlation")
        with self._operator(X, connectivity) as coupling:
            # Centred in double precision: features may vary little around a large value.
            features = as_tensor(X, torch.float64, coupling.device)
            centred = (features - features.mean(0)).to(coupling.dtype)
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
        given, X = X, self._check(X, "fan_in")
        with self._operator(X, connectivity) as coupling:
            ones = torch.ones((1, len(X)), dtype=coupling.dtype, device=coupling.device)
            return as_given(coupling.rmatvec(ones)[0], given)

    @contextmanager
    def _operator(self, X, connectivity):
        """The couplings of the network made of X, in single precision."""
        device = device_for(self.device, X)
        edges = self._edges(X, connectivity)
        with torch.no_grad():
            yield self._couple(X, self._network_on(device, torch.float32), device, edges)

    def _integrate(
        self, X, start, n_steps, save_from, step_size=None, edges=None, couple=None, **options
    ):
        step_size = self.step_size if step_size is None else step_size
        if "delay" in self.columns_:
            delay = node_parameters(X, self.columns_)["delay"]
            self._check_ring(delay / step_size, len(X), step_size)
        return super()._integrate(X, start, n_steps, save_from, step_size, edges, couple, **options)

    def _loss_at_limit(self, X, seed):
        return 1.0 - self.score(X, random_state=seed)

    def _check_step(self, coupling, step_size):
        """Warn where Euler's method would overshoot even among oscillators at rest."""
        ones = torch.ones((1, coupling.shape[-1]), dtype=coupling.dtype, device=coupling.device)
        degree = float(coupling.matvec(ones).max())
        if self._node_motion.solver == "euler" and step_size * degree > 2.0:
            warnings.warn(
                f"step_size={step_size:g} is too large for couplings of in-degree {degree:.3g}: "
                "Euler's method overshoots, and the motion is its own and not that of the "
                f"oscillators. Set step_size to {1.0 / degree:.2g} or less.",
                UserWarning,
                stacklevel=2,
            )

    def _check_ring(self, lag, n_oscillators, step_size):
        """Refuse delays whose past would not fit into memory."""
        # Two single-precision phasors for each oscillator and step.
        needed = int(8 * n_oscillators * (np.max(lag) + 1))
        if needed > self.memory_budget:
            raise ValueError(
                f"The column delay of X reaches {np.max(lag) * step_size:.6g} units of time; to "
                f"remember that takes {needed} bytes, more than memory_budget="
                f"{self.memory_budget}. Raise memory_budget or step_size, or mend the column."
            )

    @property
    def _node_motion(self):
        return NodeMotion(self.dynamics, self.columns_, self.noise or 0.0, self.history)

    @property
    def _state_shape(self):
        return self._motion(self.reference_features_[:1]).get("dynamics").state_shape

    @property
    def _is_noisy(self):
        return self._node_motion.is_noisy

    def _motion(self, X, dtype=torch.float64, device=CPU):
        return self._node_motion.of(X, dtype, device)

    def _edges(self, X, connectivity=None):
        """Edges of the network made of X; None where all pairs couple."""
        graph = self.connectivity if connectivity is None else connectivity
        if graph is None:
            return None
        return edges_of(graph(on_host(X)) if callable(graph) else graph, len(X))

    def _graph_of(self, X):
        """Edges of the network of all rows, and the edges of networks drawn in training."""
        if self.connectivity is None:
            return None, None
        if callable(self.connectivity):
            return None, DrawnGraph(self.connectivity, X)
        edges = edges_of(self.connectivity, len(X))
        warn_if_apart(edges, len(X))
        return edges, FixedGraph(edges)
