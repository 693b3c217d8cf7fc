"""Measures of phases around a ring."""

from __future__ import annotations

import numpy as np
import torch

from skkuranet._utils.messages import plain
from skkuranet._utils.scalars import positive_number
from skkuranet.dynamics import wrap
from skkuranet.metrics._each_state import each_state
from skkuranet.metrics._inputs import read_phases


def winding_number(phases, cycle=None):
    r"""Count the turns that phases make along a ring.

    .. math:: q = \frac{1}{2\pi} \sum_j [\theta_{j+1} - \theta_j]

    The brackets take a difference into (−π, π]. The number tells twisted states apart (Wiley,
    Strogatz and Girvan 2006); it is the same for phases that turn as one.

    Parameters
    ----------
    phases : array-like of shape (..., n)
        Phases in radians. Masked units are passed over.
    cycle : array-like of int of shape (m,), default=None
        Units in the order in which the ring meets them, such as a cycle of a graph. None takes
        all of them as they stand.

    Returns
    -------
    int or ndarray of int of shape (...)
        Positive where phases grow along the ring.

    Raises
    ------
    ValueError
        If the ring has fewer than three units, if ``cycle`` is no cycle, or if phases are not
        finite.

    References
    ----------
    D. A. Wiley, S. H. Strogatz and M. Girvan, "The size of the sync basin", Chaos 16, 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.metrics import winding_number
    >>> winding_number(2 * np.pi * 3 * np.arange(20) / 20 + 0.5)
    3
    >>> winding_number([0.0, 4.0, 2.0], cycle=[0, 2, 1])
    1
    """

    def turns(theta):
        steps = wrap(_tensor(np.roll(theta, -1, -1) - theta))
        return np.rint(steps.sum(-1).numpy() / (2.0 * np.pi)).astype(np.int64)

    return _around(turns, phases, cycle)


def coherent_share(phases, cycle=None, tolerance=0.3):
    r"""Measure the share of units whose phases go on smoothly along a ring.

    Such a unit has a small second difference
    :math:`|[\theta_{j+1} - 2\theta_j + \theta_{j-1}]|`, where the brackets take it into (−π, π].
    That is the measure :math:`g_0` of Kemeth and others (2016) for phases: 1 for coherence, a
    twisted state included, in between and steady for a chimera state. Of phases at random,
    tolerance/π are smooth by chance.

    Parameters
    ----------
    phases : array-like of shape (..., n)
        Phases in radians. Masked units are passed over.
    cycle : array-like of int of shape (m,), default=None
        Units in the order in which the ring meets them. None takes all of them as they stand.
    tolerance : float, default=0.3
        Largest second difference of a smooth unit, in radians.

    Returns
    -------
    float or ndarray of shape (...)
        Between 0 and 1.

    Raises
    ------
    ValueError
        If the ring has fewer than three units, if ``cycle`` is no cycle, if ``tolerance`` is not
        positive or if phases are not finite.

    References
    ----------
    F. P. Kemeth, S. W. Haugland, L. Schmidt, I. G. Kevrekidis and K. Krischer, "A classification
    scheme for chimera states", Chaos 26, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.metrics import coherent_share
    >>> coherent_share(2 * np.pi * np.arange(20) / 20)
    1.0
    >>> coherent_share([0.0, 0.1, 0.2, 0.1, 3.0, 1.0, -2.0, 2.0])
    0.375
    """
    tolerance = positive_number(tolerance, "tolerance", finite=False)
    return _around(lambda theta: (bends(theta) <= tolerance).mean(-1), phases, cycle)


def bends(theta):
    """Return the size of the second difference at each unit of a ring, modulo 2π."""
    ahead, behind = (np.roll(theta, shift, -1) for shift in (-1, 1))
    return wrap(_tensor(ahead - 2.0 * theta + behind)).abs().numpy()


def _around(measure, phases, cycle):
    """Measure each state along a ring of three units or more."""

    def of_ring(theta):
        if theta.shape[-1] < 3:
            raise ValueError(
                f"A ring needs three units, got {theta.shape[-1]}. Give phases of more, mask "
                "fewer, or name more in cycle."
            )
        return measure(theta)

    if cycle is None:
        return each_state(of_ring, phases)
    phases = read_phases(phases)
    order = ring_order(cycle, phases.shape[-1])
    return each_state(of_ring, phases[..., order])


def ring_order(cycle, n, name="cycle"):
    """Return units in the order in which a ring meets them, some of n and each once."""
    try:
        order = np.asarray(cycle)
    except ValueError as error:
        raise ValueError(f"{name} must be a flat list of the numbers of units.") from error
    whole = order.ndim == 1 and order.dtype.kind in "iu"
    if not whole or len(np.unique(order)) != len(order) or ((order < 0) | (order >= n)).any():
        raise ValueError(
            f"{name} must hold the numbers of units, 0 to {n - 1}, in the order in which the ring "
            f"meets them and each once, got {plain(order)}."
        )
    if len(order) < 3:
        raise ValueError(f"A ring needs three units, got {name}={plain(order)}.")
    return order


def _tensor(array):
    return torch.from_numpy(np.ascontiguousarray(array))
