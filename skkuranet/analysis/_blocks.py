"""Blocks of networks that are simulated as one batch, and their randomness."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from joblib import Parallel, delayed
from torch import Tensor

from skkuranet._utils.messages import warn_caller
from skkuranet._utils.surroundings import one_thread
from skkuranet.oscillator_network import OscillatorNetwork

# More numbers of state than these are no faster as one batch. It is fixed, as blocks share noise.
_NUMBERS_AT_ONCE = 1 << 15


def networks_at_once(network: OscillatorNetwork, n_kept: int) -> int:
    """Return how many copies of a network, with so many states of each, make one block."""
    if network.coupling.shape[:-2]:
        # Every copy would have all these couplings.
        return 1
    numbers = math.prod((*network.batch, *network.dynamics.state_shape, network.n_nodes))
    n_bytes = n_kept * numbers * network.coupling.dtype.itemsize
    return max(1, min(_NUMBERS_AT_ONCE // numbers, network.memory_budget // n_bytes))


def split(n: int, size: int) -> list[slice]:
    """Return slices of so many, which cover n."""
    return [slice(first, min(first + size, n)) for first in range(0, n, size)]


def seeds(generator: torch.Generator, n: int) -> list[int]:
    """Draw seeds of parts, so that parts may be computed in any order."""
    return torch.randint(2**31 - 1, (n,), generator=generator).tolist()


def states_of(
    network: OscillatorNetwork, n_repeats: int, initial_state: Any, generator: torch.Generator
) -> Tensor:
    """Return initial states, (n_repeats, ..., state_shape, n), as given or drawn.

    Raises
    ------
    ValueError
        If given states do not fit.
    """
    if initial_state is None:
        drawn = [network.initial_state(seed) for seed in seeds(generator, n_repeats)]
        return torch.stack([network.read_state(state, "initial_state") for state in drawn])
    state = network.read_state(initial_state, "initial_state").detach()
    wanted = (n_repeats, *network.batch, *network.dynamics.state_shape, network.n_nodes)
    if state.shape not in (wanted, wanted[1:]):
        raise ValueError(
            f"initial_state must have shape {wanted[1:]} or {wanted}, got {tuple(state.shape)}."
        )
    return state.expand(wanted)


def in_parallel(
    run: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], n_jobs: int | None
) -> Iterator[Any]:
    """Run tasks in processes, and return their results in order as they come.

    One thread each, as the order of sums would depend on their number. Of the warnings of all tasks
    the first is given, at the end.
    """
    warned: list[str] = []
    calls = (delayed(_on_one_thread)(run, task) for task in tasks)
    for result, messages in Parallel(n_jobs=n_jobs, return_as="generator")(calls):
        warned += messages
        yield result
    if warned:
        warn_caller(warned[0], UserWarning)


def _on_one_thread(run: Callable[..., Any], task: tuple[Any, ...]) -> tuple[Any, list[str]]:
    with one_thread(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        result = run(*task)
    return result, [str(one.message) for one in caught if one.category is UserWarning]
