"""Signals of the past, forward and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from skkuranet.coupling._products import slots
from skkuranet.dynamics._functions import pulled
from skkuranet.dynamics._problem import Problem


class Past:
    """Signals of the last steps, and before t = 0 what they would have been.

    A stage at the end of a step leaves its signal in the place of the next step for a moment:
    sources without delay act by it, all others as they did at the ends of earlier steps. ``times``
    say of each stage whether it is at the beginning, 0, or at the end, 1, of a step.
    """

    def __init__(
        self, problem: Problem, state: Tensor, step_size: float, times: Sequence[int]
    ) -> None:
        assert problem.lag is not None
        self._lag = problem.lag.expand(*problem.coupling.shape[:-1]).unsqueeze(-2)
        self.length = int(self._lag.max()) + 1
        self._problem, self._step_size, self._times = problem, step_size, times
        with torch.no_grad():
            self.earlier = self._signals(state, *problem.dynamics.parameters.values())
        # Of the last signals, the latest at the end, which one acts.
        self._picked = (self.length - 1 - self._lag).expand(1, *self.earlier.shape[1:])

    def delayed(
        self, product: Callable[[int], object], signal: Tensor, acting: Tensor
    ) -> Callable[[int], None]:
        """Return a function of a slot that does ``product`` once what acts there is known.

        ``signal`` (..., m, n) is memory of what is sent, ``acting`` (n_slots, ..., m, n) of what
        acts.
        """
        each, sent = slots(acting.unsqueeze(1)), _Window(self.length, signal, 0)
        sent.until(0)[:-1] = self.earlier

        def delayed_product(slot: int) -> None:
            recent = sent.until(self._step_of(slot))
            recent[-1].copy_(signal)
            torch.gather(recent, 0, self._picked, out=each[slot])
            product(slot)

        return delayed_product

    def returned(
        self, pull: Callable[[int], object], back: Tensor, n_steps: int
    ) -> Callable[[int], None]:
        """Return the way back from a product in a slot, and on to what was sent there.

        ``pull`` writes the gradient with respect to what acts to ``back`` (..., m, n).
        """
        self._by_sent = by_sent = _Window(self.length, back, n_steps)

        def returned_pull(slot: int) -> None:
            pull(slot)
            recent = by_sent.until(self._step_of(slot))
            recent.scatter_add_(0, self._picked, back.unsqueeze(0))
            back.copy_(recent[-1])
            # A stage at the end of a step is another than that at the beginning of the next.
            recent[-1].zero_()

        return returned_pull

    def pull_history(self, state: Tensor) -> list[Tensor]:
        """Return the gradients, by the past, with respect to initial state and parameters."""
        inputs = (state, *self._problem.dynamics.parameters.values())
        if self.length == 1:
            return [torch.zeros_like(t) for t in inputs]
        return pulled(self._signals, inputs, self._by_sent.until(0)[:-1])

    def _signals(self, state: Tensor, *values: Tensor) -> Tensor:
        """What was sent 1, 2, ... steps before t = 0, the earliest first."""
        problem = replace(self._problem, dynamics=self._problem.dynamics.with_values(values))
        times = [ago * self._step_size for ago in range(self.length - 1, 0, -1)]
        found = [problem.dynamics.signal(problem.before(state, t)) for t in times]
        batch = self._lag.shape[:-2]
        return (
            torch.stack([s.expand(*batch, *s.shape[-2:]) for s in found])
            if found
            else (problem.dynamics.signal(state).unsqueeze(0)[:0])
        )

    def _step_of(self, slot: int) -> int:
        step, stage = divmod(slot, len(self._times))
        return step + self._times[stage]


class _Window:
    """Entries of the last steps, which move along some memory; from its end they begin anew.

    Steps follow one another, either forward or back.
    """

    def __init__(self, length: int, like: Tensor, step: int) -> None:
        self._length, self._first = length, step
        self._memory = like.new_zeros((2 * length, *like.shape))

    def until(self, step: int) -> Tensor:
        """Return those up to that of a step; before the first ones there are zeros."""
        length, memory = self._length, self._memory
        now = step - self._first
        if now > length:
            memory[: length - 1] = memory[now : now + length - 1]
            self._first, now = step, 0
        elif now < 0:
            memory[length + 1 :] = memory[: length - 1]
            memory[: length + 1].zero_()
            self._first, now = step - length, length
        return memory[now : now + length]
