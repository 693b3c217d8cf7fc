"""
Networks a thousand times larger than in training
=================================================

Couplings learned on networks of 100 oscillators work unchanged in one of 100,000.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

from skkuranet import KuraNetClusterer
from skkuranet.datasets import make_gaussian_ring
from skkuranet.metrics import cluster_synchrony_loss

rng = np.random.RandomState(0)
clusterer = KuraNetClusterer(random_state=0).fit(*make_gaussian_ring(6, 2000, random_state=rng))

# %%
# Each network is new data, starts from random phases and is integrated exactly: the couplings of
# all pairs act, in factors that are never multiplied out.
sizes = [100, 1_000, 10_000, 100_000]
figure, ax = plt.subplots(layout="constrained")
for n in sizes:
    X, y = make_gaussian_ring(6, n, random_state=rng)
    start = time.perf_counter()
    path = clusterer.simulate(X, n_steps=100, random_state=rng)
    seconds = time.perf_counter() - start
    losses = cluster_synchrony_loss(path.phases, y)
    print(f"n = {n:7,}: loss {losses[-1]:.5f} after {seconds:.2f} s")
    ax.semilogy(path.times, losses, label=f"n = {n:,}")
ax.set(xlabel="time", ylabel="cluster synchrony loss")
ax.legend()
plt.show()
