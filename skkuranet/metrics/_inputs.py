"""Phases, labels and segmentations as users bring them, of which some may be masked."""

from __future__ import annotations

import numpy as np

from skkuranet._utils.given import as_labels, real_array
from skkuranet.estimators._arrays import on_host


def read_phases(phases, name="phases", least_axes=1):
    """Return phases (..., n) in double precision, masked where they were.

    Raise TypeError where there are no real numbers, and ValueError where there are none at all or
    some are not finite.
    """
    found = read_real(phases, name)
    found = np.atleast_1d(found) if least_axes == 1 else found
    if found.ndim < least_axes:
        raise ValueError(
            f"{name} must have shape (T, ..., n), times first, got shape {found.shape}."
        )
    if not found.size:
        raise ValueError(f"{name} has no phases, got shape {found.shape}.")
    return found


def read_real(value, name):
    """Return real numbers in double precision, finite but for masked ones."""
    value = _hosted(value, name)
    found = real_array(np.ma.getdata(value) if np.ma.isMA(value) else value, name)
    found = found.astype(np.float64)
    if np.ma.isMA(value):
        found = np.ma.masked_array(found, np.ma.getmaskarray(value))
    bad = ~np.isfinite(np.asarray(found)) & ~is_masked(found)
    if bad.any():
        raise ValueError(
            f"{name} must be finite; {int(bad.sum())} of its {found.size} values are not. Mask "
            "them, or leave them out."
        )
    return found


def read_labels(labels, n, name="labels"):
    """Return labels (n,) of n units, each equal to itself, masked where they were."""
    found = as_labels(_hosted(labels, name), name)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.shape != (n,):
        raise ValueError(
            f"{name} must hold one label for each of the {n} units on the last axis of phases, got "
            f"shape {found.shape}."
        )
    return found


def read_segmentation(labels, name):
    """Return whole numbers of any shape, with anything where they are masked."""
    # What a mask hides need not be a label.
    labels = _hosted(labels, name)
    try:
        labels = np.asarray(labels.filled(0) if np.ma.is_masked(labels) else labels)
    except ValueError as error:
        raise ValueError(f"{name} must be an array of labels, with rows of one length.") from error
    if not labels.size:
        raise ValueError(f"{name} has no pixels.")
    if labels.dtype.kind in "iub":
        return labels.astype(np.int64)
    whole = labels.dtype.kind == "f" and bool((np.abs(labels) < 2.0**63).all())
    rounded = labels.astype(np.int64) if whole else None
    if rounded is None or not np.array_equal(rounded, labels):
        raise ValueError(f"{name} must hold whole numbers, one label for each pixel.")
    return rounded


def is_masked(array):
    """Return where an array is masked: nowhere, if it is none of :mod:`numpy.ma`."""
    masks = isinstance(array, np.ma.MaskedArray)
    return np.ma.getmaskarray(array) if masks else np.zeros(np.shape(array), dtype=bool)


def _hosted(value, name):
    try:
        return on_host(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a dense array, got {type(value).__name__}.") from error
