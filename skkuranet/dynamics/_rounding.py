"""How far rounding turns phases that grow."""

from __future__ import annotations

import torch
from torch import Tensor

from skkuranet._utils.messages import warn_caller

# Radians that nobody would notice in how nodes turn, and in where they are.
_BY_STEPS, _BY_ONE = 1.0, 0.05


def is_lost(reach: float, n_steps: int, dtype: torch.dtype) -> bool:
    """Say whether a type of numbers is too coarse for phases that grow in steps.

    Parameters
    ----------
    reach : float
        Largest phase at the end, in radians.
    n_steps : int
        Steps that it is the sum of.
    dtype : torch.dtype
        Type of the phases.

    Returns
    -------
    bool
    """
    one = _rounded_by(reach, dtype)
    # Each step of a node that turns evenly may be rounded to the same side.
    return one > _BY_ONE or one * n_steps > _BY_STEPS


def warn_if_lost(phases: Tensor | None, n_steps: int) -> None:
    """Warn where phases at the end of some steps were too large for their type of numbers."""
    if phases is None or not phases.numel():
        return
    reach = float(phases.detach().abs().max())
    if is_lost(reach, n_steps, phases.dtype):
        name = str(phases.dtype).removeprefix("torch.")
        warn_caller(
            f"Phases reach {reach:.2g} rad, where {name} rounds them by "
            f"{_rounded_by(reach, phases.dtype):.1g} rad in each step. Use double precision, or "
            "leave out a frequency that all have in common.",
            UserWarning,
        )


def _rounded_by(reach: float, dtype: torch.dtype) -> float:
    return reach * torch.finfo(dtype).eps / 2
