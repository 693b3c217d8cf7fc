"""Memory of trajectories and of parts of them, reused at every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from skkuranet.coupling._plan import Plan
from skkuranet.dynamics._delays import Past
from skkuranet.dynamics._kernel import Kernel
from skkuranet.dynamics._problem import Problem


class Motion:
    """Rates at states that are handed over one after another, each in one of ``n_slots``.

    ``keeps`` says whether the way back needs what there is in each slot.

    Attributes
    ----------
    rates : list
        Memory for the rates of a step, the last of which is used before there is another.
    notes : Tensor of shape (n_slots, ..., m, n_notes) or None
        What the plan notes of signals.
    drives, acting : Tensor of shape (n_slots, ..., m, n) or None
        Products, where the plan keeps them, and what acts where sources have delays.
    """

    def __init__(
        self,
        problem: Problem,
        plan: Plan,
        kernel: Kernel,
        like: Tensor,
        n_stages: int,
        n_slots: int,
        *,
        keeps: bool,
        past: Past | None = None,
    ) -> None:
        self.kernel, self.ops = kernel, kernel.ops
        signal = like.new_empty(_signal_shape(problem, kernel, like))
        drive, per_slot = torch.empty_like(signal), (n_slots, *signal.shape)
        self.notes = _notes_of(plan, signal, n_slots) if keeps else None
        self.drives: Tensor | None = None
        if keeps and plan.keeps_products:
            # Laid out as the way back has them, which may take this memory.
            stages = (*signal.shape[:-2], n_slots, *signal.shape[-2:])
            self.drives = signal.new_empty(stages).movedim(-3, 0)
        acting = signal if past is None else signal.new_empty(per_slot if keeps else signal.shape)
        self.acting = None if past is None else acting
        acting = acting.expand(per_slot)
        product = plan.matvec(acting, drive, self.notes)
        self._product = product if past is None else past.delayed(product, signal, acting)
        self._signals, self._drive = self.kernel.rows(signal), self.kernel.rows(drive)
        self._whole_drive = self.ops.view(drive)
        self.like, (self.spare, last) = like, _free_rows(self.kernel, self._drive, like)
        earlier = like.new_empty((n_stages - 1, *like.shape))
        self.rates = [*self.ops.views(earlier, 0), last]

    def rate(self) -> Callable[[Any, Any, int], None]:
        """Return a function of a state, memory for the rate, and the slot of what is kept."""
        send, product, answer = self.kernel.signal, self._product, self.kernel.rate
        signals, drive, spare = self._signals, self._drive, self.spare
        keep, whole = self.ops.copy, self._whole_drive
        drives = None if self.drives is None else self.ops.views(self.drives, 0)

        def rate(state: Any, out: Any, slot: int) -> None:
            send(state, signals)
            product(slot)
            if drives is not None:
                keep(drives[slot], whole)
            answer(state, signals, drive, out, spare)

        return rate


# Whether a backward pass keeps its graph; older versions of torch do not tell.
_may_return = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)


@dataclass
class Tape:
    """States that every stage of every step was at, and what a :class:`Motion` has kept there.

    Where steps are retracted, also the states that they led to before.
    """

    states: list[Any] = field(default_factory=list)
    notes: Tensor | None = None
    drives: Tensor | None = None
    acting: Tensor | None = None
    ends: list[Tensor] = field(default_factory=list)
    kernel: Any = None
    n_replayed: int = 0
    _whole: Tensor | None = None

    def reserve(self, motion: Motion, n_stages: int) -> None:
        """Make memory for all stages, for :meth:`keep`."""
        self._whole = motion.like.new_empty((n_stages, *motion.like.shape))
        self.states = self.kernel.ops.views(self._whole, 0)
        self.notes, self.drives = (
            None if kept is None else kept.new_empty((n_stages, *kept.shape[1:]))
            for kept in (motion.notes, motion.drives)
        )

    def keep(self, first: int, states: Tensor, motion: Motion) -> None:
        """Copy what some stages were at, the states and as much of what was kept."""
        pairs = (self._whole, states), (self.notes, motion.notes), (self.drives, motion.drives)
        for whole, part in pairs:
            if whole is not None and part is not None:
                whole[first : first + len(states)] = part[: len(states)]

    def give_drives(self, n_slots: int) -> Tensor | None:
        """Return the drives to be overwritten, if they are of so many slots and last used now."""
        # Without retain_graph nobody can go back again.
        is_last = not _may_return()
        if self.drives is None or len(self.drives) != n_slots or not is_last:
            return None
        given, self.drives = self.drives, None
        return given


class Part:
    """A few steps of a trajectory, in memory that serves one part after another.

    ``costate`` is the gradient with respect to the state after the part, to be replaced by that
    before. Where sources have delays, the part is all of the trajectory.
    """

    def __init__(
        self,
        problem: Problem,
        plan: Plan,
        costate: Tensor,
        tape: Tape,
        n_steps: int,
        n_stages: int,
        past: Past | None = None,
    ) -> None:
        kernel = tape.kernel
        self.plan, self.ops, self._tape = plan, kernel.ops, tape
        self.n_steps, m = n_steps, n_steps * n_stages
        shape = _signal_shape(problem, kernel, costate)
        rows, axis = (*shape[:-2], m, *shape[-2:]), -2 - len(problem.dynamics.state_shape)
        signals, back = costate.new_empty(rows), costate.new_empty(shape)
        # Gradients with respect to drives are known last, and take the memory of these.
        drives = tape.give_drives(m)
        drives = torch.empty_like(signals) if drives is None else drives.movedim(0, -3)
        by_rates = costate.new_empty(_with_axis(costate.shape, axis, m))
        self._acting = signals if tape.acting is None else tape.acting.movedim(0, -3)
        of_drives, of_signals = (_notes_of(plan, back, m) for _ in range(2))
        pull = plan.rmatvec(drives.movedim(-3, 0), back, of_drives)
        self.pull = pull if past is None else past.returned(pull, back, n_steps)
        self._of_drives, self._of_signals = (
            None if notes is None else notes.movedim(0, -3) for notes in (of_drives, of_signals)
        )
        if self._of_signals is not None:
            # One row after another, as the vectors are.
            self._of_signals = self._of_signals.contiguous()
        self._drives = drives
        self._again: Callable[[], object] | None = None
        if not plan.keeps_products:
            self._again = plan.again(*map(_rows, (self._acting, self._of_signals, drives)))
        self.kernel_part = kernel.part(signals, drives, by_rates)
        self.costate, self.back = self.ops.view(costate), kernel.rows(back)
        self.arriving = list[Any]()
        self._received: Tensor | None = None
        # What comes back is free once it is summed up; the first stage is the last to ask for it.
        later = self.ops.views(costate.new_empty((n_stages - 1, *costate.shape)), 0)
        first, self.spare = _free_rows(kernel, self.back, costate)
        self.pulled = [first, *later]
        #: Of each stage what the pulls of the kernel take, the gradient of its rate, and its slot.
        self.stages = list(zip(self.kernel_part.stages, self.ops.views(by_rates, axis), range(m)))

    def load(self, first: int) -> None:
        """Take what was kept from this stage on, and make all else again, which is faster."""
        tape, m = self._tape, len(self.stages)
        self.kernel_part.load(tape.states[first : first + m])
        for place, kept in ((self._of_signals, tape.notes), (self._drives, tape.drives)):
            if place is not None and kept is not None:
                place.movedim(-3, 0).copy_(kept[first : first + m])
        if self._again is not None:
            self._again()
        self.kernel_part.linearize()

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

    def by_couplings(self, total: Sequence[Tensor | None] | None) -> Sequence[Tensor | None]:
        """Add the gradients with respect to the tensors of the couplings."""
        left = _rows(self._drives), _rows(self._of_drives)
        return self.plan.accumulate(total, left, (_rows(self._acting), _rows(self._of_signals)))


def _signal_shape(problem: Problem, kernel: Kernel, like: Tensor) -> tuple[int, ...]:
    """Shape (..., m, n) of the signals of states like this."""
    n_axes = len(problem.dynamics.state_shape)
    return (*like.shape[: like.ndim - 1 - n_axes], kernel.n_signals, like.shape[-1])


def _notes_of(plan: Plan, signal: Tensor, n_slots: int) -> Tensor | None:
    """Memory for notes of signals, (n_slots, ..., m, n_notes); None if there are none."""
    if not plan.n_notes:
        return None
    return signal.new_empty((n_slots, *signal.shape[:-1], plan.n_notes))


def _rows(memory: Tensor | None) -> Any:
    """Rows (..., n_stages m, n) of all stages."""
    return None if memory is None else memory.flatten(-3, -2)


def _with_axis(shape: torch.Size, axis: int, size: int) -> tuple[int, ...]:
    at = len(shape) + 1 + axis
    return (*shape[:at], size, *shape[at:])


def _free_rows(kernel: Kernel, rows: Any, like: Tensor) -> Any:
    """Memory of two states: rows that are done with; a batch has its rows far apart."""
    if kernel.reuses_drive and like.ndim == 1:
        return rows[1:]
    return kernel.ops.views(like.new_empty((2, *like.shape)), 0)
