"""Couplings of one network that a batch of networks shares."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from skkuranet.coupling._base import CouplingOperator


class SharedCoupling(CouplingOperator):
    """The same couplings for every network of a batch, in one product for all of them.

    Parameters
    ----------
    base : CouplingOperator of shape (n, p)
        Couplings of one network.
    batch : sequence of int
        Shape of the batch.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling, SharedCoupling
    >>> shared = SharedCoupling(DenseCoupling(torch.eye(3)), (5,))
    >>> shared.shape, shared.matvec(torch.ones(5, 2, 3)).shape
    (torch.Size([5, 3, 3]), torch.Size([5, 2, 3]))
    """

    def __init__(self, base: CouplingOperator, batch: Sequence[int]) -> None:
        if len(base.shape) != 2:
            raise ValueError(f"base must be of one network, got shape {tuple(base.shape)}.")
        self.base, self.batch = base, torch.Size(batch)

    @property
    def shape(self) -> torch.Size:
        """Shape (..., n, p)."""
        return torch.Size((*self.batch, *self.base.shape))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Those of the one network."""
        return self.base.tensors

    @property
    def dtype(self) -> torch.dtype:
        """Type of what products return."""
        return self.base.dtype

    def matvec(self, x: Tensor) -> Tensor:
        """Return K x for (..., m, p)."""
        found = self.base.matvec(x.flatten(0, -2))
        return found.view(*x.shape[:-1], found.shape[-1])

    def rmatvec(self, x: Tensor) -> Tensor:
        """Return Kᵀ x for (..., m, n)."""
        found = self.base.rmatvec(x.flatten(0, -2))
        return found.view(*x.shape[:-1], found.shape[-1])

    def bilinear_derivative(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        """Return the derivatives of the sum of left K right."""
        return self.base.bilinear_derivative(left.flatten(0, -2), right.flatten(0, -2))

    def rows(self, index: Tensor | Sequence[int] | slice) -> Tensor:
        """Return rows of K, (..., k, p)."""
        rows = self.base.rows(index)
        return rows.expand(*self.batch, *rows.shape)

    def degree(self, order: int) -> Tensor:
        """Return sums of powers of the strengths, (..., n)."""
        degree = self.base.degree(order)
        return degree.expand(*self.batch, *degree.shape)
