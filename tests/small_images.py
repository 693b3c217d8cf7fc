"""Small images with regions, for tests of segments."""

import numpy as np


def scene(height=40, width=60, seed=0):
    """Three regions: sky, ground and a red disc, with noise."""
    rng = np.random.RandomState(seed)
    rows, columns = np.mgrid[:height, :width]
    mask = (rows > height * 0.6).astype(int)
    mask[(rows - height * 0.4) ** 2 + (columns - width * 0.4) ** 2 < (0.2 * height) ** 2] = 2
    colours = np.array([[120, 180, 250], [60, 140, 60], [220, 40, 30]])
    image = colours[mask] + rng.normal(0.0, 10.0, (height, width, 3))
    return image.clip(0, 255).astype(np.uint8), mask


def scribbled(mask, n=60, seed=0):
    """A mask with n labelled pixels of each segment."""
    rng = np.random.RandomState(seed)
    found = np.full(mask.shape, -1)
    for label in np.unique(mask):
        chosen = rng.permutation(np.flatnonzero(mask == label))[:n]
        found.flat[chosen] = label
    return found
