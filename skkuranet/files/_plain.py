"""Objects as JSON and arrays, and back, by a list of classes that may be made."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from skkuranet._utils.messages import plain

# Modules of torch that couplings are made of.
_LAYERS = {
    "torch.nn.modules.activation",
    "torch.nn.modules.container",
    "torch.nn.modules.dropout",
    "torch.nn.modules.linear",
    "torch.nn.modules.normalization",
}
_OURS = "skkuranet."
# Of a module, what is neither data nor its own.
_OF_TORCH = set(vars(nn.Module())) - {"training", "_parameters", "_buffers", "_modules"}


class Writer:
    """Turns objects into what JSON can hold; arrays are put aside, each once."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        #: Names of classes and functions that are not ours.
        self.foreign: list[str] = []
        self._seen: dict[int, tuple[object, Any]] = {}

    def plain(self, thing: Any, where: str) -> Any:
        """Return a thing as JSON; ``where`` it stands, for errors."""
        if thing is None or isinstance(thing, (bool, str)) or type(thing) is int:
            return thing
        if type(thing) is float:
            return thing if math.isfinite(thing) else {"float": repr(thing)}
        # What is shared stays shared.
        known = self._seen.get(id(thing))
        if known is not None:
            return known[1]
        made = self._made(thing, where)
        if isinstance(thing, (np.ndarray, Tensor, nn.Module)):
            self._seen[id(thing)] = thing, made
        return made

    def _made(self, thing: Any, where: str) -> Any:
        if isinstance(thing, (list, torch.Size, tuple, set, frozenset)):
            name = next(name for name, kind in _SEQUENCES.items() if isinstance(thing, kind))
            if type(thing) not in (_SEQUENCES[name], torch.Size):
                raise TypeError(f"{where} is a {type(thing).__name__}, which cannot be saved.")
            items = [self.plain(item, f"{where}[{i}]") for i, item in enumerate(thing)]
            return items if name == "list" else {name: items}
        if isinstance(thing, Mapping):
            return {
                "dict": [
                    [self.plain(k, where), self.plain(v, f"{where}[{k!r}]")]
                    for k, v in thing.items()
                ]
            }
        if isinstance(thing, np.generic):
            return {"scalar": self._array(np.asarray(thing), where)}
        if isinstance(thing, np.ndarray):
            return {"array": self._array(thing, where)}
        if isinstance(thing, Tensor):
            return self._tensor(thing, where)
        if sp.issparse(thing):
            found = sp.csr_array(thing)
            parts = [found.data, found.indices, found.indptr]
            of_matrix = isinstance(thing, sp.spmatrix)
            return {
                "sparse": [self.plain(part, where) for part in parts],
                "shape": list(thing.shape),
                "matrix": of_matrix,
            }
        if isinstance(thing, (torch.dtype, torch.device)):
            kind = "torch_dtype" if isinstance(thing, torch.dtype) else "torch_device"
            return {kind: str(thing).removeprefix("torch.")}
        if isinstance(thing, type) or (callable(thing) and hasattr(thing, "__qualname__")):
            return {"name": self._name(thing, where)}
        return self._object(thing, where)

    def _array(self, array: np.ndarray, where: str) -> Any:
        if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8:
            name = f"array_{len(self.arrays)}"
            self.arrays[name] = array
            return name
        if array.dtype.kind in "OU":
            items = [self.plain(item, where) for item in array.ravel().tolist()]
            return {"items": items, "shape": list(array.shape), "dtype": array.dtype.str}
        raise TypeError(f"{where} is an array of {array.dtype}, which cannot be saved.")

    def _tensor(self, tensor: Tensor, where: str) -> Any:
        if tensor.layout != torch.strided or tensor.is_complex():
            raise TypeError(f"{where} is a tensor of a kind that cannot be saved.")
        values = tensor.detach().cpu()
        half = values.dtype is torch.bfloat16
        return {
            "tensor": self._array((values.float() if half else values).numpy(), where),
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "parameter": isinstance(tensor, nn.Parameter),
            "requires_grad": tensor.requires_grad,
        }

    def _object(self, thing: Any, where: str) -> Any:
        name = self._name(type(thing), where)
        if isinstance(thing, nn.Module):
            state = {k: v for k, v in vars(thing).items() if k not in _OF_TORCH}
        elif hasattr(thing, "__dict__"):
            # Without what an object makes anew.
            state = dict(thing.__getstate__() or {})
            for version in ("_sklearn_version", "_skkuranet_version"):
                state.pop(version, None)
        else:
            raise TypeError(f"{where} is {plain(thing)[:60]}, which cannot be saved.")
        return {
            "class": name,
            "state": {k: self.plain(v, f"{where}.{k}") for k, v in state.items()},
        }

    def _name(self, thing: Any, where: str) -> str:
        module, name = getattr(thing, "__module__", None) or "", thing.__qualname__
        if "<" in name or not module:
            raise TypeError(
                f"{where} is {name}, which has no name of its own that a file could give. Define "
                "it at the top of a module."
            )
        full = f"{module}:{name}"
        if not (module.startswith(_OURS) or module in _LAYERS) and full not in self.foreign:
            self.foreign.append(full)
        return full


def as_plain(thing: Any, where: str, *, own: bool = False) -> tuple[Any, dict[str, np.ndarray]]:
    """Return a thing as JSON and arrays; raise TypeError if it is not ``own`` where that counts."""
    writer = Writer()
    content = writer.plain(thing, where)
    if own and writer.foreign:
        raise TypeError(f"{where} needs {', '.join(writer.foreign)}, which are not of skkuranet.")
    return content, writer.arrays


class Reader:
    """Makes objects of what a :class:`Writer` has left."""

    def __init__(self, arrays: Mapping[str, np.ndarray], trusted: Iterable[Any]) -> None:
        self.arrays = arrays
        self.trusted = {f"{thing.__module__}:{thing.__qualname__}": thing for thing in trusted}
        self._made: dict[str, Any] = {}

    def thing(self, found: Any) -> Any:
        """Return the object."""
        if isinstance(found, list):
            return [self.thing(item) for item in found]
        if not isinstance(found, dict):
            return found
        kind = next(iter(found))
        if kind in _SEQUENCES:
            return _SEQUENCES[kind](self.thing(item) for item in found[kind])
        return _KINDS[kind](self, found)

    def _float(self, found: Any) -> float:
        return float(found["float"])

    def _dict(self, found: Any) -> dict[Any, Any]:
        return {self.thing(key): self.thing(value) for key, value in found["dict"]}

    def _scalar(self, found: Any) -> Any:
        return self._values(found["scalar"])[()]

    def _array(self, found: Any) -> np.ndarray:
        return self._once(found["array"], self._values)

    def _values(self, content: Any) -> np.ndarray:
        if isinstance(content, str):
            return self.arrays[content]
        dtype = np.dtype(content["dtype"])
        if dtype.kind not in "OU":
            raise ValueError(f"A list of {dtype} is none of ours.")
        made = np.empty(len(content["items"]), dtype)
        made[:] = [self.thing(item) for item in content["items"]]
        return made.reshape(content["shape"])

    def _once(self, name: Any, make: Any) -> Any:
        if not isinstance(name, str):
            return make(name)
        if name not in self._made:
            self._made[name] = make(name)
        return self._made[name]

    def _tensor(self, found: Any) -> Tensor:
        def make(name: str) -> Tensor:
            tensor = torch.from_numpy(self.arrays[name]).to(_dtype(found["dtype"]))
            if found["parameter"]:
                return nn.Parameter(tensor, requires_grad=found["requires_grad"])
            return tensor.requires_grad_(found["requires_grad"])

        return self._once(found["tensor"], make)

    def _sparse(self, found: Any) -> Any:
        parts = tuple(self.thing(part) for part in found["sparse"])
        make = sp.csr_matrix if found["matrix"] else sp.csr_array
        return make(parts, shape=tuple(found["shape"]))

    def _torch_dtype(self, found: Any) -> torch.dtype:
        return _dtype(found["torch_dtype"])

    def _torch_device(self, found: Any) -> torch.device:
        return torch.device(found["torch_device"])

    def _name(self, found: Any) -> Any:
        thing = self._find(found["name"])
        if not isinstance(thing, type) and found["name"] not in self.trusted:
            raise ValueError(f"{found['name']} is no class.")
        return thing

    def _class(self, found: Any) -> Any:
        kind = self._find(found["class"])
        if not isinstance(kind, type):
            raise ValueError(f"{found['class']} is no class.")
        made = kind.__new__(kind)
        if isinstance(made, nn.Module):
            nn.Module.__init__(made)
        # No code of the class runs.
        vars(made).update({name: self.thing(value) for name, value in found["state"].items()})
        return made

    def _find(self, full: str) -> Any:
        if full in self.trusted:
            return self.trusted[full]
        module, _, name = full.partition(":")
        if not (module.startswith(_OURS) or module in _LAYERS):
            raise ValueError(
                f"The file needs {full.replace(':', '.')}, which is not of skkuranet. If you trust "
                f"it, import it and pass trusted=[{name}]."
            )
        try:
            thing: Any = importlib.import_module(module)
            for part in name.split("."):
                thing = getattr(thing, part)
        except (AttributeError, ImportError) as error:
            raise ValueError(
                f"The file needs {full.replace(':', '.')}, which this version of skkuranet does "
                "not have."
            ) from error
        if getattr(thing, "__module__", None) != module:
            raise ValueError(f"{full} is not defined there.")
        return thing


_SEQUENCES: dict[str, type] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_KINDS: dict[str, Callable[[Reader, Any], Any]] = {
    "array": Reader._array,
    "class": Reader._class,
    "dict": Reader._dict,
    "float": Reader._float,
    "name": Reader._name,
    "scalar": Reader._scalar,
    "sparse": Reader._sparse,
    "tensor": Reader._tensor,
    "torch_device": Reader._torch_device,
    "torch_dtype": Reader._torch_dtype,
}


def _dtype(name: str) -> torch.dtype:
    dtype = getattr(torch, name)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"{name} is no type of numbers.")
    return dtype
