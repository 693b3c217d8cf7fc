"""
Synchronise oscillators with delays
===================================

Every oscillator is heard late: by 1.5 units of time on average, while it turns at a frequency
between 2 and 4. Which oscillators should the others listen to? (Fig. 2C of Ricci et al. 2021.)
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.exceptions import ConvergenceWarning

from skkuranet import KuraNetSynchronizer
from skkuranet.datasets import make_disorder
from skkuranet.inspection import FanInDisplay

train = make_disorder("III", 2000, random_state=0)
with warnings.catch_warnings():
    # Some of these oscillators always drift, and fit says so.
    warnings.simplefilter("ignore", ConvergenceWarning)
    synchronizer = KuraNetSynchronizer(delay=1, max_iter=400, batch_size=8, random_state=0).fit(
        train
    )

# %%
# A network of new oscillators.
X = make_disorder("III", 2000, random_state=1)
path = synchronizer.simulate(X, n_steps=1500, random_state=0)
figure, ax = plt.subplots(layout="constrained")
ax.plot(path.times, path.order_parameter())
ax.set(xlabel="time", ylabel="order parameter R", ylim=(0, 1))
plt.show()

# %%
# The fan-in over frequency and delay. What counts is the angle Ωτ by which a source is late: the
# favoured delays are those after which the common rhythm has come around once.
frequency = synchronizer.reference_frequency_
display = FanInDisplay.from_estimator(synchronizer, X, names=("frequency ω", "delay τ"), bins=25)
display.ax_.axhline(2 * 3.14159 / frequency, color="w", linestyle="--", label="one turn, 2π/Ω")
display.ax_.legend()
plt.show()

# %%
# Who drifts? Frequencies, measured over the second half.
late = synchronizer.simulate(X, n_steps=3000, save_from=1500, random_state=0)
figure, ax = plt.subplots(layout="constrained")
locked = late.locked()
for group, name in ((locked, "locked"), (~locked, "drifting")):
    ax.plot(X[group, 0], late.effective_frequency()[group], ".", label=name)
ax.set(xlabel="natural frequency", ylabel="effective frequency")
ax.legend()
plt.show()
