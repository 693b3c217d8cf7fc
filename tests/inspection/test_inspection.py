"""Displays draw what they are given."""

import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from skimage.color import deltaE_ciede2000, rgb2lab
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skkuranet import KuraNetClusterer, KuraNetSegmenter, KuraNetSynchronizer
from skkuranet.inspection import (
    CouplingMatrixDisplay,
    FanInDisplay,
    NetworkDisplay,
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


def searched(estimator, *data):
    """A search of one candidate, fitted."""
    return GridSearchCV(estimator, {}, cv=2).fit(*data)


# Ways to fit the same couplings to rows that are scaled first.
WRAPPED = {
    "pipeline": lambda model, X, y: make_pipeline(StandardScaler(), model).fit(X, y),
    "search": lambda model, X, y: searched(make_pipeline(StandardScaler(), model), X, y),
    "search inside": lambda model, X, y: make_pipeline(
        StandardScaler(), GridSearchCV(model, {}, cv=2)
    ).fit(X, y),
    "two pipelines": lambda model, X, y: make_pipeline(
        "passthrough", make_pipeline(StandardScaler(), model)
    ).fit(X, y),
}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_coupling_matrix_is_sorted_by_class(clusterer, data):
    X, y = data
    display = CouplingMatrixDisplay.from_estimator(clusterer, X, y, robust=False)
    shown, order = display.image_.get_array(), np.argsort(y, kind="stable")
    np.testing.assert_allclose(shown, clusterer.coupling_matrix(X[order]))
    assert display.image_.get_clim() == pytest.approx((-abs(shown).max(), abs(shown).max()))
    plain = CouplingMatrixDisplay.from_estimator(clusterer, X)
    np.testing.assert_allclose(plain.image_.get_array(), clusterer.coupling_matrix(X))


def test_weak_couplings_between_many_classes_are_seen():
    y = np.repeat(np.arange(20), 5)
    coupling = np.where(y[:, None] == y, 1.0, -0.05)
    white = np.ones(3)

    def paleness(**options):
        image = CouplingMatrixDisplay(coupling, labels=y).plot(**options).image_
        low, high = image.get_clim()
        assert low == -high
        return np.abs(image.to_rgba(-0.05)[:3] - white).max()

    assert paleness() > 0.5
    assert paleness(robust=False) < 0.1
    assert paleness(vmin=-1.0, vmax=1.0) < 0.1
    # Pairs that are not coupled do not count as weak ones.
    alone = CouplingMatrixDisplay(np.diag([2.0, -1.0, 0.0, 0.0])).plot()
    assert alone.image_.get_clim() == pytest.approx((-1.9, 1.9))
    assert np.isfinite(CouplingMatrixDisplay(np.zeros((3, 3))).plot().image_.get_clim()).all()


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_few_classes_are_named_in_a_legend(layout):
    _, ax = plt.subplots(layout=layout)
    display = PhaseDisplay([0.0, 0.1, 3.1, 3.2], labels=["p", "p", "q", "q"]).plot(ax=ax)
    assert [text.get_text() for text in display.legend_.get_texts()] == ["p", "q"]
    assert display.plot(legend=False, ax=ax).legend_ is None
    assert PhaseDisplay([0.0, 1.0]).plot().legend_ is None


def test_many_classes_are_named_along_a_colour_bar():
    names = np.array([f"class {number:02}" for number in range(20)])
    display = PhaseDisplay(np.arange(40.0), labels=np.repeat(names, 2)).plot()
    bar = display.legend_.ax
    assert [text.get_text() for text in bar.get_yticklabels()] == [*names]
    at_ticks = display.legend_.mappable.to_rgba(bar.get_yticks())
    shown = [points.get_facecolor()[0] for points in display.ax_.collections]
    np.testing.assert_allclose(at_ticks, shown)
    # More names than there is room for are thinned out, and stay with their colours.
    names = np.array([f"{number:03}" for number in range(300)])
    crowd = PhaseDisplay(np.arange(300.0), labels=names).plot().legend_.ax
    ticks = crowd.get_yticks()
    assert 20 < len(ticks) < 300
    assert [text.get_text() for text in crowd.get_yticklabels()] == [f"{int(t):03}" for t in ticks]


@pytest.mark.parametrize("n_classes", [10, 20, 40])
def test_colours_of_classes_differ(n_classes):
    points = PhaseDisplay(np.arange(n_classes), labels=np.arange(n_classes)).plot().ax_.collections
    lab = rgb2lab([one.get_facecolor()[0, :3] for one in points])
    apart = deltaE_ciede2000(lab[:, None], lab[None])[~np.eye(n_classes, dtype=bool)]
    # A difference of 2 is just seen, one of 10 at a glance.
    assert apart.min() > 10.0


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


@pytest.mark.parametrize("kind", WRAPPED)
def test_displays_look_into_pipelines_and_searches(kind, data):
    X, y = data
    X = X * [1.0, 50.0] + 7.0
    scaled = StandardScaler().fit_transform(X)
    settings = {"max_iter": 60, "hidden_layer_sizes": (16,), "random_state": 0}
    plain = KuraNetClusterer(**settings).fit(scaled, y)
    wrapped = WRAPPED[kind](KuraNetClusterer(**settings), X, y)
    shown = PhaseDisplay.from_estimator(wrapped, X, y, random_state=3)
    expected = PhaseDisplay.from_estimator(plain, scaled, y, random_state=3)
    np.testing.assert_array_equal(shown.phases, expected.phases)
    couplings = CouplingMatrixDisplay.from_estimator(wrapped, X, y).coupling
    np.testing.assert_array_equal(couplings, plain.coupling_matrix(scaled))
    landscape = PhaseLandscapeDisplay.from_estimator(wrapped, X, y, grid_resolution=5, margin=1.0)
    # The grid lies around X as it was given, and is answered for as if it were scaled.
    assert landscape.grid_x.min() == pytest.approx(X[:, 0].min() - 1.0)
    corner = (np.array([[landscape.grid_x[0, 0], landscape.grid_y[0, 0]]]) - X.mean(0)) / X.std(0)
    cosine, sine = plain.transform(corner)[0]
    assert landscape.phases[0, 0] == pytest.approx(np.arctan2(sine, cosine), abs=1e-5)


def test_columns_of_a_pipeline_are_those_of_its_input():
    X = pd.DataFrame({"p": np.linspace(5, 7, 40), "q": np.arange(40) % 7, "r": np.ones(40)})
    only_p = FunctionTransformer(lambda X: X[["p"]] - 6.0)
    model = KuraNetSynchronizer(max_iter=5, hidden_layer_sizes=(8,), random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        wrapped = make_pipeline(only_p, StandardScaler(), model).fit(X)
    display = FanInDisplay.from_estimator(wrapped, X, features=(1, 0), names=("q", "p"), bins=2)
    assert display.edges_x[[0, -1]] == pytest.approx([0, 6])
    assert display.edges_y[[0, -1]] == pytest.approx([5, 7])


DISPLAYS = {
    CouplingMatrixDisplay: "coupling_matrix",
    FanInDisplay: "fan_in",
    PhaseDisplay: "simulate",
    PhaseLandscapeDisplay: "transform",
    SegmentationDisplay: "transform",
}


@pytest.mark.parametrize("display", DISPLAYS)
def test_what_a_display_cannot_ask_is_named(display, data):
    other = make_pipeline(StandardScaler(), LogisticRegression()).fit(*data)
    message = f"{display.__name__}.* needs an estimator with '{DISPLAYS[display]}'"
    with pytest.raises(TypeError, match=f"{message}.* got Pipeline that ends in Logistic"):
        display.from_estimator(other, data[0])
    with pytest.raises(NotFittedError, match=f"{display.__name__}.* GridSearchCV has none yet"):
        display.from_estimator(GridSearchCV(KuraNetClusterer(), {}), data[0])
    with pytest.raises(TypeError, match=rf"{message}.* got LinearRegression\."):
        display.from_estimator(LinearRegression(), data[0])


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
    wrapped = make_pipeline(FunctionTransformer(), KuraNetSegmenter(**settings)).fit(image, mask)
    within = SegmentationDisplay.from_estimator(wrapped, image, mask)
    np.testing.assert_array_equal(within.phases, display.phases)
    grey = SegmentationDisplay(image[..., 0], shown[1], mask).plot()
    assert len(grey.axes_) == 3
    with pytest.raises(ValueError, match="axes must be 3"):
        grey.plot(axes=display.axes_)


@pytest.mark.parametrize("phases", [np.zeros((3, 5)), [0.0, np.nan]])
def test_phases_of_many_times_are_refused(phases):
    with pytest.raises(ValueError, match=r"those of one time|must be finite"):
        PhaseDisplay(phases).plot()


@pytest.mark.parametrize("display", [CouplingMatrixDisplay, PhaseDisplay, PhaseLandscapeDisplay])
def test_classes_of_other_rows_are_named(display, clusterer, data):
    X, y = data
    with pytest.raises(ValueError, match=r"y must have shape \(120,\), one for each row of X"):
        display.from_estimator(clusterer, X, y[:7])


EMPTY = {
    "needs X with two features": lambda model: PhaseLandscapeDisplay.from_estimator(
        model, np.zeros((0, 2))
    ),
    "K must have a node": lambda model: NetworkDisplay(np.zeros((0, 0)), [1, 2]).plot(),
    "coupling must have an entry": lambda model: CouplingMatrixDisplay(
        np.zeros((0, 0)), labels=[1, 2]
    ).plot(),
}


@pytest.mark.parametrize("message", EMPTY)
def test_what_is_empty_is_named(message, clusterer):
    with pytest.raises(ValueError, match=message):
        EMPTY[message](clusterer)


UNEVEN = [[1.0], [2.0, 3.0]]
RAGGED = {
    "grid_x": lambda: PhaseLandscapeDisplay(UNEVEN, [0, 1], np.ones((2, 2))).plot(),
    "image": lambda: SegmentationDisplay(UNEVEN, np.ones((2, 2)), np.eye(2)).plot(),
    "unlabeled": lambda: SegmentationDisplay(
        np.eye(2), np.ones((2, 2)), np.eye(2), unlabeled=UNEVEN
    ).plot(),
}


@pytest.mark.parametrize("name", RAGGED)
def test_rows_of_different_lengths_are_named(name):
    with pytest.raises((TypeError, ValueError), match=name):
        RAGGED[name]()
