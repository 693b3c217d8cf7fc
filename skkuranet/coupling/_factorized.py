"""Couplings of low rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._plan import PLANS, Notes, Plan
from skkuranet.coupling._products import (
    few_rows,
    has_small_kernels,
    matmul,
    prepared,
    prepared_pair,
    slots,
    transposed,
)

# Numbers of a factor from which on products with it as rows are worth the copy.
_LARGE, _LARGE_OF_CARD = 1 << 15, 1 << 20
_ROWS_AT_ONCE = 1 << 16
_DENSE = torch.contiguous_format


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

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import FactorizedCoupling
    >>> ones = torch.ones(1000, 1)
    >>> K = FactorizedCoupling(ones / 1000, ones)
    >>> K.matvec(torch.arange(1000.0))[:2]
    tensor([499.5000, 499.5000])
    """

    def __init__(self, left: Tensor, right: Tensor, diagonal: Tensor | None = None) -> None:
        if left.shape[-1] != right.shape[-1] or left.shape[:-2] != right.shape[:-2]:
            raise ValueError(
                "left and right must agree in all axes but the second to last, got "
                f"{tuple(left.shape)} and {tuple(right.shape)}."
            )
        self.left, self.right, self.diagonal = left, right, diagonal
        # Made once: in small networks a view takes as long as a product.
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

    def matvec(self, x: Tensor) -> Tensor:
        """Return K x in O(n r) operations."""
        return self._product(x, self.right, self._rows[0])

    def rmatvec(self, x: Tensor) -> Tensor:
        """Return Kᵀ x in O(n r) operations."""
        return self._product(x, self.left, self._rows[1])

    def _product(self, x: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
        return self.drop_diagonal(matmul(self.all_reduce(matmul(x, columns)), rows), x)

    def bilinear_derivative(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the factors, without an n x n intermediate."""
        grads = [
            matmul(left.mT, self.all_reduce(matmul(right, self.right))),
            matmul(right.mT, self.all_reduce(matmul(left, self.left))),
        ]
        if self.diagonal is not None:
            grads.append(-(left * right).sum(-2))
        return tuple(grads)

    def dense(self) -> Tensor:
        """Return K as a matrix."""
        matrix = self.left @ self.right.mT
        return matrix if self.diagonal is None else matrix - self.diagonal.diag_embed()

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
        gram = self.all_reduce(self.right.mT @ self.right)
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
        mean = self.all_reduce(self.right.sum(-2, keepdim=True)) / self.n_global
        return (self.right @ mean.mT).squeeze(-1)

    def log_mass(self) -> Tensor:
        """Return the logarithm of the sum of K, which must be non-negative, off the diagonal."""
        if bool((self.left < 0).any()) or bool((self.right < 0).any()):
            raise ValueError(
                "A mean degree needs couplings that are not negative; use a FactorizedNetwork "
                "of form 'nonnegative'."
            )
        left, right = self.all_reduce(self.left.sum(-2)), self.all_reduce(self.right.sum(-2))
        own = self.all_reduce(self._own().sum(-1))
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
        if not isinstance(other, FactorizedCoupling) or other.shape != self.shape:
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

    def _with(self, left: Tensor, right: Tensor, diagonal: Tensor | None) -> FactorizedCoupling:
        return FactorizedCoupling(left, right, diagonal)

    def drop_diagonal(self, out: Tensor, x: Tensor) -> Tensor:
        """Subtract the products of the diagonal with ``x`` in place.

        Parameters
        ----------
        out : Tensor of shape (..., m, n)
            What to subtract from.
        x : Tensor of shape (..., m, n)
            Vectors, as rows.

        Returns
        -------
        Tensor of shape (..., m, n)
            The same memory.
        """
        if self.diagonal is None:
            return out
        return out.addcmul_(self.diagonal.unsqueeze(-2), x, value=-1)


class FactorizedPlan(Plan):
    """Products in two steps; what is between them, r numbers for each vector, is noted."""

    coupling: FactorizedCoupling
    is_replayable = True

    def __init__(self, coupling: FactorizedCoupling) -> None:
        super().__init__(coupling)
        self.n_notes = coupling.rank
        # What products go through: first the columns of one factor, then the rows of the other.
        left, right = coupling.left.detach(), coupling.right.detach()
        self._columns, self._rows = (left, right), (left.mT, right.mT)
        large = left.ndim == 2 and left.numel() >= _LARGE
        small = left.numel() < _LARGE and has_small_kernels(left.dtype)
        # A card multiplies factors as rows eight times as fast, once they do not fit its cache.
        of_card = left.is_cuda and left.ndim == 2 and left.numel() >= _LARGE_OF_CARD
        if of_card or (left.is_cpu and (large or small)):
            self._rows = transposed(left), transposed(right)
            if large or of_card:
                self._columns = self._rows[0].mT, self._rows[1].mT

    def matvec(self, x: Tensor, out: Tensor, notes: Notes = None) -> Callable[[int], object]:
        return self._bound(x, out, notes, self._columns[1], self._rows[0])

    def rmatvec(self, x: Tensor, out: Tensor, notes: Notes = None) -> Callable[[int], object]:
        return self._bound(x, out, notes, self._columns[0], self._rows[1])

    def _bound(
        self, x: Tensor, out: Tensor, notes: Notes, columns: Tensor, rows: Tensor
    ) -> Callable[[int], object]:
        coupling = self.coupling
        if notes is None:
            shape = (*out.shape[:-1], coupling.rank)
            notes = out.new_empty(shape).expand(len(x), *shape)
        alone = type(coupling).all_reduce is CouplingOperator.all_reduce
        all_reduce = None if alone else coupling.all_reduce
        product = prepared_pair(x, columns, notes, rows, out, all_reduce)
        if coupling.diagonal is None:
            return product
        each = slots(x)

        def product_without_diagonal(slot: int) -> None:
            product(slot)
            coupling.drop_diagonal(out, each[slot])

        return product_without_diagonal

    def again(self, x: Tensor, notes: Notes, out: Tensor) -> Callable[[], object]:
        assert notes is not None
        rows = self._rows[0]
        n_at_once = few_rows(rows, out)
        parts = zip(notes.split(n_at_once, -2), out.split(n_at_once, -2), strict=True)
        products = [prepared(part.unsqueeze(0), rows, result) for part, result in parts]

        def products_again() -> None:
            for product in products:
                product(0)
            self.coupling.drop_diagonal(out, x)

        return products_again

    def accumulate(
        self,
        total: Sequence[Tensor | None] | None,
        left: tuple[Tensor, Notes],
        right: tuple[Tensor, Notes],
    ) -> Sequence[Tensor | None]:
        """Add to the derivatives with respect to the factors where they are."""
        of_left, of_right = left[1], right[1]
        assert of_left is not None
        assert of_right is not None
        factors = self.coupling.tensors[:2]
        pairs = (left[0], of_right), (right[0], of_left)
        own = () if self.coupling.diagonal is None else (-(left[0] * right[0]).sum(-2),)
        if total is None:
            # Where autocast rounds products, it leaves those alone whose memory is given.
            sums = [torch.empty_like(t, memory_format=_DENSE) for t in factors]
            for found, (rows, notes) in zip(sums, pairs, strict=True):
                matmul(rows.mT, notes, found)
            return (*sums, *own)
        for grad, (rows, notes) in zip(total, pairs):
            assert grad is not None
            if grad.ndim == 2:
                grad.addmm_(rows.mT, notes)
            else:
                stack = (t.flatten(0, -3) for t in (rows.mT, notes))
                grad.flatten(0, -3).baddbmm_(*stack)
        for whole, part in zip(total[2:], own, strict=True):
            assert whole is not None
            whole.add_(part)
        return total


PLANS[FactorizedCoupling] = FactorizedPlan
