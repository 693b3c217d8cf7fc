"""Couplings stored in 16 bits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._dense import ROWS_AT_ONCE, StoredCoupling
from skkuranet.coupling._products import exp_below, matmul

HALF_TYPES = (torch.bfloat16, torch.float16)
# Cards multiply large matrices of 16 bits three times as fast if rows and columns are whole tiles.
_TILE, _LARGE = 64, 1 << 22


class HalfCoupling(StoredCoupling):
    """Couplings stored whole in 16 bits, half of what :class:`DenseCoupling` takes.

    Products round the vectors as well, to about three digits, and add up in single precision.
    Phases stay in single precision, and so do the factors of a normalisation, which are kept
    beside the matrix.

    Parameters
    ----------
    matrix : Tensor of shape (..., n_targets, n_sources)
        Couplings in ``torch.bfloat16`` or ``torch.float16``.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import HalfCoupling
    >>> K = HalfCoupling(torch.tensor([[0.0, 1.0], [2.0, 0.0]], dtype=torch.bfloat16))
    >>> K.matvec(torch.tensor([1.0, 10.0]))
    tensor([10.,  2.])
    """

    def __init__(self, matrix: Tensor) -> None:
        if matrix.ndim < 2 or matrix.dtype not in HALF_TYPES:
            raise ValueError(
                "matrix must be a tensor of bfloat16 or float16 with at least two axes, got "
                f"{matrix.dtype} of shape {tuple(matrix.shape)}."
            )
        super().__init__(matrix)
        #: The matrix with as many zeros behind as it was given room for.
        self._whole = matrix

    @property
    def dtype(self) -> torch.dtype:
        """Type of the phases, ``torch.float32``."""
        return torch.float32

    def matvec(self, x: Tensor) -> Tensor:
        """Return K x."""
        return self._product(x, self._whole.mT, self.shape[-2])

    def rmatvec(self, x: Tensor) -> Tensor:
        """Return Kᵀ x."""
        return self._product(x, self._whole, self.shape[-1])

    def _product(self, x: Tensor, matrix: Tensor, n_results: int) -> Tensor:
        missing = matrix.shape[-2] - x.shape[-1]
        rounded = x.to(matrix.dtype)
        if missing:
            rounded = torch.nn.functional.pad(rounded, (0, missing))
        return matmul(rounded, matrix)[..., :n_results].to(x.dtype)

    def bilinear_derivative(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        """Return the cotangent itself, rounded."""
        return ((left.mT @ right).to(self.matrix.dtype),)

    def rows(self, index: Tensor | Sequence[int] | slice) -> Tensor:
        """Return K[index] in single precision."""
        return self.matrix[..., index, :].to(self.dtype)

    def positive(self, log_mass: Tensor) -> CouplingOperator:
        """Return exp(K - log_mass)."""
        made = self._with_room()
        for first in range(0, self.shape[-2], ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            made.matrix[..., rows, :] = exp_below(self.rows(rows) - log_mass[..., None, None])
        return made

    def without_self_coupling(self) -> CouplingOperator:
        """Return K with a zero diagonal."""
        made = self._with_room()
        made.matrix.copy_(self.matrix)
        made.matrix.diagonal(0, -2, -1).zero_()
        return made

    def _with_room(self) -> HalfCoupling:
        """Return couplings of this shape to be written, which a card multiplies fast."""
        *batch, n, p = self.shape
        padded = [-(-size // _TILE) * _TILE for size in (n, p)]
        if not self.matrix.is_cuda or self.matrix.numel() < _LARGE or padded == [n, p]:
            return HalfCoupling(torch.empty_like(self.matrix))
        whole = self.matrix.new_zeros((*batch, *padded))
        made = HalfCoupling(whole[..., :n, :p])
        made._whole = whole
        return made

    def _of(self, matrix: Tensor) -> CouplingOperator:
        return HalfCoupling(matrix)
