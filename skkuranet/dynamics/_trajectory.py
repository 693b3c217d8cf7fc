"""Phases through time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skkuranet.dynamics._locking import wrap
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
    phases : Tensor or ndarray of shape (T, ..., n), or None
        Phases in radians, not wrapped; None where units have no phase.
    states : Tensor or ndarray of shape (T, ..., state_shape, n), optional
        States; by default the phases.
    """

    times: Array
    phases: Array
    states: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.states is None:
            object.__setattr__(self, "states", self.phases)

    def __repr__(self) -> str:
        if self.phases is None:
            n_times, *_, n = self.states.shape
            return f"Trajectory({_counted('time', n_times)}, {_counted('unit', n)} without phases)"
        n_times, *batch, n = self.phases.shape
        parts = [_counted("time", n_times), _counted("oscillator", n)]
        if batch:
            parts[1] = f"{_counted('network', *batch)} of {parts[1]}"
        if n_times:
            first, last = (f"{float(self.times[end]):g}" for end in (0, -1))
            parts[0] += f" from {first} to {last}" if n_times > 1 else f" at {last}"
        if n_times and n and 0 not in batch:
            # Only the last state is looked at, as a trajectory may be large.
            state = self.phases[-1]
            if isinstance(state, Tensor):
                state = state.detach().float()
            order = Trajectory(self.times[-1], state).order_parameter()
            low, high = (f"{float(value):.3f}" for value in (order.min(), order.max()))
            parts.append(f"R={low if low == high else f'{low} to {high}'} at the end")
        return f"Trajectory({', '.join(parts)})"

    def order_parameter(self) -> Array:
        r"""Return the order parameter :math:`R(t) = |\langle e^{i\theta(t)} \rangle|` (eq. 2).

        Returns
        -------
        Tensor or ndarray of shape (T, ...)
            1 for global synchrony, 0 for phases that balance.

        Raises
        ------
        TypeError
            If units have no phases.
        """
        self._check_phases("order parameter")
        if isinstance(self.phases, Tensor):
            return mean_field(self.phases).abs()
        return np.hypot(np.cos(self.phases).mean(-1), np.sin(self.phases).mean(-1))

    def effective_frequency(self) -> Array:
        r"""Return how fast each oscillator has turned on average, :math:`\Delta\theta/\Delta t`.

        Returns
        -------
        Tensor or ndarray of shape (..., n)
            In radians per unit of time, over all the times that were kept.

        Raises
        ------
        TypeError
            If units have no phases.
        ValueError
            If only one time was kept.
        """
        self._check_phases("effective frequency")
        if len(self.times) < 2:
            raise ValueError("An effective frequency needs two times; lower save_from.")
        turned: Array = self.phases[-1] - self.phases[0]
        return turned / float(self.times[-1] - self.times[0])

    def locked(self, tolerance: float = 0.1) -> Array:
        r"""Tell the oscillators that turn with the mean field from those that drift.

        Parameters
        ----------
        tolerance : float, default=0.1
            Angle in radians by which a locked oscillator may have moved against the mean
            field over all the times that were kept. One that drifts slips by whole turns.

        Returns
        -------
        Tensor or ndarray of shape (..., n), bool
            Whether each oscillator is locked.

        Raises
        ------
        TypeError
            If units have no phases.
        """
        self._check_phases("locking")
        against = self.phases - self.mean_phase()[..., None]
        turned: Array = against[-1] - against[0]
        return abs(turned) <= tolerance

    def mean_phase(self) -> Array:
        """Return the phase of the mean field through time, not wrapped.

        Returns
        -------
        Tensor or ndarray of shape (T, ...)
            In radians.

        Raises
        ------
        TypeError
            If units have no phases.
        """
        self._check_phases("mean phase")
        # In the frame of the median oscillator: a network may turn by more than π a step.
        if isinstance(self.phases, Tensor):
            middle = self.phases.median(-1).values
            turned = middle - middle[0]
            angle = mean_field(self.phases - turned.unsqueeze(-1)).angle()
            return turned + torch.cat((angle[:1], angle[:1] + wrap(angle.diff(dim=0)).cumsum(0)))
        middle = np.median(self.phases, axis=-1)
        turned = middle - middle[0]
        phases = self.phases - turned[..., None]
        angle = np.arctan2(np.sin(phases).mean(-1), np.cos(phases).mean(-1))
        return turned + np.unwrap(angle, axis=0)

    def _check_phases(self, what: str) -> None:
        if self.phases is None:
            raise TypeError(f"These units have no phases, and so no {what}; see states.")

    def to(self, device: torch.device) -> Trajectory[Tensor]:
        """Return the same trajectory with tensors on a device.

        Parameters
        ----------
        device : torch.device
            Where they are wanted.

        Returns
        -------
        Trajectory
        """
        times, states = (torch.as_tensor(a, device=device) for a in (self.times, self.states))
        if self.phases is None or self.phases is self.states:
            # Units without phases have a trajectory without them.
            return Trajectory(times, None if self.phases is None else states, states)
        return Trajectory(times, torch.as_tensor(self.phases, device=device), states)

    def numpy(self) -> Trajectory[NDArray[Any]]:
        """Return the same trajectory in NumPy arrays.

        Returns
        -------
        Trajectory
            Copies where gradients may still be wanted of the tensors, and else their memory.
        """

        def array(a: Any) -> Any:
            if not isinstance(a, Tensor):
                return a
            return (a.detach().clone() if a.requires_grad else a).cpu().numpy()

        phases = array(self.phases)
        states = phases if self.states is self.phases else array(self.states)
        return Trajectory(array(self.times), phases, states)


def _counted(what: str, *numbers: int) -> str:
    return f"{' x '.join(map(str, numbers))} {what}{'' if math.prod(numbers) == 1 else 's'}"
