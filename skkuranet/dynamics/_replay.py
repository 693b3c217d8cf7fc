"""Steps that a CUDA card records once and replays, in place of a launch for every operation."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from skkuranet.coupling import CouplingOperator

# Steps of a recording, if their phases take no more than so many bytes.
_STEPS, _BYTES = 10, 1 << 24


def steps_to_replay(coupling: CouplingOperator, phases: Tensor, n_steps: int, n_stages: int) -> int:
    """Return how many steps are recorded at once; 0 for none.

    Parameters
    ----------
    coupling : CouplingOperator
        What acts at every step.
    phases : Tensor of shape (..., n)
        What moves.
    n_steps : int
        Steps of the trajectory. One that is too short for two recordings is not recorded.
    n_stages : int
        Stages of a step.

    Returns
    -------
    int
    """
    if not (records_on(phases) and coupling.is_replayable):
        return 0
    steps = min(_STEPS, max(1, _BYTES // max(1, n_stages * phases.numel() * phases.itemsize)))
    return steps if 2 * steps <= n_steps else 0


def records_on(phases: Tensor) -> bool:
    """Return whether what is done to phases can be recorded where they are.

    Parameters
    ----------
    phases : Tensor
        On any device.

    Returns
    -------
    bool
        False also where somebody else is recording.
    """
    return phases.is_cuda and not torch.cuda.is_current_stream_capturing()


class Replay:
    """An action that is done as it is at first, then recorded, and replayed from then on.

    Parameters
    ----------
    action : callable
        Launches kernels on memory that stays where it is, the same ones every time.
    device : torch.device
        The card.
    """

    def __init__(self, action: Callable[[], None], device: torch.device) -> None:
        self._action, self._device = action, device
        self._next = self._warm_up

    def __call__(self) -> None:
        """Do it."""
        self._next()

    def _warm_up(self) -> None:
        # Libraries set themselves up at the first call, which must not be recorded.
        on_side_stream(self._action, self._device)
        self._next = self._record

    def _record(self) -> None:
        try:
            self._next = record(self._action, self._device)
        except RuntimeError as error:
            self._next = self._action
            warnings.warn(
                "Steps could not be recorded on this CUDA card and are slower, as every operation "
                f"is launched by itself: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
        self._next()


@functools.cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    # One for all recordings: libraries keep a workspace for every stream they have seen.
    return torch.cuda.Stream(device)


def on_side_stream(action: Callable[[], None], device: torch.device) -> None:
    """Do something after what was launched before and before what follows, but apart from it.

    Parameters
    ----------
    action : callable
        Launches kernels.
    device : torch.device
        The card.
    """
    side, current = _side_stream(device), torch.cuda.current_stream(device)
    side.wait_stream(current)
    with torch.cuda.stream(side):
        action()
    current.wait_stream(side)


def record(action: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Record, without doing it, what an action launches.

    Parameters
    ----------
    action : callable
        Launches kernels; it has been done before.
    device : torch.device
        The card.

    Returns
    -------
    callable
        Launches all of them at once.
    """
    graph = torch.cuda.CUDAGraph()

    def capture() -> None:
        # Not torch.cuda.graph, which waits for the card; other threads may go on using it.
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            action()
        finally:
            graph.capture_end()

    on_side_stream(capture, device)
    return graph.replay
