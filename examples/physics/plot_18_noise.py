"""
Learn couplings under noise
===========================

Half of the oscillators are quiet, the other half are shaken by noise. Where should a fixed budget
of couplings go?
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from skkuranet import KuraNetSynchronizer
from skkuranet.coupling import FactorizedCoupling, couple
from skkuranet.dynamics import Kuramoto, integrate

rng = np.random.RandomState(0)


def oscillators(n):
    """Frequencies from −.5 to .5, and standard deviations of noise."""
    return np.column_stack((rng.uniform(-0.5, 0.5, n), np.where(np.arange(n) % 2, 0.8, 0.1)))


# %%
# One more column makes training noisy: trajectories have other noise every time, and gradients go
# through it. Beside it a network that sees the same columns and is trained without noise.
train = oscillators(2000)
settings = {"max_iter": 300, "random_state": 0}
trained = KuraNetSynchronizer(columns={"noise": 1}, **settings).fit(train)
quiet = KuraNetSynchronizer(**settings).fit(train)

# %%
# A thousand new oscillators, all from the same phases and with the same noise.
X = oscillators(1000)
frequency, noise = torch.as_tensor(X).float().unbind(-1)
start = torch.as_tensor(rng.uniform(0, 2 * np.pi, len(X))).float()


def by(model):
    with torch.no_grad():
        return couple(model.coupling_, torch.as_tensor(X), model.normalization_)


ones = torch.ones(len(X), 1)
couplings = {
    "all alike": FactorizedCoupling(ones / len(X), ones),
    "trained without noise": by(quiet),
    "trained under noise": by(trained),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for name, coupling in couplings.items():
    path = integrate(
        coupling,
        start,
        Kuramoto(frequency),
        noise=noise,
        generator=torch.Generator().manual_seed(0),
        n_steps=1000,
    ).numpy()
    order = path.order_parameter()
    print(f"{name:22s} R = {order[-500:].mean():.3f}")
    left.plot(path.times, order, label=name, linewidth=0.9)
    against = path.phases[-500::50] - path.mean_phase()[-500::50, None]
    right.hist(
        np.angle(np.exp(1j * against)).ravel(), bins=60, density=True, histtype="step", label=name
    )
left.set(xlabel="time", ylabel="order parameter R", ylim=(0, 1))
right.set(xlabel="phase against the mean field", ylabel="density")
left.legend(loc="lower right")
plt.show()

# %%
# Under noise, the noisy half gets about twice as much as the quiet half: what noise shakes most is
# held most. Without, couplings go by the frequency alone.
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
for ax, (name, model) in zip(axes, {"without": quiet, "under": trained}.items()):
    for strength in (0.1, 0.8):
        own = X[:, 1] == strength
        label = f"noise of {strength}"
        ax.plot(X[own, 0], model.fan_in(X)[own], ".", markersize=4, label=label)
    ax.set(title=f"trained {name} noise", xlabel="natural frequency", ylim=(0, None))
axes[0].set_ylabel("sum of couplings")
axes[1].legend()
plt.show()
