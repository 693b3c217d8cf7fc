"""Mean linkage along the edges of a graph."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class Tree:
    """Nodes of a graph, merged one pair of groups after the other.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    merged : ndarray of shape (n_merges, 2)
        One node of either group that each merge puts together.
    heights : ndarray of shape (n_merges,)
        Mean distance along the edges between the two, which never falls; infinite where there are
        no edges.
    """

    n_nodes: int
    merged: np.ndarray
    heights: np.ndarray

    def cut_at(self, threshold: float) -> np.ndarray:
        """Return the group of each node, from 0, when groups nearer than a threshold are one."""
        return self._after(int(np.searchsorted(self.heights, threshold, "right")))

    def cut_into(self, n_groups: int) -> np.ndarray:
        """Return the group of each node, from 0, when so many are left."""
        return self._after(max(0, self.n_nodes - n_groups))

    def n_whole(self, least: int) -> np.ndarray:
        """Return the number of groups of ``least`` nodes after no merge, one, and so on."""
        leader, sizes = list(range(self.n_nodes)), [1] * self.n_nodes
        counts = [self.n_nodes if least <= 1 else 0]
        for a, b in self.merged.tolist():
            a, b = _leader_of(leader, a), _leader_of(leader, b)
            before = (sizes[a] >= least) + (sizes[b] >= least)
            leader[b], sizes[a] = a, sizes[a] + sizes[b]
            counts.append(counts[-1] - before + (sizes[a] >= least))
        return np.array(counts)

    def _after(self, n_merges: int) -> np.ndarray:
        # Numbers of nodes in as many bits as SciPy below 1.15 asks for.
        first, second = self.merged[:n_merges].T.astype(np.int32)
        merges = csr_array((np.ones(len(first)), (first, second)), shape=(self.n_nodes,) * 2)
        return connected_components(merges, directed=False)[1].astype(np.int64)


def mean_linkage(
    n_nodes: int,
    edges: np.ndarray,
    distances: np.ndarray,
    weights: np.ndarray,
) -> Tree:
    """Merge the groups of least weighted mean distance, as long as edges lead from one to another.

    ``edges`` (2, n_edges) hold each pair of nodes once. Parts of the graph without an edge between
    them are merged last, the smaller first, at infinite heights.
    """
    # What leads from a group to each of its neighbours: weighted sum of distances, and weight.
    near: list[dict[int, tuple[float, float]]] = [{} for _ in range(n_nodes)]
    heap = []
    for i, j, distance, weight in zip(*edges.tolist(), distances, weights, strict=True):
        near[i][j] = near[j][i] = (float(distance * weight), float(weight))
        heap.append((float(distance), i, j))
    heapq.heapify(heap)
    alive, sizes = [True] * n_nodes, [1] * n_nodes
    merged, heights = [], []
    while heap:
        height, i, j = heapq.heappop(heap)
        known = near[i].get(j) if alive[i] and alive[j] else None
        # The distance may have changed since.
        if known is None or known[0] / known[1] != height:
            continue
        keep, gone = (i, j) if len(near[i]) >= len(near[j]) else (j, i)
        merged.append((keep, gone))
        heights.append(height)
        alive[gone] = False
        sizes[keep] += sizes[gone]
        del near[keep][gone], near[gone][keep]
        for other, (total, weight) in near[gone].items():
            before = near[keep].get(other, (0.0, 0.0))
            link = before[0] + total, before[1] + weight
            near[keep][other] = near[other][keep] = link
            del near[other][gone]
            heapq.heappush(heap, (link[0] / link[1], *sorted((keep, other))))
        near[gone] = {}
    parts = sorted((node for node in range(n_nodes) if alive[node]), key=sizes.__getitem__)
    for part in parts[:-1]:
        merged.append((parts[-1], part))
        heights.append(np.inf)
    # Rounding may let a mean of two distances fall below both.
    return Tree(
        n_nodes,
        np.array(merged, dtype=np.int64).reshape(-1, 2),
        np.maximum.accumulate(np.array(heights, dtype=float)),
    )


def absorbed(
    groups: np.ndarray,
    edges: np.ndarray,
    distances: np.ndarray,
    weights: np.ndarray,
    least: int,
) -> np.ndarray:
    """Return groups of which those of fewer than ``least`` nodes have joined the nearest other.

    The smallest comes first; what has no edge to others stays.
    """
    groups = groups.copy()
    alone: set[int] = set()
    while True:
        sizes = np.bincount(groups)
        small = [g for g in np.flatnonzero((sizes > 0) & (sizes < least)) if g not in alone]
        if not small:
            return np.unique(groups, return_inverse=True)[1]
        group = min(small, key=sizes.__getitem__)
        ends = groups[edges]
        out = (ends == group).sum(0) == 1
        if not out.any():
            alone.add(group)
            continue
        others = np.where(ends[0, out] == group, ends[1, out], ends[0, out])
        total = np.bincount(others, (weights * distances)[out], len(sizes))
        weight = np.bincount(others, weights[out], len(sizes))
        mean = np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.inf)
        groups[groups == group] = mean.argmin()


def _leader_of(leader: list[int], node: int) -> int:
    while leader[node] != node:
        leader[node] = leader[leader[node]]
        node = leader[node]
    return node
