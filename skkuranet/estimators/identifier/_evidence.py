"""Couplings, their errors and the noise, by the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import minimize_scalar

from skkuranet.estimators.identifier._regression import Increments, Normals, normals_of

# Bounds of logarithms: drift against measurement, per sampling interval; shrinkage of couplings
# against what was measured of them.
_RATIOS = (-14.0, 14.0)
_SHRINKAGES = (-40.0, 40.0)
# Directions of less than this, against the largest, are rounding.
_RANK = 1e-11
# Of fewer couplings than this, of an oscillator, nothing is seen.
_SEEN = 0.5


@dataclass(frozen=True)
class Reduced:
    """Normal equations of one oscillator without its parameters, by eigenvectors.

    Of ``count`` increments, ``lost`` went to the parameters.
    """

    strengths: np.ndarray
    moments: np.ndarray
    vectors: np.ndarray
    square: float
    count: int
    logdet: float


@dataclass(frozen=True)
class Hyperparameters:
    """Variance of measurement, of drift per time, and of couplings a priori."""

    measurement: float
    drift: float
    prior: float

    @property
    def ratio(self) -> float:
        """Drift per time against measurement."""
        return self.drift / self.measurement


def reduced(normals: Normals, n: int) -> Reduced:
    """Take out the parameters, of which nothing is known a priori."""
    gram, moments = normals.gram, normals.moments
    own, count = gram[n:, n:], normals.count
    logdet = normals.logdet
    couplings, pulled, square = gram[:n, :n], moments[:n], normals.square
    if len(own):
        scale = np.sqrt(np.maximum(np.diag(own), np.finfo(float).tiny))
        strengths, vectors = eigh(own / np.outer(scale, scale))
        kept = strengths > _RANK
        root = vectors[:, kept] / np.sqrt(strengths[kept]) / scale[:, None]
        across, along = gram[:n, n:] @ root, root.T @ moments[n:]
        couplings = couplings - across @ across.T
        pulled = pulled - across @ along
        square, count = max(square - float(along @ along), 0.0), count - int(kept.sum())
        logdet = logdet + float(np.log(strengths[kept]).sum() + 2.0 * np.log(scale).sum())
    strengths, vectors = eigh(couplings)
    strengths = np.where(strengths > _RANK * max(strengths[-1], 0.0), strengths, 0.0)
    return Reduced(
        strengths, np.where(strengths > 0, vectors.T @ pulled, 0.0), vectors, square, count, logdet
    )


def hyperparameters(
    sample: Sequence[tuple[int, Sequence[Increments]]], prior: float | None
) -> Hyperparameters:
    """Return variances under which what some oscillators did is most probable.

    ``sample`` holds the size of the network of each and its increments, piece by piece; ``prior``
    is the variance of couplings, where it is known.
    """
    interval = float(np.median(np.concatenate([p.spans for _, pieces in sample for p in pieces])))

    def at(log_ratio: float) -> tuple[float, float, float]:
        ratio = float(np.exp(log_ratio)) / interval
        parts = [
            reduced(sum_of([normals_of(piece, ratio) for piece in pieces]), n)
            for n, pieces in sample
        ]
        return best_shrinkage(parts, prior)

    # The evidence has one peak as a rule, but a flat side.
    grid = np.linspace(*_RATIOS, 8)
    costs = [at(value)[0] for value in grid]
    lowest = int(np.argmin(costs))
    step = grid[1] - grid[0]
    bounds = (max(_RATIOS[0], grid[lowest] - step), min(_RATIOS[1], grid[lowest] + step))
    log_ratio = minimize_scalar(
        lambda value: at(value)[0], bounds=bounds, method="bounded", options={"xatol": 0.05}
    ).x
    _, measurement, coupling = at(log_ratio)
    return Hyperparameters(measurement, measurement * np.exp(log_ratio) / interval, coupling)


def best_shrinkage(parts: Sequence[Reduced], prior: float | None) -> tuple[float, float, float]:
    """Return minus twice the logarithm of the evidence, and the variances at which it is best."""
    strengths = np.concatenate([part.strengths for part in parts])
    squares = np.concatenate([part.moments for part in parts]) ** 2
    total, count = sum(part.square for part in parts), sum(part.count for part in parts)
    logdet = sum(part.logdet for part in parts)
    scale = max(strengths.max(), np.finfo(float).tiny)
    tiny = np.finfo(float).tiny

    def at(log_shrinkage: float) -> tuple[float, float]:
        shrinkage = np.exp(log_shrinkage) * scale
        left = max(total - float((squares / (strengths + shrinkage)).sum()), 1e-15 * total + tiny)
        variance = left / count
        cost = count * np.log(variance) + logdet + np.log1p(strengths / shrinkage).sum()
        return float(cost), variance

    if prior is None:
        found = minimize_scalar(
            lambda value: at(value)[0], bounds=_SHRINKAGES, method="bounded",
            options={"xatol": 1e-3},
        )  # fmt: skip
        cost, variance = at(found.x)
        return cost, variance, variance / (np.exp(found.x) * scale)
    # Shrinkage is the ratio of two variances, of which one is known.
    variance = total / count
    for _ in range(20):
        cost, variance = at(np.log(variance / prior / scale))
    return cost, variance, prior


@dataclass(frozen=True)
class Posterior:
    """What is known of one oscillator: couplings (n,), their errors, parameters (F,).

    ``determined`` is how many couplings, or sums of them, what was measured tells more of than was
    known before.
    """

    couplings: np.ndarray
    errors: np.ndarray
    values: np.ndarray
    determined: float


def posterior(normals: Normals, n: int, given: Hyperparameters) -> Posterior:
    """Return couplings and parameters of one oscillator."""
    parts = reduced(normals, n)
    shrinkage = given.measurement / given.prior
    couplings = parts.vectors @ (parts.moments / (parts.strengths + shrinkage))
    determined = float((parts.strengths / (parts.strengths + shrinkage)).sum())
    # Where nothing is seen of couplings, a prior that says they are 0 is no knowledge.
    weakest = _RANK * max(parts.strengths[-1], np.finfo(float).tiny)
    believed = shrinkage if determined > _SEEN else weakest
    variances = given.measurement / (parts.strengths + believed)
    errors = np.sqrt((parts.vectors**2) @ variances)
    values = values_at(normals, n, couplings)
    return Posterior(couplings, errors, values, determined)


def values_at(normals: Normals, n: int, couplings: np.ndarray) -> np.ndarray:
    """Return the best parameters of an oscillator whose couplings are given."""
    left = normals.moments[n:] - normals.gram[n:, :n] @ couplings
    own = normals.gram[n:, n:]
    scale = np.sqrt(np.maximum(np.diag(own), np.finfo(float).tiny))
    return np.linalg.pinv(own / np.outer(scale, scale), rcond=_RANK) @ (left / scale) / scale


def sum_of(normals: Sequence[Normals]) -> Normals:
    """Add normal equations of one oscillator."""
    total = normals[0]
    for other in normals[1:]:
        total = total + other
    return total
