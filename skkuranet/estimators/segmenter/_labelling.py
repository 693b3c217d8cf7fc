"""Labels that mean the same in all images."""

from __future__ import annotations

import numpy as np
import torch

from skkuranet.images.label_density import (
    feature_noise,
    guidance_of,
    mean_distances,
    n_scattered,
    smoothing_of,
    waves_of_place,
)
from skkuranet.images.reading import check_number


class LabellingMixin:
    """Part of a segmenter that learns which label a pixel has."""

    def _learn_labels(self, images, masks, attributes):
        """Train on labels that mean the same in all masks."""
        if self.warm_start and hasattr(self, "coupling_") and self._grouping:
            raise ValueError(
                "warm_start=True cannot go on from n_segments to labels, whose couplings are of "
                "another kind. Set warm_start=False to start anew."
            )
        classes = np.unique(np.concatenate([np.unique(mask) for mask in masks]))
        classes = classes[classes != self.unlabeled]
        self._check_classes(classes)
        known = [mask != self.unlabeled for mask in masks]
        tables = [
            self._labelled_features(image, here.ravel())
            for image, here in zip(images, known, strict=True)
        ]
        for table in tables:
            check_number(table.shape[1], tables[0].shape[1])
        X = np.concatenate(tables)
        labels = np.concatenate([mask[here] for mask, here in zip(masks, known, strict=True)])
        codes = np.searchsorted(classes, labels)
        distances = mean_distances(known)
        sides = np.array([max(here.shape) for here in known])
        spread = n_scattered([here.size for here in known], distances)
        # Labels that never share an image are told apart in networks of several images alone.
        everywhere = all(np.isin(classes, mask).all() for mask in masks)
        apart = everywhere and len(images) > 1
        result = self._learn_classes(
            X,
            codes,
            codes,
            classes,
            "mask",
            weight_decay=self.weight_decay
            * (self._share_of_decay(spread) if self._in_closed_form else 1.0),
            feature_noise=(
                feature_noise(spread) if self.feature_noise == "auto" else self.feature_noise
            ),
            encoding=(
                None
                if callable(self.features)
                else waves_of_place(X, self.bandwidth, distances / sides)
            ),
            # Otherwise networks are of one image each: places in two say nothing to one another.
            pools=torch.arange(len(X)).split([len(table) for table in tables]) if apart else None,
            attributes=attributes
            | {
                "_n_pixel_features": X.shape[1],
                "smoothing_": (
                    smoothing_of(distances) if self.smoothing == "auto" else self.smoothing
                ),
                "guidance_": (guidance_of(distances) if self.guidance == "auto" else self.guidance),
            },
        )
        self._warn_of_lost_classes(result)
        # Once, for all predictions.
        self._reference_network(X)

    def _check_classes(self, classes):
        if len(classes) < 2:
            raise ValueError(
                f"mask has one label only, {classes[0]}. Label pixels of two segments at least."
            )
        if len(classes) > self.network_size:
            raise ValueError(
                f"network_size={self.network_size} cannot hold the {len(classes)} labels in mask. "
                "Raise network_size to several times their number."
            )
