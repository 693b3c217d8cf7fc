"""Couplings along the edges of a graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from skkuranet._utils.surroundings import silenced
from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._products import exp_below

# Edges whose two end points are gathered at once in the pullback, to bound its memory.
# Numbers of each end of the edges that are pulled back at once.
_BLOCK_NUMBERS = 1 << 22
# What torch has to say once, at the first sparse tensor of a process.
NOTES_OF_TORCH = "Sparse CSR tensor support is in beta|Sparse invariant checks are implicitly"


class SparseCoupling(CouplingOperator):
    """Couplings that are zero but along the edges of given graphs.

    Parameters
    ----------
    targets, sources : Tensor of shape (n_edges,), int64
        Edge e lets oscillator ``sources[e]`` act on oscillator ``targets[e]``. In a batch
        of networks oscillators are counted through: i of network b is b n + i. Strengths of an
        edge that is given twice add up, but each counts in the degree.
    values : Tensor of shape (n_edges,)
        Coupling strength of each edge.
    shape : tuple of int
        (..., n_targets, n_sources); leading axes are a batch of networks.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import SparseCoupling
    >>> targets, sources = torch.tensor([0, 1]), torch.tensor([1, 2])
    >>> K = SparseCoupling(targets, sources, torch.tensor([1.0, 2.0]), (3, 3))
    >>> K.matvec(torch.tensor([[1.0, 10.0, 100.0]]))
    tensor([[ 10., 200.,   0.]])
    """

    def __init__(
        self, targets: Tensor, sources: Tensor, values: Tensor, shape: Sequence[int]
    ) -> None:
        if not targets.shape == sources.shape == values.shape or values.ndim != 1:
            raise ValueError("targets, sources and values must be vectors of one length.")
        self._shape = torch.Size(shape)
        *batch, n, p = self._shape
        n_networks = math.prod(batch)
        self._n_targets, self._n_sources = n_networks * n, n_networks * p
        for name, index, size in (
            ("targets", targets, self._n_targets),
            ("sources", sources, self._n_sources),
        ):
            if len(index) and not (int(index.min()) >= 0 and int(index.max()) < size):
                raise ValueError(f"{name} must lie in [0, {size}).")
        if n_networks > 1 and bool((targets // n != sources // p).any()):
            raise ValueError("Both ends of an edge must belong to one network of the batch.")
        self.targets, self.sources, self.values = targets, sources, values
        self._forward: Tensor | None = None
        self._backward: Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        # What products need is made anew.
        return {**vars(self), "_forward": None, "_backward": None}

    @property
    def shape(self) -> torch.Size:
        """Shape (..., n_targets, n_sources)."""
        return self._shape

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The coupling strengths of the edges."""
        return (self.values,)

    def matvec(self, x: Tensor) -> Tensor:
        """Return K x, in as many operations as there are edges."""
        if self._forward is None:
            ends = self.targets, self.sources
            self._forward = _csr(*ends, self.values, self._n_targets, self._n_sources)
        return self._through(self._forward, x, self._shape[-2])

    def rmatvec(self, x: Tensor) -> Tensor:
        """Return Kᵀ x, in as many operations as there are edges."""
        if self._backward is None:
            ends = self.sources, self.targets
            self._backward = _csr(*ends, self.values, self._n_sources, self._n_targets)
        return self._through(self._backward, x, self._shape[-1])

    def bilinear_derivative(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        """Return the cotangent at the edges, without an n x n intermediate."""
        left, right = _side_by_side(left), _side_by_side(right)
        size = max(1, _BLOCK_NUMBERS // max(1, len(left)))
        blocks = zip(self.targets.split(size), self.sources.split(size), strict=True)
        return (torch.cat([(left[:, i] * right[:, j]).sum(0) for i, j in blocks]),)

    def degree(self, order: int) -> Tensor:
        """Return sums of powers of the strengths."""
        magnitude = self.values.abs() if order == 1 else self.values.square()
        total = self.values.new_zeros(self._n_targets).index_add(0, self.targets, magnitude)
        return total.view(self._shape[:-1])

    def log_mass(self) -> Tensor:
        """Return the logarithm of the sum of exp(K) over edges between distinct nodes."""
        apart = self.without_self_coupling()
        network = apart.targets // self._shape[-2]
        batch = self._shape[:-2]
        # The largest value of each network keeps its exponentials in range.
        largest = self.values.new_full((math.prod(batch),), -torch.inf).scatter_reduce(
            0, network, apart.values.detach(), "amax"
        )
        scaled = (apart.values - largest[network]).exp()
        mass = torch.zeros_like(largest).index_add(0, network, scaled)
        return (mass.log() + largest).view(batch)

    def positive(self, log_mass: Tensor) -> CouplingOperator:
        """Return exp(K - log_mass) along the edges."""
        network = self.targets // self._shape[-2]
        return self._with(exp_below(self.values - log_mass.reshape(-1)[network]))

    def scale(self, left: Tensor | None, right: Tensor | None) -> SparseCoupling:
        """Return diag(left) K diag(right)."""
        values = self.values
        if left is not None:
            values = left.reshape(-1)[self.targets] * values
        if right is not None:
            values = values * right.reshape(-1)[self.sources]
        return self._with(values)

    def transpose(self) -> CouplingOperator:
        """Return Kᵀ."""
        *batch, n, p = self._shape
        return SparseCoupling(self.sources, self.targets, self.values, (*batch, p, n))

    def add(self, other: CouplingOperator) -> CouplingOperator:
        """Return K + other, on the union of the two graphs."""
        if not isinstance(other, SparseCoupling) or other.shape != self.shape:
            return super().add(other)
        p = self._n_sources
        # One edge for a pair that both have, so that its degree is that of the sum.
        keys = torch.cat((self.targets * p + self.sources, other.targets * p + other.sources))
        pairs, edge = torch.unique(keys, return_inverse=True)
        values = torch.cat((self.values, other.values))
        summed = values.new_zeros(len(pairs)).index_add(0, edge, values)
        return SparseCoupling(pairs // p, pairs % p, summed, self._shape)

    def without_self_coupling(self) -> SparseCoupling:
        """Return K without the edges from a node to itself."""
        *_, n, p = self._shape
        keep = self.targets % n != self.sources % p
        ends = self.targets[keep], self.sources[keep]
        return SparseCoupling(*ends, self.values[keep], self._shape)

    def _with(self, values: Tensor) -> SparseCoupling:
        return SparseCoupling(self.targets, self.sources, values, self._shape)

    def _through(self, matrix: Tensor, x: Tensor, size: int) -> Tensor:
        out = (matrix @ _side_by_side(x).mT).mT
        if x.ndim == 2:
            return out
        return out.reshape(x.shape[-2], *x.shape[:-2], size).movedim(0, -2)


class NonnegativeSparseCoupling(SparseCoupling):
    """Sparse couplings that are not negative by construction: strengths and not logits."""

    def log_mass(self) -> Tensor:
        """Return the logarithm of the sum of K over edges between distinct nodes."""
        return self.without_self_coupling().degree(1).sum(-1).log()

    def positive(self, log_mass: Tensor) -> CouplingOperator:
        """Return K exp(-log_mass)."""
        network = self.targets // self._shape[-2]
        return self._with(self.values * (-log_mass).exp().reshape(-1)[network])


def _side_by_side(x: Tensor) -> Tensor:
    """Vectors of a batch of networks, (..., m, n), as those of one network, (m, ... n)."""
    return x if x.ndim == 2 else x.movedim(-2, 0).flatten(1)


def _csr(row: Tensor, column: Tensor, values: Tensor, n: int, p: int) -> Tensor:
    """Compress edges by row; parallel edges stay apart, which products do not mind."""
    order = torch.argsort(row, stable=True)
    starts = torch.zeros(n + 1, dtype=torch.int64, device=row.device)
    starts[1:] = torch.bincount(row, minlength=n).cumsum(0)
    with silenced(message=NOTES_OF_TORCH):
        return torch.sparse_csr_tensor(
            starts, column[order], values.detach()[order], (n, p), check_invariants=False
        )
