"""Training run of a coupling network through the dynamics."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from skkuranet.coupling import (
    DEFAULT_MEMORY_BUDGET,
    CouplingNetwork,
    CouplingOperator,
    MembershipNetwork,
    Normalization,
    couple,
)
from skkuranet.coupling._build import compact, repeated
from skkuranet.dynamics import Trajectory, integrate
from skkuranet.objectives import Objective
from skkuranet.training._adamw import AdamW
from skkuranet.training._checkpoint import Checkpoint, fingerprint_of, identity
from skkuranet.training._committee import Committee
from skkuranet.training._process_group import Ranks
from skkuranet.training._schedule import Curriculum

__all__ = ["TrainingResult", "train"]

# Batches in a row whose gradient may overflow.
_SKIPS = 20


@dataclass
class TrainingResult:
    """Course of a training run, whose network holds the best weights.

    Parameters
    ----------
    loss_curve : list of float
        Loss of every iteration.
    limit_loss : float
        Loss of the best weights at the limit of held-out initial phases.
    converged : bool
        False if the limit phases are in a trap.
    interrupted : bool
        Whether a KeyboardInterrupt ended training.
    scores : list of float
        Accuracy on rows left out, at each look of learning in closed form.
    recalls : list of float
        Share of each class that is named right, of rows left out; empty without learning in
        closed form.
    """

    loss_curve: list[float] = field(default_factory=list)
    limit_loss: float = math.inf
    converged: bool = False
    interrupted: bool = False
    scores: list[float] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)

    @property
    def n_iterations(self) -> int:
        """Number of iterations done."""
        return len(self.loss_curve)


def train(
    network: nn.Module,
    normalization: Normalization,
    features: Tensor,
    objective: Objective,
    curriculum: Curriculum,
    generator: torch.Generator,
    *,
    graph: Callable[[Tensor], Tensor] | None = None,
    memory_budget: int = DEFAULT_MEMORY_BUDGET,
    going_on: bool = False,
    on_iteration: Callable[[int, float], bool] | None = None,
    checkpoint: Checkpoint | None = None,
    ranks: Ranks | None = None,
    settings: object = None,
) -> TrainingResult:
    """Fit a coupling network by gradient descent through the dynamics.

    Every iteration draws small random networks from the data, couples and integrates them, and
    follows the gradient of a loss of their phases. The curriculum says which initial phases,
    horizon and part of the trajectory are used when.

    Parameters
    ----------
    network : CouplingNetwork or Module
        Trained in place; it ends with the weights that did best at the limit.
    normalization : Normalization
        Makes the couplings independent of the number of nodes.
    features : Tensor of shape (N, n_features)
        Node features; networks are drawn from the rows.
    objective : Objective
        What is wanted of the phases.
    curriculum : Curriculum
        How training proceeds.
    generator : torch.Generator
        On the CPU; the only source of randomness.
    graph : callable, optional
        ``graph(index)`` returns the edges, (2, n_edges), of networks made of the nodes
        ``index`` (B, n); see :func:`skkuranet.coupling.couple`. By default all pairs
        couple.
    memory_budget : int, default=2**30
        Bytes that two copies of the couplings of a batch may take.
    going_on : bool, default=False
        Whether the network has been trained before: its weights are then kept unless
        others do better.
    on_iteration : callable, optional
        Called with the iteration and its loss; training stops when it returns True.
    checkpoint : Checkpoint, optional
        Where the state of training is kept. If it holds one, training goes on from there, and
        ends as if it had never stopped. Of several processes, the first one's counts.
    ranks : Ranks, optional
        Processes that share out the networks of each batch. All draw alike, so that what is
        learned does not depend on their number but for rounding.
    settings : object, optional
        What else tells this run from others, for checkpoints: numbers, strings, tensors, arrays,
        modules, dataclasses, and mappings and sequences of these.

    Returns
    -------
    TrainingResult

    Raises
    ------
    FloatingPointError
        If the loss is not finite.
    ValueError
        If a batch of couplings is larger than ``memory_budget``, nothing can be trained, the
        checkpoint is of another run, or processes differ in what they train.
    ConnectionError
        If one of the processes dies.
    """
    _keep_freed_memory()
    run = _Run(
        network,
        normalization,
        features,
        objective,
        curriculum,
        generator,
        graph,
        memory_budget,
        ranks,
        settings,
    )
    result = run.result
    first = run.resume(checkpoint)
    try:
        if going_on and first == 0:
            run.check()
        iteration = first
        while not run.over(iteration):
            loss = run.step(iteration)
            if not math.isfinite(loss):
                raise _not_finite(f"The loss or its gradient after {iteration} iterations")
            result.loss_curve.append(loss)
            stop = on_iteration is not None and on_iteration(iteration, loss)
            iteration += 1
            if stop:
                run.conclude(iteration)
            if stop or run.due(iteration):
                stop = run.check() or stop
            run.stopped = run.stopped or stop
            if checkpoint is not None and (run.over(iteration) or checkpoint.due(iteration)):
                checkpoint.save(run.state(iteration))
    except KeyboardInterrupt:
        if ranks is not None:
            # The others would wait for this process in the next iteration.
            raise
        result.interrupted = True
        run.conclude(result.n_iterations)
        if run.best is None:
            run.check()
    if run.best is None:
        raise _not_finite("The limit of the trained network")
    run.restore()
    return result


@functools.cache
def _keep_freed_memory() -> None:
    """Have the C library keep the memory of a batch for the next one.

    glibc returns freed blocks larger than a threshold to the system, and raises the threshold to
    the largest block freed so far, if that is below 32 MiB. Fetching them anew for each batch can
    double its time.
    """
    torch.empty((1 << 25) - (1 << 16), dtype=torch.uint8)


def _not_finite(what: str) -> FloatingPointError:
    return FloatingPointError(
        f"{what} is not finite. Lower step_size or learning_rate_init, or bound what acts: "
        "couplings by their normalization, frequencies and fields by their units."
    )


class _Run:
    """State that the iterations of one training run share."""

    def __init__(
        self,
        network: nn.Module,
        normalization: Normalization,
        features: Tensor,
        objective: Objective,
        curriculum: Curriculum,
        generator: torch.Generator,
        graph: Callable[[Tensor], Tensor] | None,
        memory_budget: int,
        ranks: Ranks | None,
        settings: object,
    ) -> None:
        self.settings = settings
        self.graph, self.memory_budget, self.ranks = graph, memory_budget, ranks
        #: Networks of a batch that this process looks after.
        self.own = slice(None) if ranks is None else ranks.share(curriculum.batch_size)
        self.network, self.normalization, self.features = network.train(), normalization, features
        self.objective, self.curriculum, self.generator = objective, curriculum, generator
        self.spread = features.std(0, correction=0)
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        if not self.parameters:
            raise ValueError("The coupling network has no parameters that could be trained.")
        self.committee = self._committee()
        #: Iteration from which trajectories train; None before.
        self.began = 0 if self.committee is None else None
        self.optimizer = self._optimizer()
        self.result = TrainingResult()
        self.best: dict[str, Tensor] | None = None
        self.lowest, self.below, self.since, self.skipped = math.inf, 0, 0, 0
        self.trapped = self.stopped = False
        self.started_as = ""
        self._check_memory()
        self.held_out = self.draw(curriculum.n_held_out or curriculum.batch_size)
        self.held_out_edges = None if graph is None else graph(self.held_out)
        self.held_out_phases = objective.initial_phases(self.held_out, 0.0, generator)

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

    def _optimizer(self) -> AdamW:
        """Return what follows the gradients of trajectories."""
        # Decay keeps the perceptron smooth; block couplings have no preferred size.
        decayed = {
            id(p)
            for layer in self.network.modules()
            if isinstance(layer, nn.Linear)
            for p in layer.parameters()
        }
        decay = self.curriculum.weight_decay
        return AdamW(self.parameters, [decay * (id(p) in decayed) for p in self.parameters])

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

    def conclude(self, iteration: int) -> None:
        """End learning in closed form; trajectories then train how classes act."""
        if self.committee is None or self.began is not None:
            return
        found = self.committee.finish()
        self.result.recalls = self.committee.recalls(found)
        self.result.scores = self.committee.scores
        self.began = iteration
        self._freeze()
        if self.ranks is not None:
            # Processors may round differently.
            self.network.load_state_dict(self.ranks.from_first(self.network.state_dict()))

    def _freeze(self) -> None:
        """Freeze the committee, which is calibrated on rows left out."""
        assert isinstance(self.network, MembershipNetwork)
        for parameter in self.network.perceptrons:
            parameter.requires_grad_(False)
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = self._optimizer()

    def fingerprint(self) -> str:
        """Return what identifies this run before its first iteration."""
        others, tensors = identity((self.objective.settings(), self.settings))
        if self.held_out_edges is not None:
            tensors.append(self.held_out_edges)
        settings = (
            self.curriculum,
            self.normalization,
            self.generator.initial_seed(),
            self.network,
            type(self.objective).__name__,
            others,
        )
        return fingerprint_of(settings, (self.features, *tensors, *self.parameters))

    def state(self, n_iterations: int) -> dict[str, Any]:
        """Return all that the rest of the run depends on, after so many iterations."""
        if self.committee is not None and self.began is None:
            # If nothing follows, the network has to do as it is.
            self.committee.calibrate()
        return {
            "fingerprint": self.started_as,
            "iteration": n_iterations,
            "stage": [self.began, self.stopped],
            "committee": None if self.committee is None else self.committee.state_dict(),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": [self.generator.get_state(), torch.random.get_rng_state(), self.card_state()],
            "best": self.best,
            "counts": [self.lowest, self.below, self.since, self.skipped, self.trapped],
            "result": dataclasses.asdict(self.result),
        }

    def card_state(self) -> Tensor | None:
        """Return the state of a card's generator, which modules of the user may draw from."""
        device = self.features.device
        return torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    def resume(self, checkpoint: Checkpoint | None) -> int:
        """Take up the state of a checkpoint; return the iteration to go on with."""
        if checkpoint is None and self.ranks is None:
            return 0
        self.started_as = self.fingerprint()
        state = None if checkpoint is None else checkpoint.load(self.started_as)
        if self.ranks is not None:
            state = self.ranks.from_first(state)
            if self.ranks.from_first(self.started_as) != self.started_as:
                raise ValueError(
                    "Processes train on different data or with different parameters. All need the "
                    "same, random_state included."
                )
        if state is None:
            return 0
        self.network.load_state_dict(state["network"])
        self.began, self.stopped = state["stage"]
        if self.committee is not None:
            self.committee.load_state_dict(state["committee"])
            if self.began is not None:
                self._freeze()
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["random"][0])
        torch.random.set_rng_state(state["random"][1])
        if self.features.is_cuda:
            torch.cuda.set_rng_state(state["random"][2], self.features.device)
        self.best = state["best"]
        self.lowest, self.below, self.since, self.skipped, self.trapped = state["counts"]
        for name, value in state["result"].items():
            setattr(self.result, name, value)
        return state["iteration"]

    def draw(self, batch: int) -> Tensor:
        """Draw the nodes of a batch of networks, (batch, network_size)."""
        total = len(self.features)
        size = min(self.curriculum.network_size, total)
        anchors, pools = self.objective.anchors, self.objective.pools
        if pools is not None:
            chosen = torch.randint(len(pools), (batch,), generator=self.generator).tolist()
            return torch.stack([self._of(pools[i], size) for i in chosen]).to(self.features.device)
        if anchors is not None:
            # Half of every network says something about the loss.
            shape = (batch, size // 2)
            known = anchors[torch.randint(len(anchors), shape, generator=self.generator)]
            rest = torch.randint(total, (batch, size - size // 2), generator=self.generator)
            index = torch.cat((known, rest), -1)
        elif size == total:
            index = torch.arange(total).expand(batch, total)
        elif total > 20 * size:
            index = torch.randint(total, (batch, size), generator=self.generator)
        else:
            keys = torch.rand((batch, total), generator=self.generator, dtype=torch.float32)
            index = keys.argsort(-1)[:, :size]
        groups = self.objective.groups
        if groups is not None and len(groups) <= size < total:
            # A class that is not there cannot be seen to merge with another.
            for position, group in enumerate(groups):
                one = torch.randint(len(group), (batch,), generator=self.generator)
                index[:, position] = group[one]
        return index.to(self.features.device)

    def _of(self, pool: Tensor, size: int) -> Tensor:
        """Draw nodes of a pool, which is a network by itself where it has as many."""
        if len(pool) == size:
            return pool
        return pool[torch.randint(len(pool), (size,), generator=self.generator)]

    def step(self, iteration: int) -> float:
        """Do one iteration; return its loss."""
        if self.committee is not None and self.began is None:
            found = self.committee.step()
            if self.committee.done:
                self.conclude(iteration + 1)
            return found
        assert self.began is not None
        plan, iteration = self.curriculum, iteration - self.began
        progress = iteration / plan.n_iterations
        self.anneal(progress)
        index = self.draw(plan.batch_size)
        unseeded = plan.unseeded_when_trapped and self.trapped
        seeding = 0.0 if unseeded else plan.seed_probability(progress)
        phases = self.objective.initial_phases(index, seeding, self.generator)
        features = self.noisy(self.features[index])[self.own]
        index, phases = index[self.own], phases[self.own]
        edges = None if self.graph is None else self.graph(index)
        coupling = self.couple(features, edges, alike=self.alike(index) and not plan.feature_noise)
        n_steps = plan.horizon(progress)
        motion = self.motion(index, self.generator)
        state = start_of(phases, motion)
        if plan.unseen(progress):
            before = 1 + int(torch.randint(plan.unseen(progress), (1,), generator=self.generator))
            with torch.no_grad():
                state = integrate(
                    coupling, state, **motion, n_steps=before, save_from=before
                ).states[0]
        trajectory = integrate(
            coupling,
            state,
            **motion,
            n_steps=n_steps,
            save_from=int(n_steps * (1.0 - plan.loss_window(progress))),
        )
        loss = self.objective.loss(coupling, scored(trajectory), index)
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        if self.ranks is not None:
            loss = self.average(loss.detach(), len(index) / plan.batch_size, self.ranks)
        norm = nn.utils.clip_grad_norm_(self.parameters, plan.max_norm)
        # The gradient of a chaotic trajectory may overflow; one such batch says nothing.
        self.skipped = 0 if bool(torch.isfinite(norm)) else self.skipped + 1
        if self.skipped == 0:
            self.optimizer.step([p.grad for p in self.parameters], plan.rate(iteration))
        elif self.skipped >= min(_SKIPS, plan.n_iterations):
            return math.nan
        return float(loss.detach())

    def average(self, loss: Tensor, share: float, ranks: Ranks) -> Tensor:
        """Average gradients over processes, each weighted by its share of the batch."""
        grads = [p.grad for p in self.parameters if p.grad is not None]
        parts = [loss.view(1), *(grad.flatten() for grad in grads)]
        whole = ranks.all_reduce(share * torch.cat(parts))
        mean, *sums = whole.split([len(part) for part in parts])
        for grad, total in zip(grads, sums, strict=True):
            grad.copy_(total.view_as(grad))
        return mean

    def noisy(self, features: Tensor) -> Tensor:
        noise = self.curriculum.feature_noise
        if not noise:
            return features
        drawn = torch.randn(features.shape, generator=self.generator, dtype=features.dtype)
        return features + noise * self.spread * drawn.to(features.device)

    def motion(self, index: Tensor, generator: torch.Generator) -> dict[str, Any]:
        """Return the arguments of :func:`integrate`, except the number of steps."""
        step = {"step_size": self.curriculum.step_size, "check_step": False}
        found = {**self.objective.node_parameters(index), **step}
        return found | ({"generator": generator} if "noise" in found else {})

    def alike(self, index: Tensor) -> bool:
        """Say whether all networks of a batch have the same nodes, in the same order."""
        return self.graph is None and len(index) > 1 and bool((index == index[0]).all())

    def couple(self, features: Tensor, edges: Tensor | None, *, alike: bool) -> CouplingOperator:
        if alike:
            coupling = repeated(self.couple(features[:1], edges, alike=False), len(features))
            if coupling is not None:
                return coupling
        return compact(
            couple(
                self.network,
                features,
                self.normalization,
                edges=edges,
                memory_budget=self.memory_budget,
            )
        )

    def _check_memory(self) -> None:
        """Refuse batches that would have to be tiled, which is slow to train through."""
        n_networks = self.curriculum.batch_size
        n = min(self.curriculum.network_size, len(self.features))
        needed = 2 * n_networks * n * n * self.parameters[0].element_size()
        stored = self.graph is None and getattr(self.network, "stores_pairs", True)
        if stored and needed > self.memory_budget:
            raise ValueError(
                f"A batch of {n_networks} networks of {n} nodes needs {needed} bytes, more than "
                f"memory_budget={self.memory_budget}. Raise memory_budget, or make batch_size or "
                "network_size smaller."
            )

    @torch.no_grad()
    def check(self) -> bool:
        """Score the limit of the network as if finished; return True to stop."""
        plan, network = self.curriculum, self.network
        annealing = {k: v.clone() for k, v in network.named_buffers()}
        self.anneal(1.0)
        network.eval()
        coupling = self.couple(
            self.features[self.held_out], self.held_out_edges, alike=self.alike(self.held_out)
        )
        network.train()
        n_steps = max(1, round(plan.limit_time / plan.step_size))
        # The same noise each time.
        motion = self.motion(self.held_out, torch.Generator().manual_seed(0))
        limit = scored(
            integrate(
                coupling,
                start_of(self.held_out_phases, motion),
                **motion,
                n_steps=n_steps,
                save_from=n_steps - n_steps // 10,
            )
        )
        loss = float(self.objective.limit_loss(limit, self.held_out))
        self.trapped = self.objective.is_trapped(limit[-1], self.held_out)
        if self.ranks is not None:
            # Processors may round differently, and one that stopped alone would leave the others.
            loss, self.trapped = self.ranks.from_first((loss, self.trapped))
        loss = max(0.0, loss) if math.isfinite(loss) else math.inf
        self.since = 0 if loss < self.lowest - plan.tolerance else self.since + 1
        self.lowest = min(self.lowest, loss)
        if math.isfinite(loss) and loss <= self.lowest + plan.limit_resolution:
            self.best = copy.deepcopy(network.state_dict())
            self.result.limit_loss = loss
            self.result.converged = not self.trapped
        for name, value in network.named_buffers():
            value.copy_(annealing[name])
        self.below = self.below + 1 if loss < plan.tolerance else 0
        stalled = plan.stall is not None and self.since >= plan.stall
        return self.below >= plan.patience or stalled

    def anneal(self, progress: float) -> None:
        if isinstance(self.network, CouplingNetwork):
            self.network.anneal(progress)

    def restore(self) -> None:
        self.anneal(1.0)
        if self.best is not None:
            self.network.load_state_dict(self.best)
        if self.committee is not None:
            for parameter in self.committee.network.perceptrons:
                parameter.requires_grad_(True)
        self.network.eval()


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
