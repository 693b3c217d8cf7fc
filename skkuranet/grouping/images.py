"""Superpixels that belong together, learned from segmented images, for others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from skimage.segmentation import slic

from skkuranet._utils.messages import plain
from skkuranet.estimators._progress import Progress
from skkuranet.grouping.edge_features_images import image_graph
from skkuranet.grouping.graph import Graph, episode_of
from skkuranet.grouping.image_cues import cues_of, learn_textons, rgb_of
from skkuranet.grouping.network import distances_along, new_network
from skkuranet.grouping.readout import Hierarchy, best_threshold, hierarchy
from skkuranet.grouping.training import Plan, train
from skkuranet.images.masks import Mask

# Superpixels of an image, more or less, and how compact they are.
_SUPERPIXELS, _COMPACTNESS = 600, 8.0
# Pairs of superpixels of each image of training, and images that textons are learned from, at most.
_PAIRS, _IMAGES = 12_000, 100
_PLAN = Plan(edge_epochs=8, epochs=8)
# Hidden units that training leaves out: logits of its own images are too sure without.
_DROPOUT = 0.3
# How thresholds are chosen.
_THRESHOLD = {"slack": 0.003, "place": 0.5}


def _slic(rgb: np.ndarray) -> np.ndarray:
    return slic(rgb, _SUPERPIXELS, _COMPACTNESS, sigma=1.0, start_label=0)


def _each_pixel(rgb: np.ndarray) -> np.ndarray:
    return np.arange(rgb.shape[0] * rgb.shape[1]).reshape(rgb.shape[:2])


#: What makes superpixels (h, w) of colours between 0 and 1 (h, w, 3), by name; None leaves pixels.
SUPERPIXELS: dict[str | None, Callable[[np.ndarray], np.ndarray]] = {
    "slic": _slic,
    None: _each_pixel,
}


@dataclass(frozen=True)
class ImageReader:
    """Images as networks of superpixels.

    Parameters
    ----------
    superpixels : str, None or callable
        What makes them.
    ranges : ndarray of shape (n_channels, 2)
        Range of each channel in the images of fit.
    textons : ndarray of shape (n_textons, n_filters)
        Common responses of filters.
    """

    superpixels: Any
    ranges: np.ndarray
    textons: np.ndarray

    def regions(self, rgb: np.ndarray) -> np.ndarray:
        """Return the superpixels of colours (h, w, 3), numbered from 0."""
        if not callable(self.superpixels):
            found = SUPERPIXELS[self.superpixels](rgb)
        else:
            found = np.asarray(self.superpixels(rgb))
            if found.shape != rgb.shape[:2] or found.dtype.kind not in "bui":
                raise ValueError(
                    "superpixels must return a number for each pixel, whole numbers of shape "
                    f"{rgb.shape[:2]}, got shape {found.shape} of {found.dtype}."
                )
        return np.unique(found, return_inverse=True)[1].reshape(rgb.shape[:2])

    def read(self, image: np.ndarray) -> tuple[Graph | None, np.ndarray]:
        """Return an image (h, w, n_channels) as a network, and its superpixels (h, w).

        Where one superpixel is all there is, there is no network.
        """
        rgb = rgb_of(image, self.ranges)
        regions = self.regions(rgb)
        if not regions.any():
            return None, regions
        return image_graph(cues_of(rgb, self.textons), regions), regions


@dataclass(frozen=True)
class ImageGroups:
    """What makes superpixels alike, as learned from segmented images.

    Parameters
    ----------
    network : GroupingNetwork
        Couplings of neighbours, and where superpixels start.
    reader : ImageReader
        How images become networks.
    threshold : float
        Distance, 1 - cos, below which segments are one.
    """

    network: Any
    reader: ImageReader
    threshold: float

    def segment(self, image: np.ndarray, n_segments: int | None = None) -> np.ndarray:
        """Return the segment of each pixel (h, w), from 0; None finds how many there are."""
        graph, regions = self.reader.read(image)
        n_nodes = int(regions.max()) + 1
        if n_segments is not None and not 1 <= n_segments <= n_nodes:
            raise ValueError(
                f"n_segments must lie between 1 and the number of superpixels {n_nodes}, got "
                f"{plain(n_segments)}. Ask for others, or pass superpixels that make more."
            )
        if graph is None:
            return regions
        found = self.hierarchy(graph)
        if n_segments is None:
            return found.cut_at(self.threshold)[regions]
        return found.cut_into(n_segments)[regions]

    def hierarchy(self, graph: Graph) -> Hierarchy:
        """Return all segments of an image, from each superpixel alone to all together."""
        with torch.no_grad():
            states, _ = self.network.settle(graph)
        return hierarchy(graph, distances_along(graph, states))


def learn_images(
    images: Sequence[np.ndarray],
    masks: Sequence[Sequence[Mask]],
    *,
    superpixels: Any,
    ranges: np.ndarray,
    hidden_layer_sizes: tuple[int, ...],
    n_dims: int,
    threshold: float | None,
    rng: np.random.RandomState,
    progress: Callable[[int], Progress],
) -> tuple[ImageGroups, list[float]]:
    """Learn from images (h, w, n_channels), with masks of one or more people each.

    Return what makes superpixels alike, and the loss of each epoch. A threshold of None is chosen
    on the images of training.
    """
    some = rng.permutation(len(images))[:_IMAGES]
    textons = learn_textons((rgb_of(images[i], ranges) for i in some), rng)
    reader = ImageReader(superpixels, ranges, textons)
    episodes = []
    for image, people in zip(images, masks, strict=True):
        graph, regions = reader.read(image)
        if graph is not None:
            labels = np.stack([_most_frequent(mask, regions, graph.n_nodes) for mask in people])
            sizes = np.bincount(regions.ravel()).astype(float)
            episodes.append(episode_of(graph, labels, _PAIRS, rng, sizes))
    episodes = [
        episode for episode in episodes if episode.weights.any() and episode.pair_weights.any()
    ]
    told = np.concatenate([one.targets[one.weights > 0] for one in episodes] or [np.ones(1)])
    if told.min() == 1.0:
        raise ValueError(
            "No mask parts neighbouring superpixels, so that there is nothing to tell apart. Label "
            "pixels on both sides of borders, or pass finer superpixels."
        )
    network = new_network(
        episodes[0].graph, hidden_layer_sizes, n_dims=n_dims, rng=rng, dropout=_DROPOUT
    )
    losses = train(network, episodes, _PLAN, rng, progress)
    found = ImageGroups(network, reader, threshold or 0.0)
    if threshold is None:
        trees = [found.hierarchy(episode.graph) for episode in episodes]
        found = replace(found, threshold=best_threshold(episodes, trees, **_THRESHOLD))
    return found, losses


def _most_frequent(mask: Mask, regions: np.ndarray, n: int) -> np.ndarray:
    """Return the label that most pixels of each superpixel have, as a number; -1 for none."""
    names, codes = np.unique(mask.labels[mask.known], return_inverse=True)
    size = n * len(names)
    votes = np.bincount(regions[mask.known] * len(names) + codes, minlength=size).reshape(n, -1)
    return np.where(votes.any(1), votes.argmax(1), -1)
