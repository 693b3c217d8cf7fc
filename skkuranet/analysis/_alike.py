"""Whether two states are the same, up to what the equation does not notice."""

from __future__ import annotations

import torch
from torch import Tensor

from skkuranet.analysis._field import Field

# Newton's method comes closer than this, and random starts hardly ever do.
_CLOSE = 1e-5


def are_alike(field: Field, first: Tensor, second: Tensor) -> bool:
    """Say whether states at rest differ by full turns of angles, or by a common rotation alone."""
    dynamics = field.dynamics
    angles = dynamics.phases(first)
    if angles is not None and not dynamics.wraps:
        other = dynamics.phases(second)
        assert other is not None
        gap = torch.polar(torch.ones_like(angles), angles - other)
        if dynamics.rotating(0.0) is not None:
            mean = gap.mean()
            gap = gap * mean.conj() / mean.abs().clamp_min(1e-300)
        motion = _beyond_phases(field, first) - _beyond_phases(field, second)
        return bool((gap - 1.0).abs().max() < _CLOSE) and bool(motion.abs().max() < _CLOSE)
    if len(dynamics.state_shape) == 1:
        turn = _rotation(first, second)
        if _is_symmetry(field, turn):
            second = turn @ second
    return bool((first - second).abs().max() < _CLOSE)


def with_wrapped_phases(field: Field, state: Tensor) -> Tensor:
    """Return the same state with angles in (−π, π]."""
    angles = field.dynamics.phases(state)
    if angles is None or field.dynamics.wraps:
        return state
    moved = field.dynamics.from_phases(torch.atan2(angles.sin(), angles.cos()))
    return state if moved is None else moved + _beyond_phases(field, state)


def _beyond_phases(field: Field, state: Tensor) -> Tensor:
    """Return what a state has beyond its angles, such as velocities."""
    angles = field.dynamics.phases(state)
    alone = None if angles is None else field.dynamics.from_phases(angles)
    return torch.zeros_like(state) if alone is None else state - alone


def _rotation(first: Tensor, second: Tensor) -> Tensor:
    """Return the rotation of vectors (d, n) that brings the second closest to the first."""
    left, _, right = torch.linalg.svd(first @ second.mT)
    sign = left.new_ones(len(left))
    sign[-1] = torch.det(left @ right).sign()
    return (left * sign) @ right


def _is_symmetry(field: Field, turn: Tensor) -> bool:
    """Say whether rates turn as states do, tried at a random state."""
    draw = torch.Generator().manual_seed(0)
    state = field.dynamics.draw((), field.n, draw).to(turn)
    there, rate = field.velocity(turn @ state), field.velocity(state)
    return bool((there - turn @ rate).abs().max() <= 1e-9 * (1.0 + rate.abs().max()))
