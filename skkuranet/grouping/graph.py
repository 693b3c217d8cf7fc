"""Networks whose nodes are to be grouped, and what is known of their edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

# How many edges apart the nodes of a pair may be, and of how many nodes pairs are drawn from, as a
# multiple of the pairs by node.
_HOPS, _NEARBY = 4, 8


@dataclass(frozen=True)
class Graph:
    """One network: its edges, and what training is to make of them.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    edges : ndarray of shape (2, n_edges)
        Both ends of each edge, once.
    edge_features : ndarray of shape (n_edges, n_edge_features)
        What is seen of each edge; it names no group.
    node_features : ndarray of shape (n_nodes, n_node_features)
        What is seen of each node.
    weights : ndarray of shape (n_edges,)
        What each edge counts for, such as the length of a border.
    """

    n_nodes: int
    edges: np.ndarray
    edge_features: np.ndarray
    node_features: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Episode:
    """What training is told of one network.

    Parameters
    ----------
    graph : Graph
        The network.
    labels : ndarray of shape (n_people, n_nodes)
        Group of each node, as people see it, from 0; -1 where they do not say.
    targets, weights : ndarray of shape (n_edges,)
        How far both ends of each edge belong together, from 0 to 1, and what that counts for.
    pairs : ndarray of shape (2, n_pairs)
        Pairs of nodes near one another.
    pair_targets, pair_weights : ndarray of shape (n_pairs,)
        The same of pairs.
    """

    graph: Graph
    labels: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    pairs: np.ndarray
    pair_targets: np.ndarray
    pair_weights: np.ndarray


def episode_of(
    graph: Graph,
    labels: np.ndarray,
    n_pairs: int,
    rng: np.random.RandomState,
    sizes: np.ndarray | None = None,
) -> Episode:
    """Return what labels (n_people, n_nodes) say of a network; -1 says nothing.

    A pair belongs together as far as the share of people goes who have both in one group, of those
    who say anything of both. It counts for as much as the smaller of its nodes, of ``sizes``.
    """
    pairs = _pairs_nearby(graph, n_pairs, rng)
    targets, known = _shares(labels, graph.edges)
    pair_targets, pair_known = _shares(labels, pairs)
    smaller = 1.0 if sizes is None else sizes[pairs].min(0)
    return Episode(
        graph, labels, targets, graph.weights * known, pairs, pair_targets, smaller * pair_known
    )


def _shares(labels: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of people who join each pair, and if any says something of both."""
    first, second = labels[:, pairs[0]], labels[:, pairs[1]]
    known = (first >= 0) & (second >= 0)
    joined = (known & (first == second)).sum(0)
    return joined / np.maximum(known.sum(0), 1), known.any(0)


def _pairs_nearby(graph: Graph, n_pairs: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw pairs of distinct nodes that a few edges join, (2, n_pairs) at most, each once."""
    n = graph.n_nodes
    some = np.sort(rng.permutation(n)[: max(1, -(-_NEARBY * n_pairs // n))])
    # Numbers of nodes in as many bits as SciPy below 1.15 asks for.
    first, second = graph.edges.astype(np.int32)
    steps = dijkstra(
        csr_array((np.ones(len(first)), (first, second)), shape=(n, n)),
        directed=False,
        indices=some,
        unweighted=True,
        limit=_HOPS,
    )
    first, second = np.nonzero(np.isfinite(steps))
    first = some[first]
    # A pair of two that were both drawn is there twice.
    once = (first < second) | ~np.isin(second, some)
    first, second = first[once], second[once]
    chosen = rng.permutation(len(first))[:n_pairs]
    return np.stack((first[chosen], second[chosen]))
