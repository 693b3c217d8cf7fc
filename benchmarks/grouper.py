"""Clusters without labels: adjusted Rand index and number of clusters, by seeds.

"developed on": tables that n_init, threshold and the level below which KuraNetGrouper warns were
chosen on, with more of their kind, other digits and Gaussians that touch. "others" chose nothing,
but showed that a threshold of 0.35, right on the first, takes what touches for one. In some tables
there are no groups. Beside KuraNetGrouper: one of its starts alone, cut as it was before there were
several; HDBSCAN; and, told the number, k-means and spectral clustering of as many neighbours.

    python benchmarks/grouper.py [--seeds 0 1 2 3 4]
"""

import argparse
import time
import warnings

import numpy as np
import torch
from _common import write
from sklearn.cluster import HDBSCAN, KMeans, SpectralClustering
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_blobs,
    make_circles,
    make_moons,
)
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from skkuranet import KuraNetGrouper


def gaussians(rng, sizes, centres, widths):
    """Round clusters of the plane."""
    parts = zip(sizes, centres, widths, strict=True)
    X = np.concatenate([rng.normal(c, width, (n, 2)) for n, c, width in parts])
    return X, np.repeat(np.arange(len(sizes)), sizes)


def digits(*names):
    X, y = load_digits(return_X_y=True)
    chosen = np.isin(y, names)
    return X[chosen] / 16.0, y[chosen]


def scaled(data):
    return StandardScaler().fit_transform(data.data), data.target


def one_group(X):
    return X, np.zeros(len(X), dtype=int)


def slanted(rng):
    X, y = make_blobs(400, centers=3, random_state=rng)
    return X @ np.array([[0.6, -0.6], [-0.4, 0.8]]), y


WIDTHS = (0.4, 1.0, 2.5)
TABLES = {
    "developed on": {
        "unequal sizes": lambda rng: gaussians(
            rng, (300, 60, 30), ((0, 0), (5, 0), (0, 5)), (1.0, 0.6, 0.4)
        ),
        "unequal densities": lambda rng: gaussians(
            rng, (150, 150, 150), ((0, 0), (8, 0), (0, 12)), WIDTHS
        ),
        "moons": lambda rng: make_moons(300, noise=0.06, random_state=rng),
        "eight blobs": lambda rng: make_blobs(
            400, centers=8, n_features=10, center_box=(-6, 6), random_state=rng
        ),
        "digits 0 1 2": lambda rng: digits(0, 1, 2),
        "digits 5 6 7 8": lambda rng: digits(5, 6, 7, 8),
        "noise, uniform, 2 columns": lambda rng: one_group(rng.uniform(size=(300, 2))),
        "noise, normal, 5 columns": lambda rng: one_group(rng.normal(size=(400, 5))),
        "noise, normal, 20 columns": lambda rng: one_group(rng.normal(size=(300, 20))),
    },
    "others": {
        "two rings": lambda rng: make_circles(400, noise=0.05, factor=0.4, random_state=rng),
        "four sizes and widths": lambda rng: gaussians(
            rng, (400, 100, 40, 20), ((0, 0), (9, 0), (0, 7), (8, 8)), (1.5, 1.0, 0.5, 0.4)
        ),
        "slanted": slanted,
        "iris": lambda rng: load_iris(return_X_y=True),
        "wine": lambda rng: scaled(load_wine()),
        "breast cancer": lambda rng: scaled(load_breast_cancer()),
        "digits 3 4 9": lambda rng: digits(3, 4, 9),
        "all digits": lambda rng: digits(*range(10)),
        "noise, normal, 2 columns": lambda rng: one_group(rng.normal(size=(300, 2))),
        "noise, uniform, 10 columns": lambda rng: one_group(rng.uniform(size=(500, 10))),
        "identical rows": lambda rng: one_group(np.ones((300, 3))),
    },
}


def methods(k, seed):
    """Estimators, with the number of clusters given where their name says so."""
    return {
        "KuraNetGrouper": KuraNetGrouper(random_state=seed),
        "KuraNetGrouper, k": KuraNetGrouper(k, random_state=seed),
        "one start, cut at 0.2": KuraNetGrouper(n_init=1, threshold=0.2, random_state=seed),
        "HDBSCAN": HDBSCAN(copy=True),
        "k-means, k": KMeans(k, n_init=10, random_state=seed),
        "spectral clustering, k": SpectralClustering(
            k, affinity="nearest_neighbors", random_state=seed
        ),
    }


def row(part, name, seed):
    X, y = TABLES[part][name](np.random.RandomState(seed))
    k = len(np.unique(y))
    found, seconds = {}, {}
    for method, model in methods(k, seed).items():
        begin = time.process_time()
        found[method] = model.fit_predict(X)
        seconds[method] = time.process_time() - begin
        if method == "KuraNetGrouper":
            agreement = model.agreement_
    return {
        "part": part,
        "data": name,
        "seed": seed,
        "n_groups": k,
        "agreement": agreement,
        "index": {m: float(adjusted_rand_score(y, labels)) for m, labels in found.items()},
        "found": {m: int(labels.max()) + 1 for m, labels in found.items()},
        "cpu_seconds": seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    # Of graphs in parts, of noise and of rows that are all the same.
    warnings.simplefilter("ignore")
    rows = []
    for part, tables in TABLES.items():
        for name in tables:
            own = [row(part, name, seed) for seed in seeds]
            rows += own
            print(f"{part}: {name}, {own[0]['n_groups']} groups, agreement", end=" ")
            print(" ".join(f"{r['agreement']:.2f}" for r in own))
            for method in own[0]["index"]:
                shown = " ".join(f"{r['found'][method]}/{r['index'][method]:.2f}" for r in own)
                print(f"  {method:24s} {shown}", flush=True)
    write("grouper", {"rows": rows})


if __name__ == "__main__":
    main()
