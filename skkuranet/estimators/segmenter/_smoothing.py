"""How far answers may be smoothed before they deny what was labelled."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np
from sklearn.utils import gen_batches

from skkuranet.estimators.segmenter._pixels import PixelReader
from skkuranet.images.masks import Mask

#: Shares of what the distance of labels asks for that are tried, the largest first.
SHARES = (1.0, 0.5, 0.25, 0.125, 0.0)
# Mean share of each class that smoothing may deny beyond what is denied anyway.
_DENIED = 0.02
# Pixels of an image that are looked at, at most.
_PIXELS = 100_000

Block = tuple[slice, ...]


def smoothing_that_fits(
    reader: PixelReader,
    answer: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    mask: Mask,
    classes: np.ndarray,
    tried: Iterable[tuple[float, int]],
) -> tuple[float, int]:
    """Return the first smoothing and guidance that leave labelled pixels what they are.

    ``answer`` returns class probabilities from features, ``tried`` are pairs from the strongest to
    the weakest. Small objects do not outlive what large ones ask for; labels on them tell.
    """
    tried = list(dict.fromkeys(tried))
    if len(tried) == 1:
        return tried[0]
    window = _window(mask)
    pixels, shape = image[window], mask.known[window].shape
    inside = np.zeros(mask.known.shape, dtype=bool)
    inside[window] = True
    X = reader.cache.chosen(image, inside, reader.features, reader.place)
    said = np.concatenate([answer(X[batch]) for batch in gen_batches(len(X), _PIXELS)])
    said, known = said.reshape(*shape, -1), mask.known[window]
    codes = np.searchsorted(classes, mask.labels[window][known])
    right = []
    for smoothing, guidance in tried:
        found = reader.smoothed(said, pixels, smoothing, guidance)[known].argmax(axis=-1)
        right.append(np.mean([np.mean(found[codes == c] == c) for c in np.unique(codes)]))
    return next(
        pair for pair, share in zip(tried, right, strict=True) if share >= max(right) - _DENIED
    )


def _window(mask: Mask) -> Block:
    """Return a part of an image that shows most classes and most labels; or all of it."""
    shape = mask.known.shape
    if math.prod(shape) <= _PIXELS:
        return tuple(slice(0, n) for n in shape)
    side = round(_PIXELS ** (1 / len(shape)))
    parts = [list(gen_batches(n, side)) for n in shape]

    def shown(block: Block) -> tuple[int, int]:
        known = mask.known[block]
        return len(np.unique(mask.labels[block][known])), int(known.sum())

    return max(itertools.product(*parts), key=shown)
