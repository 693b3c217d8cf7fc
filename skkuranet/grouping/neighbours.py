"""Couplings of neighbours that nothing was learned for."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from skkuranet.grouping.edge_features_tables import Neighbourhood, edges_between
from skkuranet.grouping.graph import Graph


def local_strengths(X: np.ndarray, n_neighbors: int, connectivity: Any) -> tuple[Graph, np.ndarray]:
    """Return rows as a network, and the strength of each edge.

    Of neighbours it falls with their distance, in units of how far the neighbours of both are
    (Zelnik-Manor and Perona 2004); of a matrix, dense or sparse, it is the mean of both ways.
    """
    nothing = np.zeros((len(X), 0))
    if isinstance(connectivity, str):
        seen = Neighbourhood(X, n_neighbors)
        edges = np.unique(np.sort(seen.pairs, axis=0), axis=1)
        i, j = edges
        squared = np.square(X[i] - X[j]).sum(1)
        strengths = np.exp(-squared / (seen.scale[i] * seen.scale[j]))
    else:
        matrix = connectivity(X) if callable(connectivity) else connectivity
        edges = edges_between(matrix, len(X))
        matrix = sp.csr_array(matrix)
        strengths = np.asarray(0.5 * (matrix + matrix.T)[edges[0], edges[1]], dtype=float).ravel()
    graph = Graph(len(X), edges, nothing[: edges.shape[1]], nothing, np.ones(edges.shape[1]))
    return graph, strengths
