r"""
Sweeps and hysteresis
=====================

One network for many strengths of its couplings, at once or one after the other: where does it lock,
and does it let go at the same place?
"""

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch

from skkuranet import OscillatorNetwork
from skkuranet.analysis import sweep
from skkuranet.coupling import FactorizedCoupling
from skkuranet.inspection import SweepDisplay, TrajectoryDisplay

# %%
# At once: values make a batch, whose networks are integrated together. A thousand oscillators that
# all couple alike have a matrix of rank 1, so that products take next to no time. Of frequencies
# that are Lorentzian with width γ, theory says :math:`R = \sqrt{1 - 2 \gamma / K}` above
# :math:`K_c = 2 \gamma`, for infinitely many.
n, width = 1000, 0.5
frequency = width * np.tan(np.pi * ((np.arange(n) + 0.5) / n - 0.5))
ones = torch.ones(n, 1, dtype=torch.float64)
network = OscillatorNetwork(FactorizedCoupling(ones / n, ones), frequency=frequency)
curve = sweep(
    network, "coupling_scale", np.linspace(0.2, 3.0, 15), n_steps=600, n_transient=600,
    solver="heun", random_state=0,
)  # fmt: skip
display = SweepDisplay.from_sweep(curve, label="1,000 oscillators")
above = np.linspace(2 * width, 3.0, 200)
display.ax_.plot(above, np.sqrt(1 - 2 * width / above), "k--", label="theory", zorder=3)
display.ax_.legend()
plt.show()

# %%
# One after the other: the state at one value starts the next. Where hubs are fast, a scale-free
# network locks all of a sudden, and stays locked far below (Gómez-Gardeñes et al. 2011).
graph = nx.barabasi_albert_graph(300, 3, seed=1)
degree = np.array([d for _, d in graph.degree()], dtype=float)
network = OscillatorNetwork(graph, frequency=degree)
loop = sweep(
    network, "coupling_scale", np.linspace(1.1, 1.6, 21), continuation="both", n_steps=500,
    n_transient=500, step_size=0.02, random_state=0,
)  # fmt: skip
SweepDisplay.from_sweep(loop)
plt.show()

# %%
# Between the two thresholds the network can do either: the same couplings, two beginnings.
figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
both = network.replace(coupling_scale=1.38)
beginnings = {"from random phases": None, "in phase": np.zeros(300)}
for ax, (name, start) in zip(axes, beginnings.items(), strict=True):
    TrajectoryDisplay.from_network(
        both,
        kind="frequency",
        initial_state=start,
        random_state=0,
        n_steps=2000,
        step_size=0.02,
        ax=ax,
    )
    ax.set(title=name, xscale="log", yscale="log")
plt.show()
