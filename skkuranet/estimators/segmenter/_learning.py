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
from skkuranet.estimators._unseen import (
    learned_from_images,
)
from skkuranet.estimators.segmenter._grouping import grouped_pixels, pair_objective
from skkuranet.estimators.segmenter._labelling import check_channels, labelled_pixels, widest
from skkuranet.estimators.segmenter._places import learn_places
from skkuranet.estimators.segmenter._readouts import ImageReadouts
from skkuranet.estimators.segmenter._smoothing import SHARES, smoothing_that_fits
from skkuranet.images.label_density import (
    closed_form_plan,
    feature_noise,
    guidance_of,
    smoothing_of,
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


class ImageLearner(ImageReadouts):
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

    def _learn_labels(self, n_images, pairs):
        """Train on labels that mean the same in all masks."""
        seen = labelled_pixels(
            pairs,
            n_images,
            features=self.features,
            # What else a callable says of pixels is up to it.
            place=self.place is True or not callable(self.features),
            cache=self._cache,
        )
        if len(seen.classes) > self.network_size:
            raise ValueError(
                f"network_size={self.network_size} cannot hold the {len(seen.classes)} labels in "
                "mask. Raise network_size to several times their number."
            )
        result = learn_places(self, seen)
        self.smoothing_, self.guidance_ = self._smoothing_of(seen)
        if self.for_other_images_ is not None:
            own = self.smoothing_, self.guidance_
            self.for_other_images_.smoothing_, self.for_other_images_.guidance_ = own
        self._warn_of_lost_classes(result)
        # Once, for all predictions.
        self._reference_network(self.reference_features_)

    def _learn_table(self, seen, *, place, others=None, part=""):
        """Train on labelled pixels, with or without where they are; return how it went.

        ``others`` is the segmenter that answers for other images.
        """
        X = seen.X if place == seen.has_place else seen.X[:, : -self.spatial_dims]
        decay = self._share_of_decay(seen.n_scattered) if self._in_closed_form else 1.0
        return self._learn_classes(
            X,
            seen.codes,
            seen.codes,
            seen.classes,
            "mask",
            n_telling=seen.n_scattered,
            part=part,
            weight_decay=self.weight_decay * decay,
            feature_noise=_given(
                self.feature_noise, lambda: feature_noise(seen.n_scattered, X.shape[1])
            ),
            encoding=(
                waves_of_place(
                    X, self.bandwidth, seen.distances / seen.sides, n_axes=self.spatial_dims
                )
                if place
                else None
            ),
            pools=seen.pools,
            attributes={
                "n_channels_in_": len(seen.ranges),
                "_channel_ranges": seen.ranges,
                "_n_pixel_features": X.shape[1],
                "place_": place,
                "for_other_images_": others,
                "_digests": seen.digests,
                "smoothing_": 0.0,
                "guidance_": 0,
            },
        )

    def _smoothing_of(self, seen):
        """Return how far answers are smoothed, and how far they follow edges."""
        tried = [
            (
                _given(self.smoothing, lambda share=share: smoothing_of(seen.distances, share)),
                _given(self.guidance, lambda share=share: guidance_of(seen.distances, share)),
            )
            for share in SHARES
        ]
        return smoothing_that_fits(
            self._reader(), self._probabilities_of_rows, *seen.first, seen.classes, tried
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
                feature_noise=_given(self.feature_noise, lambda: 0.0),
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
            _learn_labels,
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


def _given(value, otherwise):
    """A parameter, or what "auto" comes to."""
    return otherwise() if isinstance(value, str) else value
