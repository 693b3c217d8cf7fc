"""The one entry point to the dynamics."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from skkuranet._utils.given import check_finite, read_numbers
from skkuranet._utils.messages import plain, warn_caller
from skkuranet._utils.scalars import positive_number, whole_number
from skkuranet.coupling import CouplingOperator
from skkuranet.coupling._given import read_couplings
from skkuranet.dynamics._adaptive import Adaptive
from skkuranet.dynamics._dynamics import Dynamics
from skkuranet.dynamics._explicit import EULER, HEUN, RK4, RungeKutta
from skkuranet.dynamics._noise import increments_of
from skkuranet.dynamics._problem import Problem
from skkuranet.dynamics._rounding import warn_if_lost
from skkuranet.dynamics._solver import Solver
from skkuranet.dynamics._trajectory import Trajectory, trajectory_of
from skkuranet.dynamics.kuramoto import Kuramoto

SOLVERS: dict[str, Solver] = {
    "euler": EULER,
    "heun": HEUN,
    "rk4": RK4,
    "dopri5": Adaptive("dopri5"),
    "dopri8": Adaptive("dopri8"),
}
#: Most steps of a trajectory, and of a delay.
MOST_STEPS, MOST_DELAY = 10**12, 10**6
# Bytes that are there.
_LITTLE = 1 << 30
# Steps that are worth a look at whether they are too coarse.
_MANY = 10


def integrate(
    coupling: CouplingOperator | Any,
    state: Tensor | Any = None,
    dynamics: Dynamics | None = None,
    *,
    phases: Tensor | Any = None,
    frequency: Tensor | Any = None,
    field: Tensor | Any = None,
    delay: Tensor | Any = None,
    history: str = "rotation",
    noise: Tensor | Any = None,
    generator: torch.Generator | None = None,
    step_size: float = 0.1,
    n_steps: int = 100,
    save_from: int = 0,
    solver: str | Solver = "euler",
    check_step: bool = True,
) -> Trajectory[Any]:
    """Integrate coupled units, differentiably.

    Arrays are as good as tensors, but for gradients. See :class:`skkuranet.OscillatorNetwork` for
    couplings and parameters that are simulated again and again.

    Parameters
    ----------
    coupling : CouplingOperator, Tensor, array-like, sparse matrix, DataFrame or graph
        Of shape (..., n, n): any operator, one of your own included, or what
        :func:`skkuranet.coupling.as_coupling` makes one of.
    state : Tensor or array-like of shape (..., state_shape, n)
        Initial state, of the couplings' dtype if both are tensors: phases in radians, (..., n),
        unless the dynamics has another.
    dynamics : Dynamics, optional
        The equation of motion, one of your own included; by default :class:`Kuramoto` with the
        next two parameters.
    phases : Tensor or array-like of shape (..., n), optional
        Earlier name of ``state``.
    frequency : Tensor or array-like of shape (..., n), optional
        Natural frequencies, in radians per unit of time.
    field : Tensor or array-like of shape (..., n), optional
        External field strengths.
    delay : Tensor or array-like of shape (..., n), optional
        Delays of the sources in units of time, rounded to steps, of which they may be a million.
        Only Euler's and Heun's method
        take them.
    history : {"rotation", "constant"}, default="rotation"
        What delayed states were before t = 0: those that the dynamics says, for phases free
        rotation at the natural frequencies, or the initial ones.
    noise : float, Tensor or array-like, optional
        Standard deviation of the noise, in units of the state per square root of time: one for
        all, one for each node, (..., n), or one for each number of a state,
        (..., state_shape, n). Or what noise adds in each step, (n_steps, ..., state_shape, n).
        Only Euler's method takes it.
    generator : torch.Generator, optional
        Where the seed of the noise comes from.
    step_size : float, default=0.1
        Step in units of time.
    n_steps : int, default=100
        Number of steps, up to 10**12.
    save_from : int, default=0
        First step whose state is kept; 0 is the initial one, ``n_steps`` keeps only
        the last one.
    solver : {"euler", "heun", "rk4", "dopri5", "dopri8"} or Solver, default="euler"
        The first three have fixed steps and an exact discrete adjoint; the others are
        torchdiffeq's and choose their steps themselves.
    check_step : bool, default=True
        Whether to try half a step at the end of 100 steps or more, where there are no gradients,
        and to warn if it leads elsewhere, or if phases are too large for their type of numbers.

    Returns
    -------
    Trajectory
        Times (T,), states (T, ..., state_shape, n) and phases (T, ..., n), where units have
        phases, with T = n_steps - save_from + 1. Arrays if the state or the couplings came as such.

    Raises
    ------
    ValueError
        If a shape, a type or a setting does not fit, or the solver cannot do what it is asked.
    TypeError
        If couplings or numbers are of no known kind.
    NotImplementedError
        If forward-mode derivatives are wanted, or any with respect to delays.

    Warns
    -----
    UserWarning
        If delays are not multiples of the step, steps are too coarse, or phases grow beyond what
        their type of numbers tells apart.

    Examples
    --------
    Two oscillators of different frequency pull each other into step:

    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling
    >>> from skkuranet.dynamics import Sakaguchi, integrate
    >>> K = DenseCoupling(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    >>> frequency = torch.tensor([-0.3, 0.3])
    >>> path = integrate(K, torch.zeros(2), frequency=frequency, n_steps=200)
    >>> path
    Trajectory(201 times from 0 to 20, 2 oscillators, R=0.988 at the end)

    A phase lag slows both down:

    >>> dynamics = Sakaguchi(frequency, phase_lag=torch.tensor(0.5))
    >>> path = integrate(K, torch.zeros(2), dynamics, n_steps=200, save_from=100)
    >>> bool((path.effective_frequency() < 0).all())
    True
    """
    if isinstance(solver, str):
        if solver not in SOLVERS:
            raise ValueError(f"solver must be one of {sorted(SOLVERS)}, got {solver!r}.")
        solver = SOLVERS[solver]
    elif not isinstance(solver, Solver):
        raise TypeError(
            f"solver must be one of {sorted(SOLVERS)} or a skkuranet.dynamics.Solver, got "
            f"{type(solver).__name__} {plain(solver)[:60]}."
        )
    step_size = positive_number(step_size, "step_size")
    n_steps, save_from = read_steps(n_steps, save_from)
    state = phases if state is None else state
    if state is None:
        raise TypeError("integrate needs a state to begin with.")
    if dynamics is not None and not isinstance(dynamics, Dynamics):
        raise TypeError(
            "dynamics must be an instance of skkuranet.dynamics.Dynamics, such as Kuramoto(), got "
            f"{type(dynamics).__name__} {plain(dynamics)[:60]}."
        )
    if not (generator is None or isinstance(generator, torch.Generator)):
        raise TypeError(f"generator must be a torch.Generator, got {type(generator).__name__}.")
    given = read_couplings(coupling, like=state, name="coupling")
    coupling, names = given.coupling, given.names
    as_arrays = given.as_arrays or not isinstance(state, Tensor)
    if not isinstance(state, Tensor):
        state = read_numbers(state, "state", names).to(coupling.device, coupling.dtype)
    frequency, field, delay = (
        None if value is None else read_numbers(value, name, names)
        for name, value in (("frequency", frequency), ("field", field), ("delay", delay))
    )
    if dynamics is None:
        for name, value in (("frequency", frequency), ("field", field)):
            if value is not None:
                check_finite(value, name)
        dynamics = Kuramoto(frequency, field)
    elif frequency is not None or field is not None:
        raise ValueError(
            "frequency and field are parameters of the dynamics where there is one: give them to "
            f"{type(dynamics).__name__}."
        )
    *batch, n = coupling.shape[:-1]
    expected = (*batch, *dynamics.state_shape, n)
    if state.shape != expected:
        what = "phases" if not dynamics.state_shape else "states"
        raise ValueError(
            f"{what} must have shape {expected}, as the couplings have, got {tuple(state.shape)}."
        )
    if state.dtype != coupling.dtype:
        raise ValueError(
            f"phases are {state.dtype} but the couplings are {coupling.dtype}; convert one of them."
        )
    _check_room(n_steps, save_from, state)
    # In another type they would make that of the state change on the way.
    dynamics = dynamics.to(state.dtype, state.device)
    lag = None if delay is None else delay_in_steps(delay, step_size).to(state.device)
    increments = None
    if noise is not None:
        increments = increments_of(
            read_numbers(noise, "noise", names),
            dynamics,
            state,
            step_size=step_size,
            n_steps=n_steps,
            generator=generator,
        )
    problem = Problem(coupling, dynamics, lag, history, increments)
    states = solver.solve(problem, state, step_size=step_size, n_steps=n_steps, save_from=save_from)
    differentiated = states.requires_grad and torch.is_grad_enabled()
    if check_step and n_steps >= _MANY and not differentiated:
        coarse = noise is None and warn_if_coarse(
            coupling, states[-1], dynamics, step_size=step_size, solver=solver
        )
        if not coarse:
            warn_if_lost(dynamics.phases(states[-1]), n_steps)
    steps = torch.arange(save_from, n_steps + 1, dtype=torch.float64, device=state.device)
    path = trajectory_of(dynamics, steps * step_size, states, names)
    return path.numpy() if as_arrays else path


def read_steps(n_steps: Any, save_from: Any) -> tuple[int, int]:
    """Return a number of steps, and the first of them that is kept."""
    n_steps = whole_number(n_steps, "n_steps", most=MOST_STEPS)
    save_from = whole_number(save_from, "save_from", least=0)
    if save_from > n_steps:
        raise ValueError(
            "save_from must lie between 0 and n_steps, got "
            f"n_steps={n_steps} and save_from={save_from}."
        )
    return n_steps, save_from


def _check_room(n_steps: int, save_from: int, state: Tensor) -> None:
    """Raise ValueError where states that are kept take more memory than there can be."""
    n_kept = n_steps - save_from + 1
    needed = n_kept * state.numel() * state.element_size()
    if needed <= _LITTLE:
        return
    try:
        state.new_empty((n_kept, *state.shape))
    except RuntimeError as error:
        raise ValueError(
            f"n_steps={n_steps} keeps {n_kept} states of {state.numel()} numbers, which take "
            f"{needed} bytes, more than there are. Raise save_from to keep fewer."
        ) from error


def warn_if_coarse(
    coupling: CouplingOperator,
    state: Tensor,
    dynamics: Dynamics,
    *,
    step_size: float,
    solver: str | Solver,
    tolerance: float = 0.3,
) -> bool:
    """Warn where a step and two halves of it end apart, on average over a network's units.

    Return whether they do.
    """
    error = step_error(coupling, state, dynamics, step_size=step_size, solver=solver)
    if error > tolerance:
        finer = step_size * max(0.01, math.sqrt(tolerance / error) / 2)
        warn_caller(
            f"step_size={step_size:g} is too coarse: half of it leads {error:.1g} away in one "
            f"step. Set step_size to {finer:.1g} or less.",
            UserWarning,
        )
    return error > tolerance


def step_error(
    coupling: CouplingOperator,
    state: Tensor,
    dynamics: Dynamics,
    *,
    step_size: float,
    solver: str | Solver,
) -> float:
    """Return how far a step and two halves of it end apart, on average over a network's units.

    Of a batch, that of the worst network; 0 for solvers that choose their steps.
    """
    solver = SOLVERS[solver] if isinstance(solver, str) and solver in SOLVERS else solver
    if not isinstance(solver, RungeKutta):
        return 0.0
    problem = Problem(coupling, dynamics)
    with torch.no_grad():
        ends = [
            solver.solve(problem, state, step_size=step_size / n, n_steps=n, save_from=n)[-1]
            for n in (1, 2)
        ]
    inner = tuple(range(-1 - len(dynamics.state_shape), 0))
    error = (ends[0] - ends[1]).square().mean(inner).sqrt().max()
    return float(error) if bool(torch.isfinite(error)) else math.inf


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
        If a delay is negative, not finite or of more than a million steps.
    NotImplementedError
        If derivatives with respect to delays are wanted.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.dynamics import delay_in_steps
    >>> delay_in_steps(torch.tensor([0.0, 0.5, 1.0]), step_size=0.1)
    tensor([ 0,  5, 10])
    """
    wanted = torch.is_grad_enabled() and delay.requires_grad
    if wanted or forward_ad.unpack_dual(delay).tangent is not None:
        raise NotImplementedError(
            "delay is rounded to steps, so that there are no derivatives with respect to it."
        )
    step_size = positive_number(step_size, "step_size")
    if not bool(torch.isfinite(delay).all()) or bool((delay < 0).any()):
        raise ValueError("delay must be finite and not negative.")
    exact = delay.double() / step_size
    if bool((exact > MOST_DELAY).any()):
        raise ValueError(
            f"delay of {float(delay.max()):.3g} is {float(exact.max()):.3g} steps of "
            f"step_size={step_size:g}; the most are {MOST_DELAY}. Raise step_size."
        )
    steps = exact.round()
    error = float((exact - steps).abs().max()) * step_size if delay.numel() else 0.0
    # Single precision cannot tell a multiple of the step more closely than this.
    if error > 1e-4 * step_size:
        warn_caller(
            f"Delays are rounded to multiples of step_size={step_size:g}, by up to {error:.3g} "
            "units of time. Choose a step_size that divides them.",
            UserWarning,
        )
    return steps.long()
