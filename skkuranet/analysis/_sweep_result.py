"""What a sweep has found."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from skkuranet._utils.messages import plain

Array = NDArray[Any]


@dataclass(frozen=True, repr=False)
class SweepBranch:
    """What a sweep has found on its way in one direction.

    Parameters
    ----------
    means : dict of str to ndarray of shape (V, n_repeats, ...)
        Means of each measure through time.
    deviations : dict of str to ndarray of shape (V, n_repeats, ...)
        Standard deviations through time; NaN for a measure of the whole time.
    states : ndarray of shape (V, n_repeats, ..., state_shape, n)
        Last states.

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import sweep
    >>> network = OscillatorNetwork([[0.0, 1.0], [1.0, 0.0]], frequency=[0.2, 0.8])
    >>> strengths = [0.1, 1.0]
    >>> found = sweep(network, "coupling_scale", strengths, continuation="both", random_state=0)
    >>> sorted(found.branches)
    ['down', 'up']
    >>> list(found.branches["up"].means)
    ['order_parameter']
    """

    means: Mapping[str, Array]
    deviations: Mapping[str, Array]
    states: Array

    def __repr__(self) -> str:
        n_values, n_repeats = self.states.shape[:2]
        return f"SweepBranch({n_values} values, {n_repeats} repeats of {', '.join(self.means)})"

    def mean(self, measure: str | None = None) -> Array:
        """Return means of a measure through time and over repeats.

        Parameters
        ----------
        measure : str, optional
            By default the first.

        Returns
        -------
        ndarray of shape (V, ...)
        """
        return self._of(self.means, measure).mean(1)

    def spread(self, measure: str | None = None) -> Array:
        """Return standard deviations of the means of repeats.

        Parameters
        ----------
        measure : str, optional
            By default the first.

        Returns
        -------
        ndarray of shape (V, ...)
        """
        return self._of(self.means, measure).std(1)

    def fluctuation(self, measure: str | None = None) -> Array:
        """Return standard deviations through time, as means over repeats.

        Parameters
        ----------
        measure : str, optional
            By default the first.

        Returns
        -------
        ndarray of shape (V, ...)
            Largest near a transition.
        """
        return self._of(self.deviations, measure).mean(1)

    def _of(self, known: Mapping[str, Array], measure: str | None) -> Array:
        name = next(iter(known)) if measure is None else measure
        if name not in known:
            raise ValueError(f"measure must be one of {list(known)}, got {plain(measure)}.")
        return known[name]


def _of_the_only_branch(name: str) -> Callable[..., Array]:
    """Return the method of branches, for a sweep that has one."""
    of_branch = getattr(SweepBranch, name)

    @functools.wraps(of_branch)
    def of_sweep(self: Sweep, measure: str | None = None) -> Array:
        found: Array = of_branch(self.only, measure)
        return found

    return of_sweep


@dataclass(frozen=True, repr=False)
class Sweep:
    """A network at many values of one of its parameters.

    Parameters
    ----------
    parameter : str
        What was changed.
    values : ndarray of shape (V,) or (V, n)
        Its values.
    branches : dict of str to SweepBranch
        By direction, "up" and "down", or "independent"; each in the order of the values.

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import sweep
    >>> network = OscillatorNetwork([[0.0, 1.0], [1.0, 0.0]], frequency=[0.2, 0.8])
    >>> found = sweep(network, "coupling_scale", [0.1, 1.0], n_steps=200, random_state=0)
    >>> found.values
    array([0.1, 1. ])
    >>> bool(found.mean()[1] > 0.9)
    True
    """

    parameter: str
    values: Array
    branches: Mapping[str, SweepBranch]

    def __repr__(self) -> str:
        first = next(iter(self.branches.values()))
        n_repeats = first.states.shape[1]
        many = f"{len(self.values)} value{'s' if len(self.values) > 1 else ''} of {self.parameter}"
        if self.values.ndim == 1 and len(self.values) > 1:
            many += f" from {self.values[0]:g} to {self.values[-1]:g}"
        ways = [way for way in self.branches if way != "independent"]
        parts = [many, *([" and ".join(ways)] if ways else []), *first.means]
        return f"Sweep({', '.join(parts)}, {n_repeats} repeat{'s' if n_repeats > 1 else ''})"

    @property
    def up(self) -> SweepBranch:
        """The way on which values rise."""
        return self._branch("up")

    @property
    def down(self) -> SweepBranch:
        """The way on which values fall; in the order of :attr:`values`, too."""
        return self._branch("down")

    @property
    def only(self) -> SweepBranch:
        """The branch of a sweep that has one."""
        if len(self.branches) > 1:
            raise ValueError("This sweep has two directions: ask for its .up or its .down.")
        return next(iter(self.branches.values()))

    mean = _of_the_only_branch("mean")
    spread = _of_the_only_branch("spread")
    fluctuation = _of_the_only_branch("fluctuation")

    def hysteresis(self, measure: str | None = None) -> Array:
        r"""Return the area between the two directions, :math:`\int (\text{down} - \text{up})`.

        Parameters
        ----------
        measure : str, optional
            By default the first.

        Returns
        -------
        ndarray of shape (n_repeats, ...)
            In units of the measure times the parameter; about 0 where there is no hysteresis.

        Raises
        ------
        ValueError
            If there is one direction only, or values are not numbers.
        """
        if self.values.ndim > 1:
            raise ValueError("An area needs values that are numbers, (V,), not one for each node.")
        name = next(iter(self.up.means)) if measure is None else measure
        gap = self.down._of(self.down.means, name) - self.up._of(self.up.means, name)
        return trapezoid(gap, self.values, axis=0)

    def to_dataframe(self) -> Any:
        """Return one row for each direction, value, repeat and network of a batch.

        Returns
        -------
        DataFrame
            Columns "direction", the parameter (the number of the value, where values are one for
            each node), "repeat", "network" for a batch, and mean and deviation of each measure.
        """
        import pandas as pd

        tables = []
        for way, branch in self.branches.items():
            shape = next(iter(branch.means.values())).shape
            value, repeat, *network = (axis.ravel() for axis in np.indices(shape))
            columns = {
                "direction": [way] * len(value),
                self.parameter: self.values[value] if self.values.ndim == 1 else value,
                "repeat": repeat,
            }
            if network:
                columns["network"] = np.ravel_multi_index(network, shape[2:])
            for name in branch.means:
                columns[name] = branch.means[name].ravel()
                columns[f"{name}_deviation"] = branch.deviations[name].ravel()
            tables.append(pd.DataFrame(columns))
        return pd.concat(tables, ignore_index=True)

    def _branch(self, way: str) -> SweepBranch:
        if way not in self.branches:
            known = " and ".join(self.branches)
            raise ValueError(
                f"This sweep has no direction {way!r}, only {known}. Pass "
                f"continuation={way!r} or 'both' to sweep."
            )
        return self.branches[way]
