"""Processes that share the work of a fit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Value = TypeVar("Value")

# What backends say when a process cannot be reached.
_LOST = re.compile("connect|closed|reset|peer|time ?d? ?out|abort|socket", re.IGNORECASE)


class Ranks:
    """The processes of a torch.distributed group.

    Parameters
    ----------
    group : ProcessGroup, optional
        By default all processes.

    Attributes
    ----------
    rank : int
        Number of this process, from 0.
    size : int
        Number of processes.
    n_met : int
        How often :meth:`each` was called.

    Raises
    ------
    RuntimeError
        If torch.distributed has no process group yet.

    Examples
    --------
    >>> import torch.distributed as dist
    >>> from skkuranet.distributed import Ranks
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> ranks = Ranks()
    >>> ranks.rank, ranks.size
    (0, 1)
    >>> dist.destroy_process_group()
    """

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise RuntimeError(
                "There is no process group. Start the script with torchrun, and call "
                "torch.distributed.init_process_group('gloo'), or 'nccl' on cards, first."
            )
        if not isinstance(group, (dist.ProcessGroup, type(None))):
            raise TypeError(f"group must be a ProcessGroup or None, got {type(group).__name__}.")
        self.group = group
        if dist.get_backend(group) == "nccl" and "LOCAL_RANK" in os.environ:
            # One card for each process of a machine.
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)
        self.n_met = 0

    def share(self, n: int) -> slice:
        """Return which of n rows this process owns; the split is as even as possible.

        Parameters
        ----------
        n : int
            Rows of all processes.

        Returns
        -------
        slice
        """
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def sizes(self, n: int) -> list[int]:
        """Return how many rows each process owns.

        Parameters
        ----------
        n : int
            Rows of this process.

        Returns
        -------
        list of int
        """
        return self.from_all(n)

    def gather(self, x: Tensor, sizes: Sequence[int]) -> Tensor:
        """Return the values of all processes, one after the other along the last axis.

        Parameters
        ----------
        x : Tensor of shape (..., n)
            Values of this process.
        sizes : sequence of int
            What n is in each process.

        Returns
        -------
        Tensor of shape (..., sum of sizes)
            Differentiable, as is :meth:`all_reduce`: gradients of all processes add up.
        """
        return _Gather.apply(self, x, sizes)

    def _gather(self, x: Tensor, sizes: Sequence[int]) -> Tensor:
        largest = max(sizes)
        flat = x.reshape(x.shape[:-1].numel(), x.shape[-1])
        # Processes may own different numbers of rows, but have to send equally many.
        sent = x.new_zeros((len(flat), largest))
        sent[:, : x.shape[-1]] = flat
        received = [torch.empty_like(sent) for _ in range(self.size)]
        with self._together():
            dist.all_gather(received, sent, group=self.group)
        whole = torch.cat([part[:, :n] for part, n in zip(received, sizes, strict=True)], -1)
        return whole.view(*x.shape[:-1], sum(sizes))

    def all_reduce(self, x: Tensor) -> Tensor:
        """Return the sum of the values of all processes, the same in each.

        Parameters
        ----------
        x : Tensor of any shape
            Values of this process.

        Returns
        -------
        Tensor of the same shape
        """
        return _AllReduce.apply(self, x)

    def _all_reduce(self, x: Tensor) -> Tensor:
        summed = x.clone(memory_format=torch.contiguous_format)
        with self._together():
            dist.all_reduce(summed, group=self.group)
        return summed

    def from_first(self, value: Value) -> Value:
        """Return the value that the first process has.

        Parameters
        ----------
        value : object
            Anything that can be pickled; only that of the first process counts.

        Returns
        -------
        object
        """
        box: list[Any] = [value]
        first = 0 if self.group is None else dist.get_global_rank(self.group, 0)
        with self._together():
            dist.broadcast_object_list(box, first, group=self.group)
        return box[0]

    def from_all(self, value: Value) -> list[Value]:
        """Return the values of all processes.

        Parameters
        ----------
        value : object
            Anything that can be pickled.

        Returns
        -------
        list of object
            In the order of the processes.
        """
        found: list[Any] = [None] * self.size
        with self._together():
            dist.all_gather_object(found, value, group=self.group)
        return found

    def each(self, work: Callable[[], Value]) -> Value:
        """Do work in every process; where it fails in one, none goes on.

        Parameters
        ----------
        work : callable
            Called without arguments; processes do not meet in it.

        Returns
        -------
        object
            What it returns in this process.

        Raises
        ------
        Exception
            What it raises in this process.
        ValueError
            If it raises that or a TypeError in another.
        RuntimeError
            If it raises anything else in another.
        """
        return self._tried(work)[0]

    def any(self, ask: Callable[[], object]) -> bool:
        """Ask every process; where asking fails in one, none goes on.

        Parameters
        ----------
        ask : callable
            Called without arguments; what it returns is true or not.

        Returns
        -------
        bool
            Whether it is true in one of the processes.

        Raises
        ------
        Exception
            As :meth:`each` does.
        """
        return self._tried(lambda: bool(ask()))[1]

    def _tried(self, work: Callable[[], Value]) -> tuple[Value, bool]:
        """Return what work returns, and whether that is True in one of the processes."""
        self.n_met += 1
        found: Any = None
        failure: BaseException | None = None
        try:
            found = work()
        except BaseException as error:
            failure = error
        # A few bytes, as this may be done in every iteration.
        device = "cuda" if dist.get_backend(self.group) == "nccl" else "cpu"
        flags = torch.tensor([failure is not None, found is True], device=device)
        try:
            failed, true = (self._all_reduce(flags.float()) > 0).tolist()
            said = None if failure is None else f"{type(failure).__name__} {failure}".strip()
            kind = ValueError if isinstance(failure, (TypeError, ValueError)) else RuntimeError
            told = self.from_all((said, kind)) if failed else []
        except ConnectionError:
            if failure is None:
                raise
        if failure is not None:
            raise failure
        for rank, (said, kind) in enumerate(told):
            if said is not None:
                raise kind(f"Process {rank} of {self.size} raised {said}")
        return found, true

    def until_each(self, work: Callable[[], Value]) -> Value:
        """Do work that comes to :meth:`each`; tell the others where it fails on the way.

        Parameters
        ----------
        work : callable
            Called without arguments.

        Returns
        -------
        object
            What it returns in this process.

        Raises
        ------
        Exception
            As :meth:`each` does.
        """
        before = self.n_met
        try:
            return work()
        except Exception as error:
            failure = error
        if self.n_met > before:
            raise failure

        def fail() -> Value:
            raise failure

        return self.each(fail)

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Turn the errors of lost processes into a ConnectionError."""
        try:
            yield
        except RuntimeError as error:
            if not _LOST.search(str(error)):
                raise
            raise ConnectionError(
                f"Process {self.rank} of {self.size} has lost another: it has died, raised an "
                "error of its own or does not answer. A checkpoint, where one was asked for, is "
                "intact: start the same command again to go on from it."
            ) from error


class _AllReduce(torch.autograd.Function):
    """Sum over processes, whose gradients add up."""

    @staticmethod
    def forward(ctx: Any, ranks: Ranks, x: Tensor) -> Tensor:
        ctx.ranks = ranks
        return ranks._all_reduce(x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        return None, ctx.ranks._all_reduce(grad)


class _Gather(torch.autograd.Function):
    """Values of all processes; each takes its part of the sum of the gradients."""

    @staticmethod
    def forward(ctx: Any, ranks: Ranks, x: Tensor, sizes: Sequence[int]) -> Tensor:
        ctx.ranks, ctx.sizes = ranks, list(sizes)
        return ranks._gather(x, sizes)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        parts = ctx.ranks._all_reduce(grad).split(ctx.sizes, -1)
        return None, parts[ctx.ranks.rank].contiguous(), None


_working: ContextVar[Ranks | None] = ContextVar("ranks that share the work of a fit", default=None)


def working_ranks() -> Ranks | None:
    """Return the processes that share the work of the fit at hand, or None if it is alone."""
    return _working.get()


@contextmanager
def sharing(ranks: Ranks) -> Iterator[None]:
    """Let fits share their work among processes."""
    token = _working.set(ranks)
    try:
        yield
    finally:
        _working.reset(token)
