"""Training of couplings on graphs: edges alone, then through the dynamics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from skkuranet._utils.surroundings import one_thread, seeded
from skkuranet.estimators._progress import Progress
from skkuranet.grouping.graph import Episode
from skkuranet.grouping.network import GroupingNetwork, cosines, standard

#: Takes note of the steps done and the last loss.
Report = Callable[[int, float], None]
# Norm that gradients of trajectories are clipped at, and weight decay of both stages.
_MAX_NORM, _WEIGHT_DECAY = 1.0, 1e-4
# What edges count for beside pairs.
_EDGES = 0.5


@dataclass(frozen=True)
class Plan:
    """How long both stages take, and how fast they learn.

    Parameters
    ----------
    edge_epochs, epochs : int
        How often stage one goes through all edges, and stage two through all networks.
    edge_rate : float
        Peak learning rate of stage one.
    rates : (float, float)
        Those of stage two: of couplings, and of the start.
    n_edges : int
        Edges in each step of stage one.
    """

    edge_epochs: int
    epochs: int
    edge_rate: float = 2e-3
    rates: tuple[float, float] = (5e-4, 3e-3)
    n_edges: int = 4096


def train(
    network: GroupingNetwork,
    episodes: Sequence[Episode],
    plan: Plan,
    rng: np.random.RandomState,
    progress: Callable[[int], Progress],
) -> list[float]:
    """Take note of the scale of features, train both stages, and return the loss of each epoch.

    ``progress`` makes what tells how far training is, of the number of steps.
    """
    network.standardise([episode.graph for episode in episodes])
    network.train()
    # Dropout draws from torch's global generator.
    draws = seeded(int(rng.randint(2**31 - 1))) if network.dropout else nullcontext()
    with one_thread(), draws:
        train_edges(network, episodes, plan, rng)
        losses = train_through(
            network, episodes, plan, rng, progress(plan.epochs * len(episodes)).tell
        )
    network.eval()
    return losses


def train_edges(
    network: GroupingNetwork, episodes: Sequence[Episode], plan: Plan, rng: np.random.RandomState
) -> list[float]:
    """Teach a network which edges join what belongs together; return the loss of each epoch."""
    features = np.concatenate([episode.graph.edge_features for episode in episodes])
    targets = torch.as_tensor(np.concatenate([episode.targets for episode in episodes])).float()
    # All networks count alike for the average weight of their edges.
    weights = torch.as_tensor(
        np.concatenate([episode.weights / episode.graph.weights.mean() for episode in episodes])
    ).float()
    seen = standard(features, network.edge_scaling)
    optimizer = torch.optim.AdamW(
        network.of_edge.parameters(), plan.edge_rate, weight_decay=_WEIGHT_DECAY
    )
    n_batches = -(-len(seen) // plan.n_edges)
    schedule = _cooling(optimizer, plan.edge_epochs * n_batches)
    losses = []
    for _ in range(plan.edge_epochs):
        total = 0.0
        for batch in torch.from_numpy(rng.permutation(len(seen))).tensor_split(n_batches):
            found = network.of_edge(seen[batch]).squeeze(-1)
            loss = _cross_entropy(found, targets[batch], weights[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) / n_batches
        losses.append(total)
    return losses


def train_through(
    network: GroupingNetwork,
    episodes: Sequence[Episode],
    plan: Plan,
    rng: np.random.RandomState,
    report: Report,
) -> list[float]:
    """Train couplings and start through the dynamics; return the loss of each epoch.

    ``report`` is called after each network.
    """
    of_couplings, of_start = plan.rates
    optimizer = torch.optim.AdamW(
        [
            {"params": [*network.of_edge.parameters()], "lr": of_couplings},
            {"params": [*network.of_node.parameters(), network.likeness], "lr": of_start},
        ],
        weight_decay=_WEIGHT_DECAY,
    )
    schedule = _cooling(optimizer, plan.epochs * len(episodes))
    losses: list[float] = []
    n_done = 0
    for _ in range(plan.epochs):
        total = 0.0
        for number in rng.permutation(len(episodes)):
            loss = loss_through(network, episodes[number])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), _MAX_NORM)
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) / len(episodes)
            n_done += 1
            report(n_done, float(loss.detach()))
        if not math.isfinite(total):
            raise FloatingPointError("The loss is not finite. Look for huge values in the data.")
        losses.append(total)
    return losses


def loss_through(network: GroupingNetwork, episode: Episode) -> Tensor:
    """Return the cross-entropy of pairs after the last step, and that of edges before the first."""
    states, logits = network.settle(episode.graph)
    slope, middle = network.likeness
    of_pairs = slope * (cosines(states, episode.pairs) - middle)
    pairs = _cross_entropy(of_pairs, episode.pair_targets, episode.pair_weights)
    return pairs + _EDGES * _cross_entropy(logits, episode.targets, episode.weights)


def _cross_entropy(
    logits: Tensor, targets: Tensor | np.ndarray, weights: Tensor | np.ndarray
) -> Tensor:
    targets, weights = (torch.as_tensor(one, dtype=logits.dtype) for one in (targets, weights))
    loss = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (weights * loss).sum() / weights.sum()


def _cooling(optimizer: torch.optim.Optimizer, n_steps: int) -> CosineAnnealingLR:
    return CosineAnnealingLR(optimizer, max(1, n_steps))
