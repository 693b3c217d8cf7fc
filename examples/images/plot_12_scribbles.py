"""
Segment an image from scribbles
===============================

Label a few strokes of pixels by hand, and let the rest of the image follow. Every pixel is an
oscillator; the scribbled ones teach a network how strongly any two pixels ought to be coupled.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from skimage.draw import line

from skkuranet import KuraNetSegmenter
from skkuranet.inspection import SegmentationDisplay

image = data.coffee()

# %%
# Strokes from pixel to pixel, as (row, column), for the table, the cup with its coffee, and the
# spoon with its saucer. All other pixels are -1, not labelled.
strokes = {
    0: [
        (20, 30, 380, 30),
        (20, 580, 380, 580),
        (20, 60, 20, 540),
        (385, 60, 385, 540),
        (60, 130, 150, 60),
        (300, 60, 370, 160),
        (100, 500, 200, 510),
        (370, 400, 300, 480),
    ],
    1: [(130, 250, 130, 400), (190, 230, 190, 370), (40, 200, 40, 360), (60, 190, 150, 190)],
    2: [
        (330, 280, 330, 420),
        (300, 200, 330, 280),
        (280, 450, 180, 460),
        (260, 160, 160, 100),
        (250, 90, 310, 150),
        (210, 330, 280, 390),
        (120, 440, 150, 450),
    ],
}
scribbles = np.full(image.shape[:2], -1)
for label, ends in strokes.items():
    for end in ends:
        rows, columns = line(*end)
        scribbles[rows, columns] = label

# %%
# Texture helps where labels are few and far between, so the features are those of several scales.
segmenter = KuraNetSegmenter("multiscale", max_iter=300, random_state=0)
segmenter.fit(image, scribbles)

# %%
# The phase at which each pixel comes to rest says how sure the oscillators are: pixels in doubt
# sit between the phases of two segments.
SegmentationDisplay.from_estimator(segmenter, image, scribbles)
plt.show()
