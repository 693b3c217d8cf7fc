"""Nodes of a group in phase, and groups apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skkuranet._utils.given import check_finite, check_tensor
from skkuranet._utils.messages import plain
from skkuranet._utils.scalars import finite_number, whole_number
from skkuranet.coupling import CouplingOperator, product
from skkuranet.losses import cluster_synchrony_loss, splay_loss
from skkuranet.objectives._base import Objective

# A class of each node of the largest networks that are drawn.
_MOST_CLASSES = 1_000_000


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
        self.locking = finite_number(locking, "locking")
        self.evidence = finite_number(evidence, "evidence")
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
        self.n_classes = n_classes
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
        self.synchrony = finite_number(synchrony, "synchrony")
        self.labels, self.pools = labels, pools
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
