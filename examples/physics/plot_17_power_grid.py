r"""
Design a power grid that may lose a line
========================================

Generators and motors with inertia obey the swing equation,

.. math:: m_i \ddot\theta_i = P_i - d\, \dot\theta_i + \sum_j K_{ij} \sin(\theta_j - \theta_i) ,

in which K is the capacity of lines. How should a fixed total of capacity be spread over the lines
of a grid? It is learned on small grids, for grids that it has never seen, and for faults: the grid
has to come back to rest once it has lost a line.
"""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.collections import LineCollection
from shared_power_grids import (
    PLAN,
    POWER,
    Grids,
    LineNetwork,
    Rest,
    after_a_cut,
    by_hand,
    settle,
    uniform,
)

from skkuranet.coupling import MeanDegree
from skkuranet.training import train

# %%
# Grids, the coupling network and the objective are in
# ``shared_power_grids.py`` beside this file. The network sees lines and not only
# their ends: it is given the flow that a linear model expects.
rng, generator = np.random.RandomState(0), torch.Generator().manual_seed(0)
grids, budget = Grids(400, 50, rng), 8.0
learned = LineNetwork(torch.Generator().manual_seed(0))
plan = dataclasses.replace(PLAN, n_iterations=200, batch_size=12)
objective = Rest(grids)
train(learned, MeanDegree(budget), grids.features, objective, plan, generator, graph=grids.edges)

# %%
# New grids of 100 nodes settle from phases near 0, and lose a line. By hand, capacities are in
# proportion to the linear flow, plus a share for all that was tuned: a rule that engineers would
# find. Training finds one about as good, and none that is better, from nothing but trajectories.
test = Grids(12, 100, rng)
networks = {"all alike": uniform, "by hand": by_hand, "learned": learned}
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), sharey=True, layout="constrained")
settled = {}
for ax, (name, network) in zip(axes, networks.items()):
    coupling, path = settle(test, network, budget, torch.Generator().manual_seed(0))
    settled[name] = coupling, path.phases[-1, 0]
    before = path.states[:, :, 1].abs().amax((0, -1))
    after = after_a_cut(test, coupling, path.states[-1])
    velocity = after.states[:, :, 1].abs().amax(-1)
    resting, again = (before < 0.02).sum(), (velocity[-50:] < 0.05).all(0).sum()
    order = float(path.order_parameter().mean())
    print(f"{name:10s} {resting} of 12 grids at rest, {again} after a cut; R = {order:.2f}")
    ax.semilogy(after.times, velocity.clamp_min(1e-4), linewidth=0.9)
    ax.set(title=name, xlabel="time since the cut", ylim=(1e-3, 30))
axes[0].set_ylabel("largest deviation of frequency")
plt.show()

# %%
# One of these grids: widths are capacities, colours how much of them is used at rest, and dots
# generators (red) and consumers.
places, lines, power = test.places[0], test.lines[0], test.features[test.nodes[0], POWER]
figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
n_lines = lines.shape[1]
for ax, (name, (coupling, phases)) in zip(axes, settled.items()):
    capacity = coupling.values[:n_lines]
    used = torch.sin(phases[lines[0]] - phases[lines[1]]).abs().numpy()
    drawn = LineCollection(
        places[lines.T.numpy()], linewidths=0.6 * capacity, array=used, cmap="viridis", clim=(0, 1)
    )
    ax.add_collection(drawn)
    colours = np.where(power > 0, "tab:red", "0.4")
    ax.scatter(*places.T, 8 * power.abs(), colours, zorder=2)
    ax.set(title=name, xticks=[], yticks=[], aspect="equal")
figure.colorbar(drawn, ax=axes, label="share of the capacity in use", shrink=0.8)
plt.show()
