"""Images as users have them, and the features of their pixels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from skimage.feature import multiscale_basic_features
from sklearn.utils import gen_batches
from torch import Tensor

from skkuranet._utils.given import as_array
from skkuranet._utils.messages import naming
from skkuranet.images.files import is_file, read_file
from skkuranet.images.robust import channel_ranges, filled, without_data, without_hot_pixels

# PIL modes whose pixels mean what their numbers say.
_MODES = ("1", "L", "LA", "RGB", "RGBA", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")

# A last axis that is longer is no axis of channels where another reading is at hand.
_CHANNELS = 16


# Axes of an image and of a volume, as errors call them.
_AXES = {2: "row, column", 3: "plane, row, column"}
_OTHERWISE = {
    2: "Set spatial_dims=3 if it is a volume.",
    3: "Set spatial_dims=2 if it is an image, or pass volume[None] of a single plane.",
}


def as_list(images, n_channels=None, masks=None, n_axes=2):
    """Return several images as a list, and one image as None.

    Images have ``n_axes`` axes of pixels; an array of one more is one image with channels, but for
    a stack of grey ones, (n, h, w): the masks of fit or, later, the number of channels that fit saw
    tell them apart. No stack is of images so narrow that columns may be channels.
    """
    if isinstance(images, (list, tuple)):
        return list(images)
    shape = np.shape(images) if isinstance(images, np.ndarray) else ()
    stack = len(shape) == n_axes + 1 and shape[-1] > _CHANNELS
    grey = stack and (n_channels == 1 or _are_masks_of(masks, shape))
    return list(images) if grey or len(shape) == n_axes + 2 else None


def _are_masks_of(masks, shape):
    """Return whether these are several masks, of as many grey images in a stack."""
    if isinstance(masks, (list, tuple)):
        several = len(masks) == shape[0]
        return several and (is_file(masks[0]) or np.shape(masks[0]) == shape[1:])
    return isinstance(masks, np.ndarray) and masks.shape == shape


# Intensities are of single precision.
_BRIGHTEST = float(np.finfo(np.float32).max)


def read_image(image, name="image", *, n_axes=2, nodata=None, turned=None):
    """Return an image, a grey or coloured array, PIL image or path, as (*shape, n_channels).

    It is that of :func:`read_pixels`, without what pixels have data.
    """
    return read_pixels(image, name, n_axes=n_axes, nodata=nodata, turned=turned)[0]


def read_pixels(image, name="image", *, n_axes=2, nodata=None, turned=None):
    """Return an image as (*shape, n_channels), and which pixels have no data; None if all have.

    It has ``n_axes`` axes of pixels: 2 of an image, 3 of a volume. Pixels that are masked, or
    ``nodata`` in all channels, have none, and are filled by the nearest; hot pixels are dimmed.
    Errors call the image ``name``; names of images that EXIF turns go to the list ``turned``. Raise
    ValueError if it has no pixels, the wrong axes, pixels that are not finite, or a PIL mode whose
    numbers are not intensities; OSError if the file is no image.
    """
    if is_file(image):
        image = read_file(image, name, n_axes=n_axes, modes=_MODES, turned=turned)
    # Masked arrays hide pixels without data.
    with naming(name):
        image = as_array(image) if isinstance(image, Tensor) else np.asanyarray(image)
    if image.ndim == n_axes:
        image = image[..., None]
    if image.ndim != n_axes + 1:
        axes = _AXES[n_axes]
        raise ValueError(
            f"{name} must have the axes ({axes}) or ({axes}, channel), got shape {image.shape}. "
            f"{_OTHERWISE[n_axes]}"
        )
    if not image.size:
        raise ValueError(f"{name} is empty: its shape is {image.shape}.")
    if image.dtype.kind not in "buif":
        raise ValueError(f"{name} must hold real numbers, got dtype {image.dtype}.")
    missing = without_data(image, nodata)
    # torch knows no bytes of other machines.
    image = np.asarray(image).astype(image.dtype.newbyteorder("="), copy=False)
    if missing is not None:
        if missing.all():
            raise ValueError(f"{name} has no data: every pixel is masked or nodata={nodata}.")
        image = filled(image, missing)
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ValueError(
            f"{name} holds NaN or infinite pixels. If they stand for pixels without data, set "
            "nodata=np.nan or nodata=np.inf; or fill them, for instance with "
            "skimage.restoration.inpaint_biharmonic."
        )
    image = without_hot_pixels(image)
    if image.dtype.kind == "f" and image.dtype.itemsize > 4 and np.abs(image).max() > _BRIGHTEST:
        raise ValueError(
            f"{name} holds pixels of {np.abs(image).max():.3g}, which is no intensity. If they "
            "stand for pixels without data, set nodata; else scale the image."
        )
    return image, missing


def intensities(image):
    """Return pixels as fractions of the largest intensity of their type; floats as they are."""
    if image.dtype.kind in "ui":
        return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    return image.astype(np.float32)


def ranges_of(image):
    """Return the range of the intensities of each channel, (n_channels, 2), without extremes."""
    return intensities(channel_ranges(image).astype(image.dtype)).astype(np.float64)


def positions(shape, block=None):
    """Return where each pixel is, (*shape, n_axes), in units of the longest side.

    The last axis comes first: column and row of an image. ``block`` is slices of all axes, of the
    pixels that are asked for; None asks for all.
    """
    block = (slice(None),) * len(shape) if block is None else block
    along = [np.arange(n)[part] for n, part in zip(shape, block, strict=True)]
    grids = np.meshgrid(*along, indexing="ij")
    return np.stack(grids[::-1], axis=-1).astype(np.float32) / max(shape)


@dataclass(frozen=True)
class Features:
    """What the coupling network sees of pixels besides their place, from intensities (*shape, c).

    A pixel that is more than ``reach(n_axes)`` away along an axis does not count.
    """

    compute: Callable[[np.ndarray], np.ndarray]
    reach: Callable[[int], int]


# The widest Gaussian of an image and of a volume. It is cut off at four standard deviations;
# derivatives look a little further.
_SIGMA, _DERIVATIVES = {2: 16, 3: 4}, 8
# Sides of the blocks of images and volumes where neighbours of pixels have to be seen, too.
_SIDE_AT_ONCE = {2: 512, 3: 96}


def _multiscale(image):
    n_axes = image.ndim - 1
    # Derivatives need two pixels along each axis.
    more = [(0, 1 if n == 1 else 0) for n in image.shape[:-1]]
    found = multiscale_basic_features(
        np.pad(image, [*more, (0, 0)], mode="edge"),
        channel_axis=-1,
        sigma_min=0.5,
        sigma_max=_SIGMA[n_axes],
    )
    return found[tuple(slice(n) for n in image.shape[:-1])].astype(np.float32, copy=False)


#: Features of pixels by name.
FEATURES = {
    "rgb_xy": Features(lambda image: image, lambda n_axes: 0),
    "multiscale": Features(_multiscale, lambda n_axes: 4 * _SIGMA[n_axes] + _DERIVATIVES),
}


def pixel_features(image, features, place=True):
    """Return the features of all pixels of an image, (n_pixels, n_features).

    ``place`` says whether the last ones are those of :func:`positions`. A callable gets intensities
    (*shape, n_channels). Raise ValueError if it returns something else, or values that are not
    finite.
    """
    return block_features(image, features, tuple(slice(0, n) for n in image.shape[:-1]), place)


def block_features(image, features, block, place=True):
    """Return what :func:`pixel_features` does of the pixels in a block, slices of all axes."""
    found = _seen(image, features, block)
    return found if not place else np.hstack((found, _flat(positions(image.shape[:-1], block))))


def feature_blocks(image, features, at_once, place=True):
    """Yield blocks of an image, slices of all its axes, and the features of their pixels.

    Blocks have about ``at_once`` pixels, from the top down. A callable is given the whole image, as
    how far it looks is not known.
    """
    shape = image.shape[:-1]
    own = _own_features(image, features) if callable(features) else None
    for block in blocks_of(image, features, at_once):
        found = _seen(image, features, block) if own is None else _flat(own[block])
        yield block, found if not place else np.hstack((found, _flat(positions(shape, block))))


def blocks_of(image, features, at_once):
    """Yield the blocks of :func:`feature_blocks`: whole rows, or less where neighbours are seen."""
    shape = image.shape[:-1]
    if not callable(features) and FEATURES[features].reach(len(shape)):
        side = max(_SIDE_AT_ONCE[len(shape)], round(at_once ** (1 / len(shape))))
        sides = [side] * len(shape)
    else:
        sides = [max(1, at_once // math.prod(shape[1:])), *shape[1:]]
    return itertools.product(*(gen_batches(n, n_in) for n, n_in in zip(shape, sides, strict=True)))


def _seen(image, features, block):
    """Return the features of the pixels in a block without their place, (n_pixels, n)."""
    if callable(features):
        return _flat(_own_features(image, features)[block])
    known, shape = FEATURES[features], image.shape[:-1]
    reach = known.reach(len(shape))
    around = tuple(
        slice(max(0, part.start - reach), min(n, part.stop + reach))
        for n, part in zip(shape, block, strict=True)
    )
    inside = tuple(
        slice(part.start - wide.start, part.stop - wide.start)
        for part, wide in zip(block, around, strict=True)
    )
    return _flat(known.compute(intensities(image[around]))[inside])


def _flat(table):
    return table.reshape(-1, table.shape[-1])


def _own_features(image, features):
    shape = image.shape[:-1]
    found = np.asarray(features(intensities(image)))
    if found.shape[:-1] != shape or not found.shape[-1]:
        size = " x ".join(map(str, shape))
        raise ValueError(
            f"features returned shape {found.shape} for an image of {size} pixels; it must return "
            f"({_AXES[len(shape)]}, feature)."
        )
    if found.dtype.kind not in "buif":
        raise ValueError(f"features must return real numbers, got dtype {found.dtype}.")
    if not np.isfinite(found).all():
        raise ValueError("features returned NaN or infinite values.")
    return found.astype(np.float32)


def check_number(n_features, expected):
    """Raise ValueError for features of another number than those of the first image of fit."""
    if n_features != expected:
        raise ValueError(
            f"features returned {n_features} features of each pixel, but {expected} of the first "
            "image of fit. It must return as many of every image."
        )
