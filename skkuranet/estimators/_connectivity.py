"""Graphs that couplings are restricted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components
from sklearn.utils import check_array
from torch import Tensor

from skkuranet._utils.messages import warn_caller
from skkuranet.estimators._arrays import Table, on_host


def edges_of(connectivity: object, n_nodes: int) -> np.ndarray:
    """Return the edges (2, n_edges) of a connectivity matrix, both ways and without self-couplings.

    They are rows of targets and sources. Raise ValueError if the matrix, dense or sparse, does not
    fit the nodes or has no edges.
    """
    connectivity = on_host(connectivity)
    if not sp.issparse(connectivity) and np.ndim(connectivity) != 2:
        raise ValueError(
            "connectivity must be a matrix of shape (n_samples, n_samples) or a callable that "
            f"returns one, got {type(connectivity).__name__} of {np.ndim(connectivity)} axes."
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
    return edges


def warn_if_apart(edges: np.ndarray, n_nodes: int) -> None:
    """Warn of a graph whose parts cannot synchronise with one another."""
    graph = sp.coo_array((np.ones(edges.shape[1]), tuple(edges)), shape=(n_nodes, n_nodes))
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
    """Edges (2, n_edges) of one graph, in whatever order its nodes are drawn."""

    edges: np.ndarray

    def __call__(self, index: Tensor) -> Tensor:
        """Return the edges of networks that hold every node once, from their nodes (B, n).

        Node i of network b counts as b n + i.
        """
        position = index.argsort(-1)
        first = torch.arange(len(index), device=index.device) * index.shape[-1]
        edges = torch.as_tensor(self.edges, device=index.device)
        return (position[:, edges] + first[:, None, None]).movedim(0, 1).flatten(1)


@dataclass(frozen=True)
class DrawnGraph:
    """Graph that a callable of the user makes for every network, from the features of its nodes."""

    connectivity: Callable[[np.ndarray], object]
    X: Table

    def __call__(self, index: Tensor) -> Tensor:
        """Return the edges of networks of nodes (B, n); node i of network b counts as b n + i."""
        size = index.shape[-1]
        found = [
            edges_of(self.connectivity(on_host(self.X[nodes])), size) + number * size
            for number, nodes in enumerate(index.cpu().numpy())
        ]
        return torch.as_tensor(np.concatenate(found, axis=1), device=index.device)
