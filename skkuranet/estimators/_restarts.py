"""Restarts of training, in one process or several."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed
from torch import nn

from skkuranet._utils.surroundings import one_thread, seeded
from skkuranet._utils.tools import to_tensor
from skkuranet.coupling import CouplingNetwork
from skkuranet.estimators._fit_task import FitTask
from skkuranet.estimators._progress import Progress
from skkuranet.training import TrainingResult, train
from skkuranet.training._checkpoint import Checkpoint
from skkuranet.training._process_group import working_ranks

Run = tuple[nn.Module, TrainingResult]

# Iterations between states that processes leave for an interruption.
_NOTED_EVERY = 25


def train_all(
    task: FitTask,
    seeds: Sequence[int],
    last_seed: int,
    device: torch.device,
    contexts: Sequence[Any],
    *,
    estimator: Any,
    n_jobs: int | None,
) -> list[Run | FloatingPointError]:
    """Return the trained network and result of each restart that is done, or why there is none.

    An interruption keeps what there is by then, and is raised if that is nothing. There is one of
    ``seeds`` and ``contexts`` for each restart; ``last_seed`` is for what follows training.
    """
    apart = len(seeds) > 1 and effective_n_jobs(n_jobs) > 1
    # An interruption ends other processes: they have to note what they learn.
    noting = apart and task.checkpoint_path is None
    with tempfile.TemporaryDirectory() if noting else nullcontext() as aside:
        checkpoints = [
            Checkpoint(f"{aside}/{i}", _NOTED_EVERY) if noting else task.checkpoint(i)
            for i in range(len(seeds))
        ]
        if not noting:
            for checkpoint in checkpoints:
                if checkpoint is not None:
                    checkpoint.try_to_write()
        each = [
            (estimator, task, seed, last_seed, device, context, checkpoint)
            for seed, context, checkpoint in zip(seeds, contexts, checkpoints, strict=True)
        ]
        if apart:
            runs = Parallel(n_jobs=n_jobs, return_as="generator")(
                delayed(_train_once)(*one) for one in each
            )
        else:
            # Parallel changes the filters of warnings, which threads share.
            runs = (_train_once(*one) for one in each)
        done: list[Run | FloatingPointError] = []
        try:
            for run in runs:
                done.append(run)
                if not isinstance(run, FloatingPointError) and run[1].interrupted:
                    break
        except KeyboardInterrupt:
            if not done:
                done += _rescued(task, seeds, checkpoints)
            if not done:
                raise
    return done


def _rescued(
    task: FitTask, seeds: Sequence[int], checkpoints: Sequence[Checkpoint | None]
) -> list[Run]:
    """Return what unfinished restarts have left behind."""
    found = []
    for seed, checkpoint in zip(seeds, checkpoints, strict=True):
        state = None if checkpoint is None else checkpoint.last()
        if state is None:
            continue
        network = task.new_network(seed)
        # Before the first check of the limit, the last weights are all there is.
        network.load_state_dict(state["validation"]["best"] or state["network"])
        if isinstance(network, CouplingNetwork):
            network.anneal(1.0)
        found.append((network, TrainingResult(**state["result"] | {"interrupted": True})))
    return found


def _train_once(
    estimator: Any,
    task: FitTask,
    seed: int,
    last_seed: int,
    device: torch.device,
    context: Any,
    checkpoint: Checkpoint | None,
) -> tuple[nn.Module, TrainingResult] | FloatingPointError:
    """Train once, on one thread: small networks gain nothing from more."""
    if checkpoint is not None and not checkpoint.path.parent.is_dir():
        # A worker on another machine does not see the folder of this one.
        checkpoint = None
    data = {"estimator": estimator, "X": task.X, "y": task.y}
    plan = task.plan
    context.call_on_fit_task_begin(**data)

    def as_of_now() -> dict:
        finished = copy.deepcopy(network).cpu()
        if isinstance(finished, CouplingNetwork):
            finished.anneal(1.0)
        return task.completed(finished, last_seed)

    progress = Progress(estimator.verbose, type(estimator).__name__, plan.longest)

    def on_iteration(iteration: int, loss: float) -> bool:
        progress.tell(iteration + 1, loss)
        step = context.subcontext(task_name="iteration")
        step.call_on_fit_task_begin(**data)
        return step.call_on_fit_task_end(**data, reconstruction_attributes=as_of_now)

    network = task.new_network(seed).to(device)
    # Modules of the user may draw from torch's global generator, as dropout does.
    draws = nullcontext() if isinstance(network, CouplingNetwork) else seeded(seed)
    with one_thread(), draws:
        try:
            result = train(
                network,
                task.normalization,
                to_tensor(task.X, network, device),
                task.objective(device),
                plan,
                torch.Generator().manual_seed(seed + 1),
                graph=task.graph,
                memory_budget=task.memory_budget,
                going_on=task.begin is not None and task.begin.going_on,
                on_iteration=on_iteration,
                checkpoint=checkpoint,
                settings=task.settings,
                ranks=working_ranks(),
            )
        except FloatingPointError as error:
            # Other restarts may have done better.
            return error
        network = network.cpu()
        context.call_on_fit_task_end(**data, reconstruction_attributes=as_of_now)
    return network, result
