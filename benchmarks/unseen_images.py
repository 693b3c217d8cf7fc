"""Segments never seen: couplings learned on BSDS500's train images group pixels of its val images.

Trained on all human segmentations of the 200 train images, whose labels mean nothing beyond their
image; tested on 40 val images. Covering of the human segmentations of an image, mean over those and
over the images, for the number of segments that is best on average (the scale for felzenszwalb).
Peers: k-means on the same features, standardised, of the same pixels; skimage's felzenszwalb.

    python benchmarks/unseen_images.py [--path FOLDER] [--seeds 0 1 2]

FOLDER holds BSDS500; without it, the data set is downloaded.
"""

import argparse
import time

import numpy as np
from _common import write
from skimage.segmentation import felzenszwalb
from sklearn.cluster import KMeans
from sklearn.datasets import get_data_home
from sklearn.preprocessing import StandardScaler

from skkuranet import KuraNetSegmenter
from skkuranet.datasets import fetch_bsds500, load_bsds500
from skkuranet.images.reading import pixel_features, read_image
from skkuranet.metrics import segmentation_covering

N_TEST = 40
N_SEGMENTS = (2, 3, 4, 5, 6, 8, 10)
SCALES = (50, 100, 200, 400, 700, 1000, 1500)
# Pixels that k-means is fitted to; it is asked about all.
N_FITTED = 10_000


def covering(segmentations, found):
    return float(np.mean([segmentation_covering(people, found) for people in segmentations]))


def by_k_means(points, shape, seed):
    chosen = np.random.RandomState(seed).permutation(len(points))[:N_FITTED]
    for k in N_SEGMENTS:
        kmeans = KMeans(k, n_init=3, random_state=seed).fit(points[chosen])
        yield k, kmeans.predict(points).reshape(shape)


def best(rows):
    """Setting of the best mean over images, and that mean."""
    means = {setting: float(np.mean([r[setting] for r in rows])) for setting in rows[0]}
    return max(means.items(), key=lambda pair: pair[1])


def pairs(data):
    """Every image with each of its segmentations."""
    both = zip(data.images, data.segmentations, strict=True)
    images, masks = zip(*[(image, mask) for image, own in both for mask in own], strict=True)
    return list(images), list(masks)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", help="folder of BSDS500")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    if options.path is None:
        fetch_bsds500()
        options.path = f"{get_data_home()}/bsds500"
    images, masks = pairs(load_bsds500(options.path, subset="train"))
    val = load_bsds500(options.path, subset="val")
    tested = np.sort(np.random.RandomState(0).permutation(len(val.images))[:N_TEST])
    rows = []
    for seed in options.seeds:
        begin = time.perf_counter()
        model = KuraNetSegmenter("multiscale", n_segments=4, random_state=seed).fit(images, masks)
        seconds = time.perf_counter() - begin
        found = {"ours": [], "k-means": [], "felzenszwalb": []}
        for i in tested:
            image, people = val.images[i], val.segmentations[i]
            shape = image.shape[:2]
            phases = model.transform(image).ravel()
            points = np.column_stack((np.cos(phases), np.sin(phases)))
            table = pixel_features(read_image(image), "multiscale")
            segmented = {
                "ours": by_k_means(points, shape, seed),
                "k-means": by_k_means(StandardScaler().fit_transform(table), shape, seed),
                "felzenszwalb": ((s, felzenszwalb(image, scale=s, min_size=50)) for s in SCALES),
            }
            for name, results in segmented.items():
                found[name].append({k: covering(people, segments) for k, segments in results})
        row = {"seed": seed, "fit_seconds": seconds, "n_images": len(tested)}
        for name, results in found.items():
            setting, mean = best(results)
            row[name] = {"setting": setting, "covering": mean}
            print(f"seed {seed}  {name:14s} best at {setting:5d}  {mean:.4f}", flush=True)
        rows.append(row)
        write("unseen_images", {"rows": rows})


if __name__ == "__main__":
    main()
