"""Groups that training has never seen, as a mode of the estimators."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from skkuranet._utils.messages import plain, warn_caller
from skkuranet._utils.tools import random_source
from skkuranet.estimators._arrays import as_given, on_host
from skkuranet.estimators._connectivity import edges_of
from skkuranet.estimators._labels import check_labelled
from skkuranet.estimators._progress import Progress
from skkuranet.grouping.images import learn_images
from skkuranet.grouping.tables import learn_rows
from skkuranet.images.masks import Mask

#: What ``groups`` may be.
GROUPS = {"seen", "unseen"}
# Parameters that count for groups never seen, the device because it makes no difference; and those
# that count for no others.
_COUNT = {
    "connectivity",
    "device",
    "groups",
    "hidden_layer_sizes",
    "n_segments",
    "nodata",
    "random_state",
    "superpixels",
    "threshold",
    "unlabeled",
    "verbose",
}
_ONLY_UNSEEN = {"connectivity", "superpixels", "threshold"}
# Widths of hidden layers by default, and dimensions of the sphere.
_SIZES_OF_ROWS, _SIZES_OF_IMAGES, _N_DIMS = (64, 64), (96, 96), 16

# Rows of which both halves hold a pair.
_LEAST_ROWS = 4
# Adjusted Rand index on the rows of fit below which nothing was learned that could be used.
_ALIKE = 0.5


def check_parameters(estimator: Any) -> None:
    """Raise ValueError if a parameter that has no part in ``groups`` is not at its default."""
    defaults = inspect.signature(type(estimator).__init__).parameters
    for name, value in estimator.get_params(deep=False).items():
        counts = name in _COUNT if estimator.groups == "unseen" else name not in _ONLY_UNSEEN
        default = defaults[name].default
        if not (counts or value is default or (np.isscalar(value) and value == default)):
            shown = plain(value) if np.isscalar(value) else f"a {type(value).__name__}"
            raise ValueError(
                f"{name}={shown} has no part in groups={plain(estimator.groups)}. Leave it at its "
                f"default, {plain(default)}."
            )


def learned_from_rows(
    estimator: Any, X: Any, y: Any, sample_weight: Any, sizes: tuple[int, ...] | None
) -> dict[str, Any]:
    """Return the fitted attributes of an estimator of tables; ``sizes`` are of hidden layers."""
    if sample_weight is not None:
        raise ValueError("sample_weight has no part in groups='unseen'. Leave it out.")
    given = X
    X, _, classes, codes = check_labelled(estimator, X, y, reset=True, ensure_min_samples=2)
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least two classes in y, got {len(classes)} "
            f"class: {plain(classes)}."
        )
    X = on_host(X)
    table, known, connectivity = X.astype(np.float64), codes >= 0, estimator.connectivity
    if not (isinstance(connectivity, str) or callable(connectivity)):
        edges = edges_of(connectivity, len(X))
        connectivity = sp.csr_array((np.ones(edges.shape[1]), tuple(edges)), shape=(len(X),) * 2)
        connectivity = connectivity[known][:, known]
    if np.count_nonzero(known) < _LEAST_ROWS:
        raise ValueError(
            f"groups='unseen' needs four labelled rows at least, got {np.count_nonzero(known)}."
        )
    grouping, losses = learn_rows(
        table[known],
        codes[known],
        connectivity=connectivity,
        **_settings(estimator, sizes or _SIZES_OF_ROWS),
    )
    grouping = dataclasses.replace(grouping, connectivity=estimator.connectivity)
    labels = grouping.cluster(table)
    found = adjusted_rand_score(codes[known], labels[known])
    if found < _ALIKE:
        warn_caller(
            "groups='unseen' does not find the classes of fit again, among all rows of X: adjusted "
            f"Rand index {found:.2f}, {labels.max() + 1} groups of {len(classes)} classes. It "
            "needs several classes to learn from, and rows of a class near one another once "
            "columns are scaled. Standardise X, pass more classes, or set threshold.",
            ConvergenceWarning,
        )
    return {
        **_attributes(grouping, losses),
        "classes_": classes,
        "labels_": as_given(labels, given),
        # Of no rows, it still tells their type and library.
        "reference_features_": as_given(X[:0], given),
        "_n_features_out": _N_DIMS,
    }


def learned_from_images(
    estimator: Any,
    images: list[np.ndarray],
    masks: list[Mask],
    ranges: np.ndarray,
    sizes: tuple[int, ...] | None,
) -> dict[str, Any]:
    """Return the fitted attributes of an estimator of images (h, w, n_channels).

    An image may be listed several times, with a mask each. ``ranges`` (n_channels, 2) are those of
    the channels.
    """
    people: dict[Any, tuple[np.ndarray, list[Mask]]] = {}
    for image, mask in zip(images, masks, strict=True):
        key = image.shape, image.dtype.str, hash(image.tobytes())
        people.setdefault(key, (image, []))[1].append(mask)
    grouping, losses = learn_images(
        [image for image, _ in people.values()],
        [own for _, own in people.values()],
        superpixels=estimator.superpixels,
        ranges=ranges,
        **_settings(estimator, sizes or _SIZES_OF_IMAGES),
    )
    return {**_attributes(grouping, losses), "_n_pixel_features": None}


def _settings(estimator: Any, sizes: tuple[int, ...]) -> dict[str, Any]:
    automatic = isinstance(estimator.threshold, str)
    return {
        "hidden_layer_sizes": sizes,
        "n_dims": _N_DIMS,
        "threshold": None if automatic else float(estimator.threshold),
        "rng": random_source(estimator.random_state),
        "progress": functools.partial(Progress, estimator.verbose, type(estimator).__name__),
    }


def _attributes(grouping: Any, losses: list[float]) -> dict[str, Any]:
    return {
        "grouping_": grouping,
        "coupling_": grouping.network,
        "loss_curve_": losses,
        "n_iter_": len(losses),
    }
