"""The phase that a new oscillator locks to, over the plane of its features."""

from __future__ import annotations

import numpy as np

from skkuranet._utils.scalars import finite_number, whole_number
from skkuranet.estimators._arrays import as_given, on_host
from skkuranet.inspection._base import asked, axes_of
from skkuranet.inspection._colours import PHASE_COLOURS, phase_bar, scatter
from skkuranet.inspection._given import FARTHEST, array_of, check_rows, labels_of, numbers

# Points of a grid in each direction at most, which no screen has pixels for.
_FINEST = 10_000


class PhaseLandscapeDisplay:
    """Phase of a test oscillator as its two features vary over a grid (Fig. 3A).

    Make one with :meth:`from_estimator`.

    Parameters
    ----------
    grid_x : ndarray of shape (h, w)
        First feature.
    grid_y : ndarray of shape (h, w)
        Second feature.
    phases : ndarray of shape (h, w)
        Phase in radians, from −π to π.
    points : ndarray of shape (n, 2), default=None
        Rows to draw on top.
    labels : ndarray of shape (n,), default=None
        Class of each of them, or a number; see :class:`PhaseDisplay`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the last plot.
    mesh_ : matplotlib QuadMesh
        Landscape of the last plot.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skkuranet import KuraNetClusterer
    >>> from skkuranet.inspection import PhaseLandscapeDisplay
    >>> X, y = make_moons(100, noise=0.05, random_state=0)
    >>> clusterer = KuraNetClusterer(max_iter=50, random_state=0).fit(X, y)
    >>> display = PhaseLandscapeDisplay.from_estimator(clusterer, X, y)
    """

    def __init__(self, grid_x, grid_y, phases, *, points=None, labels=None):
        self.grid_x = grid_x
        self.grid_y = grid_y
        self.phases = phases
        self.points = points
        self.labels = labels

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, grid_resolution=200, margin=0.5, ax=None, **pcolormesh_kwargs
    ):
        """Lock the points of a grid to a fitted estimator's reference network, and plot them.

        Parameters
        ----------
        estimator : estimator instance
            A fitted estimator with ``transform`` to phasors, or a pipeline or search that ends in
            one. It takes two features; the grid is one of X as a pipeline is given it.
        X : array-like of shape (n_samples, 2)
            Rows to draw; the grid reaches ``margin`` beyond them.
        y : array-like of shape (n_samples,), default=None
            Their classes.
        grid_resolution : int, default=200
            Points of the grid in each direction.
        margin : float, default=0.5
            How far the grid reaches beyond X, in units of the features.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **pcolormesh_kwargs : dict
            Passed to ``Axes.pcolormesh``.

        Returns
        -------
        PhaseLandscapeDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If X does not have two features.
        """
        model, before = asked(cls, estimator, "transform")
        grid_resolution = whole_number(grid_resolution, "grid_resolution", most=_FINEST)
        margin = finite_number(margin, "margin")
        if abs(margin) >= FARTHEST:
            raise ValueError(f"margin must be below {FARTHEST:g}, got {margin:g}.")
        points = array_of(X, "X")
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise ValueError(
                f"A phase landscape needs X with two features, got shape {points.shape}. Fit to "
                "two columns or a projection, or plot a PhaseDisplay instead."
            )
        check_rows(y, len(points))
        low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
        sides = [np.linspace(a, b, grid_resolution) for a, b in zip(low, high, strict=True)]
        grid_x, grid_y = np.meshgrid(*sides)
        grid = np.column_stack((grid_x.ravel(), grid_y.ravel()))
        if hasattr(X, "columns"):
            # The same kind of data frame, so that the estimator finds its feature names.
            grid = type(X)(dict(zip(X.columns, grid.T, strict=True)))
        phasors = np.asarray(on_host(model.transform(before(as_given(grid, X)))))
        phases = np.arctan2(phasors[:, 1], phasors[:, 0]).reshape(grid_x.shape)
        display = cls(grid_x, grid_y, phases, points=points, labels=on_host(y))
        return display.plot(ax=ax, **pcolormesh_kwargs)

    def plot(self, *, ax=None, **pcolormesh_kwargs):
        """Plot the landscape.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **pcolormesh_kwargs : dict
            Passed to ``Axes.pcolormesh``.

        Returns
        -------
        PhaseLandscapeDisplay
            The display itself.
        """
        phases = numbers(self.phases, "phases", (None, None), "one for each point of the grid")
        if not phases.size:
            raise ValueError("phases must have a point of the grid at least.")
        grid = []
        for name, side in (("grid_x", phases.shape[1]), ("grid_y", phases.shape[0])):
            # Of a grid that is regular, one row or column is enough.
            shape = (side,) if array_of(getattr(self, name), name).ndim == 1 else phases.shape
            grid.append(numbers(getattr(self, name), name, shape, "as phases have"))
        points = labels = None
        if self.points is not None:
            points = numbers(self.points, "points", (None, 2), "two features of each")
            labels = np.zeros(len(points))
            if self.labels is not None:
                labels = labels_of(self.labels, "labels", len(points))
        ax = axes_of(self, ax)
        settings = {**PHASE_COLOURS, "rasterized": True, **pcolormesh_kwargs}
        self.mesh_ = ax.pcolormesh(*grid, phases, **settings)
        phase_bar(ax, self.mesh_)
        if points is not None:
            marks = {"s": 8, "edgecolors": "k", "linewidths": 0.3}
            scatter(ax, *points.T, labels, named=False, **marks)
        return self
