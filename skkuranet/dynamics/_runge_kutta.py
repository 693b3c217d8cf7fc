"""Explicit Runge-Kutta methods of fixed step with their exact discrete adjoint."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from skkuranet.dynamics._adjoint import parameter_gradients
from skkuranet.dynamics._arithmetic import TorchArithmetic, quiet
from skkuranet.dynamics._delayed import DelayedPlan
from skkuranet.dynamics._motion import Motion, Part, Tape
from skkuranet.dynamics._replay import Replay, steps_to_replay
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
            Phases in radians.

        Raises
        ------
        ValueError
            If sources have delays and the method has more than one stage.
        NotImplementedError
            If anything has a forward-mode tangent, which the adjoint knows nothing of.
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
        if any(forward_ad.unpack_dual(t).tangent is not None for t in tensors):
            raise NotImplementedError(
                "Solvers of fixed steps have no forward-mode derivatives; use reverse mode."
            )
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
        phases = phases.detach()
        saved = phases.new_empty((self.n_steps - self.save_from + 1, *phases.shape))
        if self.save_from == 0:
            saved[0] = phases
        n_stages = len(self.method.weights)
        length = steps_to_replay(system.coupling, phases, self.n_steps, n_stages)
        n_places = 0 if tape is None else (length or self.n_steps) * n_stages
        motion = Motion(system, phases, n_stages, n_places)
        if tape is not None:
            # Going back must not depend on what has been set since.
            tape.arithmetic, tape.n_replayed = motion.arithmetic, length
        if length:
            self._replay(motion, phases, saved, tape, length)
        else:
            self._run(motion, phases, saved, tape)
        return saved

    def _run(self, motion: Motion, phases: Tensor, saved: Tensor, tape: Tape | None) -> None:
        """Take all steps, each from where the one before has written its phases."""
        n_stages, views = len(self.method.weights), motion.arithmetic.views
        m, unsaved = self.n_steps * n_stages, max(0, self.save_from - 1)
        if tape is None:
            moving, *between = views(phases.new_empty((n_stages, *phases.shape)), 0)
            ends, inner = [moving] * unsaved, [[place] * self.n_steps for place in between]
        else:
            fresh = views(phases.new_empty((unsaved + m - self.n_steps, *phases.shape)), 0)
            ends, rest = fresh[:unsaved], fresh[unsaved:]
            inner = [rest[stage :: n_stages - 1] for stage in range(n_stages - 1)]
        # Where every step ends, and the stages between.
        track = [motion.arithmetic.view(phases)] * (m + 1)
        track[n_stages::n_stages] = ends + views(saved, 0)[-(self.n_steps - unsaved) :]
        for stage, places in enumerate(inner, 1):
            track[stage::n_stages] = places
        if tape is not None:
            tape.phases, tape.moments = track[:-1], motion.moments
        self._walk(motion, track)

    def _replay(
        self, motion: Motion, phases: Tensor, saved: Tensor, tape: Tape | None, length: int
    ) -> None:
        """Take steps in memory that stays where it is, so that a card can replay them."""
        n_stages, views = len(self.method.weights), motion.arithmetic.views
        # The points that a few steps go through, and the one that they lead to.
        track = phases.new_empty((length * n_stages + 1, *phases.shape))
        points = views(track, 0)
        if tape is not None:
            tape.reserve(motion.system, phases, self.n_steps * n_stages)
        replay = Replay(lambda: self._walk(motion, points), phases.device)
        track[0] = phases
        for first in range(0, self.n_steps, length):
            n_steps = min(length, self.n_steps - first)
            end = n_steps * n_stages
            if n_steps == length:
                replay()
            else:
                self._walk(motion, points[: end + 1])
            if tape is not None:
                tape.keep(first * n_stages, track[:end], motion.moments)
            reached = track[n_stages : end + 1 : n_stages]
            unsaved = max(0, self.save_from - first - 1)
            if unsaved < n_steps:
                place = first + 1 + unsaved - self.save_from
                saved[place : place + n_steps - unsaved] = reached[unsaved:]
            track[0] = track[end]

    def _walk(self, motion: Motion, track: Sequence[Any]) -> None:
        """Go along a track of the phases of all stages of all steps, and those after the last.

        The first of them are where it begins; all others are places to write to.
        """
        arithmetic, spare, n_stages = motion.arithmetic, motion.spare, len(self.method.weights)
        weights, rows = self._tableau(arithmetic, motion.like)
        rates = motion.rates
        # Of every stage its rate, and those before it that lead to it.
        stages = [(rate, _used(row, rates)) for rate, row in zip(rates, rows, strict=True)]
        last = list(zip(weights, rates, strict=True))
        for first in range(0, len(track) - 1, n_stages):
            current, slot = track[first], track[first + n_stages]
            for stage, (rate, earlier) in enumerate(stages, first):
                here, point = track[stage], current
                for factor, before in earlier:
                    arithmetic.add_scaled(point, factor, before, here, spare)
                    point = here
                if point is not here:
                    arithmetic.copy(here, current)
                motion.rate(here, rate, stage)
            for weight, rate in last:
                arithmetic.add_scaled(current, weight, rate, slot, spare)
                current = slot

    @quiet()
    def backward(
        self, system: KuramotoSystem, tape: Tape, grad: Tensor, needed: Sequence[bool]
    ) -> tuple[Tensor, Sequence[Tensor | None]]:
        """Return the gradients by the initial phases and by the parameters."""
        costate = grad[-1].clone()
        n_stages, replays = len(self.method.weights), bool(tape.n_replayed)
        length = tape.n_replayed or self._steps_of_a_part(system, costate)
        gradients: list[Tensor | None] | None = None
        part: Part | None = None
        pull: Callable[[], None] | None = None
        for first in range((self.n_steps - 1) // length * length, -1, -length):
            n_steps = min(length, self.n_steps - first)
            # Parts take turns in the same memory; only the last of all may be shorter.
            if part is None or pull is None or part.n_steps != n_steps:
                part = pull = None
                part = Part(system, costate, tape.arithmetic, n_steps, n_stages)
                pull = functools.partial(self._pull_back, part, self._turns(part))
                if replays and n_steps == length:
                    pull = Replay(pull, costate.device)
            part.load(tape, first * n_stages)
            part.receive(grad, first - self.save_from, in_place=replays)
            pull()
            gradients = parameter_gradients(system, part.outcome, needed, others=gradients)
        assert gradients is not None
        return costate, gradients

    def _steps_of_a_part(self, system: KuramotoSystem, phases: Tensor) -> int:
        if not system.coupling.n_moments:
            return self.n_steps
        # Processes that share a network must agree, so that the whole network is what counts.
        whole = phases[..., 0].numel() * system.coupling.population * phases.itemsize
        return max(_FEWEST_STEPS, _PART_BYTES // max(1, len(self.method.weights) * whole))

    def _turns(self, part: Part) -> list[tuple[Any, Any, Any]]:
        """Of every stage of a step, the last one ahead, its weight, and what it led to."""
        weights, rows = self._tableau(part.arithmetic, part.outcome.adjoints)
        columns = itertools.zip_longest(*rows, [None] * len(rows))
        used = (_used(column, part.pulled) for column in columns)
        return list(zip(part.pulled, weights, used, strict=True))[::-1]

    def _pull_back(self, part: Part, turns: list[tuple[Any, Any, Any]]) -> None:
        """Replace the gradient by the phases after a part by that by the phases before."""
        arithmetic, spare, back = part.arithmetic, part.spare, part.back
        costate, pulled, pull = part.costate, part.pulled, part.pull
        backwards = reversed(part.stages)
        for arriving in reversed(part.arriving):
            for (value, weight, later), at in zip(turns, backwards):
                arithmetic.multiply(costate, weight, at.adjoint)
                for factor, after in later:
                    arithmetic.add_scaled(at.adjoint, factor, after, at.adjoint, spare)
                arithmetic.multiply(at.row, at.phasors.both, at.driven)
                pull(at.rows, at.place)
                arithmetic.dot(at.phasors, back, value)
                arithmetic.subtract_product(value, at.adjoint, at.stiffness, value, spare)
            for value in pulled:
                arithmetic.add(costate, value, costate)
            if arriving is not None:
                arithmetic.add(costate, arriving, costate)
        part.turn()

    def _tableau(self, arithmetic: TorchArithmetic, like: Tensor) -> tuple[list[Any], list[Any]]:
        """Return the weights and the rows of the tableau times the step; None stands for 0."""

        def times_step(coefficients: Sequence[float]) -> list[Any]:
            return [
                arithmetic.number(self.step_size * c, like) if c else None for c in coefficients
            ]

        rows = ((), *self.method.stages)
        weights = [arithmetic.number(self.step_size * w, like) for w in self.method.weights]
        return weights, [times_step(row) for row in rows]


def _used(factors: Sequence[Any], of: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Pairs of a factor and what it is of, without those that are 0."""
    return [(factor, value) for factor, value in zip(factors, of) if factor is not None]


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
