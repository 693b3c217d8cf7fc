"""
Segment images never seen
=========================

Labels that mean nothing beyond their image still say which of its pixels belong together. Learn
from those whether two pixels ought to attract or to repel each other, and let the pixels of a new
image find their segments among themselves: here materials that training has never shown. For
photographs, whose segments are more than materials, ``groups="unseen"`` does much better
(:ref:`unseen-images`); it learns from many of them.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from skimage.color import gray2rgb
from sklearn.metrics import adjusted_rand_score

from skkuranet import KuraNetSegmenter

SIZE = 96, 144


def mosaic(photographs, rng):
    """Three tiles, cut from photographs at random places, with borders at random."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    sites = rng.uniform(0.1, 0.9, (3, 2)) * SIZE
    mask = np.hypot(rows[..., None] - sites[:, 0], columns[..., None] - sites[:, 1]).argmin(-1)
    image = np.empty((*SIZE, 3), dtype=np.uint8)
    for label, photograph in enumerate(rng.permutation(len(photographs))[:3]):
        whole = photographs[photograph]
        top, left = (rng.randint(n - size) for n, size in zip(whole.shape, SIZE, strict=False))
        image[mask == label] = whole[top : top + SIZE[0], left : left + SIZE[1]][mask == label]
    return image, mask


# %%
# Mosaics for training, and others of materials that are in none of those.
known = [gray2rgb(data.brick()), gray2rgb(data.grass()), data.coffee(), data.astronaut()]
new = [gray2rgb(data.gravel()), data.chelsea(), data.immunohistochemistry()]
rng = np.random.RandomState(0)
images, masks = zip(*[mosaic(known, rng) for _ in range(60)], strict=True)

segmenter = KuraNetSegmenter("multiscale", n_segments=3, max_iter=400, random_state=0)
segmenter.fit(list(images), list(masks))

# %%
# Every pixel of a new image starts at a random phase; k-means on the phases at the limit makes
# segments, which have no names. Fur and stained tissue are much alike to these couplings; asked for
# three segments, k-means then splits what hardly differs.
figure, axes = plt.subplots(4, 3, figsize=(8, 8), layout="constrained")
for row in axes:
    image, mask = mosaic(new, rng)
    found = segmenter.predict(image)
    index = adjusted_rand_score(mask.ravel(), found.ravel())
    row[0].imshow(image)
    phases = segmenter.transform(image)
    row[1].imshow(phases, cmap="twilight", vmin=-np.pi, vmax=np.pi, interpolation="none")
    row[2].imshow(found, cmap="viridis")
    row[2].set_title(f"adjusted Rand index {index:.2f}")
    for axis in row:
        axis.set_axis_off()
axes[0, 0].set_title("never seen")
axes[0, 1].set_title("phases at the limit")
plt.show()
