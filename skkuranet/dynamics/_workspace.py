"""Memory of trajectories and of parts of them, reused at every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skkuranet.coupling._plan import Plan
from skkuranet.dynamics._delays import Past
from skkuranet.dynamics._dynamics import signal_of
from skkuranet.dynamics._kernel import Kernel, kernel_for
from skkuranet.dynamics._problem import Problem


class Motion:
    """Rates at states that are handed over one after another.

    Parameters
    ----------
    problem : Problem
        What moves.
    plan : Plan
        For its couplings.
    like : Tensor of shape (..., state_shape, n)
        A state.
    n_stages : int
        Number of rates of a step.
    n_slots : int
        Rates whose products are noted, each in its slot; 0 for none.
    past : Past, optional
        Where sources have delays.

    Attributes
    ----------
    rates : list
        Memory for the rates of a step, the last of which is used before there is another.
    notes : Tensor of shape (n_slots, ..., m, n_notes) or None
        What the plan notes of signals.
    """

    def __init__(
        self,
        problem: Problem,
        plan: Plan,
        like: Tensor,
        n_stages: int,
        n_slots: int,
        past: Past | None = None,
    ) -> None:
        self.kernel, self._past = kernel_for(problem.dynamics, like), past
        self.ops = self.kernel.ops
        self.signal = like.new_empty(signal_shape(problem, like))
        drive = torch.empty_like(self.signal)
        self.notes = notes_of(plan, self.signal, n_slots)
        self._product = plan.matvec(drive, self.notes)
        self._signals, self._drive = self.kernel.rows(self.signal), self.kernel.rows(drive)
        self.like, (self.spare, last) = like, _free_rows(self.kernel, self._drive, like)
        earlier = like.new_empty((n_stages - 1, *like.shape))
        self.rates = [*self.ops.views(earlier, 0), last]

    def rate(self, state: Any, out: Any, slot: int = 0, step: int = 0) -> None:
        """Write the rate at a state, and the notes of what acts there to their slot."""
        self.kernel.signal(state, self._signals)
        acting = self.signal if self._past is None else self._past.act(self.signal, step)
        self._product(acting, slot)
        self.kernel.rate(state, self._signals, self._drive, out, self.spare)


@dataclass
class Tape:
    """States that every stage of every step was at, and the notes of the products there.

    Where steps are retracted, also the states that they led to before.
    """

    states: list[Any] = field(default_factory=list)
    notes: Tensor | None = None
    ends: list[Tensor] = field(default_factory=list)
    kernel: Any = None
    n_replayed: int = 0
    _whole: Tensor | None = None

    def reserve(self, plan: Plan, signal: Tensor, like: Tensor, n_stages: int) -> None:
        """Make memory for all stages, for :meth:`keep`."""
        self._whole = like.new_empty((n_stages, *like.shape))
        self.states = self.kernel.ops.views(self._whole, 0)
        self.notes = notes_of(plan, signal, n_stages)

    def keep(self, first: int, states: Tensor, notes: Tensor | None) -> None:
        """Copy what some stages were at, the states and as many of the notes."""
        assert self._whole is not None
        self._whole[first : first + len(states)] = states
        if self.notes is not None and notes is not None:
            self.notes[first : first + len(states)] = notes[: len(states)]


class Stage(NamedTuple):
    """What the way back through one stage takes: of the kernel, a rate, a drive and a slot."""

    of_kernel: Any
    by_rate: Any
    by_drive: Tensor
    slot: int


class Part:
    """A few steps of a trajectory, in memory that serves one part after another.

    Parameters
    ----------
    problem : Problem
        What moves.
    plan : Plan
        For its couplings.
    costate : Tensor of shape (..., state_shape, n)
        Gradient with respect to the state after the part, to be replaced by that before.
    kernel : Kernel
        That of the way forward.
    n_steps : int
        Number of steps.
    times : sequence of int
        Of each stage, whether it is at the beginning, 0, or at the end, 1, of a step.
    past : Past, optional
        Where sources have delays; the part is then all of the trajectory.
    """

    def __init__(
        self,
        problem: Problem,
        plan: Plan,
        costate: Tensor,
        kernel: Kernel,
        n_steps: int,
        times: Sequence[int],
        past: Past | None = None,
    ) -> None:
        self.plan, self.kernel, self.ops, self.past = plan, kernel, kernel.ops, past
        self.n_steps, self._times, m = n_steps, times, n_steps * len(times)
        shape, axis = signal_shape(problem, costate), -2 - len(problem.dynamics.state_shape)
        rows = (*shape[:-2], m, *shape[-2:])
        signals, back = costate.new_empty(rows), costate.new_empty(shape)
        # Gradients with respect to drives are known last, and take the memory of these.
        drives = torch.empty_like(signals)
        by_rates = costate.new_empty(_with_axis(costate.shape, axis, m))
        self._signals = signals
        self._acting = signals if past is None else torch.empty_like(signals)
        of_drives, of_signals = (notes_of(plan, back, m) for _ in range(2))
        self.pull = plan.rmatvec(back, of_drives)
        self._of_drives, self._of_signals = (
            None if notes is None else notes.movedim(0, -3) for notes in (of_drives, of_signals)
        )
        if self._of_signals is not None:
            # One row after another, as the vectors are.
            self._of_signals = self._of_signals.contiguous()
        self._drives = drives
        acting, out = (t.flatten(-3, -2) for t in (self._acting, drives))
        rows_of_signals = None if self._of_signals is None else self._of_signals.flatten(-3, -2)
        self._again = plan.again(acting, rows_of_signals, out)
        self._kernel_part = kernel.part(signals, drives, by_rates)
        self.costate, self.back, self.come_back = self.ops.view(costate), kernel.rows(back), back
        self.arriving = list[Any]()
        self._received: Tensor | None = None
        # What comes back is free once it is summed up; the first stage is the last to ask for it.
        later = self.ops.views(costate.new_empty((len(times) - 1, *costate.shape)), 0)
        first, self.spare = _free_rows(kernel, self.back, costate)
        self.pulled = [first, *later]
        by_drives = drives.unbind(-3)
        self.stages = list(
            map(
                Stage,
                self._kernel_part.stages,
                self.ops.views(by_rates, axis),
                by_drives,
                range(m),
            )
        )

    def load(self, tape: Tape, first: int) -> None:
        """Compute all but the gradients anew, from this stage on; keeping it would be slower."""
        m = len(self.stages)
        self._kernel_part.load(tape.states[first : first + m])
        if self.past is not None:
            for slot in range(m):
                step, stage = divmod(slot, len(self._times))
                self._acting[..., slot, :, :] = self.past.act(
                    self._signals[..., slot, :, :], step + self._times[stage]
                )
        if self._of_signals is not None:
            assert tape.notes is not None
            self._of_signals.movedim(-3, 0).copy_(tape.notes[first : first + m])
        self._again()
        self._kernel_part.linearize()

    def receive(self, grad: Tensor, first: int, *, in_place: bool) -> None:
        """Take the gradients that arrive at the states before each step, from this entry on."""
        inside = range(max(0, first), max(0, first + self.n_steps))
        if not in_place:
            views = self.ops.views
            arriving = views(grad[inside.start : inside.stop], 0) if inside else []
            self.arriving = [None] * (self.n_steps - len(arriving)) + arriving
            return
        if self._received is None:
            self._received = grad.new_empty((self.n_steps, *grad.shape[1:]))
            self.arriving = self.ops.views(self._received, 0)
        self._received.zero_()
        self._received[self.n_steps - len(inside) :] = grad[inside.start : inside.stop]

    def pull_rate(self, stage: Stage) -> None:
        """Pull the gradient with respect to a rate back to the drive."""
        self._kernel_part.pull_rate(stage.of_kernel)

    def pull_signal(self, stage: Stage, out: Any) -> None:
        """Pull what has come back to the state."""
        self._kernel_part.pull_signal(stage.of_kernel, self.back, out, self.spare)

    def by_parameters(self) -> list[Tensor]:
        """Return the gradients with respect to the parameters of the dynamics."""
        return self._kernel_part.by_parameters()

    def by_couplings(self, total: Sequence[Tensor | None] | None) -> Sequence[Tensor | None]:
        """Add the gradients with respect to the tensors of the couplings."""

        def rows(memory: Tensor | None) -> Any:
            return None if memory is None else memory.flatten(-3, -2)

        left = rows(self._drives), rows(self._of_drives)
        return self.plan.accumulate(total, left, (rows(self._acting), rows(self._of_signals)))


def signal_shape(problem: Problem, like: Tensor) -> tuple[int, ...]:
    """Shape (..., m, n) of the signals of states like this."""
    n_axes = len(problem.dynamics.state_shape)
    with torch.no_grad():
        n_signals = signal_of(problem.dynamics, like).shape[-2]
    return (*like.shape[: like.ndim - 1 - n_axes], n_signals, like.shape[-1])


def notes_of(plan: Plan, signal: Tensor, n_slots: int) -> Tensor | None:
    """Memory for notes of signals, (n_slots, ..., m, n_notes); None if there are none."""
    if not (plan.n_notes and n_slots):
        return None
    return signal.new_empty((n_slots, *signal.shape[:-1], plan.n_notes))


def _with_axis(shape: torch.Size, axis: int, size: int) -> tuple[int, ...]:
    at = len(shape) + 1 + axis
    return (*shape[:at], size, *shape[at:])


def _free_rows(kernel: Kernel, rows: Any, like: Tensor) -> Any:
    """Memory of two states: rows that are done with; a batch has its rows far apart."""
    if kernel.reuses_drive and like.ndim == 1:
        return rows[1:]
    return kernel.ops.views(like.new_empty((2, *like.shape)), 0)
