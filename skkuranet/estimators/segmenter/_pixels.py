"""Images as tables of pixels."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from skkuranet._utils.messages import plain, warn_caller
from skkuranet.estimators._progress import CountedProgress
from skkuranet.images.feature_cache import FeatureCache
from skkuranet.images.files import check_names, in_folder, note_turned
from skkuranet.images.guided_filter import guided_filter
from skkuranet.images.masks import Mask, read_masks
from skkuranet.images.reading import (
    as_list,
    check_number,
    intensities,
    ranges_of,
    read_image,
    read_pixels,
)
from skkuranet.images.robust import seems_no_data

# Variance of intensities, as fractions of the range of their channel, that counts as an edge.
_EPSILON = 3e-4
# How far intensities may leave those of fit before something must be wrong, as a factor.
_BRIGHTER = 20.0


@dataclass(frozen=True)
class PixelReader:
    """Images as a fitted segmenter sees them.

    ``ranges`` (n_channels, 2) are those of the intensities in the images of fit; ``place`` says
    whether the last of the ``n_features`` are where pixels are, ``n_axes`` is 3 for volumes.
    """

    features: Any
    ranges: np.ndarray
    n_features: int
    place: bool = True
    n_axes: int = 2
    nodata: float | None = None
    verbose: Any = None
    cache: FeatureCache = field(default_factory=FeatureCache)

    @property
    def n_channels(self) -> int:
        """Number of channels of the images of fit."""
        return len(self.ranges)

    def read(self, image: Any, name: str = "image", turned: list[str] | None = None) -> np.ndarray:
        """Return an image as an array, (*shape, n_channels), if it is like those of fit."""
        image = read_image(image, name, n_axes=self.n_axes, nodata=self.nodata, turned=turned)
        if image.shape[-1] != self.n_channels:
            raise ValueError(
                f"{name} has {image.shape[-1]} channels, but KuraNetSegmenter was fitted to images "
                f"of {self.n_channels}. Channels come last: np.moveaxis(image, 0, -1) if they are "
                "first; leave out those that are too many, image[..., :n]."
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

    def one(self, image: Any) -> np.ndarray:
        """Return one image as an array; raise ValueError for several."""
        if as_list(image, self.n_channels, n_axes=self.n_axes) is not None or _is_stream(image):
            raise ValueError("Pass one image; every image is a network of its own.")
        return self.read(image)

    def table(self, image: np.ndarray) -> np.ndarray:
        """Return the features of all pixels of an image that has been read."""
        X = self.cache.table(image, self.features, self.place)
        check_number(X.shape[1], self.n_features)
        return X

    def each(self, image: Any, action: Callable[[np.ndarray], Any]) -> Any:
        """Answer for one image, for each of a list, or for each of a stream as it comes."""
        if _is_stream(image):
            return (action(self.read(one, f"image[{i}]")) for i, one in enumerate(image))
        image = in_folder(image, "image")
        several = as_list(image, self.n_channels, n_axes=self.n_axes)
        if several is None:
            return action(self.read(image))
        turned: list[str] = []
        progress = CountedProgress(self.verbose, "KuraNetSegmenter", "image", len(several))
        found = []
        for i, one in enumerate(several):
            found.append(action(self.read(one, f"image[{i}]", turned)))
            progress.tell(i + 1)
        note_turned(turned)
        return found

    def by_pixel(self, answer: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
        """Answer for every pixel, a bounded number of them at once; (*shape, n)."""
        shape, n_done, made = image.shape[:-1], 0, None
        for block, X in self.cache.blocks(image, self.features, self.place):
            check_number(X.shape[1], self.n_features)
            found = answer(X)
            if made is None:
                made = np.empty((*shape, *found.shape[1:]), found.dtype)
            made[block] = found.reshape(made[block].shape)
            n_done += len(X)
            if self.verbose:
                done = n_done / math.prod(shape)
                bar = ("=" * round(30 * done)).ljust(30)
                end = "\n" if done == 1.0 else "\r"
                print(f"[KuraNetSegmenter] |{bar}| {done:4.0%}", end=end, file=sys.stderr)
        assert made is not None
        return made

    def smoothed(
        self, said: np.ndarray, image: np.ndarray, smoothing: float, guidance: int
    ) -> np.ndarray:
        """Return what is said of each pixel with what is said of those near it and like it."""
        said = gaussian_filter(said, smoothing, axes=tuple(range(self.n_axes)))
        if not guidance:
            return said
        lowest, highest = self.ranges.astype(np.float32).T
        # A channel that says nothing has no range.
        span = np.where(highest > lowest, highest - lowest, 1.0).astype(np.float32)
        guide = (intensities(image) - lowest) / span
        return guided_filter(said, guide, guidance, _EPSILON)


def _is_stream(images: Any) -> bool:
    """Return whether images come one after the other, as from a generator."""
    return isinstance(images, Iterator)


def read_pairs(
    image: Any,
    mask: Any,
    unlabeled: Any,
    nodata: float | None,
    classes: Any = (),
    n_axes: int = 2,
) -> tuple[int, Iterator[tuple[np.ndarray, Mask]]]:
    """Return the number of images, and these one after the other, each with its mask.

    ``classes`` are known labels.

    Masks are read before, as they say together what is a label. Raise ValueError where one does not
    fit its image, or there are not as many.
    """
    folders = [in_folder(image, "image"), in_folder(mask, "mask")]
    if folders[0] is not image and folders[1] is not mask:
        check_names(*folders)
    image, mask = folders
    several = _several(image, mask, n_axes)
    masks = [mask] if several is None else list(mask)
    images = [image] if several is None else several
    one = several is None or (isinstance(images, list) and len(images) == len(masks) == 1)
    if isinstance(images, list) and (len(images) != len(masks) or not images):
        raise _other_number(len(images), len(masks))
    numbers = [""] if one else [f"[{i}]" for i in range(len(masks))]
    read = read_masks(masks, unlabeled, [f"mask{n}" for n in numbers], classes, n_axes)
    return len(masks), _pairs(images, read, numbers, nodata, n_axes)


def _several(image: Any, mask: Any, n_axes: int) -> Iterable[Any] | None:
    """Return several images as a list or a stream, and one image as None."""
    several = image if _is_stream(image) else as_list(image, masks=mask, n_axes=n_axes)
    if several is None:
        _refuse_channels_first(image, mask, n_axes)
    elif isinstance(mask, np.ndarray) and mask.ndim == n_axes:
        raise ValueError("mask is one mask, but image is several; pass as many of each.")
    return several


def _other_number(n_images: int, n_masks: int) -> ValueError:
    return ValueError(
        f"Pass as many masks as images, and one at least; got {n_images} images and {n_masks} "
        "masks."
    )


def _pairs(
    images: Iterable[Any], masks: list[Mask], numbers: list[str], nodata: float | None, n_axes: int
) -> Iterator[tuple[np.ndarray, Mask]]:
    turned: list[str] = []
    marks, n_images = [], 0
    for n_images, image in enumerate(images, start=1):
        if n_images > len(masks):
            break
        number = numbers[n_images - 1]
        pixels, missing = read_pixels(
            image, f"image{number}", n_axes=n_axes, nodata=nodata, turned=turned
        )
        marks.append(seems_no_data(pixels))
        mask = masks[n_images - 1].fitting(pixels.shape[:-1], f"mask{number}")
        yield pixels, _with_data(mask, missing, f"mask{number}")
    if n_images != len(masks):
        more = "more" if n_images > len(masks) else str(n_images)
        raise ValueError(f"Pass as many masks as images; got {more} images and {len(masks)} masks.")
    note_turned(turned)
    _hint_at_no_data(marks)


def _hint_at_no_data(marks):
    found = [value for value in marks if value is not None]
    if found:
        warn_caller(
            f"Many pixels of {len(found)} of {len(marks)} images are {plain(found[0])}, far from "
            f"all others. Set nodata={plain(found[0])} if that stands for no data.",
            UserWarning,
        )


def _refuse_channels_first(image, mask, n_axes):
    shape = np.shape(image) if isinstance(image, np.ndarray) else ()
    first = isinstance(mask, np.ndarray) and mask.shape == shape[1:] != shape[:-1]
    if len(shape) == n_axes + 1 and first:
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
