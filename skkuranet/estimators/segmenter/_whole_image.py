"""All pixels of an image as one network."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skkuranet.estimators._clustering import ClusteringBase
from skkuranet.estimators._modes import of_seen_groups
from skkuranet.estimators._simulation import LIMIT_TIME, steps_in
from skkuranet.estimators.segmenter._pixels import PixelReader, read_pairs
from skkuranet.images.feature_cache import FeatureCache, digest


class ImageBase(ClusteringBase):
    """Base of the segmenter: what it can do with all pixels of an image as one network."""

    def _reader(self) -> PixelReader:
        """Images as this fitted segmenter sees them."""
        check_is_fitted(self)
        return PixelReader(
            self.features,
            self._channel_ranges,
            self._n_pixel_features,
            self.place_,
            self.spatial_dims,
            self.nodata,
            self.verbose,
            vars(self).setdefault("_cache", FeatureCache()),
        )

    def _answering(self, image):
        """Return the segmenter that answers for an image that has been read.

        It is the one without place where place was learned of another image.
        """
        others = self.for_other_images_
        if others is None or digest(image) in self._digests:
            return self
        # Parameters may have changed since.
        params = self.get_params(deep=False)
        return others.set_params(**params | {"place": False})

    def _asked(self, image):
        """Return the segmenter that answers for one image, its features and its shape."""
        pixels = self._reader().one(image)
        asked = self._answering(pixels)
        return asked, asked._reader().table(pixels), pixels.shape[:-1]

    def _without_rows(self):
        found = super()._without_rows()
        if vars(self).get("for_other_images_") is not None:
            found.for_other_images_ = self.for_other_images_._without_rows()
        return found

    def __getstate__(self):
        # Features of the last image follow from it.
        return {name: value for name, value in super().__getstate__().items() if name != "_cache"}

    def _pairs(self, image, mask):
        """Images, one after the other, each with the mask that answers are compared with."""
        known = self.classes_ if self._mode.named else ()
        _, pairs = read_pairs(
            image, mask, self.unlabeled, self.nodata, known, n_axes=self.spatial_dims
        )
        return pairs

    @of_seen_groups("predict or cluster")
    def simulate(
        self,
        image,
        *,
        n_steps=None,
        save_from=None,
        step_size=None,
        initial_phases=None,
        random_state=None,
    ):
        """Integrate the mutual dynamics of all pixels of an image as one network.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, or path
            One image.
        n_steps : int, default=None
            Number of steps; None for 500 units of time.
        save_from : int, default=None
            First step that is kept; None keeps the limit alone, as every step takes four bytes for
            each pixel.
        step_size : float, default=None
            Euler step in units of time; None takes the estimator's.
        initial_phases : array-like of shape (h, w), default=None
            In radians, and integrated in their own precision; None draws them at random, in
            single precision.
        random_state : int, RandomState instance or None, default=None
            Source of the initial phases; None takes the estimator's.

        Returns
        -------
        Trajectory
            ``times`` (T,) and ``phases`` (T, h * w), pixels in the order of ``image.ravel()``.
        """
        asked, X, shape = self._asked(image)
        if initial_phases is not None:
            if np.shape(initial_phases) != shape:
                raise ValueError(
                    f"initial_phases must have shape {shape}, one phase for each pixel, got "
                    f"{np.shape(initial_phases)}."
                )
            initial_phases = np.ravel(initial_phases)
        step_size = self.step_size if step_size is None else step_size
        n_steps = steps_in(LIMIT_TIME, step_size) if n_steps is None else n_steps
        return asked._simulated(
            X,
            n_steps=n_steps,
            save_from=n_steps if save_from is None else save_from,
            step_size=step_size,
            initial_phases=initial_phases,
            random_state=random_state,
        )

    @of_seen_groups("predict or cluster")
    def network(self, image):
        """Return the network made of all pixels of an image, for analysis.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, or path
            One image.

        Returns
        -------
        OscillatorNetwork
            With the learned couplings, in double precision; pixels in the order of
            ``image.ravel()``.
        """
        asked, X, _ = self._asked(image)
        return asked.trained_network_.oscillators(X)

    @of_seen_groups("predict or cluster")
    def coupling_matrix(self, image, pixels=None):
        """Return couplings between pixels of an image as a matrix.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, or path
            One image.
        pixels : array-like of int of shape (n,), default=None
            Indices, in ``image.ravel()``, of the pixels of a network; None takes all.

        Returns
        -------
        ndarray of shape (n, n)
            K[i, j] is the strength with which pixel j acts on pixel i.
        """
        asked, X, _ = self._asked(image)
        chosen = X if pixels is None else X[np.asarray(pixels)]
        return asked.trained_network_.matrix(chosen).cpu().numpy()

    def cluster(self, image, n_segments=None, *, n_steps=None, random_state=None):
        """Segment an image by the limit of the mutual dynamics of its pixels.

        This needs no labels, so it can be asked for segments never seen in training; how well
        those are told apart depends on what the couplings learned.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, or path
            One image.
        n_segments : int, default=None
            Number of segments; None for the number of classes in fit. With ``groups="unseen"``,
            None is the estimator's.
        n_steps : int, default=None
            Number of steps; None for 500 units of time.
        random_state : int, RandomState instance or None, default=None
            Source of initial phases and of k-means; None takes the estimator's. Up to three draws
            of phases are tried, as clusters may stay merged for long on the way from one.

        Returns
        -------
        ndarray of shape (h, w), int
            Segment of each pixel, from 0.
        """
        return self._mode.cluster(self, image, n_segments, n_steps, random_state)

    @of_seen_groups("predict or cluster")
    def synchrony_loss(self, image, mask, *, n_steps=None, random_state=None):
        """Return the cluster synchrony loss of all labelled pixels as one network, at the limit.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, or path
            One image.
        mask : array of shape (h, w), PIL image, or path
            True labels. Pixels that are ``unlabeled`` are left out of the network.
        n_steps : int, default=None
            Number of steps; None for 500 units of time.
        random_state : int, RandomState instance or None, default=None
            Source of the initial phases; None takes the estimator's.

        Returns
        -------
        float
            0 for segments in phase and splay among each other, 1 for the opposite.
        """
        self._reader().one(image)
        ((pixels, labelled),) = self._pairs(image, mask)
        asked, X, _ = self._asked(pixels)
        _, codes = np.unique(labelled.labels[labelled.known], return_inverse=True)
        return asked._limit_loss(
            X[labelled.known.ravel()], codes, codes.max() + 1, self._rng(random_state), n_steps
        )

    def _limit_clusters(self, image, n_segments, n_steps, random_state):
        asked, X, shape = self._asked(image)
        n_segments = len(self.classes_) if n_segments is None else n_segments
        self._check_number("n_segments", n_segments, len(X), "pixels")
        return asked._clusters(X, n_segments, self._rng(random_state), n_steps).reshape(shape)

    def _groups(self, image, n_segments=None, n_steps=None, random_state=None):
        n_segments = self.n_segments if n_segments is None else n_segments
        return self.grouping_.segment(self._reader().one(image), n_segments)
