"""Training of a coupling network through the dynamics."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from skkuranet._utils.given import check_finite, check_tensor
from skkuranet._utils.scalars import whole_number
from skkuranet.coupling import (
    DEFAULT_MEMORY_BUDGET,
    Normalization,
    WeightedEdges,
)
from skkuranet.objectives import Objective
from skkuranet.training._checkpoint import Checkpoint
from skkuranet.training._process_group import Ranks
from skkuranet.training._result import TrainingResult
from skkuranet.training._run import Run
from skkuranet.training._sampler import Sampler
from skkuranet.training._schedule import Curriculum


def train(
    network: nn.Module,
    normalization: Normalization,
    features: Tensor,
    objective: Objective,
    curriculum: Curriculum,
    generator: torch.Generator,
    *,
    graph: Callable[[Tensor], Tensor | WeightedEdges] | None = None,
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
        ``graph(index)`` returns the edges, (2, n_edges) or weighted, of networks made of the nodes
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
    TypeError
        If an argument is of another kind.
    ValueError
        If features or a number of the curriculum make no sense, a batch of couplings is larger
        than ``memory_budget``, nothing can be trained, the checkpoint is of another run, or
        processes differ in what they train.
    RuntimeError
        If another process raises an error.
    ConnectionError
        If one of the processes dies.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import Balanced, FactorizedNetwork
    >>> from skkuranet.objectives import ClusterObjective
    >>> from skkuranet.training import Curriculum, train
    >>> generator = torch.Generator().manual_seed(0)
    >>> labels = torch.arange(60) % 2
    >>> x = 4.0 * labels[:, None] + torch.randn(60, 1, generator=generator)
    >>> network = FactorizedNetwork(1, (8,), rank=4, generator=generator)
    >>> curriculum = Curriculum(n_iterations=30, network_size=30)
    >>> objective = ClusterObjective(labels, 2)
    >>> train(network, Balanced(), x, objective, curriculum, generator).n_iterations
    30
    """
    _keep_freed_memory()

    def begin() -> Run:
        sampler = _read(
            network, normalization, features, objective, curriculum, generator, graph, memory_budget
        )
        return Run(sampler, ranks, settings)

    run = begin() if ranks is None else ranks.each(begin)
    result, validation = run.result, run.validation
    first = run.resume(checkpoint)
    try:
        if going_on and first == 0:
            validation.look()
        iteration = first
        while not run.over(iteration):
            loss = run.step(iteration)
            if not math.isfinite(loss):
                raise _not_finite(f"The loss or its gradient after {iteration} iterations")
            result.loss_curve.append(loss)
            stop = run.agreed(functools.partial(on_iteration or _go_on, iteration, loss))
            iteration += 1
            if stop:
                run.conclude(iteration)
            if stop or run.due(iteration):
                stop = validation.look() or stop
            run.stopped = run.stopped or stop
            if checkpoint is not None and (run.over(iteration) or checkpoint.due(iteration)):
                checkpoint.save(run.state(iteration))
    except KeyboardInterrupt:
        if ranks is not None:
            # The others would wait for this process in the next iteration.
            raise
        result.interrupted = True
        run.conclude(result.n_iterations)
        if validation.best is None:
            validation.look()
    if validation.best is None:
        raise _not_finite("The limit of the trained network")
    return run.finish()


def _read(
    network: nn.Module,
    normalization: Normalization,
    features: Tensor,
    objective: Objective,
    curriculum: Curriculum,
    generator: torch.Generator,
    graph: Callable[[Tensor], Tensor | WeightedEdges] | None,
    memory_budget: int,
) -> Sampler:
    """Return what draws networks; raise TypeError or ValueError as :func:`train` does."""
    for name, value, kind in (
        ("network", network, nn.Module),
        ("normalization", normalization, Normalization),
        ("objective", objective, Objective),
        ("curriculum", curriculum, Curriculum),
        ("generator", generator, torch.Generator),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}.")
    check_tensor(features, "features", n_axes=2)
    if len(features) < 2:
        raise ValueError(f"features must have two rows at least, got {len(features)}.")
    n_features = getattr(network, "n_features", features.shape[1])
    if features.shape[1] != n_features:
        raise ValueError(
            f"features must be {n_features} of each node, as network has, got {features.shape[1]}."
        )
    check_finite(features, "features")
    curriculum = curriculum.read()
    memory_budget = whole_number(memory_budget, "memory_budget")
    if not any(p.requires_grad for p in network.parameters()):
        raise ValueError("The coupling network has no parameters that could be trained.")
    return Sampler(
        network, normalization, features, objective, curriculum, generator, graph, memory_budget
    )


def _go_on(iteration: int, loss: float) -> bool:
    return False


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
