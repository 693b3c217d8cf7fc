"""Differentiable losses of phases, in torch."""

from __future__ import annotations

import torch
from torch import Tensor

from skkuranet._utils.given import check_tensor
from skkuranet._utils.messages import naming
from skkuranet._utils.scalars import whole_number
from skkuranet.coupling import CouplingOperator, product

__all__ = [
    "circular_variance",
    "cluster_synchrony_loss",
    "feature_correlation",
    "mean_field",
    "splay_loss",
    "splay_maximum",
]

# Keeps |z| differentiable at 0 without moving it elsewhere.
_TINY = 1e-24
_MOST_CLUSTERS = 1_000_000


def mean_field(phases: Tensor) -> Tensor:
    r"""Compute the mean field :math:`R e^{i\phi} = \frac1n \sum_j e^{i\theta_j}` (eq. 2).

    Parameters
    ----------
    phases : Tensor of shape (..., n)
        Phases in radians.

    Returns
    -------
    complex Tensor of shape (...)

    Raises
    ------
    TypeError
        If phases are no tensor of floating-point numbers.
    ValueError
        If there are none.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.losses import mean_field
    >>> mean_field(torch.tensor([0.0, 0.0, 0.0, torch.pi])).abs()
    tensor(0.5000)
    """
    check_tensor(phases, "phases")
    return torch.complex(phases.cos().mean(-1), phases.sin().mean(-1))


def circular_variance(phases: Tensor) -> Tensor:
    r"""Compute the circular variance :math:`V = 1 - |\langle e^{i\theta} \rangle|`.

    Parameters
    ----------
    phases : Tensor of shape (..., n)
        Phases in radians.

    Returns
    -------
    Tensor of shape (...)
        0 for global synchrony, 1 for phases that balance.

    Raises
    ------
    TypeError
        If phases are no tensor of floating-point numbers.
    ValueError
        If there are none.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.losses import circular_variance
    >>> circular_variance(torch.tensor([[0.0, 0.0], [0.0, torch.pi]])).round()
    tensor([0., 1.])
    """
    check_tensor(phases, "phases")
    return 1.0 - _modulus(phases.cos().mean(-1), phases.sin().mean(-1))


def splay_maximum(n_clusters: int) -> float:
    r"""Return the largest value of the cluster loss before normalisation.

    .. math:: 1 + \sum_{g=1}^{\lfloor k/2 \rfloor} \frac{k}{2 g^2}

    Parameters
    ----------
    n_clusters : int
        Number k of clusters.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the number is none.
    ValueError
        If it is not whole, below 1 or above a million.

    Examples
    --------
    >>> from skkuranet.losses import splay_maximum
    >>> splay_maximum(2)
    2.0
    """
    n_clusters = whole_number(n_clusters, "n_clusters", most=_MOST_CLUSTERS)
    return 1.0 + sum(n_clusters / (2.0 * g * g) for g in range(1, n_clusters // 2 + 1))


def splay_loss(cluster_phases: Tensor) -> Tensor:
    r"""Measure how far phases of clusters are from the splay state (eq. 6).

    .. math::
        S = \sum_{g=1}^{\lfloor k/2 \rfloor} \frac{1}{2 g^2 k}
            \Big| \sum_{l=1}^k e^{i g \langle\theta\rangle_l} \Big|^2

    Parameters
    ----------
    cluster_phases : Tensor of shape (..., k)
        Mean phase of each cluster, in radians.

    Returns
    -------
    Tensor of shape (...)
        0 if and only if the phases are equally spread around the circle.

    Raises
    ------
    TypeError
        If phases are no tensor of floating-point numbers.
    ValueError
        If there are none.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.losses import splay_loss
    >>> splay_loss(torch.tensor([[0.0, 0.0], [0.0, torch.pi]])).round()
    tensor([1., 0.])
    """
    check_tensor(cluster_phases, "cluster_phases")
    k = cluster_phases.shape[-1]
    unit = torch.ones_like(cluster_phases)
    return _splay(cluster_phases.cos(), cluster_phases.sin(), unit, k)


def cluster_synchrony_loss(phases: Tensor, membership: Tensor) -> Tensor:
    """Compute the cluster synchrony loss, normalised to [0, 1] as in Table II.

    Adds the mean :func:`circular_variance` of the clusters present to the :func:`splay_loss` of
    their mean phases, and divides by the largest value of the sum, :func:`splay_maximum`.

    Parameters
    ----------
    phases : Tensor of shape (..., n)
        Phases in radians.
    membership : Tensor of shape (n, k) or (..., n, k)
        One-hot cluster of each oscillator, times what it counts for; a row of zeros leaves its
        oscillator out.

    Returns
    -------
    Tensor of shape (...)
        0 for clusters that are synchronous inside and splay among each other.

    Raises
    ------
    TypeError
        If phases and membership are no tensors of one floating-point type.
    ValueError
        If their shapes do not fit.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.losses import cluster_synchrony_loss
    >>> phases = torch.tensor([0.0, 0.0, 0.0, 0.0])
    >>> cluster_synchrony_loss(phases, torch.eye(2).repeat_interleave(2, 0))
    tensor(0.5000)
    """
    check_tensor(phases, "phases")
    check_tensor(membership, "membership")
    if membership.dtype != phases.dtype:
        raise TypeError(
            f"membership is {membership.dtype} but phases are {phases.dtype}; convert one of them."
        )
    if membership.ndim < 2 or membership.shape[-2] != phases.shape[-1]:
        raise ValueError(
            f"membership must have a row for each of the {phases.shape[-1]} oscillators of phases, "
            f"got shape {tuple(membership.shape)}."
        )
    with naming("membership"):
        torch.broadcast_shapes(membership.shape[:-2], phases.shape[:-1])
    count = membership.sum(-2)
    present = (count > 0).to(phases.dtype)
    weight = membership / count.masked_fill(count == 0.0, 1.0).unsqueeze(-2)
    real = (phases.cos().unsqueeze(-2) @ weight).squeeze(-2)
    imaginary = (phases.sin().unsqueeze(-2) @ weight).squeeze(-2)
    modulus = _modulus(real, imaginary)
    k = present.sum(-1)
    variance = ((1.0 - modulus) * present).sum(-1) / k.clamp_min(1.0)
    cosine, sine = real / modulus, imaginary / modulus
    loss = variance.new_zeros(variance.shape)
    for size in torch.unique(k).tolist():
        if size:
            value = (variance + _splay(cosine, sine, present, int(size))) / splay_maximum(int(size))
            loss = torch.where(k == size, value, loss)
    return loss


def feature_correlation(coupling: CouplingOperator, features: Tensor) -> Tensor:
    r"""Correlate the features of coupled oscillators, C_x (eq. 7).

    .. math::
        C_x = \frac{\sum_{ij} K_{ij} (x_i - \bar x) \cdot (x_j - \bar x)}
                   {\sum_{ij} K_{ij} |x_i - \bar x|^2}

    Parameters
    ----------
    coupling : CouplingOperator of shape (..., n, n)
        Couplings K.
    features : Tensor of shape (..., n, n_features)
        Features x.

    Returns
    -------
    Tensor of shape (...)
        Near −1 where opposites are coupled; 0 where couplings do not look at the features, and
        where features do not vary.

    Raises
    ------
    TypeError
        If couplings are no operator, or features no tensor of floating-point numbers.
    ValueError
        If their shapes do not fit.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling
    >>> from skkuranet.losses import feature_correlation
    >>> K = DenseCoupling(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    >>> feature_correlation(K, torch.tensor([[-1.0], [1.0]]))
    tensor(-1.)
    """
    if not isinstance(coupling, CouplingOperator):
        raise TypeError(
            f"coupling must be a CouplingOperator, got {type(coupling).__name__}. Of a matrix, "
            "pass skkuranet.coupling.as_coupling(K)."
        )
    check_tensor(features, "features")
    if features.ndim < 2 or features.shape[-2] != coupling.shape[-1]:
        raise ValueError(
            f"features must have a row for each of the {coupling.shape[-1]} nodes of coupling, got "
            f"shape {tuple(features.shape)}."
        )
    centred = features - features.mean(-2, keepdim=True)
    received = product(coupling, centred.mT).mT
    degree = product(coupling, torch.ones_like(centred[..., :1]).mT).mT
    spread = (degree * centred.square()).sum((-2, -1))
    return (centred * received).sum((-2, -1)) / spread.masked_fill(spread == 0.0, 1.0)


def _splay(cosine: Tensor, sine: Tensor, present: Tensor, k: int) -> Tensor:
    """Sum the moments of unit phasors by the recursion of exp(i g θ)."""
    total = cosine.new_zeros(cosine.shape[:-1])
    real, imaginary = cosine, sine
    for g in range(1, k // 2 + 1):
        moment = (real * present).sum(-1).square() + (imaginary * present).sum(-1).square()
        total = total + moment / (2.0 * g * g * k)
        real, imaginary = real * cosine - imaginary * sine, imaginary * cosine + real * sine
    return total


def _modulus(real: Tensor, imaginary: Tensor) -> Tensor:
    return (real.square() + imaginary.square() + _TINY).sqrt()
