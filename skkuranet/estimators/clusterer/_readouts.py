"""What a fitted clusterer says of rows."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skkuranet._utils.messages import naming
from skkuranet.coupling import MembershipNetwork
from skkuranet.coupling._build import budget_on
from skkuranet.estimators._arrays import (
    as_given,
    check_kind,
    check_library,
    checked,
    device_for,
    on_host,
)
from skkuranet.estimators._clustering import ClusteringBase
from skkuranet.estimators._labels import check_labelled, labels_as_in_fit
from skkuranet.estimators._modes import of_seen_groups
from skkuranet.estimators._node_columns import NodeMotion
from skkuranet.estimators._phase_clusters import phasors
from skkuranet.estimators._simulation import settled_under
from skkuranet.files._onnx import to_onnx

# Copies of probabilities on the way to a name, and rows of a part: a multiple of what couplings
# compute at once, so that parts change no answer.
_COPIES, _ROWS_OF_A_PART = 8, 1 << 11


class RowReadouts(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClassifierMixin, ClusteringBase
):
    """Classes, probabilities, phases and clusters of rows."""

    @of_seen_groups("cluster(X)")
    def predict(self, X):
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of ``classes_``.
        """
        return as_given(self._mode.predict(self, checked(self, X, "predict")), X)

    def score(self, X, y, sample_weight=None):
        """Return the share of rows whose class is right.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.
        y : array-like of shape (n_samples,)
            True class of each row.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts for.

        Returns
        -------
        float
            Accuracy, 1 at best.
        """
        check_kind(sample_weight, "sample_weight")
        if getattr(getattr(y, "dtype", None), "kind", None) == "O":
            y = labels_as_in_fit(y)
        given = ["X", "y"] if sample_weight is None else ["X", "y", "sample_weight"]
        with naming(*given):
            return super().score(X, y, sample_weight)

    @of_seen_groups("cluster(X)")
    def predict_proba(self, X):
        r"""Return class probabilities.

        With ``readout="pulls"``, they follow from the coupling of a row to each class, and are
        calibrated on rows that were left out of training. With ``readout="kmeans"``, the
        probability of class l is proportional to :math:`e^{-\beta d_l^2}`, with d the distance of
        the phasor to the centre and β of maximum likelihood on the reference network; classes that
        have one centre in common share it out as they share its rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        found = self._log_probabilities(checked(self, X, "predict_proba"))
        return as_given(np.exp(found), X)

    @of_seen_groups("cluster(X)")
    def predict_log_proba(self, X):
        """Return the logarithms of the class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return as_given(self._log_probabilities(checked(self, X, "predict_log_proba")), X)

    def transform(self, X):
        """Return the phasors (cos θ, sin θ) at which the rows lock.

        With ``groups="unseen"``, the unit vectors at which one network of all rows comes to rest.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Points of the unit circle; (n_samples, 16) with ``groups="unseen"``.
        """
        return as_given(self._mode.transform(self, checked(self, X, "transform")), X)

    @of_seen_groups("cluster(X)")
    def simulate(
        self,
        X,
        *,
        n_steps=None,
        save_from=0,
        step_size=None,
        initial_phases=None,
        random_state=None,
    ):
        """Integrate the mutual dynamics of these rows alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features; one network is made of all rows.
        n_steps : int, default=None
            Number of steps; None for 500 units of time.
        save_from : int, default=0
            First step that is kept; ``n_steps`` keeps the limit alone.
        step_size : float, default=None
            Euler step in units of time; None takes the estimator's.
        initial_phases : array-like of shape (n_samples,), default=None
            In radians, and integrated in their own precision; None draws them at random, in
            single precision.
        random_state : int, RandomState instance or None, default=None
            Source of the initial phases; None takes the estimator's.

        Returns
        -------
        Trajectory
            ``times`` (T,) and ``phases`` (T, n_samples); tensors, on the same device, where X
            is one and scikit-learn dispatches.
        """
        return self._simulated(
            checked(self, X, "simulate"),
            n_steps=n_steps,
            save_from=save_from,
            step_size=step_size,
            initial_phases=initial_phases,
            random_state=random_state,
        )

    @of_seen_groups("cluster(X)")
    def network(self, X):
        """Return the network made of these rows, for analysis.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples; one network is made of all rows.

        Returns
        -------
        OscillatorNetwork
            With the learned couplings, in double precision; :mod:`skkuranet.analysis` finds where
            it locks and how stable it is.
        """
        return self.trained_network_.oscillators(checked(self, X, "network"))

    @of_seen_groups("cluster(X)")
    def coupling_matrix(self, X, Y=None):
        """Return couplings as a matrix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features of the targets.
        Y : array-like of shape (n_sources, n_features), default=None
            Node features of a network that drives the rows of X and on which they do not
            act back; None couples the rows of X with one another.

        Returns
        -------
        ndarray of shape (n_samples, n_samples) or (n_samples, n_sources)
            K[i, j] is the strength with which source j acts on target i.
        """
        sources = None if Y is None else checked(self, Y, "coupling_matrix", "Y")
        targets = checked(self, X, "coupling_matrix")
        return as_given(self.trained_network_.matrix(targets, sources), X)

    def cluster(self, X, n_clusters=None, random_state=None):
        """Cluster rows by the limit of their mutual dynamics.

        This needs no classes, so it can be asked for clusters never seen in training; how
        well those are told apart depends on what the couplings learned of the features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features; one network is made of all rows.
        n_clusters : int, default=None
            Number of clusters; None for the number of classes in fit. With ``groups="unseen"``,
            None finds it.
        random_state : int, RandomState instance or None, default=None
            Source of initial phases and of k-means; None takes the estimator's. Up to three draws
            of phases are tried, as clusters may stay merged for long on the way from one.

        Returns
        -------
        ndarray of shape (n_samples,), int
            Cluster of each row, from 0.
        """
        rows = checked(self, X, "cluster")
        return as_given(self._mode.cluster(self, rows, n_clusters, random_state), X)

    @of_seen_groups("cluster(X)")
    def synchrony_loss(self, X, y, *, random_state=None):
        """Return the cluster synchrony loss of the mutual dynamics at the limit (Table II).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features; one network is made of all rows.
        y : array-like of shape (n_samples,)
            True classes, or ``unlabeled``; classes not seen in fit are welcome.
        random_state : int, RandomState instance or None, default=None
            Source of the initial phases; None takes the estimator's.

        Returns
        -------
        float
            0 for clusters in phase and splay among each other, 1 for the opposite.
        """
        check_is_fitted(self)
        check_library(X, self, "synchrony_loss")
        X, _, classes, codes = check_labelled(self, X, y, reset=False)
        return self._limit_loss(X, codes, len(classes), self._rng(random_state))

    @of_seen_groups("cluster(X)")
    def to_onnx(self, path=None, *, dtype=np.float64):
        """Return ``predict`` and ``predict_proba`` as an ONNX model, for other runtimes.

        Parameters
        ----------
        path : str or path-like, default=None
            File to write it to as well.
        dtype : {float32, float64}, default=float64
            Type of the rows that it takes. It computes in single precision, as this does.

        Returns
        -------
        onnx.ModelProto
            From ``X`` of shape (n, n_features) to ``label`` of shape (n,) and ``probabilities`` of
            shape (n, n_classes).

        Raises
        ------
        ImportError
            If onnx is not installed.
        ValueError
            If classes were not learned in closed form: with couplings of pairs, a module of your
            own, or ``readout="kmeans"``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skkuranet import KuraNetClusterer
        >>> X, y = load_iris(return_X_y=True)
        >>> model = KuraNetClusterer(random_state=0).fit(X, y)
        >>> onnx_model = model.to_onnx()  # doctest: +SKIP
        """
        check_is_fitted(self)
        closed = isinstance(self.coupling_, MembershipNetwork) and self._pull_readout is None
        if not closed or self.readout != "pulls":
            raise ValueError(
                "to_onnx is for classes that were learned in closed form: set "
                "coupling='factorized' and readout='pulls'."
            )
        model = to_onnx(self.coupling_, on_host(self.classes_), dtype)
        if path is not None:
            with open(path, "wb") as file:
                file.write(model.SerializeToString())
        return model

    def _node_motion(self):
        return NodeMotion(self.dynamics)

    def _rest(self, coupling, X):
        if self._node_motion() == NodeMotion():
            return super()._rest(coupling, X)
        dynamics = self._node_motion().of(X, torch.float64, coupling.device)["dynamics"]
        states = torch.tensor(self._reference_states, dtype=torch.float64, device=coupling.device)
        return settled_under(dynamics, coupling, states, self.step_size)

    def _log_probabilities(self, X):
        return self._READOUTS[self.readout](self, X)

    def _by_pulls(self, X):
        if self._pull_readout is None:
            return self._reference_network(X).says(X, MembershipNetwork.log_probabilities)
        return self._pull_readout.log_probabilities(self._pulls_of_classes(X))

    def _by_kmeans(self, X):
        return self._readout.log_probabilities(phasors(self._lock(X)))

    _READOUTS = {"pulls": _by_pulls, "kmeans": _by_kmeans}

    def _codes(self, X):
        """Return the number of the most probable class of each row."""
        # So many rows at a time that their probabilities stay small beside the budget.
        budget = budget_on(self.memory_budget, device_for(self.device, X))
        rows = budget // (_COPIES * 8 * self.classes_.shape[0])
        rows = max(1, rows // _ROWS_OF_A_PART) * _ROWS_OF_A_PART
        parts = (X[first : first + rows] for first in range(0, X.shape[0], rows))
        return np.concatenate([self._log_probabilities(part).argmax(axis=1) for part in parts])

    def _labels(self, X):
        return on_host(self.classes_)[self._codes(X)]

    def _phasors(self, X):
        return phasors(self._lock(X))

    def _limit_clusters(self, X, n_clusters, random_state):
        n_clusters = len(self.classes_) if n_clusters is None else n_clusters
        self._check_number("n_clusters", n_clusters, len(X), "rows")
        return self._clusters(X, n_clusters, self._rng(random_state))

    def _unit_vectors(self, X):
        return self.grouping_.vectors(on_host(X))

    def _groups(self, X, n_clusters, random_state):
        if n_clusters is not None:
            self._check_number("n_clusters", n_clusters, len(X), "rows")
        return self.grouping_.cluster(on_host(X), n_clusters)
