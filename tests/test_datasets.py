"""Shapes, geometry and reproducibility of the data sets."""

import numpy as np
import pytest

from skkuranet.datasets import make_gaussian_ring, make_spirals


@pytest.mark.parametrize("make", [make_gaussian_ring, make_spirals])
def test_reproducible_and_of_the_right_shape(make):
    X, y = make(n_samples=50, random_state=0)
    assert X.shape == (50, 2)
    assert y.shape == (50,)
    np.testing.assert_array_equal(X, make(n_samples=50, random_state=0)[0])


def test_ring_means_and_spread():
    X, y = make_gaussian_ring(4, 8000, random_state=0)
    np.testing.assert_allclose(X[y == 1].mean(axis=0), [0, 10], atol=0.1)
    np.testing.assert_allclose(np.cov(X[y == 1].T), np.eye(2), atol=0.1)


def test_spirals_are_each_other_turned_by_half():
    X, y = make_spirals(500, noise=0.0, random_state=0)
    radius = np.linalg.norm(X, axis=1)
    angle = (radius - np.pi) / 2
    sign = np.where(y == 0, 1, -1)
    np.testing.assert_allclose(X[:, 0], sign * radius * np.cos(angle), atol=1e-9)
