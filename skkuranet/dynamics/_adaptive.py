"""Adaptive solvers of torchdiffeq (extra ``ode``)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skkuranet.dynamics._problem import Problem
from skkuranet.dynamics._solver import Solver


@dataclass(frozen=True)
class Adaptive(Solver):
    """A solver of torchdiffeq, differentiated by autograd through its steps.

    Parameters
    ----------
    method : str, default="dopri5"
        Name of the method in torchdiffeq.
    rtol : float, default=0.0
        Relative tolerance of a step. Phases grow without bound, and it would with them.
    atol : float, default=None
        Absolute tolerance of a step; None for 1e-7, and 1e-5 in single precision.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling
    >>> from skkuranet.dynamics import Adaptive, integrate
    >>> motion = {"step_size": 0.1, "n_steps": 50}
    >>> K, start = DenseCoupling(torch.ones(2, 2)), torch.tensor([0.0, 1.0])
    >>> path = integrate(K, start, solver=Adaptive(), **motion)
    >>> bool(path.order_parameter()[-1] > 0.999)
    True
    """

    method: str = "dopri5"
    rtol: float = 0.0
    atol: float | None = None

    @property
    def name(self) -> str:  # type: ignore[override]
        """The method's."""
        return self.method

    def solve(
        self, problem: Problem, state: Tensor, *, step_size: float, n_steps: int, save_from: int
    ) -> Tensor:
        """Return the states at ``step_size`` times ``save_from`` to ``n_steps``, as first axis.

        The solver chooses its own steps between these times.
        """
        self.check(problem, state)
        try:
            from torchdiffeq import odeint
        except ImportError as error:
            raise ImportError(
                f"solver={self.method!r} needs torchdiffeq: install skkuranet[ode], or use "
                "solver='rk4'."
            ) from error
        atol = self.atol or (1e-7 if state.dtype == torch.float64 else 1e-5)
        times = torch.arange(save_from, n_steps + 1, dtype=torch.float64) * step_size
        times = times.to(device=state.device, dtype=state.dtype)
        if save_from:
            times = torch.cat((times.new_zeros(1), times))
        solution: Tensor = odeint(
            lambda _, here: problem.velocity(here),
            state,
            times,
            method=self.method,
            rtol=self.rtol,
            atol=atol,
        )
        return problem.dynamics.retract(solution[1:] if save_from else solution)
