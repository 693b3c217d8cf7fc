"""
Classes never seen
==================

Learn from some digits what makes two images alike, and find the others, which training had none
of, and how many they are. With ``groups="unseen"`` couplings run between neighbours alone, and what
they learn of an edge names no class: how far apart its ends are for their surroundings, how they
rank among one another's neighbours, how many they share. The metrics in which that is measured come
from the classes of training as well: they shrink what varies within them, here 20 columns of noise.
:ref:`Where this helps, and what does as well, was measured <unseen>`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from skkuranet import KuraNetClusterer

images, y = load_digits(return_X_y=True)
rng = np.random.RandomState(0)
X = np.column_stack((images / 16.0, rng.normal(0.0, 0.8, (len(images), 20))))
new = np.isin(y, (7, 8, 9))

clusterer = KuraNetClusterer(groups="unseen", random_state=0, verbose=0)
clusterer = clusterer.fit(X[~new], y[~new])

# %%
# Nobody says how many groups there are. Rows are vectors on a sphere of 16 dimensions, and those of
# a group come to point the same way; k-means, which is told the number, sees the noise as well.
found = clusterer.cluster(X[new])
kmeans = KMeans(3, n_init=10, random_state=0).fit_predict(X[new])
scores = [adjusted_rand_score(y[new], labels) for labels in (found, kmeans)]
print(f"{found.max() + 1} groups, adjusted Rand index {scores[0]:.2f}; k-means {scores[1]:.2f}")

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
views = {
    "rows, as they are": PCA(2).fit_transform(X[new]),
    "vectors at the end": PCA(2).fit_transform(clusterer.transform(X[new])),
}
for axis, (title, points) in zip(axes, views.items(), strict=True):
    for digit in np.unique(y[new]):
        axis.scatter(*points[y[new] == digit].T, s=8, label=f"{digit}")
    axis.set_title(f"{title} (two principal components)")
axes[0].legend(title="digit, never seen")

# %%
# Some members of each group, in its rows.
figure, axes = plt.subplots(found.max() + 1, 12, figsize=(9, 3), layout="constrained")
for group, row in enumerate(np.atleast_2d(axes)):
    members = images[new][found == group]
    for axis, member in zip(row, members[: len(row)], strict=False):
        axis.imshow(member.reshape(8, 8), cmap="gray_r")
    for axis in row:
        axis.set_axis_off()
plt.show()
