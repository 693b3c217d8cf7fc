"""Explicit Runge-Kutta methods of fixed step with their exact discrete adjoint."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skkuranet.coupling._plan import Plan, plan_for
from skkuranet.dynamics._array_ops import TorchOps, quiet
from skkuranet.dynamics._cuda_graphs import Replay, steps_to_replay
from skkuranet.dynamics._delays import Past
from skkuranet.dynamics._dynamics import Dynamics
from skkuranet.dynamics._functions import pulled
from skkuranet.dynamics._kernel import kernel_for
from skkuranet.dynamics._problem import Problem
from skkuranet.dynamics._solver import Solver
from skkuranet.dynamics._workspace import Motion, Part, Tape

# What is pulled back together where couplings may do so in parts: states of so many bytes, but no
# fewer steps than products are fast with.
_PART_BYTES, _FEWEST_STEPS = 1 << 17, 4


@dataclass(frozen=True)
class RungeKutta(Solver):
    r"""An explicit Runge-Kutta method.

    Differentiating the solution runs the discrete adjoint: with :math:`\lambda` the gradient with
    respect to the state after a step, each stage pulls its share back through its rate, one product
    with :math:`K^T` and its signal. The gradient with respect to K is gathered as a product of two
    thin matrices over all steps, and no autograd graph is built.

    Delays are taken where all stages are at the ends of a step, and noise where there is but one
    stage, which makes it the Euler-Maruyama method.

    Parameters
    ----------
    stages : tuple of tuple of float
        Strictly lower triangle of the Butcher tableau, one row for each stage after
        the first.
    weights : tuple of float
        Weights of the stages.
    name : str, default="this method"
        What messages call it.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling
    >>> from skkuranet.dynamics import RungeKutta, integrate
    >>> midpoint = RungeKutta(((0.5,),), (0.0, 1.0), name="midpoint")
    >>> motion = {"step_size": 0.1, "n_steps": 50}
    >>> K, start = DenseCoupling(torch.ones(2, 2)), torch.tensor([0.0, 1.0])
    >>> path = integrate(K, start, solver=midpoint, **motion)
    >>> bool(path.order_parameter()[-1] > 0.999)
    True
    """

    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    name: str = "this method"

    @property
    def times(self) -> tuple[float, ...]:
        """When each stage is, from 0 at the beginning of a step to 1 at its end."""
        return (0.0, *map(sum, self.stages))

    @property
    def supports_delays(self) -> bool:
        """Whether all stages are at the ends of a step."""
        return {*self.times} <= {0.0, 1.0}

    @property
    def supports_noise(self) -> bool:
        """Whether there is one stage."""
        return not self.stages

    def solve(
        self, problem: Problem, state: Tensor, *, step_size: float, n_steps: int, save_from: int
    ) -> Tensor:
        self.check(problem, state)
        plan = _Solve(self, step_size, n_steps, save_from)
        tensors = (state, *problem.parameters)
        products = plan_for(problem.coupling)
        if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
            return _Flow.apply(plan, problem, products, *tensors)
        return plan.forward(problem, products, state, None)


EULER = RungeKutta(stages=(), weights=(1.0,), name="euler")
HEUN = RungeKutta(stages=((1.0,),), weights=(0.5, 0.5), name="heun")
RK4 = RungeKutta(
    stages=((0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), weights=(1 / 6, 1 / 3, 1 / 3, 1 / 6), name="rk4"
)


@dataclass(frozen=True)
class _Solve:
    method: RungeKutta
    step_size: float
    n_steps: int
    save_from: int

    @quiet()
    def forward(self, problem: Problem, plan: Plan, state: Tensor, tape: Tape | None) -> Tensor:
        """Return the kept states; ``tape`` takes those that every stage of every step is at."""
        state = state.detach()
        saved = state.new_empty((self.n_steps - self.save_from + 1, *state.shape))
        if self.save_from == 0:
            saved[0] = state
        n_stages = len(self.method.weights)
        past = self._past(problem, state)
        finish = _Finish.of(problem, tape)
        length = 0
        kernel = kernel_for(problem.dynamics, state)
        replayable = plan.is_replayable and kernel.is_replayable
        if replayable and past is None and finish is None:
            length = steps_to_replay(state, self.n_steps, n_stages)
        n_slots = (length or self.n_steps) * n_stages
        keeps = tape is not None
        motion = Motion(problem, plan, kernel, state, n_stages, n_slots, keeps=keeps, past=past)
        if tape is not None:
            # Going back must not depend on what has been set since.
            tape.kernel, tape.n_replayed = kernel, length
        if length:
            self._replay(motion, state, saved, tape, length)
        else:
            self._run(motion, state, saved, tape, finish)
        return saved

    def _run(
        self,
        motion: Motion,
        state: Tensor,
        saved: Tensor,
        tape: Tape | None,
        finish: _Finish | None,
    ) -> None:
        """Take all steps, each from where the one before has written its state."""
        n_stages, views = len(self.method.weights), motion.ops.views
        m, unsaved = self.n_steps * n_stages, max(0, self.save_from - 1)
        if tape is None:
            moving, *between = views(state.new_empty((n_stages, *state.shape)), 0)
            ends, inner = [moving] * unsaved, [[slot] * self.n_steps for slot in between]
        else:
            fresh = views(state.new_empty((unsaved + m - self.n_steps, *state.shape)), 0)
            ends, rest = fresh[:unsaved], fresh[unsaved:]
            inner = [rest[stage :: n_stages - 1] for stage in range(n_stages - 1)]
        # Where every step ends, and the stages between.
        track = [motion.ops.view(state)] * (m + 1)
        track[n_stages::n_stages] = ends + views(saved, 0)[-(self.n_steps - unsaved) :]
        for stage, slots in enumerate(inner, 1):
            track[stage::n_stages] = slots
        if tape is not None:
            tape.states, tape.notes = track[:-1], motion.notes
            tape.drives, tape.acting = motion.drives, motion.acting
        self._walk(motion, track, finish)

    def _replay(
        self, motion: Motion, state: Tensor, saved: Tensor, tape: Tape | None, length: int
    ) -> None:
        """Take steps in memory that stays where it is, so that a card can replay them."""
        n_stages, views = len(self.method.weights), motion.ops.views
        # The points that a few steps go through, and the one that they lead to.
        track = state.new_empty((length * n_stages + 1, *state.shape))
        points = views(track, 0)
        if tape is not None:
            tape.reserve(motion, self.n_steps * n_stages)
        replay = Replay(lambda: self._walk(motion, points), state.device)
        track[0] = state
        for first in range(0, self.n_steps, length):
            n_steps = min(length, self.n_steps - first)
            end = n_steps * n_stages
            if n_steps == length:
                replay()
            else:
                self._walk(motion, points[: end + 1])
            if tape is not None:
                tape.keep(first * n_stages, track[:end], motion)
            reached = track[n_stages : end + 1 : n_stages]
            unsaved = max(0, self.save_from - first - 1)
            if unsaved < n_steps:
                position = first + 1 + unsaved - self.save_from
                saved[position : position + n_steps - unsaved] = reached[unsaved:]
            track[0] = track[end]

    def _walk(self, motion: Motion, track: Sequence[Any], finish: _Finish | None = None) -> None:
        """Go along a track of the states of all stages of all steps, and those after the last.

        The first of them are where it begins; all others are slots to write to.
        """
        ops, spare, n_stages = motion.ops, motion.spare, len(self.method.weights)
        weights, rows = self._tableau(ops, motion.like)
        rates, write_rate = motion.rates, motion.rate()
        # Of every stage its rate, and those before it that lead to it.
        stages = [(rate, _used(row, rates)) for rate, row in zip(rates, rows, strict=True)]
        last = list(zip(weights, rates, strict=True))
        for first in range(0, len(track) - 1, n_stages):
            current, end = track[first], track[first + n_stages]
            for slot, (rate, earlier) in enumerate(stages, first):
                here, point = track[slot], current
                for factor, before in earlier:
                    ops.add_scaled(point, factor, before, here, spare)
                    point = here
                if point is not here:
                    ops.copy(here, current)
                write_rate(here, rate, slot)
            for weight, rate in last:
                ops.add_scaled(current, weight, rate, end, spare)
                current = end
            if finish is not None:
                finish.forward(end)

    @quiet()
    def backward(
        self,
        problem: Problem,
        plan: Plan,
        tape: Tape,
        state: Tensor,
        grad: Tensor,
        needed: Sequence[bool],
    ) -> tuple[Tensor, Sequence[Tensor | None]]:
        """Return the gradients with respect to the initial state and the parameters."""
        costate = grad[-1].clone()
        n_stages, replays = len(self.method.weights), bool(tape.n_replayed)
        length = tape.n_replayed or self._steps_of_a_part(problem, plan, costate)
        n_values = len(problem.dynamics.parameters)
        by_couplings: Sequence[Tensor | None] | None = None
        by_values: list[Tensor] | None = None
        past = self._past(problem, state)
        finish = _Finish.of(problem, tape)
        part: Part | None = None
        pull: Callable[[], None] | None = None
        for first in range((self.n_steps - 1) // length * length, -1, -length):
            n_steps = min(length, self.n_steps - first)
            # Parts take turns in the same memory; only the last of all may be shorter.
            if part is None or pull is None or part.n_steps != n_steps:
                part = pull = None
                part = Part(problem, plan, costate, tape, n_steps, n_stages, past)
                pull = functools.partial(self._pull_back, part, self._turns(part, costate))
                if replays and n_steps == length:
                    pull = Replay(pull, costate.device)
            part.load(first * n_stages)
            part.receive(grad, first - self.save_from, in_place=replays)
            if finish is not None:
                self._pull_back(part, self._turns(part, costate), finish, first)
            else:
                pull()
            found = part.kernel_part.by_parameters()
            by_values = found if by_values is None else [a + b for a, b in zip(by_values, found)]
            if any(needed[len(needed) - len(problem.coupling.tensors) :]):
                by_couplings = part.by_couplings(by_couplings)
        assert by_values is not None
        if past is not None:
            by_state, *rest = past.pull_history(state)
            costate = costate + by_state
            by_values = [a + b for a, b in zip(by_values, rest, strict=True)]
        by_noise = [] if finish is None or finish.by_increments is None else [finish.by_increments]
        if by_couplings is None:
            by_couplings = [None] * len(problem.coupling.tensors)
        assert len(by_values) == n_values
        return costate, [*by_noise, *by_values, *by_couplings]

    def _past(self, problem: Problem, state: Tensor) -> Past | None:
        if problem.lag is None:
            return None
        return Past(problem, state, self.step_size, [int(time) for time in self.method.times])

    def _steps_of_a_part(self, problem: Problem, plan: Plan, state: Tensor) -> int:
        if not plan.n_notes or problem.lag is not None:
            return self.n_steps
        # Processes that share a network must agree, so that the whole network is what counts.
        n_bytes = state[..., 0].numel() * problem.coupling.n_global * state.itemsize
        most = max(_FEWEST_STEPS, _PART_BYTES // max(1, len(self.method.weights) * n_bytes))
        # Parts of one length share their memory.
        return math.ceil(self.n_steps / math.ceil(self.n_steps / most))

    def _turns(self, part: Part, like: Tensor) -> list[tuple[Any, Any, Any]]:
        """Of every stage of a step, the last one ahead, its weight, and what it led to."""
        weights, rows = self._tableau(part.ops, like)
        columns = itertools.zip_longest(*rows, [None] * len(rows))
        used = (_used(column, part.pulled) for column in columns)
        return list(zip(part.pulled, weights, used, strict=True))[::-1]

    def _pull_back(
        self,
        part: Part,
        turns: list[tuple[Any, Any, Any]],
        finish: _Finish | None = None,
        first: int = 0,
    ) -> None:
        """Replace the gradient with respect to the state after a part by that before."""
        ops, back, spare, costate = part.ops, part.back, part.spare, part.costate
        pull, kernel_part, backwards = part.pull, part.kernel_part, reversed(part.stages)
        # Bound once: to look them up takes as long as a sum over a small network.
        pull_rate, pull_signal = kernel_part.pull_rate, kernel_part.pull_signal
        for step in range(part.n_steps - 1, -1, -1):
            if finish is not None:
                finish.backward(costate, first + step)
            for (value, weight, later), (stage, by_rate, slot) in zip(turns, backwards):
                ops.multiply(costate, weight, by_rate)
                for factor, after in later:
                    ops.add_scaled(by_rate, factor, after, by_rate, spare)
                pull_rate(stage)
                pull(slot)
                pull_signal(stage, back, value, spare)
            for value in part.pulled:
                ops.add(costate, value, costate)
            arriving = part.arriving[step]
            if arriving is not None:
                ops.add(costate, arriving, costate)

    def _tableau(self, ops: TorchOps, like: Tensor) -> tuple[list[Any], list[Any]]:
        """Return the weights and the rows of the tableau times the step; None stands for 0."""

        def times_step(coefficients: Sequence[float]) -> list[Any]:
            return [ops.number(self.step_size * c, like) if c else None for c in coefficients]

        rows = ((), *self.method.stages)
        weights = [ops.number(self.step_size * w, like) for w in self.method.weights]
        return weights, [times_step(row) for row in rows]


class _Finish:
    """What is done to a state at the end of a step: noise is added, and it is retracted.

    ``by_increments`` is the gradient with respect to the noise, once all steps are pulled back, and
    None where noise is drawn.
    """

    def __init__(self, problem: Problem, ends: list[Tensor] | None, *, retracts: bool) -> None:
        self._dynamics, self._ends, self._retracts = problem.dynamics, ends, retracts
        noise = problem.increments
        self._coming = None if noise is None else iter(noise)
        self.by_increments = torch.empty_like(noise) if isinstance(noise, Tensor) else None

    @classmethod
    def of(cls, problem: Problem, tape: Tape | None) -> _Finish | None:
        """Return what there is to do, or None."""
        retracts = type(problem.dynamics).retract is not Dynamics.retract
        if problem.increments is None and not retracts:
            return None
        return cls(problem, None if tape is None else tape.ends, retracts=retracts)

    def forward(self, end: Any) -> None:
        """Change the state that the next step has led to."""
        end = torch.as_tensor(end)
        if self._coming is not None:
            end += next(self._coming)
        if self._retracts:
            if self._ends is not None:
                self._ends.append(end.clone())
            end.copy_(self._dynamics.retract(end))

    def backward(self, costate: Any, step: int) -> None:
        """Pull the gradient with respect to the end of a step back."""
        costate = torch.as_tensor(costate)
        if self._retracts:
            assert self._ends is not None
            costate.copy_(pulled(self._dynamics.retract, (self._ends[step],), costate)[0])
        if self.by_increments is not None:
            self.by_increments[step] = costate


def _used(factors: Sequence[Any], of: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Pairs of a factor and what it is of, without those that are 0."""
    return [(factor, value) for factor, value in zip(factors, of) if factor is not None]


class _Flow(torch.autograd.Function):
    """States along a trajectory as a function of the initial one and all parameters."""

    @staticmethod
    def forward(
        ctx: Any, solve: _Solve, problem: Problem, plan: Plan, state: Tensor, *parameters: Tensor
    ) -> Tensor:
        ctx.solve, ctx.problem, ctx.plan, ctx.tape = solve, problem, plan, Tape()
        # Detached, as the tape has views: with the output as their base it would keep itself alive.
        saved = solve.forward(problem, plan, state, ctx.tape).detach()
        ctx.save_for_backward(state, saved, *parameters)
        return saved

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        # The tape and the couplings share their memory; this raises if they were changed.
        state, *_ = ctx.saved_tensors
        needed = ctx.needs_input_grad[4:]
        costate, grads = ctx.solve.backward(ctx.problem, ctx.plan, ctx.tape, state, grad, needed)
        return (None, None, None, costate, *grads)
