"""Rows that belong together, learned from classes, for rows of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from skkuranet._utils.given import check_squares
from skkuranet.estimators._progress import Progress
from skkuranet.grouping.edge_features_tables import (
    metrics_of,
    table_graph,
    within_class_covariance,
)
from skkuranet.grouping.graph import Episode, Graph, episode_of
from skkuranet.grouping.network import GroupingNetwork, distances_along, new_network
from skkuranet.grouping.readout import Hierarchy, best_threshold, hierarchy
from skkuranet.grouping.training import Plan, train

# Neighbours of a row in each metric, and rows that a group has at least.
N_NEIGHBORS, LEAST = 15, 6
# Networks of training, their rows and pairs at most.
_NETWORKS, _ROWS, _PAIRS = 16, 300, 4000
# Repulsion of all rows by one another, and Euler steps.
_REPULSION, _N_STEPS = 1.0, 60
_PLAN = Plan(edge_epochs=15, epochs=2)
# How thresholds are chosen: classes never seen scatter more than those of training.
_THRESHOLD = {"slack": 0.01, "place": 0.75}
# Classes from which on metrics come from other classes than those that are told apart.
_ENOUGH = 4


@dataclass(frozen=True)
class RowGroups:
    """What makes rows alike, as learned from classes.

    Parameters
    ----------
    network : GroupingNetwork
        Couplings of neighbours, and where rows start.
    maps : list of ndarray of shape (n_features, n_features)
        To the spaces in which distances are measured.
    threshold : float
        Distance, 1 - cos, below which groups are one.
    connectivity : "knn", callable or matrix
        Which rows are neighbours.
    """

    network: GroupingNetwork
    maps: list[np.ndarray]
    threshold: float
    connectivity: Any

    def graph(self, X: np.ndarray) -> Graph:
        """Return the network made of rows."""
        check_squares(X, "X")
        return table_graph(X, self.maps, N_NEIGHBORS, self.connectivity)

    def states(self, graph: Graph) -> torch.Tensor:
        """Return where rows are on the sphere in the end, (n_dims, n_nodes)."""
        with torch.no_grad():
            return self.network.settle(graph)[0]

    def vectors(self, X: np.ndarray) -> np.ndarray:
        """Return where rows are on the sphere in the end, (n_rows, n_dims)."""
        if len(X) == 1:
            # Nothing moves it.
            return np.eye(1, self.network.n_dims)
        return self.states(self.graph(X)).mT.double().numpy()

    def cluster(self, X: np.ndarray, n_clusters: int | None = None) -> np.ndarray:
        """Return the group of each row, from 0; None finds how many there are."""
        if len(X) == 1:
            return np.zeros(1, dtype=np.int64)
        found = self.hierarchy(self.graph(X))
        if n_clusters is None:
            return found.cut_at(self.threshold)
        return found.cut_into(n_clusters)

    def hierarchy(self, graph: Graph) -> Hierarchy:
        """Return all groups of rows, from each alone to all together."""
        return hierarchy(graph, distances_along(graph, self.states(graph)), LEAST)


def learn_rows(
    X: np.ndarray,
    codes: np.ndarray,
    *,
    connectivity: Any,
    hidden_layer_sizes: tuple[int, ...],
    n_dims: int,
    threshold: float | None,
    rng: np.random.RandomState,
    progress: Callable[[int], Progress],
) -> tuple[RowGroups, list[float]]:
    """Learn from rows (n, n_features) with a class each, from 0, what makes rows alike.

    Return that, and the loss of each epoch. A threshold of None is chosen on the networks of
    training.
    """
    check_squares(X, "X")
    episodes = [_episode(X, codes, connectivity, rng) for _ in range(_NETWORKS)]
    network = new_network(
        episodes[0].graph,
        hidden_layer_sizes,
        n_dims=n_dims,
        rng=rng,
        repulsion=_REPULSION,
        n_steps=_N_STEPS,
    )
    losses = train(network, episodes, _PLAN, rng, progress)
    maps = metrics_of(within_class_covariance(X, codes))
    found = RowGroups(network, maps, threshold or 0.0, connectivity)
    if threshold is None:
        # Every row is a node, and has a label.
        samples = [[(one.labels[0], np.arange(one.graph.n_nodes))] for one in episodes]
        trees = [found.hierarchy(episode.graph) for episode in episodes]
        found = replace(found, threshold=best_threshold(samples, trees, **_THRESHOLD))
    return found, losses


def _episode(
    X: np.ndarray, codes: np.ndarray, connectivity: Any, rng: np.random.RandomState
) -> Episode:
    """Return a network of rows whose classes the metrics have not seen; of few, whose rows."""
    n_classes = int(codes.max()) + 1
    if n_classes >= _ENOUGH:
        drawn = rng.permutation(n_classes)[: rng.randint(2, max(3, n_classes // 2 + 1))]
        inside = np.isin(codes, drawn)
    else:
        inside = np.zeros(len(X), dtype=bool)
        inside[rng.permutation(len(X))[: -(-len(X) // 2)]] = True
    others = np.unique(codes[~inside], return_inverse=True)[1]
    maps = metrics_of(within_class_covariance(X[~inside], others))
    rows = np.sort(rng.permutation(np.flatnonzero(inside))[:_ROWS])
    graph = table_graph(X[rows], maps, N_NEIGHBORS, connectivity, rows)
    return episode_of(graph, codes[rows][None], _PAIRS, rng)
