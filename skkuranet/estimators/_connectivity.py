"""Graphs that couplings are restricted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components
from sklearn.utils import check_array
from torch import Tensor

from skkuranet._utils.messages import naming, plain, warn_caller
from skkuranet.coupling import WeightedEdges
from skkuranet.coupling._given import matrix_of_graph
from skkuranet.estimators._arrays import Table, check_kind, on_host

#: Edges (2, n_edges), rows of targets and sources; or these with weights, as arrays.
Edges = np.ndarray | WeightedEdges


def has_graph(estimator: Any) -> bool:
    """Return whether an estimator couples along a given graph."""
    connectivity = getattr(estimator, "connectivity", None)
    # A name says how groups never seen are found.
    return not (connectivity is None or isinstance(connectivity, str))


def ends_of(edges: Any) -> Any:
    """Return edges without their weights."""
    return edges.ends if isinstance(edges, WeightedEdges) else edges


def on_device(edges: Edges, device: torch.device) -> Tensor | WeightedEdges:
    """Return edges as tensors."""
    if isinstance(edges, WeightedEdges):
        return WeightedEdges(*(torch.as_tensor(part, device=device) for part in edges))
    return torch.as_tensor(edges, device=device)


def edges_of(connectivity: object, n_nodes: int, *, weighted: bool = False) -> Edges:
    """Return the edges of a connectivity matrix, both ways and without self-couplings.

    Those of a ``weighted`` graph have weights, the mean where the two ways differ. Raise ValueError
    if the matrix, dense or sparse, does not fit the nodes, has no edges, or weights that are not
    positive.
    """
    if hasattr(connectivity, "adj") and hasattr(connectivity, "nodes"):
        connectivity = matrix_of_graph(connectivity)
    check_kind(connectivity, "connectivity")
    with naming("connectivity"):
        connectivity = on_host(connectivity)
        n_axes = 2 if sp.issparse(connectivity) else np.ndim(connectivity)
        if n_axes != 2:
            raise ValueError(
                "connectivity must be a matrix of shape (n_samples, n_samples) or a callable that "
                f"returns one, got {type(connectivity).__name__} of {n_axes} axes."
            )
        matrix = check_array(
            connectivity,
            accept_sparse="csr",
            dtype=None,
            input_name="connectivity",
            ensure_min_samples=0,
        )
    if matrix.shape != (n_nodes, n_nodes):
        raise ValueError(
            f"connectivity has shape {matrix.shape}, but there are {n_nodes} oscillators in X. "
            "Pass a graph of as many nodes, or a callable that makes one for any X."
        )
    pattern = sp.coo_array(sp.csr_array(matrix) != 0)
    either = sp.coo_array(sp.csr_array(pattern) + sp.csr_array(pattern).T)
    apart = either.row != either.col
    edges = np.stack((either.row[apart], either.col[apart])).astype(np.int64)
    if not edges.size:
        raise ValueError("connectivity has no edges between distinct oscillators.")
    return WeightedEdges(edges, _weights(matrix, edges)) if weighted else edges


def _weights(matrix: Any, edges: np.ndarray) -> np.ndarray:
    """Return the weight of each edge."""
    given = sp.csr_array(matrix).astype(np.float64)
    targets, sources = edges
    ways = np.stack((given[targets, sources], given[sources, targets]))
    if (ways < 0.0).any():
        way, edge = np.argwhere(ways < 0.0)[0]
        ends = edges[:, edge] if way == 0 else edges[::-1, edge]
        raise ValueError(
            f"edge_weights=True: connectivity[{ends[0]}, {ends[1]}] is {plain(ways[way, edge])}, "
            "but weights have to be positive. Pass magnitudes, or set edge_weights=False to use "
            "the graph alone."
        )
    return ways.sum(0) / np.count_nonzero(ways, axis=0)


def logs_of(edges: WeightedEdges) -> tuple[float, float]:
    """Return the mean and the standard deviation of the logarithms of weights; 1 for none."""
    logs = np.log(edges.weights)
    spread = float(logs.std())
    return float(logs.mean()), spread if spread > 1e-12 else 1.0


def warn_if_apart(edges: Edges, n_nodes: int) -> None:
    """Warn of a graph whose parts cannot synchronise with one another."""
    ends = ends_of(edges)
    graph = sp.coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(n_nodes, n_nodes))
    n_parts, part = connected_components(graph, directed=False)
    if n_parts > 1:
        lone = int(np.count_nonzero(np.bincount(part) == 1))
        warn_caller(
            f"connectivity falls into {n_parts} parts, {lone} of them isolated oscillators. Parts "
            "without an edge between them cannot synchronise; add edges or fit them apart.",
            UserWarning,
        )


@dataclass(frozen=True)
class FixedGraph:
    """Edges of one graph, in whatever order its nodes are drawn."""

    edges: Edges

    def __call__(self, index: Tensor) -> Tensor | WeightedEdges:
        """Return the edges of networks that hold every node once, from their nodes (B, n).

        Node i of network b counts as b n + i.
        """
        position = index.argsort(-1)
        first = torch.arange(len(index), device=index.device) * index.shape[-1]
        edges = on_device(self.edges, index.device)
        ends = (position[:, ends_of(edges)] + first[:, None, None]).movedim(0, 1).flatten(1)
        if isinstance(edges, WeightedEdges):
            return WeightedEdges(ends, edges.weights.repeat(len(index)))
        return ends


@dataclass(frozen=True)
class DrawnGraph:
    """Graph that a callable of the user makes for every network, from the features of its nodes."""

    connectivity: Callable[[np.ndarray], object]
    X: Table
    weighted: bool = False

    def __call__(self, index: Tensor) -> Tensor | WeightedEdges:
        """Return the edges of networks of nodes (B, n); node i of network b counts as b n + i."""
        size = index.shape[-1]
        found = [self.of(nodes) for nodes in index.cpu().numpy()]
        ends = np.concatenate([ends_of(e) + b * size for b, e in enumerate(found)], axis=1)
        if not self.weighted:
            return torch.as_tensor(ends, device=index.device)
        weights = np.concatenate([edges.weights for edges in found])
        return on_device(WeightedEdges(ends, weights), index.device)

    def of(self, nodes: np.ndarray) -> Edges:
        """Return the edges of the network of some rows."""
        graph = self.connectivity(on_host(self.X[nodes]))
        return edges_of(graph, len(nodes), weighted=self.weighted)
