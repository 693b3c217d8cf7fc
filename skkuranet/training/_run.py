"""State that the iterations of one training run share."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from skkuranet.coupling import (
    CouplingNetwork,
    MembershipNetwork,
    WeightedEdges,
)
from skkuranet.dynamics import integrate
from skkuranet.training._adamw import AdamW
from skkuranet.training._checkpoint import Checkpoint, fingerprint_of, identity
from skkuranet.training._committee import Committee
from skkuranet.training._process_group import Ranks, Value
from skkuranet.training._result import TrainingResult
from skkuranet.training._sampler import Sampler, scored, start_of
from skkuranet.training._validation import Validation

# Batches in a row whose gradient may overflow.
_SKIPS = 20


class Run:
    """State that the iterations of one training run share."""

    def __init__(self, sampler: Sampler, ranks: Ranks | None, settings: object) -> None:
        self.sampler, self.ranks, self.settings = sampler, ranks, settings
        self.network, self.features = sampler.network.train(), sampler.features
        self.objective, self.curriculum = sampler.objective, sampler.curriculum
        self.generator = sampler.generator
        #: Networks of a batch that this process looks after.
        self.own = slice(None) if ranks is None else ranks.share(self.curriculum.batch_size)
        self.committee = self._committee()
        #: Iteration from which trajectories train; None before.
        self.began = 0 if self.committee is None else None
        self._begin_trajectories()
        self.result = TrainingResult()
        self.validation = Validation(sampler, self.result, ranks)
        #: Batches in a row whose gradient overflowed.
        self.skipped = 0
        self.stopped = False
        self.started_as = ""

    def _committee(self) -> Committee | None:
        """Return what learns in closed form, where network and objective allow it."""
        plan, labels = self.curriculum.closed_form, self.objective.classes
        if plan is None or labels is None or not isinstance(self.network, MembershipNetwork):
            return None
        weights = self.objective.weights
        return Committee(
            self.network,
            self.features,
            labels,
            torch.ones_like(labels) if weights is None else weights,
            plan,
            self.curriculum.weight_decay,
            self.generator,
            self.curriculum.feature_noise,
        )

    def _begin_trajectories(self) -> None:
        """Have the gradients of trajectories train all that is not frozen."""
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        # Decay keeps the perceptron smooth; block couplings have no preferred size.
        decayed = {
            id(p)
            for layer in self.network.modules()
            if isinstance(layer, nn.Linear)
            for p in layer.parameters()
        }
        decay = self.curriculum.weight_decay
        self.optimizer = AdamW(
            self.parameters, [decay * (id(p) in decayed) for p in self.parameters]
        )

    def over(self, iteration: int) -> bool:
        """Say whether there is nothing left to do after so many iterations."""
        if self.began is None:
            return self.stopped
        return self.stopped or iteration >= self.began + self.curriculum.n_iterations

    def due(self, iteration: int) -> bool:
        """Say whether to look at the limit after so many iterations."""
        if self.began is None:
            return False
        done = iteration - self.began
        return done % self.curriculum.check_every == 0 or done >= self.curriculum.n_iterations

    def agreed(self, ask: Callable[[], object]) -> bool:
        """Return whether any process is to stop: one that did so alone would leave the others."""
        return bool(ask()) if self.ranks is None else self.ranks.any(ask)

    def each(self, work: Callable[[], Value]) -> Value:
        """Do work in every process: one that failed alone would leave the others."""
        return work() if self.ranks is None else self.ranks.each(work)

    def conclude(self, iteration: int) -> None:
        """End learning in closed form; trajectories then train how classes act."""
        if self.committee is None or self.began is not None:
            return
        found = self.committee.finish()
        self.result.recalls = self.committee.recalls(found)
        self.result.scores = self.committee.scores
        self.began = iteration
        self._freeze(self.committee)
        if self.ranks is not None:
            # Processors may round differently.
            self.network.load_state_dict(self.ranks.from_first(self.network.state_dict()))

    def _freeze(self, committee: Committee) -> None:
        """Freeze the committee, which is calibrated on rows left out."""
        for parameter in committee.network.perceptrons:
            parameter.requires_grad_(False)
        self._begin_trajectories()

    def fingerprint(self) -> str:
        """Return what identifies this run before its first iteration."""
        others, tensors = identity(
            (self.objective.settings(), self.settings, self.sampler.normalization, self.network)
        )
        edges = self.validation.edges
        if edges is not None:
            tensors += edges if isinstance(edges, WeightedEdges) else [edges]
        settings = (
            self.curriculum,
            self.generator.initial_seed(),
            type(self.objective).__name__,
            others,
        )
        return fingerprint_of(settings, (self.features, *tensors))

    def state(self, n_iterations: int) -> dict[str, Any]:
        """Return all that the rest of the run depends on, after so many iterations."""
        if self.committee is not None and self.began is None:
            # If nothing follows, the network has to do as it is.
            self.committee.calibrate()
        # Modules of the user may draw from the generator of a card.
        cuda = torch.cuda.get_rng_state(self.features.device) if self.features.is_cuda else None
        return {
            "fingerprint": self.started_as,
            "iteration": n_iterations,
            "stage": [self.began, self.stopped, self.skipped],
            "committee": None if self.committee is None else self.committee.state_dict(),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": [self.generator.get_state(), torch.random.get_rng_state(), cuda],
            "validation": self.validation.state_dict(),
            "result": dataclasses.asdict(self.result),
        }

    def resume(self, checkpoint: Checkpoint | None) -> int:
        """Take up the state of a checkpoint; return the iteration to go on with."""
        if checkpoint is None and self.ranks is None:
            return 0
        self.started_as = self.fingerprint()

        def load() -> dict[str, Any] | None:
            return None if checkpoint is None else checkpoint.load(self.started_as)

        state = self.each(load)
        if self.ranks is not None:
            state = self.ranks.from_first(state)
            if len(set(self.ranks.from_all(self.started_as))) > 1:
                raise ValueError(
                    "Processes train on different data or with different parameters. All need the "
                    "same, random_state included."
                )
        if state is None:
            return 0
        self.network.load_state_dict(state["network"])
        self.began, self.stopped, self.skipped = state["stage"]
        if self.committee is not None:
            self.committee.load_state_dict(state["committee"])
            if self.began is not None:
                self._freeze(self.committee)
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["random"][0])
        if not isinstance(self.network, CouplingNetwork):
            # Ours draw from a generator of their own alone.
            torch.random.set_rng_state(state["random"][1])
        if self.features.is_cuda:
            torch.cuda.set_rng_state(state["random"][2], self.features.device)
        self.validation.load_state_dict(state["validation"])
        for name, value in state["result"].items():
            setattr(self.result, name, value)
        return state["iteration"]

    def step(self, iteration: int) -> float:
        """Do one iteration; return its loss."""
        if self.committee is not None and self.began is None:
            found = self.committee.step()
            if self.committee.done:
                self.conclude(iteration + 1)
            return found
        assert self.began is not None
        plan, iteration = self.curriculum, iteration - self.began

        def descend() -> Tensor:
            loss = self._loss(iteration / plan.n_iterations)
            for parameter in self.parameters:
                parameter.grad = None
            loss.backward()
            return loss.detach()

        loss = self.each(descend)
        if self.ranks is not None:
            loss = self._average(loss, self.ranks)
        norm = nn.utils.clip_grad_norm_(self.parameters, plan.max_norm)
        # The gradient of a chaotic trajectory may overflow; one such batch says nothing.
        self.skipped = 0 if bool(torch.isfinite(norm)) else self.skipped + 1
        if self.skipped == 0:
            self.optimizer.step([p.grad for p in self.parameters], plan.rate(iteration))
        elif self.skipped >= min(_SKIPS, plan.n_iterations):
            return math.nan
        return float(loss)

    def _loss(self, progress: float) -> Tensor:
        """Return the loss of this process's share of a new batch of networks."""
        plan, sampler, generator = self.curriculum, self.sampler, self.generator
        sampler.anneal(progress)
        index = sampler.draw(plan.batch_size)
        unseeded = plan.unseeded_when_trapped and self.validation.trapped
        seeding = 0.0 if unseeded else plan.seed_probability(progress)
        phases = self.objective.initial_phases(index, seeding, generator)
        noise = sampler.noise(index)
        index, phases = index[self.own], phases[self.own]
        noise = None if noise is None else noise[self.own]
        coupling = sampler.couple(index, sampler.edges(index), noise)
        motion = sampler.motion(index, generator)
        state = start_of(phases, motion)
        unseen = plan.unseen(progress)
        if unseen:
            before = 1 + int(torch.randint(unseen, (1,), generator=generator))
            with torch.no_grad():
                path = integrate(coupling, state, **motion, n_steps=before, save_from=before)
                state = path.states[0]
        n_steps = plan.horizon(progress)
        save_from = int(n_steps * (1.0 - plan.loss_window(progress)))
        path = integrate(coupling, state, **motion, n_steps=n_steps, save_from=save_from)
        return self.objective.loss(coupling, scored(path), index)

    def _average(self, loss: Tensor, ranks: Ranks) -> Tensor:
        """Average loss and gradients over processes, each weighted by its share of the batch."""
        share = (self.own.stop - self.own.start) / self.curriculum.batch_size
        grads = [p.grad for p in self.parameters if p.grad is not None]
        parts = [loss.view(1), *(grad.flatten() for grad in grads)]
        whole = ranks.all_reduce(share * torch.cat(parts))
        mean, *sums = whole.split([len(part) for part in parts])
        for grad, total in zip(grads, sums, strict=True):
            grad.copy_(total.view_as(grad))
        return mean

    def finish(self) -> TrainingResult:
        """Give the network its best weights; return how training went."""
        self.validation.restore()
        if self.committee is not None:
            for parameter in self.committee.network.perceptrons:
                parameter.requires_grad_(True)
        return self.result
