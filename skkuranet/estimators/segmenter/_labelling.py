"""Labels that mean the same in all images."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skkuranet._utils.messages import plain
from skkuranet.images.feature_cache import FeatureCache, digest
from skkuranet.images.label_density import mean_distance, n_scattered
from skkuranet.images.masks import Mask, warn_of_strays
from skkuranet.images.reading import check_number, ranges_of

# Labelled pixels that are learned from, of all images together.
_PIXELS = 500_000


@dataclass(frozen=True)
class LabelledPixels:
    """Labelled pixels of all images as one table.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        Their features.
    has_place : bool
        Whether the last of them are where pixels are.
    codes : ndarray of shape (n,)
        The class of each as a number.
    classes : ndarray of shape (n_classes,)
        Labels, sorted.
    distances : ndarray of shape (n_images,)
        Mean distance of a pixel to the nearest labelled one.
    sides : ndarray of shape (n_images,)
        Longest side of each image, in pixels.
    n_scattered : float
        How many pixels, if they were scattered evenly, would say as much.
    pools : list of Tensor or None
        Pixels of each image, if every network is to be of one; None where networks are of all.
    ranges : ndarray of shape (n_channels, 2)
        Range of the intensities of each channel.
    digests : list of str
        What identifies each image.
    first : tuple
        The first image and its mask.
    """

    X: np.ndarray
    has_place: bool
    codes: np.ndarray
    classes: np.ndarray
    distances: np.ndarray
    sides: np.ndarray
    n_scattered: float
    pools: Any
    ranges: np.ndarray
    digests: list[str]
    first: tuple[np.ndarray, Mask]


def labelled_pixels(
    pairs: Iterable[tuple[np.ndarray, Mask]],
    n_images: int,
    *,
    features: Any,
    place: bool,
    cache: FeatureCache,
) -> LabelledPixels:
    """Return labelled pixels of images (*shape, n_channels) with a mask each, one after the other.

    Of very many, evenly chosen ones are kept. ``place`` says whether features tell where they are.
    Raise ValueError if there are fewer than two labels, or images differ in their channels or
    features.
    """
    wanted = max(1, _PIXELS // n_images)
    tables, labels, ranges, distances, shapes, present = [], [], [], [], [], []
    masks, digests = [], []
    first: tuple[np.ndarray, Mask] | None = None
    for image, mask in pairs:
        first = (image, mask) if first is None else first
        check_channels(image, first[0])
        ranges.append(ranges_of(image))
        digests.append(digest(image))
        distances.append(mean_distance(mask.known))
        shapes.append(mask.known.shape)
        present.append(np.unique(mask.labels[mask.known]))
        masks.append(mask)
        chosen = _thinned(mask.known, wanted)
        tables.append(cache.chosen(image, chosen, features, place))
        check_number(tables[-1].shape[1], tables[0].shape[1])
        labels.append(mask.labels[chosen])
    assert first is not None
    classes = np.unique(np.concatenate(present))
    if len(classes) < 2:
        raise ValueError(
            f"mask has one label only, {plain(classes[0])}. Label pixels of two segments at least."
        )
    warn_of_strays(masks, classes)
    codes = [np.searchsorted(classes, own) for own in labels]
    # Labels that never share an image are only told apart in networks of several; otherwise
    # networks are of one image each, as places in two say nothing to one another.
    everywhere = all(np.isin(classes, own).all() for own in present)
    apart = everywhere and len(tables) > 1
    spread = np.array(distances)
    return LabelledPixels(
        np.concatenate(tables),
        place,
        np.concatenate(codes),
        classes,
        spread,
        np.array([max(shape) for shape in shapes]),
        n_scattered([math.prod(shape) for shape in shapes], spread, len(shapes[0])),
        torch.arange(sum(map(len, codes))).split([len(own) for own in codes]) if apart else None,
        widest(np.stack(ranges)),
        digests,
        first,
    )


def check_channels(image: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return an image; raise ValueError if it has other channels than the first."""
    if image.shape[-1] != first.shape[-1]:
        raise ValueError(
            "All images of a fit must have as many channels, got "
            f"{sorted((first.shape[-1], image.shape[-1]))}. Convert them first, for instance with "
            "skimage.color.gray2rgb."
        )
    return image


def widest(ranges: np.ndarray) -> np.ndarray:
    """Return the range of each channel over all images, of those (n_images, n_channels, 2)."""
    return np.stack((ranges[..., 0].min(0), ranges[..., 1].max(0)), axis=1)


def _thinned(known: np.ndarray, wanted: int) -> np.ndarray:
    """Return which labelled pixels to learn from: all, or so many of them, evenly spaced."""
    where = np.flatnonzero(known)
    if len(where) <= wanted:
        return known
    chosen = np.zeros(known.size, dtype=bool)
    chosen[where[np.linspace(0, len(where) - 1, wanted).astype(np.int64)]] = True
    return chosen.reshape(known.shape)
