"""Newton's method with a trust region (Levenberg and Marquardt), for states at rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import torch
from numpy.typing import NDArray
from torch import Tensor

from skkuranet._utils.given import as_array
from skkuranet.analysis._field import Blocks, Field
from skkuranet.analysis._jacobian import MOST_DENSE

# Products that one step may take where there is no matrix.
_MOST_PRODUCTS = 1000


@dataclass(frozen=True)
class Rest:
    """Where a search ended: a state, the speed of the frame in which it rests, its largest rate."""

    state: Tensor
    speed: float
    residual: float


def find_rest(field: Field, state: Tensor, tol: float, max_iter: int) -> Rest:
    """Look for a state whose rates vanish, in a frame of the speed that suits it.

    Steps minimise the squared rates of the linearised field within a region; those of smallest
    length go along no direction that changes nothing, such as a common rotation.
    """
    problem = _Problem(field, state)
    damping = 1e-2
    for _ in range(max_iter):
        if problem.residual <= tol:
            break
        for _ in range(20):
            step = problem.step(damping)
            moved = problem.moved(step)
            gained = problem.squared - moved.squared
            expected = problem.squared - float(np.square(problem.predicted(step)).sum())
            if gained > 1e-3 * expected > 0:
                damping = damping / 5 if gained > 0.5 * expected else damping
                problem = moved
                break
            damping = 4 * damping
        else:
            # No step is small enough: the squares have a minimum here.
            break
    return Rest(problem.state, problem.speed, problem.residual)


class _Problem:
    """The linearised field at a state, by numbers of state and the speed of the frame."""

    def __init__(self, field: Field, state: Tensor, speed: float | None = None) -> None:
        self.field, self.state = field, state
        self.basis = field.tangents(state)
        rest = field.velocity(state)
        turned = field.turning(1.0)
        # Rates fall by as much for each unit of speed.
        self.by_speed = None if turned is None else rest - turned.velocity(state)
        if self.by_speed is None:
            self.speed = 0.0
        elif speed is None:
            size = float(self.by_speed.square().sum())
            self.speed = float((self.by_speed * rest).sum()) / size if size else 0.0
        else:
            self.speed = speed
        rate = rest if self.by_speed is None else rest - self.speed * self.by_speed
        self.residual = float(rate.abs().max())
        self.rate = self._flat(rate)
        self.squared = float(np.square(self.rate).sum())
        self._linear: Blocks | None = None
        self._matrix: NDArray[np.float64] | None = None

    def step(self, damping: float) -> NDArray[np.float64]:
        """Return the step of a damping, whose weight falls with the rates."""
        operator = self.operator
        along = operator.rmatvec(self.rate)
        size = np.sqrt(self.squared)
        # Squared rates per unit of time: the scale of J, and rates that vanish at the end.
        weight = damping * np.linalg.norm(along) / np.sqrt(len(self.rate))
        if len(self.rate) > MOST_DENSE:
            close = min(1e-2, size / np.sqrt(len(self.rate)))
            found = scipy.sparse.linalg.lsmr(
                operator, -self.rate, damp=np.sqrt(weight), atol=1e-2 * close, btol=1e-2 * close,
                maxiter=_MOST_PRODUCTS,
            )  # fmt: skip
            return found[0]
        matrix = self.matrix
        square = matrix.T @ matrix
        tiny = 1e-13 * np.trace(square) / len(square)
        square[np.diag_indices_from(square)] += max(weight, tiny)
        try:
            return -scipy.linalg.cho_solve(scipy.linalg.cho_factor(square), along)
        except np.linalg.LinAlgError:
            # Directions that change nothing, and no damping that would tell.
            return scipy.linalg.lstsq(matrix, -self.rate, lapack_driver="gelsy")[0]

    def predicted(self, step: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the rates after a step, if they were linear."""
        return self.rate + self.operator.matvec(step)

    def moved(self, step: NDArray[np.float64]) -> _Problem:
        """Return the problem after a step."""
        n = self.field.n
        free = len(step) - (self.by_speed is not None)
        change = torch.as_tensor(step[:free]).view(-1, n).to(self.state)
        if self.basis is not None:
            change = (self.basis * change).sum(1)
        state = self.field.dynamics.retract(self.state + change.view_as(self.state))
        speed = None if self.by_speed is None else self.speed + float(step[-1])
        return _Problem(self.field, state, speed)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """All derivatives, where they are few."""
        if self._matrix is None:
            coupling = self.field.coupling
            found = as_array(self._blocks().dense(coupling.dense()))
            if self.by_speed is not None:
                found = np.column_stack((found, -self._flat(self.by_speed)))
            self._matrix = found
        return self._matrix

    @property
    def operator(self) -> scipy.sparse.linalg.LinearOperator:
        """All derivatives, by their products."""
        if len(self.rate) <= MOST_DENSE:
            return scipy.sparse.linalg.aslinearoperator(self.matrix)
        blocks, coupling = self._blocks(), self.field.coupling
        last = None if self.by_speed is None else -self._flat(self.by_speed)
        size, free = len(self.rate), len(self.rate)
        shape = blocks.own.shape[-2:]

        def forward(v: NDArray[np.float64]) -> NDArray[np.float64]:
            rows = torch.as_tensor(v[:free]).view(1, *shape).to(blocks.own)
            with torch.no_grad():
                found = as_array(blocks.apply(coupling, rows).reshape(-1))
            return found if last is None else found + v[-1] * last

        def back(v: NDArray[np.float64]) -> NDArray[np.float64]:
            rows = torch.as_tensor(v).view(1, *shape).to(blocks.own)
            with torch.no_grad():
                found = as_array(blocks.pull(coupling, rows).reshape(-1))
            return found if last is None else np.append(found, last @ v)

        columns = size + (last is not None)
        return scipy.sparse.linalg.LinearOperator(
            (size, columns), matvec=forward, rmatvec=back, dtype=np.float64
        )

    def _blocks(self) -> Blocks:
        if self._linear is None:
            self._linear = linearized(self.field, self.state, self.speed, self.basis)
        return self._linear

    def _flat(self, rate: Tensor) -> NDArray[np.float64]:
        rate = rate.reshape(-1, self.field.n)
        if self.basis is not None:
            rate = (self.basis * rate.unsqueeze(1)).sum(0)
        return as_array(rate.reshape(-1))


def linearized(field: Field, state: Tensor, speed: float, basis: Tensor | None) -> Blocks:
    """Return the derivatives in a frame, where states are bound along their tangents alone."""
    seen = field.turning(speed) or field
    _, blocks = seen.linearize(state)
    return blocks if basis is None else blocks.within(basis)
