"""Clusters of rows without labels."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris, make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import kneighbors_graph

import skkuranet
from skkuranet import KuraNetGrouper


def test_clusters_of_any_shape_and_their_number():
    X, y = make_moons(200, noise=0.05, random_state=0)
    given = KuraNetGrouper(n_clusters=2, random_state=0).fit(X)
    assert adjusted_rand_score(y, given.labels_) == 1.0
    X, y = make_blobs(300, centers=[[0, 0], [12, 0], [0, 12], [12, 12]], random_state=0)
    found = KuraNetGrouper(random_state=0).fit(X)
    assert adjusted_rand_score(y, found.labels_) > 0.9
    assert found.n_clusters_ == found.labels_.max() + 1
    np.testing.assert_allclose(np.linalg.norm(found.vectors_, axis=1), 1.0)


def unequal_clusters(rng):
    centres, widths = [(0, 0), (8, 0), (0, 12)], [0.4, 1.0, 2.5]
    X = [rng.normal(c, width, (n, 2)) for c, width, n in zip(centres, widths, (200, 60, 90))]
    return np.concatenate(X), np.repeat([0, 1, 2], (200, 60, 90))


@pytest.mark.parametrize("seed", range(4))
def test_the_number_of_clusters_does_not_depend_on_chance(seed):
    X, y = unequal_clusters(np.random.RandomState(0))
    found = KuraNetGrouper(random_state=seed).fit(X)
    assert found.n_clusters_ == 3
    assert adjusted_rand_score(y, found.labels_) > 0.97
    assert found.agreement_ > 0.8


def test_noise_has_no_clusters_or_a_warning():
    rng = np.random.RandomState(0)
    assert KuraNetGrouper(random_state=0).fit(rng.normal(size=(300, 2))).n_clusters_ == 1
    with pytest.warns(ConvergenceWarning, match="may have no groups"):
        found = KuraNetGrouper(random_state=0).fit(rng.normal(size=(200, 20)))
    assert found.agreement_ < 0.6


def test_rows_that_are_the_same_are_in_one_cluster():
    found = KuraNetGrouper(random_state=0).fit(np.ones((200, 3)))
    assert found.n_clusters_ == 1
    assert found.agreement_ == 1.0
    with pytest.warns(ConvergenceWarning, match="1 distinct rows only"):
        KuraNetGrouper(2, random_state=0).fit(np.ones((30, 3)))
    X, _ = unequal_clusters(np.random.RandomState(0))
    rows = np.repeat(np.arange(len(X)), 15)
    repeated = KuraNetGrouper(random_state=0).fit(X[rows])
    np.testing.assert_array_equal(
        repeated.labels_, KuraNetGrouper(random_state=0).fit_predict(X)[rows]
    )


def test_the_order_of_rows_makes_no_difference():
    X, _ = load_iris(return_X_y=True)
    order = np.random.RandomState(1).permutation(len(X))
    found = KuraNetGrouper(random_state=0).fit_predict(X)
    np.testing.assert_array_equal(
        KuraNetGrouper(random_state=0).fit_predict(X[order]), found[order]
    )


def test_one_start_agrees_with_no_other():
    X, _ = load_iris(return_X_y=True)
    found = KuraNetGrouper(2, n_init=1, random_state=0).fit(X)
    assert np.isnan(found.agreement_)
    assert found.vectors_.shape == (150, 16)


def test_vectors_of_all_starts_have_the_mean_cosine():
    X, _ = load_iris(return_X_y=True)
    found = KuraNetGrouper(n_init=3, n_dims=4, random_state=0).fit(X)
    parts = np.split(found.vectors_ * np.sqrt(3), 3, axis=1)
    np.testing.assert_allclose(np.linalg.norm(parts, axis=2), 1.0)
    cosines = np.mean([part @ part.T for part in parts], axis=0)
    np.testing.assert_allclose(found.vectors_ @ found.vectors_.T, cosines, atol=1e-12)


# Clusters that are too small are the work of chance.
@pytest.mark.filterwarnings("ignore:The .* clusters:sklearn.exceptions.ConvergenceWarning")
def test_a_lower_threshold_makes_more_clusters():
    X, _ = load_iris(return_X_y=True)
    numbers = [
        KuraNetGrouper(threshold=threshold, random_state=0).fit(X).n_clusters_
        for threshold in (0.01, 0.1, 0.3, 2.0)
    ]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > numbers[-1]


def test_a_graph_with_signed_couplings():
    """Two groups that attract inside and repel between."""
    y = np.repeat([0, 1], 10)
    couplings = np.where(y[:, None] == y, 1.0, -1.0)
    X = np.random.RandomState(0).normal(size=(20, 2))
    for graph in (couplings, sp.csr_array(couplings), lambda points: couplings):
        model = KuraNetGrouper(connectivity=graph, repulsion=0.0, random_state=0).fit(X)
        np.testing.assert_array_equal(model.labels_, y)
        # They end at opposite points.
        assert model.vectors_[0] @ model.vectors_[-1] < -0.95


def test_parts_of_a_graph_stay_apart():
    X, y = make_blobs(60, centers=[[0, 0], [50, 50]], random_state=0)
    graph = kneighbors_graph(X, 5)
    model = KuraNetGrouper(connectivity=graph, threshold=2.0, random_state=0).fit(X)
    assert adjusted_rand_score(y, model.labels_) == 1.0
    one = KuraNetGrouper(1, connectivity=graph, random_state=0).fit(X)
    assert not one.labels_.any()


def test_answers_come_from_the_seed_alone(tmp_path):
    X, _ = load_iris(return_X_y=True)
    models = [KuraNetGrouper(random_state=0).fit(X) for _ in range(2)]
    np.testing.assert_array_equal(models[0].vectors_, models[1].vectors_)
    models[0].save(tmp_path / "model")
    loaded = skkuranet.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.labels_, models[0].labels_)


def test_a_cluster_of_few_rows_is_one():
    X, y = make_blobs([5, 5], centers=[[0, 0], [100, 100]], random_state=0)
    found = KuraNetGrouper(random_state=0).fit_predict(X)
    assert adjusted_rand_score(y, found) == 1.0


def test_tables_that_hold_little():
    assert len(KuraNetGrouper(random_state=0).fit_predict([[0.0], [1.0]])) == 2
    assert np.isfinite(KuraNetGrouper(random_state=0).fit(np.ones((30, 2))).vectors_).all()
    with pytest.raises(ValueError, match="n_clusters=4 is more than n_samples=3"):
        KuraNetGrouper(4).fit([[0.0], [1.0], [2.0]])
    with pytest.raises(ValueError, match="connectivity has shape"):
        KuraNetGrouper(connectivity=np.ones((2, 2))).fit([[0.0], [1.0], [2.0]])
