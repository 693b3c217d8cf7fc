"""Images as tables of pixels."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from skkuranet._utils.messages import warn_caller
from skkuranet.images.guided_filter import guided_filter
from skkuranet.images.reading import (
    brightest,
    check_number,
    feature_bands,
    intensities,
    is_one_image,
    pixel_features,
    read_image,
    read_mask,
)

# Pixels that are answered for at once.
_PIXELS_AT_ONCE = 1 << 18
# Variance of intensities, as fractions of the brightest, that counts as an edge.
_EPSILON = 3e-4
# How far intensities may leave those of fit before something must be wrong, as a factor.
_BRIGHTER = 20.0


@dataclass(frozen=True)
class PixelReader:
    """Images as a fitted segmenter sees them.

    ``n_channels`` and ``brightest``, the largest intensity, are those of the images of fit.
    """

    features: Any
    n_channels: int
    brightest: float
    n_features: int
    verbose: Any = None

    def read(self, image: Any, name: str = "image") -> np.ndarray:
        """Return an image as an array, (h, w, n_channels), if it is like those of fit."""
        image = read_image(image, name)
        if image.shape[2] != self.n_channels:
            raise ValueError(
                f"{name} has {image.shape[2]} channels, but KuraNetSegmenter was fitted to images "
                f"of {self.n_channels}."
            )
        intensity = brightest(image)
        if not self.brightest / _BRIGHTER <= intensity <= self.brightest * _BRIGHTER:
            warn_caller(
                f"{name} of dtype {image.dtype} has intensities up to {intensity:.3g}, where those "
                f"of fit reached {self.brightest:.3g}. Whole numbers count as fractions of the "
                "largest of their type, and floats as they are; convert the image to the type of "
                "those of fit.",
                UserWarning,
            )
        return image

    def table(self, image: Any) -> tuple[np.ndarray, tuple[int, int]]:
        """Return the features of all pixels of one image, and its height and width."""
        if not is_one_image(image):
            raise ValueError("Pass one image; every image is a network of its own.")
        image = self.read(image)
        X = pixel_features(image, self.features)
        check_number(X.shape[1], self.n_features)
        return X, image.shape[:2]

    def each(self, image: Any, action: Callable[[np.ndarray], Any]) -> Any:
        """Answer for one image, or for each of several."""
        if is_one_image(image):
            return action(self.read(image))
        return [action(self.read(one, f"image[{i}]")) for i, one in enumerate(image)]

    def by_pixel(self, answer: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
        """Answer for every pixel, a bounded number of them at once."""
        n_pixels, n_done = image.shape[0] * image.shape[1], 0
        parts = []
        for X in feature_bands(image, self.features, _PIXELS_AT_ONCE):
            check_number(X.shape[1], self.n_features)
            parts.append(answer(X))
            n_done += len(X)
            if self.verbose:
                done = n_done / n_pixels
                bar = ("=" * round(30 * done)).ljust(30)
                end = "\n" if done == 1.0 else "\r"
                print(f"[KuraNetSegmenter] |{bar}| {done:4.0%}", end=end, file=sys.stderr)
        found = np.concatenate(parts)
        return found.reshape(*image.shape[:2], *found.shape[1:])

    def smoothed(
        self, said: np.ndarray, image: np.ndarray, smoothing: float, guidance: int
    ) -> np.ndarray:
        """Return what is said of each pixel with what is said of those near it and like it."""
        said = gaussian_filter(said, smoothing, axes=(0, 1))
        if not guidance:
            return said
        return guided_filter(said, intensities(image) / (self.brightest or 1.0), guidance, _EPSILON)


def pairs_of(image: Any, mask: Any, unlabeled: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images and masks as lists of arrays that fit each other."""
    if is_one_image(image):
        image, mask = [image], [mask]
    elif isinstance(mask, np.ndarray) and mask.ndim == 2:
        raise ValueError("mask is one mask, but image is several; pass as many of each.")
    if len(image) != len(mask) or not len(image):
        raise ValueError(
            f"Pass as many masks as images, and one at least; got {len(image)} images and "
            f"{len(mask)} masks."
        )
    number = (lambda i: "") if len(image) == 1 else (lambda i: f"[{i}]")
    images = [read_image(one, f"image{number(i)}") for i, one in enumerate(image)]
    masks = [
        read_mask(one, images[i].shape[:2], unlabeled, f"mask{number(i)}")
        for i, one in enumerate(mask)
    ]
    return images, masks


def labelled_features(image: np.ndarray, known: np.ndarray, features: Any) -> np.ndarray:
    """Features of the labelled pixels, and of no more at a time than needed."""
    bands, first, chosen = feature_bands(image, features, _PIXELS_AT_ONCE), 0, []
    for band in bands:
        chosen.append(band[known[first : first + len(band)]])
        first += len(band)
    return np.concatenate(chosen)
