"""Where a network begins to synchronise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkuranet._utils.given import real_array, torch_generator
from skkuranet._utils.messages import plain, warn_caller
from skkuranet.analysis._blocks import in_parallel, seeds
from skkuranet.analysis._checks import check_network, read_counts
from skkuranet.analysis._collapse import collapse
from skkuranet.analysis._critical_pilot import (
    check_are_many,
    check_can_synchronise,
    middle_of,
    start_of,
)
from skkuranet.analysis._critical_result import CriticalCoupling
from skkuranet.analysis._progress import told
from skkuranet.analysis._sweep import sweep
from skkuranet.dynamics import Trajectory
from skkuranet.oscillator_network import OscillatorNetwork

Array = NDArray[Any]

# Where values lie, relative to what the pilot finds.
_AROUND = np.linspace(0.6, 1.25, 27)
_N_BOOTSTRAPS = 50
# How often values are chosen anew where the transition is at an end of them.
_LOOKS = 3
# Networks of each size, or repeats of one network, whose error is that of its size.
_N_SAMPLES, _N_REPEATS = 10, 4
# A misfit per point beyond which curves do not fall on one.
_LARGEST_MISFIT = 9.0


def critical_coupling(
    network: OscillatorNetwork | Callable[[int, int], OscillatorNetwork],
    values: Any = None,
    *,
    parameter: str = "coupling_scale",
    sizes: Sequence[int] = (200, 400, 800, 1600),
    n_samples: int | None = None,
    exponents: tuple[float, float] = (0.2, 0.4),
    n_steps: int = 500,
    n_transient: int = 500,
    save_every: int = 5,
    step_size: float = 0.2,
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
    n_samples : int, default=None
        Networks of each size, or repeats of the one network; None for 10 networks or 4 repeats.
    exponents : tuple of float, default=(0.2, 0.4)
        :math:`\beta/\bar\nu` and :math:`1/\bar\nu`: those of the mean field with frequencies drawn
        at random, on complete, random and small-world graphs (Hong, Chaté, Park and Tang 2007).
    n_steps : int, default=500
        Steps that are measured at each value.
    n_transient : int, default=500
        Steps before these, which are not.
    save_every : int, default=5
        Steps from one state that is measured to the next.
    step_size : float, default=0.2
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
        If something does not fit, or there is no transition: the critical coupling of oscillators
        that are all alike is 0, few of them have none, and those that repel one another neither.

    Warns
    -----
    UserWarning
        If curves do not fall on one, the transition is at an end of the values, oscillators are
        few, the network falls into parts, or it was interrupted.

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
    if n_samples is None:
        n_samples = _N_SAMPLES if callable(network) else _N_REPEATS
    n_steps, n_samples, save_every = read_counts(
        n_steps=n_steps, n_samples=n_samples, save_every=save_every
    )
    (n_transient,) = read_counts(least=0, n_transient=n_transient)
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
    first = _made(make, int(counts[0]), pilot_seed)
    check_are_many(first, searched=values is None)
    if isinstance(parameter, str) and parameter == "coupling_scale":
        check_can_synchronise(first)
    searched = values is None
    if searched:
        values = _AROUND * _pilot(first, parameter, pilot_seed, motion)
    for looks_left in range(_LOOKS if searched else 1)[::-1]:
        points = _read_values(values)
        # All sizes of a sample before the next, so that what is interrupted has some of each.
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
        at_end = not points[1] < value < points[-2]
        interrupted = squares.shape[1] < n_samples
        if not at_end or interrupted or not looks_left:
            break
        # The pilot saw one network of the smallest size.
        values = _AROUND * value
    if misfit > _LARGEST_MISFIT:
        warn_caller(
            f"Curves of sizes {plain(counts)} do not fall on one: they are {np.sqrt(misfit):.1f} "
            "standard errors apart. Other exponents may hold, or the transition jumps.",
            UserWarning,
        )
    if at_end:
        # It may be anywhere beyond.
        error = np.inf
        warn_caller(
            f"The transition was found at an end of the values, {value:.4g}. Pass values on both "
            "sides of it.",
            UserWarning,
        )
    return CriticalCoupling(value, error, points, counts, squares, misfit)


def _read_values(values: Any) -> Array:
    found = real_array(values, "values").astype(np.float64)
    if not np.isfinite(found).all():
        raise ValueError("values must be finite.")
    if found.ndim != 1 or len(found) < 5 or (np.diff(found) <= 0).any() or found[0] <= 0:
        raise ValueError(
            f"values must be five rising positive numbers at least, got {plain(found)}."
        )
    return found


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
    return _swept(_made(make, n, seed), parameter, values, seed, motion)


def _made(make: Callable[[int, int], OscillatorNetwork], n: int, seed: int) -> OscillatorNetwork:
    network = make(n, seed)
    if not isinstance(network, OscillatorNetwork) or network.batch or network.n_nodes != n:
        raise ValueError(
            f"network must be one OscillatorNetwork, or a function that makes one of n={n} "
            f"oscillators, got {network!r}."
        )
    return network


def _pilot(network: OscillatorNetwork, parameter: str, seed: int, motion: dict[str, Any]) -> float:
    """Return about where the order parameter is a half."""
    scales = isinstance(parameter, str) and parameter == "coupling_scale"
    start = start_of(network) if scales else 1.0
    return middle_of(
        lambda values: _swept(network, parameter, values, seed, motion)[0], parameter, start
    )


def _swept(
    network: OscillatorNetwork, parameter: str, values: Array, seed: int, motion: dict[str, Any]
) -> tuple[Array, Array]:
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
