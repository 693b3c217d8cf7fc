"""Where a network begins to synchronise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from skkuranet._utils.given import real_array, torch_generator
from skkuranet._utils.messages import plain, warn_caller
from skkuranet.analysis._blocks import in_parallel, seeds
from skkuranet.analysis._checks import check_counts, check_network
from skkuranet.analysis._collapse import collapse
from skkuranet.analysis._progress import told
from skkuranet.analysis._sweep import sweep
from skkuranet.dynamics import Trajectory
from skkuranet.oscillator_network import OscillatorNetwork

Array = NDArray[Any]

# Order that a pilot looks for, and how often it doubles or halves the parameter to get there.
_MIDDLE, _MOST_DOUBLINGS, _N_BISECTIONS = 0.5, 20, 4
# Where values lie, relative to what the pilot finds.
_AROUND = np.linspace(0.6, 1.25, 27)
_N_BOOTSTRAPS = 50
# A misfit per point beyond which curves do not fall on one.
_LARGEST_MISFIT = 9.0


@dataclass(frozen=True, repr=False)
class CriticalCoupling:
    """Where a network begins to synchronise.

    Parameters
    ----------
    value : float
        Estimate.
    error : float
        Its standard error.
    values : ndarray of shape (V,)
        Values of the parameter that were simulated.
    sizes : ndarray of shape (n_sizes,)
        Sizes of the networks.
    squares : ndarray of shape (n_sizes, n_samples, V)
        Means through time of the squared order parameter, of each sample or repeat.
    misfit : float
        Mean squared distance of the curves of all sizes from one, in units of their errors; NaN
        for one size.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import critical_coupling
    >>> def make(n, random_state):
    ...     frequency = np.random.default_rng(random_state).normal(size=n)
    ...     return OscillatorNetwork(np.full((n, n), 1.0 / n), frequency=frequency)
    >>> values, motion = np.linspace(1.0, 2.4, 8), {"n_steps": 100, "n_transient": 100}
    >>> motion |= {"sizes": (20, 40, 80), "n_samples": 4}
    >>> found = critical_coupling(make, values, random_state=0, **motion)
    >>> found.sizes
    array([20, 40, 80])
    >>> bool(1.0 < found.value < 2.4)
    True
    """

    value: float
    error: float
    values: Array
    sizes: Array
    squares: Array
    misfit: float

    def __repr__(self) -> str:
        _, n_samples, n_values = self.squares.shape
        of = f"n={self.sizes[0]}"
        if len(self.sizes) > 1:
            of += f" to {self.sizes[-1]}"
        return (
            f"CriticalCoupling({self.value:.4g} +- {self.error:.2g}, {of}, {n_samples} samples of "
            f"{n_values} values)"
        )

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return an interval of confidence.

        Parameters
        ----------
        confidence : float, default=0.95
            Share of such intervals that hold the truth.

        Returns
        -------
        tuple of float
        """
        half = float(norm.ppf(0.5 + confidence / 2.0)) * self.error
        return self.value - half, self.value + half

    def to_dataframe(self) -> Any:
        """Return one row for each size, sample and value.

        Returns
        -------
        DataFrame
            Columns "n", "sample", "value" and "square".
        """
        import pandas as pd

        size, sample, value = (axis.ravel() for axis in np.indices(self.squares.shape))
        return pd.DataFrame(
            {
                "n": self.sizes[size],
                "sample": sample,
                "value": self.values[value],
                "square": self.squares.ravel(),
            }
        )


def critical_coupling(
    network: OscillatorNetwork | Callable[[int, int], OscillatorNetwork],
    values: Any = None,
    *,
    parameter: str = "coupling_scale",
    sizes: Sequence[int] = (200, 400, 800, 1600),
    n_samples: int = 10,
    exponents: tuple[float, float] = (0.2, 0.4),
    n_steps: int = 1000,
    n_transient: int = 1000,
    save_every: int = 10,
    step_size: float = 0.1,
    random_state: Any = None,
    solver: Any = None,
    n_jobs: int | None = None,
    verbose: bool | int | None = None,
) -> CriticalCoupling:
    r"""Estimate where a network begins to synchronise, and how well that is known.

    A function that makes networks of any size gives the value for infinitely many oscillators, by
    finite-size scaling: near the transition, means over samples of the squared order parameter
    fall on one curve,

    .. math:: \langle R^2 \rangle\, n^{2\beta/\bar\nu} = f\bigl((K/K_c - 1)\, n^{1/\bar\nu}\bigr).

    The error is that of a bootstrap over samples, and what leaving out the smallest or the largest
    size or a narrower window of K changes.

    One network gives the place where its order parameter fluctuates most through time. A network
    of n oscillators rounds the transition off over a relative width :math:`n^{-1/\bar\nu}`, which
    is part of the error.

    Parameters
    ----------
    network : callable or OscillatorNetwork
        A function ``make(n, random_state)`` of whole numbers that returns one network of n
        oscillators with frequencies, and a graph where it has one, drawn at random; or one network.
    values : array-like of shape (V,), default=None
        Rising values of the parameter, around the transition. None looks for them.
    parameter : str, default="coupling_scale"
        What drives the network into synchrony as it rises.
    sizes : sequence of int, default=(200, 400, 800, 1600)
        Sizes of the networks that are made; three at least.
    n_samples : int, default=10
        Networks of each size, or repeats of the one network.
    exponents : tuple of float, default=(0.2, 0.4)
        :math:`\beta/\bar\nu` and :math:`1/\bar\nu`: those of the mean field with frequencies drawn
        at random, on complete, random and small-world graphs (Hong, Chaté, Park and Tang 2007).
    n_steps : int, default=1000
        Steps that are measured at each value.
    n_transient : int, default=1000
        Steps before these, which are not.
    save_every : int, default=10
        Steps from one state that is measured to the next.
    step_size : float, default=0.1
        Time from one state to the next; see :meth:`skkuranet.OscillatorNetwork.simulate`.
    random_state : int, RandomState instance or None, default=None
        Source of networks, initial states and noise.
    solver : str or Solver, default=None
        As for :meth:`skkuranet.OscillatorNetwork.simulate`.
    n_jobs : int, default=None
        Processes that share the samples (joblib).
    verbose : bool, int or None, default=None
        Whether to tell how far it is; None tells it every ten seconds.

    Returns
    -------
    CriticalCoupling
        After Ctrl+C, from the samples that were complete.

    Raises
    ------
    ValueError
        If something does not fit, or there is no transition where it looks.

    Warns
    -----
    UserWarning
        If curves do not fall on one, the transition is at an end of the values, or it was
        interrupted.

    Examples
    --------
    Couplings of all with all, of rank 1, and normal frequencies; in theory it is
    :math:`2 / (\pi g(0)) = 1.596`:

    >>> import numpy as np
    >>> import torch
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import critical_coupling
    >>> from skkuranet.coupling import FactorizedCoupling
    >>> def make(n, random_state):
    ...     ones = torch.ones(n, 1, dtype=torch.float64)
    ...     frequency = np.random.default_rng(random_state).normal(size=n)
    ...     return OscillatorNetwork(FactorizedCoupling(ones / n, ones), frequency=frequency)
    >>> found = critical_coupling(
    ...     make, np.linspace(1.0, 2.2, 13), sizes=(50, 100, 200), n_samples=4, n_steps=200,
    ...     n_transient=200, step_size=0.2, random_state=0,
    ... )
    >>> low, high = found.interval()
    >>> low < 1.596 < high
    True
    """
    check_counts(n_steps=n_steps, n_samples=n_samples, save_every=save_every)
    check_counts(least=0, n_transient=n_transient)
    # Whole numbers of few bits would overflow.
    n_samples = int(n_samples)
    if not callable(network):
        check_network(network)
    exponents = _read_exponents(exponents)
    single = network if isinstance(network, OscillatorNetwork) else None
    if single is None and (len(sizes) < 3 or list(sizes) != sorted(set(sizes)) or n_samples < 2):
        raise ValueError(
            "sizes must be three rising numbers at least, and n_samples 2 at least, got "
            f"sizes={plain(list(sizes))} and n_samples={plain(n_samples)}."
        )
    make: Any = network if single is None else _AlwaysThis(single)
    counts = np.array(list(sizes) if single is None else [single.n_nodes])
    generator = torch_generator(random_state)
    pilot_seed, fit_seed, *sample_seeds = seeds(generator, 2 + n_samples * len(counts))
    motion = {
        "n_steps": n_steps, "n_transient": n_transient, "save_every": save_every,
        "step_size": step_size, "solver": solver,
    }  # fmt: skip
    if values is None:
        pilot = partial(_sample, make, int(counts[0]), parameter, seed=pilot_seed, motion=motion)
        values = _AROUND * _middle(pilot, parameter)
    points = real_array(values, "values").astype(np.float64)
    if not np.isfinite(points).all():
        raise ValueError("values must be finite.")
    if points.ndim != 1 or len(points) < 5 or (np.diff(points) <= 0).any() or points[0] <= 0:
        raise ValueError(
            f"values must be five rising positive numbers at least, got {plain(points)}."
        )
    # All sizes of a sample before the next sample, so that what is interrupted has some of each.
    tasks = [
        (make, int(n), parameter, points, seed, motion)
        for seed, n in zip(sample_seeds, np.tile(counts, n_samples), strict=True)
    ]
    squares, variances = _simulated(tasks, len(counts), n_jobs, verbose)
    rng = np.random.default_rng(fit_seed)
    if single is not None:
        value, error = _peak(variances[0], points, rng)
        error, misfit = float(np.hypot(error, value * counts[0] ** -exponents[1])), np.nan
    else:
        value, error, misfit = collapse(squares, points, counts, exponents, rng)
    if misfit > _LARGEST_MISFIT:
        warn_caller(
            f"Curves of sizes {plain(counts)} do not fall on one: they are {np.sqrt(misfit):.1f} "
            "standard errors apart. Other exponents may hold, or the transition jumps.",
            UserWarning,
        )
    if not points[1] < value < points[-2]:
        warn_caller(
            f"The transition was found at an end of the values, {value:.4g}. Pass values on both "
            "sides of it.",
            UserWarning,
        )
    return CriticalCoupling(value, error, points, counts, squares, misfit)


def _read_exponents(exponents: Any) -> tuple[float, float]:
    found = real_array(exponents, "exponents").astype(np.float64)
    if found.shape != (2,) or not np.isfinite(found).all():
        raise ValueError(f"exponents must be two finite numbers, got {plain(found)}.")
    return float(found[0]), float(found[1])


@dataclass(frozen=True)
class _AlwaysThis:
    """Makes the one network that there is, of any size and seed."""

    network: OscillatorNetwork

    def __call__(self, n: int, random_state: int) -> OscillatorNetwork:
        return self.network


def _square(path: Trajectory[Any]) -> Any:
    return path.order_parameter() ** 2


def _sample(
    make: Callable[[int, int], OscillatorNetwork],
    n: int,
    parameter: str,
    values: Array,
    seed: int,
    motion: dict[str, Any],
) -> tuple[Array, Array]:
    """Return mean square and variance of the order parameter at each value, of one network."""
    network = make(n, seed)
    if not isinstance(network, OscillatorNetwork) or network.batch or network.n_nodes != n:
        raise ValueError(
            f"network must be one OscillatorNetwork, or a function that makes one of n={n} "
            f"oscillators, got {network!r}."
        )
    found = sweep(
        network,
        parameter,
        values,
        measure={"square": _square, "order": "order_parameter"},
        random_state=seed,
        verbose=0,
        **motion,
    )
    return found.mean("square"), found.fluctuation("order") ** 2


def _simulated(
    tasks: list[tuple[Any, ...]], n_sizes: int, n_jobs: int | None, verbose: bool | int | None
) -> tuple[Array, Array]:
    """Return squares and variances, (n_sizes, n_samples, V), of the samples that were complete."""
    found: list[tuple[Array, Array]] = []
    parts = in_parallel(_sample, tasks, n_jobs)
    try:
        found.extend(told(parts, len(tasks), "critical_coupling", "networks", verbose))
    except KeyboardInterrupt:
        n_samples = len(found) // n_sizes
        if n_samples < (1 if n_sizes == 1 else 2):
            raise
        found = found[: n_samples * n_sizes]
        warn_caller(
            f"critical_coupling was interrupted; it goes by {n_samples} samples of each size.",
            UserWarning,
        )
    stacked: Array = np.array(found).reshape(-1, n_sizes, 2, len(tasks[0][3]))
    return stacked[:, :, 0].swapaxes(0, 1), stacked[:, :, 1].swapaxes(0, 1)


def _middle(pilot: Callable[..., tuple[Array, Array]], parameter: str) -> float:
    """Return about the value at which the order parameter is a half."""

    def is_above(value: float) -> bool:
        return bool(pilot(values=np.array([value]))[0][0] > _MIDDLE**2)

    starts_above = is_above(1.0)
    factor = 0.5 if starts_above else 2.0
    for k in range(1, _MOST_DOUBLINGS + 1):
        if is_above(factor**k) != starts_above:
            break
    else:
        side, way = ("above", "down") if starts_above else ("below", "up")
        raise ValueError(
            f"The order parameter stays {side} {_MIDDLE} for {parameter} {way} to {factor**k:g}. "
            "Pass values, or see whether oscillators differ in frequency and attract one another."
        )
    low, high = sorted((factor ** (k - 1), factor**k))
    for _ in range(_N_BISECTIONS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if is_above(middle) else (middle, high)
    return (low * high) ** 0.5


def _peak(variances: Array, values: Array, rng: np.random.Generator) -> tuple[float, float]:
    """Return where fluctuations, (n_samples, V), are largest, and its standard error."""
    n_samples = len(variances)

    def top(index: Array) -> float:
        mean = variances[index].mean(0)
        k = int(np.clip(mean.argmax(), 1, len(values) - 2))
        # The top of the parabola through three points.
        curve = np.polynomial.Polynomial.fit(values[k - 1 : k + 2], mean[k - 1 : k + 2], 2)
        roots = curve.deriv().roots()
        peak = float(roots[0]) if len(roots) and curve.deriv(2)(values[k]) < 0 else values[k]
        return float(np.clip(peak, values[k - 1], values[k + 1]))

    again = [top(rng.integers(n_samples, size=n_samples)) for _ in range(_N_BOOTSTRAPS)]
    spacing = float(np.diff(values).mean())
    return top(np.arange(n_samples)), float(np.hypot(np.std(again), spacing / np.sqrt(12.0)))
