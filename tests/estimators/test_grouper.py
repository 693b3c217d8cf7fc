"""Clusters of rows without labels."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris, make_blobs, make_moons
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
