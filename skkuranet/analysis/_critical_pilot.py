"""Where to look for a transition, and why there may be none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from skkuranet._utils.given import as_array
from skkuranet._utils.messages import warn_caller
from skkuranet.coupling import product
from skkuranet.dynamics import Kuramoto
from skkuranet.oscillator_network import OscillatorNetwork

Array = NDArray[Any]

# Order that a pilot looks for. Fewer oscillators have about as much by chance.
_MIDDLE, _FEWEST = 0.5, 10
# Values of the pilot are powers of two times where it starts: at first, and then further up or
# down. Strong couplings take long.
_FIRST, _UP, _DOWN = range(-4, 5), range(5, 9), range(-5, -21, -1)
# Points between two of them.
_N_BETWEEN = 15
# A few oscillators apart from the others make no difference.
_WHOLE = 0.9
# Parts of larger networks are not looked for.
_MOST_NODES = 5000
# Quartiles of a normal distribution of unit width are so far apart.
_QUARTILES = 1.349


def check_can_synchronise(network: OscillatorNetwork) -> None:
    """Raise ValueError if stronger couplings cannot have a transition; warn of parts of a network.

    What is not certain is left to the pilot.
    """
    n = network.n_nodes
    if _are_alike(network):
        raise ValueError(
            "The critical coupling is 0: all oscillators have one frequency and no noise, so that "
            "the weakest attraction synchronises them. Give them frequencies that differ, or noise."
        )
    if n > _MOST_NODES:
        return
    K = as_array(network.coupling.dense().detach()).copy()
    np.fill_diagonal(K, 0.0)
    if not K.any():
        raise ValueError("K couples no oscillator to another, so that there is no transition.")
    if type(network.dynamics) is Kuramoto and network.delay is None and (K <= 0.0).all():
        raise ValueError(
            "All couplings in K are negative: oscillators repel one another, and the order "
            "parameter does not rise with coupling_scale. Change the sign of K."
        )
    n_parts, part = connected_components(K != 0.0)
    largest = int(np.bincount(part).max())
    if largest < _WHOLE * n:
        warn_caller(
            f"K falls into {n_parts} parts that are not connected, the largest of {largest} of "
            f"{n} oscillators. Each has a transition of its own: pass them one by one.",
            UserWarning,
        )


def check_are_many(network: OscillatorNetwork, *, searched: bool) -> None:
    """Refuse to search for a transition of few oscillators, and warn of one between given values.

    Raises
    ------
    ValueError
        If it is to be searched for.
    """
    n = network.n_nodes
    if n >= _FEWEST:
        return
    told = (
        f"A transition is that of many oscillators, {_FEWEST} at least: the order parameter of "
        f"n={n} is about {n**-0.5:.2g} by chance alone.{_instead(network)}"
    )
    if searched:
        raise ValueError(f"{told} To look between values of yours all the same, pass values.")
    warn_caller(told, UserWarning)


def _instead(network: OscillatorNetwork) -> str:
    """Return what to do instead for few oscillators."""
    told = (
        " To see where they lock, pass measure='frequency_spread' to sweep and look where it "
        "becomes 0."
    )
    if network.n_nodes == 1:
        return ""
    if network.n_nodes != 2 or type(network.dynamics) is not Kuramoto:
        return told
    K = as_array(network.coupling.dense().detach())
    apart, pull = float(np.ptp(_frequency(network))), float(K[0, 1] + K[1, 0])
    if pull <= 0.0:
        return " These two do not attract each other."
    return (
        " Two lock at coupling_scale = |difference of frequencies| / (K[0, 1] + K[1, 0]) = "
        f"{apart / pull:.6g}."
    )


def _frequency(network: OscillatorNetwork) -> Array:
    """Return the frequency of each oscillator; 0 where the equation has none."""
    given = network.dynamics.parameters.get("frequency", torch.zeros(()))
    return np.broadcast_to(as_array(given.detach()), (network.n_nodes,))


def _are_alike(network: OscillatorNetwork) -> bool:
    """Say whether the phase oscillators have the same parameters, and nothing drives them apart."""
    if type(network.dynamics) is not Kuramoto or network.delay is not None:
        return False
    if network.noise is not None and bool((network.noise != 0).any()):
        return False
    return all(bool((p == p.flatten()[0]).all()) for p in network.dynamics.parameters.values())


def start_of(network: OscillatorNetwork) -> float:
    """Return about where phase oscillators synchronise, by how they differ and how they pull."""
    ones = torch.ones(1, network.n_nodes, dtype=network.coupling.dtype)
    pull = float(product(network.coupling, ones.to(network.coupling.device)).mean())
    low, high = np.quantile(_frequency(network), (0.25, 0.75))
    spread = float(high - low) / _QUARTILES
    return 1.6 * spread / pull if spread > 0.0 and pull > 0.0 else 1.0


def middle_of(squares: Callable[[Array], Array], parameter: str, start: float) -> float:
    """Return about the value at which the order parameter is a half.

    ``squares`` returns its mean square at each of several values.
    """

    def first_above(values: Array) -> int:
        above = squares(values) > _MIDDLE**2
        return int(np.argmax(above)) if above.any() else len(above)

    values = start * 2.0 ** np.array(_FIRST, dtype=float)
    k = first_above(values)
    # One by one, as steps of the strongest couplings are the shortest.
    for power in _UP if k == len(values) else _DOWN if k == 0 else ():
        value = start * 2.0**power
        is_above = bool(squares(np.array([value]))[0] > _MIDDLE**2)
        if is_above == (power > 0):
            values, k = np.array([value / 2.0, value] if is_above else [value, value * 2.0]), 1
            break
    if not 0 < k < len(values):
        side, way = ("above", "down") if k == 0 else ("below", "up")
        reached = start * 2.0 ** (_DOWN[-1] if k == 0 else _UP[-1])
        raise ValueError(
            f"The order parameter stays {side} {_MIDDLE} for {parameter} {way} to {reached:.3g}. "
            "Pass values, or see whether oscillators differ in frequency and attract one another."
        )
    between = np.geomspace(values[k - 1], values[k], _N_BETWEEN + 2)
    at = first_above(between[1:-1])
    return float(np.sqrt(between[at] * between[at + 1]))
