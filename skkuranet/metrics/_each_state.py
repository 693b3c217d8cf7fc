"""Measures of each state in an array of phases, which may be masked."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from skkuranet.estimators._arrays import on_host


def each_state(measure, phases, labels=None):
    """Measure each state, by the oscillators that are not masked in it.

    ``measure`` takes phases (..., n), and labels (n,) where they are given.
    """
    phases = np.atleast_1d(on_host(phases))
    known, given = ~is_masked(phases), ()
    if labels is not None:
        given = (column_or_1d(labels),)
        check_consistent_length(np.moveaxis(phases, -1, 0), *given)
        known = known & ~is_masked(labels).ravel()
    phases = np.asarray(phases)
    if known.all():
        return _plain(measure(checked(phases), *given))
    scores = [
        measure(checked(phases[at][known[at]]), *(one[known[at]] for one in given))
        for at in np.ndindex(phases.shape[:-1])
    ]
    return _plain(np.reshape(scores, phases.shape[:-1]))


def is_masked(array):
    """Return where an array is masked: nowhere, if it is none of :mod:`numpy.ma`."""
    masks = isinstance(array, np.ma.MaskedArray)
    return np.ma.getmaskarray(array) if masks else np.zeros(np.shape(array), dtype=bool)


def checked(phases):
    """Return phases in double precision, of which there are some and all are finite."""
    return check_array(
        phases, dtype=np.float64, ensure_2d=False, allow_nd=True, input_name="phases"
    )


def _plain(found):
    found = np.asarray(found)
    return found.item() if found.ndim == 0 else found
