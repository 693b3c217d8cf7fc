"""How strongly oscillators act on others, over the plane of their features."""

from __future__ import annotations

import numpy as np
from scipy.stats import binned_statistic_2d

from skkuranet._utils.messages import naming, plain
from skkuranet._utils.scalars import whole_number
from skkuranet.estimators._arrays import on_host
from skkuranet.estimators._node_columns import resolve_columns
from skkuranet.inspection._base import asked, axes_of
from skkuranet.inspection._given import numbers

# Bins of a feature at most, which no screen has pixels for.
_MOST_BINS = 10_000


class FanInDisplay:
    """Mean fan-in of the oscillators in each bin of two features (Fig. 2C).

    Make one with :meth:`from_estimator`.

    Parameters
    ----------
    fan_in : ndarray of shape (h, w)
        Mean fan-in of each bin; NaN where it holds no oscillator.
    edges_x : ndarray of shape (w + 1,)
        Edges of the bins of the first feature.
    edges_y : ndarray of shape (h + 1,)
        Edges of the bins of the second feature.
    names : tuple of str, default=("", "")
        Names of the two features.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the last plot.
    mesh_ : matplotlib QuadMesh
        Bins of the last plot.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.inspection import FanInDisplay
    >>> edges = np.array([0.0, 1.0, 2.0])
    >>> display = FanInDisplay(np.ones((2, 2)), edges, edges).plot()
    """

    def __init__(self, fan_in, edges_x, edges_y, *, names=("", "")):
        self.fan_in = fan_in
        self.edges_x = edges_x
        self.edges_y = edges_y
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        features=(0, 1),
        names=None,
        bins=30,
        connectivity=None,
        ax=None,
        **pcolormesh_kwargs,
    ):
        """Bin the fan-in of the network made of these rows, and plot it.

        Parameters
        ----------
        estimator : KuraNetSynchronizer
            A fitted estimator, or a pipeline or search that ends in one.
        X : array-like of shape (n_samples, n_features)
            Oscillators; one network is made of all rows.
        features : tuple of two int or str, default=(0, 1)
            Columns of X to bin over, as indices or names.
        names : tuple of two str, default=None
            Names of the two features, for the axes; None takes those of the columns.
        bins : int or tuple of two int, default=30
            Number of bins of each feature.
        connectivity : array-like, sparse matrix or callable, default=None
            Graph of the network made of X; None takes the estimator's.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **pcolormesh_kwargs : dict
            Passed to ``Axes.pcolormesh``.

        Returns
        -------
        FanInDisplay
            The display, plotted.
        """
        model, before = asked(cls, estimator, "fan_in")
        _check_pair(features, "features")
        if names is not None:
            _check_pair(names, "names")
        known = getattr(estimator, "feature_names_in_", None)
        with naming("X"):
            shape = np.shape(X)
            if len(shape) != 2:
                raise ValueError(f"FanInDisplay needs a table, got shape {shape}.")
        roles = dict(zip(("features[0]", "features[1]"), features, strict=True))
        columns = resolve_columns(roles, shape[1], known).values()
        if names is None:
            names = ("", "") if known is None else tuple(known[c] for c in columns)
        x, y = (np.asarray(on_host(X))[:, column] for column in columns)
        fan_in = on_host(model.fan_in(before(X), connectivity=connectivity))
        sides = bins if isinstance(bins, (tuple, list)) else (bins, bins)
        _check_pair(sides, "bins")
        sides = [whole_number(side, "bins", most=_MOST_BINS) for side in sides]
        binned = binned_statistic_2d(x, y, fan_in, bins=sides)
        display = cls(binned.statistic.T, binned.x_edge, binned.y_edge, names=names)
        return display.plot(ax=ax, **pcolormesh_kwargs)

    def plot(self, *, ax=None, **pcolormesh_kwargs):
        """Plot the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **pcolormesh_kwargs : dict
            Passed to ``Axes.pcolormesh``.

        Returns
        -------
        FanInDisplay
            The display itself.
        """
        fan_in = numbers(self.fan_in, "fan_in", (None, None), "one for each bin", holes=True)
        n_y, n_x = fan_in.shape
        edges_x = numbers(self.edges_x, "edges_x", (n_x + 1,), "around the columns of fan_in")
        edges_y = numbers(self.edges_y, "edges_y", (n_y + 1,), "around the rows of fan_in")
        ax = axes_of(self, ax)
        settings = {"cmap": "viridis", "rasterized": True, **pcolormesh_kwargs}
        self.mesh_ = ax.pcolormesh(edges_x, edges_y, fan_in, **settings)
        ax.figure.colorbar(self.mesh_, ax=ax, label="mean fan-in")
        ax.set(xlabel=self.names[0], ylabel=self.names[1])
        return self


def _check_pair(value, name):
    """Raise ValueError unless a value is one of two entries, for the two features."""
    fits = isinstance(value, (tuple, list)) and len(value) == 2
    if not fits or any(part is None for part in value):
        raise ValueError(f"{name} must be two, one for each feature, got {plain(value)[:60]}.")
