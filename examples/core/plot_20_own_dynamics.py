"""
An equation of your own
=======================

Fireflies in ten lines: what a unit sends and how fast its state changes. Couplings learn to make
them flash together.
"""

import warnings
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from skkuranet import KuraNetSynchronizer
from skkuranet.dynamics import Dynamics


# %%
# Winfree's fireflies send a pulse when their phase passes 0, and a pulse moves each by how
# sensitive it is at its own phase. Fields that are tensors are parameters of the units; delays,
# noise, batches and all gradients come with the contract.
@dataclass(frozen=True)
class Fireflies(Dynamics):
    frequency: torch.Tensor

    def signal(self, state):
        return (1 + state.cos()).unsqueeze(-2)

    def rate(self, state, drive):
        return self.frequency - drive.squeeze(-2) * state.sin()


# %%
# Fireflies differ in their frequency. Fit learns couplings from it; the second network has those of
# a network that has learned nothing, with the same budget.
rng = np.random.default_rng(0)
X, new = (rng.uniform(0.7, 1.3, (n, 1)) for n in (500, 60))
settings = {"dynamics": Fireflies, "objective": "frequency", "average_degree": 0.5}
settings |= {"n_reference": 200, "random_state": 0}
models = {
    "untrained": KuraNetSynchronizer(max_iter=1, verbose=0, **settings),
    "trained": KuraNetSynchronizer(max_iter=400, verbose=0, **settings),
}

# %%
# Each dot is a flash of one of 60 new fireflies, the slowest at the bottom.
order = np.argsort(new[:, 0])
figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True, layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    with warnings.catch_warnings():
        # Of the untrained, none fall in step, and fit says so.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X)
    path = model.simulate(new, n_steps=1200, random_state=1)
    turns = np.floor(path.phases[:, order] / (2 * np.pi))
    step, firefly = np.nonzero(np.diff(turns, axis=0) > 0)
    ax.plot(path.times[step], firefly, ".", markersize=2, color="tab:orange")
    spread = np.std(np.diff(path.phases[-400:], axis=0).mean(axis=0) / model.step_size)
    ax.set(title=f"{name}: frequencies differ by {spread:.3f}", xlabel="time")
axes[0].set_ylabel("firefly, by its frequency")
plt.show()
