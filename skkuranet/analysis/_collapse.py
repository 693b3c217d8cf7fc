"""Finite-size scaling: the coupling at which curves of all sizes fall on one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Array = NDArray[Any]

# Of the window in the scaled distance from the transition: its half width, and the degree of the
# polynomial there. The second, narrower one tells how much the choice matters.
_WINDOWS = ((2.5, 4), (1.5, 3))
# A mean over samples is trusted to this relative error at best, as the law holds for large n only.
_LEAST_ERROR = 0.02
_N_BOOTSTRAPS = 50


def collapse(
    squares: Array,
    values: Array,
    sizes: Array,
    exponents: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """Return the critical value, its standard error and the misfit per point.

    Near the transition, the mean of R² times n^(2 β/ν) is a function of (K/Kc - 1) n^(1/ν). It is
    taken as the exponential of a polynomial. The error is that of a bootstrap over samples, and
    what leaving out the smallest or the largest size or narrowing the window changes. ``squares``
    are means of R² through time, (n_sizes, n_samples, V).
    """
    wide, narrow = _WINDOWS
    value, misfit = _fit(squares, values, sizes, exponents, *wide)
    others = [_fit(squares, values, sizes, exponents, *narrow)[0]]
    if len(sizes) > 2:
        for kept in (slice(1, None), slice(None, -1)):
            others.append(_fit(squares[kept], values, sizes[kept], exponents, *wide)[0])
    again = [_fit(one, values, sizes, exponents, *wide)[0] for one in _resampled(squares, rng)]
    error = np.hypot(np.std(again), np.abs(np.subtract(others, value)).max())
    return value, float(error), misfit


def _resampled(squares: Array, rng: np.random.Generator) -> Iterator[Array]:
    n_sizes, n_samples, _ = squares.shape
    for _ in range(_N_BOOTSTRAPS):
        # Each size has samples of its own.
        index = rng.integers(n_samples, size=(n_sizes, n_samples, 1))
        yield np.take_along_axis(squares, index, 1)


def _fit(
    squares: Array,
    values: Array,
    sizes: Array,
    exponents: tuple[float, float],
    width: float,
    degree: int,
) -> tuple[float, float]:
    decay, shift = exponents
    mean = squares.mean(1)
    scaled = np.log(mean * sizes[:, None] ** (2.0 * decay))
    error = squares.std(1, ddof=1) / mean / np.sqrt(squares.shape[1])
    weight = 1.0 / np.hypot(error, _LEAST_ERROR)

    def misfit(critical: float) -> float:
        x = (values / critical - 1.0) * sizes[:, None] ** shift
        # Points fade out at the edge, so that none enters with a jump.
        fade = np.clip(1.0 - (x / width) ** 2, 0.0, None)
        seen = fade > 0
        if np.count_nonzero(seen) < degree + 3:
            return np.inf
        w = weight[seen] * np.sqrt(fade[seen])
        curve = np.polynomial.Polynomial.fit(x[seen], scaled[seen], degree, w=w)
        return float(((curve(x[seen]) - scaled[seen]) ** 2 * w**2).sum() / fade[seen].sum())

    grid = np.linspace(values[0], values[-1], 4 * len(values))[1:-1]
    k = int(np.clip(np.argmin([misfit(one) for one in grid]), 1, len(grid) - 2))
    found = minimize_scalar(misfit, bounds=(grid[k - 1], grid[k + 1]), method="bounded")
    return float(found.x), float(found.fun)
