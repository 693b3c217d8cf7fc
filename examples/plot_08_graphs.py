"""
Couplings along a graph
=======================

Where only neighbours can couple, how should a fixed budget be spread over the edges? A lattice,
and a scale-free graph.
"""

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch
from sklearn.feature_extraction.image import grid_to_graph

from skkuranet import KuraNetSynchronizer
from skkuranet.coupling import SparseCoupling
from skkuranet.dynamics import integrate

rng = np.random.RandomState(0)
side = 12
graphs = {
    "lattice": grid_to_graph(side, side),
    "scale-free": nx.to_scipy_sparse_array(nx.barabasi_albert_graph(side**2, 2, seed=0)),
}

# %%
# The natural frequency of each node and the number of its neighbours are what the coupling network
# sees. Uniform weights of the same total are the control.


def control(graph, frequency, degree, start):
    edges = graph.tocoo()
    away = edges.row != edges.col
    ends = (torch.as_tensor(e[away]).long() for e in (edges.row, edges.col))
    share = torch.full((np.count_nonzero(away),), degree * len(frequency) / np.count_nonzero(away))
    coupling = SparseCoupling(*ends, share, (len(frequency),) * 2)
    omega = torch.as_tensor(frequency).float()
    return integrate(coupling, torch.as_tensor(start), frequency=omega, n_steps=3000).numpy()


degree, models = 6.0, {}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharey=True)
for ax, (name, graph) in zip(axes, graphs.items(), strict=True):
    neighbours = np.diff(graph.tocsr().indptr)
    X = np.column_stack((rng.uniform(-1, 1, side**2), neighbours))
    model = KuraNetSynchronizer(
        connectivity=graph, average_degree=degree, max_iter=300, batch_size=4, random_state=0
    ).fit(X)
    models[name] = model, X
    path = model.simulate(X, n_steps=3000)
    alike = control(graph, X[:, 0], degree, path.phases[0])
    for label, shown in {"learned": path, "uniform": alike}.items():
        late = shown.order_parameter()[-200:].mean()
        print(f"{name:12s}{label:10s}R = {late:.3f}")
        ax.plot(shown.times, shown.order_parameter(), label=f"{label}, R = {late:.2f}")
    ax.set(title=name, xlabel="time", ylabel="order parameter R", ylim=(0, 1))
    ax.legend()
plt.show()

# %%
# On the lattice: the learned coupling of the nodes, as the sum over their edges, beside their
# frequencies. Frequent disagreement with the neighbours needs a strong hold.
model, X = models["lattice"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for ax, values, title in zip(
    axes, (X[:, 0], model.fan_in(X)), ("natural frequency", "sum of couplings"), strict=True
):
    figure.colorbar(ax.imshow(values.reshape(side, side)), ax=ax)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
