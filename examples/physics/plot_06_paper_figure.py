r"""
A figure for a paper
====================

Four panels in fifteen lines: in the width of two columns, with vectors for lines and pixels for
rasters, and written to PDF.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np

from skkuranet import OscillatorNetwork
from skkuranet.inspection import NetworkDisplay, SweepDisplay, TrajectoryDisplay

# %%
# A small world and its sweep, as in the pages before.
rng = np.random.default_rng(0)
frequency = rng.normal(scale=0.5, size=60)
graph = nx.connected_watts_strogatz_graph(60, 6, 0.2, seed=0)
network = OscillatorNetwork(graph, frequency=frequency, coupling_scale=0.25)
values = np.linspace(0.0, 0.8, 17)
sweep = network.replace(coupling_scale=values).simulate(n_steps=1500, random_state=0, save_from=500)
path = network.simulate(n_steps=600, random_state=0)

# %%
# The figure itself. Displays take axes, and what they draw can be changed: labels, limits, colours.
file = Path(tempfile.mkdtemp()) / "figure.pdf"
plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
figure, axes = plt.subplots(2, 2, figsize=(7.0, 4.8), layout="constrained")
NetworkDisplay.from_network(network, ax=axes[0, 0])
order = sweep.order_parameter()
SweepDisplay(values, order.mean(0), spread=order.std(0), parameter="coupling strength").plot(
    ax=axes[0, 1]
)
display = TrajectoryDisplay(path, frequency=frequency)
display.plot(kind="raster", comoving=True, ax=axes[1, 0])
display.plot(kind="frequency", ax=axes[1, 1])
axes[1, 0].set_ylabel("oscillators, by frequency")
axes[1, 1].legend(loc="lower right", frameon=False)
for ax, letter in zip(axes.flat, "abcd", strict=True):
    ax.set_title(letter, loc="left", fontweight="bold")
figure.savefig(file, dpi=300)
plt.show()
