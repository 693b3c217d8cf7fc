"""Couplings of neighbours that nothing was learned for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from skkuranet.grouping.edge_features_tables import edges_between, local_scale, nearest_rows
from skkuranet.grouping.graph import Graph

# Neighbours of a row whose edges trees follow at most: more cost time and tell little.
_FOLLOWED = 15


@dataclass(frozen=True)
class Neighbours:
    """Rows as a network.

    Parameters
    ----------
    graph : Graph
        Its edges.
    strengths : ndarray of shape (n_edges,)
        How strongly each couples.
    followed : Graph
        The same rows, and those edges that trees follow.
    """

    graph: Graph
    strengths: np.ndarray
    followed: Graph


def neighbours_of(X: np.ndarray, n_neighbors: int, connectivity: Any) -> Neighbours:
    """Return rows, two or more, as a network.

    The strength of neighbours falls with their distance, in units of how far the neighbours of both
    are (Zelnik-Manor and Perona 2004); of a matrix, dense or sparse, it is the mean of both ways.
    """
    if isinstance(connectivity, str):
        far, nearest = nearest_rows(X, n_neighbors)
        scale = local_scale(X, far[:, -1])
        i, j = edges = _edges_to(nearest)
        strengths = np.exp(-np.square(X[i] - X[j]).sum(1) / (scale[i] * scale[j]))
        followed = edges if nearest.shape[1] <= _FOLLOWED else _edges_to(nearest[:, :_FOLLOWED])
        return Neighbours(_bare(edges, len(X)), strengths, _bare(followed, len(X)))
    matrix = connectivity(X) if callable(connectivity) else connectivity
    edges = edges_between(matrix, len(X))
    matrix = sp.csr_array(matrix)
    strengths = np.asarray(0.5 * (matrix + matrix.T)[edges[0], edges[1]], dtype=float).ravel()
    graph = _bare(edges, len(X))
    return Neighbours(graph, strengths, graph)


def _edges_to(nearest: np.ndarray) -> np.ndarray:
    """Return the edges (2, n_edges) from each row to those nearest to it, (n, k), each once."""
    n, k = nearest.shape
    pairs = np.stack((np.repeat(np.arange(n), k), nearest.ravel()))
    return np.unique(np.sort(pairs, axis=0), axis=1)


def _bare(edges: np.ndarray, n_nodes: int) -> Graph:
    """Return a network of edges that count alike, and of which nothing is seen."""
    n_edges = edges.shape[1]
    return Graph(n_nodes, edges, np.zeros((n_edges, 0)), np.zeros((n_nodes, 0)), np.ones(n_edges))
