"""What estimators learn in a few iterations: ``python tests/golden/estimators.py`` writes.

Write it again only where training is meant to change, and say so in the changelog.
"""

import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import make_blobs

from skkuranet import KuraNetClusterer, KuraNetSegmenter, KuraNetSynchronizer
from skkuranet.datasets import make_disorder

PATH = Path(__file__).with_suffix(".npz")
SMALL = {"hidden_layer_sizes": (8,), "network_size": 20, "batch_size": 2, "random_state": 0}
SMALL |= {"n_reference": 20, "verbose": 0}


def table():
    """Three clouds that touch."""
    return make_blobs(60, centers=[[0, 0], [3, 0], [0, 3]], random_state=0)


def photograph():
    """A bright half and a dark one, each with a few labels."""
    rng = np.random.RandomState(0)
    image = np.repeat(np.repeat([[0.2, 0.8]], 8, axis=1), 12, axis=0)
    mask = np.full(image.shape, -1)
    mask[2:4], mask[:, [0, 15]] = [0] * 8 + [1] * 8, [0, 1]
    return image + 0.05 * rng.standard_normal(image.shape), mask


#: Estimators and what they are fitted to, by name.
FITS = {
    "clusterer": (KuraNetClusterer(max_iter=20, **SMALL), table),
    "pairwise clusterer": (KuraNetClusterer("pairwise", max_iter=20, n_steps=20, **SMALL), table),
    "synchronizer": (
        KuraNetSynchronizer(max_iter=20, **SMALL),
        lambda: (make_disorder("I", 60, random_state=0),),
    ),
    "synchronizer with lags": (
        KuraNetSynchronizer(dynamics="sakaguchi", columns={"phase_lag": 1}, max_iter=20, **SMALL),
        lambda: (np.random.RandomState(0).uniform(-0.5, 0.5, (60, 2)),),
    ),
    "segmenter": (KuraNetSegmenter(max_iter=20, **SMALL), photograph),
}


def run(name):
    """Return the loss of each iteration, and the phases of the reference network."""
    estimator, data = FITS[name]
    with warnings.catch_warnings():
        # So few iterations do not converge.
        warnings.simplefilter("ignore")
        estimator.fit(*data())
    return {
        "loss": np.array(estimator.loss_curve_),
        "phases": np.array(estimator.reference_phases_, dtype=float),
    }


if __name__ == "__main__":
    found = {f"{name}/{key}": value for name in FITS for key, value in run(name).items()}
    np.savez_compressed(PATH, **found)
