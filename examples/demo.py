"""Train oscillators on real data and see them synchronise into the classes.

Run ``make demo``, or ``python examples/demo.py FOLDER``: figures are printed and pictures
written to the folder.
"""

import sys
import time
from pathlib import Path

import matplotlib
import numpy as np
from skimage.data import coffee
from skimage.draw import line
from sklearn.datasets import load_digits, make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import train_test_split

from skkuranet import KuraNetClusterer, KuraNetSegmenter
from skkuranet.datasets import make_gaussian_ring
from skkuranet.inspection import (
    CouplingMatrixDisplay,
    PhaseDisplay,
    PhaseLandscapeDisplay,
    SegmentationDisplay,
)

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# Data testing row of Table II in the paper; GMM is its mean over all ring sizes.
PAPER_LOSS = {"moons": "0.0154", "five Gaussians": "0.0144", "digits": "-"}

# From (row, column) to (row, column): 0 is the table, 1 the cup with its saucer.
STROKES = {
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
    1: [
        (130, 250, 130, 400),
        (40, 200, 40, 360),
        (60, 190, 150, 190),
        (330, 280, 330, 420),
        (300, 200, 330, 280),
        (280, 450, 180, 460),
        (260, 160, 160, 100),
        (250, 90, 310, 150),
        (210, 330, 280, 390),
        (120, 440, 150, 450),
        (100, 350, 220, 300),
    ],
}


def load():
    digits = load_digits(return_X_y=True)
    return {
        "moons": make_moons(4000, noise=0.05, random_state=0),
        "five Gaussians": make_gaussian_ring(5, 4000, random_state=0),
        "digits": digits,
    }


def segment(folder):
    """A cup on its saucer, told from the table by a few strokes."""
    image = coffee()
    scribbles = np.full(image.shape[:2], -1)
    for label, ends in STROKES.items():
        for end in ends:
            scribbles[line(*end)] = label
    start = time.perf_counter()
    segmenter = KuraNetSegmenter("multiscale", max_iter=300, random_state=0)
    segments = segmenter.fit_predict(image, scribbles)
    print(
        f"image of {segments.size} pixels, {np.count_nonzero(scribbles >= 0)} of them labelled: "
        f"segmented in {time.perf_counter() - start:.1f}s, cup and saucer are "
        f"{np.mean(segments == 1):.0%} of it"
    )
    display = SegmentationDisplay.from_estimator(segmenter, image, scribbles)
    display.figure_.savefig(folder / "coffee.png", dpi=110)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{'data':16s}{'fit':>7s}{'accuracy':>10s}{'ARI':>8s}{'loss':>9s}{'paper':>9s}")
    for name, (X, y) in load().items():
        X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
        start = time.perf_counter()
        clusterer = KuraNetClusterer(random_state=0).fit(X_train, y_train)
        seconds = time.perf_counter() - start
        predicted = clusterer.predict(X_test)
        # The paper's "Data" testing: new networks of 100 oscillators from random phases.
        networks = [slice(i, i + 100) for i in range(0, len(X_test) - 99, 100)]
        losses = [clusterer.synchrony_loss(X_test[n], y_test[n]) for n in networks]
        print(
            f"{name:16s}{seconds:6.1f}s{np.mean(predicted == y_test):10.4f}"
            f"{adjusted_rand_score(y_test, predicted):8.4f}{np.mean(losses):9.4f}"
            f"{PAPER_LOSS[name]:>9s}"
        )
        X_net, y_net = X_test[:300], y_test[:300]
        titles = ["phases before", "phases after", "couplings, sorted by class", ""]
        path = clusterer.simulate(X_net, random_state=1)
        figure, axes = plt.subplots(1, 4, figsize=(17, 4.2), layout="constrained")
        PhaseDisplay(path.phases[0], labels=y_net).plot(legend=False, ax=axes[0])
        PhaseDisplay(path.phases[-1], labels=y_net).plot(ax=axes[1])
        CouplingMatrixDisplay.from_estimator(clusterer, X_net, y_net, ax=axes[2])
        if X.shape[1] == 2:
            PhaseLandscapeDisplay.from_estimator(clusterer, X_net, y_net, ax=axes[3])
            titles[3] = "phase that a new point locks to"
        else:
            axes[3].semilogy(clusterer.loss_curve_)
            titles[3] = "training loss, by iteration"
        for ax, title in zip(axes, titles, strict=True):
            ax.set_title(title)
        figure.suptitle(f"{name}: {len(X_net)} oscillators that were not trained on")
        figure.savefig(folder / f"{name.replace(' ', '_')}.png", dpi=110)
        plt.close(figure)
    print("paper: Table II, new networks of 100; its value for Gaussians is a mean over ring sizes")
    segment(folder)
    print(f"Pictures: {folder.resolve()}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo_output"))
