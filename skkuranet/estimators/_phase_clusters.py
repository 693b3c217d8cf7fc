"""Labels from phases or pulls."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from skkuranet._utils.surroundings import silenced
from skkuranet.training._calibration import most_likely

# Turns of the splay state within which k-means starts from it.
_TURNS = 4
# Distance of two phases that counts as none, as a share of that in the splay state.
_MERGED = 0.25


def phasors(phases: np.ndarray) -> np.ndarray:
    """Return the points (cos θ, sin θ) of the unit circle, (n, 2)."""
    return np.column_stack((np.cos(phases), np.sin(phases)))


def cluster_phases(phases: np.ndarray, n_clusters: int, rng: np.random.RandomState) -> np.ndarray:
    """Return the cluster of each phase, from 0, by k-means on the circle.

    Besides those of scikit-learn, evenly spaced starts are tried, as in the splay state: they keep
    rare clusters apart.
    """
    points = phasors(phases).astype(np.float64)
    turn = 2.0 * np.pi / n_clusters
    splay = turn * np.arange(n_clusters)
    tried = [KMeans(n_clusters, n_init=10, random_state=rng)] + [
        KMeans(n_clusters, init=phasors(splay + turn * part / _TURNS), n_init=1)
        for part in range(_TURNS)
    ]
    # Fewer distinct phases than clusters are a result like any other.
    with silenced(ConvergenceWarning):
        found = [kmeans.fit(points) for kmeans in tried]
    return min(found, key=lambda kmeans: kmeans.inertia_).labels_


def merged_classes(phases: np.ndarray, members: np.ndarray) -> list[np.ndarray]:
    """Return sets of classes whose mean phases nearly coincide, two classes or more each.

    They are nearer than a quarter of their distance in the splay state. ``members`` (n_classes, n)
    is 1 for the nodes of each class, 0 for others.
    """
    means = np.angle(members @ np.exp(1j * phases))
    order = np.argsort(means)
    gaps = np.diff(means[order], append=means[order[0]] + 2.0 * np.pi)
    near = gaps < _MERGED * 2.0 * np.pi / len(means)
    if near.all():
        return [np.arange(len(means))]
    # Cut the circle behind a gap, so that no set goes round its end.
    last = np.flatnonzero(~near)[-1]
    order, near = np.roll(order, -last - 1), np.roll(near, -last - 1)
    sets = np.split(order, np.flatnonzero(~near)[:-1] + 1)
    return [np.sort(group) for group in sets if len(group) > 1]


class PhaseReadout:
    r"""Discretise phases by k-means whose centres start at the class mean phasors.

    Random starts would split the largest cluster where one class is rare. Classes that share a
    phase share a centre: near it, the most frequent of them is the most likely. ``points`` (n, 2)
    are phasors of the reference network, ``codes`` (n,) their classes, or -1.

    Attributes
    ----------
    centers : ndarray of shape (n_classes, 2)
        k-means centres, in the order of the classes.
    precision : float
        β of the probabilities of centres :math:`\propto e^{-\beta d^2}`, of maximum likelihood.
    """

    def __init__(self, points: np.ndarray, codes: np.ndarray, n_classes: int) -> None:
        known, every = codes >= 0, np.arange(n_classes)
        members = codes == every[:, None]
        start = every.copy()
        for group in merged_classes(np.arctan2(points[:, 1], points[:, 0]), members):
            start[group] = group[0]
        begun = np.where(known, start[codes], -1)
        means = np.stack([points[begun == c].mean(axis=0) for c in np.unique(start)])
        # Merged clusters are reported by fit, in terms of the oscillators.
        with silenced(ConvergenceWarning):
            kmeans = KMeans(len(means), init=means, n_init=1).fit(points)
        # A class is where most of it is: k-means puts a centre without points anywhere.
        found = np.stack(
            [np.bincount(kmeans.labels_[own], minlength=len(means)) for own in members]
        )
        nearest = found.argmax(axis=1)
        self.centers = kmeans.cluster_centers_[nearest]
        _, self._first, self._center_of = np.unique(nearest, return_index=True, return_inverse=True)
        count = members.sum(axis=1)
        self._log_shares = np.log(count / np.bincount(self._center_of, count)[self._center_of])
        squared = self._squared_distances(points[known])
        own = np.arange(len(squared)), self._center_of[codes[known]]

        def negative_log_likelihood(log_precision: float) -> float:
            return -float(log_softmax(-np.exp(log_precision) * squared, axis=1)[own].mean())

        best = minimize_scalar(negative_log_likelihood, bounds=(-5.0, 5.0), method="bounded")
        self.precision = float(np.exp(best.x))

    def log_probabilities(self, points: np.ndarray) -> np.ndarray:
        """Return the logarithms of the class probabilities of points, (n, n_classes)."""
        of_center = log_softmax(-self.precision * self._squared_distances(points), axis=1)
        return of_center[:, self._center_of] + self._log_shares

    def _squared_distances(self, points: np.ndarray) -> np.ndarray:
        """Return squared distances of points to the different centres, (n, n_centers)."""
        return ((points[:, None, :] - self.centers[self._first]) ** 2).sum(axis=2)


class PullReadout:
    r"""Name nodes by the pulls of the labelled reference rows of each class.

    The probability of class c is proportional to :math:`\pi_c^s e^{a P_c}`. P are the pulls,
    (n, n_classes), and π the shares of the classes in all rows of known class; a and s are of
    maximum likelihood on rows of known class that the couplings were not trained on.
    """

    def __init__(
        self, pulls: np.ndarray, codes: np.ndarray, weights: np.ndarray, shares: np.ndarray
    ) -> None:
        prior = np.log(shares)
        scale, share = most_likely(
            torch.from_numpy(pulls),
            torch.from_numpy(prior),
            torch.from_numpy(codes),
            torch.from_numpy(weights / weights.mean()),
        )
        self.scale, self.offset = scale, share * prior

    def log_probabilities(self, pulls: np.ndarray) -> np.ndarray:
        """Return the logarithms of the class probabilities of nodes, (n, n_classes)."""
        return log_softmax(self.scale * pulls + self.offset, axis=1)
