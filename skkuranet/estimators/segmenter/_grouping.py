"""Groups of pixels that belong together, whatever they are called."""

from __future__ import annotations

import functools
from numbers import Integral

import numpy as np
import torch

from skkuranet._utils.tools import random_source
from skkuranet.dynamics import wrap
from skkuranet.estimators._fit_task import FitTask
from skkuranet.estimators._simulation import limit_phases
from skkuranet.images.label_density import waves_of_place
from skkuranet.images.reading import check_number, pixel_features
from skkuranet.objectives import PairObjective

# Pixels that are kept of all images together, and of each at least.
_PIXELS, _LEAST = 500_000, 500


class GroupingMixin:
    """Part of a segmenter that groups the pixels of images never seen."""

    @property
    def _grouping(self):
        """Whether fit has learned groups rather than labels."""
        return not hasattr(self, "reference_phases_")

    def _learn_groups(self, images, masks, attributes):
        """Train on networks of pixels of one image each; its labels are its own."""
        if self.warm_start and hasattr(self, "coupling_") and not self._grouping:
            raise ValueError(
                "warm_start=True cannot go on from labels to n_segments, whose couplings are of "
                "another kind. Set warm_start=False to start anew."
            )
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
            check_number(table.shape[1], X[0].shape[1])
            codes.append(np.unique(mask.ravel()[chosen], return_inverse=True)[1])
        if max(int(labels.max()) for labels in codes) == 0:
            raise ValueError("No mask has two labels, so that there is nothing to tell apart.")
        pools = torch.arange(sum(map(len, X))).split([len(part) for part in X])
        X, codes = np.concatenate(X), np.concatenate(codes)
        normalization = self._normalization()
        self._learn(
            FitTask(
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
                    else waves_of_place(X, self.bandwidth)
                ),
                attributes=attributes | {"_n_pixel_features": X.shape[1]},
            )
        )

    def _grouped(self, normalization, network, seed):
        return {
            "coupling_": network,
            "normalization_": normalization,
            "classes_": np.arange(self.n_segments),
            "_simulation_seed": seed,
        }

    def _groups(self, image):
        return self.cluster(image, random_state=self._seed_of_answers)

    def _limit_phases(self, image):
        X, shape = self._table(image)
        rng = random_source(self._seed_of_answers)
        limit = limit_phases(self.trained_network_, X, rng, self.step_size)
        return wrap(torch.from_numpy(limit)).numpy().reshape(shape)

    @property
    def _seed_of_answers(self):
        """Seed that gives every answer the same initial phases."""
        number = isinstance(self.random_state, Integral)
        return self.random_state if number else self._simulation_seed


def _objective(codes, pools, device):
    return PairObjective(torch.as_tensor(codes, device=device), pools=pools)
