"""Phases of signals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, hilbert, periodogram, sosfiltfilt

from skkuranet._utils.given import real_array
from skkuranet._utils.messages import plain, warn_caller
from skkuranet._utils.scalars import positive_number

# Order of the filter in each direction, and periods of its lower edge that ends take to settle.
_ORDER = 3
_SETTLING_PERIODS = 1.0
# A rhythm of less than this share of the power of a signal is none.
_LEAST_SHARE = 1e-9


def phases_from_signal(
    signal: Any, sampling_rate: float, band: Sequence[float]
) -> NDArray[np.float64]:
    """Return the phases of the rhythms of signals: a band-pass filter, then Hilbert's transform.

    The filter (Butterworth, forwards and backwards) shifts no phase.

    Parameters
    ----------
    signal : array-like of shape (n_times,) or (n_times, n)
        Signals, sampled evenly, a column each.
    sampling_rate : float
        Samples per unit of time.
    band : sequence of two float
        Lower and upper edge of the band, in cycles per unit of time. It should hold one rhythm: the
        phase of two means little.

    Returns
    -------
    ndarray of the same shape
        Phases in radians, in (−π, π]; 0 at a maximum. NaN for one period of the lower edge at both
        ends, where the filter has not settled.

    Raises
    ------
    ValueError
        If the band does not fit the sampling rate, or the signal is too short or not finite.
    TypeError
        If the signal holds no real numbers.

    Warns
    -----
    UserWarning
        If a signal has next to nothing in the band.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet import phases_from_signal
    >>> times = np.arange(0.0, 10.0, 0.01)
    >>> phases = phases_from_signal(np.cos(2 * np.pi * times), 100.0, (0.5, 2.0))
    >>> apart = np.angle(np.exp(1j * (phases - 2 * np.pi * times)))
    >>> bool(np.nanmax(np.abs(apart)) < 0.1)
    True
    """
    if np.ma.is_masked(signal):
        raise ValueError("signal has masked entries. Filter the stretches between gaps one by one.")
    given = real_array(signal, "signal").astype(np.float64)
    if given.ndim not in (1, 2):
        raise ValueError(f"signal must have shape (n_times, n), got {given.shape}.")
    if not np.isfinite(given).all():
        raise ValueError(
            f"signal must be finite; {int((~np.isfinite(given)).sum())} of its values are not. "
            "Filter the stretches between gaps one by one."
        )
    sampling_rate = positive_number(sampling_rate, "sampling_rate")
    edges = real_array(band, "band")
    if edges.shape != (2,) or not 0 < edges[0] < edges[1] < sampling_rate / 2:
        raise ValueError(
            "band must hold two frequencies that increase, between 0 and half the sampling_rate, "
            f"{sampling_rate / 2:g}; got {plain(edges)}."
        )
    settling = int(np.ceil(_SETTLING_PERIODS * sampling_rate / edges[0]))
    if len(given) < 4 * settling:
        raise ValueError(
            f"signal must hold four periods of {edges[0]:g} cycles per unit of time, "
            f"{4 * settling:.6g} samples at sampling_rate={sampling_rate:g}, got {len(given)}. "
            "Record for longer, or raise the lower edge of band."
        )
    still = np.flatnonzero(np.ptp(given.reshape(len(given), -1), axis=0) == 0)
    if len(still):
        raise ValueError(f"signal is constant in columns {plain(still)}. Leave them out.")
    sections = butter(_ORDER, edges, btype="bandpass", fs=sampling_rate, output="sos")
    filtered = sosfiltfilt(sections, given, axis=0, padlen=settling)
    frequencies, power = periodogram(given, sampling_rate, "hann", detrend="linear", axis=0)
    inside = (frequencies >= edges[0]) & (frequencies <= edges[1])
    share = np.ravel(power[inside].sum(0) / power.sum(0))
    silent = np.flatnonzero(share < _LEAST_SHARE)
    if len(silent):
        warn_caller(
            f"Columns {plain(silent)} of signal have next to nothing in band={plain(edges)}, so "
            "that these phases mean nothing. The band is in cycles per unit of time, not in "
            "radians; or leave them out.",
            UserWarning,
        )
    phases = np.angle(hilbert(filtered, axis=0))
    phases[:settling] = phases[-settling:] = np.nan
    return phases
