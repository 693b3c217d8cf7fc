"""Explicit Runge-Kutta methods of fixed step with their exact discrete adjoint."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from skkuranet.dynamics._adjoint import Stages, parameter_gradients
from skkuranet.dynamics._delayed import DelayedPlan
from skkuranet.dynamics._system import KuramotoSystem, parts

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

    def forward(self, system: KuramotoSystem, phases: Tensor, tape: list[Tensor] | None) -> Tensor:
        """Return the kept phases; ``tape`` takes those that every stage of every step is at."""
        h, weights = self.step_size, self.method.weights
        saved = phases.new_empty((self.n_steps - self.save_from + 1, *phases.shape))
        if self.save_from == 0:
            saved[0] = phases
        # Views are made once: in small networks they would take as long as what is done with them.
        phasors = phases.new_empty((*phases.shape[:-1], 2, phases.shape[-1]))
        cosine, sine = parts(phasors)
        slots = saved.unbind(0)
        # Memory of a step is reused by the next one.
        drive, less, moving = (torch.empty_like(t) for t in (phasors, phases, phases))
        memory = [(torch.empty_like(phases), less) for _ in weights]
        for step in range(self.n_steps):
            rates: list[Tensor] = []
            for stage in range(len(weights)):
                point = phases
                for a, rate in zip(self.method.stages[stage - 1] if stage else (), rates):
                    if a:
                        point = point + (h * a) * rate
                if tape is not None:
                    tape.append(point)
                torch.cos(point, out=cosine)
                torch.sin(point, out=sine)
                felt = system.felt(system.coupling.matvec_in(phasors, drive))
                rates.append(system.rate((cosine, sine), felt, out=memory[stage]))
            *first, last = zip(weights, rates, strict=True)
            for weight, rate in first:
                phases = torch.add(phases, rate, alpha=h * weight)
            slot: Tensor | None = moving if tape is None else None
            if step + 1 >= self.save_from:
                slot = slots[step + 1 - self.save_from]
            phases = torch.add(phases, last[1], alpha=h * last[0], out=slot)
        return saved

    def backward(
        self, system: KuramotoSystem, tape: list[Tensor], grad: Tensor, needed: Sequence[bool]
    ) -> tuple[Tensor, Sequence[Tensor | None]]:
        """Return the gradients by the initial phases and by the parameters."""
        part = self._steps_of_a_part(system, tape[0])
        grads = grad.unbind(0)
        costate = grads[-1]
        gradients: list[Tensor | None] | None = None
        for first in range((self.n_steps - 1) // part * part, -1, -part):
            steps = range(first, min(first + part, self.n_steps))
            # A part is dropped before the next one is made.
            costate, stages = self._pull_back(system, tape, grads, costate, steps)
            gradients = parameter_gradients(system, stages, needed, others=gradients)
            del stages
        assert gradients is not None
        return costate, gradients

    def _steps_of_a_part(self, system: KuramotoSystem, phases: Tensor) -> int:
        if not system.coupling.pulls_back_in_parts:
            return self.n_steps
        # Processes that share a network must agree, so that the whole network is what counts.
        whole = phases[..., 0].numel() * system.coupling.population * phases.itemsize
        return max(_FEWEST_STEPS, _PART_BYTES // max(1, len(self.method.weights) * whole))

    def _pull_back(
        self,
        system: KuramotoSystem,
        tape: list[Tensor],
        grads: Sequence[Tensor],
        costate: Tensor,
        steps: range,
    ) -> tuple[Tensor, Stages]:
        """Return the gradient by the phases before some steps, and these steps' stages."""
        h, weights, rows = self.step_size, self.method.weights, self.method.stages
        n_stages = len(weights)
        part = _Part.at(system, tape[steps.start * n_stages : steps.stop * n_stages])
        backwards = part.backwards()
        # As tensors: numbers would be converted at every step.
        shares = [costate.new_tensor(h * weight) for weight in weights]
        memory = [torch.empty_like(part.adjoints[0]) for _ in weights]
        back, total = torch.empty_like(part.driven[0]), torch.empty_like(memory[0])
        for step in reversed(steps):
            pulled: dict[int, Tensor] = {}
            for stage in range(n_stages - 1, -1, -1):
                cosine, sine, phasors, stiffness, adjoint, row, driven = next(backwards)
                torch.mul(costate, shares[stage], out=adjoint)
                for later, value in pulled.items():
                    a = rows[later - 1][stage]
                    if a:
                        adjoint.add_(value, alpha=h * a)
                torch.mul(row, phasors, out=driven)
                by_cosine, by_sine = parts(system.coupling.rmatvec_in(driven, back))
                value = torch.mul(cosine, by_cosine, out=memory[stage]).addcmul_(sine, by_sine)
                pulled[stage] = value.addcmul_(adjoint, stiffness, value=-1)
            costate = torch.add(functools.reduce(torch.add, pulled.values()), costate, out=total)
            if step >= self.save_from:
                costate += grads[step - self.save_from]
        noted = part.phasors, part.adjoints, part.driven
        return costate, Stages(*(t.unflatten(0, (len(steps), -1)) for t in noted))


@dataclass
class _Part:
    """Stages of a few steps: what acted, (m, ..., n) or (m, ..., 2, n), and what it drove."""

    phasors: Tensor
    stiffness: Tensor
    adjoints: Tensor
    driven: Tensor

    @classmethod
    def at(cls, system: KuramotoSystem, points: list[Tensor]) -> _Part:
        """Compute all but the gradients anew, at once; keeping it would hardly be faster."""
        phases = torch.stack(points)
        phasors = phases.new_empty((*phases.shape[:-1], 2, phases.shape[-1]))
        cosine, sine = parts(phasors)
        torch.cos(phases, out=cosine)
        torch.sin(phases, out=sine)
        rows = phasors.movedim(0, -3).flatten(-3, -2)
        drives = system.coupling.matvec(rows).unflatten(-2, (-1, 2)).movedim(-3, 0)
        stiffness = system.stiffness((cosine, sine), system.felt(drives))
        del drives
        return cls(phasors, stiffness, phases, torch.empty_like(phasors))

    def backwards(self) -> Iterator[tuple[Tensor, ...]]:
        """Views of each stage, the last one first."""
        stages = (
            *parts(self.phasors),
            self.phasors,
            self.stiffness,
            self.adjoints,
            self.adjoints.unsqueeze(-2),
            self.driven,
        )
        return zip(*(reversed(t.unbind(0)) for t in stages))


class _Flow(torch.autograd.Function):
    """Phases along a trajectory as a function of initial phases and all parameters."""

    @staticmethod
    def forward(
        ctx: Any, plan: _Plan, system: KuramotoSystem, phases: Tensor, *parameters: Tensor
    ) -> Tensor:
        ctx.plan, ctx.system, ctx.tape = plan, system, []
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
