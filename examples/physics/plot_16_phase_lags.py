r"""
Learn couplings under phase lags
================================

Oscillators that pull at an angle, :math:`\sin(\theta_j - \theta_i - \alpha_i)`, have a frequency of
their own even where all phases agree: whatever pulls at them also turns them. Which couplings hold
them together, where lags α and frequencies ω all differ?
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from skkuranet import KuraNetSynchronizer
from skkuranet.coupling import FactorizedCoupling, couple
from skkuranet.dynamics import Sakaguchi, integrate

rng = np.random.RandomState(0)


def oscillators(n):
    """Frequencies from −.5 to .5 and lags from −1 to 1."""
    return np.column_stack((rng.uniform(-0.5, 0.5, n), rng.uniform(-1.0, 1.0, n)))


# %%
# The estimator is told which equation moves the oscillators, and which column holds the lags.
# Beside it one that sees the same columns, and takes the equation to be Kuramoto's.
train = oscillators(2000)
settings = {"max_iter": 300, "random_state": 0}
trained = KuraNetSynchronizer(dynamics="sakaguchi", columns={"phase_lag": 1}, **settings).fit(train)
blind = KuraNetSynchronizer(**settings).fit(train)

# %%
# A thousand new oscillators under three kinds of couplings of mean degree 1. The core integrates
# couplings of any origin.
X = oscillators(1000)
frequency, phase_lag = torch.as_tensor(X).float().unbind(-1)
start = torch.as_tensor(rng.uniform(0, 2 * np.pi, len(X))).float()


def by(model):
    with torch.no_grad():
        return couple(model.coupling_, torch.as_tensor(X), model.normalization_)


ones = torch.ones(len(X), 1)
couplings = {
    "all alike": FactorizedCoupling(ones / len(X), ones),
    "trained without lags": by(blind),
    "trained with lags": by(trained),
}
figure, ax = plt.subplots(layout="constrained")
for name, coupling in couplings.items():
    path = integrate(coupling, start, Sakaguchi(frequency, phase_lag=phase_lag), n_steps=1000)
    order = path.order_parameter()
    print(f"{name:22s} R = {float(order[-200:].mean()):.3f}")
    ax.plot(path.times, order, label=name)
ax.set(xlabel="time", ylabel="order parameter R", ylim=(0, 1))
ax.legend()
plt.show()

# %%
# In step, an oscillator turns at ω − d sin α, with d the sum of its couplings. Where frequency and
# lag agree in sign, a small d holds it; where they differ, both drive it away, and it gets the
# most. Partners have opposite lags and opposite frequencies, as the means of oscillators in bins
# show.
figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
fan_in = trained.fan_in(X)
dots = axes[0].scatter(*X.T, 8, fan_in, vmax=np.quantile(fan_in, 0.98))
axes[0].set(xlabel="frequency ω", ylabel="phase lag α", title="sum of couplings")
figure.colorbar(dots, ax=axes[0])
K = trained.coupling_matrix(X)
for ax, column, name in ((axes[1], 1, "phase lag"), (axes[2], 0, "frequency")):
    order = np.argsort(X[:, column])
    binned = K[order][:, order].reshape(20, 50, 20, 50).sum((1, 3)) / 50
    end = np.abs(X[:, column]).max()
    image = ax.imshow(binned, extent=(-end, end, -end, end), origin="lower")
    figure.colorbar(image, ax=ax)
    ax.set(xlabel=f"{name} of the source", ylabel=f"{name} of the target", title="coupling")
plt.show()
