"""
Power grids and their lines
===========================

What :ref:`sphx_glr_auto_examples_physics_plot_17_power_grid.py` and
``benchmarks/other_dynamics.py`` share: grids drawn at random, a coupling network that sees lines,
and what is wanted of the machines.
"""

from itertools import pairwise

import networkx as nx
import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from torch import nn

from skkuranet.coupling import MeanDegree, SparseCoupling, couple
from skkuranet.dynamics import SecondOrder, integrate
from skkuranet.losses import circular_variance
from skkuranet.objectives import FrequencyObjective
from skkuranet.training import Curriculum

# Columns of the table of nodes.
POWER, INERTIA, NEIGHBOURS, POTENTIAL = range(4)
DAMPING, STEP = 0.5, 0.1


# %%
# A grid is a tree through places in the plane and a third more lines, the shortest that are left. A
# third of the nodes are generators, each of which feeds the consumers that are nearest to it. The
# linear power flow, with angles for their sines, gives every node a potential: the flow along a
# line is the difference of its ends, here in units of the mean of all lines.
def draw_lines(places):
    """Ends of the lines of a grid, (2, n_lines)."""
    n, distance = len(places), cdist(places, places)
    tree = minimum_spanning_tree(distance).toarray() > 0.0
    distance[tree | tree.T | np.tri(n, dtype=bool)] = np.inf
    more = np.unravel_index(np.argsort(distance, axis=None)[: n // 3], (n, n))
    return np.concatenate((np.stack(np.nonzero(tree)), np.stack(more)), axis=1)


def spare_lines(lines):
    """Numbers of the lines that can be cut without cutting nodes off."""
    ends = [frozenset(pair) for pair in lines.T.tolist()]
    bridges = {frozenset(pair) for pair in nx.bridges(nx.Graph(lines.T.tolist()))}
    return [number for number, pair in enumerate(ends) if pair not in bridges]


def draw_grid(n, rng):
    """Table of the nodes of one grid, (n, 4), their places and its lines."""
    places = rng.uniform(size=(n, 2))
    lines = draw_lines(places)
    load = np.where(rng.permutation(n) < n // 3, 0.0, rng.lognormal(sigma=0.5, size=n))
    consumers, generators = np.flatnonzero(load), np.flatnonzero(load == 0.0)
    feeder = generators[cdist(places[consumers], places[generators]).argmin(1)]
    power = np.bincount(feeder, load[consumers], minlength=n) - load
    power /= np.abs(power).mean()
    adjacency = coo_array((np.ones(lines.shape[1]), tuple(lines)), shape=(n, n)).toarray()
    adjacency += adjacency.T
    neighbours = adjacency.sum(0)
    potential = np.linalg.pinv(np.diag(neighbours) - adjacency) @ power
    potential /= np.abs(np.diff(potential[lines], axis=0)).mean()
    inertia = rng.uniform(0.5, 1.5, n)
    return np.column_stack((power, inertia, neighbours, potential)), places, lines


class Grids:
    """Grids of one size, as a table of all their nodes."""

    def __init__(self, n_grids, n_nodes, rng):
        tables, self.places, lines = zip(*(draw_grid(n_nodes, rng) for _ in range(n_grids)))
        self.n_nodes = n_nodes
        self.features = torch.tensor(np.concatenate(tables)).float()
        self.lines = [torch.tensor(ends) for ends in lines]
        self.spare = [torch.tensor(rng.permutation(spare_lines(ends))) for ends in lines]
        #: Nodes of each grid.
        self.nodes = torch.arange(n_grids * n_nodes).view(n_grids, n_nodes)
        power, inertia = self.features[:, POWER], self.features[:, INERTIA]
        self.dynamics = SecondOrder(power, inertia, torch.tensor(DAMPING))

    def edges(self, index):
        """Lines of networks (B, n), each one of the grids: both ways, nodes counted through."""
        both = [torch.cat((ends, ends.flip(0)), 1) for ends in self._of(self.lines, index)]
        return torch.cat([ends + place * self.n_nodes for place, ends in enumerate(both)], 1)

    def cut(self, coupling, index, which=0):
        """Couplings of networks without one line of each, a spare one."""
        kept = []
        for ends, spare in zip(self._of(self.lines, index), self._of(self.spare, index)):
            both = torch.ones_like(ends, dtype=coupling.dtype)
            both[:, spare[which % len(spare)]] = 0.0
            kept.append(both.flatten())
        values = coupling.values * torch.cat(kept)
        return SparseCoupling(coupling.targets, coupling.sources, values, coupling.shape)

    def _of(self, things, index):
        return [things[first // self.n_nodes] for first in index[:, 0].tolist()]


# %%
# The coupling network sees what a line is: its flow, and its two ends in the order in which power
# flows, which makes couplings symmetric. A perceptron of the features of two nodes would have to
# find small differences of large potentials.
class LineNetwork(nn.Module):
    """Logarithm of the capacity of a line."""

    def __init__(self, generator=None):
        super().__init__()
        sizes = (7, 32, 32, 1)
        layers = [nn.Linear(*size) for size in pairwise(sizes)]
        self.layers = nn.Sequential(layers[0], nn.SiLU(), layers[1], nn.SiLU(), layers[2])
        with torch.no_grad():
            for parameter in self.parameters():
                bound = parameter.shape[-1] ** -0.5
                parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, x, y):
        """Return logarithms, (..., n, p), for targets (..., n, 4) and sources (..., p, 4)."""
        x, y = torch.broadcast_tensors(x.unsqueeze(-2), y.unsqueeze(-3))
        flow = (x - y)[..., POTENTIAL : POTENTIAL + 1]
        ends = (torch.where(flow > 0.0, *pair)[..., :POTENTIAL] for pair in ((x, y), (y, x)))
        return self.layers(torch.cat((torch.log(flow.abs() + 0.03), *ends), -1)).squeeze(-1)


def by_hand(x, y):
    """The same, of capacities in proportion to the linear flow plus a share that did best."""
    return torch.log((x[..., POTENTIAL, None] - y[..., None, :, POTENTIAL]).abs() + 0.4)


def uniform(x, y):
    """The same, of capacities that are all alike."""
    return torch.zeros(*x.shape[:-1], y.shape[-2])


# %%
# All machines are to turn alike, from a start near synchrony and after a line has been cut, and as
# close in phase as may be. Each counts by itself, so that one that slips does not drown the others.
class Rest(FrequencyObjective):
    """Machines are to turn alike, before and after a line is cut."""

    def __init__(self, grids):
        super().__init__(dynamics=grids.dynamics, solver="rk4")
        self.grids, self.pools = grids, list(grids.nodes)

    def initial_phases(self, index, seed_probability, generator):
        """Phases near 0."""
        return 0.3 * torch.randn(index.shape, generator=generator)

    def loss(self, coupling, phases, index):
        """Return the loss before and after the cut."""
        after = integrate(
            self.grids.cut(coupling, index),
            self.dynamics.at(index).from_phases(phases[-1]),
            self.dynamics.at(index),
            step_size=2.0 * STEP,
            n_steps=60,
            save_from=30,
            solver="rk4",
        )
        turned = (path[-1] - path[0] for path in (phases, after.phases))
        unrest = sum((t - t.mean(-1, keepdim=True)).square().log1p().mean() for t in turned)
        return unrest + 0.2 * circular_variance(phases).mean()


#: How to train: 16 grids at a time, each of which is a network.
PLAN = Curriculum(
    n_iterations=400,
    batch_size=16,
    network_size=50,
    step_size=2.0 * STEP,
    n_steps=60,
    learning_rate=1e-2,
    weight_decay=3.0,
    limit_time=100.0,
    check_every=100,
    n_held_out=32,
    tolerance=0.0,
)


# %%
# A fault: the grids settle, then each of them loses one line.
@torch.no_grad()
def settle(grids, network, budget, generator, time=200.0):
    """Couplings of all grids, and their states at the end of a time, the last 10 units of it."""
    index, dynamics = grids.nodes, grids.dynamics.at(grids.nodes)
    features, edges = grids.features[index], grids.edges(index)
    coupling = couple(network, features, MeanDegree(budget), edges=edges)
    start = dynamics.from_phases(0.3 * torch.randn(index.shape, generator=generator))
    steps = {"n_steps": round(time / STEP), "save_from": round((time - 10.0) / STEP)}
    return coupling, integrate(coupling, start, dynamics, step_size=STEP, solver="rk4", **steps)


@torch.no_grad()
def after_a_cut(grids, coupling, state, which=0, time=60.0):
    """Trajectories of all grids from a state, (G, 2, n), without one of their lines."""
    cut, dynamics = grids.cut(coupling, grids.nodes, which), grids.dynamics.at(grids.nodes)
    n_steps = round(time / STEP)
    return integrate(cut, state, dynamics, step_size=STEP, n_steps=n_steps, solver="rk4")
