"""How a segmenter learns from images."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from skkuranet._utils.tools import random_source
from skkuranet.estimators._fit_task import FitTask
from skkuranet.estimators._modes import Mode
from skkuranet.estimators._network_presets import CLUSTERING, GROUPING
from skkuranet.estimators._simulation import LIMIT_TIME
from skkuranet.estimators._unseen import learned_from_images
from skkuranet.estimators.segmenter._grouping import grouped_pixels, pair_objective
from skkuranet.estimators.segmenter._label_learning import LabelLearner, given
from skkuranet.estimators.segmenter._labelling import check_channels, widest
from skkuranet.estimators.segmenter._readouts import ImageReadouts
from skkuranet.images.label_density import (
    closed_form_plan,
    waves_of_place,
)
from skkuranet.images.reading import ranges_of
from skkuranet.training import Curriculum

# Steps before the trajectory that gradients see, and the share of networks that start near the
# splay state to the end.
_BURN_IN, _FINAL_SEEDING = 300, 0.3
# Labelled pixels from which on closed form ends when those left out say so, and how many looks in
# vain it takes.
_DENSE, _LOOKS = 20_000, 4
# Pixels of the networks that the best weights are chosen by.
_HELD_OUT = 4000


class ImageLearner(LabelLearner):
    """Learns labels of pixels, or which pixels belong together."""

    @property
    def _chosen_mode(self):
        if self.groups == "unseen":
            return "unseen"
        return "labels" if self.n_segments is None else "n_segments"

    @property
    def _presets(self):
        return CLUSTERING if self.n_segments is None else GROUPING

    def _curriculum(self, task: FitTask) -> Curriculum:
        plan = super()._curriculum(task)
        if self.n_segments is not None:
            # How well networks of different images are grouped differs more than weights do.
            return dataclasses.replace(plan, limit_resolution=math.inf)
        plan = dataclasses.replace(plan, n_held_out=max(1, _HELD_OUT // self.network_size))
        if self._in_closed_form:
            after = max(1, self.max_iter // 8)
            dense = task.n_labelled >= _DENSE
            n_rows, n_steps = closed_form_plan(task.n_telling)
            plan = self._after_closed_form(
                plan,
                after,
                max(1, min(n_steps, self.max_iter - after)),
                task,
                # Of few pixels, those left out are too few to tell when to stop.
                patience=_LOOKS if self.tol > 0 and dense else None,
                stall=1 if self.tol > 0 else None,
            )
            few = min(n_rows, plan.closed_form.n_rows)
            # Batches of many pixels that say the same take time for nothing.
            closed_form = dataclasses.replace(plan.closed_form, n_rows=few)
            return dataclasses.replace(plan, closed_form=closed_form)
        return dataclasses.replace(
            plan,
            # Four segments are held apart so weakly that only late states show whether they are.
            burn_in=_BURN_IN,
            final_seeding=_FINAL_SEEDING,
            limit_time=LIMIT_TIME,
            check_every=max(25, self.max_iter // 16),
        )

    def _learn_groups(self, n_images, pairs):
        """Train on networks of pixels of one image each; its labels are its own."""
        images, masks = zip(*pairs, strict=True)
        ranges = np.stack([ranges_of(check_channels(image, images[0])) for image in images])
        # Pixels of a segment are near one another, in any image.
        place = not callable(self.features) if self.place == "auto" else self.place
        X, codes, pools = grouped_pixels(
            images,
            masks,
            features=self.features,
            place=place,
            rng=random_source(self.random_state),
        )
        normalization = self._normalization()
        # Details of place in one image say nothing about another.
        blurred = not place or self.bandwidth == "auto"
        self._learn(
            FitTask(
                X,
                codes,
                self.n_segments,
                objective=functools.partial(pair_objective, codes, pools),
                complete=functools.partial(
                    self._complete_groups, normalization, self._segment_numbers(masks)
                ),
                normalization=normalization,
                weight_decay=self.weight_decay,
                feature_noise=given(self.feature_noise, lambda: 0.0),
                encoding=(
                    None if blurred else waves_of_place(X, self.bandwidth, n_axes=self.spatial_dims)
                ),
                attributes={
                    "n_channels_in_": images[0].shape[-1],
                    "_channel_ranges": widest(ranges),
                    "_n_pixel_features": X.shape[1],
                    "place_": place,
                    "for_other_images_": None,
                },
            )
        )

    def _learn_unseen(self, n_images, pairs):
        """Train on networks of superpixels of one image each; what is learned is of any image."""
        images, masks = zip(*pairs, strict=True)
        ranges = widest(np.stack([ranges_of(check_channels(image, images[0])) for image in images]))
        attributes = {
            "n_channels_in_": images[0].shape[-1],
            "_channel_ranges": ranges,
            "place_": False,
            "for_other_images_": None,
        }
        found = learned_from_images(self, list(images), list(masks), ranges, self._sizes())
        self._keep(attributes | found)

    def _segment_numbers(self, masks):
        """Numbers of segments, in the integer type of the masks where it has so many."""
        dtype = masks[0].labels.dtype
        holds = dtype.kind in "ui" and self.n_segments <= np.iinfo(dtype).max
        return np.arange(self.n_segments, dtype=dtype if holds else np.int64)

    def _complete_groups(self, normalization, numbers, network, seed):
        return {
            "coupling_": network,
            "normalization_": normalization,
            "classes_": numbers,
            "_simulation_seed": seed,
        }

    _modes = {
        "labels": Mode(
            "labels",
            LabelLearner._learn_labels,
            ImageReadouts._limit_clusters,
            ImageReadouts._phases,
            ImageReadouts._segments,
        ),
        "n_segments": Mode(
            "n_segments",
            _learn_groups,
            ImageReadouts._limit_clusters,
            ImageReadouts._limit_phases,
            ImageReadouts._numbered_clusters,
            named=False,
        ),
        "unseen": Mode(
            "groups='unseen'",
            _learn_unseen,
            ImageReadouts._groups,
            predict=ImageReadouts._groups,
            seen=False,
            named=False,
        ),
    }
