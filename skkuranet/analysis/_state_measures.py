"""What is measured of phases, to tell what kind of state they are in."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from skkuranet.analysis._checks import read_positive
from skkuranet.dynamics import Trajectory, wrap
from skkuranet.metrics import (
    chimera_index,
    metastability_index,
    phase_clusters,
    winding_number,
)
from skkuranet.metrics._groups import first_met, moments, splay_orders
from skkuranet.metrics._inputs import read_real
from skkuranet.metrics._ring import bends, ring_order

Array = NDArray[Any]

# Most groups that a splay state is looked for in.
_MOST_GROUPS = 20
# Moments by which phases are told to be spread as by chance.
_N_MOMENTS = 5
# Times that are looked at.
_MOST_TIMES = 1000


def read_path(path: Any) -> Trajectory[Array]:
    """Return a trajectory of one network in double precision."""
    if isinstance(path, Trajectory):
        if path.phases is None:
            raise TypeError("These units have no phases, and so no state that has a name.")
        path = path.numpy()
        times, phases = path.times, np.asarray(path.phases, dtype=np.float64)
    else:
        if np.ma.is_masked(path):
            raise ValueError("path must not be masked; leave these units out: phases[:, known].")
        phases = np.atleast_2d(read_real(path, "path"))
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


def last_times(path: Trajectory[Array], window: float | None) -> Trajectory[Array]:
    """Return the times in the window, and not too many of them."""
    if window is not None:
        (window,) = read_positive(window=window)
    first = 0 if window is None else np.searchsorted(path.times, path.times[-1] - window - 1e-9)
    n_times = len(path.times) - int(first)
    at = np.linspace(first, len(path.times) - 1, min(n_times, _MOST_TIMES)).round().astype(int)
    return Trajectory(path.times[at], path.phases[at])


def entrained_units(phases: Array, slip: float) -> Array:
    """Find the largest set of units that have not moved apart by more than an angle."""
    # Not against the mean field, which vanishes in splay and twisted states.
    turned = phases[-1] - phases[0]
    ascending = np.sort(turned)
    n_alike = np.searchsorted(ascending, ascending + slip, side="right") - np.arange(len(turned))
    first = ascending[n_alike.argmax()]
    return (turned >= first) & (turned <= first + slip)


def spread_of(phases: Array, splay: float) -> dict[str, Any]:
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


def clusters_of(path: Trajectory[Array], gap: float) -> dict[str, Any]:
    """Find units whose phases lie together at all times."""
    at_times = phase_clusters(path.phases, gap)
    together = first_met(np.unique(at_times, axis=1, return_inverse=True)[1].ravel())
    return {
        "clusters": together,
        "n_clusters": int(together.max()) + 1,
        "cluster_sizes": tuple(np.bincount(together).tolist()),
        "cluster_order": np.asarray(path.group_order(together)).mean(0),
    }


def groups_of(path: Trajectory[Array], labels: Any, slip: float) -> dict[str, Any]:
    """Compare the order of groups, and how far they turn."""
    if np.ma.is_masked(labels):
        raise ValueError("labels must not be masked; leave these units out: phases[:, known].")
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


def ring_of(phases: Array, ring: Any, bend: float) -> dict[str, Any]:
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
