"""All pixels of an image as one network."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skkuranet.estimators._clustering import ClusteringBase
from skkuranet.estimators._simulation import LIMIT_TIME, steps_in
from skkuranet.estimators._unseen import of_seen_groups
from skkuranet.estimators.segmenter._pixels import PixelReader, pairs_of


class ImageBase(ClusteringBase):
    """Base of the segmenter: what it can do with all pixels of an image as one network."""

    def _reader(self) -> PixelReader:
        """Images as this fitted segmenter sees them."""
        check_is_fitted(self)
        return PixelReader(
            self.features,
            self._channel_ranges,
            self._n_pixel_features,
            self.nodata,
            self.verbose,
        )

    def _pairs(self, image, mask):
        """Images and masks that answers are compared with."""
        known = () if self._groups_ else self.classes_
        return pairs_of(image, mask, self.unlabeled, self.nodata, known)

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
        X, shape = self._reader().table(image)
        if initial_phases is not None:
            if np.shape(initial_phases) != shape:
                raise ValueError(
                    f"initial_phases must have shape {shape}, one phase for each pixel, got "
                    f"{np.shape(initial_phases)}."
                )
            initial_phases = np.ravel(initial_phases)
        step_size = self.step_size if step_size is None else step_size
        n_steps = steps_in(LIMIT_TIME, step_size) if n_steps is None else n_steps
        return self._simulated(
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
        X, _ = self._reader().table(image)
        return self.trained_network_.oscillators(X)

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
        X, _ = self._reader().table(image)
        chosen = X if pixels is None else X[np.asarray(pixels)]
        return self.trained_network_.matrix(chosen).cpu().numpy()

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
        if self.groups == "unseen":
            reader = self._reader()
            reader.check_is_one(image)
            n_segments = self.n_segments if n_segments is None else n_segments
            return self.grouping_.segment(reader.read(image), n_segments)
        X, shape = self._reader().table(image)
        n_segments = len(self.classes_) if n_segments is None else n_segments
        self._check_number("n_segments", n_segments, len(X), "pixels")
        return self._clusters(X, n_segments, self._rng(random_state), n_steps).reshape(shape)

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
        reader = self._reader()
        reader.check_is_one(image)
        (pixels,), (labelled,) = self._pairs(image, mask)
        X, _ = reader.table(pixels)
        classes, codes = np.unique(labelled.labels[labelled.known], return_inverse=True)
        return self._limit_loss(
            X[labelled.known.ravel()], codes, len(classes), self._rng(random_state), n_steps
        )
