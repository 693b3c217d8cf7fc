"""Euler's method with a delay for every source, and its exact discrete adjoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skkuranet.dynamics._adjoint import Stages, parameter_gradients
from skkuranet.dynamics._arithmetic import arithmetic_for, parts, quiet
from skkuranet.dynamics._system import KuramotoSystem


@dataclass(frozen=True)
class DelayedPlan:
    """A fixed number of Euler steps; sources act as they were ``system.lag`` steps ago.

    Parameters
    ----------
    step_size : float
        Step in units of time.
    n_steps : int
        Number of steps.
    save_from : int
        First step whose phases are kept.
    """

    step_size: float
    n_steps: int
    save_from: int

    def solve(self, system: KuramotoSystem, phases: Tensor) -> Tensor:
        """Return the phases after steps ``save_from`` to ``n_steps``, differentiably.

        Parameters
        ----------
        system : KuramotoSystem
            With a lag.
        phases : Tensor of shape (..., n)
            Initial phases.

        Returns
        -------
        Tensor of shape (n_steps - save_from + 1, ..., n)
            Phases in radians.
        """
        tensors = (phases, *system.parameters)
        if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
            return _DelayedFlow.apply(self, system, *tensors)
        return self.forward(system, phases, None)

    @quiet()
    def forward(self, system: KuramotoSystem, phases: Tensor, tape: _Tape | None) -> Tensor:
        phases, lag = phases.detach(), _lag(system, phases)
        length = int(lag.max()) + 1
        saved = phases.new_empty((self.n_steps - self.save_from + 1, *phases.shape))
        if self.save_from == 0:
            saved[0] = phases
        # The ring holds the phasors of the last steps; its slots of the future hold the past.
        ring = phases.new_empty((length, *phases.shape[:-1], 2, phases.shape[-1]))
        arithmetic = arithmetic_for(phases)
        view = arithmetic.view
        acting = [arithmetic.pairs(now) for now in ring.unbind(0)]
        for ago in range(1, length):
            past = _before(system, phases, ago * self.step_size)
            arithmetic.phasors(view(past), acting[-ago])
        for step in range(self.n_steps):
            now = ring[step % length]
            arithmetic.phasors(view(phases), acting[step % length])
            slot = ((step - lag) % length).unsqueeze(-2).expand_as(now).unsqueeze(0)
            delayed = ring.gather(0, slot).squeeze(0)
            drive = system.coupling.matvec(delayed)
            if tape is not None:
                tape.phasors[step], tape.delayed[step], tape.drives[step] = now, delayed, drive
            phases = torch.add(
                phases, system.rate(parts(now), system.felt(drive)), alpha=self.step_size
            )
            if step + 1 >= self.save_from:
                saved[step + 1 - self.save_from] = phases
        return saved

    def backward(
        self, system: KuramotoSystem, tape: _Tape, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the gradients by initial phases, by the rates and by the frequencies of the past.

        Parameters
        ----------
        system : KuramotoSystem
            With a lag.
        tape : _Tape
            What forward has noted.
        grad : Tensor of shape (n_steps - save_from + 1, ..., n)
            Gradient by the kept phases.

        Returns
        -------
        costate : Tensor of shape (..., n)
            Gradient by the initial phases.
        adjoints : Tensor of shape (n_steps, ..., n)
            Gradients by the rates.
        driven : Tensor of shape (n_steps, ..., 2, n)
            λ times the phasors of the oscillators that were moved.
        rotation : Tensor of shape (..., n)
            Gradient by the frequencies at which phases rotated before t = 0.
        """
        stiffness = system.stiffness(parts(tape.phasors), system.felt(tape.drives))
        adjoints, driven = torch.empty_like(stiffness), torch.empty_like(tape.phasors)
        costate = grad[-1]
        lag = _lag(system, costate)
        length = int(lag.max()) + 1
        pending = costate.new_zeros((length, *costate.shape))
        past, rotation = torch.zeros_like(costate), torch.zeros_like(costate)
        for step in range(self.n_steps - 1, -1, -1):
            adjoint = torch.mul(costate, self.step_size, out=adjoints[step])
            torch.mul(adjoint.unsqueeze(-2), tape.phasors[step], out=driven[step])
            pulled = (tape.delayed[step] * system.coupling.rmatvec(driven[step])).sum(-2)
            before = step < lag
            past += pulled * before
            rotation += pulled * before * (step - lag) * self.step_size
            slot = ((step - lag) % length).unsqueeze(0)
            pending.scatter_add_(0, slot, (pulled * ~before).unsqueeze(0))
            costate = torch.addcmul(costate, adjoint, stiffness[step], value=-1)
            costate += pending[step % length]
            pending[step % length] = 0.0
            if step >= self.save_from:
                costate = costate + grad[step - self.save_from]
        return costate + past, adjoints, driven, rotation


@dataclass
class _Tape:
    """Phasors, delayed phasors and drives of every step, (n_steps, ..., 2, n)."""

    phasors: Tensor
    delayed: Tensor
    drives: Tensor


class _DelayedFlow(torch.autograd.Function):
    """Phases along a trajectory as a function of initial phases and all parameters."""

    @staticmethod
    def forward(
        ctx: Any, plan: DelayedPlan, system: KuramotoSystem, phases: Tensor, *parameters: Tensor
    ) -> Tensor:
        shape = (plan.n_steps, *phases.shape[:-1], 2, phases.shape[-1])
        tape = _Tape(*(phases.new_empty(shape) for _ in range(3)))
        ctx.plan, ctx.system, ctx.tape = plan, system, tape
        ctx.save_for_backward(*parameters)
        return plan.forward(system, phases, tape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        system, tape = ctx.system, ctx.tape
        # The couplings share their memory; this raises if they were changed.
        _ = ctx.saved_tensors
        costate, adjoints, driven, rotation = ctx.plan.backward(system, tape, grad)
        stages = tape.delayed.movedim(0, -3), adjoints.movedim(0, -2), driven.movedim(0, -3)
        grads = parameter_gradients(
            system,
            Stages(*stages),
            ctx.needs_input_grad[3:],
            rotation=rotation if system.history == "rotation" else None,
        )
        return (None, None, costate, *grads)


def _lag(system: KuramotoSystem, phases: Tensor) -> Tensor:
    assert system.lag is not None
    return system.lag.expand(phases.shape)


def _before(system: KuramotoSystem, phases: Tensor, ago: float) -> Tensor:
    """Phases before t = 0, as the history of the system has them."""
    if system.history == "constant" or system.frequency is None:
        return phases
    return phases - ago * system.frequency
