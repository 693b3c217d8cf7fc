"""Oscillators on a sphere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from skkuranet.dynamics._dynamics import Dynamics


@dataclass(frozen=True)
class Sphere(Dynamics):
    r"""Unit vectors that pull at one another on the sphere of d dimensions (Lohe 2009).

    .. math:: \dot x_i = \Omega_i x_i + \sum_j K_{ij} \bigl[x_j - (x_j \cdot x_i)\, x_i\bigr]

    States are the vectors, (..., d, n). Two dimensions are the circle, and phases; in three and
    more, rings of attracting neighbours have no stable twisted states (Markdahl, Thunberg and
    Gonçalves 2018).

    Parameters
    ----------
    n_dims : int, default=3
        Dimensions d.
    rotation : Tensor of shape (..., d, d, n), optional
        Its antisymmetric part Ω, in radians per unit of time, turns each vector; 0 by default.

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.dynamics import Sphere
    >>> network = OscillatorNetwork([[0.0, 1.0], [1.0, 0.0]], Sphere(3))
    >>> path = network.simulate(n_steps=300, random_state=0)
    >>> path.states[-1].shape, float((path.states[-1, :, 0] @ path.states[-1, :, 1]).round(3))
    ((3, 2), 1.0)
    """

    n_dims: int = 3
    rotation: Tensor | None = None

    wraps: ClassVar[bool] = True

    @property
    def state_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """One axis of d numbers."""
        return (self.n_dims,)

    @property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:  # type: ignore[override]
        """A matrix turns each vector."""
        return {"rotation": (self.n_dims, self.n_dims)}

    def signal(self, state: Tensor) -> Tensor:
        """Return the vectors."""
        return state

    def rate(self, state: Tensor, drive: Tensor) -> Tensor:
        """Return the part of the drive that is tangent to the sphere, and the rotation."""
        rate = drive - (drive * state).sum(-2, keepdim=True) * state
        return rate if self.rotation is None else rate + _turned(self._spin(), state)

    def retract(self, state: Tensor) -> Tensor:
        """Return vectors of length 1."""
        return torch.nn.functional.normalize(state, dim=-2)

    def phases(self, state: Tensor) -> Tensor | None:
        """Return angles on the circle; None in more dimensions."""
        return torch.atan2(state[..., 1, :], state[..., 0, :]) if self.n_dims == 2 else None

    def from_phases(self, phases: Tensor) -> Tensor | None:
        """Return points of the circle; None in more dimensions."""
        return torch.stack((phases.cos(), phases.sin()), -2) if self.n_dims == 2 else None

    def respond(self, drive: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return the direction of the drive, where units do not turn by themselves."""
        if self.rotation is not None:
            return None
        return self.retract(drive), drive.square().sum(-2) > 0

    def pull_signal(self, state: Tensor, grad: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Return the gradient itself."""
        return grad, [torch.zeros_like(value) for value in self.parameters.values()]

    def pull_rate(
        self, state: Tensor, drive: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """Return gradients with respect to states, drives and rotations."""
        along = (grad * state).sum(-2, keepdim=True)
        by_drive = grad - along * state
        by_state = -along * drive - (drive * state).sum(-2, keepdim=True) * grad
        if self.rotation is None:
            return by_state, by_drive, []
        by_state = by_state - _turned(self._spin(), grad)
        outer = grad.unsqueeze(-2) * state.unsqueeze(-3)
        by_spin = outer.sum_to_size(self.rotation.shape)
        return by_state, by_drive, [0.5 * (by_spin - by_spin.transpose(-3, -2))]

    def _spin(self) -> Tensor:
        assert self.rotation is not None
        return 0.5 * (self.rotation - self.rotation.transpose(-3, -2))


def _turned(spin: Tensor, vectors: Tensor) -> Tensor:
    return (spin * vectors.unsqueeze(-3)).sum(-2)
