"""Forecasts, and how good they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from skkuranet.dynamics import integrate
from skkuranet.estimators.identifier._recordings import Recording
from skkuranet.oscillator_network import OscillatorNetwork


def forecast(
    network: OscillatorNetwork, start: np.ndarray, times: np.ndarray, step_size: float
) -> np.ndarray:
    """Return phases (..., n) at the times after the first, at which they are ``start`` (..., n)."""
    state, found = torch.as_tensor(start), []
    coupling = network.coupled(state.shape[:-1])
    for span in np.diff(times):
        n_steps = max(1, int(np.ceil(span / step_size - 1e-9)))
        with torch.no_grad():
            path = integrate(
                coupling, state, network.dynamics, step_size=float(span) / n_steps,
                n_steps=n_steps, save_from=n_steps, solver="rk4",
            )  # fmt: skip
        state = path.phases[-1]
        found.append(state.numpy())
    return np.stack(found)


def increments_r2(
    parts: Sequence[tuple[OscillatorNetwork, Recording]], window: float, step_size: float
) -> float:
    """Return R² of increments of phases over windows, beside each oscillator's mean speed."""
    left = total = 0.0
    for network, recording in parts:
        starts, ends, spans = [], [], []
        for piece in recording.pieces:
            span = float(np.median(np.diff(piece.times)))
            n_ahead = max(1, round(window / span))
            first = np.arange(0, len(piece.times) - n_ahead, n_ahead)
            starts.append(piece.phases[first])
            ends.append(piece.phases[first + n_ahead])
            spans.append(piece.times[first + n_ahead] - piece.times[first])
        start, end, span = (np.concatenate(found) for found in (starts, ends, spans))
        complete = np.isfinite(start).all(-1)
        start, end, span = start[complete], end[complete], span[complete]
        if len(start) < 2:
            raise ValueError(
                f"phases must hold two windows of {window:g} units of time at least, which begin "
                "with a measurement of every node. Set a shorter window."
            )
        foretold = np.empty_like(start)
        # Windows of one length are one batch.
        for length in np.unique(span.round(12)):
            rows = span.round(12) == length
            foretold[rows] = forecast(network, start[rows], np.array([0.0, length]), step_size)[0]
        speed = (end - start) / span[:, None]
        usual = span[:, None] * np.nanmean(speed, 0)
        left += np.nansum((end - foretold) ** 2)
        total += np.nansum((end - start - usual) ** 2)
    return float(1.0 - left / total) if total > 0 else float(left == 0)
