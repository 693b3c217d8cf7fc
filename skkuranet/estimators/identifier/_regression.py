"""Couplings by regression on what phases did between samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky_banded, solve_banded

from skkuranet.estimators.identifier._equation import Equation
from skkuranet.estimators.identifier._recordings import Piece
from skkuranet.estimators.identifier._smoothing import Path


@dataclass(frozen=True)
class Increments:
    """What one oscillator did between its samples, and what it depends on.

    ``columns`` (N, n + n_fitted) times couplings and parameters are to equal ``values`` (N,), after
    the times ``spans`` (N,).
    """

    columns: np.ndarray
    values: np.ndarray
    spans: np.ndarray


@dataclass
class Normals:
    """Normal equations of one oscillator: gram (n + F, n + F), moments, square, how many there are.

    ``logdet`` is the logarithm of the determinant of the covariance of increments.
    """

    gram: np.ndarray
    moments: np.ndarray
    square: float
    count: int
    logdet: float

    def __add__(self, other: Normals) -> Normals:
        pairs = zip(vars(self).values(), vars(other).values())
        return Normals(*(mine + theirs for mine, theirs in pairs))


def increments_of(
    piece: Piece,
    path: Path,
    equation: Equation,
    couplings: np.ndarray,
    values: np.ndarray,
    nodes: np.ndarray,
) -> Iterator[Increments]:
    """Yield what each of the nodes did, linear in couplings and parameters.

    Rates are linearised at the couplings and values that are given, which changes nothing where
    they are linear. An oscillator does not act on itself.
    """  # fmt: skip
    n_times, n_points, n = path.phases.shape
    at = equation.linearized(path.phases.reshape(-1, n), couplings, values)

    def by_time(array: np.ndarray) -> np.ndarray:
        return array.reshape(n_times, n_points, *array.shape[1:])

    rest = at.rates - (at.by_drive * at.drives).sum(-2)
    rest = rest - (at.by_values * values[:, None]).sum(0)
    rest = path.integral(by_time(rest))
    slopes = path.integral(np.moveaxis(by_time(np.moveaxis(at.by_values, 0, 1)), -1, 2))
    signals = by_time(at.signals).reshape(n_times, -1, n)
    pulls = (by_time(at.by_drive) * path.weights[..., None, None]).reshape(n_times, -1, n)
    for i in nodes:
        drawn = np.matmul(pulls[:, None, :, i], signals)[:, 0]
        drawn[:, i] = 0.0
        columns = np.concatenate((drawn, slopes[:, i]), -1)
        seen = np.flatnonzero(piece.measured[:, i])
        first = seen[:-1]
        if len(seen) < n_times + 1:
            columns = np.add.reduceat(columns[: seen[-1]], first, 0)
            change = np.add.reduceat(rest[: seen[-1], i], first)
        else:
            change = rest[:, i]
        yield Increments(
            columns, np.diff(piece.phases[seen, i]) - change, np.diff(piece.times[seen])
        )


def normals_of(increments: Increments, ratio: float) -> Normals:
    """Return normal equations of increments that are freed of their correlations.

    A phase is measured with noise of variance 1, and drifts by a variance of ``ratio`` per time.
    """
    spans = increments.spans
    bands = np.full((2, len(spans)), -1.0)
    bands[1] = 2.0 + ratio * spans
    upper = cholesky_banded(bands)
    lower = np.zeros_like(upper)
    lower[0], lower[1, :-1] = upper[1], upper[0, 1:]
    both = np.column_stack((increments.columns, increments.values))
    both = solve_banded((1, 0), lower, both)
    gram = both.T @ both
    return Normals(
        gram[:-1, :-1], gram[:-1, -1], float(gram[-1, -1]), len(spans),
        2.0 * float(np.log(upper[1]).sum()),
    )  # fmt: skip
