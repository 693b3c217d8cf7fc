"""Steps that a CUDA card records once and replays, in place of a launch for every operation."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

# Steps of a recording, if their phases take no more than so many bytes, and how many recordings a
# trajectory must be long: the first is done step by step, and the second costs more than it takes.
_STEPS, _BYTES, _RECORDINGS = 10, 1 << 24, 4

_asked_for = True
_refused: set[torch.device] = set()
_recording = threading.Lock()
_thread = threading.local()


@contextmanager
def replayed_steps(enabled: bool = True) -> Iterator[None]:
    """Say whether CUDA cards record a few steps of the solvers and replay them, in all threads.

    Steps of small networks take less time than the launches of their operations do. Recorded as a
    CUDA graph, ten steps are one launch, forward and back, which is what cards do by default. It
    applies to stored couplings of less than 2,048 oscillators and to factorised ones, from 40 steps
    on; all else goes on as before, and so does everything on a processor.

    Parameters
    ----------
    enabled : bool, default=True
        False has every operation launched by itself, as may help to find out what went wrong.

    Examples
    --------
    >>> from skkuranet import KuraNetClusterer
    >>> from skkuranet.datasets import make_gaussian_ring
    >>> from skkuranet.dynamics import replayed_steps
    >>> X, y = make_gaussian_ring(3, 200, random_state=0)
    >>> with replayed_steps(False):
    ...     clusterer = KuraNetClusterer(max_iter=10, random_state=0).fit(X, y)
    """
    global _asked_for
    before, _asked_for = _asked_for, enabled
    try:
        yield
    finally:
        _asked_for = before


def steps_to_replay(phases: Tensor, n_steps: int, n_stages: int) -> int:
    """Return how many of the steps of a trajectory are recorded at once; 0 for none."""
    if not (_asked_for and records_on(phases)):
        return 0
    steps = min(_STEPS, _BYTES // max(1, n_stages * phases.numel() * phases.itemsize))
    return steps if steps > 1 and _RECORDINGS * steps <= n_steps else 0


def records_on(phases: Tensor) -> bool:
    """Return whether what is done to phases can be recorded on their device.

    It cannot where a card has failed to, where somebody else is recording, and on streams of the
    user's own, which would share the memory that libraries work in.
    """
    device = phases.device
    if not phases.is_cuda or device in _refused or torch.cuda.is_current_stream_capturing():
        return False
    return bool(torch.cuda.current_stream(device) == torch.cuda.default_stream(device))


class Replay:
    """An action that is done as it is at first, then recorded, and replayed from then on.

    It launches the same kernels every time, on memory that stays where it is.
    """

    def __init__(self, action: Callable[[], None], device: torch.device) -> None:
        self._action, self._device = action, device
        self._warm = False
        self._again: Callable[[], None] | None = None

    def __call__(self) -> None:
        """Do it."""
        if not self._warm:
            # Libraries set themselves up at the first call, which must not be recorded.
            on_side_stream(self._action, self._device)
            self._warm = True
            return
        if self._again is None:
            self._again = self._recorded()
        self._again()

    def _recorded(self) -> Callable[[], None]:
        if self._device in _refused:
            return self._action
        try:
            return record(self._action, self._device)
        except RuntimeError as error:
            _refused.add(self._device)
            warnings.warn(
                f"{self._device} could not record steps, which will not be tried again: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
            return self._action


def on_side_stream(action: Callable[[], None], device: torch.device) -> None:
    """Do something after what was launched before and before what follows, but apart from it."""
    # One for all recordings of a thread: libraries keep a workspace for every stream they have
    # seen, and what another thread launched on it meanwhile would be recorded as well.
    streams = vars(_thread).setdefault("streams", {})
    if device not in streams:
        streams[device] = torch.cuda.Stream(device)
    side, current = streams[device], torch.cuda.current_stream(device)
    side.wait_stream(current)
    with torch.cuda.stream(side):
        action()
    current.wait_stream(side)


def record(action: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Return a function that launches at once all kernels of an action that was done before."""
    graph = torch.cuda.CUDAGraph()

    def capture() -> None:
        # Not torch.cuda.graph, which waits for the card.
        graph.capture_begin(capture_error_mode="thread_local")
        failure: RuntimeError | None = None
        try:
            action()
        except RuntimeError as error:
            failure = error
        try:
            graph.capture_end()
        except RuntimeError as error:
            # What went wrong first says more.
            failure = failure or error
        if failure is not None:
            raise failure

    with _recording:
        on_side_stream(capture, device)
    return graph.replay
