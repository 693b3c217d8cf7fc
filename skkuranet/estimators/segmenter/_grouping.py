"""Groups of pixels that belong together, whatever they are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from skkuranet.images.masks import Mask
from skkuranet.images.reading import check_number, pixel_features
from skkuranet.objectives import PairObjective

# Pixels that are kept of all images together, and of each at least.
_PIXELS, _LEAST = 500_000, 500


def grouped_pixels(
    images: Sequence[np.ndarray],
    masks: Sequence[Mask],
    *,
    features: Any,
    place: bool,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray, tuple[torch.Tensor, ...]]:
    """Draw labelled pixels of each image, whose labels are its own.

    Images are (*shape, n_channels); one may come several times, with another mask each. Return
    features (n, n_features), the label of each pixel, from 0 in each image, and the pixels of each
    image. Raise ValueError if no mask has two labels, or images differ in their features.
    """
    wanted = max(_LEAST, _PIXELS // len(images))
    X, codes = [], []
    seen = table = None
    for image, mask in zip(images, masks, strict=True):
        if image is not seen:
            # An image with several masks is looked at once.
            seen, table = image, pixel_features(image, features, place)
        chosen = rng.permutation(np.flatnonzero(mask.known))[:wanted]
        X.append(table[chosen])
        check_number(table.shape[1], X[0].shape[1])
        codes.append(np.unique(mask.labels.ravel()[chosen], return_inverse=True)[1])
    if max(int(labels.max()) for labels in codes) == 0:
        raise ValueError("No mask has two labels, so that there is nothing to tell apart.")
    pools = torch.arange(sum(map(len, X))).split([len(part) for part in X])
    return np.concatenate(X), np.concatenate(codes), pools


def pair_objective(
    codes: np.ndarray, pools: tuple[torch.Tensor, ...], device: torch.device
) -> PairObjective:
    """Which pixels of an image belong together, as training wants it."""
    return PairObjective(torch.as_tensor(codes, device=device), pools=pools)
