"""Graphs of three kinds with measured weights, their order, and what cuts and attacks leave."""

import networkx as nx
import numpy as np
import scipy.sparse as sp
import torch

from skkuranet import OscillatorNetwork

STARTS, STEP, N_STEPS, SCORED = 8, 0.1, 2000, 200


def small_world(n, seed):
    return nx.connected_watts_strogatz_graph(n, 4, 0.2, seed=seed)


def scale_free(n, seed):
    return nx.barabasi_albert_graph(n, 2, seed=seed)


def geometric(n, seed):
    """Nodes in the plane, within the smallest distance at which they are one graph."""
    places = np.random.RandomState(seed).uniform(size=(n, 2))
    at = dict(enumerate(places))
    for radius in np.linspace(0.05, 1.0, 191):
        graph = nx.random_geometric_graph(n, radius, pos=at)
        if nx.is_connected(graph):
            return graph


KINDS = {"small-world": small_world, "scale-free": scale_free, "geometric": geometric}


def spread(graph, weight, degree):
    """Couplings (n, n) that share out a mean degree among the edges of a graph by their weights."""
    ends = np.array(graph.edges).T
    values = weight(*ends)
    n = len(graph)
    values = values * (degree * n / (2.0 * values.sum()))
    return symmetric(ends, values, n)


def symmetric(ends, values, n):
    """Sparse matrix of edges, both ways."""
    both = np.concatenate((ends, ends[::-1]), axis=1)
    return sp.csr_array((np.tile(values, 2), tuple(both)), shape=(n, n))


def settle(K, frequency):
    """Late phases (steps, starts, n) of a network from random phases, the same for all K."""
    start = torch.rand((STARTS, len(frequency)), generator=torch.Generator().manual_seed(0))
    network = OscillatorNetwork(K, frequency=frequency)
    return network.simulate(
        n_steps=N_STEPS,
        step_size=STEP,
        initial_state=2.0 * np.pi * start.numpy(),
        save_from=N_STEPS - SCORED,
    )


def order(K, frequency):
    """Mean order parameter R at the end."""
    return float(settle(K, frequency).order_parameter().mean())


class Failing:
    """Graph that loses each of its lines with a probability, whenever it is asked for."""

    def __init__(self, graph, probability, seed):
        self.lines, self.n, self.probability = np.array(graph.edges), len(graph), probability
        self.rng = np.random.RandomState(seed)

    def __call__(self, X):
        kept = self.lines[self.rng.uniform(size=len(self.lines)) >= self.probability]
        return symmetric(kept.T, np.ones(len(kept)), self.n)


def cut(K, ranking, share):
    """Couplings without the first lines of a ranking that leave the graph in one piece."""
    graph = nx.from_scipy_sparse_array(K)
    left = round(share * graph.number_of_edges())
    for ends in ranking:
        if not left:
            break
        weight = graph.edges[ends]["weight"]
        graph.remove_edge(*ends)
        if nx.has_path(graph, *ends):
            left -= 1
        else:
            graph.add_edge(*ends, weight=weight)
    return sp.csr_array(nx.to_scipy_sparse_array(graph, weight="weight"))


def random_lines(K, seed):
    """Lines in random order."""
    lines = np.stack(sp.triu(K).nonzero(), 1)
    return np.random.RandomState(seed).permutation(lines).tolist()


def loaded_lines(K, frequency):
    """Lines, those with the largest flow first."""
    last = settle(K, frequency).phases[-1]
    ends = np.stack(sp.triu(K).nonzero())
    flow = np.abs(np.sin(last[:, ends[0]] - last[:, ends[1]])).mean(0) * K[ends[0], ends[1]]
    return ends.T[np.argsort(-flow)].tolist()


def without_hubs(K, frequency, share):
    """The largest part of a network without the nodes that have most neighbours."""
    neighbours = np.diff(K.indptr)
    kept = np.sort(np.argsort(-neighbours, kind="stable")[round(share * len(neighbours)) :])
    rest = K[kept][:, kept]
    _, part = sp.csgraph.connected_components(rest, directed=False)
    largest = part == np.bincount(part).argmax()
    return rest[largest][:, largest], frequency[kept][largest]
