"""Long trajectories, some steps at a time, in steps as fine as couplings need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from skkuranet._utils.messages import warn_caller
from skkuranet._utils.surroundings import is_one_of_many
from skkuranet.coupling import CouplingOperator
from skkuranet.dynamics._dynamics import Dynamics
from skkuranet.dynamics._integrate import integrate, step_error, warn_if_coarse
from skkuranet.dynamics._solver import Solver

# Steps, and bytes of their states, between two looks at the keyboard. They follow from the network
# alone, as noise is drawn for so many steps at a time.
_STEPS_AT_ONCE, _BYTES_AT_ONCE = 500, 1 << 26
# By how much a step may be wrong, in radians on average, and into how many it may be divided.
_LARGEST_ERROR, _MOST_PARTS = 0.05, 1 << 10
# Parts from which on somebody who waits is told why.
_MANY_PARTS = 64


@dataclass(frozen=True)
class Walk:
    """How a network moves: each step is done in as many ``parts``."""

    coupling: CouplingOperator
    dynamics: Dynamics
    solver: str | Solver
    step_size: float
    noise: Tensor | None
    delay: Tensor | None
    history: str
    generator: torch.Generator
    parts: int = 1

    def divided(self, state: Tensor) -> Walk:
        """Return the same in as many parts of a step as couplings need, a power of two."""
        # Where units are close to rest a step tells nothing; elsewhere they are not.
        batch = state.shape[: state.ndim - 1 - len(self.dynamics.state_shape)]
        drawn = self.dynamics.draw(batch, state.shape[-1], torch.Generator().manual_seed(0))
        parts, states = 1, (state.detach(), drawn.to(state))
        while parts < _MOST_PARTS and any(self._error(s, parts) > _LARGEST_ERROR for s in states):
            parts *= 2
        if parts > _MANY_PARTS:
            warn_caller(
                f"Couplings are so strong that each step of {self.step_size:g} is divided into "
                f"{parts}, which takes {parts} times as long. Set step_size to "
                f"{self.step_size / parts:.1g} to see what they do, or lower coupling_scale.",
                UserWarning,
            )
        return replace(self, parts=parts)

    def check(self, state: Tensor) -> None:
        """Warn where steps are too coarse even so."""
        warn_if_coarse(
            self.coupling,
            state,
            self.dynamics,
            step_size=self.step_size / self.parts,
            solver=self.solver,
            tolerance=_LARGEST_ERROR,
        )

    def states(
        self,
        state: Tensor,
        n_steps: int,
        save_from: int,
        save_every: int,
        progress: Callable[[int], object] | None,
    ) -> tuple[Tensor, Tensor]:
        """Return numbers of the steps that are kept, and states after them."""
        if self.delay is not None:
            # The past cannot be handed on.
            found = self._integrated(
                state, n_steps, save_from, delay=self.delay, history=self.history
            )
            return torch.arange(save_from, n_steps + 1)[::save_every], found[::save_every]
        at_once = min(_STEPS_AT_ONCE, _BYTES_AT_ONCE // (8 * state.numel())) // self.parts
        done, steps, kept = 0, [], []
        if save_from == 0:
            steps, kept = [torch.zeros(1)], [state.unsqueeze(0)]
        try:
            while done < n_steps:
                n = min(max(1, at_once), n_steps - done)
                number = torch.arange(done + 1, done + n + 1)
                wanted = (number >= save_from) & ((number - save_from) % save_every == 0)
                first = 1 if bool(wanted.any()) else n
                found = self._integrated(state, n, first)
                state, done = found[-1], done + n
                if first == 1:
                    steps.append(number[wanted])
                    kept.append(found[wanted])
                if progress is not None:
                    progress(done)
        except KeyboardInterrupt:
            if not kept or is_one_of_many():
                raise
            warn_caller(
                f"simulate was interrupted at step {done} of {n_steps}; the trajectory ends there.",
                UserWarning,
            )
        return torch.cat(steps), torch.cat(kept)

    def _error(self, state: Tensor, parts: int) -> float:
        step = self.step_size / parts
        return step_error(self.coupling, state, self.dynamics, step_size=step, solver=self.solver)

    def _integrated(self, state: Tensor, n_steps: int, save_from: int, **past: Any) -> Tensor:
        """Return states after whole steps."""
        return integrate(
            self.coupling,
            state,
            self.dynamics,
            noise=self.noise,
            generator=self.generator,
            solver=self.solver,
            step_size=self.step_size / self.parts,
            n_steps=n_steps * self.parts,
            save_from=save_from * self.parts,
            **past,
        ).states[:: self.parts]
