"""Whether it helps to see where pixels are."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

# Share of the loss on other parts of the image that place has to take away, and what a pixel costs
# at most, as a probability.
_LESS, _LEAST = 0.1, 1e-3
# Pixels and parts of the image that this is judged by.
_JUDGED, _FOLDS, _ITERATIONS = 3000, 5, 300


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
