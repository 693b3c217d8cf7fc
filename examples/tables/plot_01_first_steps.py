"""
First steps: two moons
======================

Oscillators that learn to tell two moons apart.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_moons

from skkuranet import KuraNetClusterer
from skkuranet.inspection import PhaseDisplay, PhaseLandscapeDisplay

# %%
# Every row is an oscillator. Fitting learns how strongly any two of them act on each other, so that
# each moon ends up in phase and the moons in opposite phases.
X, y = make_moons(2000, noise=0.05, random_state=0)
clusterer = KuraNetClusterer(random_state=0).fit(X[:1000], y[:1000])
print(f"accuracy on new rows: {clusterer.score(X[1000:], y[1000:]):.4f}")

# %%
# The new rows also make a network of their own, ten times as large as those of the training. From
# random phases, its mutual dynamics end in two clusters. The colour of the plane is the phase at
# which a new oscillator with these features locks to the training rows.
path = clusterer.simulate(X[1000:], random_state=1)
figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
PhaseDisplay(path.phases[0], labels=y[1000:]).plot(legend=False, ax=axes[0])
PhaseDisplay(path.phases[-1], labels=y[1000:]).plot(ax=axes[1])
PhaseLandscapeDisplay.from_estimator(clusterer, X[1000:1200], y[1000:1200], ax=axes[2])
axes[0].set_title("random phases")
axes[1].set_title(f"after {path.times[-1]:.0f} units of time")
axes[2].set_title("phase that a new point locks to")
plt.show()
