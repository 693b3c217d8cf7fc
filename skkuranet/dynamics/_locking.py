"""Phases of test oscillators in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from skkuranet.coupling import CouplingOperator, product


@dataclass(frozen=True)
class Locking:
    """Where test oscillators come to rest.

    Parameters
    ----------
    phases : Tensor of shape (m,)
        Locked phases in (−π, π]; of drifting oscillators, the phase at which they are
        slowest.
    locked : Tensor of shape (m,), bool
        Whether the oscillator locks.
    strength : Tensor of shape (m,)
        Strength of the field Z that the network exerts.
    """

    phases: Tensor
    locked: Tensor
    strength: Tensor


def lock(
    coupling: CouplingOperator,
    reference_phases: Tensor,
    *,
    frequency: Tensor | None = None,
    field: Tensor | None = None,
    reference_frequency: float = 0.0,
) -> Locking:
    r"""Find the phases of oscillators driven by a locked network on which they do not act back.

    The field of the network at a test oscillator is
    :math:`Z = \sum_j K_j e^{i\theta_j} - b`. The oscillator locks iff
    :math:`|Z| \ge |\omega - \Omega|` and then sits at
    :math:`\arg Z + \arcsin((\omega - \Omega) / |Z|)`.

    Parameters
    ----------
    coupling : CouplingOperator of shape (m, n)
        Couplings of the test oscillators to the network.
    reference_phases : Tensor of shape (n,)
        Phases of the locked network.
    frequency : Tensor of shape (m,), optional
        Natural frequencies ω of the test oscillators.
    field : Tensor of shape (m,), optional
        External field strengths b; the network must then be at rest.
    reference_frequency : float, default=0.0
        Common frequency Ω of the locked network.

    Returns
    -------
    Locking

    Raises
    ------
    ValueError
        If there is a field and the reference network rotates: its phases have no fixed
        angle to the field.
    """
    if field is not None and reference_frequency != 0.0:
        raise ValueError("A network that rotates cannot lock oscillators in an external field.")
    phasors = torch.stack((reference_phases.cos(), reference_phases.sin()))
    real, imaginary = product(coupling, phasors).unbind(0)
    if field is not None:
        real = real - field
    strength = torch.hypot(real, imaginary)
    phases = torch.atan2(imaginary, real)
    if frequency is None:
        return Locking(phases, strength > 0, strength)
    detuning = frequency - reference_frequency
    ratio = detuning / strength.clamp_min(torch.finfo(strength.dtype).tiny)
    phases = phases + ratio.clamp(-1.0, 1.0).asin()
    wrapped = torch.remainder(phases + math.pi, 2 * math.pi) - math.pi
    return Locking(wrapped, detuning.abs() <= strength, strength)
