"""Rows of a raster: their order, how many are shown, and their names."""

from __future__ import annotations

import numpy as np

from skkuranet.inspection._colours import wrapped

# Times, and oscillators, that a raster shows; of more, some are left out.
_MOST_CELLS = 2000


def _as_given(values, frequency, labels):
    return np.arange(values.shape[1]), "oscillator"


def _by_frequency(values, frequency, labels):
    if frequency is None:
        raise ValueError("sort='frequency' needs natural frequencies; set frequency.")
    return np.argsort(frequency, kind="stable"), "oscillators, the slowest at the bottom"


def _by_label(values, frequency, labels):
    if labels is None:
        raise ValueError("sort='label' needs labels; set labels.")
    second = np.zeros(len(labels)) if frequency is None else frequency
    return np.lexsort((second, labels)), "oscillators by label"


def _by_phase(values, frequency, labels):
    last = wrapped(values[-1] - np.angle(np.exp(1j * values[-1]).mean()))
    return np.argsort(last, kind="stable"), "oscillators by their phase at the end"


ORDERS = {
    "frequency": _by_frequency,
    "label": _by_label,
    "phase": _by_phase,
    "none": _as_given,
}


def thinned(size):
    """Return numbers of rows, evenly spread if there are too many."""
    return np.unique(np.linspace(0, size - 1, min(size, _MOST_CELLS)).round().astype(int))


def edges(centres):
    """Return the edges of cells around points in order."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate(
        ([1.5 * centres[0] - 0.5 * centres[1]], middle, [1.5 * centres[-1] - 0.5 * centres[-2]])
    )


def name_rows(ax, labels):
    """Name the groups of sorted rows along the axis, and part them by lines."""
    classes, first, counts = np.unique(labels, return_index=True, return_counts=True)
    ax.set_yticks(first + (counts - 1) / 2, labels=[*map(str, classes)])
    ax.tick_params(axis="y", length=0)
    for edge in np.sort(first)[1:]:
        ax.axhline(edge - 0.5, color="w", linewidth=1.0)
