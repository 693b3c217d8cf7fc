"""The resolution at which large images are seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from skimage.transform import resize

from skkuranet.images.masks import Mask

# Pixels of an image that superpixels are made of, at most: three times those of a photograph of
# BSDS500. Textures and superpixels of more are other ones, and take gigabytes.
_LARGEST = 500_000


def seen_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of rows and columns at which an image of (h, w) pixels is seen."""
    share = min(1.0, math.sqrt(_LARGEST / math.prod(shape)))
    return tuple(max(1, round(share * n)) for n in shape)


def seen_image(rgb: np.ndarray) -> np.ndarray:
    """Return colours (h, w, 3) at the resolution at which they are seen."""
    shape = seen_shape(rgb.shape[:2])
    return rgb if shape == rgb.shape[:2] else resize(rgb, shape, order=1, anti_aliasing=True)


def seen_mask(mask: Mask) -> Mask:
    """Return a mask at the resolution at which its image is seen."""
    shape = seen_shape(mask.known.shape)
    return Mask(at_shape(mask.labels, shape), at_shape(mask.known, shape))


def at_shape(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return values (h, w) of the nearest pixels in an image of other numbers of pixels."""
    if values.shape == tuple(shape):
        return values
    # Centres of pixels, in whole numbers.
    rows, columns = (
        (2 * np.arange(n) + 1) * n_before // (2 * n)
        for n, n_before in zip(shape, values.shape, strict=True)
    )
    return values[np.ix_(rows, columns)]
