"""Distinct rows of a table, in an order that does not depend on that of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from skkuranet.estimators._arrays import Table

# Rows that are hashed at once.
_ROWS_AT_ONCE = 1 << 16


def distinct_rows(X: Table, codes: np.ndarray, weights: np.ndarray | None):
    """Merge equal rows of the same class.

    What is learned from the rows that are left depends neither on the order of the table nor on
    whether rows are repeated or count more.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n, n_features)
    codes : ndarray of shape (n,), int
        Class of each row.
    weights : ndarray of shape (n,) or None
        What each row counts for; None counts all alike.

    Returns
    -------
    index : ndarray of shape (n_distinct,), int
        One of each set of equal rows, sorted by class.
    weights : ndarray of shape (n_distinct,), float
        Sums of their weights.
    """
    keys = row_hashes(X)
    order = np.lexsort((keys, codes))
    alike = np.zeros(len(order), dtype=bool)
    alike[1:] = (keys[order][1:] == keys[order][:-1]) & (codes[order][1:] == codes[order][:-1])
    # Two rows of one hash are equal but for an accident.
    second = np.flatnonzero(alike)
    pairs = X[order[second]] == X[order[second - 1]]
    alike[second] = np.asarray(pairs.all(-1).cpu() if hasattr(pairs, "cpu") else pairs.all(-1))
    first = np.flatnonzero(~alike)
    counted = np.ones(len(order)) if weights is None else weights[order]
    return order[first], np.add.reduceat(counted, first)


def row_hashes(X: Table) -> np.ndarray:
    """Numbers that are equal for equal rows and, but for an accident, for no others.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n, n_features)

    Returns
    -------
    ndarray of shape (n,), int64
        On the host.
    """
    generator = torch.Generator().manual_seed(0)
    bound = torch.iinfo(torch.int64)
    factors = torch.randint(bound.min, bound.max, (X.shape[1],), generator=generator) | 1
    found = []
    for first in range(0, len(X), _ROWS_AT_ONCE):
        part = X[first : first + _ROWS_AT_ONCE]
        part = part if isinstance(part, torch.Tensor) else torch.from_numpy(np.array(part))
        # Adding 0 makes one zero of two.
        bits = (part.double() + 0.0).view(torch.int64)
        # Numbers of few digits differ in their upper bits alone.
        bits = (bits ^ (bits >> 32)) * factors.to(bits.device)
        found.append((bits ^ (bits >> 29)).sum(-1).cpu().numpy())
    return np.concatenate(found)
