"""Files that are there whole or not at all."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any


@contextmanager
def whole_file(path: Any) -> Iterator[IO[bytes]]:
    """Write a file that takes the place of one from before only when it is whole."""
    path = Path(path)
    # A name of its own, as other processes may write beside this one.
    handle, part = tempfile.mkstemp(".part", f"{path.name}.", path.parent)
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        # An interruption may come just after it has got its name.
        Path(part).unlink(missing_ok=True)


def remove_parts(path: Path) -> None:
    """Delete what processes that were killed have left of a file that they were writing."""
    for part in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        # Where it can not be deleted, somebody else still writes to it.
        with suppress(OSError):
            part.unlink()
