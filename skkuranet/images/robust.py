"""Pixels without data, hot ones, and the units of channels."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import distance_transform_edt

# Share of the pixels, at either end, that say nothing of the range of a channel.
_EXTREME = 0.002
# Pixels of which one may be such.
_FEW = 50
# Ranges that a pixel may be beyond the range before it counts as hot.
_BEYOND = 1.0
# Ranges between a value and all others from which on it seems to stand for no data, and how many
# others there have to be, so that these have a range.
_APART, _OTHERS = 10.0, 10
# Pixels that ranges are taken from, about.
_SAMPLE = 1_000_000


def without_data(image, nodata):
    """Return which pixels of an image (*shape, n_channels) have no data, or None if all have.

    It is those that are masked, and those that are ``nodata`` in all channels (NaN: in any).
    """
    missing = np.zeros(image.shape[:-1], dtype=bool)
    if isinstance(image, np.ma.MaskedArray):
        missing |= np.ma.getmaskarray(image).any(axis=-1)
    if nodata is not None:
        pixels = np.asarray(image)
        nan = nodata != nodata
        missing |= np.isnan(pixels).any(axis=-1) if nan else (pixels == nodata).all(axis=-1)
    return missing if missing.any() else None


def filled(image, missing):
    """Return an image whose pixels without data are like the nearest that has some."""
    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    return image[tuple(nearest)]


def _sample(image):
    """Return evenly spaced pixels of an image, (n, n_channels)."""
    n_axes = image.ndim - 1
    step = max(1, round((math.prod(image.shape[:-1]) / _SAMPLE) ** (1 / n_axes)))
    return image[(slice(None, None, step),) * n_axes].reshape(-1, image.shape[-1])


def seems_no_data(image):
    """Return the value of many pixels that is far from those of all others, or None."""
    pixels = _sample(image)
    for value in (pixels[:, 0].min(), pixels[:, 0].max()):
        same = (pixels == value).all(axis=1)
        others = np.unique(pixels[~same, 0]).astype(np.float64)
        if np.mean(same) > _EXTREME and len(others) > _OTHERS:
            away = np.abs(others - np.float64(value)).min()
            if away > _APART * (others[-1] - others[0]):
                return value
    return None


def channel_ranges(image):
    """Return the lowest and the highest value of each channel, (n_channels, 2), in its own units.

    A few extreme pixels do not count, unless all others are equal.
    """
    pixels = _sample(image)
    n_extreme = min(max(1, int(_EXTREME * len(pixels))), len(pixels) // _FEW)
    places = n_extreme, len(pixels) - 1 - n_extreme
    ranges = np.partition(pixels, places, axis=0)[list(places)].T.astype(np.float64)
    flat = ranges[:, 0] == ranges[:, 1]
    ranges[flat] = np.stack(_extremes(image), axis=1)[flat]
    return ranges


def _extremes(image):
    """Return the lowest and the highest value of each channel."""
    axes = tuple(range(image.ndim - 1))
    return image.min(axis=axes), image.max(axis=axes)


def without_hot_pixels(image):
    """Return an image whose values are at most one range of their channel beyond that range."""
    lowest, highest = channel_ranges(image).T
    beyond = _BEYOND * (highest - lowest)
    lowest, highest = lowest - beyond, highest + beyond
    if image.dtype.kind in "ui":
        limits = np.iinfo(image.dtype)
        # Python compares whole numbers of 64 bits with floats exactly.
        lowest = np.array([int(max(x, limits.min)) for x in lowest], dtype=image.dtype)
        highest = np.array([int(min(x, limits.max)) for x in highest], dtype=image.dtype)
    least, most = _extremes(image)
    if (least < lowest).any() or (most > highest).any():
        return np.clip(image, lowest, highest, dtype=image.dtype)
    return image
