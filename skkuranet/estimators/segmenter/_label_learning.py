"""Learning labels of pixels, with where they are or without."""

from __future__ import annotations

import copy

from sklearn.base import clone

from skkuranet.estimators._sklearn import with_callbacks
from skkuranet.estimators.segmenter._labelling import labelled_pixels
from skkuranet.estimators.segmenter._places import place_helps
from skkuranet.estimators.segmenter._readouts import ImageReadouts
from skkuranet.estimators.segmenter._smoothing import SHARES, smoothing_that_fits
from skkuranet.images.label_density import feature_noise, guidance_of, smoothing_of, waves_of_place

# Share of each class that is to be named right, of pixels that were not learned from, for place to
# have nothing to say.
_RIGHT = 0.99
# Labelled pixels from which on that can be told.
_ENOUGH = 40
# What the names of files of checkpoints get for couplings with place, beside those without.
_PART = ".place"


class LabelLearner(ImageReadouts):
    """Learns labels of pixels, which mean the same in all masks."""

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
        result = self._learn_places(seen)
        self.smoothing_, self.guidance_ = self._smoothing_of(seen)
        if self.for_other_images_ is not None:
            own = self.smoothing_, self.guidance_
            self.for_other_images_.smoothing_, self.for_other_images_.guidance_ = own
        self._warn_of_lost_classes(result)
        # Once, for all predictions.
        self._reference_network(self.reference_features_)

    def _learn_places(self, seen):
        """Train with place, without, or both; return how training of the couplings went.

        Both are trained where a single image is labelled: place says nothing of others. Where
        pixels are told apart without it, couplings do without.
        """
        if self._goes_on:
            others = copy.deepcopy(self.for_other_images_)
            if others is not None:
                others.set_params(warm_start=True)
                others._learn_without_place(seen)
            part = "" if others is None else _PART
            return self._learn_table(seen, place=self.place_, others=others, part=part)
        place = self.place
        if place == "auto":
            place = None if len(seen.digests) == 1 and seen.has_place else False
        if place is not None:
            return self._learn_table(seen, place=place)
        if not place_helps(seen, self.spatial_dims):
            return self._learn_table(seen, place=False)
        others = clone(self).set_params(place=False)
        without = others._learn_without_place(seen)
        told = len(seen.codes) >= _ENOUGH and min(without.recalls, default=0.0) > _RIGHT
        if without.interrupted or told:
            learned = vars(others)
            self._keep({name: learned[name] for name in learned["_learned"]})
            return without
        return self._learn_table(seen, place=True, others=others, part=_PART)

    @with_callbacks
    def _learn_without_place(self, seen):
        return self._learn_table(seen, place=False)

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
            feature_noise=given(
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
                given(self.smoothing, lambda share=share: smoothing_of(seen.distances, share)),
                given(self.guidance, lambda share=share: guidance_of(seen.distances, share)),
            )
            for share in SHARES
        ]
        return smoothing_that_fits(
            self._reader(), self._probabilities_of_rows, *seen.first, seen.classes, tried
        )


def given(value, otherwise):
    """A parameter, or what "auto" comes to."""
    return otherwise() if isinstance(value, str) else value
