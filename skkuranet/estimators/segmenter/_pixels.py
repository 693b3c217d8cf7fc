"""Images as tables of pixels."""

from __future__ import annotations

import sys
import warnings

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.utils.validation import check_is_fitted

from skkuranet.coupling import MembershipNetwork
from skkuranet.estimators._phase_clusters import phasors
from skkuranet.images.guided_filter import guided_filter
from skkuranet.images.reading import (
    brightest,
    check_number,
    feature_bands,
    intensities,
    is_one_image,
    pixel_features,
    read_image,
    read_mask,
)

# Pixels that are answered for at once.
_PIXELS_AT_ONCE = 1 << 18
# Variance of intensities, as fractions of the brightest, that counts as an edge.
_EPSILON = 3e-4
# How far intensities may leave those of fit before something must be wrong, as a factor.
_BRIGHTER = 20.0


class PixelMixin:
    """Images and masks for an estimator whose oscillators are pixels."""

    def _pairs(self, image, mask):
        """Return images and masks as lists of arrays that fit each other."""
        if is_one_image(image):
            image, mask = [image], [mask]
        elif isinstance(mask, np.ndarray) and mask.ndim == 2:
            raise ValueError("mask is one mask, but image is several; pass as many of each.")
        if len(image) != len(mask) or not len(image):
            raise ValueError(
                f"Pass as many masks as images, and one at least; got {len(image)} images and "
                f"{len(mask)} masks."
            )
        number = (lambda i: "") if len(image) == 1 else (lambda i: f"[{i}]")
        images = [read_image(one, f"image{number(i)}") for i, one in enumerate(image)]
        masks = [
            read_mask(one, images[i].shape[:2], self.unlabeled, f"mask{number(i)}")
            for i, one in enumerate(mask)
        ]
        return images, masks

    def _each(self, image, action):
        check_is_fitted(self)
        if is_one_image(image):
            return action(self._as_seen(image))
        return [action(self._as_seen(one, f"image[{i}]")) for i, one in enumerate(image)]

    def _as_seen(self, image, name="image"):
        image = read_image(image, name)
        if image.shape[2] != self.n_channels_in_:
            raise ValueError(
                f"{name} has {image.shape[2]} channels, but KuraNetSegmenter was fitted to images "
                f"of {self.n_channels_in_}."
            )
        intensity = brightest(image)
        if not self._brightest / _BRIGHTER <= intensity <= self._brightest * _BRIGHTER:
            warnings.warn(
                f"{name} of dtype {image.dtype} has intensities up to {intensity:.3g}, where those "
                f"of fit reached {self._brightest:.3g}. Whole numbers count as fractions of the "
                "largest of their type, and floats as they are; convert the image to the type of "
                "those of fit.",
                UserWarning,
                stacklevel=5,
            )
        return image

    def _labelled_features(self, image, known):
        """Features of the labelled pixels, and of no more at a time than needed."""
        bands, first, chosen = feature_bands(image, self.features, _PIXELS_AT_ONCE), 0, []
        for band in bands:
            chosen.append(band[known[first : first + len(band)]])
            first += len(band)
        return np.concatenate(chosen)

    def _table(self, image):
        check_is_fitted(self)
        if not is_one_image(image):
            raise ValueError("Pass one image; every image is a network of its own.")
        image = self._as_seen(image)
        X = pixel_features(image, self.features)
        check_number(X.shape[1], self._n_pixel_features)
        return X, image.shape[:2]

    def _segments(self, image):
        """Return the label of the segment that pulls each pixel and its neighbours most."""
        if self._pull_readout is None:
            found = self._smoothed(self._by_pixel(self._probabilities, image), image)
        else:
            found = self._pulls(self._reference_members, image)
        return self.classes_[found.argmax(axis=-1)]

    def _probabilities(self, X):
        found = self._reference_network(X).says(X, MembershipNetwork.log_probabilities)
        return np.exp(found).astype(np.float32)

    def _phases(self, image):
        field = self._pulls(phasors(self.reference_phases_).T, image)
        return np.arctan2(field[..., 1], field[..., 0])

    def _pulls(self, sources, image):
        """Return the local field of each pixel, (h, w, k), of k signals of the reference."""

        def exerted(X):
            return self._reference_network(X).drive(X, sources).astype(np.float32)

        return self._smoothed(self._by_pixel(exerted, image), image)

    def _smoothed(self, pulls, image):
        """Average pulls over pixels that are near and alike."""
        pulls = gaussian_filter(pulls, self.smoothing_, axes=(0, 1))
        if not self.guidance_:
            return pulls
        guide = intensities(image) / (self._brightest or 1.0)
        return guided_filter(pulls, guide, self.guidance_, _EPSILON)

    def _by_pixel(self, answer, image):
        """Answer for every pixel, a bounded number of them at once."""
        n_pixels, n_done = image.shape[0] * image.shape[1], 0
        parts = []
        for X in feature_bands(image, self.features, _PIXELS_AT_ONCE):
            check_number(X.shape[1], self._n_pixel_features)
            parts.append(answer(X))
            n_done += len(X)
            if self.verbose:
                done = n_done / n_pixels
                bar = ("=" * round(30 * done)).ljust(30)
                end = "\n" if done == 1.0 else "\r"
                print(f"[KuraNetSegmenter] |{bar}| {done:4.0%}", end=end, file=sys.stderr)
        found = np.concatenate(parts)
        return found.reshape(*image.shape[:2], *found.shape[1:])
