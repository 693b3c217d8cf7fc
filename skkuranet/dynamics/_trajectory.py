"""Phases through time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from skkuranet.losses import mean_field

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Trajectory:
    """Phases of a network through time.

    The torch core keeps tensors in it, the estimators NumPy arrays.

    Parameters
    ----------
    times : Tensor or ndarray of shape (T,)
        Times, in units of time.
    phases : Tensor or ndarray of shape (T, ..., n)
        Phases in radians, not wrapped.
    """

    times: Tensor | NDArray[Any]
    phases: Tensor | NDArray[Any]

    def order_parameter(self) -> Tensor | NDArray[Any]:
        """Return R(t) = |⟨exp(i θ(t))⟩|, of shape (T, ...).

        Returns
        -------
        Tensor or ndarray of shape (T, ...)
            1 for global synchrony, 0 for phases that balance.
        """
        if isinstance(self.phases, Tensor):
            return mean_field(self.phases).abs()
        return np.hypot(np.cos(self.phases).mean(-1), np.sin(self.phases).mean(-1))

    def numpy(self) -> Trajectory:
        """Return the same trajectory in NumPy arrays.

        Returns
        -------
        Trajectory
        """
        if not isinstance(self.phases, Tensor) or not isinstance(self.times, Tensor):
            return self
        return Trajectory(self.times.cpu().numpy(), self.phases.detach().cpu().numpy())
