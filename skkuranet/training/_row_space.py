"""Coordinates in which few rows have few columns."""

from __future__ import annotations

import torch
from torch import Tensor

# Eigenvalues that are smaller, as a share of the largest, are rounding errors.
_TINY = 1e-9


def row_space(rows: Tensor) -> Tensor:
    """Return orthonormal vectors (n_columns, N) as close to rows (N, n_columns) as can be.

    There are fewer rows than columns. Gradients of a linear layer lie in the space of the rows that
    it learns from, so that it learns the same in these coordinates. Each vector is its row, less
    what it shares with others (symmetric orthogonalisation, Löwdin 1950); rows that depend on
    others have shorter ones.
    """
    exact = rows.double()
    values, vectors = torch.linalg.eigh(exact @ exact.mT)
    known = values > _TINY * values[-1]
    vectors = vectors[:, known]
    return (exact.mT @ (vectors * values[known].rsqrt() @ vectors.mT)).to(rows.dtype)
