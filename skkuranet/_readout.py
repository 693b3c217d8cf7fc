"""From phases to labels: k-means on the circle."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

# Turns of the splay state within which k-means starts from it.
_TURNS = 4


def phasors(phases: np.ndarray) -> np.ndarray:
    """Points (cos θ, sin θ) of the unit circle.

    Parameters
    ----------
    phases : ndarray of shape (n,)
        In radians.

    Returns
    -------
    ndarray of shape (n, 2)
    """
    return np.column_stack((np.cos(phases), np.sin(phases)))


def cluster_phases(phases: np.ndarray, n_clusters: int, rng: np.random.RandomState) -> np.ndarray:
    """k-means on the circle, of phases whose clusters have no names.

    Beside scikit-learn's starts, evenly spaced centres are tried: the splay state, which keeps rare
    clusters apart.

    Parameters
    ----------
    phases : ndarray of shape (n,)
        In radians.
    n_clusters : int
    rng : RandomState

    Returns
    -------
    ndarray of shape (n,), int
        Cluster of each, from 0.
    """
    points = phasors(phases).astype(np.float64)
    turn = 2.0 * np.pi / n_clusters
    splay = turn * np.arange(n_clusters)
    tried = [KMeans(n_clusters, n_init=10, random_state=rng)] + [
        KMeans(n_clusters, init=phasors(splay + turn * part / _TURNS), n_init=1)
        for part in range(_TURNS)
    ]
    with warnings.catch_warnings():
        # Fewer distinct phases than clusters are a result like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = [kmeans.fit(points) for kmeans in tried]
    return min(found, key=lambda kmeans: kmeans.inertia_).labels_


class PhaseReadout:
    r"""Discretise phases by k-means whose centres start at the class mean phasors.

    Random starts would split the largest cluster where one class is rare.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Phasors of the reference network.
    codes : ndarray of shape (n,), int
        Class of each, from 0; -1 where it is unknown.
    n_classes : int

    Attributes
    ----------
    centers : ndarray of shape (n_classes, 2)
        k-means centres, in the order of the classes.
    precision : float
        β of the class probabilities :math:`\propto e^{-\beta d^2}`, of maximum likelihood.
    """

    def __init__(self, points: np.ndarray, codes: np.ndarray, n_classes: int) -> None:
        means = np.stack([points[codes == c].mean(axis=0) for c in range(n_classes)])
        with warnings.catch_warnings():
            # Merged clusters are reported by fit, in terms of the oscillators.
            warnings.simplefilter("ignore", ConvergenceWarning)
            kmeans = KMeans(n_classes, init=means, n_init=1).fit(points)
        self.centers = kmeans.cluster_centers_
        known = codes >= 0
        squared = self.squared_distances(points[known])
        own = np.arange(len(squared)), codes[known]

        def negative_log_likelihood(log_precision: float) -> float:
            return -float(log_softmax(-np.exp(log_precision) * squared, axis=1)[own].mean())

        best = minimize_scalar(negative_log_likelihood, bounds=(-5.0, 5.0), method="bounded")
        self.precision = float(np.exp(best.x))

    def squared_distances(self, points: np.ndarray) -> np.ndarray:
        """Squared distance of each point to each centre, (n, n_classes)."""
        return ((points[:, None, :] - self.centers) ** 2).sum(axis=2)

    def codes(self, points: np.ndarray) -> np.ndarray:
        """Nearest centre of each point, (n,)."""
        return self.squared_distances(points).argmin(axis=1)

    def probabilities(self, points: np.ndarray) -> np.ndarray:
        """Class probabilities of each point, (n, n_classes)."""
        return softmax(-self.precision * self.squared_distances(points), axis=1)
