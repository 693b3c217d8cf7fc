"""What is seen of the edges between rows of a table, in several metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

from skkuranet.estimators._connectivity import edges_of
from skkuranet.grouping.graph import Graph

#: How much of a within-class covariance is replaced by a sphere of the same size.
SHRUNK = (0.5, 0.1)
# Neighbours up to which ranks are told apart, as a multiple of those of the graph.
_RANKS = 5
# Logarithms begin here: of distances as shares of a scale, and of walks as shares of those to a
# neighbour.
_LEAST, _RARE = 1e-3, 1e-5
# Edges that are looked at together, to bound memory.
_BLOCK = 1 << 15


def within_class_covariance(X: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the covariance of rows about the mean of their class, (n_features, n_features)."""
    counts = np.bincount(codes)
    means = np.stack([np.bincount(codes, column) for column in X.T], 1) / counts[:, None]
    centred = X - means[codes]
    return centred.T @ centred / len(X)


def metrics_of(covariance: np.ndarray) -> list[np.ndarray]:
    """Return the maps to spaces in which distances are measured (relevant components analysis).

    The first is the identity; the others whiten what varies within classes, shrunk.
    """
    n = len(covariance)
    size = np.trace(covariance) / n or 1.0
    maps = [np.eye(n)]
    for share in SHRUNK:
        values, vectors = np.linalg.eigh((1 - share) * covariance + share * size * np.eye(n))
        maps.append(vectors / np.sqrt(values) @ vectors.T)
    return maps


class Neighbourhood:
    """Distances, ranks, shared neighbours and short walks in one metric.

    Parameters
    ----------
    points : ndarray of shape (n, n_features)
        Two rows or more, in the space of the metric.
    n_neighbors : int
        Neighbours of a row; fewer where there are fewer other rows.
    """

    def __init__(self, points: np.ndarray, n_neighbors: int) -> None:
        n = len(points)
        self.points = points
        far, nearest = nearest_rows(points, _RANKS * n_neighbors)
        self.n_far = nearest.shape[1]
        self.k = min(n_neighbors, self.n_far)
        self.scale = local_scale(points, far[:, self.k - 1])
        ranks = np.tile(np.arange(1.0, self.n_far + 1), (n, 1))
        self.ranks = _rows(ranks, nearest)
        near = _rows(np.ones((n, self.k)), nearest[:, : self.k])
        #: Each row and its neighbours, (2, n * k).
        self.pairs = np.stack((np.repeat(np.arange(n), self.k), nearest[:, : self.k].ravel()))
        self.shared = near @ near.T / self.k
        either = sp.csr_array(near + near.T)
        self.step = sp.csr_array(sp.diags_array(1.0 / either.sum(1)) @ either)
        self.two_steps = self.step @ self.step

    def features(self, edges: np.ndarray) -> np.ndarray:
        """Return what is seen of edges, the same from both ends, (n_edges, 8)."""
        i, j = edges
        distance = np.sqrt(np.square(self.points[i] - self.points[j]).sum(1))
        scaled = np.log(_LEAST + distance / np.stack((self.scale[i], self.scale[j])))
        ranks = np.stack((_at(self.ranks, i, j), _at(self.ranks, j, i)))
        ranks = np.log(np.where(ranks == 0, self.n_far + 1, ranks) / self.k)
        walks = np.stack((self._three_steps(i, j), self._three_steps(j, i)))
        walks = np.log(_RARE + walks * self.k)
        return np.stack(
            [
                *(part for both in (scaled, ranks, walks) for part in (both.min(0), both.max(0))),
                _at(self.shared, i, j),
                np.abs(np.log(self.scale[i] / self.scale[j])),
            ],
            axis=1,
        )

    def _three_steps(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return the probability that a walk is at j three steps after i."""
        backwards = sp.csr_array(self.step.T)
        blocks = (slice(b, b + _BLOCK) for b in range(0, len(i), _BLOCK))
        return np.concatenate(
            [self.two_steps[i[b]].multiply(backwards[j[b]]).sum(1).ravel() for b in blocks]
        )


def nearest_rows(points: np.ndarray, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and numbers of the other rows nearest to each, nearest first, (n, k).

    There are ``n_neighbors`` of them, or all where these are fewer.
    """
    n_nearest = min(len(points) - 1, n_neighbors)
    return NearestNeighbors(n_neighbors=n_nearest).fit(points).kneighbors()


def local_scale(points: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Return distances to the last neighbour of each row, above 0; rows that coincide have none."""
    return np.maximum(distances, 1e-9 * (np.abs(points).max() or 1.0))


def table_graph(
    X: np.ndarray,
    maps: Sequence[np.ndarray],
    n_neighbors: int,
    connectivity: Any = "knn",
    chosen: np.ndarray | None = None,
) -> Graph:
    """Return rows as a network; by default, neighbours in each metric are joined.

    ``connectivity`` is "knn", a callable that makes a matrix of edges of X, or such a matrix, of
    which only the ``chosen`` nodes are there.
    """
    seen = [Neighbourhood(X @ one, n_neighbors) for one in maps]
    if isinstance(connectivity, str):
        pairs = np.sort(np.concatenate([one.pairs for one in seen], axis=1), axis=0)
        edges = np.unique(pairs, axis=1)
    elif callable(connectivity):
        edges = edges_between(connectivity(X), len(X))
    elif chosen is None:
        edges = edges_between(connectivity, len(X))
    else:
        edges = edges_between(sp.csr_array(connectivity)[chosen][:, chosen], len(X))
    features = np.concatenate([one.features(edges) for one in seen], axis=1)
    nodes = seen[-1].points - seen[-1].points.mean(0)
    return Graph(len(X), edges, features, nodes, np.ones(edges.shape[1]))


def edges_between(matrix: Any, n_nodes: int) -> np.ndarray:
    """Return the edges (2, n_edges) of a matrix, dense or sparse, each once."""
    edges = edges_of(matrix, n_nodes)
    return edges[:, edges[0] < edges[1]]


def _rows(values: np.ndarray, columns: np.ndarray) -> sp.csr_array:
    """Return a matrix with so many values in each row, at these columns."""
    n, k = columns.shape
    return sp.csr_array((values.ravel(), columns.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))


def _at(matrix: sp.csr_array, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[i, j]).ravel()
