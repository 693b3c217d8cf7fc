"""Measures of each state in an array of phases, which may be masked."""

from __future__ import annotations

import numpy as np

from skkuranet.metrics._inputs import is_masked, read_labels, read_phases


def each_state(measure, phases, labels=None, name="phases"):
    """Measure each state, by the oscillators that are not masked in it.

    ``measure`` takes phases (..., n), and labels (n,) where they are given. ``name`` is that of the
    parameter that holds the phases.
    """
    phases = read_phases(phases, name)
    known, given = ~is_masked(phases), ()
    if labels is not None:
        labels = read_labels(labels, phases.shape[-1])
        known, given = known & ~is_masked(labels), (np.asarray(labels),)
    phases = np.asarray(phases)
    if known.all():
        return _plain(measure(phases, *given))
    if not known.any(-1).all():
        raise ValueError(f"{name} has a state of which everything is masked. Leave it out.")
    scores = [
        measure(phases[at][known[at]], *(one[known[at]] for one in given))
        for at in np.ndindex(phases.shape[:-1])
    ]
    return _plain(np.reshape(scores, phases.shape[:-1]))


def _plain(found):
    found = np.asarray(found)
    return found.item() if found.ndim == 0 else found
