"""Couplings computed block by block and never stored."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._products import exp_below

Block = Callable[[slice, slice], Tensor]


class TiledCoupling(CouplingOperator):
    """Couplings recomputed one tile at a time: n² operations, but never n² memory.

    Parameters
    ----------
    block : callable
        ``block(rows, columns)`` returns the tile K[..., rows, columns] for two slices. It
        must be a differentiable function of ``leaves``.
    tensors : tuple of Tensor
        What the tiles depend on and gradients are returned for.
    shape : tuple of int
        (..., n_targets, n_sources); leading axes are a batch of networks.
    tile : int
        Side of the square tiles; see :func:`tile_side`.
    leaves : tuple of Tensor, optional
        The leaf tensors that ``block`` computes with, one for each of ``tensors``. By
        default ``tensors``, which then must be leaves of the autograd graph.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import PairwiseNetwork, couple
    >>> network = PairwiseNetwork(2, (8,), generator=torch.Generator().manual_seed(0))
    >>> type(couple(network, torch.randn(500, 2), memory_budget=500_000)).__name__
    'TiledCoupling'
    """

    def __init__(
        self,
        block: Block,
        tensors: tuple[Tensor, ...],
        shape: Sequence[int],
        tile: int,
        leaves: tuple[Tensor, ...] | None = None,
    ) -> None:
        if tile < 1:
            raise ValueError(f"tile must be at least 1, got {tile}.")
        leaves = tuple(tensors) if leaves is None else tuple(leaves)
        if not all(leaf.is_leaf for leaf in leaves):
            raise ValueError("tensors that are not leaves need stand-ins in leaves.")
        self._block, self._tensors, self._leaves = block, tuple(tensors), leaves
        self._shape, self._tile = torch.Size(shape), tile

    @property
    def shape(self) -> torch.Size:
        """Shape (..., n_targets, n_sources)."""
        return self._shape

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """What the tiles depend on."""
        return self._tensors

    def matvec(self, x: Tensor) -> Tensor:
        """Return K x, tile by tile."""
        out = x.new_zeros((*x.shape[:-1], self._shape[-2]))
        with torch.no_grad():
            for rows, columns in self._tiles():
                out[..., rows] += x[..., columns] @ self._block(rows, columns).mT
        return out

    def rmatvec(self, x: Tensor) -> Tensor:
        """Return Kᵀ x, tile by tile."""
        out = x.new_zeros((*x.shape[:-1], self._shape[-1]))
        with torch.no_grad():
            for rows, columns in self._tiles():
                out[..., columns] += x[..., rows] @ self._block(rows, columns)
        return out

    def bilinear_derivative(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        """Recompute every tile and pull its share of the cotangent back."""
        return self._pull(lambda rows, columns, _: left[..., rows].mT @ right[..., columns])

    def rows(self, index: Any) -> Tensor:
        """Return the dense rows K[index]."""
        picked = torch.arange(self._shape[-2], device=self.device)[index].cpu()
        jumps = (torch.diff(picked) != 1).nonzero().flatten() + 1
        runs = [part for run in torch.tensor_split(picked, jumps) for part in run.split(self._tile)]
        spans = [slice(int(run[0]), int(run[-1]) + 1) for run in runs if len(run)]
        with torch.no_grad():
            return torch.cat(
                [
                    torch.cat([self._block(span, columns) for columns in self._spans(-1)], -1)
                    for span in spans
                ],
                -2,
            )

    def degree(self, order: int) -> Tensor:
        """Return sums of powers of the strengths, streamed over the tiles."""
        return _RowPower.apply(self, order, *self._tensors)

    def log_mass(self) -> Tensor:
        """Return the logarithm of the sum of exp(K) over distinct pairs, streamed."""
        return _LogSumExp.apply(self._without_diagonal(-torch.inf), *self._tensors)

    def positive(self, log_mass: Tensor) -> CouplingOperator:
        """Return exp(K - log_mass)."""
        leaf = log_mass.detach().requires_grad_(log_mass.requires_grad)

        def block(rows: slice, columns: slice) -> Tensor:
            return exp_below(self._block(rows, columns) - leaf[..., None, None])

        return self._with(block, (*self._tensors, log_mass), (*self._leaves, leaf))

    def scale(self, left: Tensor | None, right: Tensor | None) -> TiledCoupling:
        """Return diag(left) K diag(right), scaled tile by tile."""
        factors = [f for f in (left, right) if f is not None]
        leaves = [f.detach().requires_grad_(f.requires_grad) for f in factors]
        left_leaf = None if left is None else leaves[0]
        right_leaf = None if right is None else leaves[-1]

        def block(rows: slice, columns: slice) -> Tensor:
            tile = self._block(rows, columns)
            if left_leaf is not None:
                tile = left_leaf[..., rows].unsqueeze(-1) * tile
            return tile if right_leaf is None else tile * right_leaf[..., columns].unsqueeze(-2)

        return self._with(block, (*self._tensors, *factors), (*self._leaves, *leaves))

    def without_self_coupling(self) -> TiledCoupling:
        """Return K with a zero diagonal."""
        return self._without_diagonal(0.0)

    def _without_diagonal(self, fill: float) -> TiledCoupling:
        def block(rows: slice, columns: slice) -> Tensor:
            tile = self._block(rows, columns)
            i = torch.arange(rows.start, rows.stop, device=tile.device)
            j = torch.arange(columns.start, columns.stop, device=tile.device)
            return tile.masked_fill(i.unsqueeze(-1) == j, fill)

        return self._with(block, self._tensors, self._leaves)

    def _with(
        self, block: Block, tensors: tuple[Tensor, ...], leaves: tuple[Tensor, ...]
    ) -> TiledCoupling:
        return TiledCoupling(block, tensors, self._shape, self._tile, leaves)

    def _spans(self, axis: int) -> list[slice]:
        size = self._shape[axis]
        return [slice(i, min(i + self._tile, size)) for i in range(0, size, self._tile)]

    def _tiles(self) -> Iterator[tuple[slice, slice]]:
        return itertools.product(self._spans(-2), self._spans(-1))

    def _pull(
        self, cotangent: Callable[[slice, slice, Tensor], Tensor]
    ) -> tuple[Tensor | None, ...]:
        """Sum the gradients of all tiles for the cotangent of each."""
        wanted = [leaf for leaf in self._leaves if leaf.requires_grad]
        sums = [torch.zeros_like(t) for t in wanted]
        if not wanted:
            return tuple(None for _ in self._leaves)
        for rows, columns in self._tiles():
            with torch.enable_grad():
                tile = self._block(rows, columns)
            grads = torch.autograd.grad(
                tile, wanted, cotangent(rows, columns, tile.detach()), allow_unused=True
            )
            for total, grad in zip(sums, grads, strict=True):
                if grad is not None:
                    total += grad
        found = iter(sums)
        return tuple(next(found) if leaf.requires_grad else None for leaf in self._leaves)


def tile_side(memory_budget: int, bytes_per_pair: int) -> int:
    """Side of the largest square tile that a memory budget holds.

    Parameters
    ----------
    memory_budget : int
        Bytes that one tile and what is needed to compute it may take.
    bytes_per_pair : int
        Bytes needed for one pair of nodes.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> from skkuranet.coupling import tile_side
    >>> tile_side(2**20, bytes_per_pair=4)
    512
    """
    return max(1, math.isqrt(memory_budget // max(1, bytes_per_pair)))


class _RowPower(torch.autograd.Function):
    """Sum of powers of the strengths over sources."""

    @staticmethod
    def forward(ctx: Any, coupling: TiledCoupling, order: int, *tensors: Tensor) -> Tensor:
        ctx.coupling, ctx.order = coupling, order
        out = tensors[0].new_zeros(coupling.shape[:-1])
        with torch.no_grad():
            for rows, columns in coupling._tiles():
                tile = coupling._block(rows, columns)
                out[..., rows] += (tile.abs() if order == 1 else tile.square()).sum(-1)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        def cotangent(rows: slice, columns: slice, tile: Tensor) -> Tensor:
            slope = tile.sign() if ctx.order == 1 else 2.0 * tile
            return grad[..., rows].unsqueeze(-1) * slope

        return (None, None, *ctx.coupling._pull(cotangent))


class _LogSumExp(torch.autograd.Function):
    """Logarithm of the sum of exp(K) over all pairs."""

    @staticmethod
    def forward(ctx: Any, coupling: TiledCoupling, *tensors: Tensor) -> Tensor:
        total = tensors[0].new_full(coupling.shape[:-2], -torch.inf)
        with torch.no_grad():
            for rows, columns in coupling._tiles():
                tile = coupling._block(rows, columns)
                total = torch.logaddexp(total, tile.flatten(-2).logsumexp(-1))
        ctx.coupling = coupling
        ctx.save_for_backward(total)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        (total,) = ctx.saved_tensors
        grad, total = grad[..., None, None], total[..., None, None]
        return (None, *ctx.coupling._pull(lambda i, j, tile: grad * (tile - total).exp()))
