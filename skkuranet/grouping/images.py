"""Superpixels that belong together, learned from segmented images, for others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from skkuranet._utils.messages import plain
from skkuranet.estimators._progress import Progress
from skkuranet.grouping.graph import Episode, episode_of
from skkuranet.grouping.image_cues import cues_of, learn_textons, rgb_of
from skkuranet.grouping.network import new_network
from skkuranet.grouping.readout import Hierarchy, Sample, best_threshold, hierarchy
from skkuranet.grouping.resolution import at_shape, seen_image, seen_mask
from skkuranet.grouping.superpixels import SUPERPIXELS, Superpixels, superpixels_of
from skkuranet.grouping.training import Plan, train
from skkuranet.images.masks import Mask

# Pairs of superpixels of each image of training, and images that textons are learned from, at most.
_PAIRS, _IMAGES = 12_000, 100
_PLAN = Plan(edge_epochs=6, epochs=6)
# Hidden units that training leaves out: logits of its own images are too sure without.
_DROPOUT = 0.3
# How thresholds are chosen, and of how many pixels of each mask at most.
_THRESHOLD = {"slack": 0.003, "place": 0.5}
_PIXELS = 2_500


@dataclass(frozen=True)
class ImageReader:
    """Images as networks of superpixels, of one kind or several.

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

    def kinds(self, rgb: np.ndarray) -> list[np.ndarray]:
        """Return the superpixels of colours (h, w, 3) of each kind, numbered from 0."""
        if not callable(self.superpixels):
            found = [make(rgb) for make in SUPERPIXELS[self.superpixels]]
        else:
            found = [np.asarray(self.superpixels(rgb))]
            if found[0].shape != rgb.shape[:2] or found[0].dtype.kind not in "bui":
                raise ValueError(
                    "superpixels must return a number for each pixel, whole numbers of shape "
                    f"{rgb.shape[:2]}, got shape {found[0].shape} of {found[0].dtype}."
                )
        return [np.unique(kind, return_inverse=True)[1].reshape(kind.shape) for kind in found]

    def read(self, image: np.ndarray) -> Superpixels:
        """Return the superpixels of an image (h, w, n_channels), and their networks.

        A large image is seen at a lower resolution.
        """
        rgb = seen_image(rgb_of(image, self.ranges))
        return superpixels_of(self.kinds(rgb), lambda: cues_of(rgb, self.textons))


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
        seen = self.reader.read(image)
        regions = seen.kinds[0]
        n_nodes = int(regions.max()) + 1
        if n_segments is not None and not 1 <= n_segments <= n_nodes:
            raise ValueError(
                f"n_segments must lie between 1 and the number of superpixels {n_nodes}, got "
                f"{plain(n_segments)}. Ask for others, or pass superpixels that make more."
            )
        if not seen.graphs:
            return at_shape(regions, image.shape[:2])
        found = self.hierarchy(seen)
        if n_segments is None:
            segments = found.cut_at(self.threshold)
        else:
            segments = found.cut_into(n_segments)
        return at_shape(segments[regions], image.shape[:2])

    def hierarchy(self, seen: Superpixels) -> Hierarchy:
        """Return all segments of an image, from each superpixel alone to all together."""
        with torch.no_grad():
            states = [self.network.settle(graph)[0] for graph in seen.graphs]
        return hierarchy(seen.graphs[0], seen.distances(states))


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
    textons = learn_textons((seen_image(rgb_of(images[i], ranges)) for i in some), rng)
    reader = ImageReader(superpixels, ranges, textons)
    shown = [
        (reader.read(image), [seen_mask(mask) for mask in people])
        for image, people in zip(images, masks, strict=True)
    ]
    shown = [(seen, people) for seen, people in shown if seen.graphs]
    episodes = [episode for seen, people in shown for episode in _episodes(seen, people, rng)]
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
        samples = [_sampled(seen, people, rng) for seen, people in shown]
        trees = [found.hierarchy(seen) for seen, _ in shown]
        found = replace(found, threshold=best_threshold(samples, trees, **_THRESHOLD))
    return found, losses


def _episodes(
    seen: Superpixels, people: Sequence[Mask], rng: np.random.RandomState
) -> Iterator[Episode]:
    """Yield what people say of the superpixels of each kind."""
    for graph, regions in zip(seen.graphs, seen.kinds, strict=True):
        labels = np.stack([_most_frequent(mask, regions, graph.n_nodes) for mask in people])
        sizes = np.bincount(regions.ravel()).astype(float)
        yield episode_of(graph, labels, _PAIRS, rng, sizes)


def _sampled(seen: Superpixels, people: Sequence[Mask], rng: np.random.RandomState) -> list[Sample]:
    """Return what each person calls some pixels, and the superpixels that these are in."""
    found = []
    for mask in people:
        known = rng.permutation(np.flatnonzero(mask.known))[:_PIXELS]
        found.append((mask.labels.ravel()[known], seen.kinds[0].ravel()[known]))
    return found


def _most_frequent(mask: Mask, regions: np.ndarray, n: int) -> np.ndarray:
    """Return the label that most pixels of each superpixel have, as a number; -1 for none."""
    names, codes = np.unique(mask.labels[mask.known], return_inverse=True)
    size = n * len(names)
    votes = np.bincount(regions[mask.known] * len(names) + codes, minlength=size).reshape(n, -1)
    return np.where(votes.any(1), votes.argmax(1), -1)
