"""
Simulate a measured matrix
==========================

Couplings and frequencies are enough: who falls in step with whom, and when?
"""

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np

from skkuranet import OscillatorNetwork
from skkuranet.inspection import NetworkDisplay, TrajectoryDisplay

# %%
# How often 77 characters of Les Misérables share a scene, as a data frame with their names. An
# array, a sparse matrix, a tensor or the graph itself do as well.
graph = nx.les_miserables_graph()
K = nx.to_pandas_adjacency(graph)
frequency = np.random.default_rng(0).normal(scale=0.6, size=len(K))
network = OscillatorNetwork(0.1 * K, frequency=frequency)
print(network)

# %%
# A trajectory answers in numbers, and writes itself to files and data frames.
path = network.simulate(n_steps=1000, step_size=0.05, random_state=0)
print(path)
print(path.to_dataframe().iloc[-3:, :4].round(2))

# %%
# Communities of the graph are labels here: the order parameter is that of each of them and of all,
# and rows of the raster are sorted by them. The mean field turns, so phases are shown against it.
communities = nx.community.greedy_modularity_communities(graph, weight="weight")
member = {name: f"group {number}" for number, own in enumerate(communities) for name in own}
labels = [member[name] for name in K.index]
display = TrajectoryDisplay(path, frequency=frequency, labels=labels)
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
display.plot(ax=axes[0])
display.plot(kind="raster", comoving=True, ax=axes[1])
plt.show()

# %%
# Those who meet few others keep their own pace. On the left, a straight line is that of oscillators
# without couplings; on the right, phases at the end on the graph.
figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
TrajectoryDisplay(path, frequency=frequency).plot(kind="frequency", ax=axes[0])
NetworkDisplay.from_network(network, path, ax=axes[1])
plt.show()
