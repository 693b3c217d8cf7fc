"""Coordinates in which a table of few rows has as few columns."""

from __future__ import annotations

import torch
from torch import Tensor

# Eigenvalues that are smaller, as a share of the largest, are rounding errors.
_TINY = 1e-9


def row_space(rows: Tensor) -> Tensor:
    """Return orthonormal vectors that are as close to given rows as can be.

    Gradients of a linear layer lie in the space of the rows that it learns from: what it learns
    in these coordinates is what it could learn in all.

    Parameters
    ----------
    rows : Tensor of shape (N, n_columns)
        With more columns than rows.

    Returns
    -------
    Tensor of shape (n_columns, N)
        The vectors, as columns; rows that depend on others have shorter ones. Their order is that
        of the rows, of which each is a vector of its own but for what it has in common with
        others (symmetric orthogonalisation, Löwdin 1950).
    """
    exact = rows.double()
    values, vectors = torch.linalg.eigh(exact @ exact.mT)
    known = values > _TINY * values[-1]
    vectors = vectors[:, known]
    return (exact.mT @ (vectors * values[known].rsqrt() @ vectors.mT)).to(rows.dtype)
