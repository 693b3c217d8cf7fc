"""Base of the estimators: parameters, restarts and the reference network."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skkuranet._utils.messages import plain, warn_caller
from skkuranet._utils.surroundings import (
    estimator_of_any_surroundings,
    is_one_of_many,
    one_thread,
)
from skkuranet._utils.tools import random_source
from skkuranet.coupling import CouplingOperator, NodeIdentity
from skkuranet.coupling._build import budget_on
from skkuranet.dynamics import Trajectory, lock
from skkuranet.estimators._arrays import Table, device_for, on_host
from skkuranet.estimators._fit_task import Beginning, FitTask
from skkuranet.estimators._network_presets import NetworkPreset, NetworkRequest
from skkuranet.estimators._node_columns import NodeMotion
from skkuranet.estimators._reference_network import ReferenceNetwork
from skkuranet.estimators._restarts import train_all
from skkuranet.estimators._simulation import simulated
from skkuranet.estimators._sklearn import TAKES_OTHER_ARRAYS, CallbackSupportMixin
from skkuranet.estimators._trained_network import PRECISIONS, TrainedNetwork
from skkuranet.estimators._versions import Versioned
from skkuranet.files import save
from skkuranet.training import TrainingResult
from skkuranet.training._process_group import working_ranks
from skkuranet.training._schedule import Curriculum

# Where and how a fit runs, which may change before it goes on.
_ANYWHERE = {
    "checkpoint",
    "checkpoint_every",
    "device",
    "memory_budget",
    "n_jobs",
    "random_state",
    "verbose",
}


# What tells of single rows of training.
_OF_ROWS = {
    "_acting_states",
    "_reference_delay",
    "_reference_members",
    "_reference_states",
    "effective_frequencies_",
    "labels_",
    "locked_",
    "reference_features_",
    "reference_phases_",
    "reference_states_",
}


class KuraNetBase(Versioned, CallbackSupportMixin, BaseEstimator):
    """Base of the estimators: a coupling network, trained through the dynamics."""

    #: Kinds of coupling network by name; every estimator has its own.
    _presets: Mapping[str, NetworkPreset]

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
        "memory_budget": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "precision": [StrOptions(set(PRECISIONS))],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose", None],
        "checkpoint": [str, os.PathLike, None],
        "checkpoint_every": [Interval(Integral, 1, None, closed="left")],
    }

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        estimator_of_any_surroundings(cls)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = TAKES_OTHER_ARRAYS
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coupling_")

    def save(self, path, *, training_rows=True):
        """Write the estimator to one file that holds data and no code.

        Parameters
        ----------
        path : str or path-like
            The file; :func:`skkuranet.load` reads it.
        training_rows : bool, default=True
            Whether the file holds rows of X and what is known of each. Without them, what asks the
            reference network raises ValueError: ``transform``, and ``predict`` of anything but
            classes that were learned in closed form.

        Raises
        ------
        ValueError
            If rows are to be left out that the couplings consist of.
        """
        save(self if training_rows else self._without_rows(), path)

    def _without_rows(self):
        """Return a copy that knows nothing of single rows of training."""
        modules = self.coupling_.modules() if hasattr(self, "coupling_") else ()
        if any(isinstance(module, NodeIdentity) for module in modules):
            raise ValueError(
                "training_rows=False: node_identity=True couples the very rows of fit, which have "
                "to be in the file."
            )
        found = clone(self)
        vars(found).update(vars(self))
        for name in _OF_ROWS & set(vars(self)):
            value = getattr(self, name)
            if value is not None:
                # Empty, they still tell their type and library.
                nothing = slice(0) if name == "reference_features_" else (..., slice(0))
                setattr(found, name, value[nothing])
        return found

    @property
    def trained_network_(self) -> TrainedNetwork:
        """Trained couplings, with all that moves rows under them."""
        check_is_fitted(self)
        trained = self._trained(self.coupling_, self.normalization_, self._node_motion())
        return dataclasses.replace(trained, precision=self.precision)

    def _trained(self, network, normalization, node_motion) -> TrainedNetwork:
        """Return couplings with the memory budget and device of this estimator."""
        return TrainedNetwork(network, normalization, node_motion, self.memory_budget, self.device)

    def _rng(self, random_state) -> np.random.RandomState:
        """Return the source of randomness of a method; None takes the estimator's."""
        return random_source(self.random_state if random_state is None else random_state)

    def _simulated(self, X: Table, *, step_size, random_state, **options) -> Trajectory:
        """Integrate the network made of rows; None takes step and source of the estimator."""
        return simulated(
            self.trained_network_,
            X,
            step_size=self.step_size if step_size is None else step_size,
            random_state=self._rng(random_state),
            **options,
        )

    def _node_motion(self) -> NodeMotion:
        """Return how nodes move besides their couplings; a hook."""
        return NodeMotion()

    def _reference_network(self, X: Table) -> ReferenceNetwork:
        """Return the reference network on the device of X; make it anew after a change."""
        device = device_for(self.device, X)
        made_from = (
            self.coupling_,
            self.normalization_,
            self.reference_features_,
            budget_on(self.memory_budget, device),
            device,
        )
        reference = vars(self).get("_reference")
        if reference is None or not reference.is_made_from(*made_from):
            reference = self._reference = ReferenceNetwork(*made_from)
        return reference

    def __getstate__(self):
        # It follows from the rest: without it, pickles and copies stay small.
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_reference"}

    def _lock(self, X: Table):
        """Return the phases at which rows lock to the reference network, (n,)."""
        return self._reference_network(X).answers(X, self._rest)

    def _rest(self, coupling: CouplingOperator, X: Table) -> torch.Tensor:
        """Return the phases at which driven rows come to rest; a hook."""
        phases = torch.as_tensor(
            on_host(self.reference_phases_), dtype=torch.float64, device=coupling.device
        )
        return lock(coupling, phases).phases

    def _sizes(self) -> tuple[int, ...] | None:
        """Return the widths of hidden layers; None for those of the preset."""
        if self.hidden_layer_sizes is None:
            return None
        sizes = tuple(self.hidden_layer_sizes)
        if not sizes or not all(isinstance(s, Integral) and s > 0 for s in sizes):
            raise ValueError(
                "hidden_layer_sizes must hold at least one positive whole number, got "
                f"{plain(self.hidden_layer_sizes)}."
            )
        return tuple(int(s) for s in sizes)

    def _curriculum(self, task: FitTask) -> Curriculum:
        return Curriculum(
            n_iterations=self.max_iter,
            batch_size=self.batch_size,
            network_size=self.network_size,
            step_size=self.step_size,
            n_steps=self.n_steps,
            learning_rate=self.learning_rate_init,
            weight_decay=float(task.weight_decay),
            tolerance=self.tol,
            feature_noise=float(task.feature_noise),
        )

    @property
    def _goes_on(self) -> bool:
        """Whether the next fit begins with the couplings of the last."""
        return self.warm_start and hasattr(self, "coupling_")

    def _beginning(self, task: FitTask) -> Beginning:
        """Return what networks are before training."""
        sizes = self._sizes()
        if self._goes_on:
            return Beginning(self.coupling_, going_on=True)
        if isinstance(self.coupling, nn.Module):
            return Beginning(self.coupling)
        request = NetworkRequest(
            task.X.shape[1], sizes, self.rank, task.n_groups, task.encoding, task.edge_weights
        )
        return Beginning(self._presets[self.coupling], request)

    def _of_training(self, result: TrainingResult) -> dict:
        """Return further fitted attributes that follow from training; a hook."""
        return {}

    def _checkpoint_path(self) -> str | None:
        ranks = working_ranks()
        if self.checkpoint is None or (ranks is not None and ranks.rank > 0):
            return None
        if self.random_state is None:
            warn_caller(
                f"checkpoint={plain(self.checkpoint)} with random_state=None: no other fit is like "
                "this one, so that none can go on from its file. Set random_state to a number.",
                UserWarning,
            )
        return os.fspath(self.checkpoint)

    def _keep(self, learned: Mapping[str, object]) -> None:
        """Set fitted attributes, and leave none that an earlier fit of another kind has set."""
        for name in vars(self).get("_learned", ()):
            vars(self).pop(name, None)
        vars(self).update(learned, _learned=tuple(learned))

    def _learn(self, task: FitTask) -> TrainingResult:
        """Train ``n_init`` networks, and set the fitted attributes of the best."""
        device = device_for(self.device, task.X)
        # Drawn up front, so that the result does not depend on n_jobs or callbacks.
        *seeds, last_seed = random_source(self.random_state).randint(
            2**31 - 1, size=self.n_init + 1
        )
        task = dataclasses.replace(
            task,
            plan=self._curriculum(task),
            begin=self._beginning(task),
            memory_budget=budget_on(self.memory_budget, device),
            checkpoint_path=self._checkpoint_path(),
            checkpoint_every=self.checkpoint_every,
            settings={
                name: value
                for name, value in self.get_params(deep=False).items()
                if name not in _ANYWHERE
            },
        )
        root = self._init_callback_context(
            max_subtasks=self.n_init, sequential_subtasks=False
        ).call_on_fit_task_begin(estimator=self, X=task.X, y=task.y)
        contexts = [
            root.subcontext(task_name="restart", task_id=i, max_subtasks=task.plan.longest)
            for i in range(self.n_init)
        ]
        seeds = [int(seed) for seed in seeds]
        runs = train_all(
            task, seeds, int(last_seed), device, contexts, estimator=self, n_jobs=self.n_jobs
        )
        finite = [run for run in runs if not isinstance(run, FloatingPointError)]
        interrupted = len(runs) < self.n_init or any(result.interrupted for _, result in finite)
        if interrupted and is_one_of_many():
            raise KeyboardInterrupt
        if not finite:
            raise runs[0]
        network, best = min(finite, key=lambda run: (not run[1].converged, run[1].limit_loss))
        # All at once: an interruption leaves the estimator as it was.
        # Several threads would wait for one another at every step of a small network.
        with one_thread():
            learned = task.completed(
                network,
                int(last_seed),
                **self._of_training(best),
                loss_curve_=best.loss_curve,
                n_iter_=best.n_iterations,
                limit_loss_=best.limit_loss,
            )
        self._keep(learned)
        root.call_on_fit_task_end(estimator=self, X=task.X, y=task.y, reconstruction_attributes={})
        kept = [task.checkpoint(restart) for restart in range(self.n_init)]
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
