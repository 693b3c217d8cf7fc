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
from skkuranet.coupling import FactorizedCoupling
from skkuranet.inspection import SweepDisplay, TrajectoryDisplay

# %%
# At once: values make a batch, whose networks are integrated together. A thousand oscillators that
# all couple alike have a matrix of rank 1, so that products take next to no time. Of frequencies
# that are Lorentzian with width γ, theory says :math:`R = \sqrt{1 - 2 \gamma / K}` above
# :math:`K_c = 2 \gamma`, for infinitely many. The band is the fluctuation through time.
n, width = 1000, 0.5
frequency = width * np.tan(np.pi * ((np.arange(n) + 0.5) / n - 0.5))
ones = torch.ones(n, 1, dtype=torch.float64)
network = OscillatorNetwork(FactorizedCoupling(ones / n, ones), frequency=frequency, as_arrays=True)
values = np.linspace(0.2, 3.0, 15)
many = network.replace(coupling_scale=values)
path = many.simulate(n_steps=1200, random_state=0, save_from=600, save_every=5, solver="heun")
order = path.order_parameter()
display = SweepDisplay(values, order.mean(0), spread=order.std(0), parameter="coupling K")
display.plot(label="1,000 oscillators")
above = np.linspace(2 * width, values[-1], 200)
display.ax_.plot(above, np.sqrt(1 - 2 * width / above), "k--", label="theory", zorder=3)
display.ax_.legend()
plt.show()

# %%
# One after the other: the state at one value starts the next. Where hubs are fast, a scale-free
# network locks all of a sudden, and stays locked far below (Gómez-Gardeñes et al. 2011).
graph = nx.barabasi_albert_graph(300, 3, seed=1)
degree = np.array([d for _, d in graph.degree()], dtype=float)
network = OscillatorNetwork(graph, frequency=degree)
values = np.linspace(1.1, 1.6, 21)
settings = {"n_steps": 1000, "step_size": 0.02, "save_from": 500, "save_every": 5}


def walk(values):
    """Mean order parameters and their fluctuations, as the strength goes through the values."""
    state, found = None, []
    for value in values:
        path = network.replace(coupling_scale=value).simulate(
            initial_state=state, random_state=0, **settings
        )
        state, order = path.states[-1], path.order_parameter()
        found.append((order.mean(), order.std()))
    return np.transpose(found)


up, up_spread = walk(values)
down, down_spread = walk(values[::-1])[:, ::-1]
SweepDisplay(
    values, up, down, spread=[up_spread, down_spread], parameter="coupling strength"
).plot()
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
