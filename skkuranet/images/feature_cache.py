"""Features of the last image, kept for the next question about it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from skkuranet.images.reading import block_features, blocks_of, feature_blocks, positions

Block = tuple[slice, ...]

# Bytes of features that are kept, at most.
_KEPT = 1 << 28
# Pixels from which on features of an image are only computed where they are asked for.
_LARGE = 1 << 20
# Pixels whose features are computed at once.
_PIXELS_AT_ONCE = 1 << 18


def digest(image: np.ndarray) -> str:
    """Return what identifies an image by its content."""
    made = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16)
    return f"{image.shape} {image.dtype.str} {made.hexdigest()}"


class FeatureCache:
    """Features of pixels, kept for the last image that was looked at as a whole.

    They are kept where they take no more than 256 MiB, in single precision; those that are the
    channels themselves are not.
    """

    def __init__(self) -> None:
        #: What the features are of, blocks, and features of each. Set at once, as threads share it.
        self._last: tuple[Any, list[tuple[Block, np.ndarray]]] | None = None

    def blocks(
        self, image: np.ndarray, features: Any, place: bool
    ) -> Iterator[tuple[Block, np.ndarray]]:
        """Yield blocks of an image, slices of its axes, and features (n_pixels, n) of each.

        ``place`` says whether the last features are where pixels are.
        """
        shape = image.shape[:-1]
        for block, found in self._without_place(image, features):
            if place:
                where = positions(shape, block).reshape(-1, len(shape))
                found = np.hstack((found, where))
            yield block, found

    def table(self, image: np.ndarray, features: Any, place: bool) -> np.ndarray:
        """Return the features of all pixels, (n_pixels, n)."""
        return self.chosen(image, np.ones(image.shape[:-1], dtype=bool), features, place)

    def chosen(
        self, image: np.ndarray, wanted: np.ndarray, features: Any, place: bool
    ) -> np.ndarray:
        """Return the features of the pixels that are True in ``wanted``, in their order."""
        rows = np.zeros(wanted.shape, dtype=np.int64)
        rows[wanted] = np.arange(np.count_nonzero(wanted))
        made = None
        large = wanted.size > _LARGE and not callable(features)
        parts = _some(image, wanted, features, place) if large else None
        for block, found in parts or self.blocks(image, features, place):
            here = wanted[block].ravel()
            if made is None:
                made = np.empty((np.count_nonzero(wanted), found.shape[1]), np.float32)
            made[rows[block].ravel()[here]] = found[here]
        assert made is not None
        return made

    def _without_place(
        self, image: np.ndarray, features: Any
    ) -> Iterator[tuple[Block, np.ndarray]]:
        if features == "rgb_xy":
            yield from feature_blocks(image, features, _PIXELS_AT_ONCE, place=False)
            return
        key = features, digest(image)
        last = self._last
        if last is not None and last[0] == key:
            yield from last[1]
            return
        kept: list[tuple[Block, np.ndarray]] | None = []
        n_pixels = math.prod(image.shape[:-1])
        for block, found in feature_blocks(image, features, _PIXELS_AT_ONCE, place=False):
            if 4 * n_pixels * found.shape[1] > _KEPT:
                kept = None
            if kept is not None:
                kept.append((block, found))
            yield block, found
        if kept is not None:
            self._last = key, kept


def _some(
    image: np.ndarray, wanted: np.ndarray, features: Any, place: bool
) -> Iterator[tuple[Block, np.ndarray]]:
    """Yield the blocks in which pixels are wanted, and their features."""
    for block in blocks_of(image, features, _PIXELS_AT_ONCE):
        if wanted[block].any():
            yield block, block_features(image, features, block, place)
