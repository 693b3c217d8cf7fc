"""Restarts, searches and predictions on the workers of a dask cluster (extra ``distributed``)."""

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from skkuranet import KuraNetClusterer
from skkuranet.datasets import make_gaussian_ring

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

# Room for a worker that has imported torch, and for a few blocks of data.
MEMORY = 2**30
QUICK = {"max_iter": 30, "hidden_layer_sizes": (16,), "random_state": 0, "n_reference": 50}

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # Workers are ended by force when they take long to import.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def client():
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(memory_limit=MEMORY, **settings) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_restarts_on_a_cluster_are_those_of_one_process(client):
    X, y = make_gaussian_ring(3, 300, random_state=0)
    alone = KuraNetClusterer(n_init=2, **QUICK).fit(X, y)
    with joblib.parallel_config("dask"):
        found = KuraNetClusterer(n_init=2, n_jobs=2, **QUICK).fit(X, y)
    np.testing.assert_array_equal(found.loss_curve_, alone.loss_curve_)
    np.testing.assert_array_equal(found.transform(X), alone.transform(X))


def test_a_search_on_a_cluster_is_that_of_one_process(client):
    X, y = make_gaussian_ring(3, 300, random_state=0)
    grid = {"step_size": [0.5, 1.0]}
    alone = GridSearchCV(KuraNetClusterer(**QUICK), grid, cv=2).fit(X, y)
    with joblib.parallel_config("dask"):
        found = GridSearchCV(KuraNetClusterer(**QUICK), grid, cv=2, n_jobs=2).fit(X, y)
    scores = (search.cv_results_["mean_test_score"] for search in (found, alone))
    np.testing.assert_array_equal(*scores)


def test_predictions_of_more_rows_than_a_worker_has_memory_for(client):
    n_features, rows = 200, 20_000
    X, y = make_gaussian_ring(3, 600, random_state=0)
    wide = np.zeros((len(X), n_features))
    wide[:, :2] = X
    clusterer = KuraNetClusterer(**QUICK | {"max_iter": 100}).fit(wide, y)

    def block(block_info):
        (first, last), _ = block_info[None]["array-location"]
        made = np.zeros((last - first, n_features))
        made[:, :2] = X[np.arange(first, last) % len(X)]
        return made

    n = rows * (MEMORY // (8 * n_features * rows) + 2)
    many = da.map_blocks(block, chunks=((rows,) * (n // rows), (n_features,)), dtype=float)
    assert many.nbytes > MEMORY
    found = many.map_blocks(clusterer.predict, dtype=y.dtype, drop_axis=1).compute()
    np.testing.assert_array_equal(found[: len(X)], clusterer.predict(wide))
    assert np.mean(found == y[np.arange(n) % len(X)]) > 0.95
