"""Classes never seen: learn from some classes of a table what makes rows alike, and group others.

Digits: three classes are left out, in nine ways. Noisy digits: with 20 columns of noise beside the
pixels. Gaussians: 12 seen and 5 new, in 6 dimensions of 20, turned at random; the other 14 vary by
up to 5 times as much and say nothing. Letters: 18 seen and 8 new, drawn, turned, sheared and
shifted. Adjusted Rand index of the rows of classes never seen.

    python benchmarks/unseen.py [--seeds 0 1 2]
"""

import argparse
import string
import time

import numpy as np
import torch
from _common import write
from _grouping import diffused, edge_distances, spectral
from PIL import Image, ImageDraw, ImageFont
from skimage.transform import AffineTransform, warp
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

from skkuranet import KuraNetClusterer, KuraNetGrouper
from skkuranet.grouping.network import distances_along
from skkuranet.grouping.readout import hierarchy
from skkuranet.grouping.tables import LEAST

N_SPLITS = {"digits": 9, "noisy digits": 9, "Gaussians": 4, "letters": 3}


def digits(split, noise=0.0):
    X, y = load_digits(return_X_y=True)
    rng = np.random.RandomState(split)
    new = (7, 8, 9) if split == 0 else np.random.RandomState(split - 1).permutation(10)[:3]
    X = X / 16.0
    if noise:
        X = np.column_stack((X, rng.normal(0.0, noise, (len(X), 20))))
    return X, y, ~np.isin(y, new)


def gaussians(split):
    rng = np.random.RandomState(split)
    means, y = rng.normal(0.0, 4.0, (17, 6)), np.repeat(np.arange(17), 60)
    known = means[y] + rng.normal(size=(len(y), 6))
    nuisance = rng.normal(size=(len(y), 14)) * rng.uniform(1.0, 5.0, 14)
    turned = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    return np.column_stack((known, nuisance)) @ turned, y, y < 12


def letters(split):
    rng = np.random.RandomState(split)
    font, rows = ImageFont.load_default(size=22), []
    for letter in string.ascii_uppercase:
        image = Image.new("L", (32, 32))
        ImageDraw.Draw(image).text((16, 16), letter, fill=255, font=font, anchor="mm")
        whole = np.asarray(image) / 255.0
        for _ in range(60):
            moved = AffineTransform(
                rotation=rng.normal(0.0, 0.2), shear=rng.normal(0.0, 0.2), translation=(-16, -16)
            ) + AffineTransform(translation=16 + rng.uniform(-4.0, 4.0, 2))
            rows.append(warp(whole, moved.inverse)[::2, ::2].ravel())
    y = np.repeat(np.arange(26), 60)
    return np.stack(rows), y, ~np.isin(y, rng.permutation(26)[:8])


DATA = {
    "digits": digits,
    "noisy digits": lambda split: digits(split, 0.8),
    "Gaussians": gaussians,
    "letters": letters,
}


def methods(model, X, k, seed):
    """Groups by each method, with their number given where its name says so."""
    grouping = model.grouping_
    graph = grouping.graph(X)
    distances = edge_distances(grouping, graph)
    edges = hierarchy(graph, distances, LEAST)
    linear = hierarchy(graph, distances_along(graph, diffused(grouping, graph)), LEAST)
    kmeans = KMeans(k, n_init=10, random_state=seed)
    half, tenth = (X @ one for one in grouping.maps[1:])
    return {
        "ours": model.cluster(X),
        "ours, k": model.cluster(X, k),
        "mean linkage of the same edges": edges.cut_at(0.5),
        "mean linkage of the same edges, k": edges.cut_into(k),
        "linear diffusion": linear.cut_at(grouping.threshold),
        "linear diffusion, k": linear.cut_into(k),
        "spectral clustering of the same edges, k": next(spectral(graph, distances, [k]))[1],
        "RCA shrunk .5, k-means, k": kmeans.fit_predict(half),
        "RCA shrunk .1, k-means, k": kmeans.fit_predict(tenth),
        "RCA shrunk .5, HDBSCAN": HDBSCAN(copy=True).fit_predict(half),
        "k-means, k": kmeans.fit_predict(X),
        "HDBSCAN": HDBSCAN(copy=True).fit_predict(X),
        "KuraNetGrouper": KuraNetGrouper(random_state=seed).fit_predict(X),
        "KuraNetGrouper, k": KuraNetGrouper(k, random_state=seed).fit_predict(X),
    }


def row(name, split, seed):
    X, y, seen = DATA[name](split)
    begin = time.process_time()
    model = KuraNetClusterer(groups="unseen", random_state=seed, verbose=0).fit(X[seen], y[seen])
    seconds = time.process_time() - begin
    new, true = X[~seen], y[~seen]
    k = len(np.unique(true))
    found = methods(model, new, k, seed)
    return {
        "data": name,
        "split": split,
        "seed": seed,
        "n_groups": k,
        "fit_cpu_seconds": seconds,
        "threshold": model.grouping_.threshold,
        "index": {m: float(adjusted_rand_score(true, labels)) for m, labels in found.items()},
        "found": {m: int(labels.max()) + 1 for m, labels in found.items()},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    torch.set_num_threads(1)
    rows = []
    for seed in parser.parse_args().seeds:
        for name, n_splits in N_SPLITS.items():
            for split in range(n_splits):
                rows.append(row(name, split, seed))
                last = rows[-1]
                print(seed, name, split, f"{last['fit_cpu_seconds']:.1f} s", end="  ")
                print(f"ours {last['index']['ours']:.3f} of {last['found']['ours']}", flush=True)
            own = [r for r in rows if r["data"] == name and r["seed"] == seed]
            for method in own[0]["index"]:
                values = [r["index"][method] for r in own]
                exact = np.mean([r["found"][method] == r["n_groups"] for r in own])
                print(f"{seed} {name:12s} {method:42s} mean {np.mean(values):.3f}", end="  ")
                print(f"worst {min(values):.3f}  exact {exact:.2f}", flush=True)
            write("unseen", {"rows": rows})


if __name__ == "__main__":
    main()
