"""What kind of state a network is in, and the measures that tell it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkuranet.analysis._checks import read_positive
from skkuranet.analysis._state_measures import (
    clusters_of,
    entrained_units,
    groups_of,
    last_times,
    read_path,
    ring_of,
    spread_of,
)
from skkuranet.analysis._state_rules import RULES, SHOWN, Limits

Array = NDArray[Any]


@dataclass(frozen=True, repr=False)
class StateDescription:
    """Kind of state that a network is in, and the measures that tell it.

    Means are those through time.

    Attributes
    ----------
    name : str
        "synchrony", "clusters", "splay", "twisted", "chimera", "incoherence", "locked" or
        "partial".
    order : float
        Mean order parameter R.
    order_deviation : float
        Standard deviation of R through time.
    lowest_order : float
        Smallest R.
    moments : ndarray of shape (k,)
        Mean moduli of the moments of phases, of which R is the first.
    splay_order : float
        Largest mean :func:`skkuranet.metrics.splay_order`, for 2 to 20 groups.
    n_splay_groups : int or None
        Number of groups of it; None where it is below the threshold.
    unevenness : float
        About 1 for phases at random, 0 for phases spread evenly: the quadratic mean of the first
        moments, times √n.
    clusters : ndarray of int of shape (n,)
        Cluster of each unit: those whose phases lie together at all times.
    n_clusters : int
        Number of clusters.
    cluster_sizes : tuple of int
        Units in each cluster.
    cluster_order : ndarray of shape (n_clusters,)
        Mean order parameter within each cluster.
    entrained : ndarray of bool of shape (n,) or None
        Units of the largest set that turns alike; None for a single state.
    group_order : ndarray of shape (n_groups,) or None
        Mean order parameter within each group that ``labels`` name, sorted by label.
    group_sizes : tuple of int or None
        Units in each group.
    group_drift : ndarray of shape (n_groups,) or None
        Share of units of each group that drift past the group of the highest order.
    chimera_index : float or None
        :func:`skkuranet.metrics.chimera_index` of two groups or more.
    metastability_index : float or None
        :func:`skkuranet.metrics.metastability_index` of groups, at two times or more.
    ring : ndarray of int of shape (m,) or None
        Units in the order in which the ring meets them.
    winding_number : int or None
        Turns of the phases around the ring; None without a ring, or where it changes.
    twist_order : float or None
        Mean order parameter after phases are turned back along the ring.
    smoothness : ndarray of shape (m,) or None
        How often each unit of the ring goes on smoothly.
    coherent_share : float or None
        Mean :func:`skkuranet.metrics.coherent_share`.

    Examples
    --------
    >>> from skkuranet.analysis import describe_state
    >>> state = describe_state([0.0, 0.0, 0.1, 3.0, 3.1])
    >>> state.name, state.n_clusters, state.cluster_sizes
    ('clusters', 2, (3, 2))
    """

    name: str
    order: float
    order_deviation: float
    lowest_order: float
    moments: Array
    splay_order: float
    n_splay_groups: int | None
    unevenness: float
    clusters: Array
    n_clusters: int
    cluster_sizes: tuple[int, ...]
    cluster_order: Array
    entrained: Array | None
    group_order: Array | None = None
    group_sizes: tuple[int, ...] | None = None
    group_drift: Array | None = None
    chimera_index: float | None = None
    metastability_index: float | None = None
    ring: Array | None = None
    winding_number: int | None = None
    twist_order: float | None = None
    smoothness: Array | None = None
    coherent_share: float | None = None

    @property
    def entrained_share(self) -> float | None:
        """Share of units in the largest set that turns alike; None for a single state."""
        return None if self.entrained is None else float(self.entrained.mean())

    def __repr__(self) -> str:
        return f"{SHOWN[self.name](self)}, R={self.order:.2f}"


def describe_state(
    path: Any,
    labels: Any = None,
    ring: Any = False,
    *,
    window: float | None = None,
    in_step: float = 0.95,
    out_of_step: float = 0.9,
    splay: float = 0.85,
    uneven: float = 0.35,
    incoherent: float = 1.5,
    gap: float = 0.7,
    slip: float = math.pi,
    bend: float = 0.3,
) -> StateDescription:
    r"""Name the state that a network is in, by rules of which the first that holds decides.

    1. "twisted": around the ring, phases make the same number of turns q ≠ 0 at all times, and
       turned back by 2πqj/n they are in step (order at least ``in_step``).
    2. "splay": equal groups are evenly spaced (:func:`skkuranet.metrics.splay_order` at least
       ``splay``), or phases are spread far more evenly than chance would (``uneven``).
    3. "clusters": there are several clusters, each of two units or more and in step.
    4. "synchrony": all are in step, at all times.
    5. "chimera": one group of ``labels`` is in step, and most units of another, which is below
       ``out_of_step``, drift past it; or one tenth of the ring goes on smoothly, and another
       drifts and does not.
    6. "locked": all units turn alike, in another pattern, whatever their R.
    7. "incoherence": R is at most ``incoherent``/√n, and so is the mean of the first moments.
    8. "partial": none of these.

    Transients count as any time does: give the trajectory of the end alone, or ``window``. Units
    that drift are told from others once they slip, so that the trajectory has to be long enough.
    Phases do not tell whether units are identical, as those of a chimera state are said to be. Few
    units at random may look like clusters; look at more than one state.

    Parameters
    ----------
    path : Trajectory or array-like of shape (T, n) or (n,)
        One network of two units or more. Phases of an array may be wrapped; each step is taken the
        short way. Of more than 1000 times, evenly spaced ones are looked at.
    labels : array-like of shape (n,), default=None
        Groups that may be in step or not, for chimera states.
    ring : bool or array-like of int of shape (m,), default=False
        Whether units stand in order around a ring; or units in the order in which it meets them.
    window : float, default=None
        Units of time at the end to look at, or rows of an array; None takes all.
    in_step : float, default=0.95
        Order parameter from which on units are in step.
    out_of_step : float, default=0.9
        Order parameter below which a group is not.
    splay : float, default=0.85
        Smallest splay order of a splay state.
    uneven : float, default=0.35
        Largest unevenness of a splay state; phases at random have 1.
    incoherent : float, default=1.5
        How many times larger than 1/√n an order may be by chance.
    gap : float, default=0.7
        Angle in radians between the phases of clusters, and the most between those of neighbours
        within one.
    slip : float, default=π
        Angle in radians by which units that turn alike may have moved against one another.
    bend : float, default=0.3
        Largest second difference in radians, along the ring, of phases that go on smoothly.

    Returns
    -------
    StateDescription
        The name, and all measures behind it.

    Raises
    ------
    TypeError
        If units have no phases.
    ValueError
        If phases are not those of one network or not finite, if labels or ring do not fit or if a
        threshold is not positive.

    See Also
    --------
    skkuranet.metrics : The measures by themselves.

    Examples
    --------
    >>> import networkx as nx
    >>> import numpy as np
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import describe_state
    >>> ring = OscillatorNetwork(nx.cycle_graph(40))
    >>> start = 2 * np.pi * 2 * np.arange(40) / 40 + 0.1 * np.sin(np.arange(40))
    >>> path = ring.simulate(n_steps=500, save_from=400, initial_state=start)
    >>> describe_state(path, ring=True)
    twisted state, winding number 2, R=0.00
    >>> describe_state([0.0, 0.0, 0.1, 3.0, 3.1])
    cluster state, sizes 3 and 2, R=0.21
    """
    limits = Limits(
        *read_positive(
            in_step=in_step,
            out_of_step=out_of_step,
            splay=splay,
            uneven=uneven,
            incoherent=incoherent,
        )
    )
    gap, slip, bend = read_positive(gap=gap, slip=slip, bend=bend)
    late = last_times(read_path(path), window)
    phases = np.asarray(late.phases)
    order = np.asarray(late.order_parameter())
    state = StateDescription(
        name="partial",
        order=float(order.mean()),
        order_deviation=float(order.std()),
        lowest_order=float(order.min()),
        entrained=entrained_units(phases, slip) if len(phases) > 1 else None,
        **spread_of(phases, splay),
        **clusters_of(late, gap),
        **({} if labels is None else groups_of(late, labels, slip)),
        **({} if ring is False else ring_of(phases, ring, bend)),
    )
    return replace(state, name=next(name for name, rule in RULES.items() if rule(state, limits)))
