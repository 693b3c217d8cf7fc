"""
Couplings join unlike frequencies
=================================

The more couplings join oscillators of unlike frequency, the better they synchronise (Fig. 2B of
Ricci et al. 2021): circular variance against the feature correlation C_x of networks at several
stages of training.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skkuranet import KuraNetSynchronizer
from skkuranet.datasets import make_disorder

train = make_disorder("I", 2000, random_state=0)
test = make_disorder("I", 2000, random_state=1).reshape(20, 100, 1)

figure, ax = plt.subplots(layout="constrained")
correlation, variance = [], []
for stage in (1, 10, 20, 40, 80, 160):
    with warnings.catch_warnings():
        # Early stages do not synchronise, which is the point.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KuraNetSynchronizer(max_iter=stage, batch_size=4, random_state=0).fit(train)
    correlation += [model.feature_correlation(X) for X in test]
    variance += [
        1.0 - model.simulate(X, n_steps=1500, save_from=1300).order_parameter().mean() for X in test
    ]
    ax.scatter(correlation[-len(test) :], variance[-len(test) :], s=12, label=f"{stage} iterations")
squared = np.corrcoef(correlation, variance)[0, 1] ** 2
ax.set(xlabel="feature correlation C_x", ylabel="circular variance V", title=f"r² = {squared:.2f}")
ax.legend()
plt.show()
