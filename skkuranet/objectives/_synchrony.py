"""All nodes in phase, or turning alike."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from skkuranet._utils.given import check_finite, check_tensor
from skkuranet._utils.messages import plain
from skkuranet.coupling import CouplingOperator
from skkuranet.dynamics import SOLVERS, Dynamics, Kuramoto, Solver
from skkuranet.dynamics._problem import check_history
from skkuranet.losses import circular_variance
from skkuranet.objectives._base import Objective


class SynchronyObjective(Objective):
    r"""Global synchrony: all nodes in phase, whatever their frequency, field and delay.

    The loss is the circular variance :math:`V = 1 - R` of the scored part of the
    trajectory.

    Parameters
    ----------
    frequency : Tensor of shape (N,), optional
        Natural frequencies of Kuramoto oscillators.
    field : Tensor of shape (N,), optional
        Their external field strengths.
    delay : Tensor of shape (N,), optional
        Delays in units of time.
    history : {"rotation", "constant"}, default="rotation"
        States before t = 0.
    dynamics : Dynamics, optional
        The equation of motion of all N nodes, in place of Kuramoto's with the first two parameters.
    noise : Tensor of shape (N,), optional
        Standard deviations of noise.
    solver : str, default="euler"
        What integrates.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.objectives import SynchronyObjective
    >>> objective = SynchronyObjective(torch.tensor([0.1, 0.2, 0.3]))
    >>> objective.limit_loss(torch.tensor([[[0.0, 0.0, 0.0]]]), torch.arange(3)[None])
    tensor(0.)
    """

    #: Spread of seeded initial phases around a common one, in radians.
    noise = 0.3

    def __init__(
        self,
        frequency: Tensor | None = None,
        *,
        field: Tensor | None = None,
        delay: Tensor | None = None,
        history: str = "rotation",
        dynamics: Dynamics | None = None,
        noise: Tensor | None = None,
        solver: str = "euler",
    ) -> None:
        check_history(history)
        if not isinstance(solver, Solver) and not (isinstance(solver, str) and solver in SOLVERS):
            raise ValueError(f"solver must be one of {[*SOLVERS]}, got {plain(solver)[:60]}.")
        for name, value in (
            ("frequency", frequency),
            ("field", field),
            ("delay", delay),
            ("noise", noise),
        ):
            if value is not None:
                check_tensor(value, name)
                check_finite(value, name)
        self.dynamics = Kuramoto(frequency, field) if dynamics is None else dynamics
        self.how = {"history": history, "solver": solver}
        nodes = {"delay": delay, "noise": noise}
        self.nodes = {name: value for name, value in nodes.items() if value is not None}

    def node_parameters(self, index: Tensor) -> dict[str, Any]:
        """Return the dynamics of the nodes, their delays and noise, and how to integrate."""
        each = {name: value[index] for name, value in self.nodes.items()}
        return {"dynamics": self.dynamics.at(index)} | self.how | each

    def initial_phases(
        self, index: Tensor, seed_probability: float, generator: torch.Generator
    ) -> Tensor:
        """Draw phases at random or, as often as wanted, around a common random phase."""
        dtype = torch.float32
        for value in self.dynamics.parameters.values():
            dtype = value.dtype

        def uniform(n: int) -> Tensor:
            return torch.rand((len(index), n), generator=generator, dtype=dtype)

        free = 2.0 * math.pi * uniform(index.shape[-1])
        noise = torch.randn(index.shape, generator=generator, dtype=dtype)
        near = 2.0 * math.pi * uniform(1) + self.noise * noise
        return torch.where(uniform(1) < seed_probability, near, free).to(index.device)

    def loss(self, coupling: CouplingOperator, phases: Tensor, index: Tensor) -> Tensor:
        """Return the mean circular variance of the trajectories."""
        return circular_variance(phases).mean()

    def limit_loss(self, phases: Tensor, index: Tensor) -> Tensor:
        """Return the mean circular variance."""
        return circular_variance(phases).mean()

    def is_trapped(self, phases: Tensor, index: Tensor) -> bool:
        """Say whether most of the order is missing: V beyond 0.5."""
        return bool(circular_variance(phases).mean() > 0.5)


class FrequencyObjective(SynchronyObjective):
    r"""Frequency synchrony: all nodes turn alike, at whatever phases.

    With :math:`s^2` the variance of the angles in radians by which nodes turn while they are
    scored, the loss of a trajectory is :math:`\log(1 + s^2)`, and that of the limit
    :math:`s^2 / (1 + s^2)`.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.objectives import FrequencyObjective
    >>> objective = FrequencyObjective(torch.tensor([0.1, 0.2, 0.3]))
    >>> sorted(objective.node_parameters(torch.arange(3)[None]))
    ['dynamics', 'history', 'solver']
    """

    def loss(self, coupling: CouplingOperator, phases: Tensor, index: Tensor) -> Tensor:
        """Return the mean loss of the trajectories."""
        return (phases[-1] - phases[0]).var(-1).log1p().mean()

    def limit_loss(self, phases: Tensor, index: Tensor) -> Tensor:
        """Return the mean share."""
        spread = (phases[-1] - phases[0]).var(-1)
        return (spread / (1.0 + spread)).mean()

    def is_trapped(self, phases: Tensor, index: Tensor) -> bool:
        """Say no: one moment does not tell how fast nodes turn."""
        return False


#: Objectives of networks of any dynamics, by name.
OBJECTIVES: dict[str, type[SynchronyObjective]] = {
    "synchrony": SynchronyObjective,
    "frequency": FrequencyObjective,
}
