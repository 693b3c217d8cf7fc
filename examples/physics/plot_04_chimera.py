r"""
Chimera states
==============

Identical oscillators, coupled alike, of which one half falls in step and the other does not.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import fsolve

from skkuranet import OscillatorNetwork
from skkuranet.inspection import PhaseDisplay, TrajectoryDisplay

# %%
# Two groups, in which couplings are stronger within than between, and a lag near a quarter turn.
# One group begins in step, the other nearly so; it does not get there (Abrams, Mirollo, Strogatz
# and Wiley 2008).
n, difference, beta = 100, 0.2, 0.1
labels = np.repeat(["first", "second"], n)
within = labels[:, None] == labels
K = np.where(within, 1 + difference, 1 - difference) / (2 * n)
network = OscillatorNetwork(K, "sakaguchi", phase_lag=np.pi / 2 - beta)
rng = np.random.default_rng(0)
start = np.concatenate((np.zeros(n), rng.vonmises(0.0, 3.0, n)))
path = network.simulate(n_steps=3000, initial_state=start)
display = TrajectoryDisplay(path, labels=labels)
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
display.plot(ax=axes[0])
display.plot(kind="raster", comoving=True, ax=axes[1])
axes[1].set_xlim(250, 300)
plt.show()

# %%
# In theory, for infinitely many, such a state rests where neither the order r of the second group
# nor its angle ψ to the first changes.
mu, nu, alpha = (1 + difference) / 2, (1 - difference) / 2, np.pi / 2 - beta


def rates(state):
    """Change of r and ψ."""
    r, psi = state
    change = (1 - r**2) / 2 * (mu * r * np.cos(alpha) + nu * np.cos(psi - alpha))
    turn = (1 + r**2) / (2 * r) * (mu * r * np.sin(alpha) - nu * np.sin(psi - alpha))
    return change, turn - mu * np.sin(alpha) - nu * r * np.sin(psi + alpha)


expected = fsolve(rates, (0.7, 0.2))[0]
measured = path.group_order(labels)[-1000:, 1].mean()
print(f"order of the second group: {measured:.3f}, theory {expected:.3f}")

# %%
# On a ring, whose couplings fall off with distance, the border lies where the ring chooses
# (Kuramoto and Battogtokh 2002, Abrams and Strogatz 2004). Seen over the ring, oscillators in step
# make a curve and the others a cloud. From some beginnings all of it falls in step.
n = 256
x = np.linspace(-np.pi, np.pi, n, endpoint=False)
ring = OscillatorNetwork(
    (1 + 0.995 * np.cos(x[:, None] - x)) / n, "sakaguchi", phase_lag=np.pi / 2 - 0.18
)
start = 6 * np.exp(-0.76 * x**2) * np.random.default_rng(0).uniform(-0.5, 0.5, n)
path = ring.simulate(n_steps=3000, initial_state=start)
pace = path.effective_frequency(window=150.0)
figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
TrajectoryDisplay(path).plot(kind="raster", comoving=True, ax=axes[0])
axes[1].plot(x, np.angle(np.exp(1j * path.phases[-1])), ".", markersize=3)
axes[1].set(xlabel="place on the ring", ylabel="phase at the end", ylim=(-np.pi, np.pi))
axes[2].plot(x, pace, ".", markersize=3)
axes[2].set(xlabel="place on the ring", ylabel="effective frequency")
plt.show()

# %%
# The same phases on the circle, in the colours of how fast they turn.
PhaseDisplay(path.phases[-1], labels=pace).plot().legend_.set_label("effective frequency")
plt.show()
