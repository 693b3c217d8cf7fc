"""States in which a network stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from skkuranet._utils.given import as_array
from skkuranet._utils.messages import warn_caller
from skkuranet._utils.scalars import positive_number
from skkuranet._utils.tools import random_source
from skkuranet.analysis._alike import are_alike, with_wrapped_phases
from skkuranet.analysis._checks import read_counts
from skkuranet.analysis._field import Field, field_of
from skkuranet.analysis._jacobian import MOST_DENSE, Jacobian, read_one
from skkuranet.analysis._newton import Rest, find_rest, linearized
from skkuranet.coupling import SparseCoupling
from skkuranet.dynamics import integrate
from skkuranet.oscillator_network import OscillatorNetwork

# Steps that a start settles for, before it is tried again.
_SETTLING = 500
# Eigenvalues of modes that cost nothing come out so small, in units of the largest.
_ROUNDING = 1e-7


@dataclass(frozen=True, repr=False)
class FixedPoint:
    """A state in which a network stays, but for a rotation of all units at one speed.

    Attributes
    ----------
    state : ndarray of shape (state_shape, n)
        The state.
    phases : ndarray of shape (n,) or None
        Phases in (−π, π]; None where units have none.
    speed : float
        Common speed, in radians per unit of time; 0 where the equation cannot turn as a whole.
    residual : float
        Largest rate that is left, in units of the state per unit of time.
    eigenvalues : ndarray of shape (k,)
        Leading eigenvalues of the Jacobian in the frame of the state, without the zero of a common
        rotation.
    n_unstable : int or None
        How many directions grow; of large networks, those among ``eigenvalues``. None where these
        could not be found.
    n_starts : int
        How many starts led here.

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import fixed_points
    >>> network = OscillatorNetwork([[0.0, 1.0], [1.0, 0.0]], frequency=[0.2, 0.8])
    >>> point = fixed_points(network, random_state=0)[0]
    >>> point.stable, round(point.speed, 3)
    (True, 0.5)
    >>> float((point.phases[1] - point.phases[0]).round(3))
    0.305
    """

    state: NDArray[np.float64]
    phases: NDArray[np.float64] | None
    speed: float
    residual: float
    eigenvalues: NDArray[Any]
    n_unstable: int | None
    n_starts: int = 1

    @property
    def stable(self) -> bool | None:
        """Whether no small perturbation grows, to first order; None where that is not known."""
        return None if self.n_unstable is None else self.n_unstable == 0

    def __repr__(self) -> str:
        number = self.n_unstable
        said = "stable" if self.stable else f"{number} unstable direction{'s' * (number != 1)}"
        parts = ["of unknown stability" if number is None else said]
        if self.phases is not None:
            parts.append(f"R={np.abs(np.exp(1j * self.phases).mean()):.3f}")
        if self.speed:
            parts.append(f"speed={self.speed:.4g}")
        return f"FixedPoint({', '.join(parts)})"


def fixed_points(
    network: OscillatorNetwork,
    *,
    n_starts: int = 10,
    initial_states: Any = None,
    random_state: Any = None,
    tol: float = 1e-9,
    max_iter: int = 100,
    n_eigenvalues: int = 6,
) -> list[FixedPoint]:
    r"""Find states at rest, stable and unstable ones, by Newton's method.

    Where the equation can be seen from a frame that turns, these are states that turn as a whole,
    and the speed is found with them. Each random start is tried twice: as it is, and after it has
    moved for a while, which leads to stable states. The method is that of Levenberg and Marquardt,
    with a matrix up to 2,000 numbers of state, and beyond by products with the couplings alone.

    Parameters
    ----------
    network : OscillatorNetwork
        One network without delays and noise.
    n_starts : int, default=10
        Number of random starts.
    initial_states : array-like of shape (k, state_shape, n) or (state_shape, n), default=None
        Where to start instead, as it is.
    random_state : int, RandomState instance, Generator or None, default=None
        Source of the starts.
    tol : float, default=1e-9
        Largest rate that counts as rest.
    max_iter : int, default=100
        Steps of the method from each start.
    n_eigenvalues : int, default=6
        How many leading eigenvalues are returned.

    Returns
    -------
    list of FixedPoint
        The most stable first; one of those that are equal up to a common rotation.

    Raises
    ------
    TypeError
        If it is no network.
    ValueError
        If there are several networks, delays or noise, or something does not fit.

    Warns
    -----
    UserWarning
        If no start led to rest, or it was interrupted: the result is what was found. If the
        stability of a state of a large network could not be found.

    Examples
    --------
    Two oscillators lock at the difference arcsin(0.6 / 2), and at its complement, which is not
    stable:

    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import fixed_points
    >>> network = OscillatorNetwork([[0.0, 1.0], [1.0, 0.0]], frequency=[0.2, 0.8])
    >>> fixed_points(network, random_state=0)
    [FixedPoint(stable, R=0.988, speed=0.5), FixedPoint(1 unstable direction, R=0.152, speed=0.5)]
    """
    field = field_of(network, "fixed_points")
    n_starts, max_iter, n_eigenvalues = read_counts(
        n_starts=n_starts, max_iter=max_iter, n_eigenvalues=n_eigenvalues
    )
    tol = positive_number(tol, "tol", finite=False)
    found: list[tuple[Rest, int]] = []
    closest, n_tried = np.inf, 0
    try:
        for start in _starts(network, field, n_starts, initial_states, random_state):
            rest = find_rest(field, start, tol, max_iter)
            n_tried, closest = n_tried + 1, min(closest, rest.residual)
            if rest.residual <= tol:
                _add(field, found, rest)
    except KeyboardInterrupt:
        warn_caller(
            f"fixed_points was interrupted after {n_tried} starts; the result is what they found.",
            UserWarning,
        )
    if not found and n_tried:
        warn_caller(
            f"None of {n_tried} starts came to rest: the closest still changes by {closest:.2g} "
            f"per unit of time, more than tol={tol:g}. {_advice(field)}",
            UserWarning,
        )
    made = [_described(network, field, rest, count, n_eigenvalues) for rest, count in found]
    return sorted(made, key=_instability)


def _advice(field: Field) -> str:
    """Say what may help where there is no rest."""
    coupling, n_parts = field.coupling, 1
    if isinstance(coupling, SparseCoupling):
        edges = as_array(coupling.targets), as_array(coupling.sources)
        graph = coo_array((np.ones(len(edges[0])), edges), shape=(field.n, field.n))
        n_parts = connected_components(graph)[0]
    elif field.n < MOST_DENSE:
        n_parts = connected_components(as_array(coupling.dense()) != 0)[0]
    if n_parts > 1:
        return (
            f"K falls into {n_parts} parts that do not act on one another, and which may turn at "
            "speeds of their own: make a network of each."
        )
    return "There may be no such state; stronger couplings, more n_starts or max_iter may find one."


def _instability(point: FixedPoint) -> tuple[bool, int, list[float]]:
    return point.n_unstable is None, point.n_unstable or 0, list(point.eigenvalues.real[:1])


def _starts(
    network: OscillatorNetwork, field: Field, n_starts: int, given: Any, random_state: Any
) -> Iterator[Tensor]:
    """Return given states, or random ones as they are and after they have settled."""
    if given is not None:
        states = network.read_state(given, "initial_states").double()
        shape = states.shape[states.ndim - 1 - len(network.dynamics.state_shape) :]
        yield from states.reshape(-1, *shape)
        return
    own = isinstance(random_state, np.random.Generator)
    source = random_state if own else random_source(random_state)
    for _ in range(n_starts):
        state = read_one(network, network.initial_state(source), "initial_states")
        yield state
        yield _settled(field, state)


def _settled(field: Field, state: Tensor) -> Tensor:
    """Return where a state gets to in a few hundred steps that its fastest rates allow."""
    _, blocks = field.linearize(state)
    rows = blocks.own.new_ones((1, *blocks.own.shape[-2:]))
    rows[..., ::2] = -1.0
    speed = 1.0
    with torch.no_grad():
        for _ in range(10):
            rows = blocks.apply(field.coupling, rows)
            speed = float(rows.norm()) or 1.0
            rows = rows / speed
    step = min(0.1, 0.5 / speed)
    path = integrate(
        field.coupling, state, field.dynamics,
        step_size=step, n_steps=_SETTLING, save_from=_SETTLING, solver="rk4",
    )  # fmt: skip
    return path.states[-1].detach()


def _add(field: Field, found: list[tuple[Rest, int]], rest: Rest) -> None:
    """Add a state, or count it where it is known."""
    for number, (known, count) in enumerate(found):
        if are_alike(field, known.state, rest.state):
            found[number] = (min(known, rest, key=lambda one: one.residual), count + 1)
            return
    found.append((rest, 1))


def _described(
    network: OscillatorNetwork, field: Field, rest: Rest, count: int, n_eigenvalues: int
) -> FixedPoint:
    blocks = linearized(field, rest.state, rest.speed, field.tangents(rest.state))
    found = Jacobian(field.coupling, blocks, network)
    turns = field.turning(rest.speed) is not None
    size = found.shape[0]
    try:
        values = found.eigenvalues(None if size < MOST_DENSE else n_eigenvalues + turns)
    except RuntimeError as error:
        warn_caller(f"Stability of a state is not known: {error}", UserWarning)
        values = np.zeros(0)
    known = len(values) > 0
    if turns and known:
        values = np.delete(values, np.abs(values).argmin())
    scale = max(float(blocks.own.abs().max()), float(np.abs(values).max(initial=0.0)))
    state = with_wrapped_phases(field, field.dynamics.from_frame(rest.state, rest.speed))
    phases = field.dynamics.phases(state)
    return FixedPoint(
        as_array(state),
        None if phases is None else as_array(phases),
        rest.speed,
        rest.residual,
        values[:n_eigenvalues],
        int((values.real > _ROUNDING * scale).sum()) if known else None,
        count,
    )
