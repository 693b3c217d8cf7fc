"""Steps that are fine enough for differences, which strong couplings shrink fast."""

from __future__ import annotations

import torch
from torch import Tensor

from skkuranet._utils.messages import warn_caller
from skkuranet.analysis._field import Field
from skkuranet.coupling import CouplingOperator

# The classical Runge-Kutta method is wrong by 2 % for what a step shrinks by e, and by much less
# for the rest; bounds of rates are above them by up to a factor of two.
_LARGEST = 1.0
_N_ROUNDS = 10
# Into how many parts a step may be divided, and from how many on it is said.
_MOST_PARTS, _MANY_PARTS = 1 << 12, 64
# A part that is so much longer than differences last says nothing about them.
_HOPELESS = 100.0


def parts_of(field: Field, state: Tensor, step_size: float, strength: float | None = None) -> int:
    """Return into how many a step is to be divided, a power of two.

    ``strength`` is the norm of the couplings by which differences act on one another; by default
    that of the network.
    """
    strength = norm_of(field.coupling) if strength is None else strength
    # Where it starts, anywhere, and where all units are alike, where differences shrink fastest.
    drawn = field.dynamics.draw((), field.n, torch.Generator().manual_seed(0)).to(state)
    states = (state, drawn, state[..., :1].expand_as(state).clone())
    steepest = max(_bound(field, one, strength) for one in states)
    parts = 1
    while parts < _MOST_PARTS and step_size / parts * steepest > _LARGEST:
        parts *= 2
    if step_size / parts * steepest > _HOPELESS:
        raise ValueError(
            f"step_size={step_size:g} is too large: even {parts} parts of it are "
            f"{step_size / parts * steepest:.1g} times as long as differences last. Lower it, or "
            "coupling_scale."
        )
    if parts > _MANY_PARTS:
        warn_caller(
            f"Differences shrink so fast that each step of {step_size:g} is divided into {parts}, "
            f"which takes {parts} times as long. Set step_size to {step_size / parts:.1g} and "
            "fewer n_steps, or lower coupling_scale.",
            UserWarning,
        )
    return parts


def norm_of(coupling: CouplingOperator) -> float:
    """Return about the largest singular value of couplings."""
    generator = torch.Generator().manual_seed(0)
    v = torch.randn((1, coupling.shape[-1]), dtype=torch.float64, generator=generator)
    v, size = v.to(coupling.device), 0.0
    with torch.no_grad():
        for _ in range(_N_ROUNDS):
            u = coupling.matvec(v / v.norm().clamp_min(1e-300))
            size = float(u.norm())
            v = coupling.rmatvec(u)
    return size


def _bound(field: Field, state: Tensor, strength: float) -> float:
    """Return a bound of the rates at which differences change at a state."""
    _, blocks = field.linearize(state)
    own, by_drive, sent = (
        float(torch.linalg.matrix_norm(block.movedim(-1, 0), 2).max())
        for block in (blocks.own, blocks.by_drive, blocks.sent)
    )
    return own + strength * by_drive * sent
