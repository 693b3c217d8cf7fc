"""Small differences between states, carried along a trajectory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skkuranet._utils.given import as_array
from skkuranet.analysis._field import Blocks, Field, times
from skkuranet.coupling import CouplingOperator, DenseCoupling
from skkuranet.dynamics import integrate

# Up to so many numbers of state, the matrices of many steps are multiplied at once.
_SMALL = 64
# Numbers of the derivatives that are made ahead.
_NUMBERS_AHEAD = 1 << 20
# Weights of the stages of the classical Runge-Kutta method, and where each is taken.
WEIGHTS, PLACES = (1 / 6, 1 / 3, 1 / 3, 1 / 6), (0.5, 0.5, 1.0)


class Orbit:
    """A state that moves by steps of the classical Runge-Kutta method."""

    def __init__(self, field: Field, state: Tensor, step_size: float) -> None:
        self.field, self.state, self.step_size = field, state, step_size

    def skip(self, n_steps: int) -> None:
        """Move the state, and keep nothing of the way."""
        if n_steps:
            self.state = self._integrated(n_steps, n_steps)[-1]

    def path(self, n_steps: int) -> Tensor:
        """Return the states at and after the present one, (n_steps + 1, state_shape, n)."""
        return self._integrated(n_steps, 0)

    def stages(
        self, states: Tensor, index: Tensor | None = None
    ) -> tuple[list[Blocks], Tensor | None]:
        """Return the derivatives at each stage of the steps from states, and of retracting."""
        found, points, change = [], states, torch.zeros_like(states)
        for stage, weight in enumerate(WEIGHTS):
            rate, blocks = self.field.linearize(points)
            found.append(blocks if index is None else blocks.of(index))
            change = change + self.step_size * weight * rate
            if stage < len(PLACES):
                points = states + self.step_size * PLACES[stage] * rate
        projections = self.field.retraction(states + change)
        return found, None if projections is None else picked_units(projections, index)

    def _integrated(self, n_steps: int, save_from: int) -> Tensor:
        path = integrate(
            self.field.coupling, self.state, self.field.dynamics,
            step_size=self.step_size, n_steps=n_steps, save_from=save_from, solver="rk4",
        )  # fmt: skip
        return path.states.detach()


class Tangents:
    """Small differences (k, d, n) that are carried along with a state, and made orthogonal.

    Differences of other units than those that move have couplings of their own, and an index that
    tells which unit each of them moves like.
    """

    def __init__(
        self,
        orbit: Orbit,
        rows: Tensor,
        qr_every: int,
        coupling: CouplingOperator | None = None,
        index: Tensor | None = None,
    ) -> None:
        self.orbit, self.qr_every, self.index = orbit, qr_every, index
        self.coupling = orbit.field.coupling if coupling is None else coupling
        self.rows, self.step_size = rows, orbit.step_size
        d, n = rows.shape[-2:]
        self.is_small = d * n <= _SMALL
        # One product with the matrix of derivatives is faster than several with the couplings.
        n_signals = orbit.field.linearize(orbit.state)[1].by_drive.shape[-2]
        stored = isinstance(self.coupling, DenseCoupling)
        as_matrix = self.is_small or (stored and d * d < n_signals and len(rows) > n // 4)
        self.matrix = self.coupling.dense() if as_matrix else None
        ahead = _NUMBERS_AHEAD // ((d * n) ** 2 if self.is_small else n * d * (d + 2 * n_signals))
        self.n_ahead = qr_every * max(1, min(100, ahead // (4 * qr_every)))
        projection = orbit.field.retraction(orbit.state)
        if projection is not None:
            self.rows = times(picked_units(projection, index), rows)
        self._orthogonalize()

    def walk(self, n_steps: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield numbers of steps, and logarithms of how much each direction has grown in them."""
        done = 0
        while done < n_steps:
            taken = min(self.n_ahead, n_steps - done)
            states = self.orbit.path(taken)
            stages, projections = self.orbit.stages(states[:-1], self.index)
            steps = self._propagators(stages, projections) if self.is_small else None
            for first in range(0, taken, self.qr_every):
                n = min(self.qr_every, taken - first)
                if steps is not None:
                    self._multiply(steps[first : first + n])
                else:
                    for index in range(first, first + n):
                        self._step(stages, projections, index)
                self.orbit.state = states[first + n]
                yield n, self._orthogonalize()
            done += taken

    def _step(self, stages: list[Blocks], projections: Tensor | None, index: int) -> None:
        """Carry the differences through one step."""
        start = self.rows
        point, total = start, start
        for stage, (blocks, weight) in enumerate(zip(stages, WEIGHTS)):
            rate = self._along(blocks.at(index), point)
            total = total + self.step_size * weight * rate
            if stage < len(PLACES):
                point = start + self.step_size * PLACES[stage] * rate
        self.rows = total if projections is None else times(projections[index], total)

    def _along(self, blocks: Blocks, rows: Tensor) -> Tensor:
        if self.matrix is None:
            return blocks.apply(self.coupling, rows)
        jacobian = blocks.dense(self.matrix)
        return (rows.flatten(1) @ jacobian.mT).view_as(rows)

    def _propagators(self, stages: list[Blocks], projections: Tensor | None) -> Tensor:
        """Return the matrices of whole steps, (steps, d n, d n)."""
        assert self.matrix is not None
        size = self.rows[0].numel()
        unit = torch.eye(size, dtype=self.rows.dtype, device=self.rows.device)
        point, total = unit, unit
        for stage, (blocks, weight) in enumerate(zip(stages, WEIGHTS)):
            rate = blocks.dense(self.matrix) @ point
            total = total + self.step_size * weight * rate
            if stage < len(PLACES):
                point = unit + self.step_size * PLACES[stage] * rate
        if projections is None:
            return total
        spread = torch.diag_embed(projections).movedim(-2, -3).flatten(-2).flatten(-3, -2)
        return spread @ total

    def _multiply(self, steps: Tensor) -> None:
        """Carry the differences through the matrices of steps, multiplied in pairs."""
        while len(steps) > 1:
            odd = steps[2 * (len(steps) // 2) :]
            steps = torch.cat((steps[1::2] @ steps[: 2 * (len(steps) // 2) : 2], odd))
        self.rows = (self.rows.flatten(1) @ steps[0].mT).view_as(self.rows)

    def _orthogonalize(self) -> NDArray[np.float64]:
        """Make the differences orthonormal; return the logarithms of what they had grown by."""
        q, r = torch.linalg.qr(self.rows.flatten(1).mT)
        self.rows = q.mT.reshape(self.rows.shape).contiguous()
        return as_array(r.diagonal().abs().clamp_min(1e-300).log())


def picked_units(blocks: Tensor, index: Tensor | None) -> Tensor:
    """Return the blocks (..., n) of the units in an index; None for all."""
    return blocks if index is None else blocks[..., index]
