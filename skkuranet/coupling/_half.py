"""Couplings stored in 16 bits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._dense import ROWS_AT_ONCE, StoredCoupling
from skkuranet.coupling._products import exp_below, matmul

HALF_TYPES = (torch.bfloat16, torch.float16)


class HalfCoupling(StoredCoupling):
    """Couplings stored whole in 16 bits, half of what :class:`DenseCoupling` takes.

    Products round the vectors as well, to about three digits, and add up in single precision.
    Phases stay in single precision, and so do the factors of a normalisation, which are kept
    beside the matrix.

    Parameters
    ----------
    matrix : Tensor of shape (..., n_targets, n_sources)
        Couplings in ``torch.bfloat16`` or ``torch.float16``.
    """

    def __init__(self, matrix: Tensor) -> None:
        if matrix.ndim < 2 or matrix.dtype not in HALF_TYPES:
            raise ValueError(
                "matrix must be a tensor of bfloat16 or float16 with at least two axes, got "
                f"{matrix.dtype} of shape {tuple(matrix.shape)}."
            )
        super().__init__(matrix)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the phases, ``torch.float32``."""
        return torch.float32

    def matvec(self, x: Tensor) -> Tensor:
        """Return K x."""
        return matmul(x.to(self.matrix.dtype), self.matrix.mT).to(x.dtype)

    def rmatvec(self, x: Tensor) -> Tensor:
        """Return Kᵀ x."""
        return matmul(x.to(self.matrix.dtype), self.matrix).to(x.dtype)

    def bilinear_derivative(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        """Return the cotangent itself, rounded."""
        return ((left.mT @ right).to(self.matrix.dtype),)

    def rows(self, index: Tensor | Sequence[int] | slice) -> Tensor:
        """Return K[index] in single precision."""
        return self.matrix[..., index, :].to(self.dtype)

    def positive(self, log_mass: Tensor) -> CouplingOperator:
        """Return exp(K - log_mass)."""
        matrix = torch.empty_like(self.matrix)
        for first in range(0, self.shape[-2], ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            matrix[..., rows, :] = exp_below(self.rows(rows) - log_mass[..., None, None])
        return HalfCoupling(matrix)

    def _of(self, matrix: Tensor) -> CouplingOperator:
        return HalfCoupling(matrix)
