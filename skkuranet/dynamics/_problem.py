"""What a solver is given: couplings, an equation of motion, delays and noise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from skkuranet._utils.messages import plain
from skkuranet.coupling import CouplingOperator, product
from skkuranet.dynamics._dynamics import Dynamics
from skkuranet.dynamics._functions import rate_of, signal_of

HISTORIES = ("rotation", "constant")


def check_history(history: str) -> str:
    """Return what states were before t = 0; raise ValueError if there is no such past."""
    if not isinstance(history, str) or history not in HISTORIES:
        raise ValueError(f"history must be one of {HISTORIES}, got {plain(history)}.")
    return history


@dataclass(frozen=True)
class Problem:
    """Coupled units and what drives them.

    Parameters
    ----------
    coupling : CouplingOperator of shape (..., n, n)
        The couplings K.
    dynamics : Dynamics
        The equation of motion.
    lag : Tensor of shape (..., n), int64, optional
        Delays of the sources, in steps of the solver; 0 by default.
    history : {"rotation", "constant"}, default="rotation"
        States before t = 0: those that :meth:`Dynamics.before` returns, or the initial ones.
    increments : iterable of Tensor of shape (..., state_shape, n), optional
        What noise adds to the state at the end of each step. All steps in one tensor,
        (n_steps, ..., state_shape, n), are differentiated with respect to.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling
    >>> from skkuranet.dynamics import EULER, Kuramoto, Problem
    >>> problem = Problem(DenseCoupling(torch.ones(2, 2)), Kuramoto())
    >>> start = torch.tensor([0.0, 1.0])
    >>> EULER.solve(problem, start, step_size=0.1, n_steps=5, save_from=5).shape
    torch.Size([1, 2])
    """

    coupling: CouplingOperator
    dynamics: Dynamics
    lag: Tensor | None = None
    history: str = "rotation"
    increments: Iterable[Tensor] | None = None

    def __post_init__(self) -> None:
        *_, n, p = self.coupling.shape
        if n != p:
            raise ValueError(f"coupling must be square, got shape {(n, p)}.")
        check_history(self.history)
        given = dict(self.dynamics.parameters)
        if self.lag is not None:
            given["delay"] = self.lag
        for name, value in given.items():
            self._check_parameter(name, value)

    def _check_parameter(self, name: str, value: Tensor) -> None:
        *batch, _, n = self.coupling.shape
        inner = tuple(self.dynamics.parameter_shapes.get(name, ()))
        if value.ndim == 0 and not inner:
            return
        *lead, size = value.shape
        axes = tuple(lead[len(lead) - len(inner) :])
        lead = lead[: len(lead) - len(inner)]
        if size not in (1, n):
            raise ValueError(
                f"{name} must have one entry for each of {n} units, or one for all, got shape "
                f"{tuple(value.shape)}."
            )
        if axes != inner:
            shape = ", ".join(map(str, ("...", *inner, n)))
            raise ValueError(f"{name} must have shape ({shape}), got {tuple(value.shape)}.")
        fits = all(size in (1, whole) for size, whole in zip(lead[::-1], batch[::-1]))
        if len(lead) > len(batch) or not fits:
            remedy = "Repeat the couplings along the batch."
            if not inner and tuple(value.shape) == (n, n):
                remedy = f"{name} has one entry for each unit, not for each pair of them."
            raise ValueError(
                f"{name} of shape {tuple(value.shape)} does not fit the couplings, which "
                f"make networks of shape {(*batch, n)}. {remedy}"
            )

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """Every tensor the motion depends on smoothly, but for the initial state."""
        noise = (self.increments,) if isinstance(self.increments, Tensor) else ()
        return (*noise, *self.dynamics.parameters.values(), *self.coupling.tensors)

    def before(self, state: Tensor, ago: float) -> Tensor:
        """Return the state some time before t = 0.

        Parameters
        ----------
        state : Tensor of shape (..., state_shape, n)
            At t = 0.
        ago : float
            Units of time before.

        Returns
        -------
        Tensor of shape (..., state_shape, n)
        """
        return state if self.history == "constant" else self.dynamics.before(state, ago)

    def velocity(self, state: Tensor) -> Tensor:
        """Return how fast states change, differentiable in all they depend on.

        Delays and noise are left out.

        Parameters
        ----------
        state : Tensor of shape (..., state_shape, n)
            States.

        Returns
        -------
        Tensor of shape (..., state_shape, n)
        """
        drive = product(self.coupling, signal_of(self.dynamics, state))
        return rate_of(self.dynamics, state, drive)
