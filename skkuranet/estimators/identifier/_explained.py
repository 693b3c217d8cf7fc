"""How much of what oscillators do couplings foretell, beside constant frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from skkuranet.estimators.identifier._evidence import Hyperparameters, posterior
from skkuranet.estimators.identifier._recordings import MIN_SAMPLES, Piece
from skkuranet.estimators.identifier._regression import Increments, increments_of, normals_of
from skkuranet.estimators.identifier._smoothing import Path
from skkuranet.estimators.identifier._stages import Nodes

# Steps from the beginning of a forecast to its end.
_AHEAD = 10
Half = Sequence[tuple[Piece, Path]]


def explained_by_matrix(nodes: Nodes, given: Hyperparameters) -> float:
    """Return R² of steps in one half of the time, foretold by couplings of the other half.

    0 is what constant frequencies of the other half foretell.
    """
    halves = _halves(nodes)
    left = total = 0.0
    for learned, other in (halves, halves[::-1]):
        if not learned or not other:
            return float("nan")
        of_learned, of_other = (_increments(nodes, half) for half in (learned, other))
        for i in range(nodes.n_nodes):
            normals = reduce(add, (normals_of(each, given.ratio) for each in of_learned[i]))
            found = posterior(normals, nodes.n_nodes, given)
            solution = np.concatenate((found.couplings, found.values))
            misses, usual = _misses(i, solution, of_other[i], learned, other)
            left, total = left + misses, total + usual
    return 1.0 - left / total if total > 0 else float("nan")


def explained_by_fit(groups: Sequence[Nodes]) -> float:
    """Return R² of steps, foretold by couplings that were learned from all nodes.

    0 is what constant frequencies foretell.
    """
    left = total = 0.0
    for nodes in groups:
        every = list(zip(nodes.pieces, nodes.paths))
        increments = _increments(nodes, every)
        for i in range(nodes.n_nodes):
            solution = np.concatenate((nodes.couplings[i], nodes.values[:, i]))
            misses, usual = _misses(i, solution, increments[i], every, every)
            left, total = left + misses, total + usual
    return 1.0 - left / total if total > 0 else float("nan")


def _halves(nodes: Nodes) -> tuple[Half, Half]:
    """Cut each piece in the middle, unless too little of a node would be left."""
    first, second = [], []
    for piece, path in zip(nodes.pieces, nodes.paths):
        half = len(piece.times) // 2
        parts = [
            (
                Piece(piece.times[a : b + 1], piece.phases[a : b + 1]),
                Path(path.phases[a:b], path.weights[a:b]),
            )
            for a, b in ((0, half), (half, len(piece.times) - 1))
        ]
        if min(part.measured.sum(0).min() for part, _ in parts) >= MIN_SAMPLES:
            first.append(parts[0])
            second.append(parts[1])
    return first, second


def _increments(nodes: Nodes, half: Half) -> list[list[Increments]]:
    """Return increments of each node, piece by piece."""
    state = nodes.equation, nodes.couplings, nodes.values
    every = np.arange(nodes.n_nodes)
    found = [list(increments_of(piece, path, *state, every)) for piece, path in half]
    return [list(of_node) for of_node in zip(*found)]


def _misses(
    node: int, solution: np.ndarray, increments: list[Increments], learned: Half, other: Half
) -> tuple[float, float]:
    """Return squares of what forecasts miss: those by a solution, and by a constant frequency."""
    turned = spent = 0.0
    for piece, _ in learned:
        seen = np.flatnonzero(piece.measured[:, node])[[0, -1]]
        turned += np.diff(piece.phases[seen, node])[0]
        spent += np.diff(piece.times[seen])[0]
    left = total = 0.0
    for each, (piece, _) in zip(increments, other):
        change = np.diff(piece.phases[piece.measured[:, node], node])
        starts = np.arange(0, len(change), _AHEAD)
        missed = np.add.reduceat(each.values - each.columns @ solution, starts)
        usual = np.add.reduceat(change - turned / spent * each.spans, starts)
        left, total = left + float(missed @ missed), total + float(usual @ usual)
    return left, total
