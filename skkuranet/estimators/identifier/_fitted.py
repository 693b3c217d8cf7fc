"""What a fitted identifier answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from skkuranet._utils.given import check_squares
from skkuranet._utils.messages import naming, plain
from skkuranet._utils.surroundings import estimator_of_any_surroundings
from skkuranet.estimators._arrays import check_kind
from skkuranet.estimators._versions import Versioned
from skkuranet.estimators.identifier._equation import Equation, with_known
from skkuranet.estimators.identifier._forecast import forecast, increments_r2
from skkuranet.estimators.identifier._recordings import (
    MIN_SAMPLES,
    Recording,
    as_table,
    as_times,
    read_recordings,
)
from skkuranet.estimators.identifier._stages import Nodes, normals, set_values
from skkuranet.estimators.identifier._suspicions import check_rhythm
from skkuranet.oscillator_network import OscillatorNetwork


@estimator_of_any_surroundings
class FittedIdentifier(Versioned, BaseEstimator):
    """Networks, forecasts and scores, by what fit has found."""

    def coupling_matrix(self, X=None):
        """Return the couplings of nodes.

        Parameters
        ----------
        X : array-like of shape (n, n_features), default=None
            Features of the nodes, new ones if couplings are pairwise. A matrix needs none.

        Returns
        -------
        ndarray of shape (n, n)
            How strongly each source, in columns, acts on each target, in rows.
        """
        check_is_fitted(self, "couplings_")
        return self._answer.matrix(self._table(X))

    def network(self, X=None, phases=None, times=None):
        """Return the network of these nodes, to simulate and analyse it.

        Parameters
        ----------
        X : array-like of shape (n, n_features), default=None
            Features of the nodes, new ones if couplings are pairwise. A matrix needs none.
        phases : array-like of shape (n_times, n), default=None
            A recording of new nodes, by which fitted parameters such as frequencies are told. None
            tells them from the features.
        times : array-like of shape (n_times,), default=None
            Of the recording.

        Returns
        -------
        OscillatorNetwork
        """
        check_is_fitted(self, "couplings_")
        table = self._table(X)
        recordings = None if phases is None else self._recordings(phases, times)
        nodes = None if recordings is None else self._nodes(table, recordings)
        return self._network(table, nodes)

    def predict(self, X, phases, times):
        """Forecast phases.

        Parameters
        ----------
        X : array-like of shape (n, n_features), or None
            Features of the nodes, new ones if couplings are pairwise. None for those of a matrix.
        phases : array-like of shape (n,) or (n_known, n)
            Phases at the first of the times, or a recording at the first ``n_known`` of them. Where
            couplings are pairwise, a recording of six rows or more tells parameters such as
            frequencies, too.
        times : array-like of shape (n_times,)
            Times of the recording, and then those to forecast.

        Returns
        -------
        ndarray of shape (n_times - n_known, n)
            Phases in radians, continuous.

        Raises
        ------
        ValueError
            If there is nothing to forecast, or phases do not fit the nodes.
        """
        check_is_fitted(self, "couplings_")
        table = self._table(X)
        known = np.atleast_2d(as_table(phases, "phases"))
        with naming("times"):
            times = as_times(times, np.size(times), "times")
        if known.ndim != 2 or not known.size:
            raise ValueError(f"phases must have shape (n_times, n_nodes), got {known.shape}.")
        if len(times) <= len(known):
            raise ValueError(
                f"times must go on after the {len(known)} rows of phases; there are {len(times)}."
            )
        nodes, start = None, known[-1]
        if len(known) >= MIN_SAMPLES:
            nodes = self._nodes(table, self._recordings(known, times[: len(known)]))
            if nodes.pieces[-1].times[-1] == times[len(known) - 1]:
                start = nodes.estimates[-1][-1]
        if not np.isfinite(start).all():
            raise ValueError(
                "phases must hold a measurement of every node in the last row, from which the "
                f"forecast begins; {plain(np.flatnonzero(~np.isfinite(start)))} have none."
            )
        network = self._network(table, nodes)
        return forecast(network, start, times[len(known) - 1 :], self._step)

    def score(self, X, phases, times=None):
        """Return R² of what phases do in windows of time, foretold from their beginnings.

        Where couplings are pairwise, parameters such as frequencies are told by these recordings,
        as is the mean speed that forecasts are compared with.

        Parameters
        ----------
        X : array-like of shape (n, n_features), list of such, or None
            As for :meth:`fit`.
        phases : array-like of shape (n_times, n), Trajectory, or list of such
            Recordings that fit has not seen.
        times : array-like of shape (n_times,), or list of such, default=None
            As for :meth:`fit`.

        Returns
        -------
        float
            1 for a perfect forecast over each ``window``, 0 for one by the mean speed of each
            oscillator. Noise of measurement is part of what is to be foretold.
        """
        check_is_fitted(self, "couplings_")
        recordings = self._recordings(phases, times)
        window = 10.0 * self._interval if self.window is None else self.window
        parts = []
        for recording, table in zip(recordings, self._tables(X, len(recordings), reset=False)):
            network = self._network(table, self._nodes(table, [recording]))
            parts.append((network, recording))
        return increments_r2(parts, window, self._step)

    def _tables(self, X: Any, n_recordings: int, *, reset: bool) -> list[np.ndarray | None]:
        """Return the features of the nodes of each recording."""
        with naming("X"):
            several = isinstance(X, (list, tuple)) and len(X) and np.ndim(X[0]) == 2
        if several and len(X) != n_recordings:
            raise ValueError(
                f"X must hold one table for each of the {n_recordings} recordings, got {len(X)}."
            )
        if not several:
            return [self._table(X, reset=reset)] * n_recordings
        return [self._table(x, reset=reset and k == 0) for k, x in enumerate(X)]

    def _recordings(self, phases: Any, times: Any) -> list[Recording]:
        """Return recordings after fit, in whose unit of time they have to be."""
        found = read_recordings(phases, times, self.max_gap)
        check_rhythm([recording.interval for recording in found], self._interval, "fit")
        return found

    def _table(self, X: Any, *, reset: bool = False) -> np.ndarray | None:
        if X is None:
            return None
        check_kind(X, "X")
        with naming("X"):
            table = validate_data(self, X, reset=reset, dtype=np.float64)
        check_squares(table, "X")
        return table

    def _equation_of(self, table: np.ndarray | None) -> Equation:
        """Return the equation of nodes with these features."""
        return with_known(self._fitted_equation, self._columns, table)

    def _nodes(self, table: np.ndarray | None, recordings: list[Recording]) -> Nodes:
        """Return nodes with couplings, parameters and paths of theirs."""
        matrix = self._answer.matrix(table)
        for recording in recordings:
            if recording.n_nodes != len(matrix):
                raise ValueError(
                    f"phases are those of {recording.n_nodes} nodes, but there are "
                    f"{len(matrix)} in {'the matrix' if table is None else 'X'}."
                )
        nodes = Nodes(recordings, self._equation_of(table), table)
        nodes.couplings = matrix
        own = self._answer.own_values()
        # What is not linear in its parameters needs a second look.
        for _ in range(2):
            if own is None:
                set_values(nodes, normals(nodes, self._noise.ratio))
            else:
                nodes.values = own
            nodes.correct_paths(self._noise)
        return nodes

    def _network(self, table: np.ndarray | None, nodes: Nodes | None) -> OscillatorNetwork:
        matrix = self._answer.matrix(table)
        if nodes is not None:
            values = nodes.values
        else:
            values = self._answer.own_values()
            values = self._answer.values_of(table) if values is None else values
        equation = self._equation_of(table)
        return OscillatorNetwork(
            matrix,
            equation.at(torch.as_tensor(values)),
            noise=self.noise_ if self.fit_noise else None,
        )
