"""State of a training run on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skkuranet._utils.messages import warn_caller
from skkuranet.files._container import read, write
from skkuranet.files._plain import Reader, as_plain


class Checkpoint:
    """File that holds the state of one training run, saved every so many iterations.

    It is replaced as a whole: a run that is killed while it writes leaves the file from before.
    """

    def __init__(self, path: str | os.PathLike[str], every: int) -> None:
        self.path, self.every = Path(path), every
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"checkpoint={str(path)!r} lies in a folder that does not exist. Create it first."
            )

    def due(self, n_iterations: int) -> bool:
        """Say whether a state should be saved after so many iterations."""
        return n_iterations % self.every == 0

    def try_to_write(self) -> None:
        """Raise OSError, before training has begun, where no file can be written."""
        try:
            with tempfile.TemporaryFile(dir=self.path.parent) as file:
                file.write(b"state")
        except OSError as error:
            raise type(error)(
                error.errno,
                f"checkpoint={str(self.path)!r} cannot be written ({error.strerror}). Choose "
                "another folder",
            ) from error

    def save(self, state: dict[str, Any]) -> None:
        """Write a state; warn where that fails, as training has more to lose than a file."""
        content, arrays = as_plain(state, "state")
        try:
            write(self.path, arrays, {**_versions(), "state": json.dumps(content)})
        except OSError as error:
            warn_caller(
                f"checkpoint={str(self.path)!r} could not be written ({error}). Training goes on; "
                "what there is of the file is from before.",
                UserWarning,
            )

    def last(self) -> dict[str, Any] | None:
        """Return the last state, of whatever run, or None if there is none."""
        if not self.path.exists():
            return None
        arrays, text = read(self.path)
        state: dict[str, Any] = Reader(arrays, ()).thing(json.loads(text["state"]))
        return {**state, "versions": {name: text.get(name) for name in _versions()}}

    def load(self, fingerprint: str) -> dict[str, Any] | None:
        """Return the last state of the run with this fingerprint, or None if there is none.

        Raise ValueError if the file cannot be read, or is of another run or version.
        """
        try:
            state = self.last()
            if state is None:
                return None
            found = state["fingerprint"]
        except Exception as error:
            raise ValueError(
                f"checkpoint: {str(self.path)!r} holds no state of training, or is damaged. Choose "
                "another path, or delete the file to start anew."
            ) from error
        if state["versions"] != _versions():
            raise ValueError(
                f"checkpoint: {str(self.path)!r} was written by {_told(state['versions'])}, and "
                f"this is {_told(_versions())}; a fit that went on would end as neither had done. "
                "Go on with those, or delete the file to start anew."
            )
        if found != fingerprint:
            raise ValueError(
                f"checkpoint: {str(self.path)!r} is of another fit: data, parameters or "
                "random_state, which must be a number, differ. Choose another path, or delete the "
                "file to start anew; fits of a grid search or cross-validation cannot share one."
            )
        return state

    def discard(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)


def _versions() -> dict[str, str]:
    from skkuranet import __version__

    return {"skkuranet": __version__, "torch": str(torch.__version__)}


def _told(versions: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {version}" for name, version in versions.items())


def fingerprint_of(settings: object, tensors: Iterable[Tensor]) -> str:
    """Return a digest of the ``repr`` of settings, and of the values and shapes of tensors."""
    digest = hashlib.sha256(repr(settings).encode())
    for tensor in tensors:
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def identity(thing: object) -> tuple[object, list[Tensor]]:
    """Divide what identifies a thing into a part with a ``repr`` and tensors.

    A thing is a number, string, tensor, array, module or dataclass, or a mapping or sequence of
    these.
    """
    if isinstance(thing, Tensor):
        return "tensor", [thing]
    if isinstance(thing, np.ndarray) and thing.dtype.kind in "biuf":
        return "array", [torch.from_numpy(np.ascontiguousarray(thing))]
    if isinstance(thing, nn.Module):
        return repr(thing), [*thing.parameters(), *thing.buffers()]
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        parts: dict[Any, Any] = {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing)}
        name = type(thing).__name__
    elif isinstance(thing, Mapping):
        parts, name = dict(thing), "mapping"
    elif isinstance(thing, (list, tuple)):
        parts, name = dict(enumerate(thing)), "sequence"
    else:
        known = isinstance(thing, (bool, int, float, str, NoneType))
        # Of what is called, the name has to do.
        return thing if known else getattr(thing, "__qualname__", type(thing).__name__), []
    found = {key: identity(value) for key, value in parts.items()}
    tensors = [t for _, each in found.values() for t in each]
    return (name, [(key, value) for key, (value, _) in found.items()]), tensors
