"""Mean linkage along edges, and groups that trees are cut into."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import adjusted_rand_score

from skkuranet.grouping.graph import Graph
from skkuranet.grouping.linkage import absorbed, mean_linkage
from skkuranet.grouping.readout import hierarchy


def network(n_nodes, edges, weights=None):
    nothing = np.zeros((n_nodes, 0))
    weights = np.ones(edges.shape[1]) if weights is None else weights
    return Graph(n_nodes, edges, nothing[:0], nothing, weights)


def test_on_a_complete_graph_it_is_average_linkage():
    points = np.random.RandomState(0).normal(size=(30, 3))
    edges = np.stack(np.triu_indices(30, 1))
    tree = mean_linkage(30, edges, pdist(points), np.ones(edges.shape[1]))
    expected = linkage(points, "average")
    np.testing.assert_allclose(tree.heights, expected[:, 2])
    together = squareform(cophenet(expected))
    for threshold in np.quantile(expected[:, 2], [0.2, 0.5, 0.9]):
        groups = tree.cut_at(threshold)
        np.testing.assert_array_equal(groups[:, None] == groups, together <= threshold)


def test_weights_count_as_that_many_edges():
    """Node 3 is nearer to the group of 0 and 1 if its long edge counts for little."""
    edges = np.array([[0, 0, 1, 2], [1, 3, 3, 3]])
    distances = np.array([0.1, 0.2, 0.9, 0.4])
    light = mean_linkage(4, edges, distances, np.array([1.0, 1.0, 0.1, 1.0]))
    heavy = mean_linkage(4, edges, distances, np.array([1.0, 0.1, 1.0, 1.0]))
    np.testing.assert_allclose(light.heights[1], (0.2 + 0.1 * 0.9) / 1.1)
    np.testing.assert_array_equal(light.cut_into(2), [0, 0, 1, 0])
    np.testing.assert_array_equal(heavy.cut_into(2), [0, 0, 1, 1])


def test_parts_without_an_edge_are_merged_last():
    edges = np.array([[0, 2, 3], [1, 3, 4]])
    tree = mean_linkage(5, edges, np.array([0.9, 0.1, 0.2]), np.ones(3))
    assert np.isinf(tree.heights[-1])
    np.testing.assert_array_equal(tree.cut_at(1e9), [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(tree.cut_into(1), np.zeros(5))
    np.testing.assert_array_equal(tree.cut_into(5), np.arange(5))


def test_small_groups_join_the_nearest_other():
    groups = np.array([0, 0, 0, 1, 2, 2, 2, 3])
    edges = np.array([[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]])
    distances = np.array([0.1, 0.1, 0.9, 0.5, 0.1, 0.1])
    found = absorbed(groups, edges, distances, np.ones(6), least=2)
    # The last node has no edge to others.
    np.testing.assert_array_equal(found, [0, 0, 0, 1, 1, 1, 1, 2])


@pytest.mark.parametrize("seed", range(3))
def test_an_outlier_is_none_of_so_many_groups(seed):
    rng = np.random.RandomState(seed)
    points = np.concatenate((rng.normal(0, 1, (20, 2)), rng.normal(20, 1, (20, 2)), [[50, 50]]))
    truth = np.repeat([0, 1], [20, 21])
    edges = np.stack(np.triu_indices(41, 1))
    found = hierarchy(network(41, edges), pdist(points), least=5)
    assert adjusted_rand_score(truth, found.cut_into(2)) == 1.0
    assert found.tree.cut_into(2).tolist() == [0] * 40 + [1]
