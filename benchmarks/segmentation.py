"""The paper's nine images: segments from half of the pixels, from a few, and from scribbles.

SBD of held-out pixels, with the background as a segment and without; the whole image as one exact
network; the normalised loss of Table II; peers on the same pixels, in the same run. Data: mean over
networks of 1,000 held-out pixels. Size: all training pixels as one network. Data+Size: all
held-out pixels as one. Ours has its defaults in all rows but that of the scribbles, whose features
are "multiscale".

    python benchmarks/segmentation.py [--path FOLDER] [--seeds 0 1 2] [--labels half 1000 100]

FOLDER holds BSDS500; without it, the data set is downloaded. With --merge, ours is measured anew
beside what peers did in the JSON file that is there, which takes them an hour or two.
"""

import argparse
import functools
import itertools
import json
import statistics
import time

import numpy as np
from _common import RESULTS, write
from scipy.ndimage import binary_dilation
from skimage.draw import line
from skimage.feature import multiscale_basic_features
from skimage.future import TrainableSegmenter
from skimage.segmentation import random_walker
from sklearn.cluster import KMeans
from sklearn.datasets import get_data_home
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkuranet import KuraNetSegmenter
from skkuranet.datasets import fetch_bsds500, load_bsds500_paper
from skkuranet.metrics import symmetric_best_dice

N_NETWORKS, NETWORK = 50, 1000
N_STROKES, STROKE = 3, 60


def pixels_in(mask, count, rng):
    """A mask with this many labelled pixels, drawn at random; -1 elsewhere."""
    found = np.full(mask.size, -1)
    chosen = rng.permutation(mask.size)[:count]
    found[chosen] = mask.ravel()[chosen]
    return found.reshape(mask.shape)


def scribbles_in(mask, rng):
    """A mask with three straight strokes in each segment, three pixels wide; -1 elsewhere."""
    found = np.full(mask.shape, -1)
    for label in np.unique(mask):
        inside = np.argwhere(mask == label)
        stroke = np.zeros(mask.shape, dtype=bool)
        for row, column in inside[rng.randint(len(inside), size=N_STROKES)]:
            angle = rng.uniform(0.0, 2.0 * np.pi)
            end = row + int(STROKE * np.sin(angle)), column + int(STROKE * np.cos(angle))
            rows, columns = line(row, column, *np.clip(end, 0, np.subtract(mask.shape, 1)))
            stroke[rows, columns] = True
        found[binary_dilation(stroke, np.ones((3, 3))) & (mask == label)] = label
    return found


LABELS = {
    "half": lambda mask, rng: pixels_in(mask, mask.size // 2, rng),
    "1000": lambda mask, rng: pixels_in(mask, 1000, rng),
    "100": lambda mask, rng: pixels_in(mask, 100, rng),
    "scribbles": scribbles_in,
}


# Where labels are few and all in a few places, place says little and texture more.
SETTINGS = {"scribbles": {"features": "multiscale"}}


def five_features(image):
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    place = np.stack((columns, rows), axis=-1) / max(height, width)
    return np.concatenate((image / 255.0, place), axis=-1).reshape(-1, 5)


def classifier(model):
    def segment(image, labels, seed):
        X, known = five_features(image), labels.ravel() >= 0
        made = make_pipeline(StandardScaler(), model(seed)).fit(X[known], labels.ravel()[known])
        return made.predict(X).reshape(labels.shape)

    return segment


def on_textures(model):
    """A classifier on the multiscale features that ours has where labels are scribbles."""

    def segment(image, labels, seed):
        textures = multiscale_basic_features(
            image / 255.0, channel_axis=-1, sigma_min=0.5, sigma_max=16
        )
        place = five_features(image)[:, 3:]
        X = np.concatenate((textures.reshape(len(place), -1), place), axis=-1)
        known = labels.ravel() >= 0
        made = make_pipeline(StandardScaler(), model(seed)).fit(X[known], labels.ravel()[known])
        return made.predict(X).reshape(labels.shape)

    return segment


def trainable(image, labels, seed):
    """The segmenter of scikit-image with its multiscale features; its 0 means unlabelled."""
    model = TrainableSegmenter(
        clf=RandomForestClassifier(random_state=seed),
        features_func=functools.partial(multiscale_basic_features, channel_axis=-1),
    )
    model.fit(image, labels + 1)
    return model.predict(image) - 1


def walker(image, labels, seed):
    # Its seeds start at 1, and 0 is what it has to find.
    return random_walker(image, labels + 1, channel_axis=-1, mode="cg_j") - 1


PEERS = {
    "1-NN": classifier(lambda seed: KNeighborsClassifier(1)),
    "5-NN": classifier(lambda seed: KNeighborsClassifier(5)),
    "forest": classifier(lambda seed: RandomForestClassifier(random_state=seed)),
    "MLP": classifier(lambda seed: MLPClassifier((128, 128), random_state=seed)),
    "TrainableSegmenter": trainable,
    "random_walker": walker,
}

# Where ours looks at textures, others may.
ON_TEXTURES = {
    f"{name}, multiscale": on_textures(model)
    for name, model in {
        "1-NN": lambda seed: KNeighborsClassifier(1),
        "5-NN": lambda seed: KNeighborsClassifier(5),
        "forest": lambda seed: RandomForestClassifier(random_state=seed),
        "MLP": lambda seed: MLPClassifier((128, 128), random_state=seed),
    }.items()
}


def scored(mask, predicted, where):
    return {
        "sbd": symmetric_best_dice(mask[where], predicted[where]),
        "sbd_without_background": symmetric_best_dice(mask[where], predicted[where], background=0),
    }


def named(clusters, mask):
    """Clusters with the label that most of their pixels have in the mask."""
    return np.array([np.bincount(mask[clusters == k]).argmax() for k in range(clusters.max() + 1)])[
        clusters
    ]


def losses(model, image, mask, labels, held_out, seed):
    rng = np.random.RandomState(seed)
    order = rng.permutation(np.flatnonzero(held_out))
    small = []
    for start in range(0, N_NETWORKS * NETWORK, NETWORK):
        chosen = np.full(mask.size, -1)
        here = order[start : start + NETWORK]
        chosen[here] = mask.ravel()[here]
        small.append(model.synchrony_loss(image, chosen.reshape(mask.shape), random_state=rng))
    return {
        "data": float(np.mean(small)),
        "size": model.synchrony_loss(image, labels, random_state=rng),
        "data_size": model.synchrony_loss(image, np.where(held_out, mask, -1), random_state=rng),
    }


def row(number, image, mask, kind, seed, peers, known):
    """Measure one image; ``known`` is what peers did with it, or None to try them."""
    labels = LABELS[kind](mask, np.random.RandomState(seed))
    held_out = labels < 0
    model = KuraNetSegmenter(random_state=seed, **SETTINGS.get(kind, {}))
    begin = time.perf_counter()
    predicted = model.fit(image, labels).predict(image)
    seconds = time.perf_counter() - begin
    made = {
        "image": number,
        "labels": kind,
        "n_labelled": int((~held_out).sum()),
        "seed": seed,
        "ours": scored(mask, predicted, held_out) | {"seconds": seconds},
        "peers": {},
    }
    rivals = {name: PEERS[name] for name in peers}
    if peers and kind in SETTINGS:
        rivals |= ON_TEXTURES
    for name, rival in rivals.items() if known is None else ():
        begin = time.perf_counter()
        predicted = rival(image, labels, seed)
        seconds = time.perf_counter() - begin
        made["peers"][name] = scored(mask, predicted, held_out) | {"seconds": seconds}
    if kind == "half":
        begin = time.perf_counter()
        clusters = model.cluster(image, n_steps=200)
        seconds = time.perf_counter() - begin
        whole = np.ones(mask.shape, dtype=bool)
        named_clusters = scored(mask, named(clusters, mask), whole)
        made["whole"] = named_clusters | {
            "sbd": symmetric_best_dice(mask, clusters),
            "seconds": seconds,
        }
        made["loss"] = losses(model, image, mask, labels, held_out, seed)
    if kind == "half" and known is None:
        for name, X in (("k-means RGB", image.reshape(-1, 3) / 255.0), ("k-means five", None)):
            X = StandardScaler().fit_transform(five_features(image)) if X is None else X
            found = KMeans(len(np.unique(mask)), random_state=seed).fit_predict(X)
            made["peers"][name] = {"sbd": symmetric_best_dice(mask.ravel(), found)}
    return made | {"peers": made["peers"] if known is None else known}


def summary(rows):
    print("\nmean of the images, median of the seeds")
    for kind in dict.fromkeys(r["labels"] for r in rows):
        own = [r for r in rows if r["labels"] == kind]
        seeds = sorted({r["seed"] for r in own})

        def mean(value, own=own, seeds=seeds):
            return statistics.median(
                statistics.mean(value(r) for r in own if r["seed"] == s) for s in seeds
            )

        print(f"{kind:10s} ours {mean(lambda r: r['ours']['sbd']):.4f}", end="")
        for name in own[0]["peers"]:
            print(f"  {name} {mean(lambda r, n=name: r['peers'][n]['sbd']):.4f}", end="")
        print(f"  fit and predict {mean(lambda r: r['ours']['seconds']):.1f} s")
        if kind == "half":
            print(f"whole network SBD {mean(lambda r: r['whole']['sbd']):.4f}", end="")
            for regime in ("data", "size", "data_size"):
                print(f"  {regime} {mean(lambda r, g=regime: r['loss'][g]):.4f}", end="")
            print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", help="folder of BSDS500")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--labels", nargs="+", default=[*LABELS], choices=[*LABELS])
    parser.add_argument("--peers", nargs="*", default=[*PEERS], choices=[*PEERS])
    parser.add_argument("--name", default="segmentation", help="of the JSON file")
    parser.add_argument("--merge", action="store_true", help="keep what peers did")
    options = parser.parse_args()
    if options.path is None:
        fetch_bsds500()
        options.path = f"{get_data_home()}/bsds500"
    paper = load_bsds500_paper(options.path)
    path = RESULTS / f"{options.name}.json"
    before = json.loads(path.read_text())["rows"] if options.merge else []
    rows = {(r["image"], r["labels"], r["seed"]): r for r in before}
    for kind, seed in itertools.product(options.labels, options.seeds):
        for number, image, mask in zip(paper.ids, paper.images, paper.masks, strict=True):
            known = rows.get((number, kind, seed), {}).get("peers")
            made = row(number, image, mask, kind, seed, options.peers, known)
            rows[number, kind, seed] = made
            scores = "".join(f"{p['sbd']:8.4f}" for p in made["peers"].values())
            print(
                f"{number:8d} {kind:10s}{seed:3d}{made['ours']['sbd']:8.4f} |{scores}", flush=True
            )
            write(options.name, {"rows": list(rows.values())})
    summary(list(rows.values()))


if __name__ == "__main__":
    main()
