"""State of a training run on disk."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import CodeType, NoneType
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from skkuranet._utils.messages import warn_caller
from skkuranet._utils.whole_file import remove_parts
from skkuranet.files._container import read, write
from skkuranet.files._plain import Reader, as_plain

# What is identified by its representation.
_LEAVES = (bool, int, float, complex, str, bytes, NoneType, torch.dtype, torch.device)


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
        """Delete the file, and what was left of it where a process was killed while it wrote."""
        self.path.unlink(missing_ok=True)
        remove_parts(self.path)


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
        # Bytes, as NumPy lacks some types of torch.
        content = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
        digest.update(content.numpy().tobytes())
    return digest.hexdigest()


def identity(thing: object, within: tuple[object, ...] = ()) -> tuple[object, list[Tensor]]:
    """Divide what identifies a thing into a part with a ``repr`` and tensors.

    Of functions, it is their code and what that refers to; of objects, their attributes. ``within``
    are the things that this one is a part of.
    """
    if isinstance(thing, _LEAVES):
        return thing, []
    if any(thing is each for each in within):
        return "itself", []
    if isinstance(thing, Tensor):
        return "tensor", [thing]
    if isinstance(thing, nn.Module):
        # Numbers and names that their representation may leave out.
        plain = [
            (name, value)
            for module in thing.modules()
            for name, value in vars(module).items()
            if isinstance(value, _LEAVES) and name != "training"
        ]
        return (repr(thing), plain), [*thing.parameters(), *thing.buffers()]
    if hasattr(thing, "__array__") and not isinstance(thing, type):
        array = np.asarray(thing)
        if array.dtype.kind in "biuf":
            return "array", [torch.from_numpy(np.ascontiguousarray(array))]
        return repr(array.tolist()), []
    parts = _parts(thing)
    found = {key: identity(value, (*within, thing)) for key, value in parts.items()}
    tensors = [t for _, each in found.values() for t in each]
    name = getattr(thing, "__qualname__", type(thing).__qualname__)
    return (name, [(key, value) for key, (value, _) in found.items()]), tensors


def _parts(thing: Any) -> dict[Any, Any]:
    """Return what a thing consists of."""
    if sp.issparse(thing):
        found = sp.csr_array(thing)
        return {"shape": found.shape, "entries": [found.data, found.indices, found.indptr]}
    if isinstance(thing, Mapping):
        return dict(thing)
    if isinstance(thing, (list, tuple)):
        return dict(enumerate(thing))
    if isinstance(thing, (set, frozenset)):
        return dict(enumerate(sorted(map(repr, thing))))
    if isinstance(thing, functools.partial):
        return {"of": thing.func, "args": thing.args, "options": thing.keywords}
    if inspect.ismethod(thing):
        return {"of": thing.__func__, "self": thing.__self__}
    if inspect.isfunction(thing):
        cells = [cell.cell_contents for cell in thing.__closure__ or ()]
        return {
            "code": _code(thing.__code__),
            "values": [thing.__defaults__, thing.__kwdefaults__, cells],
        }
    return {} if isinstance(thing, type) else dict(getattr(thing, "__dict__", {}))


def _code(code: CodeType) -> list[object]:
    """Return what code does, but for where it stands."""
    constants = [_code(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return [code.co_code.hex(), list(code.co_names), constants]
