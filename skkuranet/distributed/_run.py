"""Estimators on several processes: one network that all share, one fit that all work on."""

from __future__ import annotations

from numbers import Integral

import numpy as np
import torch
import torch.distributed as dist
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skkuranet._utils.given import real_array
from skkuranet._utils.messages import plain
from skkuranet._utils.scalars import positive_number, whole_number
from skkuranet._utils.tools import random_source, to_tensor
from skkuranet.coupling import CouplingOperator
from skkuranet.distributed._operators import couple_sharded
from skkuranet.dynamics._integrate import read_steps
from skkuranet.estimators._arrays import Table, checked, on_host
from skkuranet.estimators._base import KuraNetBase
from skkuranet.estimators._connectivity import has_graph
from skkuranet.estimators._simulation import LIMIT_TIME, simulated, steps_in
from skkuranet.training._checkpoint import fingerprint_of
from skkuranet.training._process_group import Ranks, sharing

# Phases drawn at once on the way to those of a process.
_DRAWN_AT_ONCE = 1 << 20


def local_rows(n: int, group: dist.ProcessGroup | None = None) -> slice:
    """Return which of n rows this process owns in an even split.

    Parameters
    ----------
    n : int
        Rows of all processes.
    group : ProcessGroup, optional
        By default all processes.

    Returns
    -------
    slice
        For instance of a memory map, so that no process reads all of it.

    Examples
    --------
    >>> import torch.distributed as dist
    >>> from skkuranet.distributed import local_rows
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> local_rows(10)
    slice(0, 10, None)
    >>> dist.destroy_process_group()
    """
    return Ranks(group).share(whole_number(n, "n", least=0))


def simulate(
    estimator,
    X,
    *,
    n_steps=None,
    save_from=0,
    step_size=None,
    initial_phases=None,
    random_state=None,
    group=None,
):
    """Integrate the mutual dynamics of the rows of all processes as one exact network.

    Every process owns some of the oscillators and the rows of K that act on them. A step gathers
    the phases of all; for factorised couplings it sums 2 r numbers, however large the network is.

    Parameters
    ----------
    estimator : KuraNetClusterer or KuraNetSynchronizer
        Fitted, and the same in all processes.
    X : array-like of shape (n_own, n_features)
        Node features of the oscillators that this process owns; see :func:`local_rows`.
    n_steps : int, default=None
        Number of steps; None for 500 units of time.
    save_from : int, default=0
        First step that is kept; ``n_steps`` keeps the limit alone.
    step_size : float, default=None
        Euler step in units of time; None takes the estimator's.
    initial_phases : array-like of shape (n_own,), default=None
        In radians, and integrated in their own precision; None draws them at random, in single
        precision.
    random_state : int, default=None
        Seed of the initial phases; None takes the estimator's. Phases are those that one process
        would have drawn for all rows.
    group : ProcessGroup, default=None
        None for all processes.

    Returns
    -------
    Trajectory
        ``times`` (T,) and ``phases`` (T, n_own) of the oscillators of this process.

    Raises
    ------
    RuntimeError
        If torch.distributed has no process group, or another process raises an error.
    ConnectionError
        If one of the processes dies.
    ValueError
        If the estimator has a graph or another precision than single, processes differ in it, or a
        setting does not fit, in one of the processes.

    See Also
    --------
    KuraNetClusterer.simulate : The same in one process.

    Examples
    --------
    >>> import torch.distributed as dist
    >>> from skkuranet import KuraNetClusterer
    >>> from skkuranet.datasets import make_gaussian_ring
    >>> from skkuranet.distributed import simulate
    >>> X, y = make_gaussian_ring(2, 200, random_state=0)
    >>> clusterer = KuraNetClusterer(random_state=0).fit(X, y)
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> simulate(clusterer, X, n_steps=50, random_state=0).phases.shape
    (51, 200)
    >>> dist.destroy_process_group()
    """
    ranks = Ranks(group)

    def read():
        trained, rows = _trained(estimator), checked(estimator, X, "simulate")
        step = estimator.step_size if step_size is None else step_size
        step = positive_number(step, "step_size")
        steps = steps_in(LIMIT_TIME, step) if n_steps is None else n_steps
        start = initial_phases
        if start is not None:
            start = real_array(on_host(start), "initial_phases")
        seed = estimator.random_state if random_state is None else random_state
        random_source(seed)
        names = "step_size", "random_state", "n_steps", "save_from"
        motion = dict(zip(names, (step, seed, *read_steps(steps, save_from)), strict=True))
        return trained, rows, motion, start

    trained, rows, motion, start = ranks.each(read)
    # What a generator will draw is not looked at.
    seed = motion["random_state"] if isinstance(motion["random_state"], Integral) else None
    settings = {**motion, "random_state": seed, "normalization": estimator.normalization_}
    alike = fingerprint_of(settings, estimator.coupling_.state_dict().values())
    if len(set(ranks.from_all(alike))) > 1:
        raise ValueError(
            "estimator, step_size, n_steps, save_from or random_state: processes differ, but all "
            "need the same."
        )
    first = sum(ranks.sizes(len(rows))[: ranks.rank])
    if start is None:
        start = _phases_after(first, len(rows), motion["random_state"])
    precise = trained.precision_of(start, rows, motion["step_size"], motion["n_steps"])
    # All move in the finest precision that one of them needs.
    start = start.astype(np.result_type(*ranks.from_all(precise)))

    def together(X: Table, network: nn.Module, device: torch.device) -> CouplingOperator:
        return couple_sharded(
            network,
            to_tensor(X, network, device),
            trained.normalization,
            ranks=ranks,
            memory_budget=trained.budget(X),
        )

    return ranks.until_each(
        lambda: simulated(trained, rows, **motion, initial_phases=start, couple=together)
    )


def _trained(estimator):
    """Return the network of a fitted estimator; raise where processes cannot share it."""
    _an_estimator(estimator)
    if has_graph(estimator):
        raise ValueError("connectivity: graphs are not shared out. Use the estimator's simulate.")
    check_is_fitted(estimator)
    trained = estimator.trained_network_
    if trained.node_motion.is_noisy:
        raise ValueError("noise: processes would share it. Use the estimator's simulate.")
    if trained.storage is not None:
        raise ValueError("precision: processes share couplings in single. Set precision='single'.")
    return trained


def fit(estimator, *data, group=None):
    """Fit with the networks of every batch shared out among processes.

    All processes draw the same networks, compute the gradients of some of them each, and average:
    what is learned does not depend on how many they are, but for rounding and, where only some
    nodes are labelled, for their weights. Every process ends with the same fitted estimator.
    ``checkpoint`` is written by the first process alone.

    Parameters
    ----------
    estimator : KuraNetClusterer, KuraNetSynchronizer or KuraNetSegmenter
        Its ``random_state`` must be a number, its ``batch_size`` at least that of processes.
    *data : arguments of the estimator's fit
        The same in all processes.
    group : ProcessGroup, default=None
        None for all processes.

    Returns
    -------
    estimator
        Fitted.

    Raises
    ------
    RuntimeError
        If torch.distributed has no process group, or another process raises an error.
    ConnectionError
        If one of the processes dies.
    ValueError
        If parameters cannot be shared out, or processes differ in data or parameters.

    Examples
    --------
    >>> import torch.distributed as dist
    >>> from skkuranet import KuraNetClusterer
    >>> from skkuranet.datasets import make_gaussian_ring
    >>> from skkuranet.distributed import fit
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> X, y = make_gaussian_ring(2, 200, random_state=0)
    >>> fit(KuraNetClusterer(random_state=0), X, y).score(X, y)
    1.0
    >>> dist.destroy_process_group()
    """
    ranks = Ranks(group)
    ranks.each(lambda: _check_fit(estimator, ranks))
    with sharing(ranks):
        ranks.until_each(lambda: estimator.fit(*data))
    names = np.asarray(getattr(estimator, "classes_", ()))
    if len(set(ranks.from_all(repr(names.tolist())))) > 1:
        raise ValueError("Processes name the classes differently. All need the same labels.")
    return estimator


def _check_fit(estimator, ranks):
    """Raise TypeError or ValueError where processes cannot share a fit."""
    _an_estimator(estimator)
    if not isinstance(estimator.random_state, Integral):
        raise ValueError(
            "random_state must be a number where processes share a fit, so that all draw alike; "
            f"got {plain(estimator.random_state)}."
        )
    if isinstance(estimator.batch_size, Integral) and estimator.batch_size < ranks.size:
        raise ValueError(
            f"batch_size={estimator.batch_size} networks cannot be shared out among {ranks.size} "
            "processes. Raise batch_size, or start fewer."
        )
    if estimator.n_jobs not in (None, 1):
        raise ValueError(
            f"n_jobs={estimator.n_jobs}: processes that share a fit do not start others. Set "
            "n_jobs=None."
        )
    if getattr(estimator, "groups", None) == "unseen":
        raise ValueError(
            "groups='unseen' learns from pairs at once, which cannot be shared out. Use the "
            "estimator's fit."
        )


def _an_estimator(estimator):
    """Return an estimator; raise TypeError for anything that cannot be shared."""
    if not isinstance(estimator, KuraNetBase):
        raise TypeError(
            "estimator must be a KuraNetClusterer, KuraNetSynchronizer or KuraNetSegmenter, got "
            f"{type(estimator).__name__}."
        )
    return estimator


def _phases_after(first: int, n: int, random_state) -> np.ndarray:
    """Phases of n oscillators after the first ones, as one process draws them for all."""
    rng = random_source(random_state)
    for i in range(0, first, _DRAWN_AT_ONCE):
        rng.random_sample(min(_DRAWN_AT_ONCE, first - i))
    return rng.uniform(0.0, 2.0 * np.pi, n).astype(np.float32)
