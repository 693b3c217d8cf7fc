"""Networks drawn for training: their nodes, couplings and motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from skkuranet.coupling import (
    CouplingNetwork,
    CouplingOperator,
    Normalization,
    WeightedEdges,
    couple,
)
from skkuranet.coupling._build import compact, repeated
from skkuranet.dynamics import Trajectory
from skkuranet.objectives import Objective
from skkuranet.training._schedule import Curriculum


@dataclass
class Sampler:
    """Draws networks of nodes (n_networks, network_size), couples them and says how they move.

    ``graph`` returns the edges of networks, or is None where all pairs couple. The generator, on
    the CPU, is the only source of randomness.
    """

    network: nn.Module
    normalization: Normalization
    features: Tensor
    objective: Objective
    curriculum: Curriculum
    generator: torch.Generator
    graph: Callable[[Tensor], Tensor | WeightedEdges] | None
    memory_budget: int

    def __post_init__(self) -> None:
        self.size = min(self.curriculum.network_size, len(self.features))
        self.spread = self.features.std(0, correction=0)
        self._check_memory()

    def draw(self, n_networks: int) -> Tensor:
        """Return the nodes of some networks."""
        total, size, generator = len(self.features), self.size, self.generator
        anchors, pools = self.objective.anchors, self.objective.pools
        if pools is not None:
            chosen = torch.randint(len(pools), (n_networks,), generator=generator).tolist()
            return torch.stack([self._of(pools[i]) for i in chosen]).to(self.features.device)
        if anchors is not None:
            # Half of every network says something about the loss.
            shape = (n_networks, size // 2)
            known = anchors[torch.randint(len(anchors), shape, generator=generator)]
            rest = torch.randint(total, (n_networks, size - size // 2), generator=generator)
            index = torch.cat((known, rest), -1)
        elif size == total:
            index = torch.arange(total).expand(n_networks, total)
        elif total > 20 * size:
            index = torch.randint(total, (n_networks, size), generator=generator)
        else:
            keys = torch.rand((n_networks, total), generator=generator, dtype=torch.float32)
            index = keys.argsort(-1)[:, :size]
        groups = self.objective.groups
        if groups is not None and len(groups) <= size < total:
            # A class that is not there cannot be seen to merge with another.
            for position, group in enumerate(groups):
                one = torch.randint(len(group), (n_networks,), generator=generator)
                index[:, position] = group[one]
        return index.to(self.features.device)

    def _of(self, pool: Tensor) -> Tensor:
        """Draw nodes of a pool, which is a network by itself where it has as many."""
        if len(pool) == self.size:
            return pool
        return pool[torch.randint(len(pool), (self.size,), generator=self.generator)]

    def noise(self, index: Tensor) -> Tensor | None:
        """Draw noise on the features of nodes; None where there is to be none."""
        noise = self.curriculum.feature_noise
        if not noise:
            return None
        shape, features = (*index.shape, *self.features.shape[1:]), self.features
        drawn = torch.randn(shape, generator=self.generator, dtype=features.dtype)
        return noise * self.spread * drawn.to(features.device)

    def edges(self, index: Tensor) -> Tensor | WeightedEdges | None:
        """Return the edges of networks; None where all pairs couple."""
        return None if self.graph is None else self.graph(index)

    def couple(
        self, index: Tensor, edges: Tensor | WeightedEdges | None, noise: Tensor | None = None
    ) -> CouplingOperator:
        """Return the couplings of networks, with noise on their features."""
        features = self.features[index]
        if noise is not None:
            features = features + noise
        elif edges is None and len(index) > 1 and bool((index == index[0]).all()):
            # All networks are one.
            coupling = repeated(self._coupled(features[:1], None), len(index))
            if coupling is not None:
                return coupling
        return self._coupled(features, edges)

    def _coupled(self, features: Tensor, edges: Tensor | WeightedEdges | None) -> CouplingOperator:
        coupling = couple(
            self.network,
            features,
            self.normalization,
            edges=edges,
            memory_budget=self.memory_budget,
        )
        return compact(coupling)

    def motion(self, index: Tensor, generator: torch.Generator) -> dict[str, Any]:
        """Return the arguments of :func:`integrate`, except the number of steps."""
        step = {"step_size": self.curriculum.step_size, "check_step": False}
        found = {**self.objective.node_parameters(index), **step}
        return found | ({"generator": generator} if "noise" in found else {})

    def anneal(self, progress: float) -> None:
        """Make couplings as sharp as they are to be by now."""
        if isinstance(self.network, CouplingNetwork):
            self.network.anneal(progress)

    def _check_memory(self) -> None:
        """Refuse batches that would have to be tiled, which is slow to train through."""
        n_networks, n = self.curriculum.batch_size, self.size
        trained = next(p for p in self.network.parameters() if p.requires_grad)
        needed = 2 * n_networks * n * n * trained.element_size()
        stored = self.graph is None and getattr(self.network, "stores_pairs", True)
        if stored and needed > self.memory_budget:
            raise ValueError(
                f"A batch of {n_networks} networks of {n} nodes needs {needed} bytes, more than "
                f"memory_budget={self.memory_budget}. Raise memory_budget, or make batch_size or "
                "network_size smaller."
            )


def start_of(phases: Tensor, motion: dict[str, Any], n_batch_axes: int = 1) -> Tensor:
    """Return states of units at given phases; states themselves are left as they are."""
    dynamics = motion.get("dynamics")
    if dynamics is None or not dynamics.state_shape or phases.ndim > n_batch_axes + 1:
        return phases
    state: Tensor | None = dynamics.from_phases(phases)
    if state is None:
        raise ValueError(
            f"dynamics={type(dynamics).__name__} has no phases to begin with: the objective has to "
            "return states as initial_phases."
        )
    return state


def scored(path: Trajectory[Tensor]) -> Tensor:
    """Return what objectives see of a trajectory: phases, or states where there are none."""
    return path.states if path.phases is None else path.phases
