"""Rules by which a state has a name, and how it is shown in a line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter1d

from skkuranet._utils.messages import plain

if TYPE_CHECKING:
    from skkuranet.analysis._state import StateDescription

# Part of a ring, and fewest units, that make a domain.
_DOMAIN, _FEWEST = 0.1, 5
# Share of the looks at a domain in which its units go on smoothly, and at most do.
_SMOOTH, _ROUGH = 0.9, 0.5


@dataclass(frozen=True)
class Limits:
    """Thresholds of the rules; see :func:`skkuranet.analysis.describe_state`."""

    in_step: float
    out_of_step: float
    splay: float
    uneven: float
    incoherent: float


Rule = Callable[["StateDescription", Limits], bool]


def _twisted(state: StateDescription, limits: Limits) -> bool:
    return bool(state.winding_number) and (state.twist_order or 0.0) >= limits.in_step


def _splay(state: StateDescription, limits: Limits) -> bool:
    return state.splay_order >= limits.splay or state.unevenness <= limits.uneven


def _clusters(state: StateDescription, limits: Limits) -> bool:
    return (
        state.n_clusters > 1
        and min(state.cluster_sizes) > 1
        and float(state.cluster_order.min()) >= limits.in_step
    )


def _synchrony(state: StateDescription, limits: Limits) -> bool:
    return state.lowest_order >= limits.in_step


def _chimera(state: StateDescription, limits: Limits) -> bool:
    return _groups_differ(state, limits) or _domains_differ(state)


def _groups_differ(state: StateDescription, limits: Limits) -> bool:
    if state.group_order is None or state.group_sizes is None:
        return False
    # One unit alone is always in step.
    several = np.array(state.group_sizes) > 1
    below = several & (state.group_order < limits.out_of_step)
    if state.group_drift is not None:
        below &= state.group_drift > 0.5
    return bool((several & (state.group_order >= limits.in_step)).any() and below.any())


def _domains_differ(state: StateDescription) -> bool:
    if state.smoothness is None:
        return False
    size = max(_FEWEST, round(_DOMAIN * len(state.smoothness)))
    # Units that are locked in a pattern that is not smooth make no rough domain.
    held = state.smoothness if state.entrained is None else state.entrained[state.ring]
    smooth, still = (
        uniform_filter1d(one, size, mode="wrap")
        for one in (state.smoothness, np.maximum(state.smoothness, held))
    )
    # Sums that run around the ring gather rounding.
    return bool(smooth.max() >= _SMOOTH - 1e-9 and still.min() <= _ROUGH + 1e-9)


def _incoherence(state: StateDescription, limits: Limits) -> bool:
    by_chance = limits.incoherent / np.sqrt(len(state.clusters))
    return state.order <= by_chance and state.unevenness <= limits.incoherent


def _locked(state: StateDescription, limits: Limits) -> bool:
    return state.entrained_share == 1.0


#: Rules by the name of their state; the first that holds decides.
RULES: dict[str, Rule] = {
    "twisted": _twisted,
    "splay": _splay,
    "clusters": _clusters,
    "synchrony": _synchrony,
    "chimera": _chimera,
    "locked": _locked,
    "incoherence": _incoherence,
    "partial": lambda state, limits: True,
}


def _show_splay(state: StateDescription) -> str:
    if state.n_splay_groups is None:
        return "splay state, phases spread evenly"
    return f"splay state of {state.n_splay_groups} groups"


def _show_clusters(state: StateDescription) -> str:
    *most, last = sorted(state.cluster_sizes, reverse=True)
    return f"cluster state, sizes {', '.join(map(str, most))} and {last}"


def _show_chimera(state: StateDescription) -> str:
    if state.group_order is None:
        return f"chimera state, {100 * (state.coherent_share or 0.0):.0f} % coherent"
    shown = plain([f"{order:.2f}" for order in state.group_order]).replace("'", "")
    return f"chimera state, orders of groups {shown}"


def _show_partial(state: StateDescription) -> str:
    if state.entrained_share is None:
        return "partial order"
    return f"partial order, {100 * state.entrained_share:.0f} % entrained"


#: How a state is shown, by its name.
SHOWN: dict[str, Callable[[StateDescription], str]] = {
    "twisted": lambda state: f"twisted state, winding number {state.winding_number}",
    "splay": _show_splay,
    "clusters": _show_clusters,
    "synchrony": lambda state: "synchrony",
    "chimera": _show_chimera,
    "incoherence": lambda state: "incoherence",
    "locked": lambda state: "locked state",
    "partial": _show_partial,
}
