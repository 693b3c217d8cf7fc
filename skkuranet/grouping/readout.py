"""Groups as trees of states have them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.metrics import adjusted_rand_score

from skkuranet.grouping.graph import Graph
from skkuranet.grouping.linkage import Tree, absorbed, mean_linkage
from skkuranet.metrics import segmentation_covering

#: Labels that one person gives, and the node of each.
Sample = tuple[np.ndarray, np.ndarray]
# Where trees may be cut; distances are 1 - cos, and the best lie near 0 as often as not.
_CUTS = np.geomspace(0.01, 1.0, 41)


@dataclass(frozen=True)
class Hierarchy:
    """All groups of one network, from each node alone to all together.

    Parameters
    ----------
    graph : Graph
        The network.
    distances : ndarray of shape (n_edges,)
        Distance of both ends of each edge.
    tree : Tree
        Its mean linkage.
    least : int
        Nodes that a group must have; smaller ones join the nearest other.
    """

    graph: Graph
    distances: np.ndarray
    tree: Tree
    least: int

    def cut_at(self, threshold: float) -> np.ndarray:
        """Return the group of each node, from 0, when groups nearer than a threshold are one."""
        return self._whole(self.tree.cut_at(threshold))

    def cut_into(self, n_groups: int) -> np.ndarray:
        """Return the group of each node, from 0, of so many groups."""
        # Outliers part first: there are to be so many groups beside them.
        enough = np.flatnonzero(self.tree.n_whole(self.least) == n_groups)
        if not len(enough):
            return self.tree.cut_into(n_groups)
        return self._whole(self.tree.cut_into(self.graph.n_nodes - int(enough[-1])))

    def _whole(self, groups: np.ndarray) -> np.ndarray:
        graph = self.graph
        return absorbed(groups, graph.edges, self.distances, graph.weights, self.least)


def hierarchy(graph: Graph, distances: np.ndarray, least: int = 1) -> Hierarchy:
    """Return the groups of a network whose edges are so long."""
    tree = mean_linkage(graph.n_nodes, graph.edges, distances, graph.weights)
    return Hierarchy(graph, distances, tree, least)


def agreement(found: Sequence[np.ndarray]) -> float:
    """Return the mean adjusted Rand index of two of several groupings; NaN of one."""
    indices = [adjusted_rand_score(*pair) for pair in combinations(found, 2)]
    return float(np.mean(indices)) if indices else math.nan


def best_threshold(
    samples: Sequence[Sequence[Sample]], found: Sequence[Hierarchy], *, slack: float, place: float
) -> float:
    """Return the threshold at which groups cover those of people best, on average.

    ``samples`` are what people say of each network, whose groups are ``found``. Coverings closer
    than ``slack`` to the best count as equal. Of equal thresholds, in order, it is the one at
    ``place``: 0 is the finest, 1 the coarsest.
    """
    scores = np.mean(
        [
            [_covering(people, one.cut_at(cut)) for cut in _CUTS]
            for people, one in zip(samples, found, strict=True)
        ],
        axis=0,
    )
    best = np.flatnonzero(scores >= scores.max() - slack)
    return float(_CUTS[best[int(place * (len(best) - 1))]])


def _covering(people: Sequence[Sample], groups: np.ndarray) -> float:
    """Return the mean over people of how well groups cover theirs."""
    return float(np.mean([segmentation_covering(said, groups[nodes]) for said, nodes in people]))
