"""Normalisations that make couplings independent of the size of the network.

Without one, what is learned on 100 oscillators says nothing about 10,000.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from skkuranet._utils.messages import plain
from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._products import product

Between = Callable[[Tensor, Tensor], CouplingOperator]
Driven = Callable[[Tensor], CouplingOperator]

_TINY = 1e-12


class Normalization(ABC):
    """Turns raw couplings into the couplings that act.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling, InDegree, MeanDegree, Normalization
    >>> raw = DenseCoupling(torch.ones(3, 3))
    >>> [isinstance(each, Normalization) for each in (InDegree(), MeanDegree())]
    [True, True]
    >>> InDegree()(raw).dense().sum(1)
    tensor([1., 1., 1.])
    """

    @property
    def factor_copies(self) -> int:
        """How often the memory of raw factors is needed to normalise and to integrate them."""
        return 3

    @abstractmethod
    def __call__(self, raw: CouplingOperator) -> CouplingOperator:
        """Return the couplings (..., n, n) that act, from the raw ones of a network."""

    def at(self, between: Between, reference: Tensor) -> Driven:
        """Prepare to normalise the couplings of test oscillators to a reference network.

        Test oscillators are driven by the network and do not act back on it, so each
        row depends on its own features alone. What the network alone decides is computed here,
        once for all test oscillators. A subclass defines this method, or :meth:`driven`.

        Parameters
        ----------
        between : callable
            ``between(a, b)`` returns the raw couplings of targets with features ``a`` to
            sources with features ``b``.
        reference : Tensor of shape (n, n_features)
            Features of the reference network.

        Returns
        -------
        callable
            From features of test oscillators, a Tensor of shape (m, n_features), to their
            couplings, a CouplingOperator of shape (m, n).

        Raises
        ------
        NotImplementedError
            If the subclass defines neither.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not say how a reference network drives others; define "
            "at(between, reference) or driven(between, x, reference)."
        )

    def driven(self, between: Between, x: Tensor, reference: Tensor) -> CouplingOperator:
        """Normalise the couplings of test oscillators to a reference network.

        Parameters
        ----------
        between : callable
            As in :meth:`at`.
        x : Tensor of shape (m, n_features)
            Features of the test oscillators.
        reference : Tensor of shape (n, n_features)
            Features of the reference network.

        Returns
        -------
        CouplingOperator of shape (m, n)
        """
        return self.at(between, reference)(x)


@dataclass(frozen=True)
class InDegree(Normalization):
    r"""Unit absolute in-degree, then :math:`K \leftarrow (K + K^T)/2` (cluster synchrony).

    Parameters
    ----------
    order : {1, 2}, default=1
        1 divides row i by :math:`\sum_j |K_{ij}|`, as in the paper. 2 divides it by
        :math:`\sqrt{n \sum_j K_{ij}^2}`, an upper bound of that sum which factorised
        couplings know in linear time.
    density_exponent : float, default=0.0
        Power of the mean absolute coupling of both nodes by which each coupling is
        divided first. As in diffusion maps it removes part of the density of the nodes,
        and with it of the sensitivity of small networks to unequal class counts.
    symmetrize : bool, default=True
        Whether to average K and its transpose afterwards.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling, InDegree
    >>> raw = DenseCoupling(torch.tensor([[0.0, 3.0], [1.0, 1.0]]))
    >>> InDegree(symmetrize=False)(raw).dense()
    tensor([[0., 1.],
            [1., 0.]])
    """

    order: int = 1
    density_exponent: float = 0.0
    symmetrize: bool = True

    def __post_init__(self) -> None:
        if self.order not in (1, 2):
            raise ValueError(f"order must be 1 or 2, got {plain(self.order)}.")

    @property
    def factor_copies(self) -> int:
        """More than usual: K and its transpose add their ranks."""
        return 5 if self.symmetrize else 3

    def __call__(self, raw: CouplingOperator) -> CouplingOperator:
        """Normalise the raw couplings of a network."""
        # One name for every stage, so that two matrices are alive at a time at most.
        raw = raw.without_self_coupling()
        scale = self._density_scale(raw)
        if scale is not None:
            raw = raw.scale(scale, scale)
        raw = raw.scale(self._inverse_degree(raw) * self._share, None)
        return raw.add(raw.transpose()) if self.symmetrize else raw

    def at(self, between: Between, reference: Tensor) -> Driven:
        """Prepare to normalise the couplings of test oscillators to a reference network."""
        network = between(reference, reference).without_self_coupling()
        scale = self._density_scale(network)
        if scale is not None:
            network = network.scale(scale, scale)
        back = self._inverse_degree(network) * self._share
        # The couplings among the reference oscillators themselves are not needed any more.
        del network

        def driven(x: Tensor) -> CouplingOperator:
            raw = between(x, reference)
            own = self._density_scale(raw)
            if own is not None:
                raw = raw.scale(own, scale)
            coupling = raw.scale(self._inverse_degree(raw) * self._share, None)
            if not self.symmetrize:
                return coupling
            reverse = between(reference, x).scale(scale, own).scale(back, None)
            return coupling.add(reverse.transpose())

        return driven

    @property
    def _share(self) -> float:
        """What K and its transpose each contribute."""
        return 0.5 if self.symmetrize else 1.0

    def _inverse_degree(self, raw: CouplingOperator) -> Tensor:
        return _inverse(raw.degree(1) if self.order == 1 else _root_mean_degree(raw))

    def _density_scale(self, raw: CouplingOperator) -> Tensor | None:
        if self.density_exponent == 0.0:
            return None
        density = 1.0 / (self._inverse_degree(raw) * raw.n_global).clamp_min(_TINY)
        return density.clamp_min(_TINY) ** -self.density_exponent


@dataclass(frozen=True)
class Balanced(Normalization):
    r"""Sources weighted by their inverse density, then unit in-degree.

    .. math::
        K_{ij} = \frac{k_{ij} / \rho_j}{\sqrt{n \sum_l (k_{il} / \rho_l)^2}}

    with :math:`\rho_j` the mean overlap of the memberships of node j with those of all
    nodes. Whatever share of the nodes a block holds, it acts with the same weight, so
    the splay state of a small network is not shifted by unequal class counts. It is
    the random-walk normalisation of diffusion maps: K is a symmetric matrix with a
    positive factor for each row, so its equilibria and their stability are those of
    the symmetric couplings of equal populations; only the pace of each oscillator
    differs. The absolute in-degree is at most 1, by the Cauchy-Schwarz inequality.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import Balanced, FactorizedNetwork, couple
    >>> network = FactorizedNetwork(2, (8,), rank=4, generator=torch.Generator().manual_seed(0))
    >>> couple(network, torch.randn(100, 2), Balanced()).shape
    torch.Size([100, 100])
    """

    def __call__(self, raw: CouplingOperator) -> CouplingOperator:
        """Normalise the raw couplings of a network."""
        # One name, so that raw factors are dropped where they are replaced.
        raw = raw.scale(None, raw.source_density().reciprocal())
        return _unit_rows(raw)

    def at(self, between: Between, reference: Tensor) -> Driven:
        """Prepare to normalise the couplings of test oscillators to a reference network."""
        weight = between(reference[:0], reference).source_density().reciprocal()
        return lambda x: _unit_rows(between(x, reference).scale(None, weight))


@dataclass(frozen=True)
class MeanDegree(Normalization):
    r"""Non-negative couplings of a fixed mean degree (global synchrony).

    A softmax over all n(n − 1) pairs times :math:`n \langle d \rangle`, so that
    :math:`\frac1n \sum_{ij} K_{ij} = \langle d \rangle` at every n. Factorised couplings
    that are non-negative by construction are divided by their sum instead.

    Parameters
    ----------
    average_degree : float, default=1.0
        The mean degree :math:`\langle d \rangle`.
    density_exponent : float, default=0.0
        Power α of the degrees of both nodes by which each coupling is divided first,
        :math:`K_{ij} / (d_i d_j)^\alpha`. A node of a small network has more or fewer
        partners than it would have in a large one; this evens that out. 1/2 is the
        symmetric normalisation of spectral clustering.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling, MeanDegree
    >>> raw = DenseCoupling(torch.tensor([[0.0, 3.0], [1.0, 0.0]]))
    >>> float(MeanDegree(2.0)(raw).dense().sum() / 2)
    1.9999998807907104
    """

    average_degree: float = 1.0
    density_exponent: float = 0.0

    def __post_init__(self) -> None:
        if not self.average_degree > 0.0:
            raise ValueError(f"average_degree must be positive, got {plain(self.average_degree)}.")

    def __call__(self, raw: CouplingOperator) -> CouplingOperator:
        """Normalise the raw couplings of a network."""
        if raw.n_global < 2:
            # A lone node has no pairs to share out a degree to.
            alone = torch.zeros(raw.shape[:-1], dtype=raw.dtype, device=raw.device)
            return raw.scale(alone, None)
        total = math.log(raw.n_global * self.average_degree)
        # One name, so that two matrices are alive at a time at most.
        raw = raw.positive(raw.log_mass() - total)
        raw = raw.without_self_coupling()
        if self.density_exponent == 0.0:
            return raw
        evened, factor = self._evened(raw)
        return raw.scale(evened * factor, evened)

    def at(self, between: Between, reference: Tensor) -> Driven:
        """Prepare to normalise the couplings of test oscillators to a reference network."""
        network = between(reference, reference)
        log_mass = network.log_mass() - math.log(network.n_global * self.average_degree)
        if self.density_exponent == 0.0:
            return lambda x: between(x, reference).positive(log_mass)
        evened, factor = self._evened(network.positive(log_mass).without_self_coupling())

        def driven(x: Tensor) -> CouplingOperator:
            raw = between(x, reference).positive(log_mass)
            own = _sum_of_rows(raw).clamp_min(_TINY) ** -self.density_exponent
            return raw.scale(own * factor, evened)

        return driven

    def _evened(self, coupling: CouplingOperator) -> tuple[Tensor, Tensor]:
        """Factors of the nodes, and of all couplings to restore their mean degree."""
        degree = _sum_of_rows(coupling).clamp_min(_TINY)
        evened = degree**-self.density_exponent
        shares = evened * product(coupling, evened.unsqueeze(-2)).squeeze(-2)
        total = coupling.all_reduce(shares.sum(-1, keepdim=True))
        return evened, coupling.n_global * self.average_degree / total


@dataclass(frozen=True)
class Identity(Normalization):
    """Use the raw couplings as they are.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling, Identity
    >>> Identity()(DenseCoupling(torch.tensor([[0.0, 3.0], [1.0, 0.0]]))).dense()
    tensor([[0., 3.],
            [1., 0.]])
    """

    def __call__(self, raw: CouplingOperator) -> CouplingOperator:
        """Return the raw couplings."""
        return raw

    def at(self, between: Between, reference: Tensor) -> Driven:
        """Return what makes the raw couplings of test oscillators to a reference network."""
        return lambda x: between(x, reference)


@dataclass(frozen=True)
class PerSource(Normalization):
    """Share a strength out among all sources: raw couplings over their number.

    For raw couplings that do not grow or shrink with the size of the network, such as those of
    :class:`NystromNetwork`.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling, PerSource
    >>> PerSource()(DenseCoupling(torch.ones(4, 4))).dense()[0]
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    def __call__(self, raw: CouplingOperator) -> CouplingOperator:
        """Normalise the raw couplings of a network."""
        share = torch.full(raw.shape[:-1], 1.0 / raw.n_global, dtype=raw.dtype, device=raw.device)
        return raw.scale(share, None)

    def at(self, between: Between, reference: Tensor) -> Driven:
        """Prepare to normalise the couplings of test oscillators to a reference network."""
        return lambda x: self(between(x, reference))


def prepared_at(normalization: Normalization, between: Between, reference: Tensor) -> Driven:
    """Return what :meth:`Normalization.at` returns, or the same by :meth:`Normalization.driven`.

    The class nearest to that of ``normalization`` decides, as it may differ from what it inherits.
    """
    for kind in type(normalization).__mro__:
        if "at" in vars(kind):
            return normalization.at(between, reference)
        if "driven" in vars(kind):
            break
    return lambda x: normalization.driven(between, x, reference)


def _sum_of_rows(coupling: CouplingOperator) -> Tensor:
    """In-degree of couplings that are not negative."""
    *batch, _, p = coupling.shape
    ones = torch.ones((*batch, 1, p), dtype=coupling.dtype, device=coupling.device)
    return product(coupling, ones).squeeze(-2)


def _unit_rows(coupling: CouplingOperator) -> CouplingOperator:
    return coupling.scale(_inverse(_root_mean_degree(coupling)), None)


def _root_mean_degree(coupling: CouplingOperator) -> Tensor:
    """Upper bound of the absolute in-degree, from the row norm."""
    return (coupling.n_global * coupling.degree(2)).clamp_min(_TINY**2).sqrt()


def _inverse(degree: Tensor) -> Tensor:
    """1 / degree, and 0 where a node has no couplings at all."""
    isolated = degree <= _TINY
    return degree.masked_fill(isolated, 1.0).reciprocal().masked_fill(isolated, 0.0)
