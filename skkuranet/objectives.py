"""What training wants of the phases (torch only)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skkuranet._utils.given import check_finite, check_tensor
from skkuranet._utils.messages import plain
from skkuranet._utils.scalars import finite_number, whole_number
from skkuranet.coupling import CouplingOperator, product
from skkuranet.dynamics import SOLVERS, Dynamics, Kuramoto, Solver
from skkuranet.dynamics._problem import check_history
from skkuranet.losses import circular_variance, cluster_synchrony_loss, splay_loss

__all__ = [
    "OBJECTIVES",
    "ClusterObjective",
    "FrequencyObjective",
    "Objective",
    "PairObjective",
    "SynchronyObjective",
]

# A class of each node of the largest networks that are drawn.
_MOST_CLASSES = 1_000_000


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


class ClusterObjective(Objective):
    r"""Cluster synchrony: labelled nodes in phase inside, splay between the classes.

    The loss of the trajectory is that of eq. 5 and 6, normalised as in Table II. Two terms
    sharpen the boundaries and keep training out of the traps where the gradient of the
    splay loss vanishes. Both are cross-entropies at the ideal splay state :math:`\psi`:

    - locking: of :math:`\kappa\, \mathrm{Re}(Z_i e^{-i\psi_l})` over the classes l, with
      :math:`Z_i = \sum_j K_{ij} e^{i\psi_j}`, the gradient of the locked phase of node i;
    - evidence: of :math:`\kappa' \sum_{j \in l} K_{ij}`, the pull of each class on node i.

    Parameters
    ----------
    labels : Tensor of shape (N,), int64
        Class of each node, from 0; negative where it is unknown. Such nodes take part in
        the dynamics and not in the loss.
    n_classes : int
        Number k of classes.
    locking, evidence : float
        Weights of the two terms.
    pools : sequence of Tensor, optional
        Sets of nodes, all labelled, for instance the pixels of one image each; every network
        is drawn from one of them. By default from all nodes.
    weights : Tensor of shape (N,), optional
        What each node counts for, beside others. By default all count alike.
    motion : dict, optional
        How nodes move, as arguments of :func:`skkuranet.dynamics.integrate`; by default as phases
        without frequencies.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.objectives import ClusterObjective
    >>> objective = ClusterObjective(torch.tensor([0, 0, 1, 1]), 2)
    >>> phases = torch.tensor([[[0.0, 0.0, torch.pi, torch.pi]]])
    >>> float(objective.limit_loss(phases, torch.arange(4)[None]).round(decimals=3))
    0.0
    """

    #: Logit by which the wanted phase leads its neighbours on the circle.
    margin = 6.0
    #: Logit of a node whose whole in-degree comes from one class.
    evidence_scale = 10.0

    def __init__(
        self,
        labels: Tensor,
        n_classes: int,
        *,
        locking: float = 0.3,
        evidence: float = 1.0,
        pools: Sequence[Tensor] | None = None,
        weights: Tensor | None = None,
        motion: dict[str, Any] | None = None,
    ) -> None:
        n_classes = whole_number(n_classes, "n_classes", most=_MOST_CLASSES)
        check_tensor(labels, "labels", n_axes=1, whole=True)
        known = labels >= 0
        if not bool(known.any()) or int(labels.max()) >= n_classes:
            raise ValueError(
                f"labels must be below n_classes={n_classes}, and not all negative, got "
                f"{plain(torch.unique(labels))}."
            )
        for name, value in (("locking", locking), ("evidence", evidence)):
            finite_number(value, name)
        _check_pools(pools, labels)
        if weights is not None:
            _check_weights(weights, known)
        self.motion = motion or {}
        if weights is not None:
            weights = weights.double() / weights[known].double().mean()
        self.classes, self.weights = labels, weights
        # Where few nodes are labelled, networks of any nodes would hardly hold one.
        self.anchors = None if bool(known.all()) else known.nonzero().flatten().cpu()
        self.pools = pools
        of_class = [(labels == c).nonzero().flatten().cpu() for c in range(n_classes)]
        self.groups = [nodes for nodes in of_class if len(nodes)]
        self.n_classes, self.locking, self.evidence = n_classes, locking, evidence
        self.labels = labels.clamp_min(0)
        one_hot = nn.functional.one_hot(self.labels, n_classes).float()
        counted = known.float() if weights is None else known * weights.float()
        self.membership = one_hot * counted.unsqueeze(-1)
        position = torch.arange(n_classes, device=labels.device, dtype=torch.float32)
        self.splay = (2.0 * math.pi / n_classes) * position
        self.directions = torch.stack((self.splay.cos(), self.splay.sin()))

    def node_parameters(self, index: Tensor) -> dict[str, Any]:
        """Return how nodes move, which is the same for all."""
        return self.motion

    def initial_phases(
        self, index: Tensor, seed_probability: float, generator: torch.Generator
    ) -> Tensor:
        """Draw phases at random or, as often as wanted, 1 rad around the splay state."""
        device, dtype = self.membership.device, self.membership.dtype

        def uniform(shape: tuple[int, ...]) -> Tensor:
            return torch.rand(shape, generator=generator, dtype=dtype).to(device)

        free = 2.0 * math.pi * uniform(tuple(index.shape))
        noise = torch.randn(index.shape, generator=generator, dtype=dtype).to(device)
        near = self.splay[self.labels[index]] + noise
        known = self.membership[index].any(-1)
        return torch.where(known & (uniform((len(index), 1)) < seed_probability), near, free)

    def loss(self, coupling: CouplingOperator, phases: Tensor, index: Tensor) -> Tensor:
        """Return the mean loss of the trajectories plus the two cross-entropies."""
        membership = self.membership[index]
        total = cluster_synchrony_loss(phases, membership).mean()
        if not (self.locking or self.evidence):
            return total
        sources = torch.cat((self.directions @ membership.mT, membership.mT), -2)
        pulls = product(coupling, sources)
        field, evidence = pulls[..., :2, :], pulls[..., 2:, :]
        sharpness = self.margin / (1.0 - math.cos(2.0 * math.pi / self.n_classes))
        total = total + self.locking * _cross_entropy(
            sharpness * (self.directions.mT @ field), membership
        )
        return total + self.evidence * _cross_entropy(self.evidence_scale * evidence, membership)

    def limit_loss(self, phases: Tensor, index: Tensor) -> Tensor:
        """Return the mean cluster synchrony loss of Table II."""
        return cluster_synchrony_loss(phases, self.membership[index]).mean()

    def is_trapped(self, phases: Tensor, index: Tensor) -> bool:
        """Say whether the class phases are merged: nearer to the antipodal state than to splay."""
        weight = self.membership[index]
        real = (phases.cos().unsqueeze(-2) @ weight).squeeze(-2)
        imaginary = (phases.sin().unsqueeze(-2) @ weight).squeeze(-2)
        means, present = torch.atan2(imaginary, real), weight.any(-2)
        ratios = []
        for angles in (mean[here] for mean, here in zip(means, present, strict=True)):
            if len(angles) > 1:
                half = math.pi * (torch.arange(len(angles)) % 2).to(angles)
                trap = splay_loss(half) if len(angles) > 2 else splay_loss(0.0 * half)
                ratios.append(float(splay_loss(angles) / trap))
        return bool(ratios) and sum(ratios) / len(ratios) > 0.5


class PairObjective(Objective):
    r"""Groups without names: whether two nodes of a network belong together, or not.

    The labels of one pool say nothing about those of another, so that what is learned carries
    over to groups never seen. The loss is the binary cross-entropy of all pairs of a network,
    whose logit is proportional to their coupling, so that nodes of a group attract and others
    repel; and the cluster synchrony loss of the trajectory.

    Parameters
    ----------
    labels : Tensor of shape (N,), int64
        Group of each node in its pool, from 0.
    synchrony : float
        Weight of the cluster synchrony loss.
    pools : sequence of Tensor, optional
        Sets of nodes, one of which every network is drawn from. By default all nodes are one.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.objectives import PairObjective
    >>> objective = PairObjective(torch.tensor([0, 0, 1, 1]))
    >>> phases = torch.tensor([[[0.0, 0.0, torch.pi, torch.pi]]])
    >>> bool(objective.limit_loss(phases, torch.arange(4)[None]) < 0.01)
    True
    """

    #: Logit of a pair whose coupling is that of an in-degree shared out evenly.
    scale = 3.0

    def __init__(
        self, labels: Tensor, *, synchrony: float = 0.1, pools: Sequence[Tensor] | None = None
    ) -> None:
        check_tensor(labels, "labels", n_axes=1, whole=True)
        if bool((labels < 0).any()) or int(labels.max()) > _MOST_CLASSES:
            raise ValueError(
                f"labels must lie between 0 and {_MOST_CLASSES}, got {plain(torch.unique(labels))}."
            )
        _check_pools(pools, labels)
        finite_number(synchrony, "synchrony")
        self.labels, self.synchrony, self.pools = labels, synchrony, pools
        self.n_groups = int(labels.max()) + 1

    def initial_phases(
        self, index: Tensor, seed_probability: float, generator: torch.Generator
    ) -> Tensor:
        """Draw phases at random: which group goes where on the circle is not known."""
        return (
            2.0
            * math.pi
            * torch.rand(index.shape, generator=generator, dtype=torch.float32).to(index.device)
        )

    def loss(self, coupling: CouplingOperator, phases: Tensor, index: Tensor) -> Tensor:
        """Return the cross-entropy of the pairs and the loss of the trajectories."""
        labels = self.labels[index]
        same = (labels.unsqueeze(-1) == labels.unsqueeze(-2)).to(phases.dtype)
        logits = self.scale * index.shape[-1] * coupling.dense()
        pairs = nn.functional.binary_cross_entropy_with_logits(logits, same)
        return pairs + self.synchrony * self.limit_loss(phases, index)

    def limit_loss(self, phases: Tensor, index: Tensor) -> Tensor:
        """Return the mean cluster synchrony loss of Table II."""
        membership = nn.functional.one_hot(self.labels[index], self.n_groups).to(phases.dtype)
        return cluster_synchrony_loss(phases, membership).mean()


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


def _check_pools(pools: Sequence[Tensor] | None, labels: Tensor) -> None:
    """Raise TypeError or ValueError unless pools are sets of nodes."""
    if pools is None:
        return
    if not isinstance(pools, (list, tuple)) or not pools:
        raise TypeError(
            f"pools must be a list of tensors of nodes, got {type(pools).__name__} "
            f"{plain(pools)[:60]}."
        )
    for pool in pools:
        check_tensor(pool, "pools", n_axes=1, whole=True)
        if not 0 <= int(pool.min()) <= int(pool.max()) < len(labels):
            raise ValueError(
                f"pools must hold nodes from 0 to {len(labels) - 1}, got {plain(pool)}."
            )


def _check_weights(weights: Tensor, known: Tensor) -> None:
    """Raise TypeError or ValueError unless weights can be shared out among known nodes."""
    check_tensor(weights, "weights", n_axes=1)
    check_finite(weights, "weights")
    if weights.shape != known.shape or bool((weights < 0.0).any()):
        raise ValueError(
            f"weights must be {len(known)} numbers, one for each of the labels, none of them "
            f"negative, got {plain(weights)}."
        )
    if not bool(weights[known].any()):
        raise ValueError("weights must be positive for one of the nodes whose class is known.")


def _cross_entropy(logits: Tensor, membership: Tensor) -> Tensor:
    """Mean over the labelled nodes; logits (B, k, n), membership (B, n, k)."""
    log_likelihood = (logits.log_softmax(-2).mT * membership).sum()
    total = membership.sum()
    return -log_likelihood / total.masked_fill(total == 0.0, 1.0)
