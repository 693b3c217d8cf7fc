"""Eigenvalues of a Jacobian, and Lyapunov exponents."""

from __future__ import annotations

import numpy as np

from skkuranet._utils.scalars import finite_number
from skkuranet.inspection._base import axes_of
from skkuranet.inspection._given import check_option, complex_numbers


class SpectrumDisplay:
    """Whether a state is stable: eigenvalues in the complex plane, or Lyapunov exponents.

    Parameters
    ----------
    values : array-like of shape (m,)
        Eigenvalues of the Jacobian, complex or real, or Lyapunov exponents, which are real.
    kind : {"eigenvalues", "exponents"}, default="eigenvalues"
        What they are. Eigenvalues have their place in the complex plane; exponents are drawn from
        the largest to the smallest.
    tolerance : float, default=1e-6
        Share of the largest absolute value up to which a real part counts as 0: phases may all turn
        together, so that one is 0 but for rounding. Exponents are averages over a limited time, and
        may need more.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the last plot.
    points_ : list of matplotlib PathCollection
        Those that decay, stay and grow, in this order and as far as there are any.

    Examples
    --------
    >>> from skkuranet.inspection import SpectrumDisplay
    >>> display = SpectrumDisplay([-1.0 + 2.0j, -1.0 - 2.0j, 0.0, 0.5]).plot()
    >>> [points.get_label() for points in display.points_]
    ['2 decay', '1 stays', '1 grows']
    """

    def __init__(self, values, *, kind="eigenvalues", tolerance=1e-6):
        self.values = values
        self.kind = kind
        self.tolerance = tolerance

    def plot(self, *, legend=True, ax=None, **scatter_kwargs):
        """Plot the spectrum.

        Parameters
        ----------
        legend : bool, default=True
            Whether colours are named, and how many values have each.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **scatter_kwargs : dict
            Passed to ``Axes.scatter``.

        Returns
        -------
        SpectrumDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there is no such kind, or values are not an array of one axis, finite and, where
            they are exponents, real.
        """
        check_option(self.kind, "kind", _PLACES)
        values = complex_numbers(self.values, "values")
        if not values.size:
            raise ValueError("values must hold one number at least.")
        tolerance = finite_number(self.tolerance, "tolerance")
        x, y, growth = _PLACES[self.kind](values)
        ax = axes_of(self, ax)
        bound = tolerance * np.abs(values).max()
        groups = (
            (growth < -bound, "tab:blue", ("decays", "decay")),
            (np.abs(growth) <= bound, "0.3", ("stays", "stay")),
            (growth > bound, "tab:red", ("grows", "grow")),
        )
        self.points_ = []
        for own, colour, (one, many) in groups:
            if own.any():
                label = f"{own.sum()} {one if own.sum() == 1 else many}"
                look = {"s": 16, "color": colour, "label": label, "zorder": 2, **scatter_kwargs}
                self.points_.append(ax.scatter(x[own], y[own], **look))
        _AXES[self.kind](ax)
        if legend:
            ax.legend()
        return self


def _in_the_plane(values):
    """Return places of eigenvalues, and what says whether they grow."""
    return values.real, values.imag, values.real


def _in_order(values):
    """Return places of exponents, the largest first."""
    if np.iscomplexobj(values):
        raise ValueError("Lyapunov exponents are real; set kind='eigenvalues'.")
    values = np.sort(values)[::-1]
    return np.arange(1, len(values) + 1), values, values


def _plane(ax):
    ax.axvline(0.0, color="0.7", linewidth=1.0, zorder=0)
    ax.axhline(0.0, color="0.9", linewidth=1.0, zorder=0)
    ax.set(xlabel="real part: rate of growth", ylabel="imaginary part: frequency")


def _ranks(ax):
    ax.axhline(0.0, color="0.7", linewidth=1.0, zorder=0)
    ax.set(xlabel="number, the largest first", ylabel="Lyapunov exponent")


_PLACES = {"eigenvalues": _in_the_plane, "exponents": _in_order}
_AXES = {"eigenvalues": _plane, "exponents": _ranks}
