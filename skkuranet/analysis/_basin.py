"""How often a network ends where it is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binomtest

from skkuranet._utils.given import as_array, torch_generator
from skkuranet._utils.messages import plain, warn_caller
from skkuranet._utils.scalars import positive_number
from skkuranet.analysis._blocks import in_parallel, networks_at_once, seeds, split
from skkuranet.analysis._checks import check_network, read_counts
from skkuranet.analysis._progress import told
from skkuranet.dynamics import Trajectory
from skkuranet.oscillator_network import OscillatorNetwork

Array = NDArray[Any]
Wanted = Callable[[Trajectory[Any]], Any]

# Order parameter from which on oscillators are in step.
_SYNCHRONOUS = 0.95


def _all_locked(path: Trajectory[Any]) -> Any:
    return as_array(path.locked()).all(-1)


def _in_step(path: Trajectory[Any]) -> Any:
    return as_array(path.order_parameter()).min(0) >= _SYNCHRONOUS


#: Ends by name. Each takes a trajectory of the last times, and returns one truth for each network.
ENDS: dict[str, Wanted] = {"locked": _all_locked, "synchrony": _in_step}


@dataclass(frozen=True, repr=False)
class BasinStability:
    """How often a network ends where it is wanted.

    Parameters
    ----------
    share : float
        Of the initial states that end there.
    interval : tuple of float
        Interval of confidence of the share (Wilson 1927).
    confidence : float
        Share of such intervals that hold the truth.
    reached : ndarray of shape (n_samples,), bool
        Whether each initial state ended there.
    states : ndarray of shape (n_samples, state_shape, n)
        Last states.

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import basin_stability
    >>> import networkx as nx
    >>> ring = OscillatorNetwork(nx.cycle_graph(20))
    >>> found = basin_stability(ring, n_samples=20, random_state=0)
    >>> found.share > 0.5
    True
    >>> len(found.reached)
    20
    """

    share: float
    interval: tuple[float, float]
    confidence: float
    reached: Array
    states: Array

    def __repr__(self) -> str:
        low, high = self.interval
        return (
            f"BasinStability({self.share:.3f}, {100 * self.confidence:g} % between {low:.3f} and "
            f"{high:.3f}, {len(self.reached)} samples)"
        )


def basin_stability(
    network: OscillatorNetwork,
    is_wanted: str | Wanted = "synchrony",
    n_samples: int = 500,
    *,
    initial_states: Any = None,
    confidence: float = 0.95,
    n_steps: int = 2000,
    n_kept: int = 100,
    step_size: float = 0.1,
    random_state: Any = None,
    solver: Any = None,
    n_jobs: int | None = None,
    verbose: bool | int | None = None,
) -> BasinStability:
    """Estimate the share of initial states from which a network ends where it is wanted.

    That is the relative volume of the basin of attraction (Menck, Heitzig, Marwan and Kurths 2013).

    Parameters
    ----------
    network : OscillatorNetwork
        One network.
    is_wanted : {"synchrony", "locked"} or callable, default="synchrony"
        Where it should end: with an order parameter of 0.95 at least, or with all oscillators
        turning as one. Or a function of the :class:`Trajectory` of the last ``n_kept`` steps, of a
        batch of networks, that returns one truth for each.
    n_samples : int, default=500
        Number of initial states.
    initial_states : array-like of shape (n_samples, state_shape, n) or callable, default=None
        Initial states, or a function ``draw(n, rng)`` of a number of states and a NumPy generator
        that draws so many. None draws them as the equation does, phases in [0, 2π).
    confidence : float, default=0.95
        Of the interval.
    n_steps : int, default=2000
        Steps until the end.
    n_kept : int, default=100
        Last steps that are looked at.
    step_size : float, default=0.1
        Time from one state to the next; see :meth:`skkuranet.OscillatorNetwork.simulate`.
    random_state : int, RandomState instance or None, default=None
        Source of initial states and noise.
    solver : str or Solver, default=None
        As for :meth:`skkuranet.OscillatorNetwork.simulate`.
    n_jobs : int, default=None
        Processes that share blocks of states (joblib). It makes no difference to the result.
    verbose : bool, int or None, default=None
        Whether to tell how far it is; None tells it every ten seconds.

    Returns
    -------
    BasinStability
        After Ctrl+C, of the states that were done.

    Raises
    ------
    ValueError
        If something does not fit.

    Warns
    -----
    UserWarning
        If it was interrupted.

    Examples
    --------
    Identical oscillators on a ring do not always find the same phase:

    >>> import networkx as nx
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import basin_stability
    >>> ring = OscillatorNetwork(nx.cycle_graph(8))
    >>> basin_stability(ring, n_samples=100, n_steps=500, random_state=0)
    BasinStability(0.760, 95 % between 0.668 and 0.833, 100 samples)
    """
    check_network(network)
    n_samples, n_steps, n_kept = read_counts(n_samples=n_samples, n_steps=n_steps, n_kept=n_kept)
    confidence = positive_number(confidence, "confidence")
    if network.batch:
        raise ValueError(
            f"network must be one network, got a batch of shape {tuple(network.batch)}."
        )
    if n_kept > n_steps:
        raise ValueError(f"n_kept={plain(n_kept)} must not be above n_steps={plain(n_steps)}.")
    if confidence >= 1.0:
        raise ValueError(f"confidence must lie between 0 and 1, got {plain(confidence)}.")
    if not callable(is_wanted) and not (isinstance(is_wanted, str) and is_wanted in ENDS):
        raise ValueError(
            f"is_wanted must be one of {sorted(ENDS)} or a function, got {plain(is_wanted)}."
        )
    wanted = is_wanted if callable(is_wanted) else ENDS[is_wanted]
    generator = torch_generator(random_state)
    states = _starts(network, n_samples, initial_states, generator)
    parts = split(n_samples, networks_at_once(network, n_kept + 1))
    motion = {
        "n_steps": n_steps, "save_from": n_steps - n_kept, "step_size": step_size, "solver": solver,
    }  # fmt: skip
    tasks = [
        (network, states[part], wanted, seed, motion)
        for part, seed in zip(parts, seeds(generator, len(parts)), strict=True)
    ]
    found: list[tuple[Array, Array]] = []
    ends = in_parallel(_end, tasks, n_jobs)
    try:
        found.extend(told(ends, len(tasks), "basin_stability", "blocks of states", verbose))
    except KeyboardInterrupt:
        if not found:
            raise
        n_done = sum(len(reached) for reached, _ in found)
        warn_caller(
            f"basin_stability was interrupted after {n_done} of {n_samples} states; it goes by "
            "these.",
            UserWarning,
        )
    reached = np.concatenate([one for one, _ in found])
    last = np.concatenate([one for _, one in found])
    n_reached = int(reached.sum())
    ends_at = binomtest(n_reached, len(reached)).proportion_ci(confidence, method="wilson")
    interval = float(ends_at.low), float(ends_at.high)
    return BasinStability(n_reached / len(reached), interval, confidence, reached, last)


def _starts(
    network: OscillatorNetwork, n: int, given: Any, generator: torch.Generator
) -> torch.Tensor:
    """Return initial states, given, drawn by the user's function or by the equation."""
    if given is None:
        drawn = network.dynamics.draw((n,), network.n_nodes, generator)
        return drawn.to(network.coupling.device, network.coupling.dtype)
    if callable(given):
        given = given(n, np.random.default_rng(seeds(generator, 1)))
    states = network.read_state(given, "initial_states").detach()
    if states.ndim != 2 + len(network.dynamics.state_shape) or len(states) != n:
        wanted = (n, *network.dynamics.state_shape, network.n_nodes)
        raise ValueError(
            f"initial_states must have shape {wanted}, one for each of n_samples={n}, got "
            f"{tuple(states.shape)}."
        )
    return states


def _end(
    network: OscillatorNetwork,
    states: torch.Tensor,
    wanted: Wanted,
    seed: int,
    motion: dict[str, Any],
) -> tuple[Array, Array]:
    """Return which of some states end where they should, and their last states."""
    path = network.simulate(initial_state=states, random_state=seed, **motion)
    reached = as_array(wanted(path))
    if reached.shape != (len(states),):
        raise ValueError(
            f"is_wanted must return shape ({len(states)},), one truth for each network of the "
            f"batch, got {reached.shape}."
        )
    return reached.astype(bool), as_array(path.states[-1])
