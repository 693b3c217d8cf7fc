"""
Clusters never seen
===================

Couplings learned on some digits group the images of others.
"""

import matplotlib.pyplot as plt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

from skkuranet import KuraNetClusterer
from skkuranet.inspection import PhaseDisplay

X, y = load_digits(return_X_y=True)
seen = y < 7
clusterer = KuraNetClusterer(random_state=0).fit(X[seen], y[seen])

# %%
# No image of a 7, 8 or 9 was in the training. Their network runs from random phases, and k-means
# reads three clusters off the phases.
X_new, y_new = X[~seen], y[~seen]
labels = clusterer.cluster(X_new, n_clusters=3, random_state=0)
raw = KMeans(3, n_init=10, random_state=0).fit_predict(X_new)
print(f"adjusted Rand index: {adjusted_rand_score(y_new, labels):.3f}")
print(f"k-means on the pixels: {adjusted_rand_score(y_new, raw):.3f}")

display = PhaseDisplay.from_estimator(clusterer, X_new, y_new, random_state=0)
display.ax_.legend()
plt.show()
