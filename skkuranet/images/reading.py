"""Images and masks as users have them, and the features of their pixels."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError
from skimage.feature import multiscale_basic_features
from sklearn.utils import gen_batches

# PIL modes whose pixels mean what their numbers say.
_MODES = ("1", "L", "LA", "RGB", "RGBA", "I", "I;16", "F")


def is_one_image(images):
    """Return whether this is one image, not a list or tuple of several."""
    if isinstance(images, (list, tuple)):
        return False
    return not (isinstance(images, np.ndarray) and images.ndim == 4)


def read_image(image, name="image"):
    """Return an image, a grey or coloured array, PIL image or path, as (h, w, n_channels).

    Errors call it ``name``. Raise ValueError if it has no pixels, the wrong axes, pixels that are
    not finite, or a PIL mode whose numbers are not intensities; OSError if the file is no image.
    """
    if isinstance(image, (str, os.PathLike)):
        image = _open(image, name)
    if isinstance(image, Image.Image):
        if image.mode not in _MODES:
            raise ValueError(
                f"{name} has the mode {image.mode!r}, whose numbers are not intensities of light. "
                "Convert it first: image.convert('RGB')."
            )
        image = _pixels_of(image, name)
    image = np.asarray(image)
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
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ValueError(
            f"{name} holds NaN or infinite pixels. Fill them, for instance with "
            "skimage.restoration.inpaint_biharmonic."
        )
    return image


def _open(path, name):
    try:
        with Image.open(path) as file:
            file.load()
            return file
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Image.DecompressionBombError as error:
        raise OSError(
            f"{name}={str(path)!r} is larger than Pillow opens: {error}. If it can be trusted, "
            "raise PIL.Image.MAX_IMAGE_PIXELS."
        ) from error
    except UnidentifiedImageError as error:
        raise OSError(f"{name}={str(path)!r} is not an image that Pillow can read.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise OSError(f"{name}={str(path)!r} is damaged or cut off: {error}.") from error


def _pixels_of(image, name):
    try:
        return np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow reads pixels when they are first looked at.
        raise OSError(f"{name} is damaged or cut off: {error}.") from error


def read_mask(mask, shape, unlabeled, name="mask"):
    """Return a mask, an array, PIL image or path, as whole numbers (h, w).

    Errors call it ``name``. Raise ValueError if it does not fit the shape of the image, has labels
    that are not whole numbers of 64 bits, or no labels but ``unlabeled``.
    """
    if isinstance(mask, (str, os.PathLike)):
        mask = _open(mask, name)
    # A palette image is a mask as it should be: its numbers are labels.
    if isinstance(mask, Image.Image):
        mask = _pixels_of(mask, name)
    elif isinstance(mask, np.ma.MaskedArray):
        mask = mask.filled(unlabeled)
    mask = np.asarray(mask)
    if mask.ndim == 3 and mask.shape[2] == 1:
        mask = mask[..., 0]
    if mask.shape != tuple(shape):
        raise ValueError(
            f"{name} has shape {mask.shape}, but the image has {shape[0]} rows and {shape[1]} "
            "columns. Pass one label for each pixel."
        )
    if mask.dtype.kind not in "bui":
        whole = mask.dtype.kind == "f" and np.all(np.isfinite(mask)) and np.all(mask % 1 == 0)
        if not whole:
            raise ValueError(f"{name} must hold whole numbers, got dtype {mask.dtype}.")
    limits = np.iinfo(np.int64)
    # Whole numbers of Python are exact, where floats near the limit round to it.
    if int(mask.max()) > limits.max or int(mask.min()) < limits.min:
        raise ValueError(f"{name} holds labels outside the range of 64-bit integers.")
    mask = mask.astype(np.int64)
    if np.all(mask == unlabeled):
        raise ValueError(
            f"{name} has no labels: every pixel is unlabeled={unlabeled}. Label a few pixels of "
            "each segment."
        )
    return mask


def intensities(image):
    """Return pixels as fractions of the largest intensity of their type; floats as they are."""
    if image.dtype.kind in "ui":
        return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    return image.astype(np.float32)


def brightest(image):
    """Return the largest magnitude of the intensities of an image."""
    extremes = np.array([[[image.min(), image.max()]]], dtype=image.dtype)
    return float(np.abs(intensities(extremes)).max())


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
