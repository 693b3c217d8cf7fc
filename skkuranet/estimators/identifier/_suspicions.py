"""What phases and times cannot be, or hardly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skkuranet._utils.messages import plain, warn_caller

# Turns in other units than radians, and what makes radians of them.
_TURNS = {"degrees": (360.0, "np.radians(phases)"), "turns": (1.0, "2 * np.pi * phases")}
# Phases that wrap jump by nearly a turn, at least so often, and otherwise move by little.
_NEARLY, _LEAST_JUMPS, _LITTLE = 0.75, 3, 0.125
# Units of time differ by factors of sixty at least.
_OTHER_UNIT = 50.0


def check_unit(table: np.ndarray, name: str) -> None:
    """Raise ValueError for degrees, and warn of turns: phases (T, n) are to be in radians."""
    steps = np.diff(table, axis=0)
    steps = steps[np.isfinite(steps)]
    low, high = np.nanmin(table), np.nanmax(table)
    for unit, (turn, remedy) in _TURNS.items():
        inside = (low >= 0.0 and high <= turn) or (-turn / 2 <= low and high <= turn / 2)
        jumps = np.abs(steps[np.abs(steps) > turn / 2])
        if not inside or len(jumps) < _LEAST_JUMPS or np.median(jumps) < _NEARLY * turn:
            continue
        if np.median(np.abs(steps - turn * np.round(steps / turn))) > _LITTLE * turn:
            continue
        told = (
            f"{name} must be in radians, and seems to be in {unit}: it lies from {low:.3g} to "
            f"{high:.3g} and jumps by about {turn:g}. Pass {remedy}."
        )
        if unit == "degrees":
            raise ValueError(told)
        warn_caller(told, UserWarning)


def check_nodes(table: np.ndarray) -> None:
    """Raise ValueError if no phase moves; warn of some that do not, and of nodes that are alike."""
    still = np.nanmax(table, 0) == np.nanmin(table, 0)
    if still.all():
        raise ValueError(
            "phases never changes, so that nothing is told of couplings. Record oscillators that "
            "move, such as how they come into step."
        )
    if still.any():
        warn_caller(
            f"phases of nodes {plain(np.flatnonzero(still))} never change. Leave these nodes out, "
            "unless they really stand still.",
            UserWarning,
        )
    _, first, number = np.unique(
        table[:, ~still], axis=1, return_index=True, return_inverse=True, equal_nan=True
    )
    moving = np.flatnonzero(~still)
    twin = moving[first[np.ravel(number)]]
    twice = np.flatnonzero(twin != moving)
    if len(twice):
        pairs = ", ".join(f"{plain(twin[k])} and {plain(moving[k])}" for k in twice[:3])
        warn_caller(
            f"phases of {len(twice)} nodes are copies of others, such as of {pairs}, so that "
            "nobody can tell which of them acts on others. Keep one of each.",
            UserWarning,
        )


def warn_of_index(given: Sequence[Any]) -> None:
    """Warn if a frame has times for an index, which nobody has asked to be read."""
    for frame in given:
        index = getattr(frame, "index", None)
        if not hasattr(frame, "columns") or np.array_equal(index, np.arange(len(frame))):
            continue
        warn_caller(
            "phases is a frame with an index, which is not read: times is None, so that samples "
            "are taken to be 1 apart. Pass times=phases.index.to_numpy() if these are times.",
            UserWarning,
        )
        return


def check_enough(n_steps: int, n_nodes: int) -> None:
    """Warn if there are fewer steps in all recordings than sources of an oscillator."""
    if n_steps < n_nodes:
        warn_caller(
            f"phases has {n_steps} steps in time, fewer than the {n_nodes - 1} couplings of an "
            "oscillator. Rows are times and columns are nodes: transpose phases if they are the "
            "other way round; else record for longer, or fewer nodes.",
            UserWarning,
        )


def check_rhythm(intervals: Sequence[float], usual: float, of: str) -> None:
    """Warn if samples of a recording follow one another in another rhythm than usual."""
    for number, interval in enumerate(intervals):
        factor = interval / usual
        if not 1.0 / _OTHER_UNIT < factor < _OTHER_UNIT:
            warn_caller(
                f"times of recording {number} are {interval:.3g} apart, and those of {of} "
                f"{usual:.3g}. Give all times in one unit.",
                UserWarning,
            )
