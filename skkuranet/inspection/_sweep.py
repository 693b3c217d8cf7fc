"""What a network does as one of its parameters changes."""

from __future__ import annotations

import numpy as np

from skkuranet._utils.given import real_array
from skkuranet.estimators._arrays import on_host
from skkuranet.inspection._base import axes_of
from skkuranet.inspection._given import check_option, numbers

# Of the two directions: colour and marker, an arrow that points where the parameter goes.
_LOOKS = {
    "up": {"color": "tab:blue", "marker": ">"},
    "down": {"color": "tab:red", "marker": "<"},
}


class SweepDisplay:
    """A measure of a network against a parameter, on the way up and on the way down.

    Make one with :meth:`from_sweep`, or from arrays of your own.

    Parameters
    ----------
    values : array-like of shape (n_values,)
        Values of the parameter.
    up : array-like of shape (n_values,)
        The measure at each of them, as the parameter rises or without any direction.
    down : array-like of shape (n_values,), default=None
        The measure as it falls, in the order of ``values``; None if there is one direction.
    spread : array-like of shape (n_values,) or (2, n_values), default=None
        Standard deviation of repeats, of up and of down if there are both; drawn as a band.
    parameter : str, default="coupling scale"
        What is swept, for the axis.
    measure : str, default="order parameter R"
        What is measured, for the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    bands_ : list of matplotlib FillBetweenPolyCollection
        Spreads of the last plot.
    figure_ : matplotlib Figure
        Figure of the last plot.
    lines_ : list of matplotlib Line2D
        Up, and down if there is one, of the last plot.

    Examples
    --------
    >>> from skkuranet.inspection import SweepDisplay
    >>> display = SweepDisplay(
    ...     [0.5, 1.0, 1.5], [0.1, 0.2, 0.9], [0.1, 0.8, 0.9], spread=[[0.05] * 3, [0.02] * 3]
    ... )
    >>> [line.get_label() for line in display.plot().lines_]
    ['up', 'down']
    """

    def __init__(
        self,
        values,
        up,
        down=None,
        *,
        spread=None,
        parameter="coupling scale",
        measure="order parameter R",
    ):
        self.values = values
        self.up = up
        self.down = down
        self.spread = spread
        self.parameter = parameter
        self.measure = measure

    @classmethod
    def from_sweep(cls, sweep, measure=None, *, ax=None, **plot_kwargs):
        """Plot a sweep, with the spread of its repeats.

        Parameters
        ----------
        sweep : Sweep
            What ``skkuranet.analysis.sweep`` has found, in one direction or in both.
        measure : str, default=None
            Which of its measures; None for the first.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **plot_kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        SweepDisplay
            The display, plotted.
        """
        if not hasattr(sweep, "branches"):
            raise TypeError(
                f"sweep must be what skkuranet.analysis.sweep returns, got {type(sweep).__name__}."
            )
        branches = list(sweep.branches.values())
        if measure is not None:
            check_option(measure, "measure", branches[0].means)
        spread = np.stack([branch.spread(measure) for branch in branches])
        name = next(iter(branches[0].means)) if measure is None else measure
        display = cls(
            sweep.values,
            *(branch.mean(measure) for branch in branches),
            spread=spread,
            parameter=sweep.parameter.replace("_", " "),
            measure=name.replace("_", " "),
        )
        return display.plot(ax=ax, **plot_kwargs)

    def plot(self, *, legend=True, ax=None, **plot_kwargs):
        """Plot the sweep.

        Parameters
        ----------
        legend : bool, default=True
            Whether directions are named, if there are two.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **plot_kwargs : dict
            Passed to ``Axes.plot``.

        Returns
        -------
        SweepDisplay
            The display itself.

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        what = "the numbers along the axis. Of values for each node, pass one number each"
        values = numbers(self.values, "values", (None,), what)
        measures = {"up": self.up, "down": self.down}
        measures = {
            name: numbers(measured, name, values.shape, "as values have", holes=True)
            for name, measured in measures.items()
            if measured is not None or name == "up"
        }
        spreads = self._spreads((len(measures), len(values)))
        ax = axes_of(self, ax)
        self.lines_, self.bands_ = [], []
        for (name, measured), spread in zip(measures.items(), spreads, strict=True):
            look = {"markersize": 4, "label": name, **_LOOKS[name]}
            if len(measures) == 1:
                look |= {"marker": "o", "label": None}
            look |= plot_kwargs
            self.lines_ += ax.plot(values, measured, **look)
            if spread is not None:
                ends = measured - spread, measured + spread
                colour = self.lines_[-1].get_color()
                band = ax.fill_between(values, *ends, color=colour, alpha=0.2, linewidth=0)
                self.bands_.append(band)
        ax.set(xlabel=self.parameter, ylabel=self.measure)
        if legend and len(measures) > 1:
            ax.legend()
        return self

    def _spreads(self, shape):
        """Return one spread for each direction, or None for each."""
        if self.spread is None:
            return [None] * shape[0]
        spread = real_array(on_host(self.spread), "spread")
        if spread.shape not in (shape, shape[1:]) or (spread.ndim == 1 and shape[0] > 1):
            wanted = shape if shape[0] > 1 else shape[1:]
            raise ValueError(
                f"spread must have shape {wanted}, got {spread.shape}. Give one standard deviation "
                "for each value, of up and of down if there are both."
            )
        return np.atleast_2d(spread)
