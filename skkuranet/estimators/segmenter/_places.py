"""Whether couplings see where pixels are, and for which images."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skkuranet.estimators._sklearn import with_callbacks
from skkuranet.training import TrainingResult

# Share of each class that is to be named right, of pixels that were not learned from, for place to
# have nothing to say.
_RIGHT = 0.99
# Labelled pixels from which on that can be told.
_ENOUGH = 40
# Share of the loss on other parts of the image that place has to take away, and what a pixel costs
# at most, as a probability.
_LESS, _LEAST = 0.1, 1e-3
# Pixels and parts of the image that this is judged by.
_JUDGED, _FOLDS, _ITERATIONS = 3000, 5, 300
# What the names of files of checkpoints get for couplings with place, beside those without.
_PART = ".place"


def learn_places(segmenter: Any, seen: Any) -> TrainingResult:
    """Train a segmenter with place, without, or both; return how training of its couplings went.

    Both are trained where a single image is labelled: place says nothing of others. Where pixels
    are told apart without it, couplings do without.
    """
    if segmenter._goes_on:
        others = copy.deepcopy(segmenter.for_other_images_)
        if others is not None:
            others.set_params(warm_start=True)
            _learn_without(others, seen)
        part = "" if others is None else _PART
        return segmenter._learn_table(seen, place=segmenter.place_, others=others, part=part)
    place = segmenter.place
    if place == "auto":
        place = None if len(seen.digests) == 1 and seen.has_place else False
    if place is not None:
        return segmenter._learn_table(seen, place=place)
    if not place_helps(seen, segmenter.spatial_dims):
        return segmenter._learn_table(seen, place=False)
    others = clone(segmenter).set_params(place=False)
    without = _learn_without(others, seen)
    told = len(seen.codes) >= _ENOUGH and min(without.recalls, default=0.0) > _RIGHT
    if without.interrupted or told:
        _take_over(segmenter, others)
        return without
    return segmenter._learn_table(seen, place=True, others=others, part=_PART)


def place_helps(seen: Any, n_axes: int) -> bool:
    """Return whether place tells labels apart in parts of the image that have not been learned.

    The image is cut into cells as wide as unlabelled pixels are from labelled ones, on both sides,
    and logistic regression learns from some of them and names the others. Pixels of one stroke say
    nothing of how far its label reaches. Where there is nothing to learn from, it may help.
    """
    rows = np.linspace(0, len(seen.X) - 1, min(len(seen.X), _JUDGED)).astype(int)
    X, labels = seen.X[rows], seen.codes[rows]
    # In units of the longest side.
    colours, place = np.split(X, [-n_axes], axis=1)
    width = max(1.0, 2.0 * seen.distances[0]) / seen.sides[0]
    _, parts = np.unique(np.floor(place / width), axis=0, return_inverse=True)
    n_folds = min(_FOLDS, int(parts.max()) + 1)
    if n_folds < 2:
        return True
    curved = PolynomialFeatures(2, include_bias=False).fit_transform(place - 0.5)
    tables = colours, np.hstack((colours, curved))
    losses = np.zeros(2)
    for some, rest in GroupKFold(n_folds).split(X, labels, parts.ravel()):
        if len(np.unique(labels[some])) < 2:
            continue
        for number, table in enumerate(tables):
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_ITERATIONS))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(table[some], labels[some])
            # A class that is nowhere else cannot be named.
            said = np.full((len(rest), len(seen.classes)), _LEAST)
            said[:, model.classes_] = model.predict_proba(table[rest]).clip(_LEAST)
            losses[number] -= np.log(said[np.arange(len(rest)), labels[rest]]).sum()
    return not losses.any() or bool(losses[1] < (1.0 - _LESS) * losses[0])


@with_callbacks
def _learn_without(others: Any, seen: Any) -> TrainingResult:
    return others._learn_table(seen, place=False)


def _take_over(segmenter: Any, others: Any) -> None:
    """Give a segmenter what another one of the same parameters has learned."""
    own = vars(segmenter)
    for name in own.get("_learned", ()):
        own.pop(name, None)
    learned = vars(others)["_learned"]
    own.update({name: vars(others)[name] for name in learned}, _learned=learned)
