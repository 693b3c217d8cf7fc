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
    """Return one row of each set of equal rows of a class, sorted by class, and sums of weights.

    Rows are indices into ``X`` (n, n_features), classes are ``codes`` (n,); ``weights`` (n,) or
    None counts all rows alike. What is learned from these rows depends neither on the order of the
    table nor on whether rows are repeated or count more.
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
    """Return int64 numbers (n,) that, but for an accident, are equal for equal rows alone."""
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
