"""Losses of the paper for arrays, which may be masked."""

from __future__ import annotations

import numpy as np
import torch

from skkuranet import losses
from skkuranet._utils.scalars import whole_number
from skkuranet.coupling import DenseCoupling
from skkuranet.metrics._each_state import each_state
from skkuranet.metrics._inputs import is_masked, read_real

# Beyond, rounding of the phases alone changes the moments.
_MOST_HARMONIC = 10**6


def order_parameter(phases, harmonic=1):
    r"""Measure the order parameter :math:`R_k = |\frac1n \sum_j e^{i k \theta_j}|`.

    For k = 1 it is Kuramoto's (eq. 2), for others Daido's (1992), which also see k groups that
    balance one another.

    Parameters
    ----------
    phases : array-like of shape (..., n)
        Phases in radians; masked ones do not count.
    harmonic : int, default=1
        The k by which phases are multiplied, up to a million.

    Returns
    -------
    float or ndarray of shape (...)
        1 for phases that are equal modulo 2π/k, 0 for phases that balance after multiplication.

    Raises
    ------
    ValueError
        If there are no phases, if some are not finite, or if ``harmonic`` is below 1 or above a
        million.
    TypeError
        If phases or ``harmonic`` are no real numbers.

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
    harmonic = whole_number(harmonic, "harmonic", most=_MOST_HARMONIC)

    def multiplied(theta):
        return losses.circular_variance(harmonic * theta)

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
    return _score(losses.splay_loss, cluster_phases, name="cluster_phases")


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

    return _score(loss, phases, labels)


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
    couplings, X = read_real(couplings, "couplings"), read_real(X, "X")
    if X.ndim != 2 or not X.size:
        raise ValueError(f"X must have shape (n, n_features), got {X.shape}.")
    if couplings.shape != (len(X), len(X)):
        raise ValueError(
            f"couplings of shape {couplings.shape} do not fit the {len(X)} oscillators in X."
        )
    known = ~is_masked(X).any(axis=1)
    couplings = np.ma.filled(couplings, 0.0)[np.ix_(known, known)]
    X = np.asarray(X)[known]
    found = losses.feature_correlation(DenseCoupling(torch.tensor(couplings)), torch.tensor(X))
    if not np.isfinite(float(found)):
        raise ValueError("couplings or X are too large to be multiplied. Scale them down.")
    return float(found)


def _score(loss, phases, labels=None, name="phases"):
    """Loss of each state; rounding may leave a perfect one just below 0."""

    def measure(theta, *given):
        return loss(torch.tensor(theta), *given).clamp_min(0.0).numpy()

    return each_state(measure, phases, labels, name)
