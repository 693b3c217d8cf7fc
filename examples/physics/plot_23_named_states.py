"""
Name the state of a network
===========================

Synchrony, clusters, splay, twisted and chimera states, incoherence, or something in between: which
of them is a network in?
"""

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np

from skkuranet import OscillatorNetwork
from skkuranet.analysis import describe_state
from skkuranet.inspection import PhaseDisplay
from skkuranet.metrics import order_parameter, splay_order, winding_number

n = 60
rng = np.random.default_rng(0)
everyone = np.full((n, n), 1.0 / n)
halves = np.repeat(["first", "second"], n // 2)
populations = np.where(halves[:, None] == halves, 1.2, 0.8) / n
thirds = np.repeat([0, 1, 2], n // 3)
repelling = np.where(thirds[:, None] == thirds, 1.0, -1.0) / n
frequency = rng.normal(size=n)
around = 2 * np.pi * np.arange(n) / n
nearly = np.where(halves == "first", 0.0, rng.vonmises(0.0, 3.0, n))

# %%
# Networks, and where each begins: identical oscillators that attract one another; three groups that
# repel one another; a second harmonic, under which two opposite phases are as good as one; a ring;
# two populations with a lag near a quarter turn; and oscillators of different frequencies.
anywhere = rng.uniform(0.0, 2.0 * np.pi, n)
cases = [
    (OscillatorNetwork(everyone), anywhere, {}),
    (OscillatorNetwork(repelling), anywhere, {}),
    (OscillatorNetwork(everyone, "daido", second=2.0), anywhere / 1.5, {}),
    (OscillatorNetwork(nx.cycle_graph(n)), 2 * around + 0.3 * np.sin(around), {"ring": True}),
    (
        OscillatorNetwork(populations, "sakaguchi", phase_lag=np.pi / 2 - 0.1),
        nearly,
        {"labels": halves},
    ),
    (OscillatorNetwork(0.2 * everyone, frequency=frequency), anywhere, {}),
    (OscillatorNetwork(2.0 * everyone, frequency=frequency), anywhere, {}),
    (OscillatorNetwork(1.7 * everyone, frequency=np.linspace(-1.0, 1.0, n)), anywhere, {}),
]
figure, axes = plt.subplots(2, 4, figsize=(13, 6.6), layout="constrained")
for ax, (network, start, known) in zip(axes.flat, cases):
    path = network.simulate(n_steps=3000, save_from=2000, initial_state=start)
    state = describe_state(path, **known)
    display = PhaseDisplay(path.phases[-1], labels=known.get("labels"))
    display.plot(ax=ax, legend=False, s=25, alpha=0.6)
    ax.set_title(repr(state).replace(", ", "\n", 1), fontsize=10)
plt.show()

# %%
# A name follows from measures, by rules that :func:`skkuranet.analysis.describe_state` lists; all
# thresholds are arguments. The measures come along, and stand in :mod:`skkuranet.metrics` by
# themselves.
network, start, known = cases[3]
path = network.simulate(n_steps=3000, save_from=2000, initial_state=start)
state = describe_state(path, ring=True)
print(f"{state.winding_number=}, {state.twist_order=:.2f}, {state.entrained_share=:.2f}")
print("winding number:", winding_number(path.phases[-1]))
network, start, known = cases[1]
phases = network.simulate(n_steps=3000, initial_state=start).phases[-1]
for k in (1, 2, 3):
    print(f"k = {k}: moment {order_parameter(phases, harmonic=k):.2f}", end="")
    print(f", splay order {splay_order(phases, k):.2f}" if k > 1 else "")

# %%
# On the way to synchrony, names follow one another as coupling grows. Where the name is "partial",
# the share that turns alike says how far it has come; where all do, but not in step, the state is
# locked.
for strength in (0.5, 1.5, 2.0, 2.8, 5.0):
    network = OscillatorNetwork(strength * everyone, frequency=frequency)
    path = network.simulate(n_steps=3000, save_from=2000, initial_state=anywhere)
    print(f"coupling {strength:3.1f}: {describe_state(path)}")
