"""Phases of oscillators that a network drives and on which they do not act back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from skkuranet.coupling import CouplingOperator, product
from skkuranet.dynamics._dynamics import Dynamics
from skkuranet.dynamics.kuramoto import Kuramoto

# Products with many signals at once are fast; all of them would not fit into memory.
_STATES_AT_ONCE = 64


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

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling
    >>> from skkuranet.dynamics import lock
    >>> found = lock(DenseCoupling(torch.ones(1, 2)), torch.tensor([0.0, 1.0]))
    >>> found.phases, found.locked
    (tensor([0.5000]), tensor([True]))
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
    reference_delay: Tensor | None = None,
) -> Locking:
    r"""Find the phases of oscillators driven by a locked network on which they do not act back.

    The field of the network at a test oscillator is
    :math:`Z = \sum_j K_j e^{i(\theta_j - \Omega \tau_j)} - b`. The oscillator locks iff
    :math:`|Z| \ge |\omega - \Omega|` and then sits at
    :math:`\arg Z + \arcsin((\omega - \Omega) / |Z|)`.

    Parameters
    ----------
    coupling : CouplingOperator of shape (m, n)
        Couplings of the test oscillators to the network.
    reference_phases : Tensor of shape (n,)
        Phases of the locked network.
    frequency : Tensor of shape (m,), optional
        Natural frequencies ω of the test oscillators; 0 by default.
    field : Tensor of shape (m,), optional
        External field strengths b; the network must then be at rest.
    reference_frequency : float, default=0.0
        Common frequency Ω of the locked network.
    reference_delay : Tensor of shape (n,), optional
        Delays τ of the network's oscillators, in units of time.

    Returns
    -------
    Locking

    Raises
    ------
    ValueError
        If there is a field and the reference network rotates: its phases have no fixed
        angle to the field.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling
    >>> from skkuranet.dynamics import lock
    >>> found = lock(DenseCoupling(torch.ones(1, 2)), torch.tensor([0.0, 1.0]))
    >>> found.phases
    tensor([0.5000])
    """
    if field is not None and reference_frequency != 0.0:
        raise ValueError("A network that rotates cannot lock oscillators in an external field.")
    if reference_delay is not None:
        reference_phases = reference_phases - reference_frequency * reference_delay
    drive = product(coupling, Kuramoto().signal(reference_phases))
    if frequency is None:
        frequency = torch.zeros_like(drive[0])
    nodes = Kuramoto(frequency - reference_frequency, field)
    phases, locked = nodes.respond(drive)
    return Locking(wrap(phases), locked, torch.hypot(*nodes.local_field(drive)))


def follow(
    coupling: CouplingOperator,
    source_phases: Tensor,
    *,
    step_size: float,
    frequency: Tensor | None = None,
    field: Tensor | None = None,
    dynamics: Dynamics | None = None,
    sources: Dynamics | None = None,
) -> Tensor:
    """Integrate units that a moving network drives and on which they do not act back.

    Euler's method. Each unit starts at the mean phase of the network, or at its mean state where
    there are no phases.

    Parameters
    ----------
    coupling : CouplingOperator of shape (m, n)
        Couplings of the test units to the network.
    source_phases : Tensor of shape (T, n) or (T, state_shape, n)
        States with which the network acts at each step: where it has delays, those of
        the past.
    step_size : float
        Step in units of time.
    frequency : Tensor of shape (m,), optional
        Natural frequencies of Kuramoto oscillators.
    field : Tensor of shape (m,), optional
        Their external field strengths.
    dynamics : Dynamics, optional
        Of the test units, in place of Kuramoto's with these.
    sources : Dynamics, optional
        Of the network, which says what its units send; by default the same.

    Returns
    -------
    Tensor of shape (m,) or (state_shape, m)
        States after T steps; phases in (−π, π].

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling
    >>> from skkuranet.dynamics import follow
    >>> sources = torch.zeros(100, 2)
    >>> follow(DenseCoupling(torch.ones(3, 2)), sources, step_size=0.1).shape
    torch.Size([3])
    """
    dynamics = Kuramoto(frequency, field) if dynamics is None else dynamics
    sources = dynamics if sources is None else sources
    state = None
    for states in source_phases.split(_STATES_AT_ONCE):
        signals = sources.signal(states)
        drives = coupling.matvec(signals.flatten(0, 1)).unflatten(0, signals.shape[:2])
        if state is None:
            state = _mean(dynamics, states[0], drives)
        for drive in drives:
            state = dynamics.retract(state + step_size * dynamics.rate(state, drive))
    assert state is not None
    return state if dynamics.state_shape else wrap(state)


def _mean(dynamics: Dynamics, states: Tensor, like: Tensor) -> Tensor:
    """States of as many units as in ``like``, all of them the mean of given ones."""
    phases = dynamics.phases(states)
    if phases is not None:
        angle = torch.atan2(phases.sin().mean(), phases.cos().mean())
        mean = dynamics.from_phases(angle.unsqueeze(0))
        assert mean is not None
    else:
        mean = states.mean(-1, keepdim=True)
    return mean.expand(*mean.shape[:-1], like.shape[-1])


def wrap(phases: Tensor) -> Tensor:
    """Return the same angles in (−π, π].

    Parameters
    ----------
    phases : Tensor of any shape
        In radians.

    Returns
    -------
    Tensor of the same shape

    Examples
    --------
    >>> import torch
    >>> from skkuranet.dynamics import wrap
    >>> wrap(torch.tensor([0.0, 4.0, -4.0]))
    tensor([ 0.0000, -2.2832,  2.2832])
    """
    return math.pi - torch.remainder(math.pi - phases, 2 * math.pi)
