"""Images as tables of pixels."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from skkuranet._utils.messages import plain, warn_caller
from skkuranet.images.files import note_turned
from skkuranet.images.guided_filter import guided_filter
from skkuranet.images.masks import Mask, read_masks
from skkuranet.images.reading import (
    as_list,
    check_number,
    feature_bands,
    intensities,
    pixel_features,
    ranges_of,
    read_image,
    read_pixels,
)
from skkuranet.images.robust import seems_no_data

# Pixels that are answered for at once.
_PIXELS_AT_ONCE = 1 << 18
# Variance of intensities, as fractions of the range of their channel, that counts as an edge.
_EPSILON = 3e-4
# How far intensities may leave those of fit before something must be wrong, as a factor.
_BRIGHTER = 20.0


@dataclass(frozen=True)
class PixelReader:
    """Images as a fitted segmenter sees them.

    ``ranges`` (n_channels, 2) are those of the intensities in the images of fit.
    """

    features: Any
    ranges: np.ndarray
    n_features: int
    nodata: float | None = None
    verbose: Any = None

    @property
    def n_channels(self) -> int:
        """Number of channels of the images of fit."""
        return len(self.ranges)

    def read(self, image: Any, name: str = "image", turned: list[str] | None = None) -> np.ndarray:
        """Return an image as an array, (h, w, n_channels), if it is like those of fit."""
        image = read_image(image, name, nodata=self.nodata, turned=turned)
        if image.shape[2] != self.n_channels:
            raise ValueError(
                f"{name} has {image.shape[2]} channels, but KuraNetSegmenter was fitted to images "
                f"of {self.n_channels}."
            )
        reached, seen = np.abs(self.ranges).max(), np.abs(ranges_of(image)).max()
        if not reached / _BRIGHTER <= seen <= reached * _BRIGHTER:
            warn_caller(
                f"{name} of dtype {image.dtype} has intensities up to {seen:.3g}, where those of "
                f"fit reached {reached:.3g}. Whole numbers count as fractions of the "
                "largest of their type, and floats as they are; convert the image to the type of "
                "those of fit.",
                UserWarning,
            )
        return image

    def check_is_one(self, image: Any) -> None:
        """Raise ValueError for several images."""
        if as_list(image, self.n_channels) is not None:
            raise ValueError("Pass one image; every image is a network of its own.")

    def table(self, image: Any) -> tuple[np.ndarray, tuple[int, int]]:
        """Return the features of all pixels of one image, and its height and width."""
        self.check_is_one(image)
        image = self.read(image)
        X = pixel_features(image, self.features)
        check_number(X.shape[1], self.n_features)
        return X, image.shape[:2]

    def each(self, image: Any, action: Callable[[np.ndarray], Any]) -> Any:
        """Answer for one image, or for each of several."""
        several = as_list(image, self.n_channels)
        if several is None:
            return action(self.read(image))
        turned: list[str] = []
        found = [action(self.read(one, f"image[{i}]", turned)) for i, one in enumerate(several)]
        note_turned(turned)
        return found

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
        lowest, highest = self.ranges.astype(np.float32).T
        # A channel that says nothing has no range.
        span = np.where(highest > lowest, highest - lowest, 1.0).astype(np.float32)
        guide = (intensities(image) - lowest) / span
        return guided_filter(said, guide, guidance, _EPSILON)


def pairs_of(
    image: Any, mask: Any, unlabeled: Any, nodata: float | None, classes: Any = ()
) -> tuple[list[np.ndarray], list[Mask]]:
    """Images and masks that fit each other; ``classes`` are labels that are known already."""
    several = as_list(image, masks=mask)
    if several is None:
        _refuse_channels_first(image, mask)
        image, mask = [image], [mask]
    elif isinstance(mask, np.ndarray) and mask.ndim == 2:
        raise ValueError("mask is one mask, but image is several; pass as many of each.")
    else:
        image = several
    if len(image) != len(mask) or not len(image):
        raise ValueError(
            f"Pass as many masks as images, and one at least; got {len(image)} images and "
            f"{len(mask)} masks."
        )
    numbers = [""] if several is None or len(image) == 1 else [f"[{i}]" for i in range(len(image))]
    turned: list[str] = []
    read = [
        read_pixels(one, f"image{number}", nodata=nodata, turned=turned)
        for one, number in zip(image, numbers, strict=True)
    ]
    note_turned(turned)
    _hint_at_no_data([pixels for pixels, _ in read])
    masks = read_masks(
        mask,
        [pixels.shape[:2] for pixels, _ in read],
        unlabeled,
        [f"mask{number}" for number in numbers],
        classes,
    )
    return [pixels for pixels, _ in read], [
        _with_data(one, missing, f"mask{number}")
        for one, (_, missing), number in zip(masks, read, numbers, strict=True)
    ]


def _hint_at_no_data(images):
    found = [value for value in map(seems_no_data, images) if value is not None]
    if found:
        warn_caller(
            f"Many pixels of {len(found)} of {len(images)} images are {plain(found[0])}, far from "
            f"all others. Set nodata={plain(found[0])} if that stands for no data.",
            UserWarning,
        )


def _refuse_channels_first(image, mask):
    shape = np.shape(image) if isinstance(image, np.ndarray) else ()
    if len(shape) == 3 and isinstance(mask, np.ndarray) and mask.shape == shape[1:] != shape[:2]:
        raise ValueError(
            f"image has shape {shape} and mask {mask.shape}. If the first axis of the image is its "
            "channels, pass np.moveaxis(image, 0, -1); if it is a stack of images, pass as many "
            "masks."
        )


def _with_data(mask, missing, name):
    """A mask that says nothing of pixels without data."""
    if missing is None:
        return mask
    known = mask.known & ~missing
    if not known.any():
        raise ValueError(f"{name} labels no pixel that has data. Label others, or check nodata.")
    return Mask(mask.labels, known)


def labelled_features(image: np.ndarray, known: np.ndarray, features: Any) -> np.ndarray:
    """Features of the labelled pixels, and of no more at a time than needed."""
    bands, first, chosen = feature_bands(image, features, _PIXELS_AT_ONCE), 0, []
    for band in bands:
        chosen.append(band[known[first : first + len(band)]])
        first += len(band)
    return np.concatenate(chosen)
