"""What the estimators share: couplings by name, parameters, restarts and seeding."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
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
    """A kind of coupling network and the normalisations that it can have, by name."""

    build: Callable[[BaseEstimator, int, int, torch.Generator], nn.Module]
    normalizations: dict[str, Normalization]


def _factorized(
    estimator: BaseEstimator, n_features: int, n_groups: int, generator: torch.Generator
) -> nn.Module:
    rank = max(16, 2 * n_groups) if estimator.rank is None else estimator.rank
    return FactorizedNetwork(n_features, estimator._sizes(), rank=rank, generator=generator)


def _pairwise(
    estimator: BaseEstimator, n_features: int, n_groups: int, generator: torch.Generator
) -> nn.Module:
    return PairwiseNetwork(n_features, estimator._sizes(), generator=generator)


COUPLINGS = {
    "factorized": CouplingRecipe(
        _factorized,
        {
            "auto": Balanced(),
            "balanced": Balanced(),
            "in_degree": InDegree(order=2),
            "none": Identity(),
        },
    ),
    "pairwise": CouplingRecipe(
        _pairwise,
        {"auto": InDegree(density_exponent=0.5), "in_degree": InDegree(), "none": Identity()},
    ),
}

# For modules of the user.
_NORMALIZATIONS = {"auto": InDegree(), "in_degree": InDegree(), "none": Identity()}


class KuraNetBase(SimulationMixin, CallbackSupportMixin, BaseEstimator):
    """Base of the estimators: a coupling network, trained through the dynamics."""

    _parameter_constraints: dict = {
        "coupling": [StrOptions(set(COUPLINGS)), nn.Module],
        "hidden_layer_sizes": ["array-like"],
        "rank": [Interval(Integral, 1, None, closed="left"), None],
        "normalization": [StrOptions({"auto", "balanced", "in_degree", "none"}), Normalization],
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
        if isinstance(self.coupling, str):
            known = COUPLINGS[self.coupling].normalizations
        else:
            known = _NORMALIZATIONS
        if self.normalization not in known:
            raise ValueError(
                f"normalization={self.normalization!r} does not go with coupling="
                f"{self.coupling!r}; use one of {sorted(known)}."
            )
        return known[self.normalization]

    def _sizes(self) -> tuple[int, ...]:
        sizes = tuple(self.hidden_layer_sizes)
        if not sizes or not all(isinstance(s, Integral) and s > 0 for s in sizes):
            raise ValueError(
                "hidden_layer_sizes must hold at least one positive whole number, got "
                f"{self.hidden_layer_sizes!r}."
            )
        return tuple(int(s) for s in sizes)

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
            before = getattr(self.coupling_, "n_features", X.shape[1])
            if before != X.shape[1]:
                raise ValueError(
                    f"warm_start=True goes on with couplings of {before} features, but X has "
                    f"{X.shape[1]}."
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
        normalization = self._normalization()
        runs = _until_interrupted(
            Parallel(n_jobs=self.n_jobs, return_as="generator")(
                delayed(_train_once)(
                    self, X, n_groups, objective, normalization, int(seed), device, task
                )
                for seed, task in zip(seeds, tasks, strict=True)
            )
        )
        root.call_on_fit_task_end(estimator=self, X=X)
        finite = [run for run in runs if not isinstance(run, FloatingPointError)]
        if not finite:
            raise runs[0]
        self.coupling_, best = min(
            finite, key=lambda run: (not run[1].converged, run[1].limit_loss)
        )
        self.normalization_ = normalization
        self.loss_curve_ = best.loss_curve
        self.n_iter_ = best.n_iterations
        self.limit_loss_ = best.limit_loss
        if len(runs) < self.n_init or any(result.interrupted for _, result in finite):
            warnings.warn(
                f"Training was interrupted; the best couplings so far, of {best.n_iterations} "
                "iterations, are kept. Fit again with warm_start=True to go on.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return best


def _until_interrupted(runs: Iterator) -> list:
    """Collect restarts; an interruption keeps those that are done and starts no other."""
    done: list = []
    try:
        for run in runs:
            done.append(run)
            if not isinstance(run, FloatingPointError) and run[1].interrupted:
                break
    except KeyboardInterrupt:
        if not done:
            raise
    return done


def _train_once(
    estimator: KuraNetBase,
    X: np.ndarray,
    n_groups: int,
    objective: Callable[[torch.device], Objective],
    normalization: Normalization,
    seed: int,
    device: torch.device,
    task: object,
) -> tuple[nn.Module, TrainingResult] | FloatingPointError:
    """One restart. Small networks gain nothing from threads, and one thread is reproducible."""
    task.call_on_fit_task_begin(estimator=estimator, X=X)

    def on_iteration(iteration: int, loss: float) -> bool:
        if estimator.verbose and (iteration + 1) % 50 == 0:
            print(f"[{type(estimator).__name__}] iteration {iteration + 1}, loss {loss:.4f}")
        step = task.subcontext(task_name="iteration")
        step.call_on_fit_task_begin(estimator=estimator, X=X)
        return step.call_on_fit_task_end(estimator=estimator, X=X)

    # Modules of the user may draw from torch's global generator, as dropout does.
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = estimator._new_network(X, n_groups, seed).to(device)
        try:
            result = train(
                network,
                normalization,
                to_tensor(X, network, device),
                objective(device),
                estimator._curriculum(),
                torch.Generator().manual_seed(seed + 1),
                memory_budget=estimator.memory_budget,
                going_on=estimator.warm_start and hasattr(estimator, "coupling_"),
                on_iteration=on_iteration,
            )
        except FloatingPointError as error:
            # Other restarts may have done better.
            return error
    task.call_on_fit_task_end(estimator=estimator, X=X)
    return network.cpu(), result
