"""Segments never seen: couplings learned on BSDS500's train images group pixels of its val images.

Trained on all human segmentations of the 200 train images, whose labels mean nothing beyond their
image. Scores against the people of an image, mean over those and over images, of 40 val images and
of all 100: with one setting for all images, the best on these (ODS, as is usual), with the best
setting for each image (OIS), and with the setting that training has chosen.

Beside ours: linear diffusion with the same couplings; without oscillators, mean linkage of the same
edges, of the superpixels that segments are made of; and, for the 40 images and the first seed,
spectral clustering of these edges; felzenszwalb; slic with cuts of its graph of mean colours;
k-means on features of pixels; the circle of all pixels with n_segments.

    python benchmarks/unseen_images.py [--path FOLDER] [--seeds 0 1 2] [--fast]

FOLDER holds BSDS500; without it, the data set is downloaded. --fast leaves out the last two, which
take hours.
"""

import argparse
import time

import numpy as np
import torch
from _common import write
from _grouping import CUTS, N_GROUPS, diffused, edge_distances, spectral
from scipy.sparse import csr_array
from skimage import graph as rag
from skimage.segmentation import felzenszwalb, slic
from sklearn.cluster import KMeans
from sklearn.datasets import get_data_home
from sklearn.preprocessing import StandardScaler

from skkuranet import KuraNetSegmenter
from skkuranet.datasets import fetch_bsds500, load_bsds500
from skkuranet.grouping.readout import hierarchy
from skkuranet.images.reading import pixel_features, read_image
from skkuranet.metrics import (
    probabilistic_rand_index,
    segmentation_covering,
    variation_of_information,
)

N_TEST = 40
N_SEGMENTS = (2, 3, 4, 5, 6, 8, 10)
SCALES = (200, 400, 700, 1000)
COLOUR_CUTS = (10, 15, 20, 30)
# Pixels that k-means is fitted to; it is asked about all.
N_FITTED = 10_000


def scores(counts, groups):
    """Covering, variation of information and Rand index, from labels of people in superpixels.

    The same as skkuranet.metrics says of the pixels, which :func:`check` compares.
    """
    found = []
    inside = csr_array((np.ones(len(groups)), (groups, np.arange(len(groups)))))
    for table in counts:
        shared = inside @ table
        n, rows, columns = shared.sum(), shared.sum(1), shared.sum(0)
        best = (shared / (rows[:, None] + columns - shared)).max(0)
        information = 2 * entropy(shared / n) - entropy(rows / n) - entropy(columns / n)
        apart = pairs(n) + 2 * pairs(shared) - pairs(rows) - pairs(columns)
        found.append((best @ columns / n, information, apart / pairs(n)))
    return np.mean(found, axis=0)


def entropy(shares):
    shares = shares[shares > 0]
    return -float(np.sum(shares * np.log2(shares)))


def pairs(counts):
    return float(np.sum(0.5 * counts * (counts - 1)))


def counts_of(regions, people):
    """How many pixels of each superpixel have each label, for each person."""
    found = []
    for labels in people:
        names, codes = np.unique(labels, return_inverse=True)
        size = (int(regions.max()) + 1) * len(names)
        both = regions.ravel() * len(names) + codes.ravel()
        found.append(np.bincount(both, minlength=size).reshape(-1, len(names)).astype(float))
    return found


def check(regions, groups, people):
    """Stop if scores of superpixels are not those of pixels."""
    expected = [
        np.mean([segmentation_covering(labels, groups[regions]) for labels in people]),
        np.mean([variation_of_information(labels, groups[regions]) for labels in people]),
        probabilistic_rand_index(people, groups[regions]),
    ]
    np.testing.assert_allclose(scores(counts_of(regions, people), groups), expected, atol=1e-6)


def of_network(model, image, people):
    """Scores of all that takes the same network, by method and setting; and CPU seconds of ours."""
    grouping = model.grouping_
    begin = time.process_time()
    seen = grouping.reader.read(read_image(image))
    ours = grouping.hierarchy(seen)
    chosen = ours.cut_at(grouping.threshold)
    seconds = time.process_time() - begin
    graph, regions = seen.graphs[0], seen.kinds[0]
    counts = counts_of(regions, people)
    linear = seen.distances([diffused(grouping, graph) for graph in seen.graphs])
    trees = {
        "ours": ours,
        "mean linkage of the same edges": hierarchy(graph, edge_distances(grouping, graph)),
        "linear diffusion": hierarchy(graph, linear),
    }
    found = {
        name: {f"{cut:.4f}": scores(counts, tree.cut_at(cut)) for cut in CUTS}
        for name, tree in trees.items()
    }
    found["ours, threshold of training"] = {
        f"{grouping.threshold:.4f}": scores(counts, chosen),
    }
    return found, seconds, (regions, chosen)


def of_spectral(model, image, people):
    """Scores of spectral clustering of the same edges, by number of groups."""
    seen = model.grouping_.reader.read(read_image(image))
    graph = seen.graphs[0]
    counts = counts_of(seen.kinds[0], people)
    found = spectral(graph, edge_distances(model.grouping_, graph), N_GROUPS)
    return {str(k): scores(counts, groups) for k, groups in found}


def of_pixels(image, people):
    """Scores of what needs no training, by method and setting."""
    colours = slic(image, 600, 8.0, sigma=1.0, start_label=0)
    means = rag.rag_mean_color(image, colours)
    methods = {
        "felzenszwalb": {str(s): felzenszwalb(image, scale=s, min_size=50) for s in SCALES},
        "slic, graph of mean colours": {
            str(c): rag.cut_threshold(colours, means, c, in_place=False) for c in COLOUR_CUTS
        },
    }
    return {
        name: {setting: of_pixel_labels(labels, people) for setting, labels in found.items()}
        for name, found in methods.items()
    }


def of_pixel_labels(labels, people):
    names, regions = np.unique(labels, return_inverse=True)
    return scores(counts_of(regions, people), np.arange(len(names)))


def slow(model, image, people, seed):
    """Scores of k-means on features of pixels, and on phases of the circle."""
    shape = image.shape[:2]
    phases = model.transform(image).ravel()
    tables = {
        "k-means on pixels": StandardScaler().fit_transform(
            pixel_features(read_image(image), "multiscale")
        ),
        "n_segments, all pixels on the circle": np.column_stack((np.cos(phases), np.sin(phases))),
    }
    found = {}
    for name, points in tables.items():
        some = np.random.RandomState(seed).permutation(len(points))[:N_FITTED]
        found[name] = {}
        for k in N_SEGMENTS:
            kmeans = KMeans(k, n_init=3, random_state=seed).fit(points[some])
            labels = kmeans.predict(points).reshape(shape)
            found[name][str(k)] = of_pixel_labels(labels, people)
    return found


def summary(rows):
    """Means over images, at the best setting for all and at the best for each."""
    settings = list(rows[0])
    table = np.array([[row[setting] for setting in settings] for row in rows])
    mean = table.mean(0)
    best = int(mean[:, 0].argmax())
    return {
        "setting": settings[best],
        "covering": mean[best, 0],
        "covering_ois": table[..., 0].max(1).mean(),
        "variation_of_information": mean[:, 1].min(),
        "rand_index": mean[:, 2].max(),
    }


def listed(data):
    """Every image with each of its segmentations."""
    both = zip(data.images, data.segmentations, strict=True)
    images, masks = zip(*[(image, mask) for image, own in both for mask in own], strict=True)
    return list(images), list(masks)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", help="folder of BSDS500")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--fast", action="store_true", help="leave out what takes hours")
    options = parser.parse_args()
    if options.path is None:
        fetch_bsds500()
        options.path = f"{get_data_home()}/bsds500"
    torch.set_num_threads(1)
    images, masks = listed(load_bsds500(options.path, subset="train"))
    val = load_bsds500(options.path, subset="val")
    tested = np.sort(np.random.RandomState(0).permutation(len(val.images))[:N_TEST])
    rows = []
    for seed in options.seeds:
        begin, begin_cpu = time.perf_counter(), time.process_time()
        model = KuraNetSegmenter(groups="unseen", random_state=seed).fit(images, masks)
        row = {
            "seed": seed,
            "fit_seconds": time.perf_counter() - begin,
            "fit_cpu_seconds": time.process_time() - begin_cpu,
            "threshold": model.grouping_.threshold,
        }
        found, seconds = [], []
        for i, (image, people) in enumerate(zip(val.images, val.segmentations, strict=True)):
            by_method, spent, groups = of_network(model, image, people)
            found.append(by_method)
            seconds.append(spent)
            if i < 2:
                check(*groups, people)
        row["cpu_seconds_per_image"] = float(np.median(seconds))
        if seed == options.seeds[0]:
            for i in tested:
                found[i] |= of_pixels(val.images[i], val.segmentations[i])
                found[i]["spectral clustering of the same edges"] = of_spectral(
                    model, val.images[i], val.segmentations[i]
                )
        if seed == options.seeds[0] and not options.fast:
            circle = KuraNetSegmenter("multiscale", n_segments=4, random_state=seed)
            circle.fit(images, masks)
            for i in tested:
                found[i] |= slow(circle, val.images[i], val.segmentations[i], seed)
        for name, chosen in (("tested", tested), ("all", range(len(found)))):
            row[name] = {
                method: summary([found[i][method] for i in chosen])
                for method in found[chosen[0]]
                if all(method in found[i] for i in chosen)
            }
            for method, means in row[name].items():
                shown = "  ".join(
                    f"{k} {v if isinstance(v, str) else f'{v:.4f}'}" for k, v in means.items()
                )
                print(f"seed {seed}  {name:6s} {method:38s} {shown}", flush=True)
        print({k: v for k, v in row.items() if k not in ("tested", "all")}, flush=True)
        rows.append(row)
        write("unseen_images", {"n_images": N_TEST, "n_all": len(val.images), "rows": rows})


if __name__ == "__main__":
    main()
