"""Shapes, geometry and reproducibility of the data sets."""

import numpy as np
import pytest

from skkuranet.datasets import make_disorder, make_gaussian_ring, make_spirals


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


def test_disorder_has_the_distributions_of_the_paper():
    drawn = {case: make_disorder(case, 20_000, random_state=0) for case in ("I", "II", "III")}
    assert [X.shape[1] for X in drawn.values()] == [1, 2, 2]
    for X in (drawn["I"], drawn["II"]):
        assert X.min() >= -1
        assert X.max() <= 1
        np.testing.assert_allclose(X.std(axis=0), 1 / np.sqrt(3), rtol=0.02)
    omega, tau = drawn["III"].T
    np.testing.assert_allclose([omega.mean(), omega.min(), omega.max()], [3, 2, 4], atol=0.02)
    # NB(15, .5) has mean 15 and variance 30, in steps of 0.1.
    np.testing.assert_allclose([tau.mean(), tau.var()], [1.5, 0.3], rtol=0.05)
    np.testing.assert_allclose(tau / 0.1, np.rint(tau / 0.1), atol=1e-9)
    np.testing.assert_array_equal(drawn["II"], make_disorder("II", 20_000, random_state=0))
    with pytest.raises(ValueError, match="case must be one of"):
        make_disorder("IV")
