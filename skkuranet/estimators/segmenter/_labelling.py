"""Labels that mean the same in all images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skkuranet._utils.messages import plain
from skkuranet.estimators.segmenter._pixels import labelled_features
from skkuranet.images.label_density import mean_distances, n_scattered
from skkuranet.images.masks import Mask, warn_of_strays
from skkuranet.images.reading import check_number


@dataclass(frozen=True)
class LabelledPixels:
    """Labelled pixels of all images as one table.

    Parameters
    ----------
    X, codes : ndarray of shape (n, n_features) and (n,)
        Their features, and the class of each as a number.
    classes : ndarray of shape (n_classes,)
        Labels, sorted.
    distances : ndarray of shape (n_images,)
        Mean distance of a pixel to the nearest labelled one.
    sides : ndarray of shape (n_images,)
        Longer side of each image, in pixels.
    n_scattered : float
        How many pixels, if they were scattered evenly, would say as much.
    pools : list of Tensor or None
        Pixels of each image, if every network is to be of one; None where networks are of all.
    """

    X: np.ndarray
    codes: np.ndarray
    classes: np.ndarray
    distances: np.ndarray
    sides: np.ndarray
    n_scattered: float
    pools: Any


def labelled_pixels(
    images: list[np.ndarray], masks: list[Mask], *, features: Any
) -> LabelledPixels:
    """Return the labelled pixels of images (h, w, n_channels) with a mask each.

    Raise ValueError if there are fewer than two labels, or images differ in their features.
    """
    classes = np.unique(np.concatenate([np.unique(mask.labels[mask.known]) for mask in masks]))
    if len(classes) < 2:
        raise ValueError(
            f"mask has one label only, {plain(classes[0])}. Label pixels of two segments at least."
        )
    warn_of_strays(masks, classes)
    known = [mask.known for mask in masks]
    tables = [
        labelled_features(image, here.ravel(), features)
        for image, here in zip(images, known, strict=True)
    ]
    for table in tables:
        check_number(table.shape[1], tables[0].shape[1])
    X = np.concatenate(tables)
    labels = np.concatenate([mask.labels[mask.known] for mask in masks])
    distances = mean_distances(known)
    # Labels that never share an image are only told apart in networks of several; otherwise
    # networks are of one image each, as places in two say nothing to one another.
    everywhere = all(np.isin(classes, mask.labels[mask.known]).all() for mask in masks)
    apart = everywhere and len(images) > 1
    return LabelledPixels(
        X,
        np.searchsorted(classes, labels),
        classes,
        distances,
        np.array([max(here.shape) for here in known]),
        n_scattered([here.size for here in known], distances),
        torch.arange(len(X)).split([len(table) for table in tables]) if apart else None,
    )
