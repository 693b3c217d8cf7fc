"""Losses of the paper for arrays, which may be masked."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.utils import check_array

from skkuranet import losses
from skkuranet._utils.messages import plain
from skkuranet.coupling import DenseCoupling
from skkuranet.estimators._arrays import on_host
from skkuranet.metrics._each_state import each_state, is_masked


def order_parameter(phases, harmonic=1):
    r"""Measure the order parameter :math:`R_k = |\frac1n \sum_j e^{i k \theta_j}|`.

    For k = 1 it is Kuramoto's (eq. 2), for others Daido's (1992), which also see k groups that
    balance one another.

    Parameters
    ----------
    phases : array-like of shape (..., n)
        Phases in radians; masked ones do not count.
    harmonic : int, default=1
        The k by which phases are multiplied.

    Returns
    -------
    float or ndarray of shape (...)
        1 for phases that are equal modulo 2π/k, 0 for phases that balance after multiplication.

    Raises
    ------
    ValueError
        If there are no phases, if some are not finite, or if ``harmonic`` is below 1.

    References
    ----------
    H. Daido, "Order function and macroscopic mutual entrainment in uniformly coupled limit-cycle
    oscillators", Progress of Theoretical Physics 88, 1992.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.metrics import order_parameter
    >>> order_parameter([0.0, 0.0, np.pi, 0.0])
    0.5
    >>> order_parameter([0.0, 0.0, np.pi, 0.0], harmonic=2)
    1.0
    """
    if harmonic != int(harmonic) or harmonic < 1:
        raise ValueError(f"harmonic must be a whole number from 1 on, got {plain(harmonic)}.")

    def multiplied(theta):
        return losses.circular_variance(int(harmonic) * theta)

    return 1.0 - _score(multiplied, phases)


def circular_variance(phases):
    """Apply :func:`skkuranet.losses.circular_variance`, one less the order parameter.

    Parameters
    ----------
    phases : array-like of shape (..., n)
        Phases in radians; masked ones do not count.

    Returns
    -------
    float or ndarray of shape (...)
        0 for global synchrony, 1 for phases that balance.

    Raises
    ------
    ValueError
        If there are no phases, or if some are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.metrics import circular_variance
    >>> circular_variance([[0.0, 0.0], [0.0, np.pi]])
    array([0., 1.])
    """
    return _score(losses.circular_variance, phases)


def splay_loss(cluster_phases):
    """Apply :func:`skkuranet.losses.splay_loss`, the distance from the splay state.

    Parameters
    ----------
    cluster_phases : array-like of shape (..., k)
        Mean phase of each cluster, in radians; masked ones do not count.

    Returns
    -------
    float or ndarray of shape (...)
        0 if and only if the phases are equally spread around the circle.

    Raises
    ------
    ValueError
        If there are no phases, or if some are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.metrics import splay_loss
    >>> round(splay_loss([0.1, 0.1 + np.pi]), 12)
    0.0
    >>> splay_loss([0.0, 0.0])
    1.0
    """
    return _score(losses.splay_loss, cluster_phases)


def cluster_synchrony_loss(phases, labels):
    """Apply :func:`skkuranet.losses.cluster_synchrony_loss`, that of Table II.

    Parameters
    ----------
    phases : array-like of shape (..., n)
        Phases in radians; masked ones do not count.
    labels : array-like of shape (n,)
        Cluster of each oscillator; those whose label is masked do not count.

    Returns
    -------
    float or ndarray of shape (...)
        0 for clusters that are synchronous inside and splay among each other.

    Raises
    ------
    ValueError
        If there are no phases, if some are not finite or if ``labels`` has another length.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.metrics import cluster_synchrony_loss
    >>> round(cluster_synchrony_loss([0.0, 0.0, np.pi, np.pi], ["a", "a", "b", "b"]), 12)
    0.0
    >>> cluster_synchrony_loss([0.0, 0.0, 0.0, 0.0], ["a", "a", "b", "b"])
    0.5
    """

    def loss(theta, labels):
        member = torch.from_numpy(labels[:, None] == np.unique(labels)).to(theta.dtype)
        return losses.cluster_synchrony_loss(theta, member)

    return _score(loss, phases, on_host(labels))


def feature_correlation(couplings, X):
    """Apply :func:`skkuranet.losses.feature_correlation`, that of the coupled with one another.

    Parameters
    ----------
    couplings : array-like of shape (n, n)
        Couplings K; masked ones are 0.
    X : array-like of shape (n, n_features)
        Features x; oscillators with a masked one do not count.

    Returns
    -------
    float
        Near −1 where opposites are coupled.

    Raises
    ------
    ValueError
        If the couplings are not a square matrix of as many oscillators as X has rows.

    Examples
    --------
    >>> from skkuranet.metrics import feature_correlation
    >>> feature_correlation([[0.0, 1.0], [1.0, 0.0]], [[-1.0], [1.0]])
    -1.0
    """
    couplings, X = on_host(couplings), on_host(X)
    absent = is_masked(X)
    couplings = check_array(_filled(couplings), dtype=np.float64, input_name="couplings")
    X = check_array(_filled(X), dtype=np.float64, input_name="X")
    if couplings.shape != (len(X), len(X)):
        raise ValueError(
            f"couplings of shape {couplings.shape} do not fit the {len(X)} oscillators in X."
        )
    known = ~absent.any(axis=1)
    coupling = DenseCoupling(torch.tensor(couplings[np.ix_(known, known)]))
    return float(losses.feature_correlation(coupling, torch.tensor(X[known])))


def _score(loss, phases, *labels):
    """Loss of each state; rounding may leave a perfect one just below 0."""

    def measure(theta, *given):
        return loss(torch.tensor(theta), *given).clamp_min(0.0).numpy()

    return each_state(measure, phases, *labels)


def _filled(array):
    return array.filled(0) if isinstance(array, np.ma.MaskedArray) else array
