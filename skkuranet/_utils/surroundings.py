"""Settings of the process that our work neither depends on nor changes."""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from torch.overrides import TorchFunctionMode

Kind = TypeVar("Kind", bound=type)

_CPU = torch.device("cpu")
# Random numbers of modules that are not ours, and filters of warnings, belong to the process:
# one thread at a time may change them.
_GENERATOR, _FILTERS, _COUNT = threading.RLock(), threading.RLock(), threading.Lock()
# What of scikit-learn calls one fit and hands it on.
_OF_ONE = {"base", "callback", "compose", "pipeline", "utils"}
# What simulates again and again, and keeps what was whole itself.
_ANALYSES = ("skkuranet", "analysis")
_FACTORIES = {torch.empty, torch.eye, torch.ones, torch.rand, torch.randn, torch.zeros}


def undisturbed(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that works alike without gradients, under autocast or on another device."""

    @functools.wraps(method)
    def alike(*args: Any, **kwargs: Any) -> Any:
        if not _disturbed():
            return method(*args, **kwargs)
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            for kind in ("cpu", "cuda"):
                stack.enter_context(torch.autocast(kind, enabled=False))
            if _makes_tensors_elsewhere():
                stack.enter_context(_CPU)
            return method(*args, **kwargs)

    return alike


def all_or_nothing(fit: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that leaves its object as it was, if it fails."""

    @functools.wraps(fit)
    def safe(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        try:
            return fit(self, *args, **kwargs)
        except BaseException as error:
            # Where warnings are errors, what was learned before one is whole.
            learned = vars(self).get("coupling_") is not before.get("coupling_")
            if not (isinstance(error, Warning) and learned):
                vars(self).clear()
                vars(self).update(before)
            raise

    return safe


def estimator_of_any_surroundings(cls: Kind) -> Kind:
    """Make what users call of a class work alike whatever torch is set to, and fits whole."""
    for name, value in list(vars(cls).items()):
        if inspect.isfunction(value) and not name.startswith("_"):
            value = all_or_nothing(value) if name == "fit" else value
            setattr(cls, name, undisturbed(value))
    return cls


def is_one_of_many() -> bool:
    """Return whether an analysis, or a search, validation or ensemble of scikit-learn, has called.

    An interruption is meant for the whole of it, and what is half learned would be scored as whole.
    """
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        package, _, name = frame.f_globals.get("__name__", "").partition(".")
        part = name.partition(".")[0]
        if (package == "sklearn" and part not in _OF_ONE) or (package, part) == _ANALYSES:
            return True
    return False


def _makes_tensors_elsewhere() -> bool:
    # torch below 2.5 does not tell of a device that a context has set.
    return torch.empty(0).device != _CPU


def _disturbed() -> bool:
    return (
        not torch.is_grad_enabled()
        or torch.is_inference_mode_enabled()
        or torch.is_autocast_enabled("cpu")
        or torch.is_autocast_enabled("cuda")
        or _makes_tensors_elsewhere()
    )


class SinglePrecision(TorchFunctionMode):
    """Within it new tensors are of single precision, whatever torch's default is."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _FACTORIES and kwargs.get("dtype") is None:
            kwargs["dtype"] = torch.float32
        return func(*args, **kwargs)


class _Threads:
    """How many are in :func:`one_thread`, and how many threads torch had before."""

    inside = 0
    before = 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch to one thread, whose sums have one order whatever ``n_jobs`` is."""
    with _COUNT:
        if not _Threads.inside:
            _Threads.before = torch.get_num_threads()
        _Threads.inside += 1
    torch.set_num_threads(1)
    try:
        yield
    finally:
        with _COUNT:
            _Threads.inside -= 1
            torch.set_num_threads(_Threads.before)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator, which modules of the user may draw from, for a while."""
    with _GENERATOR, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def silenced(category: type[Warning] = Warning, message: str = "") -> Iterator[None]:
    """Leave out warnings of a kind, or that begin with a message."""
    with _FILTERS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message, category)
        yield
