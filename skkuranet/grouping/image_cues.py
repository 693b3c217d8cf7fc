"""Colour and texture of an image, and how fast they change at each pixel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import correlate1d, gaussian_filter
from skimage.color import gray2rgb, rgb2lab
from sklearn.cluster import MiniBatchKMeans

from skkuranet.images.reading import intensities

#: Number of textons, and of bins of each channel of Lab.
N_TEXTONS, N_BINS = 32, 8
# Ranges of the channels of Lab that bins are laid over.
_LAB_RANGES = ((0.0, 100.0), (-50.0, 50.0), (-50.0, 50.0))
# Standard deviations of windows, at the resolution of their level: a half, a half and a quarter.
_WINDOWS = ((1, 1.0), (1, 2.5), (2, 2.5))
# Those of filters, and the orders of their derivatives by row and column.
_FILTERS = ((0, 1.0), (0, 2.0), (1, 2.0))
_ORDERS = ((0, 1), (1, 0), (0, 2), (1, 1), (2, 0))
# Response that counts as much contrast; pixels of each image that textons are learned from.
_CONTRAST, _PIXELS = 0.03, 500
_HALF_DIFFERENCE = (-0.5, 0.0, 0.5)


@dataclass(frozen=True)
class Cues:
    """What is seen of one image.

    Parameters
    ----------
    lab : ndarray of shape (h, w, 3)
        Colours in CIELAB.
    colours : ndarray of shape (3 * n_bins, h, w)
        Which bins of L, a and b each pixel is in; shares of two neighbouring ones.
    textons : ndarray of shape (h, w)
        Number of the texton of each pixel.
    n_textons : int
        Number of textons there are.
    gradients : tuple of (level, ndarray of shape (n_cues, 3, h', w'))
        Structure tensors, rr, rc and cc, of each cue in windows of several sizes, each at 2^-level
        of the resolution.
    """

    lab: np.ndarray
    colours: np.ndarray
    textons: np.ndarray
    n_textons: int
    gradients: tuple[tuple[int, np.ndarray], ...]


def rgb_of(image: np.ndarray, ranges: np.ndarray) -> np.ndarray:
    """Return an image (h, w, n_channels) as colours between 0 and 1, (h, w, 3).

    ``ranges`` (n_channels, 2) are those of the channels in fit. One channel is grey, and a fourth
    is opacity, which says nothing. Raise ValueError for other numbers of channels.
    """
    n_channels = image.shape[2]
    if n_channels not in (1, 3, 4):
        raise ValueError(
            f"groups='unseen' sees grey and coloured images, of 1, 3 or 4 channels, got "
            f"{n_channels}. Pass three of them, or the first three principal components."
        )
    lowest, highest = ranges[:3].astype(np.float32).T
    lowest, highest = lowest.min(), highest.max()
    # One scale for all channels keeps hues.
    found = (intensities(image[..., :3]) - lowest) / max(highest - lowest, 1e-12)
    found = found.clip(0.0, 1.0)
    return gray2rgb(found[..., 0]) if n_channels == 1 else found


def learn_textons(images: Iterable[np.ndarray], rng: np.random.RandomState) -> np.ndarray:
    """Return the textons (n_textons, n_filters) of coloured images (h, w, 3): common responses."""
    sampled = []
    for rgb in images:
        responses = _responses(_lightness(rgb2lab(rgb)))
        sampled.append(responses[rng.permutation(len(responses))[:_PIXELS]])
    table = np.concatenate(sampled)
    found = MiniBatchKMeans(
        min(N_TEXTONS, len(table)), n_init=3, batch_size=4096, random_state=rng
    ).fit(table)
    return found.cluster_centers_.astype(np.float32)


def cues_of(rgb: np.ndarray, textons: np.ndarray) -> Cues:
    """Return what is seen of a coloured image (h, w, 3)."""
    lab = rgb2lab(rgb).astype(np.float32)
    shape = lab.shape[:2]
    colours = np.concatenate([_binned(lab[..., c], *_LAB_RANGES[c]) for c in range(3)])
    responses = _responses(_lightness(lab))
    nearest = responses @ textons.T - 0.5 * np.square(textons).sum(1)
    of_pixel = nearest.argmax(1).reshape(shape)
    whole = np.concatenate((colours, of_pixel == np.arange(len(textons))[:, None, None]))
    levels = {0: whole.astype(np.float32)}
    for level in (1, 2):
        levels[level] = _halved(levels[level - 1])
    parts = np.split(np.arange(len(whole)), [N_BINS, 2 * N_BINS, 3 * N_BINS])
    gradients = []
    for level, window in _WINDOWS:
        # The chi-squared metric of histograms is that of their roots.
        roots = np.sqrt(
            gaussian_filter(levels[level], window, mode="nearest", truncate=3.0, axes=(1, 2))
        )
        tensors = _tensors(roots)
        gradients.append((level, np.stack([tensors[:, part].sum(1) for part in parts])))
    return Cues(lab, colours, of_pixel, len(textons), (*gradients, *_of_lab(lab)))


def _of_lab(lab: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Return structure tensors of the colours themselves, which show fine edges."""
    channels = np.moveaxis(lab, -1, 0) / 100.0
    found = []
    for window in (0.7, 1.5):
        smooth = gaussian_filter(channels, window, mode="nearest", truncate=3.0, axes=(1, 2))
        found.append((0, _tensors(smooth).sum(1)[None]))
    return found


def _tensors(maps: np.ndarray) -> np.ndarray:
    """Return products of derivatives of maps (n, h, w): rr, rc and cc, (3, n, h, w)."""
    by_row, by_column = (
        correlate1d(maps, _HALF_DIFFERENCE, axis=axis, mode="nearest") for axis in (1, 2)
    )
    return np.stack((by_row * by_row, by_row * by_column, by_column * by_column))


def _lightness(lab: np.ndarray) -> np.ndarray:
    return (lab[..., 0] / 100.0).astype(np.float32)


def _responses(lightness: np.ndarray) -> np.ndarray:
    """Return the responses of filters, of bounded contrast, (n_pixels, n_filters)."""
    height, width = lightness.shape
    levels = (lightness[None], _halved(lightness[None]))
    found = []
    for level, width_of_filter in _FILTERS:
        for orders in _ORDERS:
            response = gaussian_filter(
                levels[level][0], width_of_filter, order=orders, mode="nearest", truncate=3.0
            )
            response *= width_of_filter ** sum(orders)
            if level:
                response = response.repeat(2, 0).repeat(2, 1)[:height, :width]
            found.append(response.ravel())
    table = np.stack(found, 1)
    size = np.sqrt(np.square(table).sum(1, keepdims=True)) + 1e-6
    return table * (np.log1p(size / _CONTRAST) / size)


def _binned(values: np.ndarray, lowest: float, highest: float) -> np.ndarray:
    """Return shares of the two bins whose centres a value is between, (n_bins, h, w)."""
    place = ((values - lowest) / (highest - lowest)).clip(0.0, 1.0) * (N_BINS - 1)
    return (1.0 - np.abs(place - np.arange(N_BINS)[:, None, None])).clip(0.0).astype(np.float32)


def _halved(maps: np.ndarray) -> np.ndarray:
    """Return means of blocks of two by two pixels of maps (n, h, w)."""
    n, height, width = maps.shape
    padded = np.pad(maps, ((0, 0), (0, height % 2), (0, width % 2)), "edge")
    blocks = padded.reshape(n, padded.shape[1] // 2, 2, padded.shape[2] // 2, 2)
    return blocks.mean((2, 4))
