"""Tensors and text in one file, in the format of safetensors."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from skkuranet._utils.whole_file import whole_file

# The format is open: a length, a header in JSON, and the bytes of the tensors
# (https://huggingface.co/docs/safetensors/#format).
_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
_NAMES = {np.dtype(code): name for name, code in _TYPES.items()}
# A longer header is no header of ours.
_LONGEST = 1 << 28


def write(path: Any, tensors: Mapping[str, np.ndarray], text: Mapping[str, str]) -> None:
    """Write arrays and text; a file from before is replaced by a whole one or stays as it was."""
    header: dict[str, Any] = {}
    bodies, end = [], 0
    for name, array in tensors.items():
        array = np.asarray(array)
        body = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        header[name] = {
            "dtype": _NAMES[array.dtype.newbyteorder("<")],
            "shape": list(array.shape),
            "data_offsets": [end, end + len(body)],
        }
        bodies.append(body)
        end += len(body)
    header["__metadata__"] = {**text, "sha256": _digest(header, text, bodies)}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with whole_file(path) as file:
        file.writelines((len(head).to_bytes(8, "little"), head, *bodies))


def read(path: Any) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays and the text of a file; raise ValueError if it is damaged or none."""
    content = Path(path).read_bytes()
    damaged = f"{os.fspath(path)!r} is damaged, or no file of skkuranet.save."
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or not 2 <= length <= min(_LONGEST, len(content) - 8):
        raise ValueError(damaged)
    try:
        header = json.loads(content[8 : 8 + length])
        text = header.pop("__metadata__")
        expected = text.pop("sha256")
        body = memoryview(content)[8 + length :]
        parts = [body[slice(*entry["data_offsets"])] for entry in header.values()]
        if _digest(header, text, parts) != expected or sum(map(len, parts)) != len(body):
            raise ValueError(damaged)
        tensors = {
            name: np.frombuffer(part, _TYPES[entry["dtype"]]).reshape(entry["shape"]).copy()
            for (name, entry), part in zip(header.items(), parts, strict=True)
        }
    except (AttributeError, KeyError, TypeError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(damaged) from error
    return tensors, text


def _digest(header: Mapping[str, Any], text: Mapping[str, str], bodies: Any) -> str:
    """Return a checksum of all that a file holds."""
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    digest = hashlib.sha256(json.dumps([entries, dict(text)], sort_keys=True).encode())
    for body in bodies:
        digest.update(body)
    return digest.hexdigest()
