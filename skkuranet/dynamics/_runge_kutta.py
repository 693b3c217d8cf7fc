"""Explicit Runge-Kutta methods of fixed step with their exact discrete adjoint."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skkuranet.dynamics._adjoint import parameter_gradients
from skkuranet.dynamics._delayed import DelayedPlan
from skkuranet.dynamics._system import KuramotoSystem


@dataclass(frozen=True)
class RungeKutta:
    r"""An explicit Runge-Kutta method.

    Differentiating the solution runs the discrete adjoint: with :math:`\lambda` the
    gradient by the phases after a step, each stage pulls its share back through
    :math:`J^T`, which takes one product with :math:`K^T`. The gradient by K is gathered
    as a product of two thin matrices over all steps, and no autograd graph is built.

    Parameters
    ----------
    stages : tuple of tuple of float
        Strictly lower triangle of the Butcher tableau, one row for each stage after
        the first.
    weights : tuple of float
        Weights of the stages.
    """

    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]

    def solve(
        self,
        system: KuramotoSystem,
        phases: Tensor,
        *,
        step_size: float,
        n_steps: int,
        save_from: int,
    ) -> Tensor:
        """Integrate; return the phases after steps ``save_from`` to ``n_steps``.

        Parameters
        ----------
        system : KuramotoSystem
            The equation of motion.
        phases : Tensor of shape (..., n)
            Initial phases.
        step_size : float
            Step in units of time.
        n_steps : int
            Number of steps.
        save_from : int
            First step whose phases are returned; 0 is the initial state.

        Returns
        -------
        Tensor of shape (n_steps - save_from + 1, ..., n)
        """
        if system.lag is not None:
            if self.stages:
                raise ValueError(
                    "Only solver='euler' integrates delays: between steps the others would need "
                    "phases of the past that were not kept."
                )
            return DelayedPlan(step_size, n_steps, save_from).solve(system, phases)
        plan = _Plan(self, step_size, n_steps, save_from)
        tensors = (phases, *system.parameters)
        if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
            return _Flow.apply(plan, system, *tensors)
        return plan.forward(system, phases, None)


EULER = RungeKutta(stages=(), weights=(1.0,))
RK4 = RungeKutta(stages=((0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), weights=(1 / 6, 1 / 3, 1 / 3, 1 / 6))


@dataclass
class _Tape:
    """Phasors and drives of every stage of every step, (n_steps, n_stages, ..., 2, n)."""

    phasors: Tensor
    drives: Tensor


@dataclass(frozen=True)
class _Plan:
    method: RungeKutta
    step_size: float
    n_steps: int
    save_from: int

    def forward(self, system: KuramotoSystem, phases: Tensor, tape: _Tape | None) -> Tensor:
        h, weights = self.step_size, self.method.weights
        saved = phases.new_empty((self.n_steps - self.save_from + 1, *phases.shape))
        if self.save_from == 0:
            saved[0] = phases
        places: Iterator[tuple[Tensor, Tensor, Tensor]]
        if tape is None:
            scratch = phases.new_empty((1, *phases.shape[:-1], 2, phases.shape[-1]))
            places, drives = itertools.cycle(_places(scratch)), None
        else:
            places = iter(_places(tape.phasors.flatten(0, 1)))
            drives = iter(tape.drives.flatten(0, 1).unbind(0))
        # Views are made once: in small networks they would take as long as what is done with them.
        slots = saved.unbind(0)
        for step in range(self.n_steps):
            rates: list[Tensor] = []
            for stage in range(len(weights)):
                point = phases
                for a, rate in zip(self.method.stages[stage - 1] if stage else (), rates):
                    if a:
                        point = point + (h * a) * rate
                phasors, cosine, sine = next(places)
                torch.cos(point, out=cosine)
                torch.sin(point, out=sine)
                drive = system.coupling.matvec(phasors)
                if drives is not None:
                    next(drives).copy_(drive)
                rates.append(system.rate(phasors, drive))
            *first, last = zip(weights, rates, strict=True)
            for weight, rate in first:
                phases = torch.add(phases, rate, alpha=h * weight)
            slot = slots[step + 1 - self.save_from] if step + 1 >= self.save_from else None
            phases = torch.add(phases, last[1], alpha=h * last[0], out=slot)
        return saved

    def backward(self, system: KuramotoSystem, tape: _Tape, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradient by the initial phases and the stage adjoints.

        The stage adjoints, (n_steps, n_stages, ..., n), are the gradients by the rates.
        """
        h, weights, rows = self.step_size, self.method.weights, self.method.stages
        stiffness = system.stiffness(tape.phasors, tape.drives)
        adjoints = torch.empty_like(stiffness)
        grads = grad.unbind(0)
        costate = grads[-1]
        each = (t.flatten(0, 1).unbind(0) for t in (adjoints, tape.phasors, stiffness))
        tapes = zip(*(reversed(views) for views in each), strict=True)
        for step in range(self.n_steps - 1, -1, -1):
            pulled: dict[int, Tensor] = {}
            for stage in range(len(weights) - 1, -1, -1):
                adjoint, phasors, slope = next(tapes)
                torch.mul(costate, h * weights[stage], out=adjoint)
                for later, value in pulled.items():
                    a = rows[later - 1][stage]
                    if a:
                        adjoint.add_(value, alpha=h * a)
                back = system.coupling.rmatvec(phasors * adjoint.unsqueeze(-2))
                pulled[stage] = torch.addcmul((phasors * back).sum(-2), adjoint, slope)
            costate = costate + sum(pulled.values())
            if step >= self.save_from:
                costate = costate + grads[step - self.save_from]
        return costate, adjoints


def _places(phasors: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Phasors (m, ..., 2, n), and where their cosines and sines go."""
    parts = phasors, phasors[..., 0, :], phasors[..., 1, :]
    return list(zip(*(part.unbind(0) for part in parts), strict=True))


class _Flow(torch.autograd.Function):
    """Phases along a trajectory as a function of initial phases and all parameters."""

    @staticmethod
    def forward(
        ctx: Any, plan: _Plan, system: KuramotoSystem, phases: Tensor, *parameters: Tensor
    ) -> Tensor:
        shape = (plan.n_steps, len(plan.method.weights), *phases.shape[:-1], 2, phases.shape[-1])
        tape = _Tape(phases.new_empty(shape), phases.new_empty(shape))
        ctx.plan, ctx.system, ctx.tape = plan, system, tape
        return plan.forward(system, phases, tape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        system, tape = ctx.system, ctx.tape
        costate, adjoints = ctx.plan.backward(system, tape, grad)
        phasors, needed = tape.phasors, ctx.needs_input_grad[3:]
        grads = parameter_gradients(system, phasors, phasors, adjoints, needed)
        return (None, None, costate, *grads)
