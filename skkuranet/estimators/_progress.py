"""Lines that tell how far a fit is."""

from __future__ import annotations

import sys
import time

# Iterations between lines where they are asked for; seconds between them where they are not.
_EVERY, _SECONDS = 50, 10.0


class Progress:
    """Prints how far a fit is.

    With ``verbose`` it prints the loss every 50 iterations. None prints how far the fit is every
    ten seconds, to standard error; a fit of less than ten says nothing.
    """

    def __init__(self, verbose: bool | int | None, name: str, longest: int) -> None:
        self.verbose, self.name, self.longest = verbose, name, longest
        self.began = self.last = time.monotonic()

    def tell(self, n_done: int, loss: float) -> None:
        """Take note of the iterations done and the last loss, and print what is due."""
        if self.verbose:
            if n_done % _EVERY == 0:
                print(f"[{self.name}] iteration {n_done}, loss {loss:.4f}")
        elif self.verbose is None and time.monotonic() >= self.last + _SECONDS:
            self.last = time.monotonic()
            left = (self.last - self.began) * (self.longest / n_done - 1.0)
            print(
                f"[{self.name}] iteration {n_done} of {self.longest} at most, loss {loss:.4f}, "
                f"{left:.0f} s left at most. verbose=0 is silent.",
                file=sys.stderr,
            )


class CountedProgress:
    """Prints how many of several things are done.

    With ``verbose`` it prints a line for each, to standard error. None prints one every ten
    seconds; what takes less than ten says nothing.
    """

    def __init__(self, verbose: bool | int | None, name: str, what: str, total: int) -> None:
        self.verbose, self.name, self.what, self.total = verbose, name, what, total
        self.last = time.monotonic()

    def tell(self, n_done: int) -> None:
        """Take note of how many are done, and print what is due."""
        due = self.verbose is None and time.monotonic() >= self.last + _SECONDS
        if self.verbose or due:
            self.last = time.monotonic()
            print(f"[{self.name}] {self.what} {n_done} of {self.total}", file=sys.stderr)
