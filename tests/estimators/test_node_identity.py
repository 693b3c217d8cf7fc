"""Couplings of the very nodes of one graph."""

import pickle
import warnings

import networkx as nx
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skkuranet import KuraNetSynchronizer
from skkuranet.coupling import NodeIdentity, PairwiseNetwork
from skkuranet.training._checkpoint import Checkpoint

QUICK = {
    "node_identity": True,
    "average_degree": 2.0,
    "max_iter": 20,
    "batch_size": 2,
    "hidden_layer_sizes": (16,),
    "random_state": 0,
    "verbose": 0,
}


@pytest.fixture(scope="module")
def graph():
    return nx.to_scipy_sparse_array(nx.connected_watts_strogatz_graph(24, 4, 0.2, seed=0))


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).normal(size=(24, 2))


def fit(X, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KuraNetSynchronizer(**{**QUICK, **settings}).fit(X)


@pytest.fixture(scope="module")
def fitted(X, graph):
    return fit(X, connectivity=graph)


def test_nodes_of_one_graph_learn_more_than_features_say(graph):
    """A frequency does not tell where in the graph a node is."""
    frequency = np.random.RandomState(0).normal(size=(24, 1))
    settings = {
        "connectivity": graph,
        "average_degree": 1.5,
        "coupling": "pairwise",
        "max_iter": 60,
        "learning_rate_init": 1e-2,
    }
    blind = fit(frequency, node_identity=False, **settings)
    seeing = fit(frequency, **settings)
    assert seeing.limit_loss_ < 0.9 * blind.limit_loss_


@pytest.mark.parametrize("coupling", ["factorized", "pairwise"])
def test_answers_follow_the_rows(X, graph, coupling):
    model = fit(X, connectivity=graph, coupling=coupling)
    order = np.random.RandomState(1).permutation(24)
    K = model.coupling_matrix(X)
    shuffled = model.coupling_matrix(X[order], connectivity=graph[order][:, order])
    np.testing.assert_allclose(shuffled, K[np.ix_(order, order)], atol=1e-6)
    np.testing.assert_allclose(model.predict(X[order]), model.predict(X)[order], atol=1e-6)
    assert model.transform(X[:3]).shape == (3, 2)
    np.testing.assert_allclose(model.network(X).coupling_matrix(), K, atol=1e-6)
    assert 0.0 <= model.score(X) <= 1.0


def test_all_pairs_may_couple(X):
    model = fit(X, network_size=10)
    assert model.coupling_matrix(X[:10]).sum() == pytest.approx(20.0)


@pytest.mark.parametrize("method", ["predict", "transform", "coupling_matrix", "simulate", "score"])
def test_rows_that_were_not_in_fit_are_refused(X, fitted, method):
    new = X.copy()
    new[5, 0] = 0.25
    with pytest.raises(ValueError, match=r"not in fit, \[0\.25.*fit with node_identity=False"):
        getattr(fitted, method)(new)


def test_rows_that_are_alike_are_refused(X, graph):
    twice = X.copy()
    twice[7] = twice[3]
    with pytest.raises(ValueError, match=r"Rows 3 and 7 of X are alike.*Add a column"):
        fit(twice, connectivity=graph)


def test_modules_of_ones_own_bring_their_identities(X, graph):
    with pytest.raises(ValueError, match=r"node_identity=True is for.*NodeIdentity"):
        fit(X, connectivity=graph, coupling=PairwiseNetwork(2, (4,)))
    table = torch.as_tensor(X)
    mean, scale = table.mean(0), table.std(0, correction=0)
    network = PairwiseNetwork(2, (4,), symmetric=True, encoding=NodeIdentity(table, mean, scale))
    network.standardize(mean, scale)
    model = fit(X, connectivity=graph, coupling=network, node_identity=False, max_iter=2)
    assert model.coupling_matrix(X).shape == (24, 24)


def test_copies_pickles_and_types(X, graph, fitted):
    assert clone(fitted).node_identity is True
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    in_single = fit(X.astype(np.float32), connectivity=graph)
    assert in_single.coupling_matrix(X.astype(np.float32)).shape == (24, 24)
    # Large offsets are taken off before rows are compared.
    shifted = X + np.array([0.0, 1e6])
    assert fit(shifted, connectivity=graph, max_iter=2).predict(shifted).shape == (24,)


def test_warm_starts_go_on_with_the_same_nodes(X, graph):
    one = fit(X, connectivity=graph, max_iter=3)
    one.set_params(warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one.fit(X)
    with pytest.raises(ValueError, match="not in fit"):
        one.fit(X + 1.0)


def test_a_fit_that_is_stopped_goes_on_as_if_nothing_had_happened(X, graph, tmp_path, monkeypatch):
    whole = fit(X, connectivity=graph)
    path = tmp_path / "state"
    save, saved = Checkpoint.save, []

    def killed(*args):
        save(*args)
        saved.append(1)
        if len(saved) == 2:
            raise SystemExit

    monkeypatch.setattr(Checkpoint, "save", killed)
    settings = {"connectivity": graph, "checkpoint": str(path), "checkpoint_every": 5}
    with pytest.raises(SystemExit):
        fit(X, **settings)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="of another fit"):
        fit(X, **settings, average_degree=3.0)
    again = fit(X, **settings)
    np.testing.assert_array_equal(again.coupling_matrix(X), whole.coupling_matrix(X))
