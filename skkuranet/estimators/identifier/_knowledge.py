"""Whether recordings tell the couplings at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skkuranet._utils.messages import warn_caller
from skkuranet.estimators.identifier._stages import Nodes

# Two phases whose difference stays this still, as a phase-locking value, are locked.
_LOCKED = 0.99
_MANY = 0.5
# Pairs share one function, and need less of each oscillator.
_LEAST_DETERMINED = {False: 0.5, True: 0.1}
# Of what phases do beside constant frequencies, couplings that explain less explain nothing.
_LEAST_EXPLAINED = 0.05


def warn_if_unknown(
    groups: Sequence[Nodes], determined: np.ndarray, explained: float, *, pairwise: bool
) -> None:
    """Warn where recordings do not tell couplings, or couplings nothing of recordings, and why.

    ``determined`` holds of how many couplings of each oscillator they tell.
    """
    n_sources = float(np.mean([nodes.n_nodes - 1 for nodes in groups]))
    least, mean = _LEAST_DETERMINED[pairwise] * n_sources, float(determined.mean())
    locked = float(np.mean([_locked_share(nodes) for nodes in groups]))
    told = (
        f"The recordings determine about {mean:.2g} of the {n_sources:.4g} couplings of an "
        "oscillator"
    )
    spared = "" if pairwise else " Features of the nodes and couplings='pairwise' need less."
    if mean < least and locked > _MANY:
        warn_caller(
            f"{told}: {100.0 * locked:.0f} % of all pairs are locked to each other, and phases "
            "that stand still tell nothing of what holds them. Record how they come into step, or "
            f"how they return after a kick.{spared}",
            UserWarning,
        )
    elif explained < _LEAST_EXPLAINED:
        warn_caller(
            "Couplings explain nothing beyond constant frequencies: of what phases do beside "
            f"these, R² is {explained:.2g} (explained_). Either oscillators are not coupled, or "
            "noise or a small prior_scale hides it, or dynamics is not their equation, or phases "
            "are none of one rhythm.",
            UserWarning,
        )
    elif mean < least:
        warn_caller(
            f"{told}, for the noise. Record for longer, or more recordings, or fewer "
            f"nodes.{spared}",
            UserWarning,
        )


def _locked_share(nodes: Nodes) -> float:
    """Return the share of pairs of nodes that are locked to each other."""
    turned = np.exp(1j * np.concatenate(nodes.estimates))
    values = np.abs(turned.T @ turned.conj()) / len(turned)
    apart = ~np.eye(nodes.n_nodes, dtype=bool)
    return float((values[apart] > _LOCKED).mean())
