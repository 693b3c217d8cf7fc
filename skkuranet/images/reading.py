"""Images as users have them, and the features of their pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from skimage.feature import multiscale_basic_features
from sklearn.utils import gen_batches

from skkuranet.images.files import is_file, read_file
from skkuranet.images.robust import channel_ranges, filled, without_data, without_hot_pixels

# PIL modes whose pixels mean what their numbers say.
_MODES = ("1", "L", "LA", "RGB", "RGBA", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")

# A last axis that is longer is no axis of channels where another reading is at hand.
_CHANNELS = 16


def as_list(images, n_channels=None, masks=None):
    """Return several images as a list, and one image as None.

    An array of three axes is one image with channels, but for a stack of grey ones, (n, h, w): the
    masks of fit or, later, the number of channels that fit saw tell them apart. No stack is of
    images so narrow that columns may be channels.
    """
    if isinstance(images, (list, tuple)):
        return list(images)
    shape = np.shape(images) if isinstance(images, np.ndarray) else ()
    stack = len(shape) == 3 and shape[2] > _CHANNELS
    grey = stack and (n_channels == 1 or _are_masks_of(masks, shape))
    return list(images) if grey or len(shape) == 4 else None


def _are_masks_of(masks, shape):
    """Return whether these are several masks, of as many grey images in a stack."""
    if isinstance(masks, (list, tuple)):
        several = len(masks) == shape[0]
        return several and (is_file(masks[0]) or np.shape(masks[0]) == shape[1:])
    return isinstance(masks, np.ndarray) and masks.shape == shape


def read_image(image, name="image", *, nodata=None, turned=None):
    """Return an image, a grey or coloured array, PIL image or path, as (h, w, n_channels).

    It is that of :func:`read_pixels`, without what pixels have data.
    """
    return read_pixels(image, name, nodata=nodata, turned=turned)[0]


def read_pixels(image, name="image", *, nodata=None, turned=None):
    """Return an image as (h, w, n_channels), and which pixels have no data; None if all have.

    Pixels that are masked, or ``nodata`` in all channels, have none, and are filled by the nearest;
    hot pixels are dimmed. Errors call the image ``name``; names of images that EXIF turns go to the
    list ``turned``. Raise ValueError if it has no pixels, the wrong axes, pixels that are not
    finite, or a PIL mode whose numbers are not intensities; OSError if the file is no image.
    """
    if is_file(image):
        image = read_file(image, name, modes=_MODES, turned=turned)
    # Masked arrays hide pixels without data.
    image = np.asanyarray(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3:
        raise ValueError(
            f"{name} must have the axes (row, column) or (row, column, channel), got shape "
            f"{image.shape}."
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
    return without_hot_pixels(image), missing


def intensities(image):
    """Return pixels as fractions of the largest intensity of their type; floats as they are."""
    if image.dtype.kind in "ui":
        return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    return image.astype(np.float32)


def ranges_of(image):
    """Return the range of the intensities of each channel, (n_channels, 2), without extremes."""
    return intensities(channel_ranges(image).astype(image.dtype)).astype(np.float64)


def positions(height, width, rows=slice(None)):
    """Return column and row of each pixel, (h, w, 2), in units of the longer side."""
    rows, columns = np.meshgrid(np.arange(height)[rows], np.arange(width), indexing="ij")
    return np.stack((columns, rows), axis=-1).astype(np.float32) / max(height, width)


@dataclass(frozen=True)
class Features:
    """What is put before the positions of pixels, from intensities (h, w, n_channels).

    A pixel that is more than ``reach`` rows away does not count.
    """

    compute: Callable[[np.ndarray], np.ndarray]
    reach: int


def _multiscale(image):
    return multiscale_basic_features(image, channel_axis=-1, sigma_min=0.5, sigma_max=_SIGMA)


# The widest Gaussian is cut off at four standard deviations; derivatives look a little further.
_SIGMA, _DERIVATIVES = 16, 8
# Rows whose features are computed at once, at least, where others have to be computed with them.
_ROWS_AT_ONCE = 256

#: Features of pixels by name.
FEATURES = {
    "rgb_xy": Features(lambda image: image, 0),
    "multiscale": Features(_multiscale, 4 * _SIGMA + _DERIVATIVES),
}


def pixel_features(image, features):
    """Return the node features (h * w, n_features) of the pixels of an image.

    Positions are the last two, but for a callable, which gets intensities (h, w, n_channels). Raise
    ValueError if it returns something else, or values that are not finite.
    """
    if callable(features):
        return _own_features(image, features)
    return _band(image, FEATURES[features], slice(0, len(image)))


def feature_bands(image, features, at_once):
    """Yield what :func:`pixel_features` returns, about ``at_once`` pixels in whole rows at a time.

    A callable is given the whole image, as how far it looks is not known.
    """
    height, width = image.shape[:2]
    if callable(features):
        table = _own_features(image, features)
        yield from (table[batch] for batch in gen_batches(len(table), at_once))
        return
    known = FEATURES[features]
    least = _ROWS_AT_ONCE if known.reach else 1
    for rows in gen_batches(height, max(least, at_once // width)):
        yield _band(image, known, rows)


def _band(image, features, rows):
    height, width = image.shape[:2]
    first, last = max(0, rows.start - features.reach), min(height, rows.stop + features.reach)
    found = features.compute(intensities(image[first:last]))
    found = found[rows.start - first : rows.stop - first]
    table = np.concatenate((found, positions(height, width, rows)), axis=-1)
    return table.reshape(-1, table.shape[-1])


def _own_features(image, features):
    height, width = image.shape[:2]
    found = np.asarray(features(intensities(image)))
    if found.ndim != 3 or found.shape[:2] != (height, width) or not found.shape[2]:
        raise ValueError(
            f"features returned shape {found.shape} for an image of {height} x {width} pixels; it "
            "must return (rows, columns, n_features)."
        )
    if found.dtype.kind not in "buif":
        raise ValueError(f"features must return real numbers, got dtype {found.dtype}.")
    if not np.isfinite(found).all():
        raise ValueError("features returned NaN or infinite values.")
    return found.reshape(height * width, -1).astype(np.float32)


def check_number(n_features, expected):
    """Raise ValueError for features of another number than those of the first image of fit."""
    if n_features != expected:
        raise ValueError(
            f"features returned {n_features} features of each pixel, but {expected} of the first "
            "image of fit. It must return as many of every image."
        )
