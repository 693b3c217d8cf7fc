"""Fitting a coupling network through the dynamics (torch only).

Training draws small random networks from the data, couples and integrates them, and
follows the gradient of a loss on their phases. What decides whether that works is which
initial phases, horizon and part of the trajectory are used when; :class:`Curriculum`
holds those choices.
"""

from __future__ import annotations

import copy
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
    Normalization,
    couple,
)
from skkuranet.dynamics import integrate
from skkuranet.objectives import Objective

__all__ = ["Curriculum", "TrainingResult", "train"]

_LIMIT_RESOLUTION = 1e-3


@dataclass(frozen=True)
class Curriculum:
    """How training proceeds, as a function of progress p from 0 to 1.

    Parameters
    ----------
    n_iterations : int, default=600
        Gradient steps at most.
    batch_size : int, default=4
        Networks in each step.
    network_size : int, default=100
        Oscillators in each network.
    step_size : float, default=1.0
        Euler step, in units of time.
    n_steps : int, default=100
        Steps of the longest trajectories. The horizon grows from a tenth of it, as
        short ones train fast but leave some splay states unstable.
    learning_rate : float, default=3e-3
        Peak learning rate of Adam; it falls to 2 % along a cosine.
    weight_decay : float, default=1.0
        Decoupled weight decay of the coupling network's perceptron.
    max_norm : float, default=1.0
        Gradients are clipped at this norm.
    tolerance : float, default=1e-4
        Training stops when ``patience`` checks in a row find a limit loss below it; 0
        never stops early.
    patience : int, default=8
        The limit of a few networks cannot see the last misplaced nodes; further
        iterations still move the boundaries away from them.
    check_every : int, default=25
        Iterations between checks of the limit.
    limit_time : float, default=200.0
        Time after which phases count as the limit in checks.
    final_seeding : float, default=0.0
        Probability, at the end of training, that a network starts near the wanted state;
        it falls to this from 1.
    """

    n_iterations: int = 600
    batch_size: int = 4
    network_size: int = 100
    step_size: float = 1.0
    n_steps: int = 100
    learning_rate: float = 3e-3
    weight_decay: float = 1.0
    max_norm: float = 1.0
    tolerance: float = 1e-4
    patience: int = 8
    check_every: int = 25
    limit_time: float = 200.0
    final_seeding: float = 0.0

    def horizon(self, progress: float) -> int:
        """Return the steps of a trajectory: a tenth of ``n_steps`` at first, all from p = 0.8.

        Parameters
        ----------
        progress : float
            From 0 to 1.

        Returns
        -------
        int
            Number of steps.
        """
        first = max(1, self.n_steps // 10)
        return round(first + (self.n_steps - first) * min(1.0, 1.25 * progress))

    def window(self, progress: float) -> float:
        """Return how much of the end of the trajectory is scored: all, a third from p = 0.5.

        Parameters
        ----------
        progress : float
            From 0 to 1.

        Returns
        -------
        float
            Share of the trajectory.
        """
        return 1.0 - min(1.0, 2.0 * progress) * 2.0 / 3.0

    def seeded(self, progress: float) -> float:
        """Return the probability that a network starts near the wanted state.

        Parameters
        ----------
        progress : float
            From 0 to 1.

        Returns
        -------
        float
            Probability.
        """
        return 1.0 - (1.0 - self.final_seeding) * progress

    def rate(self, iteration: int) -> float:
        """Return the learning rate: 20 iterations of warm-up, then a cosine.

        Parameters
        ----------
        iteration : int
            From 0.

        Returns
        -------
        float
            Learning rate of Adam.
        """
        cosine = 0.5 * (1.0 + math.cos(math.pi * iteration / self.n_iterations))
        return self.learning_rate * min(1.0, (iteration + 1) / 20) * (0.02 + 0.98 * cosine)


@dataclass
class TrainingResult:
    """What training leaves behind; the network holds the best weights.

    Parameters
    ----------
    loss_curve : list of float
        Loss of every iteration.
    limit_loss : float
        Loss of the best weights at the limit of held-out initial phases.
    converged : bool
        False if the limit phases are stuck in a trap.
    interrupted : bool
        Whether a KeyboardInterrupt ended training.
    """

    loss_curve: list[float] = field(default_factory=list)
    limit_loss: float = math.inf
    converged: bool = False
    interrupted: bool = False

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
    memory_budget: int = DEFAULT_MEMORY_BUDGET,
    going_on: bool = False,
    on_iteration: Callable[[int, float], bool] | None = None,
) -> TrainingResult:
    """Fit a coupling network by gradient descent through the dynamics.

    Parameters
    ----------
    network : CouplingNetwork or Module
        Trained in place; left with the weights that did best at the limit.
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
    memory_budget : int, default=2**30
        Bytes that the couplings of a batch may take.
    going_on : bool, default=False
        Whether the network has been trained before: its weights are then kept unless
        others do better.
    on_iteration : callable, optional
        Called with the iteration and its loss; training stops when it returns True.

    Returns
    -------
    TrainingResult

    Raises
    ------
    FloatingPointError
        If the loss is not finite.
    """
    run = _Run(network, normalization, features, objective, curriculum, generator, memory_budget)
    result = run.result
    try:
        if going_on:
            run.check()
        for iteration in range(curriculum.n_iterations):
            loss = run.step(iteration)
            if not math.isfinite(loss):
                raise _not_finite(
                    f"The loss or its gradient after {iteration} iterations", curriculum
                )
            result.loss_curve.append(loss)
            stop = on_iteration is not None and on_iteration(iteration, loss)
            last = iteration + 1 == curriculum.n_iterations
            if stop or last or (iteration + 1) % curriculum.check_every == 0:
                stop = run.check() or stop
            if stop:
                break
    except KeyboardInterrupt:
        result.interrupted = True
        if run.best is None:
            run.check()
    if run.best is None:
        raise _not_finite("The limit of the trained network", curriculum)
    run.restore()
    return result


def _not_finite(what: str, curriculum: Curriculum) -> FloatingPointError:
    return FloatingPointError(
        f"{what} is not finite. Lower step_size (now {curriculum.step_size:g}) or "
        f"learning_rate_init (now {curriculum.learning_rate:g}), or choose a normalization that "
        "bounds the couplings."
    )


class _Run:
    """One training run: the state that its iterations share."""

    def __init__(
        self,
        network: nn.Module,
        normalization: Normalization,
        features: Tensor,
        objective: Objective,
        curriculum: Curriculum,
        generator: torch.Generator,
        memory_budget: int,
    ) -> None:
        self.memory_budget = memory_budget
        self.network, self.normalization, self.features = network, normalization, features
        self.objective, self.curriculum, self.generator = objective, curriculum, generator
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        if not self.parameters:
            raise ValueError("The coupling network has no parameters that could be trained.")
        # Decay keeps the perceptron smooth; block couplings have no preferred size.
        decayed = {
            id(p)
            for layer in network.modules()
            if isinstance(layer, nn.Linear)
            for p in layer.parameters()
        }
        groups: list[dict[str, Any]] = [
            {"params": [p for p in self.parameters if id(p) in decayed]},
            {"params": [p for p in self.parameters if id(p) not in decayed], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, lr=curriculum.learning_rate, weight_decay=curriculum.weight_decay
        )
        self.result = TrainingResult()
        self.best: dict[str, Tensor] | None = None
        self.lowest, self.below = math.inf, 0
        self.held_out = self.draw()
        self.held_out_phases = objective.initial_phases(self.held_out, 0.0, generator)

    def draw(self) -> Tensor:
        """Draw the nodes of a batch of networks, (batch_size, network_size)."""
        total = len(self.features)
        batch, size = self.curriculum.batch_size, min(self.curriculum.network_size, total)
        anchors = self.objective.anchors
        if anchors is not None:
            # Half of every network says something about the loss.
            shape = (batch, size // 2)
            known = anchors[torch.randint(len(anchors), shape, generator=self.generator)]
            rest = torch.randint(total, (batch, size - size // 2), generator=self.generator)
            return torch.cat((known, rest), -1).to(self.features.device)
        if total > 20 * size:
            index = torch.randint(total, (batch, size), generator=self.generator)
        else:
            keys = torch.rand((batch, total), generator=self.generator)
            index = keys.argsort(-1)[:, :size]
        return index.to(self.features.device)

    def step(self, iteration: int) -> float:
        plan = self.curriculum
        progress = iteration / plan.n_iterations
        self.anneal(progress)
        for group in self.optimizer.param_groups:
            group["lr"] = plan.rate(iteration)
        index = self.draw()
        phases = self.objective.initial_phases(index, plan.seeded(progress), self.generator)
        coupling = self.couple(index)
        n_steps = plan.horizon(progress)
        trajectory = integrate(
            coupling,
            phases,
            **self.objective.node_parameters(index),
            step_size=plan.step_size,
            n_steps=n_steps,
            save_from=int(n_steps * (1.0 - plan.window(progress))),
        )
        loss = self.objective.loss(coupling, trajectory.phases, index)
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, plan.max_norm)
        if not bool(torch.isfinite(norm)):
            return math.nan
        self.optimizer.step()
        return float(loss.detach())

    def couple(self, index: Tensor) -> CouplingOperator:
        features = self.features[index]
        budget = self.memory_budget
        return couple(self.network, features, self.normalization, memory_budget=budget)

    @torch.no_grad()
    def check(self) -> bool:
        """Score the limit as the finished network would have it; True to stop."""
        plan, network = self.curriculum, self.network
        annealing = {k: v.clone() for k, v in network.named_buffers()}
        self.anneal(1.0)
        network.eval()
        coupling = self.couple(self.held_out)
        network.train()
        n_steps = max(1, round(plan.limit_time / plan.step_size))
        limit = integrate(
            coupling,
            self.held_out_phases,
            **self.objective.node_parameters(self.held_out),
            step_size=plan.step_size,
            n_steps=n_steps,
            save_from=n_steps,
        ).phases
        loss = float(self.objective.limit_loss(limit[-1], self.held_out))
        loss = max(0.0, loss) if math.isfinite(loss) else math.inf
        self.lowest = min(self.lowest, loss)
        # A few networks tell losses apart no better than this; the longer trained weights win.
        if math.isfinite(loss) and loss <= self.lowest + _LIMIT_RESOLUTION:
            self.best = copy.deepcopy(network.state_dict())
            self.result.limit_loss = loss
            self.result.converged = not self.objective.stuck(limit[-1], self.held_out)
        for name, value in network.named_buffers():
            value.copy_(annealing[name])
        self.below = self.below + 1 if loss < plan.tolerance else 0
        return self.below >= plan.patience

    def anneal(self, progress: float) -> None:
        if isinstance(self.network, CouplingNetwork):
            self.network.anneal(progress)

    def restore(self) -> None:
        self.anneal(1.0)
        if self.best is not None:
            self.network.load_state_dict(self.best)
