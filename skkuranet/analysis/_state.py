"""What kind of state a network is in, and the measures that tell it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from skkuranet.analysis._checks import check_positive
from skkuranet.analysis._state_rules import RULES, SHOWN, Limits
from skkuranet.dynamics import Trajectory, wrap
from skkuranet.estimators._arrays import on_host
from skkuranet.metrics import (
    chimera_index,
    metastability_index,
    phase_clusters,
    winding_number,
)
from skkuranet.metrics._groups import first_met, moments, splay_orders
from skkuranet.metrics._ring import bends, ring_order

Array = NDArray[Any]

# Most groups that a splay state is looked for in.
_MOST_GROUPS = 20
# Moments by which phases are told to be spread as by chance.
_N_MOMENTS = 5
# Times that are looked at.
_MOST_TIMES = 1000


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
    6. "incoherence": R is at most ``incoherent``/√n, and so is the mean of the first moments.
    7. "locked": all units turn alike, in another pattern.
    8. "partial": none of these.

    Transients count as any time does: give the trajectory of the end alone, or ``window``. Units
    that drift are told from others once they slip, so that the trajectory has to be long enough.
    Phases do not tell whether units are identical, as those of a chimera state are said to be.

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
    limits = Limits(in_step, out_of_step, splay, uneven, incoherent)
    check_positive(gap=gap, slip=slip, bend=bend)
    late = _late(_read(path), window)
    phases = np.asarray(late.phases)
    order = np.asarray(late.order_parameter())
    state = StateDescription(
        name="partial",
        order=float(order.mean()),
        order_deviation=float(order.std()),
        lowest_order=float(order.min()),
        entrained=_entrained(phases, slip) if len(phases) > 1 else None,
        **_spread(phases, splay),
        **_clusters(late, gap),
        **({} if labels is None else _groups(late, labels, slip)),
        **({} if ring is False else _along(phases, ring, bend)),
    )
    return replace(state, name=next(name for name, rule in RULES.items() if rule(state, limits)))


def _read(path: Any) -> Trajectory[Array]:
    """Return a trajectory of one network in double precision."""
    if isinstance(path, Trajectory):
        if path.phases is None:
            raise TypeError("These units have no phases, and so no state that has a name.")
        path = path.numpy()
        times, phases = path.times, np.asarray(path.phases, dtype=np.float64)
    else:
        if np.ma.is_masked(path):
            raise ValueError("path must not be masked; leave these units out: phases[:, known].")
        phases = np.atleast_2d(np.asarray(on_host(path), dtype=np.float64))
        turned = wrap(torch.from_numpy(np.diff(phases, axis=0))).numpy().cumsum(0)
        phases = np.concatenate((phases[:1], phases[:1] + turned))
        times = np.arange(len(phases), dtype=np.float64)
    if phases.ndim != 2 or phases.shape[0] < 1 or phases.shape[1] < 2:
        raise ValueError(
            "path must be that of one network of two units or more, of shape (T, n), got shape "
            f"{phases.shape}. Of a batch, describe each: phases[:, i]."
        )
    if not np.isfinite(phases).all():
        raise ValueError("path has phases that are not finite.")
    return Trajectory(times, phases)


def _late(path: Trajectory[Array], window: float | None) -> Trajectory[Array]:
    """Return the times in the window, and not too many of them."""
    if window is not None:
        check_positive(window=window)
    first = 0 if window is None else np.searchsorted(path.times, path.times[-1] - window - 1e-9)
    n_times = len(path.times) - int(first)
    at = np.linspace(first, len(path.times) - 1, min(n_times, _MOST_TIMES)).round().astype(int)
    return Trajectory(path.times[at], path.phases[at])


def _entrained(phases: Array, slip: float) -> Array:
    """Find the largest set of units that have not moved apart by more than an angle."""
    turned = phases[-1] - phases[0]
    ascending = np.sort(turned)
    n_alike = np.searchsorted(ascending, ascending + slip, side="right") - np.arange(len(turned))
    first = ascending[n_alike.argmax()]
    return (turned >= first) & (turned <= first + slip)


def _spread(phases: Array, splay: float) -> dict[str, Any]:
    """Measure how phases are spread, by their moments."""
    n = phases.shape[1]
    moduli = moments(phases, max(min(n, _MOST_GROUPS), 2))
    splays = splay_orders(moduli).mean(0)[1:]
    best = int(splays.argmax())
    first = moduli[:, : max(1, min(_N_MOMENTS, n // 2))]
    return {
        "moments": moduli.mean(0),
        "splay_order": float(splays[best]),
        "n_splay_groups": best + 2 if splays[best] >= splay else None,
        "unevenness": float(np.sqrt(n * np.square(first).mean())),
    }


def _clusters(path: Trajectory[Array], gap: float) -> dict[str, Any]:
    """Find units whose phases lie together at all times."""
    at_times = phase_clusters(path.phases, gap)
    together = first_met(np.unique(at_times, axis=1, return_inverse=True)[1].ravel())
    return {
        "clusters": together,
        "n_clusters": int(together.max()) + 1,
        "cluster_sizes": tuple(np.bincount(together).tolist()),
        "cluster_order": np.asarray(path.group_order(together)).mean(0),
    }


def _groups(path: Trajectory[Array], labels: Any, slip: float) -> dict[str, Any]:
    """Compare the order of groups, and how far they turn."""
    orders = np.asarray(path.group_order(labels))
    n_times, n_groups = orders.shape
    _, group, sizes = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    # One unit alone is always in step.
    highest = np.where(sizes > 1, orders.mean(0), 0.0).argmax()
    turned = path.phases[-1] - path.phases[0]
    drifts = np.abs(turned - np.median(turned[group == highest])) > slip
    return {
        "group_order": orders.mean(0),
        "group_sizes": tuple(sizes.tolist()),
        "group_drift": np.bincount(group, drifts) / sizes if n_times > 1 else None,
        "chimera_index": chimera_index(path.phases, labels) if n_groups > 1 else None,
        "metastability_index": metastability_index(path.phases, labels) if n_times > 1 else None,
    }


def _along(phases: Array, ring: Any, bend: float) -> dict[str, Any]:
    """Measure phases along a ring."""
    n = phases.shape[1]
    order = ring_order(np.arange(n) if ring is True else ring, n, "ring")
    phases = phases[:, order]
    turns = np.atleast_1d(winding_number(phases))
    places = np.arange(phases.shape[1]) / phases.shape[1]
    straight = Trajectory(turns, phases - 2.0 * np.pi * turns[:, None] * places)
    smooth = (bends(phases) <= bend).mean(0)
    return {
        "ring": order,
        "winding_number": int(turns[0]) if (turns == turns[0]).all() else None,
        "twist_order": float(np.asarray(straight.order_parameter()).mean()),
        "smoothness": smooth,
        "coherent_share": float(smooth.mean()),
    }
