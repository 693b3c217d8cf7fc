"""Oscillators that pull by several harmonics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from skkuranet.dynamics._dynamics import Dynamics, slower


@dataclass(frozen=True)
class Daido(Dynamics):
    r"""Phase oscillators with two harmonics (Daido 1992).

    .. math::
        \dot\theta_i = \omega_i + \sum_j K_{ij} \bigl[\sin(\theta_j - \theta_i)
                       + a_i \sin 2 (\theta_j - \theta_i)\bigr]

    Among identical oscillators under equal couplings, two clusters in antiphase are stable
    if a > 1/2.

    Parameters
    ----------
    frequency : Tensor of shape (..., n), optional
        Natural frequencies ω, in radians per unit of time; 0 by default.
    second : Tensor of shape (..., n) or (), optional
        Strength a of the second harmonic, of each target or of all; 0 by default.

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> network = OscillatorNetwork([[0.0, 1.0], [1.0, 0.0]], "daido", second=2.0)
    >>> path = network.simulate(n_steps=300, initial_state=[0.0, 2.5])
    >>> float((path.phases[-1, 1] - path.phases[-1, 0]).round(3))
    3.142
    """

    frequency: Tensor | None = None
    second: Tensor | None = None

    def signal(self, state: Tensor) -> Tensor:
        """Return cosines and sines of the phases and of their doubles."""
        double = 2.0 * state
        return torch.stack((state.cos(), state.sin(), double.cos(), double.sin()), -2)

    def rate(self, state: Tensor, drive: Tensor) -> Tensor:
        """Return dθ/dt."""
        real, imaginary, real_2, imaginary_2 = drive.unbind(-2)
        rate = state.cos() * imaginary - state.sin() * real
        if self.second is not None:
            double = 2.0 * state
            rate = rate + self.second * (double.cos() * imaginary_2 - double.sin() * real_2)
        return rate if self.frequency is None else rate + self.frequency

    def rotating(self, speed: float) -> Self:
        """Return oscillators that are slower by the speed."""
        return slower(self, speed)

    def before(self, state: Tensor, ago: float) -> Tensor:
        """Return phases of free rotation at the natural frequencies."""
        return state if self.frequency is None else state - ago * self.frequency
