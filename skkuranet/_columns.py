"""Which columns of a table are natural frequencies, fields and delays."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from skkuranet._arrays import on_host
from skkuranet._messages import plain


def resolve_columns(roles, n_features, feature_names=None):
    """Turn the columns that play a role into indices.

    Parameters
    ----------
    roles : dict
        From the name of a parameter to a column: an index, a name, or None for no such
        column.
    n_features : int
        Number of columns.
    feature_names : ndarray of shape (n_features,), default=None
        Names of the columns, where they have names.

    Returns
    -------
    dict
        From the name of each parameter that is not None to the index of its column.

    Raises
    ------
    ValueError
        If a column does not exist or plays two roles.
    """
    found = {
        role: _index(role, column, n_features, feature_names)
        for role, column in roles.items()
        if column is not None
    }
    for role, column in found.items():
        others = [r for r, c in found.items() if c == column and r != role]
        if others:
            raise ValueError(
                f"{role} and {others[0]} both name column {plain(roles[role])} of X. Give each its "
                "own column, or None where oscillators have no such parameter."
            )
    return found


def _index(role, column, n_features, feature_names):
    if isinstance(column, str):
        if feature_names is None:
            raise ValueError(
                f"{role}={plain(column)} is a name, but the columns of X have none. Pass a data "
                "frame, or the index of the column."
            )
        places = np.flatnonzero(np.asarray(feature_names) == column)
        if not len(places):
            raise ValueError(
                f"{role}={plain(column)} is not a column of X; its columns are "
                f"{plain(feature_names)}."
            )
        return int(places[0])
    whole = isinstance(column, Integral) and not isinstance(column, bool)
    if not whole or not -n_features <= column < n_features:
        raise ValueError(
            f"{role}={plain(column)} is not a column of X, which has {n_features}; use an index "
            f"from 0 to {n_features - 1}, a name, or None."
        )
    return int(column) % n_features


def node_parameters(X, columns):
    """Return frequencies, fields and delays of oscillators.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_samples, n_features)
        Oscillators.
    columns : dict
        What :func:`resolve_columns` returns.

    Returns
    -------
    dict
        From "frequency", "field" and "delay", where there is such a column, to an ndarray of
        shape (n_samples,).

    Raises
    ------
    ValueError
        If a delay is negative.
    """
    nodes = {role: on_host(X[:, column]) for role, column in columns.items()}
    delay = nodes.get("delay")
    if delay is not None and np.any(delay < 0):
        raise ValueError(
            f"The column delay of X holds a negative delay, {delay.min():.3g}. Delays are times "
            "that have passed; shift the column so that none is below 0."
        )
    return nodes
