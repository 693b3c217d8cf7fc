"""The stages of a fit: paths, regression, segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from skkuranet.coupling import DenseCoupling
from skkuranet.estimators.identifier._equation import Equation
from skkuranet.estimators.identifier._evidence import (
    Hyperparameters,
    hyperparameters,
    posterior,
    values_at,
)
from skkuranet.estimators.identifier._recordings import Piece, Recording
from skkuranet.estimators.identifier._regression import Normals, increments_of, normals_of
from skkuranet.estimators.identifier._shooting import descend, misfit, segments_of
from skkuranet.estimators.identifier._smoothing import Path, corrected_path, smooth_paths

# Oscillators by which the noise is told.
_TRIED_NODES = 8
# Steps of so many radians are exact enough.
_LONGEST_STEP = 0.3
# Samples of a segment, and of the shortest that is worth a fit. What drifts within a segment is
# not seen, and must be less than this share of the measurement.
_SAMPLES_AHEAD, _LEAST_AHEAD = 10.0, 3.0
_MOST_DRIFT = 0.25
# A drift of less than this share of the measurement, per segment, would tie segments together.
_LEAST_DRIFT = 1e-3
_LEAST_MEASUREMENT = 1e-8


@dataclass
class Nodes:
    """Oscillators, all that was measured of them, and what is known by now."""

    recordings: list[Recording]
    equation: Equation
    features: np.ndarray | None
    couplings: np.ndarray = field(init=False)
    values: np.ndarray = field(init=False)
    paths: list[Path] = field(init=False)
    estimates: list[np.ndarray] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        n = self.n_nodes
        self.couplings, self.values = np.zeros((n, n)), self.equation.start(n)
        self.paths = [path for recording in self.recordings for path in smooth_paths(recording)]

    @property
    def n_nodes(self) -> int:
        """Number of oscillators."""
        return self.recordings[0].n_nodes

    @property
    def pieces(self) -> list[Piece]:
        """Pieces of all recordings."""
        return [piece for recording in self.recordings for piece in recording.pieces]

    @property
    def interval(self) -> float:
        """Median time between two samples."""
        return float(np.median([recording.interval for recording in self.recordings]))

    def correct_paths(self, given: Hyperparameters) -> None:
        """Bend the paths that the equation takes to what was measured."""
        n, paths, self.estimates = self.n_nodes, [], []
        for piece, path in zip(self.pieces, self.paths):
            rates = self.rates(path.phases.reshape(-1, n)).reshape(path.phases.shape)
            change, still = path.integral(rates), np.zeros_like(piece.phases)
            noise = given.measurement, given.drift
            _, phases = corrected_path(piece, change, still, *noise)
            path, phases = corrected_path(piece, change, self.rates(phases), *noise)
            paths.append(path)
            self.estimates.append(phases)
        self.paths = paths

    def rates(self, phases: np.ndarray) -> np.ndarray:
        """Return rates at phases (P, n)."""
        return self.equation.rates(phases, self.couplings, self.values)


def increments(nodes: Nodes, targets: np.ndarray) -> list[list]:
    """Return the increments of some oscillators, piece by piece."""
    found: list[list] = [[] for _ in targets]
    for piece, path in zip(nodes.pieces, nodes.paths):
        state = nodes.equation, nodes.couplings, nodes.values
        for kept, each in zip(found, increments_of(piece, path, *state, targets)):
            kept.append(each)
    return found


def tell_noise(groups: Sequence[Nodes], prior_scale: float | None) -> Hyperparameters:
    """Return the variances under which what a few oscillators did is most probable."""
    prior = None if prior_scale is None else prior_scale**2
    share = max(1, _TRIED_NODES // len(groups))
    tried = np.unique(np.linspace(0, len(groups) - 1, _TRIED_NODES).astype(int))
    found = []
    for number in tried:
        nodes = groups[number]
        targets = np.unique(np.linspace(0, nodes.n_nodes - 1, share).astype(int))
        found += [(nodes.n_nodes, pieces) for pieces in increments(nodes, targets)]
    return hyperparameters(found, prior)


def normals(nodes: Nodes, ratio: float) -> list[Normals]:
    """Return normal equations of each oscillator."""
    found: list[Normals | None] = [None] * nodes.n_nodes
    for piece, path in zip(nodes.pieces, nodes.paths):
        state = nodes.equation, nodes.couplings, nodes.values
        every = np.arange(nodes.n_nodes)
        for i, each in enumerate(increments_of(piece, path, *state, every)):
            own, before = normals_of(each, ratio), found[i]
            found[i] = own if before is None else before + own
    return [each for each in found if each is not None]


def regress(nodes: Nodes, given: Hyperparameters) -> tuple[np.ndarray, np.ndarray]:
    """Set couplings and parameters freely; return errors (n, n) and numbers determined (n,)."""
    n = nodes.n_nodes
    found = [posterior(each, n, given) for each in normals(nodes, given.ratio)]
    nodes.couplings = np.stack([each.couplings for each in found])
    nodes.values = np.stack([each.values for each in found], -1).reshape(nodes.values.shape)
    errors = np.stack([each.errors for each in found])
    np.fill_diagonal(errors, 0.0)
    return errors, np.array([each.determined for each in found])


def set_values(nodes: Nodes, equations: Sequence[Normals]) -> None:
    """Set parameters to what suits the couplings best."""
    rows = zip(equations, nodes.couplings)
    values = [values_at(each, nodes.n_nodes, row) for each, row in rows]
    nodes.values = np.stack(values, -1).reshape(nodes.values.shape)


def shoot(
    groups: Sequence[Nodes],
    leaves: Sequence[np.ndarray],
    scales: Sequence[np.ndarray | float],
    couplings_of: Callable[[Sequence[Tensor], int], Tensor],
    penalty: Callable[[Sequence[Tensor]], Tensor],
    given: Hyperparameters,
    window: float | None,
    step_size: float | None,
    max_iter: int,
    tell: Callable[[int, float], None],
    done: int = 0,
) -> tuple[list[np.ndarray], list[float], bool] | None:
    """Fit trajectories of segments to what was measured, by ``leaves`` that make couplings.

    Return leaves, costs per phase and whether it converged; set the values of the groups. None
    where the noise of the dynamics bends segments of a few samples already.
    """
    measurement = max(given.measurement, _LEAST_MEASUREMENT)
    if window is None:
        interval = max(nodes.interval for nodes in groups)
        allowed = _MOST_DRIFT * measurement / max(given.drift, 1e-300)
        window = min(_SAMPLES_AHEAD * interval, allowed)
        if window < _LEAST_AHEAD * interval:
            return None
    spans = [p.times[-1] - p.times[0] for nodes in groups for p in nodes.pieces]
    # Nothing is measured beyond.
    window = min(window, max(spans))
    segments = [
        segments_of(nodes.pieces, nodes.estimates, window, step_for(nodes, step_size))
        for nodes in groups
    ]
    longest = max(each.window for each in segments)
    drift = max(given.drift, _LEAST_DRIFT * measurement / longest)
    n_leaves, n_groups = len(leaves), len(groups)
    n_phases = sum(int(piece.measured.sum()) for nodes in groups for piece in nodes.pieces)
    values = [nodes.values for nodes in groups]
    starts = [each.starts.numpy() for each in segments]
    # Phases are known to about what drifts in a segment; a rate to that by its time.
    spread = np.sqrt(drift * longest)

    def cost(parts: Sequence[Tensor]) -> Tensor:
        total = penalty(parts[:n_leaves])
        for number, (nodes, each) in enumerate(zip(groups, segments)):
            own, begin = parts[n_leaves + number], parts[n_leaves + n_groups + number]
            coupling = DenseCoupling(couplings_of(parts[:n_leaves], number))
            total = total + misfit(
                coupling, nodes.equation.at(own), begin, each, measurement, drift
            )
        return total

    found, curve, converged = descend(
        cost,
        [*leaves, *values, *starts],
        [*scales, *([spread / longest] * n_groups), *([spread] * n_groups)],
        max_iter,
        lambda k, value: tell(k, value / n_phases),
        done,
    )
    for nodes, own in zip(groups, found[n_leaves : n_leaves + n_groups]):
        nodes.values = own
    return found[:n_leaves], [value / n_phases for value in curve], converged


def step_for(nodes: Nodes, step_size: float | None) -> float:
    """Return a step, by default so short that no oscillator turns far in it."""
    if step_size is not None:
        return step_size
    rates = np.concatenate([nodes.rates(phases) for phases in nodes.estimates])
    fastest = float(np.quantile(np.abs(rates), 0.999))
    return nodes.interval / max(1.0, np.ceil(nodes.interval * fastest / _LONGEST_STEP))
