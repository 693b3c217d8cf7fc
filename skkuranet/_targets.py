"""From labels of the user to class numbers."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skkuranet._arrays import on_host, validated
from skkuranet._messages import plain


def check_labelled(estimator, X, y, *, reset, **options):
    """Validate X and y, where some of y may be marked as unlabelled.

    Parameters
    ----------
    estimator : estimator instance
        With a parameter ``unlabeled``.
    X : array-like of shape (n_samples, n_features)
        Node features.
    y : array-like of shape (n_samples,)
        Labels, or ``unlabeled``.
    reset : bool
        Whether the estimator takes note of the features.
    **options : dict
        Passed to :func:`skkuranet._arrays.validated`.

    Returns
    -------
    X : ndarray or Tensor of shape (n_samples, n_features)
        Node features.
    y : ndarray of shape (n_samples,)
        Labels as they were given.
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    codes : ndarray of shape (n_samples,), int
        Class of each row; -1 where it is unlabelled.
    """
    options = {"reset": reset, **options}
    y = on_host(y)
    if estimator.unlabeled is None:
        X, y = validated(estimator, X, y, **options)
        known = np.ones(len(y), dtype=bool)
    else:
        X = validated(estimator, X, **options)
        # A list of mixed types would turn into strings.
        y = column_or_1d(y if hasattr(y, "dtype") else np.array([*y], dtype=object), warn=True)
        check_consistent_length(X, y)
        known = _is_known(y, estimator.unlabeled)
    labels = np.array(y[known].tolist()) if y.dtype == object else y[known]
    if len(labels):
        check_classification_targets(labels)
    classes, known_codes = np.unique(labels, return_inverse=True)
    codes = np.full(len(y), -1, dtype=np.int64)
    codes[known] = known_codes
    return X, y, classes, codes


def _is_known(y, unlabeled):
    if isinstance(unlabeled, float) and np.isnan(unlabeled):
        return y == y  # NaN alone differs from itself
    if y.dtype == object:
        return np.fromiter((label != unlabeled for label in y), dtype=bool, count=len(y))
    return np.broadcast_to(np.asarray(y != unlabeled), y.shape)


def check_classes(X, classes, codes, network_size):
    """Refuse labels that nothing can be learned from, and warn of those that say little.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_samples, n_features)
        Node features.
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    codes : ndarray of shape (n_samples,), int
        Class of each row, or -1.
    network_size : int
        Oscillators in each network drawn for training.
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
        warnings.warn(
            f"These classes in y have a single member: {plain(lone)}. One row says little "
            "about a class; add rows or drop it.",
            UserWarning,
            stacklevel=3,
        )
    if bool((X[0] == X).all()):
        warnings.warn(
            "All features in X are constant: all oscillators are alike, and no coupling "
            "can tell their classes apart.",
            UserWarning,
            stacklevel=3,
        )
