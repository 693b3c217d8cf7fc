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
# Largest noise on features.
_NOISE = 0.2
# Labelled pixels for each unit of the sharpness of memberships, and its limits.
_PIXELS, _SHARPNESS = 1000, (1.0, 10.0)


def n_scattered(labelled):
    """Return how many pixels, labelled here and there at random, would leave as long ways.

    Neighbours say the same: what strokes tell is what a few scattered pixels would.

    Parameters
    ----------
    labelled : list of ndarray of shape (h, w), bool
        Where labelled pixels are, in each image.

    Returns
    -------
    float
    """
    # Points of density ρ in a plane are 1 / (2 √ρ) away, on average.
    return sum(here.size / (2.0 * _mean_distance(here)) ** 2 for here in labelled)


def final_sharpness(n_scattered):
    """Return how sharp memberships become: few labels leave open where boundaries are.

    Parameters
    ----------
    n_scattered : float
        See :func:`n_scattered`.

    Returns
    -------
    float
    """
    return float(np.clip(n_scattered / _PIXELS, *_SHARPNESS))


def feature_noise(n_scattered):
    """Return how far pixels near a labelled one are like it, in standard deviations of features.

    Parameters
    ----------
    n_scattered : float
        See :func:`n_scattered`.

    Returns
    -------
    float
    """
    return min(_NOISE, 1.0 / np.sqrt(n_scattered))


def smoothing_of(labelled):
    """Return over how many pixels pulls are averaged: the more, the farther labels are apart.

    Parameters
    ----------
    labelled : list of ndarray of shape (h, w), bool
        Where labelled pixels are, in each image.

    Returns
    -------
    float
    """
    distance = np.mean([_mean_distance(here) for here in labelled])
    return float(max(_LEAST_SMOOTHING, _SMOOTHING * distance))


def waves_of_place(X, labelled, bandwidth):
    """Return what makes waves of column and row, the last two features.

    Parameters
    ----------
    X : ndarray of shape (n_labelled, n_features)
        Features of the labelled pixels.
    labelled : list of ndarray of shape (h, w), bool
        Where they are, in each image.
    bandwidth : "auto" or float
        What the user says, in radians per longer side of the image.

    Returns
    -------
    callable or None
        From a generator to the encoding.
    """
    if bandwidth == 0:
        return None
    if bandwidth == "auto":
        # Details finer than the labels would be made up.
        bandwidth = _WAVES / np.mean([_mean_distance(here) / max(here.shape) for here in labelled])
    along = np.zeros(X.shape[1])
    # Coupling networks see features in units of their standard deviation.
    along[-2:] = bandwidth * X[:, -2:].std(axis=0)
    return functools.partial(_waves, torch.from_numpy(along))


def _mean_distance(labelled):
    """Mean distance of a pixel to the next labelled one, half a pixel at least."""
    return max(0.5, distance_transform_edt(~labelled).mean())


def _waves(along, generator):
    return FourierFeatures(along, generator=generator)
