"""Disks that are full, and files that are damaged or of another kind."""

import contextlib
import errno
import functools
import io
import json
import os
import pickle
import resource
import tempfile
import warnings
from unittest import mock

import numpy as np
from _soak_fits import (
    FITS,
    answers,
    any_fit,
    check_same,
    check_unfitted,
    data_of,
    error_of,
    model_of,
)

import skkuranet
from skkuranet.dynamics import Trajectory
from skkuranet.training._checkpoint import Checkpoint

# Bytes of the files that a disk has no room for, at most.
_LARGEST = 60_000
# Files that are tried in a row.
_TRIED = 20


@contextlib.contextmanager
def file_limit(n_bytes):
    """Let no file of this process grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def no_space(rng, owner, name):
    """Some calls of a function of the system find no space."""
    whole = getattr(owner, name)

    def some(*args, **kwargs):
        if rng.random() < 0.5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(*args, **kwargs)

    return mock.patch.object(owner, name, some)


DISKS = {
    "limit": lambda rng: file_limit(int(rng.integers(_LARGEST))),
    "sync": lambda rng: no_space(rng, os, "fsync"),
    "replace": lambda rng: no_space(rng, os, "replace"),
    "new file": lambda rng: no_space(rng, tempfile, "mkstemp"),
}


def full_disk_of_a_checkpoint(rng, folder):
    """A full disk costs the file and no training."""
    kind, model = any_fit(rng, folder)
    disk = DISKS[str(rng.choice(list(DISKS)))](rng)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with disk:
            error = error_of(OSError, model.fit, *data_of(kind))
    if error is not None:
        # Not a byte can be written, which is said before training begins.
        assert str(folder) in str(error), error
        check_unfitted(model)
        return 1
    check_same(kind, answers(kind, model))
    return sum("could not be written" in str(each.message) for each in caught)


def full_disk_of_a_model(rng, folder):
    """The model that was saved before stays."""
    path, faults = folder / "model", 0
    kind = str(rng.choice(list(FITS)))
    first = model_of(kind, max_iter=1).fit(*data_of(kind))
    other = model_of(kind, max_iter=2).fit(*data_of(kind))
    kept = first
    first.save(path)
    for _ in range(5):
        disk = DISKS[str(rng.choice(list(DISKS)))](rng)
        with disk:
            failed = error_of(OSError, other.save, path)
        faults += failed is not None
        kept = kept if failed else other
        assert os.listdir(folder) == ["model"]
        found = skkuranet.load(path)
        for one, expected in zip(answers(kind, found), answers(kind, kept), strict=True):
            np.testing.assert_array_equal(one, expected)
    path.unlink()
    return faults


def truncated(rng, content):
    return content[: rng.integers(len(content))]


def flipped(rng, content):
    broken = bytearray(content)
    broken[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    return bytes(broken)


def overwritten(rng, content):
    """A block of the disk is lost."""
    begin = int(rng.integers(len(content)))
    return content[:begin] + bytes(min(512, len(content) - begin)) + content[begin + 512 :]


def prolonged(rng, content):
    return content + rng.bytes(int(rng.integers(1, 100)))


def foreign(rng, content):
    """Files of another kind."""
    archive = io.BytesIO()
    np.savez(archive, a=np.arange(3))
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    others = [
        b"",
        rng.bytes(int(rng.integers(1, 5000))),
        pickle.dumps({"state": 1}),
        archive.getvalue(),
        b'{"format": 1}',
        len(header).to_bytes(8, "little") + header + bytes(4),
        (1 << 62).to_bytes(8, "little") + b"{}",
    ]
    return others[rng.integers(len(others))]


DAMAGES = (truncated, flipped, overwritten, prolonged, foreign)


def damaged(rng, content):
    """So many damaged versions of a file."""
    made = [DAMAGES[rng.integers(len(DAMAGES))](rng, content) for _ in range(_TRIED)]
    return [each for each in made if each != content]


@functools.cache
def files_of(kind):
    """What a model and the last state of its training are in files."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(Checkpoint, "discard"):
        path = os.path.join(folder, "state")
        model = model_of(kind, checkpoint=path).fit(*data_of(kind))
        model.save(os.path.join(folder, "model"))
        contents = []
        for name in ("model", "state.0"):
            with open(os.path.join(folder, name), "rb") as file:
                contents.append(file.read())
    return contents


def bad_models(rng, folder):
    """Damaged models are refused."""
    content, state = files_of(str(rng.choice(list(FITS))))
    path, tried = folder / "model", [*damaged(rng, content), state]
    for each in tried:
        path.write_bytes(each)
        error = error_of(ValueError, skkuranet.load, path)
        assert error is not None, "a damaged model was loaded"
        assert str(path) in str(error), error
    path.unlink()
    return len(tried)


def bad_checkpoints(rng, folder):
    """Damaged states are refused, and stay for who wants to look at them."""
    kind, model = any_fit(rng, folder)
    content, state = files_of(kind)
    path, tried = folder / "state.0", [*damaged(rng, state), content]
    for each in tried:
        path.write_bytes(each)
        error = error_of(ValueError, model.fit, *data_of(kind))
        assert error is not None, "a damaged state was taken up"
        assert str(error).startswith("checkpoint: "), error
        check_unfitted(model)
        assert path.read_bytes() == each
    path.unlink()
    return len(tried)


@functools.cache
def trajectory():
    model = model_of("synchronizer", max_iter=1).fit(*data_of("synchronizer"))
    return model.simulate(data_of("synchronizer")[0], n_steps=5, random_state=0)


def bad_trajectories(rng, folder):
    """Damaged trajectories are refused, or damaged where it does not matter."""
    path, whole = folder / "path.npz", trajectory()
    whole.save(path)
    tried = damaged(rng, path.read_bytes())
    for each in tried:
        path.write_bytes(each)
        error = error_of(ValueError, Trajectory.load, path)
        if error is not None:
            assert str(path) in str(error), error
        else:
            found = Trajectory.load(path)
            np.testing.assert_array_equal(found.states, whole.states)
            np.testing.assert_array_equal(found.times, whole.times)
    path.unlink()
    return len(tried)


ACCIDENTS = {
    "full_disk_of_a_checkpoint": (full_disk_of_a_checkpoint, 3),
    "full_disk_of_a_model": (full_disk_of_a_model, 3),
    "bad_models": (bad_models, 3),
    "bad_checkpoints": (bad_checkpoints, 3),
    "bad_trajectories": (bad_trajectories, 3),
}
