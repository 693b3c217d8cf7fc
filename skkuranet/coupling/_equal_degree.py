"""The normalisation under which all nodes have one degree."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from skkuranet._utils.messages import plain
from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._dense import DenseCoupling
from skkuranet.coupling._factorized import FactorizedCoupling
from skkuranet.coupling._normalization import Between, Driven, Normalization
from skkuranet.coupling._products import product
from skkuranet.coupling._sparse import SparseCoupling

# Share of all couplings that pairs have alike. Without it a node could be left with nobody.
_CHANCE = 1e-4


@dataclass(frozen=True)
class EqualDegree(Normalization):
    r"""Non-negative couplings under which every node has the same degree.

    .. math:: K_{ij} = v_i \, e^{k_{ij}} \, v_j, \qquad \sum_j K_{ij} = d \text{ for all } i,

    with symmetric raw couplings k, at every n: nodes may choose with whom they couple, but not how
    much. The factors v are found by rounds of Sinkhorn's algorithm. Factorised couplings that are
    non-negative by construction take the place of the exponentials, and about a ten-thousandth of
    all is shared out among all pairs alike.

    Parameters
    ----------
    degree : float, default=1.0
        The degree d.
    n_rounds : int, default=30
        Rounds of the algorithm. Degrees are exact after any number: nodes that still miss a part of
        theirs are coupled with one another in proportion to it, whatever k says.

    See Also
    --------
    MeanDegree : A degree that nodes share out among themselves.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling, EqualDegree
    >>> raw = torch.tensor([[0.0, 3.0, 1.0], [3.0, 0.0, 2.0], [1.0, 2.0, 0.0]])
    >>> K = EqualDegree(2.0)(DenseCoupling(raw)).dense()
    >>> torch.allclose(K.sum(1), torch.full((3,), 2.0))
    True
    """

    degree: float = 1.0
    n_rounds: int = 30

    def __post_init__(self) -> None:
        if not self.degree > 0.0:
            raise ValueError(f"degree must be positive, got {plain(self.degree)}.")
        if self.n_rounds < 1:
            raise ValueError(f"n_rounds must be at least 1, got {plain(self.n_rounds)}.")

    def __call__(self, raw: CouplingOperator) -> CouplingOperator:
        """Normalise the raw couplings of a network.

        Parameters
        ----------
        raw : CouplingOperator of shape (..., n, n)
            Symmetric, between all pairs of nodes.

        Returns
        -------
        CouplingOperator of shape (..., n, n)

        Raises
        ------
        ValueError
            If they lie along a graph, whose nodes may not be able to have one degree.
        """
        if raw.n_global < 2:
            # A lone node has nobody to couple with.
            return raw.scale(torch.zeros(raw.shape[:-1], dtype=raw.dtype, device=raw.device), None)
        coupling = self._positive(raw, self._log_mass(raw)).without_self_coupling()
        chance = self._chance(coupling)
        factor = self._factors(coupling)
        # Nobody is to have too much, which could not be made up for.
        degree = factor * _sums(coupling, factor, chance)
        factor = factor * (self.degree / degree).clamp_max(1.0)
        # Rounding may still leave somebody with a little too much.
        missing = (self.degree - factor * _sums(coupling, factor, chance)).clamp_min(0.0)
        total = coupling.all_reduce(missing.sum(-1, keepdim=True))
        share = missing / total.masked_fill(total == 0.0, 1.0)
        rest = FactorizedCoupling(
            torch.stack((chance * factor, share), -1),
            torch.stack((factor, missing), -1),
            chance * factor.square(),
        )
        return _added(coupling.scale(factor, factor), rest)

    def at(self, between: Between, reference: Tensor) -> Driven:
        """Prepare to normalise the couplings of test oscillators to a reference network."""
        network = between(reference, reference)
        log_mass, chance = self._log_mass(network), self._chance(network)
        factor = self._factors(self._positive(network, log_mass).without_self_coupling())
        # The couplings among the reference oscillators themselves are not needed any more.
        del network

        def driven(x: Tensor) -> CouplingOperator:
            coupling = self._positive(between(x, reference), log_mass)
            by_chance = chance * factor.sum(-1, keepdim=True)
            share = self.degree / (_received(coupling, factor) + by_chance)
            rest = FactorizedCoupling(chance * share.unsqueeze(-1), factor.unsqueeze(-1))
            return _added(coupling.scale(share, factor), rest)

        return driven

    def _log_mass(self, raw: CouplingOperator) -> Tensor:
        """Logarithm of what makes the mean degree right to begin with."""
        return raw.log_mass() - math.log(raw.n_global * self.degree)

    def _chance(self, coupling: CouplingOperator) -> float:
        """What every pair has beside its own."""
        return _CHANCE * self.degree / coupling.n_global

    def _positive(self, raw: CouplingOperator, log_mass: Tensor) -> CouplingOperator:
        if isinstance(raw, SparseCoupling):
            raise ValueError(
                "EqualDegree couples all pairs: nodes of a graph may not be able to have one "
                "degree. Use MeanDegree for couplings along edges."
            )
        return raw.positive(log_mass)

    def _factors(self, coupling: CouplingOperator) -> Tensor:
        """Factors of the nodes, corrected in each round by the root of what is missing."""
        factor = torch.ones(coupling.shape[:-1], dtype=coupling.dtype, device=coupling.device)
        for _ in range(self.n_rounds):
            degree = factor * _sums(coupling, factor, self._chance(coupling))
            factor = factor * (self.degree / degree).sqrt()
        return factor


def _received(coupling: CouplingOperator, factor: Tensor) -> Tensor:
    """Sums of the couplings of each target, with factors of the sources."""
    return product(coupling, factor.unsqueeze(-2)).squeeze(-2)


def _sums(coupling: CouplingOperator, factor: Tensor, chance: float) -> Tensor:
    """The same, with what all pairs of a network have alike."""
    others = coupling.all_reduce(factor.sum(-1, keepdim=True)) - factor
    return _received(coupling, factor) + chance * others


def _added(coupling: CouplingOperator, rest: FactorizedCoupling) -> CouplingOperator:
    """Sum of both; a matrix stays one."""
    if type(coupling) is DenseCoupling:
        return DenseCoupling(coupling.matrix + rest.dense())
    return coupling.add(rest)
