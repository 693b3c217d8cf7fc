"""Displays and animations, drawn on axes of their own, and parameters that make sense of each."""

import numpy as np
from estimators import IMAGE, SCRIBBLES, TINY, X, Y
from functions import FEW, LABELS, NETWORK, PATH, K
from matplotlib import pyplot
from matplotlib.figure import Figure
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._testing import ignore_warnings

from skkuranet import KuraNetClusterer, KuraNetSegmenter, KuraNetSynchronizer, analysis
from skkuranet import inspection as shown

PHASES = PATH.phases[-1]
FREQUENCY = np.linspace(-1.0, 1.0, 6)


def drawn(make, plot=()):
    """Return a function that makes a display and plots it, with ``plot`` as what it plots by."""

    def draw(**given):
        options = {name: given.pop(name) for name in plot}
        return make(**given).plot(ax=Figure(figsize=(2, 2)).add_subplot(), **options)

    return draw


def at_once(make):
    """Return a function that makes and plots a display on axes of its own."""

    def draw(**given):
        return make(ax=Figure(figsize=(2, 2)).add_subplot(), **given)

    return draw


def segmentation(**given):
    """Draw an image with its segments."""
    n_pictures = 3 + (given["mask"] is not None) + (given["margins"] is not None)
    axes = Figure(figsize=(2, 2)).subplots(1, n_pictures)
    return shown.SegmentationDisplay(**given).plot(axes=axes)


def animated(**given):
    """Animate, and close what was drawn."""
    try:
        return repr(shown.animate(**given))
    finally:
        pyplot.close("all")


@ignore_warnings(category=(ConvergenceWarning, UserWarning))
def calls():
    """Return a function of each display, and good parameters."""
    clusterer = KuraNetClusterer(**TINY).fit(X, Y)
    synchronizer = KuraNetSynchronizer(frequency=0, **TINY).fit(X)
    segmenter = KuraNetSegmenter(**TINY).fit(IMAGE, SCRIBBLES)
    values = [0.5, 1.0]
    found = analysis.sweep(NETWORK, "coupling_scale", values, step_size=0.1, n_transient=5, **FEW)
    raster = {"kind": "raster", "sort": "phase", "comoving": True}
    return {
        "CouplingMatrixDisplay": (
            drawn(shown.CouplingMatrixDisplay, ("robust",)),
            {"coupling": K, "labels": LABELS, "robust": True},
        ),
        "CouplingMatrixDisplay.from_estimator": (
            at_once(shown.CouplingMatrixDisplay.from_estimator),
            {"estimator": clusterer, "X": X, "y": Y},
        ),
        "FanInDisplay": (
            drawn(shown.FanInDisplay),
            {"fan_in": K[:3, :2], "edges_x": np.arange(3.0), "edges_y": np.arange(4.0)},
        ),
        "FanInDisplay.from_estimator": (
            at_once(shown.FanInDisplay.from_estimator),
            {"estimator": synchronizer, "X": X, "features": (0, 1), "names": None, "bins": 3},
        ),
        "NetworkDisplay": (
            drawn(shown.NetworkDisplay, ("max_lines",)),
            {
                "K": K,
                "values": PHASES,
                "kind": "phase",
                "positions": "circular",
                "names": None,
                "max_lines": 5,
            },
        ),
        "NetworkDisplay.from_network": (
            at_once(shown.NetworkDisplay.from_network),
            {"network": NETWORK, "trajectory": PATH, "values": None, "random_state": 0},
        ),
        "PhaseDisplay": (drawn(shown.PhaseDisplay), {"phases": PHASES, "labels": LABELS}),
        "PhaseDisplay.from_estimator": (
            at_once(shown.PhaseDisplay.from_estimator),
            {"estimator": clusterer, "X": X, "y": Y, "random_state": 0},
        ),
        "PhaseDisplay.move": (
            shown.PhaseDisplay(PHASES).plot(ax=Figure().add_subplot()).move,
            {"phases": PHASES},
        ),
        "PhaseLandscapeDisplay": (
            drawn(shown.PhaseLandscapeDisplay),
            {
                "grid_x": np.arange(3.0),
                "grid_y": np.arange(2.0),
                "phases": np.ones((2, 3)),
                "points": np.ones((6, 2)),
                "labels": LABELS,
            },
        ),
        "PhaseLandscapeDisplay.from_estimator": (
            at_once(shown.PhaseLandscapeDisplay.from_estimator),
            {"estimator": clusterer, "X": X, "y": Y, "grid_resolution": 3, "margin": 0.5},
        ),
        "SegmentationDisplay": (
            segmentation,
            {
                "image": IMAGE,
                "phases": IMAGE,
                "labels": SCRIBBLES,
                "mask": SCRIBBLES,
                "unlabeled": -1,
                "margins": IMAGE,
            },
        ),
        "SegmentationDisplay.from_estimator": (
            lambda mask, **given: shown.SegmentationDisplay.from_estimator(
                mask=mask,
                axes=Figure(figsize=(2, 2)).subplots(1, 3 + (mask is not None)),
                **given,
            ),
            {"estimator": segmenter, "image": IMAGE, "mask": SCRIBBLES},
        ),
        "SpectrumDisplay": (
            drawn(shown.SpectrumDisplay),
            {"values": [-1.0, 0.3j], "kind": "eigenvalues", "tolerance": 1e-6},
        ),
        "SweepDisplay": (
            drawn(shown.SweepDisplay),
            {
                "values": values,
                "up": [0.1, 0.9],
                "down": [0.4, 0.9],
                "spread": np.full((2, 2), 0.1),
            },
        ),
        "SweepDisplay.from_sweep": (
            at_once(shown.SweepDisplay.from_sweep),
            {"sweep": found, "measure": "order_parameter"},
        ),
        "TrajectoryDisplay": (
            drawn(shown.TrajectoryDisplay, ("kind", "sort", "comoving")),
            {"trajectory": PATH, "frequency": FREQUENCY, "labels": LABELS, **raster},
        ),
        "TrajectoryDisplay of frequencies": (
            drawn(shown.TrajectoryDisplay, ("kind", "window")),
            {"trajectory": PATH, "frequency": FREQUENCY, "kind": "frequency", "window": None},
        ),
        "TrajectoryDisplay.from_network": (
            at_once(shown.TrajectoryDisplay.from_network),
            {"network": NETWORK, "labels": LABELS, "step_size": 0.1, **FEW},
        ),
        "animate": (
            animated,
            {
                "trajectory": PATH,
                "path": None,
                "labels": LABELS,
                "network": K,
                "positions": "circular",
                "n_frames": 2,
                "fps": 20,
                "dpi": 30,
            },
        ),
    }


CALLS = calls()
#: Names under which errors speak of a parameter.
ALSO = {
    "bins": {"features"},
    "fan_in": {"edges_x", "edges_y"},
    "edges_x": {"fan_in"},
    "edges_y": {"fan_in"},
    "grid_x": {"phases"},
    "grid_y": {"phases"},
    "image": {"phases", "labels", "mask"},
    "mask": {"image"},
    "network": {"K", "OscillatorNetwork"},
    "phases": {"labels"},
    "points": {"labels"},
    "random_state": {"seed", "Seed"},
    "y": {"labels"},
}
