"""Displays draw what they are given."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn.datasets import make_blobs

from skkuranet import KuraNetClusterer, KuraNetSegmenter
from skkuranet.inspection import (
    CouplingMatrixDisplay,
    FanInDisplay,
    PhaseDisplay,
    PhaseLandscapeDisplay,
    SegmentationDisplay,
)


@pytest.fixture(scope="module")
def data():
    return make_blobs(120, centers=3, random_state=1)


@pytest.fixture(scope="module")
def clusterer(data):
    settings = {"max_iter": 60, "hidden_layer_sizes": (32, 32), "random_state": 0}
    return KuraNetClusterer(**settings).fit(*data)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_coupling_matrix_is_sorted_by_class(clusterer, data):
    X, y = data
    display = CouplingMatrixDisplay.from_estimator(clusterer, X, y)
    shown, order = display.image_.get_array(), np.argsort(y, kind="stable")
    np.testing.assert_allclose(shown, clusterer.coupling_matrix(X[order]))
    assert display.image_.get_clim() == pytest.approx((-abs(shown).max(), abs(shown).max()))
    plain = CouplingMatrixDisplay.from_estimator(clusterer, X)
    np.testing.assert_allclose(plain.image_.get_array(), clusterer.coupling_matrix(X))


def test_phases_are_at_their_angles_in_the_axes_given(clusterer, data):
    X, y = data
    _, ax = plt.subplots()
    display = PhaseDisplay.from_estimator(clusterer, X, y, random_state=3, ax=ax)
    assert display.ax_ is ax
    limit = clusterer.simulate(X, random_state=3).phases[-1]
    for label, points in enumerate(ax.collections):
        angle = np.arctan2(*np.asarray(points.get_offsets()).T[::-1])
        np.testing.assert_allclose(np.exp(1j * angle), np.exp(1j * limit[y == label]), atol=1e-6)
    assert len(PhaseDisplay([0.0, 1.0]).plot().ax_.collections) == 1


def test_landscape_is_where_new_points_lock(clusterer, data):
    X, y = data
    display = PhaseLandscapeDisplay.from_estimator(clusterer, X, y, grid_resolution=20)
    corner = [[display.grid_x[0, 0], display.grid_y[0, 0]]]
    cosine, sine = clusterer.transform(corner)[0]
    assert display.phases[0, 0] == pytest.approx(np.arctan2(sine, cosine))
    assert display.phases.shape == (20, 20)
    with pytest.raises(ValueError, match="needs X with two features"):
        PhaseLandscapeDisplay.from_estimator(clusterer, np.ones((4, 3)))


def test_fan_in_is_averaged_over_bins():
    class Sender:
        def fan_in(self, X, *, connectivity=None):
            return X[:, 0] * 10

    X = np.array([[0.0, 0.0], [0.2, 0.1], [1.0, 1.0]])
    display = FanInDisplay.from_estimator(Sender(), X, bins=2, names=("p", "q"))
    np.testing.assert_allclose(display.fan_in, [[1.0, np.nan], [np.nan, 10.0]])
    assert display.ax_.get_xlabel() == "p"
    np.testing.assert_allclose(display.edges_y, [0.0, 0.5, 1.0])


def test_segmentation_shows_image_phases_and_segments():
    image = np.zeros((12, 16, 3), dtype=np.uint8)
    image[:, 8:, 0] = 250
    mask = np.full((12, 16), -1)
    mask[3], mask[3, 6:10] = image[3, :, 0] > 0, -1
    settings = {"max_iter": 60, "hidden_layer_sizes": (16,), "random_state": 0}
    model = KuraNetSegmenter(**settings).fit(image, mask)
    display = SegmentationDisplay.from_estimator(model, image, mask)
    shown = [ax.images[0].get_array() for ax in display.axes_]
    np.testing.assert_allclose(shown[0][0, -1], [250 / 255, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(np.exp(1j * shown[1]), np.exp(1j * model.transform(image)))
    left, right = shown[2][0, 0], shown[2][0, -1]
    assert not np.array_equal(left, right)
    # The same colours for the same labels; what is not labelled stays blank.
    np.testing.assert_array_equal(shown[3][3, [0, -1]], [left, right])
    assert shown[3][0, 0, 3] == 0.0
    grey = SegmentationDisplay(image[..., 0], shown[1], mask).plot()
    assert len(grey.axes_) == 3
    with pytest.raises(ValueError, match="axes must be 3"):
        grey.plot(axes=display.axes_)
