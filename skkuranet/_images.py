"""Images and masks as users have them, and the features of their pixels."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image, UnidentifiedImageError
from skimage.feature import multiscale_basic_features

# PIL modes whose pixels mean what their numbers say.
_MODES = ("1", "L", "LA", "RGB", "RGBA", "I", "I;16", "F")


def is_one_image(images):
    """Tell one image from several.

    Parameters
    ----------
    images : array, PIL image, path, or list or tuple of them

    Returns
    -------
    bool
    """
    if isinstance(images, (list, tuple)):
        return False
    return not (isinstance(images, np.ndarray) and images.ndim == 4)


def read_image(image, name="image"):
    """Return an image as an array with a last axis of channels.

    Parameters
    ----------
    image : array-like of shape (h, w) or (h, w, n_channels), PIL image, or path
        Grey, RGB, RGBA or any channels, of any number type.
    name : str, default="image"
        What errors call it.

    Returns
    -------
    ndarray of shape (h, w, n_channels)

    Raises
    ------
    ValueError
        If it has no pixels, the wrong axes, NaN or infinite pixels, or a PIL mode whose numbers
        are not intensities.
    OSError
        If the file cannot be read as an image.
    """
    if isinstance(image, (str, os.PathLike)):
        image = _open(image, name)
    if isinstance(image, Image.Image):
        if image.mode not in _MODES:
            raise ValueError(
                f"{name} has the mode {image.mode!r}, whose numbers are not intensities of light. "
                "Convert it first: image.convert('RGB')."
            )
        image = np.asarray(image)
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
    except FileNotFoundError:
        raise
    except UnidentifiedImageError as error:
        raise OSError(f"{name}={str(path)!r} is not an image that Pillow can read.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise OSError(f"{name}={str(path)!r} is damaged or cut off: {error}.") from error


def read_mask(mask, shape, unlabeled, name="mask"):
    """Return a mask as an array of whole numbers.

    Parameters
    ----------
    mask : array-like of shape (h, w), PIL image, or path
        Label of each pixel, or ``unlabeled``.
    shape : tuple of int
        Height and width of the image.
    unlabeled : int
        Label of pixels whose segment is not known.
    name : str, default="mask"
        What errors call it.

    Returns
    -------
    ndarray of shape (h, w), int64

    Raises
    ------
    ValueError
        If it does not fit the image, has labels that are not whole numbers of 64 bits, or has no
        labels at all.
    """
    if isinstance(mask, (str, os.PathLike)):
        mask = _open(mask, name)
    # A palette image is a mask as it should be: its numbers are labels.
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
    # Floats near the limit round to it.
    if float(mask.max()) >= float(limits.max) or float(mask.min()) < float(limits.min):
        raise ValueError(f"{name} holds labels outside the range of 64-bit integers.")
    mask = mask.astype(np.int64)
    if np.all(mask == unlabeled):
        raise ValueError(
            f"{name} has no labels: every pixel is unlabeled={unlabeled}. Label a few pixels of "
            "each segment."
        )
    return mask


def intensities(image):
    """Return pixels as fractions of the largest intensity of their type.

    Parameters
    ----------
    image : ndarray of shape (h, w, n_channels)
        Floats stay as they are.

    Returns
    -------
    ndarray of shape (h, w, n_channels), float32
    """
    if image.dtype.kind in "ui":
        return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    return image.astype(np.float32)


def positions(height, width):
    """Return the place of each pixel in units of the longer side.

    Parameters
    ----------
    height, width : int
        Of the image.

    Returns
    -------
    ndarray of shape (h, w, 2), float32
        Column and row.
    """
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    return np.stack((columns, rows), axis=-1).astype(np.float32) / max(height, width)


def _rgb_xy(image):
    return image


def _multiscale(image):
    return multiscale_basic_features(image, channel_axis=-1, sigma_min=0.5, sigma_max=16)


#: Features of pixels by name: from intensities (h, w, n_channels) to what is put before positions.
FEATURES = {"rgb_xy": _rgb_xy, "multiscale": _multiscale}


def pixel_features(image, features):
    """Return the node features of the pixels of an image.

    Parameters
    ----------
    image : ndarray of shape (h, w, n_channels)
        What :func:`read_image` returns.
    features : {"rgb_xy", "multiscale"} or callable
        A callable gets intensities (h, w, n_channels) and returns all features.

    Returns
    -------
    ndarray of shape (h * w, n_features), float32
        Positions are the last two, but for a callable.

    Raises
    ------
    ValueError
        If a callable returns something else, or values that are not finite.
    """
    height, width = image.shape[:2]
    if not callable(features):
        found = FEATURES[features](intensities(image))
        return np.concatenate((found, positions(height, width)), axis=-1).reshape(
            height * width, -1
        )
    found = np.asarray(features(intensities(image)), dtype=np.float32)
    if found.ndim != 3 or found.shape[:2] != (height, width):
        raise ValueError(
            f"features returned shape {found.shape} for an image of {height} x {width} pixels; it "
            "must return (rows, columns, n_features)."
        )
    if not np.isfinite(found).all():
        raise ValueError("features returned NaN or infinite values.")
    return found.reshape(height * width, -1)
