"""
Design a network
================

Fifty oscillators stand on a graph whose lines have been measured. May the same total of capacity be
spread better? And what is left of a design once lines fail?
"""

import warnings

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from skkuranet import KuraNetSynchronizer, OscillatorNetwork

n, degree = 50, 3.0
rng = np.random.RandomState(0)
graph = nx.connected_watts_strogatz_graph(n, 4, 0.2, seed=0)
frequency = rng.normal(size=n)
for ends in graph.edges:
    graph.edges[ends]["weight"] = rng.lognormal()


def within_budget(matrix):
    """The same shares of a fixed total: couplings of a node sum up to 3 on average."""
    return sp.csr_array(matrix * (degree * n / matrix.sum()))


measured = within_budget(nx.to_scipy_sparse_array(graph))
uniform = within_budget(nx.to_scipy_sparse_array(graph, weight=None))

# %%
# The coupling network sees the frequency of a node and how many neighbours it has. On one graph it
# may know more: with ``node_identity=True`` it also sees which node it looks at, so that the
# capacity of each line can be chosen for its place in the graph. That design is for these nodes
# alone: rows that were not in fit are refused.
#
# Lines fail. ``connectivity`` may be a callable, which is asked for every network that training
# draws; one that drops a tenth of the lines at random makes the design one for such graphs.
lines = np.array(graph.edges)


def failing(X):
    """The graph without some of its lines."""
    kept = lines[rng.uniform(size=len(lines)) > 0.1]
    return sp.coo_array((np.ones(len(kept)), tuple(kept.T)), shape=(n, n))


X = np.column_stack((frequency, [neighbours for _, neighbours in graph.degree]))
couplings = {"measured": measured, "uniform": uniform}
for name, identity, connectivity in (
    ("learned", False, uniform),
    ("learned, node identity", True, uniform),
    ("learned for failures", True, failing),
):
    model = KuraNetSynchronizer(
        connectivity=connectivity,
        average_degree=degree,
        node_identity=identity,
        coupling="pairwise",
        network_size=n,
        max_iter=200,
        batch_size=4,
        random_state=0,
    )
    with warnings.catch_warnings():
        # A few nodes drift at so small a budget, and failures part some graphs.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="connectivity falls into")
        model.fit(X)
    couplings[name] = sp.csr_array(model.coupling_matrix(X, connectivity=uniform))

# %%
# All from the same eight random starts.
starts = rng.uniform(0.0, 2.0 * np.pi, (8, n))


def simulated(K):
    """Trajectory of eight networks."""
    network = OscillatorNetwork(K, frequency=frequency)
    return network.simulate(n_steps=2000, step_size=0.1, initial_state=starts)


def late(path):
    """Order parameter R at the end, over all starts."""
    return path.order_parameter()[-200:].mean()


paths = {name: simulated(K) for name, K in couplings.items()}
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for number, (name, path) in enumerate(paths.items()):
    order = path.order_parameter()
    print(f"{name:24s}R = {late(path):.2f}")
    ax.plot(path.times, order, color=f"C{number}", linewidth=0.5, alpha=0.4)
    ax.plot(path.times, order.mean(1), color=f"C{number}", label=f"{name}, R = {late(path):.2f}")
ax.set(xlabel="time", ylabel="order parameter R", xlim=(0, 200), ylim=(0, 1))
ax.legend(loc="lower right")
plt.show()

# %%
# Where capacity goes: widths are couplings, colours natural frequencies. The learned design takes
# lines out of use, and holds fast what differs.
places = nx.kamada_kawai_layout(graph, weight=None)
figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
for ax, name in zip(axes, ("measured", "learned, node identity")):
    widths = [1.2 * couplings[name][i, j] for i, j in graph.edges]
    nx.draw_networkx_edges(graph, places, ax=ax, width=widths)
    nodes = nx.draw_networkx_nodes(
        graph, places, ax=ax, node_size=60, node_color=frequency, cmap="coolwarm", edgecolors="0.3"
    )
    ax.set(title=name)
    ax.axis("off")
figure.colorbar(nodes, ax=axes, label="natural frequency", shrink=0.8)
plt.show()

# %%
# What a fault leaves: a tenth of all lines fails, drawn at random or those that carry most. What
# was learned for the whole graph has few strong lines, and pays for it.


def without(K, ranked):
    """Couplings without the first tenth of a ranking of lines."""
    kept = K.tolil()
    for i, j in ranked[: len(lines) // 10]:
        kept[i, j] = kept[j, i] = 0.0
    return sp.csr_array(kept)


draws = [lines[rng.permutation(len(lines))] for _ in range(6)]
print(f"{'R':24s}{'whole':>8s}{'random':>8s}{'loaded':>8s}")
for name, K in couplings.items():
    last = paths[name].phases[-1]
    flow = np.abs(np.sin(last[:, lines[:, 0]] - last[:, lines[:, 1]])).mean(0)
    most_loaded = lines[np.argsort(-flow * K[lines[:, 0], lines[:, 1]])]
    ranked = [draws, [most_loaded]]
    left = [np.mean([late(simulated(without(K, r))) for r in group]) for group in ranked]
    print(f"{name:24s}{late(paths[name]):8.2f}" + "".join(f"{R:8.2f}" for R in left))
