"""Couplings that begin with the weights of a graph."""

import pickle
import warnings

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

import skkuranet
from skkuranet import KuraNetSynchronizer
from skkuranet.coupling import (
    EdgeWeightNetwork,
    FactorizedNetwork,
    MeanDegree,
    PairwiseNetwork,
    WeightedEdges,
    couple,
)

QUICK = {
    "edge_weights": True,
    "average_degree": 2.0,
    "max_iter": 15,
    "batch_size": 2,
    "hidden_layer_sizes": (16,),
    "random_state": 0,
    "verbose": 0,
}


@pytest.fixture(scope="module")
def graph():
    pattern = nx.to_scipy_sparse_array(nx.connected_watts_strogatz_graph(24, 4, 0.2, seed=0))
    upper = sp.triu(pattern).tocsr().astype(float)
    upper.data = np.random.RandomState(1).lognormal(size=upper.nnz)
    return sp.csr_array(upper + upper.T)


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).normal(size=(24, 2))


def fit(X, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KuraNetSynchronizer(**{**QUICK, **settings}).fit(X)


@pytest.mark.parametrize("coupling", ["factorized", "pairwise"])
def test_weights_are_where_couplings_begin(X, graph, coupling):
    """Hardly trained, couplings follow the weights; without them they know the pattern alone."""
    settings = {"connectivity": graph, "coupling": coupling, "max_iter": 1}
    settings |= {"learning_rate_init": 1e-9}
    rows, columns = graph.nonzero()
    given = np.log(graph[rows, columns])

    def likeness(**others):
        K = fit(X, **settings, **others).coupling_matrix(X)
        return np.corrcoef(np.log(K[rows, columns]), given)[0, 1]

    assert likeness() > 0.7
    assert abs(likeness(edge_weights=False)) < 0.3


@pytest.mark.parametrize("identity", [False, True])
@pytest.mark.parametrize("coupling", ["factorized", "pairwise"])
def test_a_weighted_graph_is_learned_on(X, graph, coupling, identity):
    model = fit(X, connectivity=graph, coupling=coupling, node_identity=identity)
    K = model.coupling_matrix(X)
    np.testing.assert_allclose(K, K.T, atol=1e-6)
    assert K.sum() == pytest.approx(2.0 * len(X))
    assert ((K > 0) == (graph.toarray() > 0)).all()
    order = np.random.RandomState(1).permutation(24)
    shuffled = model.coupling_matrix(X[order], connectivity=graph[order][:, order])
    np.testing.assert_allclose(shuffled, K[np.ix_(order, order)], atol=1e-6)
    np.testing.assert_allclose(model.network(X).coupling_matrix(), K, atol=1e-6)
    np.testing.assert_allclose(model.predict(X[:3]), model.predict(X)[:3], atol=1e-6)


def test_weights_of_lines_tell_what_features_do_not(graph):
    """All nodes look alike but for their frequency; what a line can carry is in its weight."""
    frequency = np.random.RandomState(0).normal(size=(24, 1))
    lines = graph.copy()
    rows = np.repeat(np.arange(24), np.diff(lines.indptr))
    # As lines whose ends differ have to carry more.
    lines.data = np.exp(2.0 * np.abs(frequency[rows, 0] - frequency[lines.indices, 0]))
    node = np.zeros((24, 1))
    X = np.hstack((frequency, node))
    settings = {"connectivity": lines, "coupling": "pairwise", "average_degree": 1.0}
    settings |= {"max_iter": 40, "hidden_layer_sizes": (4,)}
    seeing = fit(X, **settings)
    blind = fit(X, **settings, edge_weights=False)
    assert seeing.limit_loss_ < blind.limit_loss_


def test_graphs_of_a_callable_have_weights(X):
    def near(rows):
        distance = np.linalg.norm(rows[:, None] - rows, axis=-1)
        return np.where(distance < 1.5, np.exp(-distance), 0.0)

    model = fit(X, connectivity=near, network_size=12)
    K = model.coupling_matrix(X)
    assert ((K > 0) == (near(X) * (1 - np.eye(24)) > 0)).all()
    new = np.random.RandomState(5).normal(size=(40, 2))
    assert 0.0 <= model.score(new) <= 1.0


def test_ways_that_differ_are_averaged(X):
    ring = np.roll(np.eye(24), 1, axis=1)
    both = 3.0 * ring + ring.T
    one = 2.0 * ring
    settings = {"max_iter": 2}
    same = [fit(X, connectivity=c, **settings).coupling_matrix(X) for c in (both, one)]
    np.testing.assert_allclose(*same)


@pytest.mark.parametrize("connectivity", ["matrix", "callable"])
def test_models_are_saved(X, graph, tmp_path, connectivity):
    given = graph if connectivity == "matrix" else graph.__class__
    if connectivity == "callable":
        given = _ring
    model = fit(X, connectivity=given)
    again = pickle.loads(pickle.dumps(model))
    K = model.coupling_matrix(X)
    np.testing.assert_array_equal(again.coupling_matrix(X), K)
    if connectivity == "matrix":
        model.save(tmp_path / "model.skkuranet")
        loaded = skkuranet.load(tmp_path / "model.skkuranet")
        check_is_fitted(loaded)
        np.testing.assert_array_equal(loaded.coupling_matrix(X), K)


def _ring(rows):
    return np.roll(np.eye(len(rows)), 1, axis=1) * (1.0 + np.arange(len(rows)))


def test_training_goes_on_from_what_saw_weights(X, graph):
    model = fit(X, connectivity=graph, warm_start=True)
    K = model.coupling_matrix(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.set_params(max_iter=1, learning_rate_init=1e-9).fit(X)
        np.testing.assert_allclose(model.coupling_matrix(X), K, rtol=1e-3)
        blind = fit(X, connectivity=graph, edge_weights=False, warm_start=True)
        with pytest.raises(TypeError, match="does not see the weights"):
            blind.set_params(edge_weights=True).fit(X)


def test_what_cannot_be_is_refused(X, graph):
    with pytest.raises(ValueError, match="pass the weighted graph as connectivity"):
        fit(X)
    negative = graph.toarray()
    negative[negative > 0] *= -1
    with pytest.raises(ValueError, match=r"edge_weights=True: connectivity\[\d+, \d+\] is -"):
        fit(X, connectivity=negative)
    with pytest.raises(ValueError, match=r"a method along\(x, y, weights\)"):
        fit(X, connectivity=graph, coupling=PairwiseNetwork(2))
    fit(X, connectivity=graph, coupling=EdgeWeightNetwork(PairwiseNetwork(3, symmetric=True)))


@pytest.mark.parametrize("kind", [PairwiseNetwork, FactorizedNetwork])
def test_gradients_of_weighted_couplings(kind):
    options = {"symmetric": True} if kind is PairwiseNetwork else {"form": "nonnegative"}
    network = EdgeWeightNetwork(kind(3, (4,), activation="tanh", **options), -0.3, 0.8).double()
    ends = torch.tensor([[0, 1, 1, 2, 0, 2], [1, 0, 2, 1, 2, 0]])
    x = torch.randn((3, 2), dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def matrix(x, weights):
        return couple(network, x, MeanDegree(), edges=WeightedEdges(ends, weights)).dense()

    weights = torch.tensor([0.5, 0.5, 2.0, 2.0, 1.0, 1.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(matrix, (x.requires_grad_(), weights.requires_grad_()))


def test_graphs_of_networkx_are_taken(X, graph):
    given = nx.from_scipy_sparse_array(graph)
    settings = {"max_iter": 2}
    same = [fit(X, connectivity=c, **settings).coupling_matrix(X) for c in (graph, given)]
    np.testing.assert_allclose(*same)
