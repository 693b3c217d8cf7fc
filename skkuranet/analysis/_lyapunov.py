"""How fast small differences between states grow or shrink."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skkuranet._utils.messages import plain, warn_caller
from skkuranet._utils.tools import random_source
from skkuranet.analysis._field import Blocks, Field, check_memory, field_of
from skkuranet.analysis._jacobian import read_one
from skkuranet.coupling import DenseCoupling
from skkuranet.dynamics import integrate
from skkuranet.oscillator_network import OscillatorNetwork

if TYPE_CHECKING:
    import pandas as pd

# Up to so many numbers of state, the matrices of many steps are multiplied at once.
_SMALL = 64
# Numbers of the derivatives that are made ahead.
_NUMBERS_AHEAD = 1 << 20
# Parts of a run whose means tell how sure the whole is.
_N_PARTS = 10
# Weights of the stages of the classical Runge-Kutta method, and where each is taken.
_WEIGHTS, _PLACES = (1 / 6, 1 / 3, 1 / 3, 1 / 6), (0.5, 0.5, 1.0)


@dataclass(frozen=True, repr=False)
class LyapunovSpectrum:
    """Lyapunov exponents of a network, the largest first.

    Attributes
    ----------
    exponents : ndarray of shape (k,)
        Mean rates of growth, per unit of time.
    standard_errors : ndarray of shape (k,)
        From the means of ten parts of the run; NaN where there are fewer than ten.
    times : ndarray of shape (T,)
        Units of time since counting began.
    history : ndarray of shape (T, k)
        The exponents as they were until then.
    last_state : ndarray of shape (state_shape, n)
        Where the run ended, to go on from.
    """

    exponents: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    times: NDArray[np.float64]
    history: NDArray[np.float64]
    last_state: NDArray[np.float64]

    @property
    def kaplan_yorke_dimension(self) -> float:
        """Dimension of the attractor (Kaplan and Yorke 1979); infinite if k is too small."""
        sums = np.cumsum(self.exponents)
        falls = np.flatnonzero(sums < 0)
        if not len(falls):
            return math.inf
        first = int(falls[0])
        return 0.0 if first == 0 else first + float(sums[first - 1] / -self.exponents[first])

    def to_dataframe(self) -> pd.DataFrame:
        """Return the exponents through time as a table.

        Returns
        -------
        pandas.DataFrame of shape (T, k)
            Indexed by time.
        """
        import pandas as pd

        return pd.DataFrame(self.history, index=pd.Index(self.times, name="time"))

    def __repr__(self) -> str:
        shown = ", ".join(f"{value:.3g}" for value in self.exponents[:3])
        more = ", ..." if len(self.exponents) > 3 else ""
        time = self.times[-1] if len(self.times) else 0.0
        return f"LyapunovSpectrum({len(self.exponents)} exponents in time {time:g}: {shown}{more})"


def lyapunov_spectrum(
    network: OscillatorNetwork,
    n_exponents: int | None = None,
    *,
    n_steps: int = 1000,
    step_size: float = 0.1,
    transient: int = 1000,
    qr_every: int = 10,
    initial_state: Any = None,
    random_state: Any = None,
    progress: Callable[[int], object] | None = None,
) -> LyapunovSpectrum:
    """Measure Lyapunov exponents along a trajectory.

    Small differences are carried along by products with the exact Jacobian at each stage of the
    classical Runge-Kutta method, all at once, and made orthogonal now and then (Benettin and others
    1980). Of few numbers of state, the matrices of many steps are multiplied at once.

    Parameters
    ----------
    network : OscillatorNetwork
        One network without delays and noise.
    n_exponents : int, default=None
        How many, from the largest on; None for all.
    n_steps : int, default=1000
        Steps that are counted.
    step_size : float, default=0.1
        Step in units of time.
    transient : int, default=1000
        Steps before; differences are carried along in the last of them, a tenth of ``n_steps``.
    qr_every : int, default=10
        Steps from one orthogonalisation to the next.
    initial_state : array-like of shape (state_shape, n), or (n,) of phases, default=None
        Where to start; None draws it at random.
    random_state : int, RandomState instance or None, default=None
        Source of the initial state and of the first differences.
    progress : callable, default=None
        Called with the number of counted steps done, now and then.

    Returns
    -------
    LyapunovSpectrum
        After Ctrl+C, what there was until then.

    Raises
    ------
    TypeError
        If it is no network.
    ValueError
        If there are several networks, delays or noise, something does not fit, or it takes more
        memory than the network may.

    Warns
    -----
    UserWarning
        If it was interrupted.

    Examples
    --------
    Differences between oscillators that lock die out, a common rotation stays:

    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import lyapunov_spectrum
    >>> network = OscillatorNetwork([[0.0, 1.0], [1.0, 0.0]])
    >>> lyapunov_spectrum(network, n_steps=200, random_state=0).exponents.round(3) + 0.0
    array([ 0., -2.])
    """
    field = field_of(network, "lyapunov_spectrum")
    source = random_source(random_state)
    if initial_state is None:
        initial_state = network.initial_state(source)
    state = read_one(network, initial_state, "initial_state")
    n_free = state.numel() if (basis := field.tangents(state)) is None else basis[0].numel()
    k = n_free if n_exponents is None else n_exponents
    if not 1 <= k <= n_free:
        raise ValueError(
            f"n_exponents must lie between 1 and {n_free}, the directions in which states may "
            f"change, got {plain(n_exponents)}."
        )
    least = {"n_steps": (n_steps, 1), "qr_every": (qr_every, 1), "transient": (transient, 0)}
    for name, (value, bound) in least.items():
        if value < bound:
            raise ValueError(f"{name} must be at least {bound}, got {plain(value)}.")
    if not step_size > 0:
        raise ValueError(f"step_size must be positive, got {plain(step_size)}.")
    _check_memory(network, state.numel(), k)
    rows = torch.as_tensor(source.normal(size=(k, state.numel())))
    tangents = Tangents(field, state, rows.view(k, -1, field.n), step_size, qr_every)
    along = min(transient, n_steps // 10)
    tangents.skip(transient - along)
    for _ in tangents.walk(along):
        pass
    sums, done = [], 0
    try:
        for taken, growth in tangents.walk(n_steps):
            done += taken
            sums.append(growth)
            if progress is not None:
                progress(done)
    except KeyboardInterrupt:
        if not sums:
            raise
        warn_caller(
            f"lyapunov_spectrum was interrupted at step {done} of {n_steps}; the exponents are "
            "those until then.",
            UserWarning,
        )
    return _spectrum(np.array(sums), qr_every * step_size, done * step_size, tangents.state)


class Tangents:
    """Small differences (k, d, n) that are carried along with a state.

    Parameters
    ----------
    field : Field
        The rates.
    state : Tensor of shape (state_shape, n)
        Where it starts.
    rows : Tensor of shape (k, d, n)
        The differences.
    step_size : float
        Step in units of time.
    qr_every : int
        Steps from one orthogonalisation to the next.
    """

    def __init__(
        self, field: Field, state: Tensor, rows: Tensor, step_size: float, qr_every: int
    ) -> None:
        self.field, self.state = field, state
        self.step_size, self.qr_every = step_size, qr_every
        self.rows = rows
        d, n = rows.shape[-2:]
        self.is_small = d * n <= _SMALL
        # One product with the matrix of derivatives is faster than several with the couplings.
        n_signals = field.linearize(state)[1].by_drive.shape[-2]
        stored = isinstance(field.coupling, DenseCoupling)
        as_matrix = self.is_small or (stored and d * d < n_signals and len(rows) > n // 4)
        self.matrix = field.coupling.dense() if as_matrix else None
        ahead = _NUMBERS_AHEAD // ((d * n) ** 2 if self.is_small else n * d * (d + 2 * n_signals))
        self.n_ahead = qr_every * max(1, min(100, ahead // (4 * qr_every)))
        projection = field.retraction(state)
        if projection is not None:
            self.rows = _times(projection, rows)
        self._orthogonalize()

    def skip(self, n_steps: int) -> None:
        """Move the state alone."""
        if n_steps:
            self.state = self._path(n_steps, n_steps)[-1]

    def walk(self, n_steps: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield numbers of steps, and logarithms of how much each direction has grown in them."""
        done = 0
        while done < n_steps:
            taken = min(self.n_ahead, n_steps - done)
            states = self._path(taken, 0)
            stages, projections = self._stages(states[:-1])
            steps = self._propagators(stages, projections) if self.is_small else None
            for first in range(0, taken, self.qr_every):
                n = min(self.qr_every, taken - first)
                if steps is not None:
                    self._multiply(steps[first : first + n])
                else:
                    for index in range(first, first + n):
                        self._step(stages, projections, index)
                self.state = states[first + n]
                yield n, self._orthogonalize()
            done += taken

    def _path(self, n_steps: int, save_from: int) -> Tensor:
        path = integrate(
            self.field.coupling, self.state, self.field.dynamics,
            step_size=self.step_size, n_steps=n_steps, save_from=save_from, solver="rk4",
        )  # fmt: skip
        return path.states.detach()

    def _stages(self, states: Tensor) -> tuple[list[Blocks], Tensor | None]:
        """Return the derivatives at each stage of the steps from states, and of retracting."""
        found, points, change = [], states, torch.zeros_like(states)
        for stage, weight in enumerate(_WEIGHTS):
            rate, blocks = self.field.linearize(points)
            found.append(blocks)
            change = change + self.step_size * weight * rate
            if stage < len(_PLACES):
                points = states + self.step_size * _PLACES[stage] * rate
        return found, self.field.retraction(states + change)

    def _step(self, stages: list[Blocks], projections: Tensor | None, index: int) -> None:
        """Carry the differences through one step."""
        start = self.rows
        point, total = start, start
        for stage, (blocks, weight) in enumerate(zip(stages, _WEIGHTS)):
            rate = self._along(blocks.at(index), point)
            total = total + self.step_size * weight * rate
            if stage < len(_PLACES):
                point = start + self.step_size * _PLACES[stage] * rate
        self.rows = total if projections is None else _times(projections[index], total)

    def _along(self, blocks: Blocks, rows: Tensor) -> Tensor:
        if self.matrix is None:
            return blocks.apply(self.field.coupling, rows)
        jacobian = blocks.dense(self.matrix)
        return (rows.flatten(1) @ jacobian.mT).view_as(rows)

    def _propagators(self, stages: list[Blocks], projections: Tensor | None) -> Tensor:
        """Return the matrices of whole steps, (steps, d n, d n)."""
        assert self.matrix is not None
        size = self.rows[0].numel()
        unit = torch.eye(size, dtype=self.rows.dtype)
        point, total = unit, unit
        for stage, (blocks, weight) in enumerate(zip(stages, _WEIGHTS)):
            rate = blocks.dense(self.matrix) @ point
            total = total + self.step_size * weight * rate
            if stage < len(_PLACES):
                point = unit + self.step_size * _PLACES[stage] * rate
        if projections is None:
            return total
        spread = torch.diag_embed(projections).movedim(-2, -3).flatten(-2).flatten(-3, -2)
        return spread @ total

    def _multiply(self, steps: Tensor) -> None:
        """Carry the differences through the matrices of steps, multiplied in pairs."""
        while len(steps) > 1:
            odd = steps[2 * (len(steps) // 2) :]
            steps = torch.cat((steps[1::2] @ steps[: 2 * (len(steps) // 2) : 2], odd))
        self.rows = (self.rows.flatten(1) @ steps[0].mT).view_as(self.rows)

    def _orthogonalize(self) -> NDArray[np.float64]:
        """Make the differences orthonormal; return the logarithms of what they had grown by."""
        q, r = torch.linalg.qr(self.rows.flatten(1).mT)
        self.rows = q.mT.reshape(self.rows.shape).contiguous()
        return r.diagonal().abs().clamp_min(1e-300).log().numpy()


def _times(block: Tensor, rows: Tensor) -> Tensor:
    return torch.einsum("acn,kcn->kan", block, rows)


def _check_memory(network: OscillatorNetwork, size: int, k: int) -> None:
    check_memory(
        network,
        8 * (8 * k * size + 4 * min(size, 4 * k) * size),
        f"{k} directions of {size} numbers of state, with their products,",
        "Ask for fewer by n_exponents, or raise memory_budget.",
    )


def _spectrum(
    sums: NDArray[np.float64], interval: float, total: float, state: Tensor
) -> LyapunovSpectrum:
    """Return mean rates of growth of what was summed up at each interval."""
    times = np.minimum(interval * np.arange(1, len(sums) + 1), total)
    history = np.cumsum(sums, 0) / times[:, None]
    order = np.argsort(-history[-1], kind="stable")
    history = history[:, order]
    errors = np.full(len(order), np.nan)
    if len(sums) >= _N_PARTS:
        size = len(sums) // _N_PARTS
        parts = sums[: size * _N_PARTS, order].reshape(_N_PARTS, size, -1).sum(1)
        errors = parts.std(0, ddof=1) / (size * interval * math.sqrt(_N_PARTS))
    return LyapunovSpectrum(history[-1], errors, times, history, state.cpu().numpy())
