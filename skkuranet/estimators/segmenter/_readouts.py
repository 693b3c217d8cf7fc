"""What a fitted segmenter says of the pixels of an image."""

from __future__ import annotations

import functools
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils.metaestimators import available_if

from skkuranet._utils.messages import plain
from skkuranet._utils.surroundings import undisturbed
from skkuranet._utils.tools import random_source
from skkuranet.coupling import MembershipNetwork
from skkuranet.dynamics import wrap
from skkuranet.estimators._modes import of_seen_groups
from skkuranet.estimators._phase_clusters import phasors
from skkuranet.estimators._simulation import limit_phases
from skkuranet.estimators.segmenter._whole_image import ImageBase
from skkuranet.images.instances import split_objects

# Radius of the smallest object that counts, in standard deviations of smoothing.
_SMALLEST = 2.0


def _names_segments(self):
    """Return whether segments have names; raise AttributeError if not."""
    if self._mode.named:
        return True
    raise AttributeError(
        f"{type(self).__name__} needs segments with names for this, but "
        f"{self._mode.chosen_by} learns groups without any. Use predict, or fit with "
        "n_segments=None and groups='seen'."
    )


class ImageReadouts(ImageBase):
    """Labels, probabilities, objects and phases of pixels."""

    def predict(self, image):
        """Return the label of the segment whose oscillators pull each pixel hardest.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, path, or a list of them
            Images of as many channels as those of fit. A folder, a list of paths or a generator is
            read one image after the other.

        Returns
        -------
        ndarray of shape (h, w), or list of them
            Labels of ``classes_``, or with ``groups="unseen"`` segments from 0; for a generator a
            generator, which segments an image when it is asked for the next.
        """
        return self._reader().each(image, functools.partial(self._mode.predict, self))

    @of_seen_groups("predict or cluster")
    def transform(self, image):
        """Return the phase at which each pixel locks.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, path, or a list of them
            Images of as many channels as those of fit.

        Returns
        -------
        ndarray of shape (h, w), or list of them
            Phases in (−π, π].
        """
        return self._reader().each(image, functools.partial(self._mode.transform, self))

    @available_if(_names_segments)
    @undisturbed
    def predict_proba(self, image):
        """Return how likely each pixel belongs to each segment.

        Probabilities are calibrated on labelled pixels that were left out of training, and averaged
        over pixels that are near and alike as ``smoothing`` and ``guidance`` say; the most likely
        segment is that of :meth:`predict`. They hold for pixels like the labelled ones: what no
        stroke shows can be told wrong with confidence.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, path, or a list of them
            Images of as many channels as those of fit; volumes have one axis more.

        Returns
        -------
        ndarray of shape (h, w, n_classes), or list of them
            In the order of ``classes_``; each pixel's sum to 1.
        """
        return self._reader().each(image, self._probabilities)

    @available_if(_names_segments)
    @undisturbed
    def instances(self, image, *, background=None, neck=0.85, min_size="auto"):
        """Return which object each pixel belongs to.

        Objects are connected pixels of one segment. Where two touch, a watershed parts them: on
        the distance to their border, times how much likelier than any other their segment is.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, path, or a list of them
            Images of as many channels as those of fit; volumes have one axis more.
        background : label, default=None
            The label of ``classes_`` that is no object; None for the first of them.
        neck : float, default=0.85
            Parts of an object are two if the neck between them is narrower than this share of the
            narrower one, from 0 to 1; 0 leaves what touches together.
        min_size : int or "auto", default="auto"
            Smaller objects, in pixels, are left out. ``"auto"`` are those within two standard
            deviations of ``smoothing_``, or within two pixels where that is less.

        Returns
        -------
        ndarray of int32 of shape (h, w), or list of them
            Number of the object of each pixel, from 1; 0 for the background.

        See Also
        --------
        skimage.measure.regionprops_table : Size, place and shape of each.
        """
        reader = self._reader()
        classes = list(self.classes_)
        background = classes[0] if background is None else background
        if background not in classes:
            raise ValueError(
                f"background must be one of the labels {plain(self.classes_)}, got "
                f"{plain(background)}."
            )
        if isinstance(neck, bool) or not isinstance(neck, Real) or not 0.0 <= neck <= 1.0:
            raise ValueError(f"neck must be a number from 0 to 1, got {plain(neck)}.")
        if min_size == "auto":
            min_size = self._smallest_object()
        if isinstance(min_size, bool) or not isinstance(min_size, Integral) or min_size < 0:
            raise ValueError(
                f"min_size must be 'auto' or a number of pixels from 0, got {plain(min_size)}."
            )
        skipped = classes.index(background)

        def objects(pixels):
            return self._objects(pixels, skipped, neck, min_size)

        return reader.each(image, objects)

    def _smallest_object(self):
        """Pixels of a disc, or a ball, that smoothing or noise may make of a speck."""
        radius = _SMALLEST * max(1.0, self.smoothing_)
        return round(np.pi * radius**2 if self.spatial_dims == 2 else 4 / 3 * np.pi * radius**3)

    def _objects(self, image, background, neck, min_size):
        probabilities = self._probabilities(image)
        codes = probabilities.argmax(axis=-1)
        second, first = np.moveaxis(np.partition(probabilities, -2, axis=-1)[..., -2:], -1, 0)
        found = np.zeros(codes.shape, dtype=np.int32)
        for code in range(len(self.classes_)):
            if code != background:
                own = split_objects(codes == code, first - second, neck, min_size)
                found += np.where(own > 0, own + found.max(), 0).astype(np.int32)
        return found

    def _segments(self, image):
        """The most likely label of each pixel, of what its neighbours say."""
        return self.classes_[self._probabilities(image).argmax(axis=-1)]

    def _probabilities(self, image):
        """Probabilities of the classes of each pixel, of what its neighbours say."""
        asked = self._answering(image)
        found = asked._said(asked._probabilities_of_rows, image).clip(0.0)
        return found / found.sum(axis=-1, keepdims=True).clip(np.finfo(np.float32).tiny)

    def _probabilities_of_rows(self, X):
        if self._pull_readout is None:
            found = self._reference_network(X).says(X, MembershipNetwork.log_probabilities)
        else:
            found = self._pull_readout.log_probabilities(self._pulls_of_classes(X))
        return np.exp(found).astype(np.float32)

    def _phases(self, image):
        asked = self._answering(image)
        sources = phasors(asked.reference_phases_).T

        def exerted(X):
            return asked._reference_network(X).drive(X, sources).astype(np.float32)

        field = asked._said(exerted, image)
        return np.arctan2(field[..., 1], field[..., 0])

    def _said(self, answer, image):
        """An answer for each pixel, with what is said of those near it and like it."""
        reader = self._reader()
        said = reader.by_pixel(answer, image)
        return reader.smoothed(said, image, self.smoothing_, self.guidance_)

    def _numbered_clusters(self, image):
        return self.classes_[self.cluster(image, random_state=self._seed_of_answers())]

    def _limit_phases(self, image):
        X = self._reader().table(image)
        rng = random_source(self._seed_of_answers())
        limit = limit_phases(self.trained_network_, X, rng, self.step_size)
        return wrap(torch.from_numpy(limit)).numpy().reshape(image.shape[:-1])

    def _seed_of_answers(self):
        """The same initial phases whenever an answer is asked for."""
        number = isinstance(self.random_state, Integral)
        return self.random_state if number else self._simulation_seed
