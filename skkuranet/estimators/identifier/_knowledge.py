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


def warn_if_undetermined(groups: Sequence[Nodes], determined: float, *, pairwise: bool) -> None:
    """Warn where recordings do not tell couplings, and why."""
    n_sources = float(np.mean([nodes.n_nodes - 1 for nodes in groups]))
    if determined >= _LEAST_DETERMINED[pairwise] * n_sources:
        return
    share = float(np.mean([_locked_share(nodes) for nodes in groups]))
    told = (
        f"The recordings determine about {determined:.2g} of the {n_sources:.4g} couplings of an "
        "oscillator"
    )
    if share > _MANY:
        why = (
            f": {100.0 * share:.0f} % of all pairs are locked to each other, and phases that stand "
            "still tell nothing of what holds them. Record how they come into step, or how they "
            "return after a kick."
        )
    else:
        why = ", for the noise. Record for longer, or more recordings, or fewer nodes."
    spared = "" if pairwise else " Features of the nodes and couplings='pairwise' need less."
    warn_caller(f"{told}{why}{spared}", UserWarning)


def _locked_share(nodes: Nodes) -> float:
    """Return the share of pairs of nodes that are locked to each other."""
    turned = np.exp(1j * np.concatenate(nodes.estimates))
    values = np.abs(turned.T @ turned.conj()) / len(turned)
    apart = ~np.eye(nodes.n_nodes, dtype=bool)
    return float((values[apart] > _LOCKED).mean())
