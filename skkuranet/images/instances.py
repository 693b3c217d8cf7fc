"""Objects of a mask, those that touch apart."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.measure import label
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

# Least height of the landscape, and the blur without which ragged borders make peaks; in pixels.
_LOWEST, _BLUR = 1e-3, 1.0


def split_objects(inside, certainty, neck, min_size):
    """Return the number of the object of each pixel, from 1; 0 where there is none.

    Pixels of one object are connected. Two parts of it are two objects if the neck between them is
    narrower than ``neck`` times the narrower of both: seen as a landscape of the distance to the
    border times ``certainty``, peaks are apart whose pass is that much lower, and watersheds part
    them. Objects of fewer than ``min_size`` pixels are left out. ``inside`` is a mask of two or
    three axes.
    """
    together = label(inside)
    if neck > 0.0 and inside.any():
        together = _split(inside, certainty, neck, together)
    sizes = np.bincount(together.ravel())
    sizes[0] = 0
    kept = sizes >= max(1, min_size)
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return numbers[together]


def _split(inside, certainty, neck, together):
    border = np.pad(inside, 1, mode="edge")
    inner = (slice(1, -1),) * inside.ndim
    distance = distance_transform_edt(border)[inner]
    # The ratio of a pass to a peak is a difference of logarithms.
    height = np.log(np.maximum(gaussian_filter(distance * certainty, _BLUR), _LOWEST))
    lowest = np.log(_LOWEST) - 1.0
    height[~inside] = lowest
    filled = reconstruction(np.maximum(height + np.log(neck), lowest), height)
    markers = label(local_maxima(filled) & inside)
    # An object without a peak of its own, as a line is, stays one.
    found = watershed(-height, markers, mask=inside)
    lost = inside & (found == 0)
    found[lost] = together[lost] + found.max()
    return found
