"""Phases through time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skkuranet._utils.given import as_array, as_labels
from skkuranet._utils.scalars import positive_number
from skkuranet.coupling import product
from skkuranet.coupling._given import read_couplings
from skkuranet.dynamics import _trajectory_files as _files
from skkuranet.dynamics._dynamics import Dynamics
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
    names : sequence, optional
        Labels of the nodes.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.dynamics import Trajectory
    >>> times = np.arange(0.0, 10.0, 0.1)
    >>> path = Trajectory(times, np.stack([times, times + 1.0], axis=1))
    >>> path
    Trajectory(100 times from 0 to 9.9, 2 oscillators, R=0.878 at the end)
    >>> path.effective_frequency().round(3)
    array([1., 1.])
    """

    times: Array
    phases: Array
    states: Array = None  # type: ignore[assignment]
    names: Sequence[Any] | None = None

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
        return self._like(mean_field(self._tensor("order parameter")).abs())

    def group_order(self, labels: Any) -> Array:
        r"""Return the order parameter of each group of oscillators.

        Parameters
        ----------
        labels : array-like of shape (n,)
            Group of each oscillator.

        Returns
        -------
        Tensor or ndarray of shape (T, ..., n_groups)
            In the order of the sorted labels.

        Raises
        ------
        TypeError
            If units have no phases.
        ValueError
            If there is not one label for each oscillator.
        """
        phases, labels = self._tensor("order of groups"), as_labels(labels, "labels")
        if labels.shape != phases.shape[-1:]:
            raise ValueError(
                f"labels must have shape {tuple(phases.shape[-1:])}, one for each oscillator, got "
                f"{labels.shape}."
            )
        known, names = ~np.ma.getmaskarray(labels), np.ma.getdata(labels)
        if not known.any():
            raise ValueError("labels has masked entries alone. Leave some of them known.")
        groups = [np.flatnonzero(known & (names == label)) for label in np.unique(names[known])]
        orders = [mean_field(phases[..., group]).abs() for group in groups]
        return self._like(torch.stack(orders, -1))

    def local_order(self, K: Any) -> Array:
        r"""Return how much the neighbours of each oscillator agree.

        .. math:: R_i = \Bigl|\sum_j K_{ij} e^{i\theta_j}\Bigr| \Big/ \sum_j |K_{ij}|

        Parameters
        ----------
        K : array-like, Tensor, sparse matrix, DataFrame or networkx graph of shape (n, n)
            Couplings or connectivity, as :func:`skkuranet.coupling.as_coupling` takes them.

        Returns
        -------
        Tensor or ndarray of shape (T, ..., n)
            Between 0 and 1; NaN for an oscillator without neighbours.

        Raises
        ------
        TypeError
            If units have no phases.
        ValueError
            If K does not fit.
        """
        phases = self._tensor("local order")
        strengths = read_couplings(K, dtype=phases.dtype, like=phases).coupling
        if strengths.shape != (phases.shape[-1],) * 2:
            raise ValueError(
                f"K must have shape {(phases.shape[-1],) * 2}, got {tuple(strengths.shape)}."
            )
        signals = torch.stack((phases.cos(), phases.sin()), -2).to(strengths.device)
        real, imaginary = product(strengths, signals.flatten(0, -2)).view_as(signals).unbind(-2)
        order = torch.hypot(real, imaginary) / strengths.degree(1)
        return self._like(order.to(phases.device))

    def phase_locking(self) -> Array:
        r"""Return phase-locking values, :math:`|\langle e^{i(\theta_i - \theta_j)} \rangle_t|`.

        Returns
        -------
        Tensor or ndarray of shape (..., n, n)
            1 for two oscillators whose phase difference stays, over all the times that were kept;
            near 0 where one drifts past the other (Lachaux et al. 1999).

        Raises
        ------
        TypeError
            If units have no phases.
        """
        phases = self._tensor("phase locking").movedim(0, -1)
        cosines, sines = phases.cos(), phases.sin()
        real = cosines @ cosines.mT + sines @ sines.mT
        imaginary = sines @ cosines.mT
        imaginary = imaginary - imaginary.mT
        return self._like(torch.hypot(real, imaginary) / phases.shape[-1])

    def effective_frequency(self, window: float | None = None) -> Array:
        r"""Return how fast each oscillator has turned on average, :math:`\Delta\theta/\Delta t`.

        Parameters
        ----------
        window : float, optional
            Units of time at the end over which to average; by default all that were kept.

        Returns
        -------
        Tensor or ndarray of shape (..., n)
            In radians per unit of time.

        Raises
        ------
        TypeError
            If units have no phases.
        ValueError
            If fewer than two times were kept, or lie in the window.
        """
        phases = self._tensor("effective frequency")
        if len(self.times) < 2:
            raise ValueError("An effective frequency needs two times; lower save_from.")
        first = self._beginning(window)
        span = float(self.times[-1] - self.times[first])
        return self._like((phases[-1] - phases[first]) / span)

    def locked(self, tolerance: float = 0.1, window: float | None = None) -> Array:
        r"""Tell the oscillators that turn with the mean field from those that drift.

        Parameters
        ----------
        tolerance : float, default=0.1
            Angle in radians by which a locked oscillator may have moved against the mean
            field. One that drifts slips by whole turns.
        window : float, optional
            Units of time at the end that are looked at; by default all that were kept. Oscillators
            have moved on their way from random phases, however well they lock in the end.

        Returns
        -------
        Tensor or ndarray of shape (..., n), bool
            Whether each oscillator is locked.

        Raises
        ------
        TypeError
            If units have no phases.
        ValueError
            If fewer than two times lie in the window.
        """
        phases = self._tensor("locking")
        tolerance = positive_number(tolerance, "tolerance", finite=False)
        against = phases - _mean_phase(phases).unsqueeze(-1)
        first = self._beginning(window)
        return self._like((against[-1] - against[first]).abs() <= tolerance)

    def _beginning(self, window: float | None) -> int:
        """Return the index of the first time in a window at the end; None takes all."""
        if window is None:
            return 0
        window = positive_number(window, "window")
        begin = float(self.times[-1]) - window
        # Rounding may put the first time of the window just before it.
        first = int((torch.as_tensor(self.times) < begin * (1.0 - 1e-12) - 1e-12).sum())
        if first > len(self.times) - 2:
            raise ValueError(
                f"window={window:g} must hold two times at least; they are "
                f"{float(self.times[-1] - self.times[-2]):g} units of time apart."
            )
        return first

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
        return self._like(_mean_phase(self._tensor("mean phase")))

    def save(self, path: Any) -> None:
        """Write times, phases, states and names to a NumPy file without pickles.

        Parameters
        ----------
        path : str or path-like
            Written as a whole, so that a file from before is replaced or left as it was.
        """
        _files.save(self, path)

    @staticmethod
    def load(path: Any) -> Trajectory[NDArray[Any]]:
        """Read what :meth:`save` has written; nothing in the file is run.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        Trajectory
            In NumPy arrays.

        Raises
        ------
        ValueError
            If the file is not one of a trajectory.
        """
        return Trajectory(**_files.load(path))

    def to_dataframe(self) -> Any:
        """Return phases, or states where there are none, as a pandas frame.

        Returns
        -------
        DataFrame of shape (T, n_columns)
            Its index are the times; its columns the oscillators, below the networks of a batch and
            the components of a state, if there are any.
        """
        return _files.to_dataframe(self)

    def to_xarray(self) -> Any:
        """Return times, phases and states as an xarray dataset.

        Returns
        -------
        Dataset
            Of dimensions time, batch_0 …, state_0 …, node.

        Raises
        ------
        ImportError
            If xarray is not installed.
        """
        return _files.to_xarray(self)

    def _tensor(self, what: str) -> Tensor:
        if self.phases is None:
            raise TypeError(f"These units have no phases, and so no {what}; see states.")
        if isinstance(self.phases, Tensor):
            return self.phases
        return torch.from_numpy(np.require(self.phases, requirements=["C", "W"]))

    def _like(self, found: Tensor) -> Any:
        return found if isinstance(self.phases, Tensor) else as_array(found)

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
            phases = None if self.phases is None else states
        else:
            phases = torch.as_tensor(self.phases, device=device)
        return Trajectory(times, phases, states, self.names)

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
            return as_array(a.detach().clone() if a.requires_grad else a)

        phases = array(self.phases)
        states = phases if self.states is self.phases else array(self.states)
        return Trajectory(array(self.times), phases, states, self.names)


def trajectory_of(
    dynamics: Dynamics, times: Tensor, states: Tensor, names: Sequence[Any] | None = None
) -> Trajectory[Tensor]:
    """Return states through time with the phases in them, made continuous."""
    phases = dynamics.phases(states)
    if phases is not None and dynamics.wraps:
        turned = wrap(phases.diff(dim=0)).cumsum(0)
        phases = torch.cat((phases[:1], phases[:1] + turned))
    # Units without phases have a trajectory without them.
    return Trajectory(times, phases, states, names)  # type: ignore[arg-type]


def _mean_phase(phases: Tensor) -> Tensor:
    # In the frame of the median oscillator: a network may turn by more than π a step.
    middle = phases.median(-1).values
    turned = middle - middle[0]
    angle = mean_field(phases - turned.unsqueeze(-1)).angle()
    return turned + torch.cat((angle[:1], angle[:1] + wrap(angle.diff(dim=0)).cumsum(0)))


def _counted(what: str, *numbers: int) -> str:
    return f"{' x '.join(map(str, numbers))} {what}{'' if math.prod(numbers) == 1 else 's'}"
