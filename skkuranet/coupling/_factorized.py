"""Couplings of low rank."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._products import matmul

# Numbers of a factor from which on products with it as rows are worth the copy.
_LARGE = 1 << 15
_ROWS_AT_ONCE = 1 << 16


class FactorizedCoupling(CouplingOperator):
    r"""Couplings :math:`K = L R^T - \mathrm{diag}(d)` in factors of rank r.

    Products cost O(n r) in time and memory, so networks of millions of oscillators
    are simulated exactly.

    Parameters
    ----------
    left : Tensor of shape (..., n_targets, r)
        L.
    right : Tensor of shape (..., n_sources, r)
        R.
    diagonal : Tensor of shape (..., n), optional
        Subtracted from the diagonal; it removes the coupling of a node to itself.
    """

    def __init__(self, left: Tensor, right: Tensor, diagonal: Tensor | None = None) -> None:
        if left.shape[-1] != right.shape[-1] or left.shape[:-2] != right.shape[:-2]:
            raise ValueError(
                "left and right must agree in all axes but the second to last, got "
                f"{tuple(left.shape)} and {tuple(right.shape)}."
            )
        self.left, self.right, self.diagonal = left, right, diagonal
        # The factors as r rows, (..., r, n), which products go through.
        self._rows = left.mT, right.mT

    @property
    def shape(self) -> torch.Size:
        """Shape (..., n_targets, n_sources)."""
        return torch.Size((*self.left.shape[:-1], self.right.shape[-2]))

    @property
    def rank(self) -> int:
        """Number of columns of the factors."""
        return self.left.shape[-1]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The two factors and, where there is one, the diagonal."""
        factors = (self.left, self.right)
        return factors if self.diagonal is None else (*factors, self.diagonal)

    @property
    def pulls_back_in_parts(self) -> bool:
        """True: gradients are small beside trajectories."""
        return True

    def for_many_products(self) -> FactorizedCoupling:
        """Return the same couplings; large factors are copied with their columns contiguous."""
        if self.left.ndim > 2 or not self.left.is_cpu or self.left.numel() < _LARGE:
            return self
        copy = self._with(self.left, self.right, self.diagonal)
        with torch.no_grad():
            copy._rows = self.left.mT.contiguous(), self.right.mT.contiguous()
        return copy

    def matvec(self, x: Tensor) -> Tensor:
        """Return K x in O(n r) operations."""
        return self._product(x, self._rows)

    def rmatvec(self, x: Tensor) -> Tensor:
        """Return Kᵀ x in O(n r) operations."""
        return self._product(x, self._rows[::-1])

    def matvec_in(self, x: Tensor, out: Tensor) -> Tensor:
        """Return K x in the memory of ``out``."""
        return self._product(x, self._rows, out)

    def rmatvec_in(self, x: Tensor, out: Tensor) -> Tensor:
        """Return Kᵀ x in the memory of ``out``."""
        return self._product(x, self._rows[::-1], out)

    def _product(self, x: Tensor, rows: tuple[Tensor, Tensor], out: Tensor | None = None) -> Tensor:
        left, right = rows
        return self._drop_diagonal(matmul(self._whole(matmul(x, right.mT)), left, out), x)

    def vjp(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the factors, without an n x n intermediate."""
        grads = [matmul(a.mT, b) for a, b in self._cotangents(left, right)]
        if self.diagonal is not None:
            grads.append(-(left * right).sum(-2))
        return tuple(grads)

    def add_vjp(
        self, grads: tuple[Tensor | None, ...], left: Tensor, right: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Add to the gradients of the factors where they are."""
        for grad, (a, b) in zip(grads[:2], self._cotangents(left, right), strict=True):
            assert grad is not None
            if grad.ndim == 2:
                grad.addmm_(a.mT, b)
            else:
                grad += a.mT @ b
        if self.diagonal is not None:
            assert grads[2] is not None
            grads[2].sub_((left * right).sum(-2))
        return grads

    def _cotangents(self, left: Tensor, right: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
        """The cotangents of the two factors, as thin products."""
        by_left, by_right = (rows.mT for rows in self._rows)
        return (
            (left, self._whole(matmul(right, by_right))),
            (right, self._whole(matmul(left, by_left))),
        )

    def rows(self, index: Tensor | Sequence[int] | slice) -> Tensor:
        """Return the dense rows K[index]."""
        rows = self.left[..., index, :] @ self.right.mT
        if self.diagonal is None:
            return rows
        picked = torch.arange(self.shape[-2], device=self.device)[index]
        own = picked.unsqueeze(-1) == torch.arange(self.shape[-1], device=self.device)
        return rows - own * self.diagonal[..., picked, None]

    def degree(self, order: int) -> Tensor:
        """Return the squared row norms; the absolute sum is not linear in n."""
        if order != 2:
            raise TypeError(
                "The absolute in-degree of factorised couplings costs n² operations; "
                "normalise them by their row norm (InDegree(order=2))."
            )
        gram = self._whole(self.right.mT @ self.right)
        # By parts, whose products are small beside the factors.
        parts = self.left.split(_ROWS_AT_ONCE, -2)
        squared = torch.cat([((part @ gram) * part).sum(-1) for part in parts], -1)
        if self.diagonal is not None:
            own = self._own()
            squared = squared - own.square() + (own - self.diagonal).square()
        # Rounding may leave a vanishing row norm slightly negative.
        return squared.clamp_min(0.0)

    def source_density(self) -> Tensor:
        """Return the mean overlap of each source's right factor with those of all sources."""
        mean = self._whole(self.right.sum(-2, keepdim=True)) / self.population
        return (self.right @ mean.mT).squeeze(-1)

    def log_mass(self) -> Tensor:
        """Return the logarithm of the sum of K, which must be non-negative, off the diagonal."""
        if bool((self.left < 0).any()) or bool((self.right < 0).any()):
            raise ValueError(
                "A mean degree needs couplings that are not negative; use a FactorizedNetwork "
                "of form 'nonnegative'."
            )
        left, right = self._whole(self.left.sum(-2)), self._whole(self.right.sum(-2))
        own = self._whole(self._own().sum(-1))
        return ((left * right).sum(-1) - own).log()

    def positive(self, log_mass: Tensor) -> CouplingOperator:
        """Return K exp(-log_mass)."""
        factor = (-log_mass).exp().unsqueeze(-1).expand(self.left.shape[:-1])
        return self.scale(factor, None)

    def scale(self, left: Tensor | None, right: Tensor | None) -> FactorizedCoupling:
        """Return diag(left) K diag(right), with the scales folded into the factors."""
        new_left, new_right, diagonal = self.left, self.right, self.diagonal
        if left is not None:
            new_left = left.unsqueeze(-1) * new_left
            diagonal = None if diagonal is None else left * diagonal
        if right is not None:
            new_right = right.unsqueeze(-1) * new_right
            diagonal = None if diagonal is None else right * diagonal
        return self._with(new_left, new_right, diagonal)

    def transpose(self) -> CouplingOperator:
        """Return Kᵀ."""
        return self._with(self.right, self.left, self.diagonal)

    def add(self, other: CouplingOperator) -> CouplingOperator:
        """Return K + other; two factorised couplings add their ranks."""
        if not isinstance(other, FactorizedCoupling):
            return super().add(other)
        diagonals = [d for d in (self.diagonal, other.diagonal) if d is not None]
        return self._with(
            torch.cat((self.left, other.left), -1),
            torch.cat((self.right, other.right), -1),
            torch.stack(diagonals).sum(0) if diagonals else None,
        )

    def without_self_coupling(self) -> FactorizedCoupling:
        """Return K with a zero diagonal."""
        return self._with(self.left, self.right, self._own())

    def _own(self) -> Tensor:
        """Products of the factors of each node."""
        pairs = zip(
            self.left.split(_ROWS_AT_ONCE, -2), self.right.split(_ROWS_AT_ONCE, -2), strict=True
        )
        return torch.cat([(left * right).sum(-1) for left, right in pairs], -1)

    def _whole(self, part: Tensor) -> Tensor:
        """Sum over nodes, of the whole network; a hook for processes that share one."""
        return part

    def _with(self, left: Tensor, right: Tensor, diagonal: Tensor | None) -> FactorizedCoupling:
        return FactorizedCoupling(left, right, diagonal)

    def _drop_diagonal(self, out: Tensor, x: Tensor) -> Tensor:
        if self.diagonal is None:
            return out
        return out.addcmul_(self.diagonal.unsqueeze(-2), x, value=-1)
