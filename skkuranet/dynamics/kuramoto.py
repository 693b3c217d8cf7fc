"""Kuramoto oscillators in an external field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from skkuranet.coupling import CouplingOperator
from skkuranet.dynamics._array_ops import Pairs, TorchOps, parts
from skkuranet.dynamics._dynamics import Dynamics, slower
from skkuranet.dynamics._kernel import Kernel, KernelPart
from skkuranet.dynamics._problem import Problem


@dataclass(frozen=True)
class Kuramoto(Dynamics):
    r"""Phase oscillators, eq. 1 of Ricci et al. (2021).

    .. math::
        \dot\theta_i = \omega_i + \sum_j K_{ij} \sin(\theta_j - \theta_i) + b_i \sin\theta_i

    Parameters
    ----------
    frequency : Tensor of shape (..., n), optional
        Natural frequencies ω, in radians per unit of time; 0 by default.
    field : Tensor of shape (..., n), optional
        External field strengths b; 0 by default.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling
    >>> from skkuranet.dynamics import Kuramoto, integrate
    >>> two = Kuramoto(torch.tensor([0.2, 0.8]))
    >>> K = DenseCoupling(torch.ones(2, 2))
    >>> path = integrate(K, torch.zeros(2), dynamics=two, step_size=0.1, n_steps=200)
    >>> path.locked(window=5.0)
    tensor([True, True])
    """

    frequency: Tensor | None = None
    field: Tensor | None = None

    def signal(self, state: Tensor) -> Tensor:
        """Return cosines and sines."""
        return torch.stack((state.cos(), state.sin()), -2)

    def rate(self, state: Tensor, drive: Tensor) -> Tensor:
        """Return dθ/dt."""
        real, imaginary = self.local_field(drive)
        rate = state.cos() * imaginary - state.sin() * real
        return rate if self.frequency is None else rate + self.frequency

    def local_field(self, drive: Tensor) -> tuple[Tensor, Tensor]:
        """Return what acts on each oscillator: its drive less its external field.

        Parameters
        ----------
        drive : Tensor of shape (..., 2, n)
            Sums over the sources of cosines and sines.

        Returns
        -------
        tuple of Tensor of shape (..., n)
            Real and imaginary part.
        """
        real, imaginary = parts(drive)
        return (real if self.field is None else real - self.field), imaginary

    def before(self, state: Tensor, ago: float) -> Tensor:
        """Return phases of free rotation at the natural frequencies."""
        return state if self.frequency is None else state - ago * self.frequency

    def rotating(self, speed: float) -> Self | None:
        """Return oscillators that are slower by the speed; None in a field, which would turn."""
        if self.field is not None:
            return None
        return slower(self, speed)

    def respond(self, drive: Tensor) -> tuple[Tensor, Tensor]:
        r"""Return :math:`\arg Z + \arcsin(\omega / |Z|)`, and whether :math:`|Z| \ge |\omega|`."""
        return locked_angle(*self.local_field(drive), self.frequency)

    def kernel(self, ops: TorchOps, like: Tensor) -> Kernel | None:
        """Return the same equation in place."""
        # A subclass may have another.
        return KuramotoKernel(self, ops) if type(self) is Kuramoto else None


def locked_angle(
    real: Tensor, imaginary: Tensor, frequency: Tensor | None
) -> tuple[Tensor, Tensor]:
    r"""Return :math:`\arg Z + \arcsin(\omega / |Z|)` for a field Z, and whether there is rest."""
    strength, angle = torch.hypot(real, imaginary), torch.atan2(imaginary, real)
    # Where nothing pulls at all, no phase is any better than another.
    pulled = strength > 0
    if frequency is None:
        return angle, pulled
    ratio = frequency / strength.clamp_min(torch.finfo(strength.dtype).tiny)
    return angle + ratio.clamp(-1.0, 1.0).asin(), (frequency.abs() <= strength) & pulled


def KuramotoSystem(
    coupling: CouplingOperator,
    frequency: Tensor | None = None,
    field: Tensor | None = None,
    lag: Tensor | None = None,
    history: str = "rotation",
) -> Problem:
    """Return a :class:`Problem` of :class:`Kuramoto` oscillators; an earlier name.

    Parameters
    ----------
    coupling : CouplingOperator of shape (..., n, n)
        The couplings.
    frequency : Tensor of shape (..., n), optional
        Natural frequencies.
    field : Tensor of shape (..., n), optional
        External field strengths.
    lag : Tensor of shape (..., n), int64, optional
        Delays in steps.
    history : {"rotation", "constant"}, default="rotation"
        Phases before t = 0.

    Returns
    -------
    Problem

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling
    >>> from skkuranet.dynamics import KuramotoSystem
    >>> frequency = torch.tensor([0.2, 0.8])
    >>> system = KuramotoSystem(DenseCoupling(torch.ones(2, 2)), frequency=frequency)
    >>> type(system).__name__
    'Problem'
    """
    return Problem(coupling, Kuramoto(frequency, field), lag, history)


class KuramotoKernel(Kernel):
    """:class:`Kuramoto` without a new tensor at each step."""

    n_signals = 2
    reuses_drive = True
    is_replayable = True

    def __init__(self, dynamics: Kuramoto, ops: TorchOps) -> None:
        self.dynamics, self.ops = dynamics, ops
        self._frequency, self._field = (
            None if given is None else ops.view(given)
            for given in (dynamics.frequency, dynamics.field)
        )

    def rows(self, memory: Tensor) -> Pairs:
        """Views of cosines and sines, or of real and imaginary parts."""
        return self.ops.pairs(memory)

    def signal(self, state: Any, out: Pairs) -> None:
        """Write cosines and sines."""
        self.ops.phasors(state, out)

    def rate(self, state: Any, signal: Pairs, drive: Pairs, out: Any, spare: Any) -> None:
        ops, (_, cosine, sine), (_, real, imaginary) = self.ops, signal, drive
        if self._field is not None:
            ops.subtract(real, self._field, real)
        ops.multiply(cosine, imaginary, out)
        ops.subtract_product(out, sine, real, out, spare)
        if self._frequency is not None:
            ops.add(out, self._frequency, out)

    def part(self, signals: Tensor, drives: Tensor, by_rates: Tensor) -> KernelPart:
        return _Part(self.dynamics, self.ops, signals, drives, by_rates)


class _Part(KernelPart):
    """Tangents (−sin θ, cos θ) differentiate signals, and rates with respect to drives."""

    def __init__(
        self, dynamics: Kuramoto, ops: TorchOps, signals: Tensor, drives: Tensor, by_rates: Tensor
    ) -> None:
        self.dynamics, self.ops = dynamics, ops
        field = dynamics.field
        # Stages are an axis of their own, which one number for all has no need of.
        each = field.unsqueeze(-2) if field is not None and field.ndim else field
        self._field = None if each is None else ops.view(each)
        self._minus = ops.number(-1.0, by_rates)
        tangents, self_derivatives = torch.empty_like(signals), torch.empty_like(by_rates)
        self._signals, self._drives, self._tangents = map(ops.pairs, (signals, drives, tangents))
        self._self_derivatives, self._spare = ops.view(self_derivatives), ops.view(by_rates)
        self._by_rates, self._by_drives = by_rates, drives
        # Views are made once: in small networks they take as long as what is done with them.
        rows = (ops.views(t, -2) for t in (self_derivatives, by_rates))
        pairs = (ops.views(t, -3) for t in (by_rates.unsqueeze(-2), drives))
        self.stages = list(zip(ops.all_pairs(tangents), *rows, *pairs))

    def load(self, states: Sequence[Any]) -> None:
        """Write cosines and sines."""
        self.ops.all_phasors(list(states), self._signals, self._spare)

    def linearize(self) -> None:
        """Write tangents, and derivatives of rates with respect to the own phase."""
        ops, drives = self.ops, self._drives
        if self._field is not None:
            ops.subtract(drives.first, self._field, drives.first)
        ops.dot(self._signals, drives, self._self_derivatives)
        ops.multiply(self._signals.second, self._minus, self._tangents.first)
        ops.copy(self._tangents.second, self._signals.first)

    def pull_rate(self, stage: Any) -> None:
        tangent, _, _, row, by_drive = stage
        self.ops.multiply(row, tangent.both, by_drive)

    def pull_signal(self, stage: Any, back: Pairs, out: Any, spare: Any) -> None:
        tangent, self_derivative, by_rate, _, _ = stage
        self.ops.dot(tangent, back, out)
        self.ops.subtract_product(out, by_rate, self_derivative, out, spare)

    def by_parameters(self) -> list[Tensor]:
        """Sum over stages."""
        frequency, field, found = self.dynamics.frequency, self.dynamics.field, []
        if frequency is not None:
            found.append(self._by_rates.sum(-2).sum_to_size(frequency.shape))
        if field is not None:
            found.append(-self._by_drives[..., 0, :].sum(-2).sum_to_size(field.shape))
        return found
