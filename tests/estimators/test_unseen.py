"""Groups never seen: rows of classes, and segments of images, that training had none of."""

import re

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_wine, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import kneighbors_graph

import skkuranet
from skkuranet import KuraNetClusterer, KuraNetSegmenter


def table(seed=0, n_rows=320):
    """Eight classes in two of six columns; the others vary as much within all of them."""
    centers = 9.0 * np.array([(a, b) for a in range(4) for b in range(2)])
    X, y = make_blobs(n_rows, centers=centers, random_state=seed)
    noise = np.random.RandomState(seed).normal(0.0, 10.0, (n_rows, 4))
    return np.column_stack((X, noise)), y


@pytest.fixture(scope="module")
def rows():
    X, y = table()
    seen = y < 5
    model = KuraNetClusterer(groups="unseen", random_state=0).fit(X[seen], y[seen])
    return model, X[~seen], y[~seen], X[seen], y[seen]


def test_groups_of_rows_never_seen(rows):
    model, X, y, _, y_seen = rows
    assert adjusted_rand_score(y, model.cluster(X)) > 0.9
    assert adjusted_rand_score(y, model.cluster(X, 3)) > 0.9
    assert np.unique(model.cluster(X, 2)).size == 2
    assert adjusted_rand_score(y_seen, model.labels_) > 0.9
    np.testing.assert_array_equal(model.classes_, range(5))


def test_the_order_of_rows_makes_no_difference(rows):
    model, X, *_ = rows
    order = np.random.RandomState(0).permutation(len(X))
    assert adjusted_rand_score(model.cluster(X)[order], model.cluster(X[order])) == 1.0


def test_vectors_of_a_group_point_one_way(rows):
    model, X, y, *_ = rows
    vectors = model.transform(X)
    assert vectors.shape == (len(X), 16) == (len(X), len(model.get_feature_names_out()))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    likeness, together = vectors @ vectors.T, y[:, None] == y
    assert likeness[together].mean() > likeness[~together].mean() + 0.5


def test_one_row_and_fewer_rows_than_neighbours(rows):
    model, X, *_ = rows
    np.testing.assert_array_equal(model.cluster(X[:1]), [0])
    assert model.transform(X[:1]).shape == (1, 16)
    assert len(model.cluster(X[:4])) == 4


@pytest.mark.parametrize("training_rows", [True, False])
def test_rows_are_grouped_alike_after_loading(rows, tmp_path, training_rows):
    model, X, *_ = rows
    model.save(tmp_path / "model", training_rows=training_rows)
    loaded = skkuranet.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.cluster(X), model.cluster(X))


def why_absent(model, name):
    assert not hasattr(model, name)
    with pytest.raises(AttributeError) as caught:
        getattr(model, name)
    return str(caught.value.__cause__)


def test_names_of_classes_are_not_asked_for(rows):
    model, X, y, *_ = rows
    for name in (
        "synchrony_loss",
        "to_onnx",
        "predict",
        "predict_proba",
        "predict_log_proba",
        "simulate",
        "coupling_matrix",
    ):
        assert re.search(rf"no {name} with groups='unseen'.*cluster\(X\)", why_absent(model, name))
    with pytest.raises(AttributeError):
        model.score(X, y)


def test_a_graph_of_the_user():
    X, y = table(n_rows=160)
    seen = y < 5

    def near(points):
        return kneighbors_graph(points[:, :2], 8)

    model = KuraNetClusterer(groups="unseen", connectivity=near, random_state=0)
    model.fit(X[seen], y[seen])
    assert adjusted_rand_score(y[~seen], model.cluster(X[~seen])) > 0.9
    model = KuraNetClusterer(groups="unseen", connectivity=near(X[seen]), random_state=0)
    assert adjusted_rand_score(y[seen], model.fit_predict(X[seen], y[seen])) > 0.9
    with pytest.raises(ValueError, match="connectivity has shape"):
        model.cluster(X[~seen])


def test_rows_without_a_label_teach_nothing(rows):
    """Nor do two fits with one seed differ."""
    model, X, _, X_seen, y_seen = rows
    some = KuraNetClusterer(groups="unseen", unlabeled=-1, random_state=0)
    some.fit(np.concatenate((X_seen, X)), np.concatenate((y_seen, np.full(len(X), -1))))
    np.testing.assert_array_equal(some.cluster(X), model.cluster(X))
    assert len(some.labels_) == len(X_seen) + len(X)


def test_what_cannot_be_learned_from_is_refused():
    X, y = table()
    fit = KuraNetClusterer(groups="unseen").fit
    with pytest.raises(ValueError, match="at least two classes in y, got 1"):
        fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="four labelled rows"):
        fit(X[:3], [0, 1, 0])
    with pytest.raises(ValueError, match="sample_weight has no part"):
        fit(X, y, sample_weight=np.ones(len(X)))
    with pytest.raises(ValueError, match=r"n_steps=5 has no part in groups='unseen'"):
        KuraNetClusterer(groups="unseen", n_steps=5).fit(X, y)
    with pytest.raises(ValueError, match="connectivity=a csr_array has no part in groups='seen'"):
        KuraNetClusterer(connectivity=sp.csr_array((len(X),) * 2)).fit(X, y)
    with pytest.raises(ValueError, match="connectivity has no edges"):
        KuraNetClusterer(groups="unseen", connectivity=sp.csr_array((len(X),) * 2)).fit(X, y)
    with pytest.raises(ValueError, match="'groups' parameter"):
        KuraNetClusterer(groups="new").fit(X, y)


def test_a_fit_of_seen_groups_after_one_of_unseen():
    X, y = make_blobs(60, centers=3, random_state=0)
    model = KuraNetClusterer(groups="unseen", random_state=0).fit(X, y)
    model.set_params(groups="seen", warm_start=True)
    with pytest.raises(ValueError, match="cannot go on from groups='unseen'"):
        model.fit(X, y)
    model.set_params(warm_start=False).fit(X, y)
    assert not hasattr(model, "grouping_")
    assert model.predict(X).shape == y.shape


def test_what_a_fit_has_learned_stays_when_parameters_change(rows):
    model, X, *_ = rows
    other = clone(model)
    assert not hasattr(other, "predict")
    assert hasattr(other.set_params(groups="seen"), "predict")
    assert hasattr(clone(model).set_params(groups="no such"), "cluster")
    found = model.cluster(X)
    try:
        model.set_params(groups="seen")
        assert not hasattr(model, "predict_proba")
        np.testing.assert_array_equal(model.cluster(X), found)
        X, y = make_blobs(60, centers=3, random_state=0)
        other.set_params(max_iter=10, random_state=0).fit(X, y).set_params(groups="unseen")
        assert other.predict(X).shape == other.cluster(X).shape == y.shape
    finally:
        model.set_params(groups="unseen")


def photograph(seed, height=48, width=72):
    """Two or three stripes of colours of their own, some of them striped."""
    rng = np.random.RandomState(seed)
    edges = np.sort(rng.uniform(0.2, 0.8, rng.randint(1, 3))) * width
    mask = np.searchsorted(edges, np.arange(width))[None].repeat(height, axis=0)
    colours = rng.uniform(0.0, 1.0, (3, 3))
    return np.clip(colours[mask] + rng.normal(0.0, 0.03, (height, width, 3)), 0.0, 1.0), mask


@pytest.fixture(scope="module")
def segmenter():
    images, masks = zip(*[photograph(seed) for seed in range(6)], strict=True)
    model = KuraNetSegmenter(groups="unseen", superpixels=blocks, random_state=0)
    return model.fit([*images, images[0]], [*masks, np.minimum(masks[0], 1)])


def blocks(rgb):
    """Squares of six pixels."""
    rows, columns = np.indices(rgb.shape[:2]) // 6
    return 1000 * rows + columns


def test_segments_of_images_never_seen(segmenter):
    scores = [segmenter.score(*photograph(seed)) for seed in range(100, 105)]
    assert np.mean(scores) > 0.8
    image, _ = photograph(100)
    assert np.unique(segmenter.cluster(image, 5)).size == 5
    found = segmenter.predict([image, image])
    np.testing.assert_array_equal(found[0], found[1])


def test_so_many_segments(segmenter):
    image, _ = photograph(100)
    assert np.unique(segmenter.set_params(n_segments=3).predict(image)).size == 3
    segmenter.set_params(n_segments=None)
    with pytest.raises(ValueError, match=r"n_segments must lie between 1 and .* 96, got 97"):
        segmenter.cluster(image, 97)


def test_images_are_segmented_alike_after_loading(segmenter, tmp_path):
    image, _ = photograph(100)
    segmenter.save(tmp_path / "model")
    loaded = skkuranet.load(tmp_path / "model", trusted=[blocks])
    np.testing.assert_array_equal(loaded.predict(image), segmenter.predict(image))


@pytest.mark.filterwarnings("ignore:.*has intensities up to:UserWarning")
@pytest.mark.parametrize("superpixels", ["both", "slic", "felzenszwalb", None])
def test_images_that_hold_little(superpixels):
    images, masks = zip(*[photograph(seed, 12, 18) for seed in range(2)], strict=True)
    model = KuraNetSegmenter(groups="unseen", superpixels=superpixels, random_state=0)
    model.fit(list(images), list(masks))
    assert not model.predict(np.full((20, 30, 3), 0.5)).any()
    for shape in ((1, 30, 3), (30, 1, 3), (2, 2, 3), (1, 1, 3)):
        image = np.random.RandomState(0).uniform(size=shape)
        assert model.predict(image).shape == shape[:2]


def test_grey_images():
    images, masks = zip(*[photograph(seed) for seed in range(3)], strict=True)
    model = KuraNetSegmenter(groups="unseen", superpixels=blocks, random_state=0)
    model.fit([image[..., 0] for image in images], list(masks))
    assert model.predict(images[0][..., 0]).shape == masks[0].shape
    with pytest.raises(ValueError, match="3 channels"):
        model.predict(images[0])


def test_images_that_cannot_be_learned_from_are_refused():
    image, mask = photograph(0)
    fit = KuraNetSegmenter(groups="unseen", superpixels=blocks).fit
    with pytest.raises(ValueError, match="No mask parts neighbouring superpixels"):
        fit(image, np.zeros_like(mask))
    with pytest.raises(ValueError, match=r"mask has shape \(48, 70\), but the image has"):
        fit(image, mask[:, :70])
    with pytest.raises(ValueError, match="1, 3 or 4 channels, got 5"):
        fit(np.zeros((*mask.shape, 5)), mask)
    with pytest.raises(ValueError, match="superpixels must return a number for each pixel"):
        KuraNetSegmenter(groups="unseen", superpixels=lambda rgb: rgb).fit(image, mask)
    with pytest.raises(ValueError, match="features='multiscale' has no part"):
        KuraNetSegmenter("multiscale", groups="unseen").fit(image, mask)


def test_phases_are_not_asked_for(segmenter):
    for name in ("transform", "fit_transform", "simulate", "network", "coupling_matrix"):
        assert f"no {name} with groups='unseen'" in why_absent(segmenter, name)


def test_what_was_not_learned_is_said():
    X, y = load_wine(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="does not find the classes of fit again"):
        KuraNetClusterer(groups="unseen", random_state=0).fit(X, y)
