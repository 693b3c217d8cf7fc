"""Recordings of phases as users bring them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skkuranet._utils.given import FAR, real_array
from skkuranet._utils.messages import naming, plain, warn_caller
from skkuranet.estimators.identifier._suspicions import check_rhythm, check_unit, warn_of_index

# A stretch of fewer samples of a node says nothing.
MIN_SAMPLES = 6
# A gap is so many times as long as nine in ten sampling intervals are at most.
_GAP = 3.0
# Steps of more radians than this, beyond the rotation that all share, may be others less a turn.
_COARSE_STEP = 2.5
_COARSE_SHARE = 0.01
# Radians that are rounded by less than one.
_FARTHEST = 1e15
# Nodes turn together where their steps point the same way by so much.
_TOGETHER = 0.5


@dataclass(frozen=True)
class Piece:
    """Measurements without a long gap: times (T,), phases (T, n), NaN where there is none."""

    times: np.ndarray
    phases: np.ndarray

    @property
    def measured(self) -> np.ndarray:
        """Where phases were measured, (T, n)."""
        return np.isfinite(self.phases)


@dataclass(frozen=True)
class Recording:
    """Pieces of the phases of one network."""

    pieces: tuple[Piece, ...]
    n_nodes: int

    @property
    def n_steps(self) -> int:
        """Number of steps from one sample to the next."""
        return sum(len(piece.times) - 1 for piece in self.pieces)

    @property
    def interval(self) -> float:
        """Median time between two samples."""
        return float(np.median(np.concatenate([np.diff(piece.times) for piece in self.pieces])))


def read_recordings(phases: Any, times: Any, max_gap: float | None) -> list[Recording]:
    """Return recordings in pieces, continuous in time.

    ``phases`` is one recording or several, arrays (T, n) or trajectories, ``times`` theirs.
    """
    with naming("phases"):
        several = _is_several(phases)
    given = list(phases) if several else [phases]
    if not given:
        raise ValueError("phases must hold one recording at least.")
    if times is None:
        stamps = [getattr(recording, "times", None) for recording in given]
        warn_of_index(given)
    else:
        with naming("times"):
            each = several and _is_several(times, 1)
        stamps = list(times) if each else [times] * len(given)
    if len(stamps) != len(given):
        raise ValueError(
            f"times must be one array for each of the {len(given)} recordings, got {len(stamps)}."
        )
    found = [
        _read(recording, stamp, max_gap, f"[{number}]" if several else "")
        for number, (recording, stamp) in enumerate(zip(given, stamps))
    ]
    check_rhythm([recording.interval for recording in found], found[0].interval, "recording 0")
    return found


def _is_several(value: Any, n_axes: int = 2) -> bool:
    """Tell a list of recordings, or an array with an axis for them, from one recording."""
    if hasattr(value, "ndim"):
        return bool(value.ndim > n_axes)
    if not isinstance(value, Sequence) or not len(value):
        return isinstance(value, Sequence)
    first = value[0]
    return hasattr(first, "phases") or np.ndim(first) >= n_axes


def as_table(value: Any, name: str) -> np.ndarray:
    """Return phases as an array (T, n) in double precision, with NaN where there are none."""
    value = getattr(value, "phases", value)
    if np.ma.isMaskedArray(value):
        value = np.ma.filled(value.astype(float), np.nan)
    if hasattr(value, "isna"):
        # NA of pandas is no number.
        value = value.astype(object).mask(value.isna(), np.nan)
    table = real_array(value, name).astype(np.float64)
    if np.isinf(table).any():
        raise ValueError(f"{name} has infinite values. Mark what was not measured by NaN.")
    # NaN is no number, and so not the largest.
    largest = np.abs(np.nan_to_num(table)).max(initial=0.0)
    if largest > _FARTHEST:
        raise ValueError(
            f"{name} reaches {largest:.3g} rad, where double precision knows no turns. Are there "
            "marks of missing values? Mark what was not measured by NaN."
        )
    return table


def as_times(value: Any, n_times: int, name: str) -> np.ndarray:
    """Return times of samples, (n_times,), by default 0, 1, 2 …"""
    if value is None:
        return np.arange(float(n_times))
    if getattr(getattr(value, "dtype", None), "kind", None) in ("m", "M"):
        raise TypeError(
            f"{name} must be numbers, not dates or durations, as couplings are per unit of time: "
            "(times - times[0]) / np.timedelta64(1, 's') makes seconds of them."
        )
    times = real_array(value, name).astype(np.float64)
    if times.shape != (n_times,):
        raise ValueError(
            f"{name} must have shape {(n_times,)}, one for each row of phases, got {times.shape}."
        )
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise ValueError(f"{name} must be finite and increase. Sort rows by time, each time once.")
    if np.abs(times).max() > FAR or np.diff(times).min() < 1.0 / FAR:
        raise ValueError(f"{name} must be in another unit, as squares of rates would overflow.")
    return times


def _read(value: Any, stamp: Any, max_gap: float | None, number: str) -> Recording:
    name = f"phases{number}"
    table = as_table(value, name)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(
            f"{name} must have shape (n_times, n_nodes) with two nodes at least, got {table.shape}."
        )
    if len(table) < MIN_SAMPLES:
        raise ValueError(f"{name} must have {MIN_SAMPLES} rows at least, got {len(table)}.")
    times = as_times(stamp, len(table), f"times{number}")
    never = np.flatnonzero(~np.isfinite(table).any(0))
    if len(never):
        raise ValueError(
            f"{name} has no measurement of nodes {plain(never)}. Leave them out of it and of X; "
            "what they do to others is then part of the noise."
        )
    check_unit(table, name)
    table = unwrapped(table, times, name)
    longest = _GAP * float(np.quantile(np.diff(times), 0.9)) if max_gap is None else max_gap
    bridged = np.stack([_bridged(times, column, longest) for column in table.T], -1).all(-1)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], bridged.astype(int), [0]))))
    # Time may pass without a row, too.
    apart = np.flatnonzero(np.diff(times) > longest * (1.0 + 1e-9)) + 1
    pieces = []
    for first, last in edges.reshape(-1, 2):
        cuts = apart[(apart > first) & (apart < last)]
        for begin, end in zip((first, *cuts), (*cuts, last)):
            if np.isfinite(table[begin:end]).sum(0).min() >= MIN_SAMPLES:
                pieces.append(Piece(times[begin:end], table[begin:end]))
    if not pieces:
        raise ValueError(
            f"{name} has no stretch with {MIN_SAMPLES} samples of each node and no gap longer than "
            f"max_gap={longest:g}. Raise max_gap, or leave out the nodes with most gaps: "
            f"{plain(np.argsort(np.isfinite(table).sum(0), kind='stable')[:3])}."
        )
    return Recording(tuple(pieces), table.shape[1])


def unwrapped(table: np.ndarray, times: np.ndarray, name: str) -> np.ndarray:
    """Return phases that do not jump by turns; those beyond one turn are taken to be such."""
    wraps = np.nanmax(table) - np.nanmin(table) <= 2.0 * np.pi * (1.0 + 1e-9)
    found = np.array(table)
    rows = [np.flatnonzero(np.isfinite(column)) for column in found.T]
    spans = [np.diff(times[seen]) for seen in rows]
    changes = [np.diff(column[seen]) for column, seen in zip(found.T, rows)]
    if not any(map(len, spans)):
        return found
    interval = float(np.median(np.concatenate(spans)))
    shared = _shared_speed(changes, spans, interval) if wraps else _mean_speed(changes, spans)
    beyond = []
    for column, seen, span, change in zip(found.T, rows, spans, changes):
        rest = change - shared * span
        if wraps and len(span):
            turned = np.angle(np.exp(1j * rest))
            # Against the mean rotation, steps are shortest, and gaps the easiest to cross.
            usual = np.median(turned / span) * span
            rest = usual + np.angle(np.exp(1j * (rest - usual)))
            column[seen[1:]] = column[seen[0]] + np.cumsum(rest + shared * span)
        beyond.append(rest[span < 1.5 * interval])
    share = float((np.abs(np.concatenate(beyond)) > _COARSE_STEP).mean())
    if share > _COARSE_SHARE:
        degrees = "" if wraps else " If phases is in degrees, pass np.radians(phases)."
        warn_caller(
            f"{name} moves by more than {_COARSE_STEP:g} radians between samples, beyond the "
            f"rotation that all nodes share, in {100.0 * share:.0f} % of its steps, so that turns "
            f"may be missed. Sample more often.{degrees}",
            UserWarning,
        )
    if wraps and abs(shared) * interval > _COARSE_STEP:
        warn_caller(
            f"{name} turns by about {shared * interval:.3g} radians between samples, and a turn "
            f"more or less would look the same: all frequencies may be wrong by "
            f"{2.0 * np.pi / interval:.4g}. Sample more often.",
            UserWarning,
        )
    return found


def _shared_speed(changes: list, spans: list, interval: float) -> float:
    """Return the speed at which wrapped phases turn together, or 0."""
    change, span = np.concatenate(changes), np.concatenate(spans)
    steps = np.exp(1j * change[span < 1.5 * interval])
    together = steps.mean()
    return float(np.angle(together)) / interval if abs(together) > _TOGETHER else 0.0


def _mean_speed(changes: list, spans: list) -> float:
    """Return the speed of the median node whose phases are continuous."""
    return float(np.median([c.sum() / s.sum() for c, s in zip(changes, spans) if len(s)]))


def _bridged(times: np.ndarray, column: np.ndarray, longest: float) -> np.ndarray:
    """Tell the times at which a phase was measured, or before and after within a short gap."""
    seen = np.isfinite(column)
    known = times[seen]
    after = np.searchsorted(known, times).clip(max=len(known) - 1)
    before = (np.searchsorted(known, times, "right") - 1).clip(min=0)
    inside = (times >= known[0]) & (times <= known[-1])
    return seen | (inside & (known[after] - known[before] <= longest * (1.0 + 1e-9)))
