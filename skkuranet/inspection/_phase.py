"""Phases on the circle."""

from __future__ import annotations

import numpy as np

from skkuranet.inspection._base import asked, axes_of
from skkuranet.inspection._colours import scatter
from skkuranet.inspection._given import check_rows, labels_of, numbers

# Oscillators in phase would cover one another; a fixed spread of radii shows them.
_SPREAD = 0.06


class PhaseDisplay:
    """Oscillators on the unit circle and the mean field of each class (Fig. 3D-F).

    Make one with :meth:`from_estimator`, or from phases of your own.

    Labels are classes, each with a colour and a mean field of its own, or numbers on a continuous
    scale, with one mean field of all. They are numbers if they are floating-point and not all
    whole, or if more than fifty differ; names are always classes.

    Parameters
    ----------
    phases : ndarray of shape (n,)
        Phases in radians.
    labels : ndarray of shape (n,), default=None
        Class of each oscillator, or a number such as its natural frequency; the name of a pandas
        series is that of the colour bar. None for a single class.

    Attributes
    ----------
    arrows_ : list of matplotlib Annotation
        Mean fields of the last plot.
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the last plot.
    legend_ : matplotlib Legend, Colorbar or None
        What explains the colours of the last plot.
    points_ : list of matplotlib PathCollection
        Oscillators of the last plot, of each class if there are classes.

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
            Classes, or numbers, that colour the oscillators.
        random_state : int, RandomState instance or None, default=None
            Source of the initial phases; None takes the estimator's.
        legend : bool, default=True
            Whether colours are explained: in a legend, or along a colour bar if there are more
            than ten classes, or numbers.
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
        check_rows(y, len(limit))
        return cls(limit, labels=y).plot(legend=legend, ax=ax, **scatter_kwargs)

    def plot(self, *, legend=True, ax=None, **scatter_kwargs):
        """Plot the phases.

        Parameters
        ----------
        legend : bool, default=True
            Whether colours are explained: in a legend, or along a colour bar if there are more
            than ten classes, or numbers.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **scatter_kwargs : dict
            Passed to ``Axes.scatter``.

        Returns
        -------
        PhaseDisplay
            The display itself.
        """
        phases = numbers(
            self.phases, "phases", (None,), "those of one time, such as the last of a trajectory"
        )
        if not phases.size:
            raise ValueError("phases must hold one oscillator at least.")
        if self.labels is not None:
            labels_of(self.labels, "labels", len(phases))
        ax = axes_of(self, ax)
        angle = np.linspace(0.0, 2.0 * np.pi, 200)
        ax.plot(np.cos(angle), np.sin(angle), color="0.8", linewidth=1.0, zorder=0)
        ax.set(aspect="equal", xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), xticks=[], yticks=[])
        self.points_, self._groups, self.legend_ = scatter(
            ax,
            *_places(phases).T,
            self.labels,
            named=legend and self.labels is not None,
            **{"s": 8, "linewidths": 0, **scatter_kwargs},
        )
        self.arrows_ = []
        for own, points in zip(self._groups, self.points_, strict=True):
            # Points of one class have one colour, those of numbers have many.
            colour = points.get_facecolor()[0] if points.get_array() is None else "0.2"
            arrow = {"arrowstyle": "-|>", "color": colour, "lw": 2}
            tip = _mean_field(phases[own])
            self.arrows_.append(ax.annotate("", tip, (0.0, 0.0), arrowprops=arrow))
        return self

    def move(self, phases):
        """Move the oscillators of the last plot, and their mean fields, to other phases.

        Parameters
        ----------
        phases : array-like of shape (n,)
            Phases in radians.

        Returns
        -------
        PhaseDisplay
            The display itself.

        Raises
        ------
        RuntimeError
            If there is no plot yet.
        ValueError
            If there are not as many phases as oscillators.
        """
        if not hasattr(self, "points_"):
            raise RuntimeError("There is no plot whose oscillators could move; call plot first.")
        phases = numbers(phases, "phases", np.shape(self.phases), "one for each oscillator")
        self.phases = phases
        places = _places(phases)
        for own, points, arrow in zip(self._groups, self.points_, self.arrows_, strict=True):
            points.set_offsets(places[own])
            arrow.xy = _mean_field(phases[own])
        return self


def _places(phases):
    """Return points beside the unit circle, (n, 2)."""
    radius = 1.0 + _SPREAD * (2.0 * np.modf(np.arange(len(phases)) * 0.618034)[0] - 1.0)
    return np.column_stack((radius * np.cos(phases), radius * np.sin(phases)))


def _mean_field(phases):
    return np.cos(phases).mean(), np.sin(phases).mean()
