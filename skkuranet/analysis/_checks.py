"""What is asked of numbers that several analyses take."""

from __future__ import annotations

from skkuranet._utils.messages import plain


def check_counts(**counts: int) -> None:
    """Make sure that numbers of things are positive.

    Raises
    ------
    ValueError
        If one is not.
    """
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {plain(count)}.")


def check_positive(**numbers: float) -> None:
    """Make sure that numbers are above 0.

    Raises
    ------
    ValueError
        If one is not.
    """
    for name, number in numbers.items():
        if not number > 0.0:
            raise ValueError(f"{name} must be above 0, got {plain(number)}.")
