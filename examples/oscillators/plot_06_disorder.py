"""
Synchronise oscillators that differ in frequency
================================================

A thousand oscillators with natural frequencies between −1 and 1 and couplings of mean degree 1:
which couplings hold them together? (Fig. 2A of Ricci et al. 2021.)
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from skkuranet import KuraNetSynchronizer
from skkuranet.coupling import DenseCoupling
from skkuranet.datasets import make_disorder
from skkuranet.dynamics import integrate

# %%
# Training takes networks of 100 oscillators drawn from these rows.
train = make_disorder("I", 2000, random_state=0)
synchronizer = KuraNetSynchronizer(max_iter=300, random_state=0).fit(train)

# %%
# New oscillators, from random phases: with the learned couplings, and with couplings that are all
# alike and of the same total.
X = make_disorder("I", 1000, random_state=1)
path = synchronizer.simulate(X, n_steps=400, random_state=0)
alike = torch.full((len(X), len(X)), 1.0 / len(X))
control = integrate(
    DenseCoupling(alike),
    torch.as_tensor(path.phases[0]),
    frequency=torch.as_tensor(X[:, 0]).float(),
    n_steps=400,
).numpy()
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for name, shown in {"learned": path, "all alike": control}.items():
    against = shown.phases - shown.mean_phase()[:, None]
    colour = "tab:red" if name == "learned" else "tab:blue"
    lines = left.plot(shown.times, against[:, ::25], color=colour, linewidth=0.5, alpha=0.6)
    lines[0].set_label(name)
    right.plot(shown.times, shown.order_parameter(), color=colour, label=name)
left.set(xlabel="time", ylabel="phase against the mean field", ylim=(-15, 15))
right.set(xlabel="time", ylabel="order parameter R", ylim=(0, 1))
left.legend(loc="lower left")
plt.show()

# %%
# The learned couplings join opposites: a fast oscillator and a slow one pull each other towards the
# mean. The feature correlation C_x (eq. 7) says the same in a number.
order = np.argsort(X[:, 0])[::10]
shown = synchronizer.coupling_matrix(X[order])
figure, ax = plt.subplots(layout="constrained")
image = ax.imshow(shown, extent=(-1, 1, -1, 1), origin="lower")
figure.colorbar(image, label="coupling")
ax.set(xlabel="natural frequency of the source", ylabel="natural frequency of the target")
ax.set_title(f"C_x = {synchronizer.feature_correlation(X):.2f}")
plt.show()

# %%
# A single new oscillator that is driven by the trained network locks where its frequency says, in
# closed form.
omega = np.linspace(-1, 1, 201)[:, None]
figure, ax = plt.subplots(layout="constrained")
ax.plot(omega, synchronizer.predict(omega))
ax.set(xlabel="natural frequency", ylabel="locking phase")
plt.show()
