"""Couplings stored as a matrix."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._plan import PLANS, Notes, Plan
from skkuranet.coupling._products import exp_below, matmul, prepared, slots

ROWS_AT_ONCE = 1024
# From this size on memory is the limit: rows are read once for a few vectors, by blocks that stay
# in the cache of a processor.
_LARGE, _FEW, _BLOCK_BYTES = 1 << 22, 4, 1 << 21


class StoredCoupling(CouplingOperator):
    """Couplings that are a matrix (..., n_targets, n_sources) in memory, whatever its type."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix

    @property
    def shape(self) -> torch.Size:
        """Shape (..., n_targets, n_sources)."""
        return self.matrix.shape

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The matrix."""
        return (self.matrix,)

    def log_mass(self) -> Tensor:
        """Return the logarithm of the sum of exp(K) over distinct pairs."""
        sums = []
        # Blocks of rows, so that no second matrix is held.
        for first in range(0, self.shape[-2], ROWS_AT_ONCE):
            rows = self.matrix[..., first : first + ROWS_AT_ONCE, :].to(self.dtype, copy=True)
            rows.diagonal(first, -2, -1).fill_(-torch.inf)
            sums.append(rows.logsumexp((-2, -1)))
        return torch.stack(sums).logsumexp(0)

    def without_self_coupling(self) -> CouplingOperator:
        """Return K with a zero diagonal."""
        matrix = self.matrix.clone()
        matrix.diagonal(0, -2, -1).zero_()
        return self._of(matrix)

    @abstractmethod
    def _of(self, matrix: Tensor) -> CouplingOperator:
        """Couplings of the same kind."""


class DenseCoupling(StoredCoupling):
    """Couplings stored whole: n² numbers, the fastest choice for small networks.

    Parameters
    ----------
    matrix : Tensor of shape (..., n_targets, n_sources)
        Couplings; leading axes are a batch of networks.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling
    >>> K = DenseCoupling(torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
    >>> K.matvec(torch.tensor([1.0, 10.0]))
    tensor([10.,  2.])
    >>> K.rmatvec(torch.tensor([1.0, 10.0]))
    tensor([20.,  1.])
    """

    def __init__(self, matrix: Tensor) -> None:
        if matrix.ndim < 2 or not matrix.is_floating_point():
            raise ValueError(
                "matrix must be a real floating-point tensor of at least two axes, "
                f"got {matrix.dtype} of shape {tuple(matrix.shape)}."
            )
        super().__init__(matrix)
        # Made once: in small networks a view takes as long as a product.
        self._columns = matrix.mT

    def matvec(self, x: Tensor) -> Tensor:
        """Return K x."""
        if self.streams(x):
            return self.stream(x, x.new_empty((len(x), len(self.matrix))))
        return matmul(x, self._columns)

    def stream(self, x: Tensor, out: Tensor) -> Tensor:
        """Write products with a large matrix by blocks of rows.

        Parameters
        ----------
        x : Tensor of shape (m, n_sources)
            Few vectors, as rows.
        out : Tensor of shape (m, n_targets)
            Where products go.

        Returns
        -------
        Tensor of shape (m, n_targets)
            The same memory.
        """
        matrix = self.matrix
        with torch.no_grad():
            rows = max(1, _BLOCK_BYTES // (matrix.shape[1] * matrix.element_size()))
            for block, part in zip(matrix.split(rows), out.split(rows, -1), strict=True):
                for source, target in zip(x, part, strict=True):
                    torch.mv(block, source, out=target)
        return out

    def streams(self, x: Tensor) -> bool:
        """Say whether products of a large matrix go by blocks of rows, which have no graph.

        Parameters
        ----------
        x : Tensor of shape (m, n_sources) or (m, n_targets)
            Vectors, or where their products go.

        Returns
        -------
        bool
        """
        matrix = self.matrix
        differentiable = torch.is_grad_enabled() and (matrix.requires_grad or x.requires_grad)
        few = matrix.ndim == x.ndim == 2 and len(x) <= _FEW and matrix.numel() >= _LARGE
        return few and not differentiable and matrix.is_contiguous() and matrix.is_cpu

    def rmatvec(self, x: Tensor) -> Tensor:
        """Return Kᵀ x."""
        return matmul(x, self.matrix)

    def bilinear_derivative(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        """Return the cotangent itself."""
        return (left.mT @ right,)

    def rows(self, index: Tensor | Sequence[int] | slice) -> Tensor:
        """Return K[index]."""
        return self.matrix[..., index, :]

    def degree(self, order: int) -> Tensor:
        """Return sums of powers of the strengths."""
        if order == 1:
            return torch.linalg.vector_norm(self.matrix, ord=1, dim=-1)
        return torch.linalg.vecdot(self.matrix, self.matrix)

    def positive(self, log_mass: Tensor) -> CouplingOperator:
        """Return exp(K - log_mass)."""
        return DenseCoupling(exp_below(self.matrix - log_mass[..., None, None]))

    def scale(self, left: Tensor | None, right: Tensor | None) -> CouplingOperator:
        """Return diag(left) K diag(right)."""
        matrix = self.matrix
        if left is not None:
            matrix = left.unsqueeze(-1) * matrix
        if right is not None:
            fresh = left is not None and not torch.is_grad_enabled()
            times = matrix.mul_ if fresh else matrix.mul
            matrix = times(right.unsqueeze(-2))
        return DenseCoupling(matrix)

    def transpose(self) -> CouplingOperator:
        """Return Kᵀ."""
        return DenseCoupling(self.matrix.mT)

    def add(self, other: CouplingOperator) -> CouplingOperator:
        """Return K + other."""
        if isinstance(other, DenseCoupling) and other.shape == self.shape:
            return DenseCoupling(self.matrix + other.matrix)
        return super().add(other)

    def _of(self, matrix: Tensor) -> CouplingOperator:
        return DenseCoupling(matrix)


class DensePlan(Plan):
    """Products with a matrix, by whichever library is faster."""

    coupling: DenseCoupling
    keeps_products = True

    def __init__(self, coupling: DenseCoupling) -> None:
        super().__init__(coupling)
        # Where launches take longer than the product, and a second matrix is no burden.
        self.is_replayable = coupling.matrix.numel() < _LARGE

    def matvec(self, x: Tensor, out: Tensor, notes: Notes = None) -> Callable[[int], object]:
        if self.coupling.streams(out):
            each = slots(x)
            return lambda slot: self.coupling.stream(each[slot], out)
        return prepared(x, self.coupling.matrix.mT, out)

    def rmatvec(self, x: Tensor, out: Tensor, notes: Notes = None) -> Callable[[int], object]:
        return prepared(x, self.coupling.matrix, out)


PLANS[DenseCoupling] = DensePlan
