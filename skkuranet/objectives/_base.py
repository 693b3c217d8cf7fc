"""What an objective has to say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from skkuranet.coupling import CouplingOperator


class Objective(ABC):
    """What is wanted of the phases of networks drawn from the data.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.objectives import Objective
    >>> class Antiphase(Objective):
    ...     def initial_phases(self, index, seed_probability, generator):
    ...         return 6.28 * torch.rand(index.shape, generator=generator)
    ...     def loss(self, coupling, phases, index):
    ...         return torch.exp(1j * phases).mean(-1).abs().mean()
    ...     def limit_loss(self, phases, index):
    ...         return torch.exp(1j * phases).mean(-1).abs().mean()
    >>> phases = torch.tensor([[[0.0, torch.pi]]])
    >>> Antiphase().limit_loss(phases, torch.arange(2)[None]).round(decimals=3)
    tensor(0.)
    """

    #: Nodes of which every network gets half, on the CPU; None draws all nodes alike.
    anchors: Tensor | None = None
    #: Sets of nodes, one of which every network is drawn from, on the CPU; a set of
    #: ``network_size`` nodes is a network as it is. None draws from all.
    pools: Sequence[Tensor] | None = None
    #: Sets of nodes, on the CPU, of each of which every network gets one at least; None asks
    #: for none.
    groups: Sequence[Tensor] | None = None
    #: Class of each node, or -1, for networks that can learn it in closed form; None has none.
    classes: Tensor | None = None
    #: What each node counts for in that; None counts all alike.
    weights: Tensor | None = None

    def node_parameters(self, index: Tensor) -> dict[str, Any]:
        """Return what the nodes bring into the dynamics besides their couplings.

        Parameters
        ----------
        index : Tensor of shape (B, n), int64
            Nodes that each network is made of.

        Returns
        -------
        dict
            Arguments of :func:`skkuranet.dynamics.integrate`: frequency, field, delay; or dynamics,
            and whatever else is to be integrated. Here nothing.
        """
        return {}

    def settings(self) -> dict[str, Any]:
        """Return what tells this objective from others, for checkpoints.

        Returns
        -------
        dict
            Numbers, strings, tensors, dynamics, and lists of these. Here all attributes.
        """
        return vars(self)

    @abstractmethod
    def initial_phases(
        self, index: Tensor, seed_probability: float, generator: torch.Generator
    ) -> Tensor:
        """Draw initial phases of networks.

        Parameters
        ----------
        index : Tensor of shape (B, n), int64
            Nodes that each network is made of.
        seed_probability : float
            Probability that a network starts near the wanted state.
        generator : torch.Generator
            On the CPU; the only source of randomness.

        Returns
        -------
        Tensor of shape (B, n) or (B, state_shape, n)
            Phases in radians; states where the dynamics has no phases.
        """

    @abstractmethod
    def loss(self, coupling: CouplingOperator, phases: Tensor, index: Tensor) -> Tensor:
        """Score trajectories; differentiable.

        Parameters
        ----------
        coupling : CouplingOperator of shape (B, n, n)
            Couplings of the networks.
        phases : Tensor of shape (T, B, n) or (T, B, state_shape, n)
            Trajectories; states where the dynamics has no phases.
        index : Tensor of shape (B, n), int64
            Nodes that each network is made of.

        Returns
        -------
        Tensor of shape ()
            What training minimises.
        """

    @abstractmethod
    def limit_loss(self, phases: Tensor, index: Tensor) -> Tensor:
        """Score limit phases.

        Parameters
        ----------
        phases : Tensor of shape (T, B, n)
            Phases at the limit, for some time.
        index : Tensor of shape (B, n), int64
            Nodes that each network is made of.

        Returns
        -------
        Tensor of shape ()
            From 0 (perfect) to 1.
        """

    def is_trapped(self, phases: Tensor, index: Tensor) -> bool:
        """Say whether limit phases are those of a known trap.

        Parameters
        ----------
        phases : Tensor of shape (B, n)
            Phases at the limit.
        index : Tensor of shape (B, n), int64
            Nodes that each network is made of.

        Returns
        -------
        bool
            True where training ought to start again; here never.
        """
        return False
