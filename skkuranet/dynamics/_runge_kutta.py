"""Explicit Runge-Kutta methods of fixed step with their exact discrete adjoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from skkuranet.dynamics._adjoint import parameter_gradients
from skkuranet.dynamics._arithmetic import quiet
from skkuranet.dynamics._delayed import DelayedPlan
from skkuranet.dynamics._motion import Motion, Part, Tape
from skkuranet.dynamics._system import KuramotoSystem

# What is pulled back together where couplings may do so in parts: phases of so many bytes, but no
# fewer steps than products are fast with.
_PART_BYTES, _FEWEST_STEPS = 1 << 17, 4


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
        system = replace(system, coupling=system.coupling.for_many_products())
        tensors = (phases, *system.parameters)
        if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
            return _Flow.apply(plan, system, *tensors)
        return plan.forward(system, phases, None)


EULER = RungeKutta(stages=(), weights=(1.0,))
RK4 = RungeKutta(stages=((0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), weights=(1 / 6, 1 / 3, 1 / 3, 1 / 6))


@dataclass(frozen=True)
class _Plan:
    method: RungeKutta
    step_size: float
    n_steps: int
    save_from: int

    @quiet()
    def forward(self, system: KuramotoSystem, phases: Tensor, tape: Tape | None) -> Tensor:
        """Return the kept phases; ``tape`` takes those that every stage of every step is at."""
        h, method = self.step_size, self.method
        phases = phases.detach()
        saved = phases.new_empty((self.n_steps - self.save_from + 1, *phases.shape))
        if self.save_from == 0:
            saved[0] = phases
        motion = Motion(system, phases)
        arithmetic, spare = motion.arithmetic, motion.spare
        slots = arithmetic.views(saved, 0)
        rates = arithmetic.views(phases.new_empty((len(method.weights), *phases.shape)), 0)
        moving, between = arithmetic.views(phases.new_empty((2, *phases.shape)), 0)
        fresh = iter(arithmetic.views(phases.new_empty((self._n_unsaved(tape), *phases.shape)), 0))
        current = arithmetic.view(phases)
        for step in range(self.n_steps):
            for stage, rate in enumerate(rates):
                point = current
                for a, earlier in zip(method.stages[stage - 1] if stage else (), rates):
                    if a:
                        if point is current:
                            target = between if tape is None else next(fresh)
                        arithmetic.add_scaled(point, h * a, earlier, target, spare)
                        point = target
                motion.rate(point, rate)
                if tape is not None:
                    tape.note(point, motion.moments)
            if step + 1 >= self.save_from:
                slot = slots[step + 1 - self.save_from]
            else:
                slot = moving if tape is None else next(fresh)
            for weight, rate in zip(method.weights, rates, strict=True):
                arithmetic.add_scaled(current, h * weight, rate, slot, spare)
                current = slot
        return saved

    def _n_unsaved(self, tape: Tape | None) -> int:
        """Points of a trajectory that the tape needs memory for."""
        if tape is None:
            return 0
        return self.n_steps * len(self.method.stages) + max(0, self.save_from - 1)

    @quiet()
    def backward(
        self, system: KuramotoSystem, tape: Tape, grad: Tensor, needed: Sequence[bool]
    ) -> tuple[Tensor, Sequence[Tensor | None]]:
        """Return the gradients by the initial phases and by the parameters."""
        costate = grad[-1].clone()
        n_stages, length = len(self.method.weights), self._steps_of_a_part(system, costate)
        gradients: list[Tensor | None] | None = None
        part: Part | None = None
        for first in range((self.n_steps - 1) // length * length, -1, -length):
            steps = range(first, min(first + length, self.n_steps))
            # Parts take turns in the same memory; only the last of all may be shorter.
            if part is not None and part.n_steps != len(steps):
                part = None
            if part is None:
                part = Part(system, costate, grad, len(steps), n_stages)
            part.load(tape, first * n_stages)
            self._pull_back(part, steps)
            part.turn()
            gradients = parameter_gradients(system, part.outcome, needed, others=gradients)
        assert gradients is not None
        return costate, gradients

    def _steps_of_a_part(self, system: KuramotoSystem, phases: Tensor) -> int:
        if not system.coupling.n_moments:
            return self.n_steps
        # Processes that share a network must agree, so that the whole network is what counts.
        whole = phases[..., 0].numel() * system.coupling.population * phases.itemsize
        return max(_FEWEST_STEPS, _PART_BYTES // max(1, len(self.method.weights) * whole))

    def _pull_back(self, part: Part, steps: range) -> None:
        """Replace the gradient by the phases after some steps by that by the phases before."""
        h, method, arithmetic, spare = self.step_size, self.method, part.arithmetic, part.spare
        costate, pulled = part.costate, part.pulled
        backwards = reversed(part.stages)
        for step in reversed(steps):
            for stage in range(len(pulled) - 1, -1, -1):
                at, value = next(backwards), pulled[stage]
                arithmetic.multiply(costate, h * method.weights[stage], at.adjoint)
                for later in range(stage + 1, len(pulled)):
                    a = method.stages[later - 1][stage]
                    if a:
                        arithmetic.add_scaled(at.adjoint, h * a, pulled[later], at.adjoint, spare)
                arithmetic.multiply(at.row, at.phasors.both, at.driven)
                part.pull(at.rows)
                if part.moments is not None:
                    arithmetic.copy(part.moments, at.moments)
                arithmetic.dot(at.phasors, part.back, value)
                arithmetic.subtract_product(value, at.adjoint, at.stiffness, value, spare)
            for value in pulled:
                arithmetic.add(costate, value, costate)
            if step >= self.save_from:
                arithmetic.add(costate, part.arriving[step - self.save_from], costate)


class _Flow(torch.autograd.Function):
    """Phases along a trajectory as a function of initial phases and all parameters."""

    @staticmethod
    def forward(
        ctx: Any, plan: _Plan, system: KuramotoSystem, phases: Tensor, *parameters: Tensor
    ) -> Tensor:
        ctx.plan, ctx.system, ctx.tape = plan, system, Tape()
        # Detached, as the tape has views: with the output as their base it would keep itself alive.
        saved = plan.forward(system, phases, ctx.tape).detach()
        ctx.save_for_backward(phases, saved, *parameters)
        return saved

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        # The tape and the couplings share their memory; this raises if they were changed.
        _ = ctx.saved_tensors
        costate, grads = ctx.plan.backward(ctx.system, ctx.tape, grad, ctx.needs_input_grad[3:])
        return (None, None, costate, *grads)
