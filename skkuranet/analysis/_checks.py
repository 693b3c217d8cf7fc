"""What is asked of numbers that several analyses take."""

from __future__ import annotations

from typing import Any

from skkuranet._utils.messages import plain
from skkuranet._utils.scalars import positive_number, whole_number
from skkuranet.oscillator_network import OscillatorNetwork

# Nobody waits for more.
_MOST = 10**9


def read_counts(*, least: int = 1, **counts: Any) -> tuple[int, ...]:
    """Return numbers of things, which lie between ``least`` and a thousand million.

    Raises
    ------
    TypeError
        If one is no number.
    ValueError
        If one is out of range.
    """
    return tuple(
        whole_number(count, name, least=least, most=_MOST) for name, count in counts.items()
    )


def read_positive(**numbers: Any) -> tuple[float, ...]:
    """Return numbers, which are above 0.

    Raises
    ------
    TypeError
        If one is no number.
    ValueError
        If it is not above 0.
    """
    return tuple(positive_number(number, name, finite=False) for name, number in numbers.items())


def check_network(network: Any) -> None:
    """Make sure that it is a network.

    Raises
    ------
    TypeError
        If it is not.
    """
    if not isinstance(network, OscillatorNetwork):
        raise TypeError(
            "network must be a skkuranet.OscillatorNetwork, got "
            f"{type(network).__name__} {plain(network)[:60]}."
        )
