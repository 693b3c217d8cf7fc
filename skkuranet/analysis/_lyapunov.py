"""How fast small differences between states grow or shrink."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skkuranet._utils.given import as_array
from skkuranet._utils.messages import plain, warn_caller
from skkuranet._utils.scalars import positive_number, whole_number
from skkuranet._utils.tools import random_source
from skkuranet.analysis._checks import read_counts
from skkuranet.analysis._field import check_memory, field_of
from skkuranet.analysis._jacobian import read_one
from skkuranet.analysis._stiffness import parts_of
from skkuranet.analysis._tangents import Orbit, Tangents
from skkuranet.oscillator_network import OscillatorNetwork

if TYPE_CHECKING:
    import pandas as pd

# Parts of a run whose means tell how sure the whole is.
_N_PARTS = 10


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

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import lyapunov_spectrum
    >>> network = OscillatorNetwork([[0.0, 1.0], [1.0, 0.0]], frequency=[0.2, 0.8])
    >>> found = lyapunov_spectrum(network, n_steps=300, transient=300, random_state=0)
    >>> found.exponents.round(2) + 0.0
    array([ 0.  , -1.91])
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
        Step in units of time; divided into as many as strong couplings need.
    transient : int, default=1000
        Steps before; differences are carried along in the last of them, a tenth of ``n_steps``.
    qr_every : int, default=10
        Steps, or parts of steps, from one orthogonalisation to the next.
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
        If steps have to be divided into very many, or it was interrupted.

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
    k = n_free if n_exponents is None else whole_number(n_exponents, "n_exponents")
    if k > n_free:
        raise ValueError(
            f"n_exponents must lie between 1 and {n_free}, the directions in which states may "
            f"change, got {plain(n_exponents)}."
        )
    n_steps, qr_every = read_counts(n_steps=n_steps, qr_every=qr_every)
    (transient,) = read_counts(least=0, transient=transient)
    step_size = positive_number(step_size, "step_size")
    _check_memory(network, state.numel(), k)
    rows = torch.as_tensor(source.normal(size=(k, state.numel()))).to(state)
    parts = parts_of(field, state, step_size)
    step_size = step_size / parts
    n_steps, transient = n_steps * parts, transient * parts
    along = min(transient, n_steps // 10)
    orbit = Orbit(field, state, step_size)
    orbit.skip(transient - along)
    tangents = Tangents(orbit, rows.view(k, -1, field.n), qr_every)
    for _ in tangents.walk(along):
        pass
    sums, done = [], 0
    try:
        for taken, growth in tangents.walk(n_steps):
            done += taken
            sums.append(growth)
            if progress is not None:
                progress(done // parts)
    except KeyboardInterrupt:
        if not sums:
            raise
        warn_caller(
            f"lyapunov_spectrum was interrupted at step {done // parts} of {n_steps // parts}; the "
            "exponents are "
            "those until then.",
            UserWarning,
        )
    return _spectrum(np.array(sums), qr_every * step_size, done * step_size, orbit.state)


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
    return LyapunovSpectrum(history[-1], errors, times, history, as_array(state))
