"""Trajectories in files and in tables of other libraries."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from skkuranet._utils.whole_file import whole_file

if TYPE_CHECKING:
    from skkuranet.dynamics._trajectory import Trajectory

# Of the file, in case it changes.
_FORMAT = "skkuranet trajectory 1"
# What NumPy and zipfile raise where bytes are not what they were.
_DAMAGED = (
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def save(path: Trajectory[Any], file: Any) -> None:
    """Write a trajectory to a NumPy archive, in place of one from before only when it is whole."""
    path = path.numpy()
    arrays: dict[str, Any] = {
        "format": np.array(_FORMAT),
        "times": path.times,
        "states": path.states,
    }
    if path.phases is not None and path.phases is not path.states:
        arrays["phases"] = path.phases
    arrays["has_phases"] = np.array(path.phases is not None)
    if path.names is not None:
        names = [name.item() if isinstance(name, np.generic) else name for name in path.names]
        try:
            arrays["names"] = np.array(json.dumps(names))
        except TypeError as error:
            raise TypeError(
                "names of nodes must be text or numbers to be saved; set names=None."
            ) from error
    with whole_file(file) as stream:
        np.savez_compressed(stream, **arrays)


def load(file: Any) -> dict[str, Any]:
    """Return the fields of a trajectory that was saved."""
    # A number would be a file that is open already, and closed here.
    with open(os.fspath(file), "rb") as stream:
        try:
            found = _arrays(stream)
        except _DAMAGED as error:
            raise ValueError(f"{file} is damaged, or no file of a trajectory.") from error
    if str(found.get("format")) != _FORMAT:
        raise ValueError(f"{file} holds no trajectory of a known format.")
    try:
        states = found["states"]
        return {
            "times": found["times"],
            "phases": found.get("phases", states) if found["has_phases"] else None,
            "states": states,
            "names": json.loads(str(found["names"])) if "names" in found else None,
        }
    except (KeyError, ValueError) as error:
        raise ValueError(f"{file} is damaged, or no file of a trajectory.") from error


def _arrays(stream: Any) -> dict[str, Any]:
    with np.load(stream, allow_pickle=False) as found:
        if not isinstance(found, np.lib.npyio.NpzFile):
            raise ValueError("It is no archive.")
        return dict(found)


def to_dataframe(path: Trajectory[Any]) -> Any:
    """Return phases, or states where there are none, as a pandas frame."""
    import pandas

    path = path.numpy()
    values = path.states if path.phases is None else path.phases
    *inner, n = values.shape[1:]
    names = list(range(n)) if path.names is None else list(path.names)
    levels = [range(size) for size in inner]
    if inner:
        labels = [*(f"axis_{axis}" for axis in range(len(inner))), "node"]
        columns: Any = pandas.MultiIndex.from_product([*levels, names], names=labels)
    else:
        columns = pandas.Index(names, name="node")
    times = pandas.Index(path.times, name="time")
    return pandas.DataFrame(values.reshape(len(values), -1), index=times, columns=columns)


def to_xarray(path: Trajectory[Any]) -> Any:
    """Return times, phases and states as an xarray dataset."""
    try:
        import xarray
    except ImportError as error:
        raise ImportError("to_xarray needs xarray: pip install xarray.") from error
    path = path.numpy()
    n = path.states.shape[-1]
    found = {}
    n_batch = path.states.ndim - 2 if path.phases is None else path.phases.ndim - 2
    batch = [f"batch_{axis}" for axis in range(n_batch)]
    if path.phases is not None:
        found["phases"] = (["time", *batch, "node"], path.phases)
    if path.states is not path.phases:
        state = [f"state_{axis}" for axis in range(path.states.ndim - 2 - n_batch)]
        found["states"] = (["time", *batch, *state, "node"], path.states)
    names = list(range(n)) if path.names is None else list(path.names)
    return xarray.Dataset(found, coords={"time": path.times, "node": names})
