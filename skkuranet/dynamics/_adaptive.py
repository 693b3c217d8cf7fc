"""Adaptive solvers of torchdiffeq (extra ``ode``)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skkuranet.dynamics._system import KuramotoSystem


@dataclass(frozen=True)
class Adaptive:
    """A solver of torchdiffeq, differentiated by autograd through its steps.

    Parameters
    ----------
    method : str, default="dopri5"
        Name of the method in torchdiffeq.
    rtol, atol : float
        Relative and absolute tolerance.
    """

    method: str = "dopri5"
    rtol: float = 1e-6
    atol: float = 1e-8

    def solve(
        self,
        system: KuramotoSystem,
        phases: Tensor,
        *,
        step_size: float,
        n_steps: int,
        save_from: int,
    ) -> Tensor:
        """Integrate; return the phases at ``step_size`` times save_from ... n_steps.

        Parameters
        ----------
        system : KuramotoSystem
            The equation of motion.
        phases : Tensor of shape (..., n)
            Initial phases.
        step_size : float
            Distance of the output times; the solver chooses its own steps.
        n_steps : int
            Number of output intervals.
        save_from : int
            First output time that is returned.

        Returns
        -------
        Tensor of shape (n_steps - save_from + 1, ..., n)
        """
        if system.lag is not None:
            raise ValueError(
                f"solver={self.method!r} chooses its own steps and cannot integrate delays; use "
                "solver='euler'."
            )
        try:
            from torchdiffeq import odeint
        except ImportError as error:
            raise ImportError(
                f"solver={self.method!r} needs torchdiffeq: install skkuranet[ode], or use "
                "solver='rk4'."
            ) from error
        times = torch.arange(save_from, n_steps + 1, dtype=torch.float64) * step_size
        times = times.to(device=phases.device, dtype=phases.dtype)
        if save_from:
            times = torch.cat((times.new_zeros(1), times))
        solution: Tensor = odeint(
            lambda _, theta: system.velocity(theta),
            phases,
            times,
            method=self.method,
            rtol=self.rtol,
            atol=self.atol,
        )
        return solution[1:] if save_from else solution
