"""What accidents must not leave behind: processes, files, shared memory, changed settings."""

import contextlib
import ctypes
import gc
import os
import random
import re
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import psutil
import torch

# Python's own servants, which stay for the next pool.
_SERVANTS = ("resource_tracker", "forkserver")
# Seconds after which a process that was ended has to be gone.
GRACE = 10.0
_SHARED = Path("/dev/shm")
# The C library, and what it calls the number of its heaps.
_LIBC, _M_ARENA_MAX = ctypes.CDLL(None), -8


def settings():
    """Settings that belong to the whole process."""
    return {
        "number of threads": torch.get_num_threads(),
        "default precision": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "filters of warnings": tuple(warnings.filters),
        "NumPy's generator": np.random.get_state()[1].tobytes(),  # noqa: NPY002
        "torch's generator": torch.get_rng_state().numpy().tobytes(),
        "Python's generator": random.getstate(),
        "working directory": os.getcwd(),
        "environment": dict(os.environ),
    }


def _children():
    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline())
        except psutil.Error:
            continue
        if not any(servant in command for servant in _SERVANTS):
            found.add((child.pid, command))
    return found


def _shared_memory():
    """Entries, but for those whose name tells of a living process that is none of ours."""
    if not _SHARED.is_dir():
        return set()
    ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    others = {str(pid) for pid in set(psutil.pids()) - ours}
    names = os.listdir(_SHARED)
    return {name for name in names if others.isdisjoint(re.findall(r"\d+", name))}


LEFT = {
    "processes": _children,
    "shared memory": _shared_memory,
    "temporary files": lambda: set(os.listdir(tempfile.gettempdir())),
}


class Traces:
    """What there is before an accident; :meth:`check` says what is different after it."""

    def __init__(self):
        self.settings = settings()
        self.left = {name: look() for name, look in LEFT.items()}

    def check(self):
        """Raise AssertionError if anything was left behind or changed."""
        after = settings()
        changed = [name for name, value in self.settings.items() if after[name] != value]
        assert not changed, f"changed: {', '.join(changed)}"
        end = time.monotonic() + GRACE
        while new := {name: n for name, look in LEFT.items() if (n := look() - self.left[name])}:
            assert time.monotonic() < end, f"left behind: {new}"
            time.sleep(0.05)


def give_back_memory():
    """Let all threads share one heap: each would keep pieces of its own long after it has ended."""
    _LIBC.mallopt(_M_ARENA_MAX, 1)


def memory():
    """Megabytes that this process holds on to, and its open files."""
    gc.collect()
    # glibc keeps what is freed for the next fit, up to 64 MB, which is no leak.
    _LIBC.malloc_trim(0)
    process = psutil.Process()
    return process.memory_info().rss / 1e6, process.num_fds()


def end_children():
    """Kill what an accident that was lost has left."""
    for pid, _ in _children():
        with contextlib.suppress(psutil.Error):
            child = psutil.Process(pid)
            child.kill()
            child.wait(GRACE)
