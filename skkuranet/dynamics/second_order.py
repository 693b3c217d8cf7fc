"""Oscillators with inertia, such as the generators of a power grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from skkuranet.dynamics._dynamics import Dynamics
from skkuranet.dynamics.kuramoto import locked_angle


@dataclass(frozen=True)
class SecondOrder(Dynamics):
    r"""Phase oscillators with inertia: the swing equation (Filatrella, Nielsen and Pedersen 2008).

    .. math::
        m_i \ddot\theta_i = \omega_i - d_i \dot\theta_i + \sum_j K_{ij} \sin(\theta_j - \theta_i)

    States are phases and their velocities, (..., 2, n). In a power grid ω is the power that is fed
    in, or taken out where it is negative, and K the capacity of lines; a state at rest solves the
    equations of power flow. Noise acts on the velocities.

    Steps of Euler's method must be shorter than :math:`d / \lambda`, with λ the largest eigenvalue
    of the Laplacian of K; ``solver="rk4"`` allows longer ones.

    Parameters
    ----------
    frequency : Tensor of shape (..., n), optional
        Natural frequencies ω times the damping, or powers; 0 by default.
    inertia : Tensor of shape (..., n) or (), optional
        Inertia m, positive; 1 by default.
    damping : Tensor of shape (..., n) or (), optional
        Damping d; 1 by default.

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> K, machine = [[0.0, 2.0], [2.0, 0.0]], {"inertia": 1.0, "damping": 1.0}
    >>> network = OscillatorNetwork(K, "second_order", frequency=[0.5, -0.5], **machine)
    >>> path = network.simulate(n_steps=500, random_state=0)
    >>> bool(path.locked(window=5.0).all())
    True
    """

    frequency: Tensor | None = None
    inertia: Tensor | None = None
    damping: Tensor | None = None

    state_shape: ClassVar[tuple[int, ...]] = (2,)
    signs: ClassVar[Mapping[str, str]] = {"inertia": "positive"}
    noisy: ClassVar[tuple[float, ...]] = (0.0, 1.0)
    solver: ClassVar[str] = "rk4"

    def signal(self, state: Tensor) -> Tensor:
        """Return cosines and sines of the phases."""
        phase = state[..., 0, :]
        return torch.stack((phase.cos(), phase.sin()), -2)

    def rate(self, state: Tensor, drive: Tensor) -> Tensor:
        """Return velocities and accelerations."""
        (phase, velocity), (real, imaginary) = state.unbind(-2), drive.unbind(-2)
        torque = phase.cos() * imaginary - phase.sin() * real
        torque = torque - (velocity if self.damping is None else self.damping * velocity)
        if self.frequency is not None:
            torque = torque + self.frequency
        return torch.stack(
            (velocity, torque if self.inertia is None else torque / self.inertia), -2
        )

    def before(self, state: Tensor, ago: float) -> Tensor:
        """Return phases that turned at their initial velocities."""
        phase, velocity = state.unbind(-2)
        return torch.stack((phase - ago * velocity, velocity), -2)

    def phases(self, state: Tensor) -> Tensor:
        """Return the phases."""
        return state[..., 0, :]

    def from_phases(self, phases: Tensor) -> Tensor:
        """Return phases at rest."""
        return torch.stack((phases, torch.zeros_like(phases)), -2)

    def rotating(self, speed: float) -> Self:
        """Return oscillators whose frequencies are lower by what damping makes of the speed."""
        damping = torch.tensor(1.0) if self.damping is None else self.damping
        frequency = 0.0 if self.frequency is None else self.frequency
        return replace(self, frequency=frequency - damping * speed)

    def from_frame(self, state: Tensor, speed: float) -> Tensor:
        """Return velocities that are higher by the speed."""
        phase, velocity = state.unbind(-2)
        return torch.stack((phase, velocity + speed), -2)

    def respond(self, drive: Tensor) -> tuple[Tensor, Tensor]:
        r"""Return :math:`\arg Z + \arcsin(\omega / |Z|)` at rest, and whether there is rest."""
        real, imaginary = drive.unbind(-2)
        angle, rests = locked_angle(real, imaginary, self.frequency)
        return torch.stack((angle, torch.zeros_like(angle)), -2), rests
