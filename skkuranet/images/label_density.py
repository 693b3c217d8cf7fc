"""What training takes for granted of pixels: the more of it, the fewer are labelled."""

from __future__ import annotations

import functools

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from skkuranet.coupling import FourierFeatures

# Bandwidth of place times the mean distance to the next labelled pixel, in radians.
_WAVES = 0.05
# Smoothing, in mean distances to the next labelled pixel, and in pixels where that is less.
_SMOOTHING, _LEAST_SMOOTHING = 0.1, 1.0
# Radius of guidance, in the same distances.
_GUIDANCE = 0.6
# Largest noise on features, and the number of features that it is for.
_NOISE, _FEATURES = 0.2, 5
# Density^(1 / n_axes) times the mean distance to the next of points that lie at random.
_SCATTERED = {2: 0.5, 3: 0.554}
# Pixels of a step and steps of the fewest labels, and steps for each pixel that is scattered.
_LEAST_ROWS, _LEAST_STEPS, _STEPS = 64, 150, 7


def mean_distance(labelled):
    """Return the mean distance of a pixel to the next labelled one, half a pixel at least.

    ``labelled`` says where labelled pixels are, (h, w), or (d, h, w) of a volume.
    """
    return max(0.5, float(distance_transform_edt(~labelled).mean()))


def n_scattered(sizes, distances, n_axes=2):
    """Return how many pixels, labelled here and there at random, would leave as long ways.

    Neighbours say the same: what strokes tell is what a few scattered pixels would. ``sizes`` are
    pixels of each image, ``distances`` those of :func:`mean_distance`.
    """
    return float(np.sum(np.asarray(sizes) * (_SCATTERED[n_axes] / distances) ** n_axes))


def feature_noise(n_scattered, n_features):
    """Return how far pixels near a labelled one are like it, in standard deviations of features.

    That of many features averages out, and may be the larger.
    """
    return min(_NOISE, 1.0 / np.sqrt(n_scattered)) * max(1.0, n_features / _FEATURES) ** 0.5


def closed_form_plan(n_scattered):
    """Return the pixels of each step, and the steps, that labels which say so much take at most."""
    return max(_LEAST_ROWS, round(n_scattered)), max(_LEAST_STEPS, round(_STEPS * n_scattered))


def smoothing_of(distances, share=1.0):
    """Return over how many pixels pulls are averaged: the more, the farther labels are apart.

    ``share`` says how much of that it is to be, down to 0 for none.
    """
    return share * max(_LEAST_SMOOTHING, _SMOOTHING * float(distances.mean()))


def guidance_of(distances, share=1.0):
    """Return how far, in pixels, pulls follow the colours of an image.

    It is about as far as labels are apart, or a ``share`` of it; 0 where labels are as dense as
    pixels.
    """
    return round(share * _GUIDANCE * float(distances.mean()))


def waves_of_place(X, bandwidth, distances=None, n_axes=2):
    """Return what makes waves of place, the last ``n_axes`` features, from a generator; or None.

    ``bandwidth`` is in radians per longest side of the image, or "auto": ``distances`` of
    :func:`mean_distance`, in units of the longest side of each image, then decide.
    """
    if bandwidth == 0:
        return None
    if bandwidth == "auto":
        # Details finer than the labels would be made up.
        bandwidth = _WAVES / distances.mean()
    along = np.zeros(X.shape[1])
    # Coupling networks see features in units of their standard deviation.
    along[-n_axes:] = bandwidth * X[:, -n_axes:].std(axis=0)
    return functools.partial(_waves, torch.from_numpy(along))


def _waves(along, generator):
    return FourierFeatures(along, generator=generator)
