"""What is measured of a trajectory, by name or by a function of the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skkuranet._utils.given import as_array
from skkuranet._utils.messages import plain
from skkuranet.dynamics import Trajectory

Array = NDArray[Any]
Measure = Callable[[Trajectory[Any]], Any]


def _order(path: Trajectory[Any]) -> Any:
    return path.order_parameter()


def _locked_share(path: Trajectory[Any]) -> Any:
    return as_array(path.locked()).mean(-1)


def _frequency_spread(path: Trajectory[Any]) -> Any:
    return as_array(path.effective_frequency()).std(-1)


#: Measures by name. Each takes a trajectory and returns numbers (T, ...), or (...) for all times.
MEASURES: dict[str, Measure] = {
    "order_parameter": _order,
    "locked_share": _locked_share,
    "frequency_spread": _frequency_spread,
}


def measures_of(measure: Any) -> dict[str, Measure]:
    """Return measures by name, of one or several that are given by name or function.

    Raises
    ------
    ValueError
        If there is no measure of this name, or none at all.
    """
    if isinstance(measure, Mapping):
        if not measure:
            raise ValueError("measure must hold one measure at least.")
        return {str(name): _measure(one) for name, one in measure.items()}
    name = measure if isinstance(measure, str) else getattr(measure, "__name__", "measure")
    return {name: _measure(measure)}


def _measure(measure: Any) -> Measure:
    if callable(measure):
        return measure
    if isinstance(measure, str) and measure in MEASURES:
        return MEASURES[measure]
    raise ValueError(
        f"measure must be one of {sorted(MEASURES)}, a function of a Trajectory or a dict of "
        f"these, got {plain(measure)}."
    )


def averaged(
    measure: Measure, name: str, path: Trajectory[Any], batch: tuple[int, ...]
) -> tuple[Array, Array]:
    """Return mean and standard deviation of a measure through time, of a batch of networks.

    The deviation is NaN for a measure that has one value for all times.

    Raises
    ------
    ValueError
        If the measure returns another shape.
    """
    found = np.asarray(as_array(measure(path)), dtype=np.float64)
    if found.shape == (len(path.times), *batch):
        return found.mean(0), found.std(0)
    if found.shape == batch:
        return found, np.full(batch, np.nan)
    raise ValueError(
        f"The measure {name!r} must return shape {(len(path.times), *batch)}, one number for each "
        f"time and network, or {batch}, got {found.shape}."
    )
