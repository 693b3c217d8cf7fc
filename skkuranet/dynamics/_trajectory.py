"""Phases through time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from skkuranet.losses import mean_field

Array = TypeVar("Array", Tensor, NDArray[Any])


@dataclass(frozen=True)
class Trajectory(Generic[Array]):
    """Phases of a network through time.

    The torch core keeps tensors in it, the estimators NumPy arrays.

    Parameters
    ----------
    times : Tensor or ndarray of shape (T,)
        Times, in units of time.
    phases : Tensor or ndarray of shape (T, ..., n)
        Phases in radians, not wrapped.
    """

    times: Array
    phases: Array

    def order_parameter(self) -> Array:
        r"""Return the order parameter :math:`R(t) = |\langle e^{i\theta(t)} \rangle|` (eq. 2).

        Returns
        -------
        Tensor or ndarray of shape (T, ...)
            1 for global synchrony, 0 for phases that balance.
        """
        if isinstance(self.phases, Tensor):
            return mean_field(self.phases).abs()
        return np.hypot(np.cos(self.phases).mean(-1), np.sin(self.phases).mean(-1))

    def numpy(self) -> Trajectory[NDArray[Any]]:
        """Return the same trajectory in NumPy arrays.

        Returns
        -------
        Trajectory
        """
        return Trajectory(
            *(
                a.detach().cpu().numpy() if isinstance(a, Tensor) else a
                for a in (self.times, self.phases)
            )
        )
