"""Lines that tell how far a long computation is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# Seconds between lines where none were asked for.
_SECONDS = 10.0


def told(
    items: Iterable[T], total: int, name: str, unit: str, verbose: bool | int | None
) -> Iterator[T]:
    """Hand on items one by one, and tell how many of them are done.

    ``verbose`` prints a line for each item. None prints one every ten seconds, to standard error.
    """
    began = last = time.monotonic()
    for n_done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if verbose:
            print(f"[{name}] {n_done} of {total} {unit}")
        elif verbose is None and now >= last + _SECONDS and n_done < total:
            last = now
            left = (now - began) * (total / n_done - 1.0)
            print(
                f"[{name}] {n_done} of {total} {unit}, about {left:.0f} s left. "
                "verbose=0 is silent.",
                file=sys.stderr,
            )
