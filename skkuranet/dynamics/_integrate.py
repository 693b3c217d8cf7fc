"""The one entry point to the dynamics."""

from __future__ import annotations

import math
import warnings
from typing import Protocol

import torch
from torch import Tensor

from skkuranet._messages import plain
from skkuranet.coupling import CouplingOperator
from skkuranet.dynamics._adaptive import Adaptive
from skkuranet.dynamics._runge_kutta import EULER, RK4
from skkuranet.dynamics._system import KuramotoSystem
from skkuranet.dynamics._trajectory import Trajectory


class Solver(Protocol):
    """What :func:`integrate` asks of a solver."""

    def solve(
        self,
        system: KuramotoSystem,
        phases: Tensor,
        *,
        step_size: float,
        n_steps: int,
        save_from: int,
    ) -> Tensor:
        """Return the phases after steps ``save_from`` to ``n_steps``."""


SOLVERS: dict[str, Solver] = {
    "euler": EULER,
    "rk4": RK4,
    "dopri5": Adaptive("dopri5"),
    "dopri8": Adaptive("dopri8"),
}


def integrate(
    coupling: CouplingOperator,
    phases: Tensor,
    *,
    frequency: Tensor | None = None,
    field: Tensor | None = None,
    delay: Tensor | None = None,
    history: str = "rotation",
    step_size: float = 0.1,
    n_steps: int = 100,
    save_from: int = 0,
    solver: str | Solver = "euler",
) -> Trajectory[Tensor]:
    """Integrate coupled Kuramoto oscillators, differentiably.

    Parameters
    ----------
    coupling : CouplingOperator of shape (..., n, n)
        Any operator, one of your own included.
    phases : Tensor of shape (..., n)
        Initial phases in radians, of the couplings' dtype.
    frequency : Tensor of shape (..., n), optional
        Natural frequencies, in radians per unit of time.
    field : Tensor of shape (..., n), optional
        External field strengths.
    delay : Tensor of shape (..., n), optional
        Delays of the sources in units of time, rounded to steps. Only Euler's method
        takes them.
    history : {"rotation", "constant"}, default="rotation"
        What delayed phases were before t = 0: those of free rotation at the natural
        frequencies, or the initial ones.
    step_size : float, default=0.1
        Step in units of time.
    n_steps : int, default=100
        Number of steps.
    save_from : int, default=0
        First step whose phases are kept; 0 is the initial state, ``n_steps`` keeps only
        the last one.
    solver : {"euler", "rk4", "dopri5", "dopri8"} or Solver, default="euler"
        The first two have fixed steps and an exact discrete adjoint; the others are
        torchdiffeq's and choose their steps themselves.

    Returns
    -------
    Trajectory
        Times (T,) and phases (T, ..., n) with T = n_steps - save_from + 1.

    Raises
    ------
    ValueError
        If a shape, a type or a setting does not fit.
    NotImplementedError
        If forward-mode derivatives are wanted of a solver of fixed steps.

    Warns
    -----
    UserWarning
        If delays are not multiples of the step.
    """
    if isinstance(solver, str):
        if solver not in SOLVERS:
            raise ValueError(f"solver must be one of {sorted(SOLVERS)}, got {solver!r}.")
        solver = SOLVERS[solver]
    if not 0.0 < step_size < math.inf:
        raise ValueError(f"step_size must be positive and finite, got {plain(step_size)}.")
    if n_steps < 1 or not 0 <= save_from <= n_steps:
        raise ValueError(
            "n_steps must be at least 1 and save_from lie between 0 and n_steps, got "
            f"n_steps={n_steps} and save_from={save_from}."
        )
    expected = coupling.shape[:-1]
    if phases.shape != expected:
        raise ValueError(
            f"phases must have shape {tuple(expected)}, as the couplings have, got "
            f"{tuple(phases.shape)}."
        )
    if phases.dtype != coupling.dtype:
        raise ValueError(f"phases are {phases.dtype} but the couplings are {coupling.dtype}.")
    # In another type they would make that of the phases change on the way.
    frequency, field = (v if v is None else v.to(phases.dtype) for v in (frequency, field))
    lag = None if delay is None else delay_in_steps(delay, step_size)
    system = KuramotoSystem(coupling, frequency, field, lag, history)
    states = solver.solve(
        system, phases, step_size=float(step_size), n_steps=n_steps, save_from=save_from
    )
    steps = torch.arange(save_from, n_steps + 1, dtype=torch.float64)
    return Trajectory(times=steps * step_size, phases=states)


def delay_in_steps(delay: Tensor, step_size: float) -> Tensor:
    """Round delays to steps, and warn if that changes them.

    Parameters
    ----------
    delay : Tensor of any shape
        Delays in units of time.
    step_size : float
        Step in units of time.

    Returns
    -------
    Tensor of the same shape, int64
        Delays in steps.

    Raises
    ------
    ValueError
        If a delay is negative or not finite.
    """
    if not bool(torch.isfinite(delay).all()) or bool((delay < 0).any()):
        raise ValueError("delay must be finite and not negative.")
    exact = delay.double() / step_size
    steps = exact.round()
    error = float((exact - steps).abs().max()) * step_size if delay.numel() else 0.0
    # Single precision cannot tell a multiple of the step more closely than this.
    if error > 1e-4 * step_size:
        warnings.warn(
            f"Delays are rounded to multiples of step_size={step_size:g}, by up to {error:.3g} "
            "units of time. Choose a step_size that divides them.",
            UserWarning,
            stacklevel=3,
        )
    return steps.long()
