"""Oscillators with an amplitude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from skkuranet.dynamics._dynamics import Dynamics, slower


@dataclass(frozen=True)
class StuartLandau(Dynamics):
    r"""Limit cycles near a Hopf bifurcation, coupled by diffusion.

    .. math::
        \dot z_i = (a_i + \mathrm{i} \omega_i - |z_i|^2)\, z_i + \sum_j K_{ij} (z_j - z_i)

    States are the real and the imaginary part of z, (..., 2, n). Strong couplings between
    frequencies that differ much end all motion: amplitude death (Aronson, Ermentrout and
    Kopell 1990). Where amplitudes are 0, phases and their order parameter mean nothing.

    Parameters
    ----------
    growth : Tensor of shape (..., n) or (), optional
        Growth a; alone, a unit has the amplitude √a, or 0 if a is negative. 1 by default.
    frequency : Tensor of shape (..., n), optional
        Natural frequencies ω, in radians per unit of time; 0 by default.

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> K = [[0.0, 1.0], [1.0, 0.0]]
    >>> network = OscillatorNetwork(K, "stuart_landau", growth=1.0, frequency=1.0)
    >>> path = network.simulate(n_steps=500, step_size=0.05, random_state=0)
    >>> path.states.shape, float(path.order_parameter()[-1].round(3))
    ((501, 2, 2), 1.0)
    """

    growth: Tensor | None = None
    frequency: Tensor | None = None

    state_shape: ClassVar[tuple[int, ...]] = (2,)
    wraps: ClassVar[bool] = True
    solver: ClassVar[str] = "rk4"

    def signal(self, state: Tensor) -> Tensor:
        """Return z, and ones that sum up to the degree."""
        return torch.cat((state, torch.ones_like(state[..., :1, :])), -2)

    def rate(self, state: Tensor, drive: Tensor) -> Tensor:
        """Return dz/dt."""
        growth = 1.0 if self.growth is None else self.growth
        swing = (growth - state.square().sum(-2)).unsqueeze(-2)
        rate = swing * state + drive[..., :2, :] - drive[..., 2:, :] * state
        if self.frequency is None:
            return rate
        real, imaginary = state.unbind(-2)
        return rate + torch.stack((-self.frequency * imaginary, self.frequency * real), -2)

    def rotating(self, speed: float) -> Self:
        """Return oscillators that are slower by the speed."""
        return slower(self, speed)

    def phases(self, state: Tensor) -> Tensor:
        """Return the arguments of z, in (−π, π]."""
        return torch.atan2(state[..., 1, :], state[..., 0, :])

    def from_phases(self, phases: Tensor) -> Tensor:
        """Return numbers of modulus 1."""
        return torch.stack((phases.cos(), phases.sin()), -2)
