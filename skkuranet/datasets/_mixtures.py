"""Mixture distributions on the plane (section III.B of the paper)."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from skkuranet._utils.scalars import finite_number, whole_number
from skkuranet.datasets._disorder import MOST_SAMPLES


def make_gaussian_ring(n_clusters=5, n_samples=100, *, radius=10.0, random_state=None):
    """Draw a mixture of Gaussians of unit covariance whose means are even on a ring.

    Parameters
    ----------
    n_clusters : int, default=5
        Number of components; the paper's GMMk.
    n_samples : int, default=100
        Number of points.
    radius : float, default=10.0
        Radius of the ring.
    random_state : int, RandomState instance or None, default=None
        Source of the points.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Points.
    y : ndarray of shape (n_samples,)
        Component of each point, counted along the ring.

    Raises
    ------
    TypeError
        If a parameter is no number.
    ValueError
        If a number of things is below 1 or above a thousand million, or ``radius`` is not finite.

    Examples
    --------
    >>> from skkuranet.datasets import make_gaussian_ring
    >>> X, y = make_gaussian_ring(5, 1000, random_state=0)
    >>> X.shape, sorted(set(y.tolist()))
    ((1000, 2), [0, 1, 2, 3, 4])
    """
    n_clusters = whole_number(n_clusters, "n_clusters", most=MOST_SAMPLES)
    n_samples = whole_number(n_samples, "n_samples", most=MOST_SAMPLES)
    radius = finite_number(radius, "radius")
    rng = check_random_state(random_state)
    y = rng.randint(n_clusters, size=n_samples)
    angle = 2.0 * np.pi * y / n_clusters
    means = radius * np.column_stack((np.cos(angle), np.sin(angle)))
    return means + rng.standard_normal((n_samples, 2)), y


def make_spirals(n_samples=100, *, noise=0.5, random_state=None):
    r"""Draw two interlinked spirals, :math:`r = \pm(2\vartheta + \pi)` for one turn.

    Parameters
    ----------
    n_samples : int, default=100
        Number of points.
    noise : float, default=0.5
        Standard deviation of the Gaussian noise.
    random_state : int, RandomState instance or None, default=None
        Source of the points.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Points.
    y : ndarray of shape (n_samples,)
        Spiral of each point, 0 or 1.

    Raises
    ------
    TypeError
        If a parameter is no number.
    ValueError
        If ``n_samples`` is below 1 or above a thousand million, or ``noise`` is not finite.

    Examples
    --------
    >>> from skkuranet.datasets import make_spirals
    >>> X, y = make_spirals(1000, random_state=0)
    >>> X.shape, sorted(set(y.tolist()))
    ((1000, 2), [0, 1])
    """
    n_samples = whole_number(n_samples, "n_samples", most=MOST_SAMPLES)
    noise = finite_number(noise, "noise")
    rng = check_random_state(random_state)
    y = rng.randint(2, size=n_samples)
    angle = 2.0 * np.pi * np.sqrt(rng.uniform(size=n_samples))
    radius = (1 - 2 * y) * (2.0 * angle + np.pi)
    points = np.column_stack((radius * np.cos(angle), radius * np.sin(angle)))
    return points + noise * rng.standard_normal((n_samples, 2)), y
