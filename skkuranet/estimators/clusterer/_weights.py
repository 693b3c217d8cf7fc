"""What rows count for, and which of them are left out."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import _check_sample_weight

from skkuranet._utils.messages import naming, plain
from skkuranet.estimators._arrays import check_kind, on_host

# Labelled rows from which on a tenth is held out to calibrate probabilities.
_CALIBRATED = 40


def checked_weights(sample_weight: Any, X: Any) -> np.ndarray:
    """Return what rows of X count for, (n,); raise ValueError if they cannot be that."""
    check_kind(sample_weight, "sample_weight")
    with naming("sample_weight"):
        weights = _check_sample_weight(
            on_host(sample_weight), on_host(X), dtype=float, ensure_non_negative=True
        )
    # Scaled so that sums of them and of their squares do not overflow; by a power of two, which
    # rounds nothing.
    return np.ldexp(weights, -np.frexp(weights.max(initial=0.0))[1])


def with_class_weight(
    weights: np.ndarray, codes: np.ndarray, classes: np.ndarray, class_weight: Any
) -> np.ndarray:
    """Return what rows count for, times the weight of their class; -1 are of none."""
    known = codes >= 0
    if class_weight is None or not known.any():
        return weights
    of_class = compute_class_weight(
        class_weight, classes=classes, y=classes[codes[known]], sample_weight=weights[known]
    )
    bad = np.flatnonzero(~(np.isfinite(of_class) & (of_class > 0.0)))
    if len(bad):
        raise ValueError(
            f"class_weight must be positive for each class in y, got {plain(of_class[bad[0]])} "
            f"for {plain(classes[bad[0]])}. Set sample_weight=0 for rows that do not count."
        )
    return weights * np.where(known, of_class[codes.clip(0)], 1.0)


def effective_number(weights: np.ndarray) -> float:
    """Return how many rows would say as much if all counted alike, after Kish."""
    return weights.sum() ** 2 / np.sum(weights**2)


def last_of_each_class(codes: np.ndarray) -> np.ndarray | None:
    """Return the last tenth of the rows of each class; None where that is none.

    The order of rows says nothing.
    """
    if np.sum(codes >= 0) < _CALIBRATED:
        return None
    counts = np.bincount(codes[codes >= 0])
    first = np.concatenate(([0], np.cumsum(counts)))
    last = [np.arange(b - (b - a) // 10, b) for a, b in pairwise(first)]
    found = np.flatnonzero(codes >= 0)[np.concatenate(last)]
    return found if len(found) else None
