r"""
Delays and lags beside theory
=============================

Oscillators that hear one another late, or at an angle, turn at another pace than alone. Both have a
theory, and both can be swept in one call.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from skkuranet import OscillatorNetwork
from skkuranet.coupling import FactorizedCoupling

# %%
# A lag α turns what an oscillator receives, as in Sakaguchi's equation. Infinitely many oscillators
# that couple alike, with Lorentzian frequencies of width γ around 0, end at
#
# .. math::
#
#     R = \sqrt{1 - \frac{2\gamma}{K \cos\alpha}} , \qquad
#     \Omega = -\tfrac12 K (1 + R^2) \sin\alpha .
#
# A batch of lags is one number for each network.
n, width, strength = 1000, 0.2, 1.0
frequency = width * np.tan(np.pi * ((np.arange(n) + 0.5) / n - 0.5))
ones = torch.ones(n, 1, dtype=torch.float64)
alike = FactorizedCoupling(strength * ones / n, ones)
lags = np.linspace(0.0, 1.4, 15)
network = OscillatorNetwork(
    alike, "sakaguchi", frequency=frequency, phase_lag=lags[:, None], as_arrays=True
)
path = network.simulate(n_steps=2000, random_state=0, save_from=1000, save_every=5, solver="heun")
order = path.order_parameter().mean(0)
turned = path.mean_phase()
pace = (turned[-1] - turned[0]) / (path.times[-1] - path.times[0])

alpha = np.linspace(0.0, 1.4, 200)
square = np.clip(1 - 2 * width / (strength * np.cos(alpha)), 0.0, None)
theory = {
    "order parameter R": (order, np.sqrt(square)),
    "frequency Ω of the mean field": (pace, -strength * np.sin(alpha) * (1 + square) / 2),
}
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for ax, (name, (measured, expected)) in zip(axes, theory.items(), strict=True):
    locks = square > 0
    ax.plot(alpha[locks], expected[locks], "k--", label="theory, where it locks")
    shown = order > 0.15
    ax.plot(lags[shown], measured[shown], "o", label="1,000 oscillators")
    ax.plot(lags[~shown], measured[~shown], "o", color="0.7", label="incoherent")
    ax.set(xlabel="phase lag α", ylabel=name)
axes[0].legend()
plt.show()

# %%
# With a delay τ, identical oscillators in step hear their own past, so that
# :math:`\Omega = \omega - K \sin \Omega\tau`. There may be several such paces; those with
# :math:`\cos \Omega\tau > 0` are stable (Yeung and Strogatz 1999). Which of them is found depends
# on the past: here all have turned at their own pace ω before they begin to hear one another.
K, omega, n = 1.0, 1.5, 8
delays = 0.15 * np.arange(1, 61)
network = OscillatorNetwork(
    np.full((n, n), K / n), frequency=omega, delay=np.repeat(delays[:, None], n, axis=1)
)
start = np.zeros((len(delays), n)) + np.random.default_rng(0).normal(scale=0.1, size=n)
path = network.simulate(n_steps=3000, step_size=0.05, initial_state=start)
found = path.effective_frequency(window=50.0).mean(-1)
in_step = path.order_parameter()[-1] > 0.9
print(f"out of step at the end: delays of {delays[~in_step].round(2)}")

angle = np.linspace(1e-3, 20.0, 4000)
pace = omega - K * np.sin(angle)
stable = np.cos(angle) > 0
figure, ax = plt.subplots(layout="constrained")
ax.plot(angle / pace, np.where(stable, pace, np.nan), color="k", label="theory, stable")
ax.plot(angle / pace, np.where(stable, np.nan, pace), color="0.7", linestyle=":", label="unstable")
ax.plot(delays[in_step], found[in_step], "o", markersize=4, label="simulated, in step")
ax.plot(delays[~in_step], found[~in_step], "x", color="tab:red", label="simulated, out of step")
ax.set(xlabel="delay τ", ylabel="common frequency Ω", xlim=(0, delays[-1]), ylim=(0.4, 2.6))
ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
plt.show()
