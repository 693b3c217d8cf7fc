"""Single numbers as users bring them: counts, times and shares."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
from torch import Tensor

from skkuranet._utils.messages import plain

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
    wanted = f"a whole number from {least} {'on' if most is None else f'to {most}'}"
    number = _real(value, name, wanted)
    whole = isinstance(number, Integral) or float(number).is_integer()
    if not whole or number < least or (most is not None and number > most):
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
    wanted = "above 0 and finite" if finite else "above 0"
    if not 0.0 < number <= (LARGEST if finite else math.inf):
        raise ValueError(f"{name} must be {wanted}, got {plain(value)[:60]}.")
    return float(number)


def _real(value: Any, name: str, kind: str) -> Any:
    number = value
    if isinstance(value, np.generic) or (isinstance(value, (np.ndarray, Tensor)) and not value.ndim):
        number = value.item()
    if not isinstance(number, Real):
        raise TypeError(f"{name} must be {kind}, got {type(value).__name__} {plain(value)[:60]}.")
    return number
