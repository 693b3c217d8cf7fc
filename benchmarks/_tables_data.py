"""The tables of ``tables.py``: real ones, pictures, and ones drawn at random."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from _common import MIXTURES, N_NODES
from skimage import data as images
from sklearn import datasets
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.preprocessing import OneHotEncoder

from skkuranet.datasets import make_spirals


@dataclass(frozen=True)
class Table:
    """How a table is drawn, cut into folds and encoded.

    Parameters
    ----------
    about : str
        What the table is, in a line.
    draw : callable
        From a RandomState to X and y.
    n_folds : int
        Folds of the cross-validation; 1 for a single split, whose first half is for training.
    n_repeats : int
        How often all rows are cut into folds; more for small tables, where a row counts for much.
    encoder : callable or None
        Makes the transformer that turns columns into numbers; None if all are.
    """

    about: str
    draw: Callable
    n_folds: int = 3
    n_repeats: int = 1
    encoder: Callable | None = None

    def folds(self, seed):
        """X and y of training and test rows of each fold, encoded."""
        X, y = self.draw(np.random.RandomState(seed))
        if self.n_folds == 1:
            splits = [np.split(np.arange(len(y)), 2)]
        else:
            folds = RepeatedStratifiedKFold(
                n_splits=self.n_folds, n_repeats=self.n_repeats, random_state=seed
            )
            splits = folds.split(X, y)
        for train, test in splits:
            seen, new = X[train], X[test]
            if self.encoder is not None:
                encoder = self.encoder().fit(seen)
                seen, new = encoder.transform(seen), encoder.transform(new)
            yield (seen, y[train]), (new, y[test])


def shrinking(n_rows, ratio, n_classes):
    """Rows of each class, in a geometric sequence whose last is ``ratio`` of its first."""
    shares = np.geomspace(1.0, ratio, n_classes)
    return np.rint(n_rows * shares / shares.sum()).astype(int)


def gaussians(rng, n_classes, n_rows=3000, n_features=10, ratio=1.0):
    y = np.repeat(np.arange(n_classes), np.maximum(6, shrinking(n_rows, ratio, n_classes)))
    centres = 1.5 * rng.standard_normal((n_classes, n_features))
    return centres[y] + rng.standard_normal((len(y), n_features)), y


def faces(rng):
    pictures = images.lfw_subset()
    return pictures.reshape(len(pictures), -1), np.repeat((1, 0), len(pictures) // 2)


def textures(rng, n_each=300, side=12):
    X = []
    for picture in (images.brick(), images.grass(), images.gravel()):
        top, left = (rng.randint(n - side + 1, size=n_each) for n in picture.shape)
        X += [picture[i : i + side, j : j + side].ravel() for i, j in zip(top, left)]
    return np.array(X, dtype=float), np.repeat(np.arange(3), n_each)


# Columns of numbers, before those of categories, in mixed_columns.
N_NUMBERS = 5


def mixed_columns(rng, n_classes=20):
    sizes = np.rint(np.geomspace(566, 11, n_classes)).astype(int)
    y = np.repeat(np.arange(n_classes), sizes)
    place = 2.6 * rng.standard_normal((n_classes, N_NUMBERS))[y]
    numbers = place + rng.standard_normal(place.shape)
    # Three columns tell of the class in a crooked way.
    numbers[:, 0] = np.exp(numbers[:, 0] / 2)
    numbers[:, 1] = np.abs(numbers[:, 1])
    numbers[:, 2] = np.sin(numbers[:, 2]) + 0.2 * numbers[:, 2]
    numbers[rng.uniform(size=numbers.shape) < 0.05] = np.nan
    categories = []
    for n_levels in (4, 6, 8):
        chances = rng.dirichlet(np.full(n_levels, 0.2), size=n_classes).cumsum(axis=1)[y]
        level = (rng.uniform(size=(len(y), 1)) > chances).sum(axis=1)
        categories.append(np.minimum(level, n_levels - 1))
    return np.column_stack((numbers, *categories)), y


def mixed_encoder():
    return make_column_transformer(
        (SimpleImputer(strategy="median", add_indicator=True), slice(0, N_NUMBERS)),
        (
            OneHotEncoder(sparse_output=False, handle_unknown="ignore"),
            slice(N_NUMBERS, None),
        ),
    )


def rare_class(rng, n_rows=3000, n_rare=30):
    y = (np.arange(n_rows) < n_rare).astype(int)
    X = rng.standard_normal((n_rows, 6))
    X[:, :3] += 1.5 * y[:, None]
    return X, y


def scaled(rng):
    X, y = datasets.make_classification(
        2000, 10, n_informative=6, n_redundant=2, n_classes=3, random_state=rng
    )
    X[:, 0] = np.exp(1.5 * X[:, 0])
    return X * np.geomspace(1e-4, 1e4, X.shape[1]), y


def hastie(rng):
    X, y = datasets.make_hastie_10_2(3000, random_state=rng)
    return X, y.astype(int)


def parts_of(load, n_parts):
    """The numbers that a table wants predicted, in parts of equal size."""

    def draw(rng):
        X, value = load(rng)
        return X, np.digitize(value, np.quantile(value, np.arange(1, n_parts) / n_parts))

    return draw


def noisy_line(rng, n_rows, n_features):
    X = rng.standard_normal((n_rows, n_features))
    return X, (X[:, 0] + 0.5 * X[:, 1] + 1.2 * rng.standard_normal(n_rows) > 0).astype(int)


def given(load):
    """Ignore the source of randomness: the table is what it is."""
    return lambda rng: load(return_X_y=True)


def classification(n_rows, n_features, **settings):
    return lambda rng: datasets.make_classification(
        n_rows, n_features, random_state=rng, **settings
    )


def split_mixture(draw):
    """Training rows of a mixture, followed by as many test rows."""

    def both(rng):
        train, test = draw(rng), draw(rng)
        return np.concatenate((train[0], test[0])), np.concatenate((train[1], test[1]))

    return both


TABLES = {
    "iris": Table("150 flowers, 4 lengths, 3 species", given(datasets.load_iris), 5, 3),
    "wine": Table("178 wines, 13 measurements, 3 growers", given(datasets.load_wine), 5, 3),
    "breast_cancer": Table(
        "569 tumours, 30 measurements, 2 classes", given(datasets.load_breast_cancer), 5
    ),
    "digits": Table("1,797 images of 8 x 8 pixels, 10 digits", given(datasets.load_digits), 5),
    "faces": Table("200 images of 25 x 25 pixels, half of them faces", faces, 5, 2),
    "textures": Table("900 patches of 12 x 12 pixels of brick, grass and gravel", textures),
    **{
        f"gaussians{k}{ending}": Table(
            f"{k} Gaussian classes, {sizes}, 3,000 rows, 10 features",
            lambda rng, k=k, ratio=ratio: gaussians(rng, k, ratio=ratio),
        )
        for k in (5, 20, 40)
        for ending, ratio, sizes in (
            ("", 1.0, "all alike"),
            ("_imbalanced", 0.05, "the last 20 times rarer than the first"),
        )
    },
    "classes20": Table(
        "20 classes of 566 to 11 rows, 5 numeric columns with gaps and 3 categorical",
        mixed_columns,
        encoder=mixed_encoder,
    ),
    "few_rows": Table(
        "60 rows, 5 features, 2 classes", classification(60, 5, n_informative=3), 5, 5
    ),
    "many_features": Table(
        "400 rows, 300 features, 20 of them informative",
        classification(400, 300, n_informative=20, n_redundant=0, class_sep=2.0),
    ),
    "redundant": Table(
        "1,000 rows, 30 features: 5 informative, 20 combinations of them",
        classification(1000, 30, n_informative=5, n_redundant=20, n_classes=3),
    ),
    "label_noise": Table(
        "1,500 rows, 12 features, every fifth label drawn anew",
        classification(1500, 12, n_informative=8, n_classes=3, flip_y=0.2),
    ),
    "fifty_classes": Table(
        "50 Gaussian classes of 60 rows, 15 features", lambda rng: gaussians(rng, 50, 3000, 15)
    ),
    "rare_class": Table("3,000 rows, 6 features, 1 % of the rarer class", rare_class),
    "quantiles": Table(
        "2,000 rows, 6 features, 5 shells of a Gaussian",
        lambda rng: datasets.make_gaussian_quantiles(
            n_samples=2000, n_features=6, n_classes=5, random_state=rng
        ),
    ),
    "six_classes": Table(
        "2,000 rows, 12 features, 6 classes of two clusters each",
        classification(2000, 12, n_informative=8, n_classes=6),
    ),
    "noisy_spirals": Table(
        "2,000 rows, 2 features, two spirals that touch",
        lambda rng: make_spirals(2000, noise=1.5, random_state=rng),
    ),
    "hastie": Table("3,000 rows, 10 features, inside or outside of a ball", hastie),
    "large": Table(
        "20,000 rows, 20 features, 4 classes",
        classification(20_000, 20, n_informative=10, n_classes=4),
    ),
    "diabetes_halves": Table(
        "442 patients, 10 measurements, progress above the median or not",
        parts_of(given(datasets.load_diabetes), 2),
        5,
        2,
    ),
    "diabetes_thirds": Table(
        "442 patients, 10 measurements, thirds of the progress",
        parts_of(given(datasets.load_diabetes), 3),
        5,
        2,
    ),
    "noisy_line": Table(
        "200 rows, 8 features, a line and noise, every fourth row on the wrong side",
        lambda rng: noisy_line(rng, 200, 8),
        5,
        2,
    ),
    "noisy_line_wide": Table(
        "1,000 rows, 30 features, a line and noise, every fourth row on the wrong side",
        lambda rng: noisy_line(rng, 1000, 30),
    ),
    "noisy_waves": Table(
        "400 rows, 10 features, Friedman's first problem above its median or not, noise 5",
        parts_of(lambda rng: datasets.make_friedman1(400, noise=5.0, random_state=rng), 2),
        5,
        2,
    ),
    "scaled": Table(
        "2,000 rows, 10 features of scales from 1e-4 to 1e4, one with a heavy tail", scaled
    ),
    **{
        name: Table(
            f"{N_NODES:,} training and as many test points of the paper", split_mixture(d), 1
        )
        for name, d in MIXTURES.items()
    },
}
