"""
My images
=========

Masks from a painting tool, the next images of a series, probabilities and objects, and a volume.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.segmentation import mark_boundaries

from skkuranet import KuraNetSegmenter
from skkuranet.inspection import SegmentationDisplay

folder = Path(tempfile.mkdtemp())

# %%
# A mask from a painting tool
# ---------------------------
# Paint on a copy of the image, or on a layer above it, and save that as PNG: one number for the
# background, another for coins, and 0 where nothing is painted. Here Pillow paints ten strokes.
photograph = data.coins()
Image.fromarray(photograph).save(folder / "coins.png")
painted = Image.new("L", photograph.shape[::-1])
brush = ImageDraw.Draw(painted)
background = [(10, 10, 370, 10), (10, 150, 12, 290), (90, 85, 300, 85), (60, 223, 330, 223)]
for stroke in [*background, (20, 295, 360, 295)]:
    brush.line(stroke, fill=1, width=2)
coins = [(40, 45, 60, 45), (90, 120, 110, 120), (320, 45, 350, 60), (270, 180, 285, 180)]
for stroke in [*coins, (350, 250, 370, 260)]:
    brush.line(stroke, fill=2, width=2)
painted.save(folder / "strokes.png")

segmenter = KuraNetSegmenter("multiscale", random_state=0, unlabeled=0)
segmenter.fit(folder / "coins.png", folder / "strokes.png")

# %%
# Beside the segments, margins show where they are in doubt: how much likelier the segment of a
# pixel is than the other, of ``predict_proba``.
SegmentationDisplay.from_estimator(
    segmenter, folder / "coins.png", folder / "strokes.png", margins=True
)
plt.show()

# %%
# Objects
# -------
# ``instances`` numbers them, and parts those that touch. Here it finds the coins; everything that
# scikit-image measures of objects can follow.
objects = segmenter.instances(folder / "coins.png")
figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
ax.imshow(mark_boundaries(photograph, objects, color=(1.0, 0.8, 0.0), mode="thick"))
ax.set(title=f"{objects.max()} objects", xticks=[], yticks=[])
plt.show()

# %%
# A series
# --------
# What was labelled in one image is looked for in others by colour and texture alone: that coins lay
# here or there in the first one says nothing of the next (``place="auto"``). A folder of files does
# not have to fit in memory: paths are read one by one, and a generator is answered by one.
for number, turned in enumerate((photograph[::-1], photograph[:, ::-1], photograph.T)):
    darker = (0.9 * turned).astype(np.uint8)
    Image.fromarray(darker).save(folder / f"next_{number}.png")
found = segmenter.predict(sorted(folder.glob("next_*.png")))
figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
for ax, labels in zip(axes, found, strict=True):
    ax.imshow(labels, cmap="gray")
    ax.set_axis_off()
plt.show()

# %%
# A volume
# --------
# ``spatial_dims=3`` says that arrays are (plane, row, column). Strokes in two planes are enough for
# these made cells; planes in between follow.
rng = np.random.RandomState(0)
planes, rows, columns = np.mgrid[:24, :80, :100]
cells = np.zeros(planes.shape, dtype=bool)
for centre in ((8, 20, 20), (14, 25, 34), (10, 55, 30), (12, 40, 75), (16, 60, 72)):
    away = np.stack((planes, rows, columns), axis=-1) - centre
    cells |= (away**2).sum(axis=-1) < 81
volume = gaussian_filter(0.2 + 0.5 * cells, 1) + rng.normal(0.0, 0.08, cells.shape)
strokes = np.full(volume.shape, -1)
strokes[10, 55, 24:36], strokes[12, 36:44, 75] = 1, 1
strokes[10, 5, 5:95], strokes[12, 75, 5:95], strokes[3, 10:70, 50] = 0, 0, 0

segmenter = KuraNetSegmenter("multiscale", spatial_dims=3, random_state=0)
numbers = segmenter.fit(volume, strokes).instances(volume)
figure, axes = plt.subplots(2, 3, figsize=(9, 5), layout="constrained")
for plane, (above, below) in zip((6, 12, 18), axes.T, strict=True):
    above.imshow(volume[plane], cmap="gray")
    above.set(title=f"plane {plane}", xticks=[], yticks=[])
    below.imshow(
        np.ma.masked_equal(numbers[plane], 0), cmap="tab10", vmin=1, vmax=10, interpolation="none"
    )
    below.set(xticks=[], yticks=[])
figure.suptitle(f"{numbers.max()} cells")
plt.show()
