"""What training takes for granted of pixels: the more of it, the fewer are labelled."""

from __future__ import annotations

import functools

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from skkuranet.coupling import FourierFeatures

# Bandwidth of place times the mean distance to the next labelled pixel, in radians.
_WAVES = 0.05
# Smoothing, in mean distances to the next labelled pixel, and the least of it, in pixels.
_SMOOTHING, _LEAST_SMOOTHING = 0.1, 1.0
# Radius of guidance, in the same distances.
_GUIDANCE = 0.6
# Largest noise on features.
_NOISE = 0.2


def mean_distances(labelled):
    """Return the mean distance of a pixel to the next labelled one, in each image.

    It is in pixels, half a pixel at least. ``labelled`` says where labelled pixels are, (h, w)
    each.
    """
    return np.array([max(0.5, distance_transform_edt(~here).mean()) for here in labelled])


def n_scattered(sizes, distances):
    """Return how many pixels, labelled here and there at random, would leave as long ways.

    Neighbours say the same: what strokes tell is what a few scattered pixels would. ``sizes`` are
    pixels of each image, ``distances`` those of :func:`mean_distances`.
    """
    # Points of density ρ in a plane are 1 / (2 √ρ) away, on average.
    return float(np.sum(np.asarray(sizes) / (2.0 * distances) ** 2))


def feature_noise(n_scattered):
    """Return how far pixels near a labelled one are like it, in standard deviations of features."""
    return min(_NOISE, 1.0 / np.sqrt(n_scattered))


def smoothing_of(distances):
    """Return over how many pixels pulls are averaged: the more, the farther labels are apart."""
    return float(max(_LEAST_SMOOTHING, _SMOOTHING * distances.mean()))


def guidance_of(distances):
    """Return how far, in pixels, pulls follow the colours of an image.

    It is about as far as labels are apart; 0 where labels are as dense as pixels.
    """
    return round(_GUIDANCE * float(distances.mean()))


def waves_of_place(X, bandwidth, distances=None):
    """Return what makes waves of column and row, the last two features, from a generator; or None.

    ``bandwidth`` is in radians per longer side of the image, or "auto": ``distances`` of
    :func:`mean_distances`, in units of the longer side of each image, then decide.
    """
    if bandwidth == 0:
        return None
    if bandwidth == "auto":
        # Details finer than the labels would be made up.
        bandwidth = _WAVES / distances.mean()
    along = np.zeros(X.shape[1])
    # Coupling networks see features in units of their standard deviation.
    along[-2:] = bandwidth * X[:, -2:].std(axis=0)
    return functools.partial(_waves, torch.from_numpy(along))


def _waves(along, generator):
    return FourierFeatures(along, generator=generator)
