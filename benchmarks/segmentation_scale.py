"""Time and memory of one exact network of all pixels, and of a photograph of twelve megapixels.

The photograph is scikit-image's cat, enlarged to 4,000 x 3,000 pixels and segmented from scribbles,
with a progress bar.

    python benchmarks/segmentation_scale.py
"""

import numpy as np
from _common import measure, write_times
from skimage import data, draw
from skimage.transform import resize

from skkuranet import KuraNetSegmenter

# Rows and columns of the paper's images, and steps of the authors' simulation of one.
PAPER, N_STEPS = (321, 481), 200
PHOTOGRAPH = (3000, 4000)
# Strokes of (label, from, to) as (row, column), in shares of height and width.
STROKES = [
    (0, (0.05, 0.05), (0.30, 0.10)),
    (0, (0.05, 0.95), (0.60, 0.95)),
    (1, (0.40, 0.30), (0.80, 0.60)),
    (1, (0.45, 0.45), (0.45, 0.70)),
]


def scribbles(shape):
    mask = np.full(shape, -1)
    last = np.subtract(shape, 1)
    for label, start, end in STROKES:
        ends = *(last * start).astype(int), *(last * end).astype(int)
        mask[draw.line(*ends)] = label
    return mask


def photograph(shape):
    return (255 * resize(data.chelsea(), shape, order=1)).astype(np.uint8)


def main():
    image = photograph(PAPER)
    model = KuraNetSegmenter(random_state=0).fit(image, scribbles(PAPER))
    n_pixels = image.shape[0] * image.shape[1]
    steps = {"what": f"one exact network, {N_STEPS} steps", "n": n_pixels} | measure(
        lambda: model.simulate(image, n_steps=N_STEPS)
    )
    large = photograph(PHOTOGRAPH)
    mask = scribbles(PHOTOGRAPH)
    model = KuraNetSegmenter(random_state=0, verbose=1)
    found = []
    whole = {"what": "photograph: fit to scribbles and predict", "n": mask.size} | measure(
        lambda: found.append(model.fit(large, mask).predict(large))
    )
    rows = [steps, whole]
    print(f"segments of {np.bincount(found[0].ravel())} pixels")
    write_times("segmentation_scale", rows, "pixels")


if __name__ == "__main__":
    main()
