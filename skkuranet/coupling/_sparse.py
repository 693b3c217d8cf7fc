"""Couplings along the edges of a graph."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from skkuranet.coupling._base import CouplingOperator, exp_below

# Edges whose two end points are gathered at once in the pullback, to bound its memory.
_EDGE_BLOCK = 1 << 18


class SparseCoupling(CouplingOperator):
    """Couplings that are zero but along the edges of a given graph.

    Parameters
    ----------
    targets, sources : Tensor of shape (n_edges,), int64
        Edge e lets oscillator ``sources[e]`` act on oscillator ``targets[e]``.
    values : Tensor of shape (n_edges,)
        Coupling strength of each edge.
    shape : tuple of two int
        (n_targets, n_sources).
    """

    def __init__(
        self, targets: Tensor, sources: Tensor, values: Tensor, shape: tuple[int, int]
    ) -> None:
        if not targets.shape == sources.shape == values.shape or values.ndim != 1:
            raise ValueError("targets, sources and values must be vectors of one length.")
        for name, index, size in (("targets", targets, shape[0]), ("sources", sources, shape[1])):
            if len(index) and not (int(index.min()) >= 0 and int(index.max()) < size):
                raise ValueError(f"{name} must lie in [0, {size}).")
        self.targets, self.sources, self.values = targets, sources, values
        self._shape = torch.Size(shape)
        self._forward: Tensor | None = None
        self._backward: Tensor | None = None

    @property
    def shape(self) -> torch.Size:
        """Shape (n_targets, n_sources)."""
        return self._shape

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The coupling strengths of the edges."""
        return (self.values,)

    def matvec(self, x: Tensor) -> Tensor:
        """Return K x, in as many operations as there are edges."""
        if self._forward is None:
            self._forward = _csr(self.targets, self.sources, self.values, *self._shape)
        return (self._forward @ x.mT).mT

    def rmatvec(self, x: Tensor) -> Tensor:
        """Return Kᵀ x, in as many operations as there are edges."""
        if self._backward is None:
            self._backward = _csr(self.sources, self.targets, self.values, *self._shape[::-1])
        return (self._backward @ x.mT).mT

    def vjp(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        """Return the cotangent at the edges, without an n x n intermediate."""
        blocks = zip(self.targets.split(_EDGE_BLOCK), self.sources.split(_EDGE_BLOCK), strict=True)
        return (torch.cat([(left[:, i] * right[:, j]).sum(0) for i, j in blocks]),)

    def degree(self, order: int) -> Tensor:
        """Return sums of powers of the strengths."""
        magnitude = self.values.abs() if order == 1 else self.values.square()
        return torch.zeros(self._shape[0], dtype=self.dtype, device=self.device).index_add(
            0, self.targets, magnitude
        )

    def log_mass(self) -> Tensor:
        """Return the logarithm of the sum of exp(K) over edges between distinct nodes."""
        return self.values[self.targets != self.sources].logsumexp(0)

    def positive(self, log_mass: Tensor) -> CouplingOperator:
        """Return exp(K - log_mass) along the edges."""
        return self._with(exp_below(self.values - log_mass))

    def scale(self, left: Tensor | None, right: Tensor | None) -> SparseCoupling:
        """Return diag(left) K diag(right)."""
        values = self.values
        if left is not None:
            values = left[self.targets] * values
        if right is not None:
            values = values * right[self.sources]
        return self._with(values)

    def transpose(self) -> CouplingOperator:
        """Return Kᵀ."""
        n, p = self._shape
        return SparseCoupling(self.sources, self.targets, self.values, (p, n))

    def add(self, other: CouplingOperator) -> CouplingOperator:
        """Return K + other, on the union of the two graphs."""
        if not isinstance(other, SparseCoupling) or other.shape != self.shape:
            return super().add(other)
        n, p = self._shape
        # One edge for a pair that both have, so that its degree is that of the sum.
        keys = torch.cat((self.targets * p + self.sources, other.targets * p + other.sources))
        pairs, edge = torch.unique(keys, return_inverse=True)
        values = torch.cat((self.values, other.values))
        summed = values.new_zeros(len(pairs)).index_add(0, edge, values)
        return SparseCoupling(pairs // p, pairs % p, summed, (n, p))

    def without_self_coupling(self) -> SparseCoupling:
        """Return K without the edges from a node to itself."""
        keep = self.targets != self.sources
        n, p = self._shape
        return SparseCoupling(self.targets[keep], self.sources[keep], self.values[keep], (n, p))

    def _with(self, values: Tensor) -> SparseCoupling:
        return SparseCoupling(self.targets, self.sources, values, (self._shape[0], self._shape[1]))


def _csr(row: Tensor, column: Tensor, values: Tensor, n: int, p: int) -> Tensor:
    """Compress edges by row; parallel edges stay apart, which products do not mind."""
    order = torch.argsort(row, stable=True)
    starts = torch.zeros(n + 1, dtype=torch.int64, device=row.device)
    starts[1:] = torch.bincount(row, minlength=n).cumsum(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            starts, column[order], values.detach()[order], (n, p), check_invariants=False
        )
