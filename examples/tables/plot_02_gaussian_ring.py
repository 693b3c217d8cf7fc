"""
Learned and fixed couplings on a ring of Gaussians
==================================================

Fig. 3 of Ricci et al. (2021): five Gaussians on a ring, by learned couplings and by fixed ones.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from skkuranet import KuraNetClusterer
from skkuranet.coupling import DenseCoupling
from skkuranet.datasets import make_gaussian_ring
from skkuranet.dynamics import integrate
from skkuranet.inspection import CouplingMatrixDisplay, PhaseDisplay, PhaseLandscapeDisplay
from skkuranet.metrics import cluster_synchrony_loss

X, y = make_gaussian_ring(5, 4000, random_state=0)
clusterer = KuraNetClusterer(random_state=0).fit(X[:3000], y[:3000])
X_new, y_new = X[3000:3500], y[3000:3500]

# %%
# The couplings are blocks along the classes. They fall off with the distance of the classes around
# the ring of phases and turn negative: that is what spreads the clusters evenly.
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
PhaseLandscapeDisplay.from_estimator(clusterer, X_new, y_new, ax=axes[0])
CouplingMatrixDisplay.from_estimator(clusterer, X_new, y_new, ax=axes[1])
PhaseDisplay.from_estimator(clusterer, X_new, y_new, ax=axes[2])
plt.show()

# %%
# The control has +b within and −b between the classes, with the largest coupling of the trained
# network. Its clusters are in phase inside, but where they come to rest is a matter of chance.
b = np.abs(clusterer.coupling_matrix(X_new)).max()
blocks = torch.tensor(np.where(y_new[:, None] == y_new, b, -b))
rng = np.random.RandomState(0)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for ax in axes:
    start = torch.tensor(rng.uniform(0, 2 * np.pi, len(y_new)))
    # The in-degree is n b, so steps are smaller and as many as for the trained network.
    path = integrate(DenseCoupling(blocks), start, step_size=0.2, n_steps=1000, save_from=1000)
    limit = path.phases[-1].numpy()
    PhaseDisplay(limit, labels=y_new).plot(legend=ax is axes[-1], ax=ax)
    ax.set_title(f"block control, loss {cluster_synchrony_loss(limit, y_new):.3f}")
plt.show()
print(f"trained: loss {clusterer.synchrony_loss(X_new, y_new):.5f}")
