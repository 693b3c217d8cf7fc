"""Single numbers as users bring them: counts, times and shares."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
from torch import Tensor

from skkuranet._utils.messages import plain

# No number of double precision is larger.
LARGEST = np.finfo(np.float64).max


def whole_number(value: Any, name: str, *, least: int = 1, most: int | None = None) -> int:
    """Return a whole number from ``least`` to ``most``.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If it is not whole, too small or too large.
    """
    number = _real(value, name, "a whole number")
    wanted = None
    if not isinstance(number, Integral) and not float(number).is_integer():
        wanted = "a whole number"
    elif number < least:
        wanted = f"at least {least}"
    elif most is not None and number > most:
        wanted = f"at most {most}"
    if wanted is not None:
        raise ValueError(f"{name} must be {wanted}, got {plain(value)[:60]}.")
    return int(number)


def positive_number(value: Any, name: str, *, finite: bool = True) -> float:
    """Return a number above 0, which may be endless unless it has to be ``finite``.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If it is not.
    """
    number = _real(value, name, "a number")
    wanted = "positive and finite" if finite else "positive"
    if not 0.0 < number <= (LARGEST if finite else math.inf):
        raise ValueError(f"{name} must be {wanted}, got {plain(value)[:60]}.")
    return float(number)


def finite_number(value: Any, name: str) -> float:
    """Return a finite number.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If it is not finite.
    """
    number = _real(value, name, "a number")
    if not -LARGEST <= number <= LARGEST:
        raise ValueError(f"{name} must be finite, got {plain(value)[:60]}.")
    return float(number)


def _real(value: Any, name: str, kind: str) -> Any:
    single = isinstance(value, (np.ndarray, Tensor)) and value.ndim == 0
    number = value.item() if single or isinstance(value, np.generic) else value
    if not isinstance(number, Real) or np.ma.is_masked(value):
        raise TypeError(f"{name} must be {kind}, got {type(value).__name__} {plain(value)[:60]}.")
    return number
