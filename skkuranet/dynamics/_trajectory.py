"""Phases through time."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from skkuranet.losses import mean_field


@dataclass(frozen=True)
class Trajectory:
    """Phases of a network through time.

    Parameters
    ----------
    times : Tensor of shape (T,)
        Times, in units of time.
    phases : Tensor of shape (T, ..., n)
        Phases in radians, not wrapped.
    """

    times: Tensor
    phases: Tensor

    def order_parameter(self) -> Tensor:
        """Return R(t) = |⟨exp(i θ(t))⟩|, of shape (T, ...)."""
        return mean_field(self.phases).abs()
