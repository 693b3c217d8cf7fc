"""The picture of the README: what its snippets do, and what oscillators do to get there.

python docs/readme_picture.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from snippets import of_readme

from skkuranet import KuraNetClusterer
from skkuranet.inspection import PhaseDisplay, PhaseLandscapeDisplay

SCRIBBLES = "#2f7fd6", "#ffd43b"


def moons(before, after, plane):
    """Phases of new rows as one network, and where single ones lock."""
    X, y = make_moons(2000, noise=0.05, random_state=0)
    clusterer = KuraNetClusterer(random_state=0).fit(X[:1000], y[:1000])
    rows = slice(1000, 1120)
    path = clusterer.simulate(X[rows], random_state=1)
    for axis, phases in ((before, path.phases[0]), (after, path.phases[-1])):
        PhaseDisplay(phases, labels=y[rows]).plot(legend=False, ax=axis)
    PhaseLandscapeDisplay.from_estimator(clusterer, X[rows], y[rows], ax=plane)
    before.set_title("random phases")
    after.set_title("after learning")
    plane.set_title("phase of each point")


def photograph(given, found):
    """What the last snippet of the README makes."""
    names = {}
    exec(of_readme()[-1], names)
    image, scribbles, segments = (names[n] for n in ("image", "scribbles", "segments"))
    shown = image.copy()
    for label, colour in enumerate(SCRIBBLES):
        rgb = np.array(matplotlib.colors.to_rgb(colour)) * 255
        rows, columns = np.nonzero(scribbles == label)
        for shift in (-1, 0, 1):
            shown[rows, np.clip(columns + shift, 0, image.shape[1] - 1)] = rgb
    given.imshow(shown)
    found.imshow((image * np.where(segments == 1, 1.0, 0.25)[..., None]).astype(np.uint8))
    given.set_title("a photograph, some labels")
    found.set_title("segment of every pixel")
    for axis in (given, found):
        axis.axis("off")


def main():
    figure, axes = plt.subplots(
        1, 5, figsize=(13, 2.7), layout="constrained", width_ratios=(0.8, 0.8, 1.1, 1.2, 1.2)
    )
    moons(*axes[:3])
    photograph(*axes[3:])
    for extra in figure.axes[5:]:
        extra.tick_params(labelsize=7)
    figure.savefig(Path(__file__).parent / "readme.png", dpi=100)


if __name__ == "__main__":
    main()
