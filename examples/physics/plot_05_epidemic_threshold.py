r"""
The threshold of an epidemic
============================

Units need no phase. In an epidemic without immunity, SIS, a unit is a person, its state the chance
to be infected, and the network decides from which strength of contacts on an infection stays.
"""

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
from scipy.sparse.linalg import eigsh

from skkuranet import OscillatorNetwork
from skkuranet.inspection import NetworkDisplay, SweepDisplay, TrajectoryDisplay

# %%
# With recovery at rate 1, an infection dies out where strength times the largest eigenvalue of the
# graph is below 1 (Lajmanovich and Yorke 1976). A hub lowers the threshold for all.
graph = nx.barabasi_albert_graph(200, 2, seed=0)
(largest,) = eigsh(nx.to_scipy_sparse_array(graph, dtype=float), k=1, return_eigenvectors=False)
network = OscillatorNetwork(graph, "sis")
values = np.linspace(0.02, 0.5, 25)
many = network.replace(coupling_scale=values)
path = many.simulate(n_steps=2000, random_state=0, save_from=2000)
infected = path.states[-1].mean(-1)
display = SweepDisplay(values, infected, parameter="strength of contacts", measure="share infected")
display.plot()
display.ax_.axvline(1 / largest, color="k", linestyle="--", label="threshold 1 / λ")
display.ax_.legend()
plt.show()

# %%
# Just above the threshold, the infection lives among the hub and its neighbours.
above = network.replace(coupling_scale=1.5 / largest)
start = np.where(np.arange(200) == 150, 0.5, 0.0)
path = above.simulate(n_steps=400, initial_state=start)
figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
degree = np.array([d for _, d in graph.degree()], dtype=float)
TrajectoryDisplay(path, frequency=degree).plot(kind="raster", ax=axes[0])
axes[0].set_ylabel("people, by the number of contacts")
NetworkDisplay.from_network(above, path, ax=axes[1])
plt.show()
