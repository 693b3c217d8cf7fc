"""One image is scribbled on, and the next of its series has to be segmented.

Series are made like microscopy: glands whose lumen lies at the top of the first image and anywhere
in others, and nuclei of two stains; or they are the halves of photographs, of which the left one is
scribbled on. Shares of pixels named right, mean over classes, of the first image and of the next
ones; peers on the same features, from the same strokes. Ours has its defaults but for the features.

    python benchmarks/series.py [--seeds 0 1 2]
"""

import argparse
import statistics
import time

import numpy as np
from _common import write
from scipy.ndimage import gaussian_filter
from segmentation import scribbles_in
from skimage import color, data, draw, filters
from skimage.feature import multiscale_basic_features
from skimage.future import TrainableSegmenter
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score

from skkuranet import KuraNetSegmenter

N_NEXT, SIZE = 4, (200, 240)


def noisy(colours, mask, rng, blur=1.0, noise=14.0, light=0.0):
    """An image with a colour for each label, blurred as by a lens, under uneven light."""
    image = gaussian_filter(np.asarray(colours, dtype=float)[mask], (blur, blur, 0))
    image *= 1.0 + light * np.linspace(-1.0, 1.0, mask.shape[1])[:, None]
    return (image + rng.normal(0.0, noise, image.shape)).clip(0, 255).astype(np.uint8)


def glands(rng, first):
    """Stroma 0, epithelium 1, lumen 2; the lumen is nearly as pale as the stroma."""
    mask = np.zeros(SIZE, dtype=int)
    height, width = SIZE
    for k in range(5):
        row = rng.uniform(0.1, 0.35) * height if first else rng.uniform(0.1, 0.9) * height
        centre = row, (0.1 + 0.2 * k + rng.uniform(-0.03, 0.03)) * width
        radii = rng.uniform(18, 26), rng.uniform(13, 20)
        mask[draw.ellipse(*centre, *radii, shape=SIZE)] = 1
        mask[draw.ellipse(*centre, *np.multiply(radii, 0.55), shape=SIZE)] = 2
    return noisy([[222, 150, 190], [130, 70, 150], [238, 226, 234]], mask, rng), mask


def nuclei(rng, first):
    """Background 0, round nuclei 1, bright ones in division 2, under uneven light."""
    mask = np.zeros(SIZE, dtype=int)
    for k in range(45):
        left = rng.uniform(0.05, 0.5 if first else 0.95)
        centre = rng.uniform(0.05, 0.95) * SIZE[0], left * SIZE[1]
        radii = (rng.uniform(3, 5), rng.uniform(6, 9)) if k % 4 == 0 else (rng.uniform(6, 10),) * 2
        where = draw.ellipse(*centre, *radii, shape=SIZE, rotation=rng.uniform(-3.0, 3.0))
        mask[where] = 2 if k % 4 == 0 else 1
    return noisy([[25], [95], [190]], mask, rng, noise=18.0, light=0.2)[..., 0], mask


def made(make):
    def series(seed):
        rng = np.random.RandomState(seed)
        images, masks = zip(*[make(rng, first=i == 0) for i in range(1 + N_NEXT)], strict=True)
        return list(images), list(masks)

    return series


def two_halves(image, mask):
    middle = image.shape[1] // 2
    parts = slice(None, middle), slice(middle, None)
    return [image[:, part] for part in parts], [mask[:, part] for part in parts]


def coins(seed):
    image = data.coins()
    # Otsu's threshold on the background of this photograph, which darkens downwards.
    level = filters.threshold_local(image, 151, offset=-10)
    return two_halves(image, (gaussian_filter(image.astype(float), 3) > level).astype(int))


def tissue(seed):
    image = data.immunohistochemistry()
    stains = gaussian_filter(color.rgb2hed(image), (2, 2, 0))
    mask = (stains[..., 0] > filters.threshold_otsu(stains[..., 0])).astype(int)
    mask[stains[..., 2] > filters.threshold_otsu(stains[..., 2])] = 2
    return two_halves(image, mask)


def page(seed):
    image = data.page()
    return two_halves(image, (image < filters.threshold_sauvola(image, 25)).astype(int))


SERIES = {
    "glands": made(glands),
    "nuclei": made(nuclei),
    "coins, halves": coins,
    "immunohistochemistry, halves": tissue,
    "a page, halves": page,
}


def textures(image):
    axis = -1 if image.ndim == 3 else None
    return multiscale_basic_features(image, channel_axis=axis)


def textures_and_place(image):
    place = np.moveaxis(np.mgrid[: image.shape[0], : image.shape[1]], 0, -1) / max(image.shape)
    return np.concatenate((textures(image), place), axis=-1)


def ours(place):
    def fit(image, strokes, seed):
        model = KuraNetSegmenter("multiscale", place=place, random_state=seed)
        return model.fit(image, strokes).predict

    return fit


def trainable(features):
    def fit(image, strokes, seed):
        forest = RandomForestClassifier(random_state=seed)
        model = TrainableSegmenter(clf=forest, features_func=features)
        # Its 0 means unlabelled.
        model.fit(image, strokes + 1)
        return lambda other: model.predict(other) - 1

    return fit


MODELS = {
    "ours": ours("auto"),
    "ours, place=True": ours(True),
    "TrainableSegmenter": trainable(textures),
    "forest, with place": trainable(textures_and_place),
}


def row(name, seed):
    images, masks = SERIES[name](seed)
    strokes = scribbles_in(masks[0], np.random.RandomState(seed))
    found = {"series": name, "seed": seed, "models": {}}
    for model, fit in MODELS.items():
        begin = time.perf_counter()
        predict = fit(images[0], strokes, seed)
        seconds = time.perf_counter() - begin
        scores = [
            balanced_accuracy_score(mask.ravel(), predict(image).ravel())
            for image, mask in zip(images, masks, strict=True)
        ]
        found["models"][model] = {
            "first": scores[0],
            "next": statistics.mean(scores[1:]),
            "fit_seconds": seconds,
        }
    return found


def summary(rows):
    print("\nmedian of the seeds; ratio of ours on the next image to others")
    for name in SERIES:
        own = [r["models"] for r in rows if r["series"] == name]
        if not own:
            continue
        print(name)
        for model in MODELS:
            first, after, seconds = (
                statistics.median(r[model][what] for r in own)
                for what in ("first", "next", "fit_seconds")
            )
            ratio = statistics.median(r["ours"]["next"] / r[model]["next"] for r in own)
            print(
                f"  {model:24s} first {first:.3f}  next {after:.3f}  ratio {ratio:.2f}  "
                f"fit {seconds:.1f} s"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--series", nargs="+", default=[*SERIES], choices=[*SERIES])
    options = parser.parse_args()
    rows = []
    for name in options.series:
        for seed in options.seeds:
            rows.append(row(name, seed))
            write("series", {"rows": rows})
    summary(rows)


if __name__ == "__main__":
    main()
