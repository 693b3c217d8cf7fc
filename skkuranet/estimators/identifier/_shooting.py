"""Short trajectories that are to meet measurements and one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import OptimizeResult, minimize
from torch import Tensor

from skkuranet._utils.messages import warn_caller
from skkuranet._utils.surroundings import is_one_of_many
from skkuranet.coupling import CouplingOperator, SharedCoupling
from skkuranet.dynamics import Dynamics, integrate
from skkuranet.estimators.identifier._recordings import Piece

# Grid points from which a phase between them is interpolated.
_STENCIL = 4
# A descent ends when an iteration gains less than this share of the cost.
_LEAST_GAIN = 1e-5


@dataclass(frozen=True)
class Segments:
    """Segments of one network, S of them with M samples each at most.

    A phase at a sample is what ``weights`` (S, M, 4) make of those at the steps ``steps``
    (S, M, 4). ``measured`` (S, M, n) holds NaN where nothing was. ``ends`` (S, 4) and
    ``end_weights`` are those of the beginning of the next segment, and ``follows`` (S,) tells
    whether there is one.
    """

    starts: Tensor
    measured: Tensor
    steps: Tensor
    weights: Tensor
    ends: Tensor
    end_weights: Tensor
    follows: Tensor
    n_steps: int
    step_size: float
    window: float


def segments_of(
    pieces: Sequence[Piece], phases: Sequence[np.ndarray], window: float, step_size: float
) -> Segments:
    """Cut pieces into segments of a window each; ``phases`` are estimates at their samples."""
    n_steps = max(_STENCIL - 1, int(np.ceil(window / step_size - 1e-9)))
    window = n_steps * step_size
    starts, offsets, measured, spans, follows = [], [], [], [], []
    for piece, estimate in zip(pieces, phases):
        first, n_times = 0, len(piece.times)
        while first < n_times:
            # The next segment begins in the window of this one, unless no sample lies in it.
            end = piece.times[first] + window * (1.0 + 1e-9)
            reach = int(np.searchsorted(piece.times, end, "right")) - 1
            last = n_times if reach == n_times - 1 else max(first + 1, reach)
            goes_on = last <= reach and last < n_times
            starts.append(estimate[first])
            offsets.append(piece.times[first:last] - piece.times[first])
            measured.append(piece.phases[first:last])
            spans.append(piece.times[last] - piece.times[first] if goes_on else 0.0)
            follows.append(goes_on)
            first = last
    most = max(map(len, offsets))
    at = np.stack([np.pad(o, (0, most - len(o))) for o in offsets])
    filled = [np.pad(m, ((0, most - len(m)), (0, 0)), constant_values=np.nan) for m in measured]
    steps, weights = _stencil(at / step_size, n_steps)
    ends, end_weights = _stencil(np.array(spans) / step_size, n_steps)
    tensors = [torch.as_tensor(np.asarray(a)) for a in (starts, filled, steps, weights)]
    more = [torch.as_tensor(np.asarray(a)) for a in (ends, end_weights, follows)]
    return Segments(*tensors, *more, n_steps, step_size, window)


def _stencil(at: np.ndarray, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return steps around points, in units of steps, and Lagrange's weights of them."""
    first = np.clip(np.floor(at).astype(int) - 1, 0, n_steps - _STENCIL + 1)
    offset = at - first
    points = np.arange(_STENCIL)
    weights = np.stack(
        [
            np.prod([(offset - other) / (own - other) for other in points if other != own], 0)
            for own in points
        ],
        -1,
    )
    return first[..., None] + points, weights


def misfit(
    coupling: CouplingOperator,
    dynamics: Dynamics,
    starts: Tensor,
    segments: Segments,
    measurement: float,
    drift: float,
) -> Tensor:
    """Return how improbable measurements are: minus the logarithm, but for a constant.

    Differences of phases cost 1 − cos, for small ones half their square. Segments begin where the
    last one ends, but for what drifts meanwhile.
    """
    path = integrate(
        SharedCoupling(coupling, (len(starts),)),
        starts,
        dynamics,
        step_size=segments.step_size,
        n_steps=segments.n_steps,
        solver="rk4",
    ).phases
    rows = torch.arange(len(starts))
    at = path[segments.steps, rows[:, None, None]]
    modelled = (at * segments.weights.unsqueeze(-1)).sum(-2)
    seen = torch.isfinite(segments.measured)
    apart = torch.where(seen, modelled - segments.measured, 0.0)
    cost = (1.0 - apart.cos()).sum() / measurement
    if bool(segments.follows.any()):
        ends = (path[segments.ends, rows[:, None]] * segments.end_weights.unsqueeze(-1)).sum(-2)
        jumps = (ends[:-1] - starts[1:])[segments.follows[:-1]]
        cost = cost + (1.0 - jumps.cos()).sum() / (drift * segments.window)
    return cost


def descend(
    cost: Callable[[Sequence[Tensor]], Tensor],
    starts: Sequence[np.ndarray],
    scales: Sequence[np.ndarray | float],
    max_iter: int,
    tell: Callable[[int, float], None],
    done: int = 0,
) -> tuple[list[np.ndarray], list[float], bool]:
    """Minimise a cost by L-BFGS in units of the scales, after iterations that are done.

    Return the best values, the cost after each iteration, and whether it converged.
    """
    sizes = [start.size for start in starts]
    types = [torch.as_tensor(start).dtype for start in starts]
    factors = np.concatenate(
        [np.broadcast_to(scale, s.shape).ravel() for s, scale in zip(starts, scales)]
    )
    origin = np.concatenate([start.ravel() for start in starts])
    reached, curve = np.zeros_like(origin), []

    def parts(x: np.ndarray) -> list[np.ndarray]:
        found = np.split(origin + factors * x, np.cumsum(sizes)[:-1])
        return [part.reshape(start.shape) for part, start in zip(found, starts)]

    def at(x: np.ndarray) -> tuple[float, np.ndarray]:
        leaves = [
            torch.tensor(part, dtype=kind, requires_grad=True)
            for part, kind in zip(parts(x), types)
        ]
        value = cost(leaves)
        gradients = torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True)
        return float(value.detach()), factors * torch.cat(
            [g.double().flatten() for g in gradients]
        ).numpy()

    def after(intermediate_result: OptimizeResult) -> None:
        reached[:] = intermediate_result.x
        curve.append(float(intermediate_result.fun))
        tell(done + len(curve), curve[-1])

    try:
        found = minimize(
            at, reached, jac=True, method="L-BFGS-B", callback=after,
            options={"maxiter": max_iter, "maxcor": 20, "ftol": _LEAST_GAIN, "gtol": 0.0},
        )  # fmt: skip
    except KeyboardInterrupt:
        if is_one_of_many():
            raise
        warn_caller(
            f"The fit was interrupted after iteration {done + len(curve)}; what there was by then "
            "is kept.",
            UserWarning,
        )
        return parts(reached), curve, True
    return parts(found.x), curve, bool(found.success)
