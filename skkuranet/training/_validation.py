"""Held-out networks, by whose limit the best weights are chosen."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor

from skkuranet.dynamics import integrate
from skkuranet.training._process_group import Ranks
from skkuranet.training._result import TrainingResult
from skkuranet.training._sampler import Sampler, scored, start_of

# What tells when to stop.
_COUNTS = ("trapped", "lowest", "below", "since")


class Validation:
    """Held-out networks, drawn once, and the weights that did best at their limit.

    How well these did is noted in ``result``.
    """

    def __init__(self, sampler: Sampler, result: TrainingResult, ranks: Ranks | None) -> None:
        self.sampler, self.result, self.ranks = sampler, result, ranks
        self.network = sampler.network
        self.objective, self.plan = sampler.objective, sampler.curriculum
        self.index = sampler.draw(self.plan.n_held_out or self.plan.batch_size)
        self.edges = sampler.edges(self.index)
        self.phases = self.objective.initial_phases(self.index, 0.0, sampler.generator)
        self.best: dict[str, Tensor] | None = None
        #: Whether the last limit was that of a trap.
        self.trapped = False
        #: The lowest loss, looks in a row below the tolerance, and those since the last progress.
        self.lowest, self.below, self.since = math.inf, 0, 0

    @torch.no_grad()
    def look(self) -> bool:
        """Score the limit of the network as if finished; return True to stop."""
        plan, network = self.plan, self.network
        annealing = {k: v.clone() for k, v in network.named_buffers()}
        self.sampler.anneal(1.0)
        loss, self.trapped = self._limit()
        if self.ranks is not None:
            # Processors may round differently, and one that stopped alone would leave the others.
            loss, self.trapped = self.ranks.from_first((loss, self.trapped))
        loss = max(0.0, loss) if math.isfinite(loss) else math.inf
        self.since = 0 if loss < self.lowest - plan.tolerance else self.since + 1
        self.lowest = min(self.lowest, loss)
        if math.isfinite(loss) and loss <= self.lowest + plan.limit_resolution:
            self.best = copy.deepcopy(network.state_dict())
            self.result.limit_loss, self.result.converged = loss, not self.trapped
        for name, value in network.named_buffers():
            value.copy_(annealing[name])
        self.below = self.below + 1 if loss < plan.tolerance else 0
        stalled = plan.stall is not None and self.since >= plan.stall
        return self.below >= plan.patience or stalled

    def _limit(self) -> tuple[float, bool]:
        """Return the loss at the limit, and whether it is that of a trap."""
        self.network.eval()
        coupling = self.sampler.couple(self.index, self.edges)
        self.network.train()
        n_steps = max(1, round(self.plan.limit_time / self.plan.step_size))
        # The same noise each time.
        motion = self.sampler.motion(self.index, torch.Generator().manual_seed(0))
        path = integrate(
            coupling,
            start_of(self.phases, motion),
            **motion,
            n_steps=n_steps,
            save_from=n_steps - n_steps // 10,
        )
        limit = scored(path)
        loss = float(self.objective.limit_loss(limit, self.index))
        return loss, self.objective.is_trapped(limit[-1], self.index)

    def restore(self) -> None:
        """Finish the network with the best weights."""
        self.sampler.anneal(1.0)
        if self.best is not None:
            self.network.load_state_dict(self.best)
        self.network.eval()

    def state_dict(self) -> dict[str, Any]:
        """Return all that further looks depend on."""
        return {"best": self.best, "counts": [getattr(self, name) for name in _COUNTS]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self.best = state["best"]
        for name, value in zip(_COUNTS, state["counts"], strict=True):
            setattr(self, name, value)
