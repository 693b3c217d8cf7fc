"""
Couplings along a graph
=======================

Where only neighbours can couple, how should a fixed budget be spread over the edges? A lattice,
and a scale-free graph.
"""

import warnings

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
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
    return integrate(coupling, torch.as_tensor(start), frequency=omega, n_steps=5000).numpy()


degree, models = 3.0, {}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharey=True)
for ax, (name, graph) in zip(axes, graphs.items(), strict=True):
    neighbours = np.diff(graph.tocsr().indptr)
    X = np.column_stack((rng.uniform(-1, 1, side**2), neighbours))
    model = KuraNetSynchronizer(
        connectivity=graph, average_degree=degree, max_iter=300, batch_size=4, random_state=0
    )
    with warnings.catch_warnings():
        # A few nodes of the lattice always drift, and fit says so.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X)
    models[name] = model, X
    # Graphs have many states at rest: five starts tell more than one.
    learned = [model.simulate(X, random_state=start) for start in range(5)]
    alike = [control(graph, X[:, 0], degree, path.phases[0]) for path in learned]
    for color, label, paths in (("C0", "learned", learned), ("C1", "uniform", alike)):
        late = [path.order_parameter()[-200:].mean() for path in paths]
        print(f"{name:12s}{label:10s}R = {np.mean(late):.3f}, from {min(late):.3f}")
        order = np.column_stack([path.order_parameter() for path in paths])
        names = [f"{label}, R = {np.mean(late):.2f}"] + [None] * (len(paths) - 1)
        ax.plot(paths[0].times, order, color=color, linewidth=0.8, label=names)
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
