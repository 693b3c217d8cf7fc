"""A network at many values of one of its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skkuranet._utils.given import as_array, as_numbers, torch_generator
from skkuranet._utils.messages import plain, warn_caller
from skkuranet.analysis._blocks import in_parallel, networks_at_once, seeds, split, states_of
from skkuranet.analysis._checks import check_network, read_counts
from skkuranet.analysis._measures import Measure, averaged, measures_of
from skkuranet.analysis._progress import told
from skkuranet.analysis._sweep_result import Array, Sweep, SweepBranch
from skkuranet.oscillator_network import OscillatorNetwork

_INDEPENDENT = "independent"
# Directions in which each kind of continuation walks.
CONTINUATIONS: dict[str | None, tuple[str, ...]] = {
    None: (_INDEPENDENT,),
    "up": ("up",),
    "down": ("down",),
    "both": ("up", "down"),
}
_OF_THE_NETWORK = ("coupling_scale", "delay", "noise")


@dataclass(frozen=True)
class _Job:
    """What all blocks of a sweep have in common."""

    network: OscillatorNetwork
    parameter: str
    measures: dict[str, Measure]
    motion: dict[str, Any]
    n_steps: int
    n_transient: int

    def at(self, values: Tensor) -> OscillatorNetwork:
        """Return the network at several values, as the first axis of a batch."""
        # An axis of the nodes, which the scale of couplings has not.
        own = () if self.parameter == "coupling_scale" else (1,)
        shape = (len(values), *([1] * len(self.network.batch)), *(values.shape[1:] or own))
        return self.network.replace(**{self.parameter: values.view(shape)})

    def run(self, values: Tensor, states: Tensor, seed: int) -> tuple[dict[str, Any], Array]:
        """Return means and deviations of the measures, and the last states."""
        last = self.n_transient + self.n_steps
        every = self.motion["save_every"]
        path = self.at(values).simulate(
            n_steps=last,
            # So that the last state is among those that are kept.
            save_from=self.n_transient + self.n_steps % every,
            initial_state=states,
            random_state=seed,
            **self.motion,
        )
        batch = (len(values), *self.network.batch)
        found = {name: averaged(m, name, path, batch) for name, m in self.measures.items()}
        return found, as_array(path.states[-1])


def sweep(
    network: OscillatorNetwork,
    parameter: str,
    values: Any,
    *,
    continuation: str | None = None,
    measure: Any = "order_parameter",
    n_steps: int = 1000,
    n_transient: int = 1000,
    save_every: int = 10,
    step_size: float = 0.1,
    n_repeats: int = 1,
    initial_state: Any = None,
    random_state: Any = None,
    solver: Any = None,
    n_jobs: int | None = None,
    verbose: bool | int | None = None,
) -> Sweep:
    """Simulate a network at many values of a parameter, and measure what it does there.

    Without continuation all values start from the same states, and many of them are simulated as
    one batch. With it they are visited one after another, and each starts where the last one
    ended, which shows hysteresis.

    Parameters
    ----------
    network : OscillatorNetwork
        One network, or a batch of them.
    parameter : str
        What is changed: "coupling_scale", "delay", "noise" or a parameter of the equation.
    values : array-like of shape (V,) or (V, n)
        Its values: one number for all nodes, or one for each. With continuation they must rise.
    continuation : {"up", "down", "both"}, default=None
        Direction in which to follow states from value to value; None for no direction. After a
        change of delays, the past is again what ``network.history`` says.
    measure : str, callable or dict of these, default="order_parameter"
        What is measured: "order_parameter", "locked_share" or "frequency_spread" (the standard
        deviation of effective frequencies), or a function of a :class:`Trajectory` that returns
        (T, ...), one number for each time and network, or (...).
    n_steps : int, default=1000
        Steps that are measured at each value.
    n_transient : int, default=1000
        Steps before these, which are not.
    save_every : int, default=10
        Steps from one state that is measured to the next.
    step_size : float, default=0.1
        Time from one state to the next; see :meth:`skkuranet.OscillatorNetwork.simulate`.
    n_repeats : int, default=1
        Simulations of each value, which differ in initial state and noise.
    initial_state : array-like of shape (..., state_shape, n), default=None
        Where simulations start, or (n_repeats, ..., state_shape, n); None draws them at random.
    random_state : int, RandomState instance or None, default=None
        Source of initial states and noise.
    solver : str or Solver, default=None
        As for :meth:`skkuranet.OscillatorNetwork.simulate`.
    n_jobs : int, default=None
        Processes that share blocks of networks, or repeats where there is continuation (joblib). It
        makes no difference to the result.
    verbose : bool, int or None, default=None
        Whether to tell how far it is after each block or value; None tells it every ten seconds.

    Returns
    -------
    Sweep
        Means through time, deviations and last states. After Ctrl+C, NaN where it did not come.

    Raises
    ------
    ValueError
        If there is no such parameter, measure or continuation, or values do not fit.

    Warns
    -----
    UserWarning
        If it was interrupted.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import sweep
    >>> frequency = np.random.default_rng(0).normal(size=50)
    >>> network = OscillatorNetwork(np.full((50, 50), 1 / 50), frequency=frequency)
    >>> curve = sweep(network, "coupling_scale", [0.5, 1.5, 3.0], n_repeats=2, random_state=0)
    >>> curve
    Sweep(3 values of coupling_scale from 0.5 to 3, order_parameter, 2 repeats)
    >>> curve.mean().round(1)
    array([0.2, 0.4, 0.9])
    """
    check_network(network)
    if not (continuation is None or isinstance(continuation, str)) or (
        continuation not in CONTINUATIONS
    ):
        known = [name for name in CONTINUATIONS if name]
        raise ValueError(f"continuation must be one of {known} or None, got {plain(continuation)}.")
    n_steps, save_every, n_repeats = read_counts(
        n_steps=n_steps, save_every=save_every, n_repeats=n_repeats
    )
    (n_transient,) = read_counts(least=0, n_transient=n_transient)
    points = _values(network, parameter, values, continuation is not None)
    motion = {"step_size": step_size, "solver": solver, "save_every": save_every}
    job = _Job(network, parameter, measures_of(measure), motion, n_steps, n_transient)
    generator = torch_generator(random_state)
    starts = states_of(network, n_repeats, initial_state, generator)
    ways = CONTINUATIONS[continuation]
    made = {way: _empty(job, len(points), starts) for way in ways}
    size = networks_at_once(network, n_steps // save_every + 1)
    rounds = list(_rounds(ways, len(points)))
    total = sum(len(split(len(numbers) * n_repeats, size)) for _, numbers in rounds)
    parts = _walk(job, points, rounds, starts, made, size, generator, n_jobs)
    n_done = 0
    try:
        for _ in told(parts, total, "sweep", "blocks of networks", verbose):
            n_done += 1
    except KeyboardInterrupt:
        if not n_done:
            raise
        warn_caller(
            f"sweep was interrupted after {n_done} of {total} blocks of networks; NaN stands for "
            "the others.",
            UserWarning,
        )
    return Sweep(parameter, as_array(points), made)


def _values(network: OscillatorNetwork, parameter: str, values: Any, ordered: bool) -> Tensor:
    """Return values as a tensor, and make sure that they fit the parameter."""
    known = [*_OF_THE_NETWORK, *network.dynamics.names()]
    if not isinstance(parameter, str) or parameter not in known:
        raise ValueError(f"parameter must be one of {known}, got {plain(parameter)}.")
    found = as_numbers(values, "values").detach()
    inner = network.dynamics.parameter_shapes.get(parameter, ())
    shapes: list[tuple[int, ...]] = [()] if not inner else []
    if parameter != "coupling_scale":
        shapes.append((*inner, network.n_nodes))
    if not found.ndim or not len(found) or tuple(found.shape[1:]) not in shapes:
        wanted = " or ".join(f"(V{''.join(f', {n}' for n in shape) or ','})" for shape in shapes)
        raise ValueError(
            f"values of {parameter} must have shape {wanted}, got {tuple(found.shape)}."
        )
    if ordered and found.ndim == 1 and bool((found.diff() <= 0).any()):
        raise ValueError("values must rise from one to the next where there is continuation.")
    return found.to(network.coupling.device, network.coupling.dtype)


def _rounds(ways: tuple[str, ...], n_values: int) -> Iterator[tuple[str, list[int]]]:
    """Yield what can be simulated at once: all values, or one after another in each direction."""
    for way in ways:
        order = list(range(n_values))
        if way == _INDEPENDENT:
            yield way, order
        else:
            yield from ((way, [k]) for k in (order if way == "up" else order[::-1]))


def _walk(
    job: _Job,
    points: Tensor,
    rounds: list[tuple[str, list[int]]],
    starts: Tensor,
    made: dict[str, SweepBranch],
    size: int,
    generator: torch.Generator,
    n_jobs: int | None,
) -> Iterator[None]:
    """Simulate all rounds, write what is found, and yield after each block."""
    states, n_repeats = starts, len(starts)
    for way, numbers in rounds:
        pairs = np.array([(k, r) for k in numbers for r in range(n_repeats)])
        blocks = [pairs[part] for part in split(len(pairs), size)]
        tasks = [
            (points[block[:, 0]], states[block[:, 1]], seed)
            for block, seed in zip(blocks, seeds(generator, len(blocks)), strict=True)
        ]
        branch = made[way]
        for block, (found, last) in zip(blocks, in_parallel(job.run, tasks, n_jobs), strict=True):
            at = tuple(block.T)
            for name, (mean, deviation) in found.items():
                branch.means[name][at], branch.deviations[name][at] = mean, deviation
            branch.states[at] = last
            yield
        # Only where there is continuation is there another round.
        states = torch.from_numpy(branch.states[numbers[-1]]).to(starts)


def _empty(job: _Job, n_values: int, starts: Tensor) -> SweepBranch:
    """Return a branch that is still to be filled."""
    batch = (n_values, len(starts), *job.network.batch)
    means, deviations = ({n: np.full(batch, np.nan) for n in job.measures} for _ in range(2))
    states = np.full((n_values, *starts.shape), np.nan, as_array(starts[:0]).dtype)
    return SweepBranch(means, deviations, states)
