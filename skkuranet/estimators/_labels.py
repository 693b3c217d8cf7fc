"""Labels of the user as numbers of classes."""

from __future__ import annotations

import sys

import numpy as np
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skkuranet._utils.messages import naming, plain, warn_caller
from skkuranet.estimators._arrays import on_host, validated


def check_labelled(estimator, X, y, *, reset, **options):
    """Validate X and y, some of which may be the estimator's ``unlabeled``.

    Return X (n, n_features), the labels y (n,), the sorted classes, and the class of each row as a
    number; -1 where it is unlabelled. ``reset`` says whether the estimator takes note of the
    features.
    """
    unlabeled = estimator.unlabeled
    if y is None:
        # scikit-learn says what is missing.
        validated(estimator, X, None, reset=reset, **options)
    with naming("y"):
        y = _column(on_host(y))
        known = _is_known(y, unlabeled)
        _check_kinds(y[known])
        if known.all():
            y = _typed(y)
    X = validated(estimator, X, reset=reset, **options)
    with naming("X", "y"):
        check_consistent_length(X, y)
    if not known.any():
        raise ValueError(
            f"y has no labels: every row is unlabeled={plain(unlabeled)}. Label a few rows of each "
            "class."
        )
    labels = _typed(y[known])
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    classes, known_codes = np.unique(labels, return_inverse=True)
    if unlabeled is not None and known.all():
        _warn_of_a_twin(unlabeled, classes)
    codes = np.full(len(y), -1, dtype=np.int64)
    codes[known] = known_codes
    return X, y, classes, codes


def labels_as_in_fit(y):
    """Return labels (n,) in the type that fit makes of them, with what is unlabelled."""
    with naming("y"):
        return _typed(_column(on_host(y)))


def _column(y):
    """Return labels in one dimension; as objects where NumPy would change their type."""
    if hasattr(y, "columns") and len(y.columns) == 1:
        y = y[y.columns[0]]
    if isinstance(y, np.ma.MaskedArray):
        y = np.where(np.ma.getmaskarray(y), None, y.data.astype(object))
    elif not isinstance(getattr(y, "dtype", None), np.dtype):
        # A list of mixed types would turn into strings, and whole numbers with None into floats.
        listed = getattr(y, "to_list", getattr(y, "to_pylist", None))
        y = np.asarray(y if listed is None else listed(), dtype=object)
    return column_or_1d(y, warn=True)


def _typed(labels):
    """Return labels of Python in the type that NumPy has for them."""
    return np.array(labels.tolist()) if labels.dtype == object else labels


def _is_known(y, unlabeled):
    if unlabeled is None:
        return np.ones(len(y), dtype=bool)
    if _is_missing(np.array([unlabeled], dtype=object))[0]:
        return ~_is_missing(y)
    if y.dtype == object:
        missing = _is_missing(y)
        differ = (gone or label != unlabeled for label, gone in zip(y, missing, strict=True))
        return np.fromiter(differ, dtype=bool, count=len(y))
    return np.broadcast_to(np.asarray(y != unlabeled), y.shape)


def _is_missing(y):
    """Say where y is NaN, None or the NA of pandas."""
    if y.dtype != object:
        # NaN, and a time that is none, differ from themselves alone.
        return y != y
    nothing = None, getattr(sys.modules.get("pandas"), "NA", None)
    missing = (any(label is none for none in nothing) or label != label for label in y)
    return np.fromiter(missing, dtype=bool, count=len(y))


def _check_kinds(labels):
    """Refuse labels that are missing, or partly strings."""
    n_missing = np.count_nonzero(_is_missing(labels))
    if n_missing:
        raise ValueError(
            f"y holds {n_missing} missing values (NaN, None or NA). Set unlabeled=np.nan if the "
            "classes of these rows are not known, or drop the rows."
        )
    if labels.dtype.kind == "V":
        raise ValueError(f"y holds records, {labels.dtype}. Pass one label for each row.")
    if labels.dtype == object:
        names = [label for label in labels if isinstance(label, str)]
        others = [label for label in labels if not isinstance(label, str)]
        if names and others:
            raise ValueError(
                f"y mixes strings, as {plain(names[0])}, with other labels, as {plain(others[0])}. "
                "Use one type, for instance [str(label) for label in y]."
            )


def _warn_of_a_twin(unlabeled, classes):
    """Warn of a class that is written like ``unlabeled`` and is not equal to it."""
    twins = [label for label in classes if str(label) == str(unlabeled)]
    if twins:
        warn_caller(
            f"unlabeled={plain(unlabeled)} does not occur in y, whose classes are "
            f"{plain(classes)}: {plain(twins[0])} is of another type, and counts as a class. Set "
            f"unlabeled={plain(twins[0])} if its rows have none; NumPy makes strings of all labels "
            "if one is a string.",
            UserWarning,
        )


def check_classes(X, classes, codes, network_size):
    """Refuse labels that teach nothing, and warn of those that teach little.

    ``codes`` are classes of rows, or -1; networks drawn for training have ``network_size`` nodes.
    """
    if len(classes) < 2:
        raise ValueError(
            f"KuraNetClusterer needs at least two classes in y, got {len(classes)} class: "
            f"{plain(classes)}."
        )
    if len(classes) > network_size:
        raise ValueError(
            f"network_size={network_size} cannot hold the {len(classes)} classes in y. "
            "Raise network_size to several times the number of classes."
        )
    lone = classes[np.bincount(codes[codes >= 0]) == 1]
    if len(lone):
        warn_caller(
            f"These classes in y have a single member: {plain(lone)}. One row says little "
            "about a class; add rows or drop it.",
            UserWarning,
        )
    if bool((X[0] == X).all()):
        warn_caller(
            "All features in X are constant: all oscillators are alike, and no coupling "
            "can tell their classes apart.",
            UserWarning,
        )
