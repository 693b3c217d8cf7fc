"""Phases on the circle."""

from __future__ import annotations

import numpy as np

from skkuranet.estimators._arrays import on_host
from skkuranet.inspection._base import asked, axes_of, colours, name_classes

# Oscillators in phase would cover one another; a fixed spread of radii shows them.
_SPREAD = 0.06


class PhaseDisplay:
    """Oscillators on the unit circle and the mean field of each class (Fig. 3D-F).

    Make one with :meth:`from_estimator`, or from phases of your own.

    Parameters
    ----------
    phases : ndarray of shape (n,)
        Phases in radians.
    labels : ndarray of shape (n,), default=None
        Class of each oscillator; None for a single class.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the last plot.
    legend_ : matplotlib Legend, Colorbar or None
        What names the classes in the last plot.

    Examples
    --------
    >>> from skkuranet.inspection import PhaseDisplay
    >>> display = PhaseDisplay([0.0, 0.1, 3.1, 3.2], labels=["p", "p", "q", "q"]).plot()
    """

    def __init__(self, phases, *, labels=None):
        self.phases = phases
        self.labels = labels

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, random_state=None, legend=True, ax=None, **scatter_kwargs
    ):
        """Simulate the rows of X as one network and plot its phases at the limit.

        Parameters
        ----------
        estimator : estimator instance
            A fitted estimator with ``simulate``, or a pipeline or search that ends in one.
        X : array-like of shape (n_samples, n_features)
            Node features.
        y : array-like of shape (n_samples,), default=None
            Classes that colour the oscillators.
        random_state : int, RandomState instance or None, default=None
            Source of the initial phases; None takes the estimator's.
        legend : bool, default=True
            Whether classes are named: in a legend, or along a colour bar if there are more than
            ten.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **scatter_kwargs : dict
            Passed to ``Axes.scatter``.

        Returns
        -------
        PhaseDisplay
            The display, plotted.
        """
        model, before = asked(cls, estimator, "simulate")
        limit = model.simulate(before(X), random_state=random_state).phases[-1]
        return cls(limit, labels=y).plot(legend=legend, ax=ax, **scatter_kwargs)

    def plot(self, *, legend=True, ax=None, **scatter_kwargs):
        """Plot the phases.

        Parameters
        ----------
        legend : bool, default=True
            Whether classes are named: in a legend, or along a colour bar if there are more than
            ten.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **scatter_kwargs : dict
            Passed to ``Axes.scatter``.

        Returns
        -------
        PhaseDisplay
            The display itself.
        """
        ax = axes_of(self, ax)
        phases = np.asarray(on_host(self.phases))
        labels = np.zeros(len(phases)) if self.labels is None else np.asarray(on_host(self.labels))
        angle = np.linspace(0.0, 2.0 * np.pi, 200)
        ax.plot(np.cos(angle), np.sin(angle), color="0.8", linewidth=1.0, zorder=0)
        radius = 1.0 + _SPREAD * (2.0 * np.modf(np.arange(len(phases)) * 0.618034)[0] - 1.0)
        settings = {"s": 8, "linewidths": 0, **scatter_kwargs}
        classes, palette = colours(labels)
        for label, colour in zip(classes, palette, strict=True):
            own = labels == label
            x, y = radius[own] * np.cos(phases[own]), radius[own] * np.sin(phases[own])
            ax.scatter(x, y, **{"color": [colour], "label": str(label), **settings})
            field = np.cos(phases[own]).mean(), np.sin(phases[own]).mean()
            ax.annotate(
                "", field, (0.0, 0.0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2}
            )
        ax.set(aspect="equal", xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), xticks=[], yticks=[])
        named = legend and self.labels is not None
        self.legend_ = name_classes(ax, classes, palette) if named else None
        return self
