"""Mutual dynamics of networks made of rows."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_scalar
from torch import Tensor

from skkuranet._utils.given import real_array
from skkuranet._utils.tools import random_source
from skkuranet.coupling import CouplingOperator
from skkuranet.dynamics import Dynamics, Trajectory, follow, wrap
from skkuranet.dynamics._integrate import MOST_STEPS
from skkuranet.estimators._arrays import Table, on_host
from skkuranet.estimators._connectivity import Edges
from skkuranet.estimators._trained_network import Couple, TrainedNetwork

LIMIT_TIME = 500.0


def steps_in(time: float, step_size: float) -> int:
    """Return the number of steps that a time takes, one at least; raise ValueError for too many."""
    if time / step_size > MOST_STEPS:
        raise ValueError(f"step_size={step_size:g} is too small for {time:g} units of time.")
    return max(1, round(time / step_size))


def simulated(
    trained: TrainedNetwork,
    X: Table,
    *,
    step_size: float,
    random_state: Any,
    n_steps: int | None = None,
    save_from: int = 0,
    initial_phases: Any = None,
    edges: Edges | None = None,
    couple: Couple | None = None,
) -> Trajectory:
    """Integrate the mutual dynamics of the network made of rows, by default for 500 units of time.

    Phases or states begin at random in single precision, unless they are given. ``edges`` alone may
    couple; ``couple`` makes the couplings in another way, see :meth:`TrainedNetwork.integrate`.
    Return a trajectory of arrays, or of tensors where X is one. Raise ValueError if a setting does
    not fit, or what is kept does not fit the memory budget.
    """
    check_scalar(step_size, "step_size", Real, min_val=0.0, include_boundaries="neither")
    rng = random_source(random_state)
    if initial_phases is None:
        initial_phases = rng.uniform(0.0, 2.0 * np.pi, len(X)).astype(np.float32)
    start = real_array(on_host(initial_phases), "initial_phases")
    n_steps = steps_in(LIMIT_TIME, step_size) if n_steps is None else n_steps
    check_scalar(n_steps, "n_steps", Integral, min_val=1, max_val=MOST_STEPS)
    start = start.astype(trained.precision_of(start, X, step_size, n_steps))
    wanted = [(len(X),)]
    if trained.node_motion.state_shape:
        wanted.append((*trained.node_motion.state_shape, len(X)))
    if start.shape not in wanted:
        raise ValueError(
            f"initial_phases must have shape {' or '.join(map(str, wanted))}, one phase"
            f"{' or state' if len(wanted) > 1 else ''} for each row of X, got {start.shape}."
        )
    if not np.all(np.isfinite(start)):
        raise ValueError("initial_phases must be finite.")
    check_scalar(save_from, "save_from", Integral, min_val=0, max_val=n_steps)
    n_kept = n_steps - save_from + 1
    needed = n_kept * start.itemsize * len(X) * max(1, *wanted[-1][:-1], 1)
    if needed > trained.budget(X):
        raise ValueError(
            f"{n_kept} steps of {len(X)} phases take {needed} bytes, more than memory_budget="
            f"{trained.budget(X)}. Lower n_steps, raise save_from to keep fewer, or memory_budget."
        )
    generator = None
    if trained.node_motion.is_noisy:
        generator = torch.Generator().manual_seed(int(rng.randint(2**31 - 1)))
    path = trained.integrate(
        X,
        start,
        step_size=step_size,
        n_steps=n_steps,
        save_from=save_from,
        edges=edges,
        couple=couple,
        generator=generator,
    )
    return path.to(X.device) if isinstance(X, torch.Tensor) else path.numpy()


def limit_phases(
    trained: TrainedNetwork,
    X: Table,
    rng: np.random.RandomState,
    step_size: float,
    n_steps: int | None = None,
) -> np.ndarray:
    """Return limit phases (n,) of the mutual dynamics, from random initial phases."""
    n_steps = steps_in(LIMIT_TIME, step_size) if n_steps is None else n_steps
    check_scalar(n_steps, "n_steps", Integral, min_val=1)
    start = rng.uniform(0.0, 2.0 * np.pi, len(X)).astype(np.float32)
    path = trained.integrate(X, start, step_size=step_size, n_steps=n_steps, save_from=n_steps)
    phases: np.ndarray = path.numpy().phases[0]
    return phases


def settled_under(
    dynamics: Dynamics, coupling: CouplingOperator, states: Tensor, step_size: float
) -> Tensor:
    """Return phases (m,) in (−π, π] at which nodes rest that a network at rest drives.

    Couplings are (m, n). Where there is no closed form, an integration in steps of ``step_size``
    tells.
    """
    found = dynamics.respond(coupling.matvec(dynamics.signal(states)))
    if found is not None:
        ends = found[0]
    else:
        steps = steps_in(LIMIT_TIME, step_size)
        ends = follow(
            coupling, states.expand(steps, *states.shape), step_size=step_size, dynamics=dynamics
        )
    return wrap(dynamics.phases(ends))
