"""What the estimators share: couplings by name, parameters, restarts and seeding."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from skkuranet._arrays import Table, as_given, device_for, mean_and_scale
from skkuranet._checkpoint import Checkpoint
from skkuranet._messages import plain, warn_caller
from skkuranet._ranks import working_ranks
from skkuranet._recipes import CouplingRecipe
from skkuranet._restarts import train_all
from skkuranet._simulation import SimulationMixin
from skkuranet._tools import random_source
from skkuranet.coupling import CouplingNetwork, Normalization
from skkuranet.objectives import Objective
from skkuranet.training import Curriculum, TrainingResult


@dataclass(frozen=True)
class Lesson:
    """What an estimator wants learned from one training set.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_samples, n_features)
        Node features.
    y : ndarray of shape (n_samples,) or None
        Targets, for callbacks.
    n_groups : int
        Number of groups of phases that are wanted.
    objective : callable
        ``objective(device)`` returns the objective.
    complete : callable
        ``complete(network, seed)`` returns all fitted attributes that follow from a
        trained network.
    normalization : Normalization
        Of the couplings.
    n_labelled : int, default=0
        Number of rows whose class is known.
    weight_decay : float, default=0.0
        Of the coupling network.
    feature_noise : float, default=0.0
        On the features of the nodes drawn for training, in standard deviations.
    edges : ndarray of shape (2, n_edges), optional
        Of the network of all rows, where there is but one.
    graph : callable, optional
        From the nodes of drawn networks to their edges; None couples all pairs.
    encoding : callable, optional
        ``encoding(generator)`` returns what coupling networks see features through.
    attributes : mapping, default={}
        Further fitted attributes, which do not depend on the network.
    like : array, optional
        Of the library, and on the device, that fitted arrays are wanted in; NumPy's by default.
    outdated : tuple of str, default=()
        Attributes of an earlier fit of another kind, to be forgotten.
    """

    X: Table
    y: np.ndarray | None
    n_groups: int
    objective: Callable[[torch.device], Objective]
    complete: Callable[[nn.Module, int], dict]
    normalization: Normalization
    n_labelled: int = 0
    weight_decay: float = 0.0
    feature_noise: float = 0.0
    edges: np.ndarray | None = None
    graph: Callable[[Tensor], Tensor] | None = None
    encoding: Callable[[torch.Generator], nn.Module] | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)
    like: object = None
    outdated: tuple[str, ...] = ()

    def completed(self, network: nn.Module, seed: int, **others: object) -> dict:
        """All fitted attributes, with those that follow from a trained network, and others."""
        made = {**self.attributes, **self.complete(network, seed), **others}
        return {
            name: as_given(value, self.like) if isinstance(value, np.ndarray) else value
            for name, value in made.items()
        }


class KuraNetBase(SimulationMixin, CallbackSupportMixin, BaseEstimator):
    """Base of the estimators: a coupling network, trained through the dynamics."""

    #: Kinds of coupling network by name; every estimator has its own.
    _recipes: dict[str, CouplingRecipe]

    _parameter_constraints: dict = {
        "coupling": [StrOptions({"factorized", "pairwise"}), nn.Module],
        "hidden_layer_sizes": ["array-like"],
        "rank": [Interval(Integral, 1, None, closed="left"), None],
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
        "verbose": ["verbose", None],
        "checkpoint": [str, os.PathLike, None],
        "checkpoint_every": [Interval(Integral, 1, None, closed="left")],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coupling_")

    def _sizes(self) -> tuple[int, ...]:
        if self.hidden_layer_sizes is None:
            return self._recipes[self.coupling].sizes
        sizes = tuple(self.hidden_layer_sizes)
        if not sizes or not all(isinstance(s, Integral) and s > 0 for s in sizes):
            raise ValueError(
                "hidden_layer_sizes must hold at least one positive whole number, got "
                f"{plain(self.hidden_layer_sizes)}."
            )
        return tuple(int(s) for s in sizes)

    def _curriculum(self, lesson: Lesson) -> Curriculum:
        return Curriculum(
            n_iterations=self.max_iter,
            batch_size=self.batch_size,
            network_size=self.network_size,
            step_size=self.step_size,
            n_steps=self.n_steps,
            learning_rate=self.learning_rate_init,
            weight_decay=float(lesson.weight_decay),
            tolerance=self.tol,
            feature_noise=float(lesson.feature_noise),
        )

    def _new_network(self, lesson: Lesson, seed: int) -> nn.Module:
        """A network with fresh weights, or a copy of the one to go on with."""
        X = lesson.X
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
        network = self._recipes[self.coupling].build(self, lesson, generator)
        if isinstance(network, CouplingNetwork):
            network.standardize(*mean_and_scale(X))
        return network

    def _of_training(self, result: TrainingResult) -> dict:
        """Further fitted attributes that follow from how training went; a hook."""
        return {}

    def _checkpoint(self, restart: int) -> Checkpoint | None:
        ranks = working_ranks()
        if self.checkpoint is None or (ranks is not None and ranks.rank > 0):
            return None
        return Checkpoint(f"{os.fspath(self.checkpoint)}.{restart}", self.checkpoint_every)

    def _learn(self, lesson: Lesson) -> TrainingResult:
        """Train ``n_init`` networks, and become what follows from the best one."""
        device = device_for(self.device, lesson.X)
        # Drawn up front, so that the result does not depend on n_jobs or callbacks.
        *seeds, last_seed = random_source(self.random_state).randint(
            2**31 - 1, size=self.n_init + 1
        )
        root = self._init_callback_context(
            max_subtasks=self.n_init, sequential_subtasks=False
        ).call_on_fit_task_begin(estimator=self, X=lesson.X, y=lesson.y)
        longest = self._curriculum(lesson).longest
        contexts = [
            root.subcontext(task_name="restart", task_id=i, max_subtasks=longest)
            for i in range(self.n_init)
        ]
        seeds = [int(seed) for seed in seeds]
        runs = train_all(self, lesson, seeds, int(last_seed), device, contexts)
        finite = [run for run in runs if not isinstance(run, FloatingPointError)]
        if not finite:
            raise runs[0]
        network, best = min(finite, key=lambda run: (not run[1].converged, run[1].limit_loss))
        # All at once: an interruption leaves the estimator as it was.
        learned = lesson.completed(
            network,
            int(last_seed),
            **self._of_training(best),
            loss_curve_=best.loss_curve,
            n_iter_=best.n_iterations,
            limit_loss_=best.limit_loss,
        )
        for name in lesson.outdated:
            vars(self).pop(name, None)
        vars(self).update(learned)
        root.call_on_fit_task_end(
            estimator=self, X=lesson.X, y=lesson.y, reconstruction_attributes={}
        )
        interrupted = len(runs) < self.n_init or any(result.interrupted for _, result in finite)
        kept = [self._checkpoint(restart) for restart in range(self.n_init)]
        for checkpoint in kept:
            if checkpoint is not None and not interrupted:
                # What is learned is in the estimator now.
                checkpoint.discard()
        if interrupted:
            warn_caller(
                f"Training was interrupted; the best couplings so far, of {best.n_iterations} "
                "iterations, are kept. Fit again with warm_start=True to go on.",
                ConvergenceWarning,
            )
        return best
