"""What the estimators share: couplings by name, parameters, restarts and seeding."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.parallel import Parallel, delayed
from torch import nn

from skkuranet._simulation import SimulationMixin
from skkuranet._tools import one_thread, random_source, resolve_device, to_tensor
from skkuranet.coupling import (
    Balanced,
    CouplingNetwork,
    FactorizedNetwork,
    Identity,
    InDegree,
    Normalization,
    PairwiseNetwork,
)
from skkuranet.objectives import Objective
from skkuranet.training import Curriculum, TrainingResult, train


@dataclass(frozen=True)
class CouplingRecipe:
    """A kind of coupling network and the normalisation that suits it."""

    build: Callable[[BaseEstimator, int, int, torch.Generator], nn.Module]
    normalization: Normalization


def _factorized(
    estimator: BaseEstimator, n_features: int, n_groups: int, generator: torch.Generator
) -> nn.Module:
    rank = max(16, 2 * n_groups) if estimator.rank is None else estimator.rank
    sizes = tuple(estimator.hidden_layer_sizes)
    return FactorizedNetwork(n_features, sizes, rank=rank, generator=generator)


def _pairwise(
    estimator: BaseEstimator, n_features: int, n_groups: int, generator: torch.Generator
) -> nn.Module:
    return PairwiseNetwork(n_features, tuple(estimator.hidden_layer_sizes), generator=generator)


COUPLINGS = {
    "factorized": CouplingRecipe(_factorized, Balanced()),
    "pairwise": CouplingRecipe(_pairwise, InDegree(density_exponent=0.5)),
}

NORMALIZATIONS = {"balanced": Balanced(), "in_degree": InDegree(), "none": Identity()}


class KuraNetBase(SimulationMixin, CallbackSupportMixin, BaseEstimator):
    """Base of the estimators: a coupling network, trained through the dynamics."""

    _parameter_constraints: dict = {
        "coupling": [StrOptions(set(COUPLINGS)), nn.Module],
        "hidden_layer_sizes": ["array-like"],
        "rank": [Interval(Integral, 1, None, closed="left"), None],
        "normalization": [StrOptions({"auto", *NORMALIZATIONS}), Normalization],
        "network_size": [Interval(Integral, 2, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="neither")],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "warm_start": ["boolean"],
        "n_reference": [Interval(Integral, 2, None, closed="left")],
        "memory_budget": [Interval(Integral, 1, None, closed="left")],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _normalization(self) -> Normalization:
        if isinstance(self.normalization, Normalization):
            return self.normalization
        if self.normalization != "auto":
            return NORMALIZATIONS[self.normalization]
        recipe = COUPLINGS.get(self.coupling) if isinstance(self.coupling, str) else None
        return recipe.normalization if recipe else InDegree()

    def _curriculum(self) -> Curriculum:
        return Curriculum(
            n_iterations=self.max_iter,
            batch_size=self.batch_size,
            network_size=self.network_size,
            step_size=self.step_size,
            n_steps=self.n_steps,
            learning_rate=self.learning_rate_init,
            weight_decay=self.weight_decay,
            tolerance=self.tol,
        )

    def _new_network(self, X: np.ndarray, n_groups: int, seed: int) -> nn.Module:
        """A network with fresh weights, or a copy of the one to go on with."""
        if self.warm_start and hasattr(self, "coupling_"):
            if self.coupling_.n_features != X.shape[1]:
                raise ValueError(
                    f"warm_start=True goes on with couplings of {self.coupling_.n_features} "
                    f"features, but X has {X.shape[1]}."
                )
            return copy.deepcopy(self.coupling_).float()
        if isinstance(self.coupling, nn.Module):
            return copy.deepcopy(self.coupling).float()
        generator = torch.Generator().manual_seed(seed)
        network = COUPLINGS[self.coupling].build(self, X.shape[1], n_groups, generator)
        if isinstance(network, CouplingNetwork):
            mean, scale = X.mean(axis=0, dtype=float), X.std(axis=0, dtype=float)
            # A feature whose spread is rounding error is constant.
            scale[scale <= 10 * np.finfo(X.dtype).eps * np.abs(X).max(axis=0)] = 1.0
            network.standardize(torch.from_numpy(mean), torch.from_numpy(scale))
        return network

    def _fit_network(
        self, X: np.ndarray, n_groups: int, objective: Callable[[torch.device], Objective]
    ) -> TrainingResult:
        """Train ``n_init`` networks and keep the best one as ``coupling_``."""
        device = resolve_device(self.device)
        # Drawn up front, so that the result does not depend on n_jobs.
        seeds = random_source(self.random_state).randint(2**31 - 1, size=self.n_init)
        root = self._init_callback_context(
            max_subtasks=self.n_init, sequential_subtasks=False
        ).call_on_fit_task_begin(estimator=self, X=X)
        tasks = [
            root.subcontext(task_name="restart", task_id=i, max_subtasks=self.max_iter)
            for i in range(self.n_init)
        ]
        runs = Parallel(n_jobs=self.n_jobs)(
            delayed(_train_once)(self, X, n_groups, objective, int(seed), device, task)
            for seed, task in zip(seeds, tasks, strict=True)
        )
        root.call_on_fit_task_end(estimator=self, X=X)
        self.coupling_, best = min(runs, key=lambda run: (not run[1].converged, run[1].limit_loss))
        self.loss_curve_ = best.loss_curve
        self.n_iter_ = best.n_iterations
        self.limit_loss_ = best.limit_loss
        if best.interrupted:
            warnings.warn(
                f"Training was interrupted after {best.n_iterations} iterations; the best "
                "couplings so far are kept. Fit again with warm_start=True to go on.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return best


def _train_once(
    estimator: KuraNetBase,
    X: np.ndarray,
    n_groups: int,
    objective: Callable[[torch.device], Objective],
    seed: int,
    device: torch.device,
    task: object,
) -> tuple[nn.Module, TrainingResult]:
    """One restart. Small networks gain nothing from threads, and one thread is reproducible."""
    task.call_on_fit_task_begin(estimator=estimator, X=X)

    def on_iteration(iteration: int, loss: float) -> bool:
        if estimator.verbose and (iteration + 1) % 50 == 0:
            print(f"[{type(estimator).__name__}] iteration {iteration + 1}, loss {loss:.4f}")
        step = task.subcontext(task_name="iteration")
        step.call_on_fit_task_begin(estimator=estimator, X=X)
        return step.call_on_fit_task_end(estimator=estimator, X=X)

    with one_thread():
        network = estimator._new_network(X, n_groups, seed).to(device)
        result = train(
            network,
            estimator._normalization(),
            to_tensor(X, network, device),
            objective(device),
            estimator._curriculum(),
            torch.Generator().manual_seed(seed + 1),
            on_iteration=on_iteration,
        )
    task.call_on_fit_task_end(estimator=estimator, X=X)
    return network.cpu(), result
