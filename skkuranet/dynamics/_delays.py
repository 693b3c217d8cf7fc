"""Signals of the past, forward and back."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from skkuranet.dynamics._dynamics import pulled
from skkuranet.dynamics._problem import Problem


class Past:
    """Signals of the last steps in a ring, whose slots of the future hold what was before t = 0.

    A stage at the end of a step leaves its signal in the slot of the next step for a moment:
    sources without delay act by it, all others as they did at the ends of earlier steps.

    Parameters
    ----------
    problem : Problem
        With a lag.
    state : Tensor of shape (..., state_shape, n)
        Initial state.
    step_size : float
        Step in units of time.
    """

    def __init__(self, problem: Problem, state: Tensor, step_size: float) -> None:
        assert problem.lag is not None
        self._lag = problem.lag.expand(*problem.coupling.shape[:-1]).unsqueeze(-2)
        self.length = int(self._lag.max()) + 1
        self._problem, self._step_size = problem, step_size
        with torch.no_grad():
            self.earlier = self._signals(state, *problem.dynamics.parameters.values())
        self._ring = self.earlier.new_empty((self.length, *self.earlier.shape[1:]))
        self._ring[1:] = self.earlier
        self._pending = state.new_empty(0)

    def act(self, signal: Tensor, step: int) -> Tensor:
        """Return what acts at a step, and take note of what is sent there."""
        self._ring[step % self.length] = signal
        return self._picked(self._ring, (step - self._lag) % self.length)

    def expect(self, n_steps: int) -> None:
        """Make memory for gradients with respect to all that was sent in so many steps."""
        shape = (n_steps + self.length, *self.earlier.shape[1:])
        self._pending = self.earlier.new_zeros(shape)

    def pull(self, back: Tensor, step: int) -> Tensor:
        """Return the gradient with respect to what was sent at a step, and note all others."""
        slot = (step - self._lag + self.length - 1).expand(back.shape)
        self._pending.scatter_add_(0, slot.unsqueeze(0), back.unsqueeze(0))
        sent = self._pending[step + self.length - 1]
        # A stage at the end of a step is another than that at the beginning of the next.
        taken = sent.clone()
        sent.zero_()
        return taken

    def pull_history(self, state: Tensor) -> list[Tensor]:
        """Return the gradients with respect to the initial state and the parameters, by the past.

        Parameters
        ----------
        state : Tensor of shape (..., state_shape, n)
            Initial state.
        """
        inputs = (state, *self._problem.dynamics.parameters.values())
        if self.length == 1:
            return [torch.zeros_like(t) for t in inputs]
        return pulled(self._signals, inputs, self._pending[: self.length - 1])

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

    def _picked(self, signals: Tensor, slot: Tensor) -> Tensor:
        return signals.gather(0, slot.expand(signals.shape[1:]).unsqueeze(0)).squeeze(0)
