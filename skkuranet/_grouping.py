"""Learning which pixels of an image belong together, whatever they are called."""

from __future__ import annotations

import functools

import numpy as np
import torch

from skkuranet._base import Lesson
from skkuranet._images import pixel_features
from skkuranet._priors import waves_of_place
from skkuranet._tools import random_source
from skkuranet.dynamics import wrap
from skkuranet.objectives import PairObjective

# What a fit to labels that mean the same in all masks leaves behind.
_OF_LABELS = (
    "reference_features_",
    "reference_phases_",
    "cluster_centers_",
    "smoothing_",
    "_readout",
)
# Pixels that are kept of all images together, and of each at least.
_PIXELS, _LEAST = 500_000, 500


class GroupingMixin:
    """The half of a segmenter that groups the pixels of images never seen."""

    @property
    def _grouping(self):
        """Whether fit has learned of groups rather than of labels."""
        return not hasattr(self, "reference_phases_")

    def _learn_groups(self, images, masks):
        """Train on networks of pixels of one image each; its labels are its own."""
        rng = random_source(self.random_state)
        wanted = max(_LEAST, _PIXELS // len(images))
        X, codes = [], []
        seen = table = None
        for image, mask in zip(images, masks, strict=True):
            if image is not seen:
                # An image with several masks is looked at once.
                seen, table = image, pixel_features(image, self.features)
            chosen = rng.permutation(np.flatnonzero(mask.ravel() != self.unlabeled))[:wanted]
            X.append(table[chosen])
            codes.append(np.unique(mask.ravel()[chosen], return_inverse=True)[1])
        if max(int(labels.max()) for labels in codes) == 0:
            raise ValueError("No mask has two labels, so that there is nothing to tell apart.")
        pools = torch.arange(sum(map(len, X))).split([len(part) for part in X])
        X, codes = np.concatenate(X), np.concatenate(codes)
        known = [mask != self.unlabeled for mask in masks]
        normalization = self._normalization()
        self._learn(
            Lesson(
                X,
                codes,
                self.n_segments,
                objective=functools.partial(_objective, codes, pools),
                complete=functools.partial(self._grouped, normalization),
                normalization=normalization,
                weight_decay=self.weight_decay,
                feature_noise=0.0 if self.feature_noise == "auto" else self.feature_noise,
                # Details of place in one image say nothing about another.
                encoding=(
                    None
                    if callable(self.features) or self.bandwidth == "auto"
                    else waves_of_place(X, known, self.bandwidth)
                ),
            )
        )
        for name in _OF_LABELS:
            vars(self).pop(name, None)

    def _grouped(self, normalization, network, seed):
        return {
            "coupling_": network,
            "normalization_": normalization,
            "classes_": np.arange(self.n_segments),
        }

    def _limit_phases(self, image):
        X, shape = self._table(image)
        limit = torch.from_numpy(self._limit(X, random_source(self.random_state)))
        return wrap(limit).numpy().reshape(shape)


def _objective(codes, pools, device):
    return PairObjective(torch.as_tensor(codes, device=device), pools=pools)
