"""Measures of groups of phases: how they are spread, and how they differ."""

from __future__ import annotations

import numpy as np

from skkuranet._utils.scalars import positive_number, whole_number
from skkuranet.metrics._each_state import each_state
from skkuranet.metrics._inputs import is_masked, read_labels, read_phases
from skkuranet.metrics._phases import order_parameter

# There is a moment for each.
_MOST_GROUPS = 10**5


def splay_order(phases, n_groups=None):
    r"""Measure how close phases are to equal groups that are evenly spaced.

    .. math:: S_k = R_k \, \bigl(1 - \max_{0 < m < k} R_m\bigr),
              \qquad R_m = \Bigl|\frac1n \sum_j e^{i m \theta_j}\Bigr|

    :math:`R_k` is 1 where all phases lie on k evenly spaced places, and all moments below it
    vanish where these hold equally many (Sepulchre, Paley and Leonard 2007). Groups need no
    labels; with labels, :func:`splay_loss` compares their mean phases.

    Parameters
    ----------
    phases : array-like of shape (..., n)
        Phases in radians; masked ones do not count.
    n_groups : int, default=None
        Number k of groups, from 2 to 100 000. None takes each unit as a group of its own.

    Returns
    -------
    float or ndarray of shape (...)
        1 if and only if k equal groups are evenly spaced; 0 for one group, or for fewer places
        that divide the circle evenly. Noise of σ radians lowers it to about exp(−k²σ²/2).

    Raises
    ------
    ValueError
        If there are no phases, if some are not finite or if ``n_groups`` is out of range.

    References
    ----------
    R. Sepulchre, D. A. Paley and N. E. Leonard, "Stabilization of planar collective motion:
    all-to-all communication", IEEE Transactions on Automatic Control 52, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.metrics import splay_order
    >>> round(splay_order([0.0, np.pi, 0.0, np.pi], n_groups=2), 12)
    1.0
    >>> round(splay_order([0.0, 0.0, 0.0, 0.0], n_groups=2), 12)
    0.0
    >>> round(splay_order([0.0, np.pi / 2, np.pi, 3 * np.pi / 2]), 12)
    1.0
    """
    if n_groups is not None:
        n_groups = whole_number(n_groups, "n_groups", least=2, most=_MOST_GROUPS)

    def last(theta):
        return splay_orders(moments(theta, n_groups or theta.shape[-1]))[..., -1]

    return each_state(last, phases)


def moments(theta, n_moments):
    """Return the moduli of the first moments of phases, of shape (..., n_moments)."""
    phasors = np.exp(1j * theta)
    power, found = np.ones_like(phasors), []
    for _ in range(n_moments):
        power *= phasors
        found.append(np.abs(power.mean(-1)))
    return np.stack(found, -1)


def splay_orders(moduli):
    """Return :func:`splay_order` for k = 1, 2, ... groups, of the moduli of as many moments."""
    below = np.maximum.accumulate(moduli, -1)[..., :-1]
    below = np.concatenate((np.zeros_like(moduli[..., :1]), below), -1)
    return moduli * (1.0 - below).clip(min=0.0)


def phase_clusters(phases, tolerance=0.7):
    """Group units whose phases lie together on the circle.

    The circle is cut wherever neighbouring phases are further apart than ``tolerance``.

    Parameters
    ----------
    phases : array-like of shape (..., n)
        Phases in radians.
    tolerance : float, default=0.7
        Largest gap within a cluster, in radians.

    Returns
    -------
    ndarray of int of shape (..., n)
        Cluster of each unit, from 0 on in the order in which units first meet them. Masked where
        the phase is.

    Raises
    ------
    ValueError
        If there are no phases, if some are not finite or if ``tolerance`` is not positive.

    Examples
    --------
    >>> from skkuranet.metrics import phase_clusters
    >>> phase_clusters([0.1, 3.0, 6.2, 3.1, 0.2])
    array([0, 1, 0, 1, 0])
    """
    tolerance = positive_number(tolerance, "tolerance", finite=False)
    phases = read_phases(phases)
    absent = is_masked(phases)
    found = np.ma.masked_array(np.zeros(phases.shape, dtype=np.int64), absent)
    for at in np.ndindex(phases.shape[:-1]):
        known = ~absent[at]
        if not known.any():
            raise ValueError("phases has a state of which everything is masked. Leave it out.")
        theta = np.asarray(phases)[at][known]
        found[(*at, known)] = _cut(np.remainder(theta, 2.0 * np.pi), tolerance)
    return found if absent.any() else found.data


def _cut(angles, tolerance):
    """Return the clusters of angles in [0, 2π)."""
    order = np.argsort(angles, kind="stable")
    ascending = angles[order]
    gaps = np.diff(ascending, prepend=ascending[-1] - 2.0 * np.pi)
    cuts = gaps > tolerance
    # Before the first cut, the last cluster goes on.
    runs = np.cumsum(cuts) % max(int(cuts.sum()), 1)
    labels = np.empty_like(runs)
    labels[order] = runs
    return first_met(labels)


def first_met(labels):
    """Return labels from 0 on, in the order in which they first appear."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def chimera_index(phases, labels):
    r"""Measure how much groups differ in their order, on average through time.

    .. math:: \chi = \Bigl\langle \frac{1}{M-1} \sum_{c=1}^M
              \bigl(R_c(t) - \langle R(t) \rangle_M\bigr)^2 \Bigr\rangle_t

    with the order parameter :math:`R_c` of each of M groups (Shanahan 2010).

    Parameters
    ----------
    phases : array-like of shape (T, ..., n)
        Phases in radians through time; masked ones do not count.
    labels : array-like of shape (n,)
        Group of each unit; those whose label is masked do not count.

    Returns
    -------
    float or ndarray of shape (...)
        0 for groups of equal order; the most, M/4/(M − 1), if half of them are in step and half
        have no order.

    Raises
    ------
    ValueError
        If there are fewer than two groups, if there is not one label for each unit, or if phases
        have no axis of time or are not finite.

    References
    ----------
    M. Shanahan, "Metastable chimera states in community-structured oscillator networks", Chaos
    20, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.metrics import chimera_index
    >>> round(chimera_index([[0.0, 0.0, 0.0, np.pi]], ["a", "a", "b", "b"]), 6)
    0.5
    """
    return _plain(_group_order(phases, labels, n_groups=2).var(-1, ddof=1).mean(0))


def metastability_index(phases, labels):
    r"""Measure how much the order of groups changes through time, on average over groups.

    .. math:: \lambda = \Bigl\langle \frac{1}{T-1} \sum_{t=1}^T
              \bigl(R_c(t) - \langle R_c \rangle_T\bigr)^2 \Bigr\rangle_c

    with the order parameter :math:`R_c` of each group (Shanahan 2010).

    Parameters
    ----------
    phases : array-like of shape (T, ..., n)
        Phases in radians through time, at two times or more; masked ones do not count.
    labels : array-like of shape (n,)
        Group of each unit; those whose label is masked do not count.

    Returns
    -------
    float or ndarray of shape (...)
        0 for groups whose order stays; 1/12 for groups that are as often at each value of it.

    Raises
    ------
    ValueError
        If there are fewer than two times, if there is not one label for each unit, or if phases
        are not finite.

    References
    ----------
    M. Shanahan, "Metastable chimera states in community-structured oscillator networks", Chaos
    20, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.metrics import metastability_index
    >>> round(metastability_index([[0.0, 0.0], [0.0, np.pi]], ["a", "a"]), 6)
    0.5
    """
    orders = _group_order(phases, labels, n_groups=1)
    if len(orders) < 2:
        raise ValueError("A metastability index needs phases at two times or more, got one.")
    return _plain(orders.var(0, ddof=1).mean(-1))


def _group_order(phases, labels, n_groups):
    """Order parameter of each group through time, of shape (T, ..., M)."""
    phases = read_phases(phases, least_axes=2)
    labels = read_labels(labels, phases.shape[-1])
    known, names = ~is_masked(labels), np.asarray(labels)
    groups = [known & (names == name) for name in np.unique(names[known])]
    if len(groups) < n_groups:
        raise ValueError(f"labels must name {n_groups} groups at least, got {len(groups)}.")
    return np.stack([order_parameter(phases[..., group]) for group in groups], -1)


def _plain(found):
    return float(found) if np.ndim(found) == 0 else found
