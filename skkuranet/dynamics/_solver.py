"""The contract of methods that integrate."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor
from torch.autograd import forward_ad

from skkuranet.dynamics._problem import Problem


class Solver(ABC):
    """A method that integrates any dynamics under any couplings.

    Attributes
    ----------
    name : str
        What messages call it.
    supports_delays, supports_noise : bool
        What it can do; False here. What it cannot is refused by :meth:`check`.

    Examples
    --------
    >>> from skkuranet.dynamics import SOLVERS, Solver
    >>> all(isinstance(solver, Solver) for solver in SOLVERS.values())
    True
    >>> [name for name, solver in SOLVERS.items() if solver.supports_delays]
    ['euler', 'heun']
    """

    name: str = "this solver"

    @property
    def supports_delays(self) -> bool:
        """Whether sources may act with a delay."""
        return False

    @property
    def supports_noise(self) -> bool:
        """Whether there may be noise."""
        return False

    def check(self, problem: Problem, state: Tensor) -> None:
        """Refuse what this solver cannot do.

        Parameters
        ----------
        problem : Problem
            What it is to solve.
        state : Tensor of shape (..., state_shape, n)
            Initial state.

        Raises
        ------
        ValueError
            If there are delays, or noise, that it does not support.
        NotImplementedError
            If anything has a forward-mode tangent, which would be lost.
        """
        if problem.lag is not None and not self.supports_delays:
            raise ValueError(
                f"solver={self.name!r} cannot integrate delays: between steps it needs states of "
                "the past that were not kept. Only solver='euler' and solver='heun' do."
            )
        if problem.increments is not None and not self.supports_noise:
            raise ValueError(
                f"solver={self.name!r} cannot integrate noise. Only solver='euler' does, which is "
                "the Euler-Maruyama method then."
            )

        tensors = (state, *problem.parameters)
        if any(forward_ad.unpack_dual(t).tangent is not None for t in tensors):
            raise NotImplementedError(
                f"solver={self.name!r} has no forward-mode derivatives; use reverse mode."
            )

    @abstractmethod
    def solve(
        self, problem: Problem, state: Tensor, *, step_size: float, n_steps: int, save_from: int
    ) -> Tensor:
        """Integrate, differentiably.

        Parameters
        ----------
        problem : Problem
            What moves.
        state : Tensor of shape (..., state_shape, n)
            Initial state.
        step_size : float
            Step in units of time.
        n_steps : int
            Number of steps.
        save_from : int
            First step whose state is returned; 0 is the initial one.

        Returns
        -------
        Tensor of shape (n_steps - save_from + 1, ..., state_shape, n)
        """
