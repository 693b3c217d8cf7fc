"""Phases between samples, and without the noise of their measurement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicHermiteSpline, make_smoothing_spline
from scipy.linalg import solveh_banded

from skkuranet.estimators.identifier._recordings import Piece, Recording

# Gauss-Legendre points of an interval between two samples.
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(3)
# Of how many nodes and samples the smoothness is chosen, and among how much of it, in units of the
# sampling interval cubed.
_TRIED_NODES, _TRIED_SAMPLES = 5, 2000
_SMOOTHNESS = 10.0 ** np.arange(-4.0, 5.5, 0.5)
# Without measurement noise, samples are taken as they are.
_LEAST_NOISE = 1e-8


@dataclass(frozen=True)
class Path:
    """Phases of a piece at the points of a quadrature: (T − 1, Q, n), and weights (T − 1, Q)."""

    phases: np.ndarray
    weights: np.ndarray

    def integral(self, values: np.ndarray) -> np.ndarray:
        """Integrate values at the points, (T − 1, Q, ...), over each interval."""
        return np.einsum("tq,tq...->t...", self.weights, values)


def path_of(piece: Piece, curves: list) -> Path:
    """Return curves, from times to phases, at the points of a quadrature."""
    span = np.diff(piece.times)[:, None]
    points = piece.times[:-1, None] + span * (_POINTS + 1.0) / 2.0
    phases = np.concatenate([c(points.ravel()).reshape(points.size, -1) for c in curves], -1)
    return Path(phases.reshape(*points.shape, -1), span * _WEIGHTS / 2.0)


def smooth_paths(recording: Recording) -> list[Path]:
    """Return paths as smooth as foretells left-out samples best."""
    smoothness = _choose_smoothness(recording)
    return [
        path_of(piece, [_spline(piece, i, smoothness) for i in range(recording.n_nodes)])
        for piece in recording.pieces
    ]


def _spline(piece: Piece, node: int, smoothness: float, every: int = 1):
    seen = piece.measured[:, node]
    times, phases = piece.times[seen][::every], piece.phases[seen, node][::every]
    scale = np.median(np.diff(times))
    # A rotation is no roughness, but large numbers are.
    speed = (phases[-1] - phases[0]) / (times[-1] - times[0])
    rest = phases - phases[0] - speed * (times - times[0])
    curve = make_smoothing_spline(times / scale, rest, lam=smoothness / every**3)
    return lambda t: curve(t / scale) + phases[0] + speed * (t - times[0])


def _choose_smoothness(recording: Recording) -> float:
    piece = max(recording.pieces, key=lambda p: len(p.times))
    piece = Piece(piece.times[:_TRIED_SAMPLES], piece.phases[:_TRIED_SAMPLES])
    nodes = np.unique(np.linspace(0, recording.n_nodes - 1, _TRIED_NODES).astype(int))
    nodes = [node for node in nodes if piece.measured[:, node].sum() >= 14]
    if not nodes:
        return float(_SMOOTHNESS[0])
    errors = []
    for smoothness in _SMOOTHNESS:
        found = []
        for node in nodes:
            seen = piece.measured[:, node]
            times, phases = piece.times[seen], piece.phases[seen, node]
            curve = _spline(piece, node, smoothness, every=2)
            # Ends would be extrapolated.
            found.append(np.mean((curve(times[1:-2:2]) - phases[1:-2:2]) ** 2))
        errors.append(np.mean(found))
    return float(_SMOOTHNESS[int(np.argmin(errors))])


def corrected_path(
    piece: Piece, change: np.ndarray, rates: np.ndarray, measurement: float, drift: float
) -> tuple[Path, np.ndarray]:
    """Return the path that a model takes, bent to what was measured, and its phases at the samples.

    ``change`` (T − 1, n) is what the model says of each interval and ``rates`` (T, n) its rates at
    samples. What is left is a random walk of variance ``drift`` per time, measured with variance
    ``measurement``.
    """
    modelled = np.concatenate((np.zeros((1, change.shape[1])), np.cumsum(change, 0)))
    rest = piece.phases - modelled
    stiffness = max(measurement, _LEAST_NOISE) / (max(drift, 1e-12) * np.diff(piece.times))
    seen = piece.measured
    if seen.all():
        level = _level(seen[:, 0], rest, stiffness)
    else:
        filled = np.where(seen, rest, 0.0)
        level = np.stack([_level(s, r, stiffness) for s, r in zip(seen.T, filled.T)], -1)
    phases = modelled + level
    return path_of(piece, [CubicHermiteSpline(piece.times, phases, rates)]), phases


def _level(seen: np.ndarray, rest: np.ndarray, stiffness: np.ndarray) -> np.ndarray:
    """Return the most probable random walk through what was seen of it."""
    bands = np.zeros((2, len(seen)))
    bands[1] = seen
    bands[1, :-1] += stiffness
    bands[1, 1:] += stiffness
    bands[0, 1:] = -stiffness
    return solveh_banded(bands, (rest.T * seen).T)
