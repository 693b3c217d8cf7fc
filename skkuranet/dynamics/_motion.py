"""The equation of motion, forward and back, in memory that is reused at every step."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skkuranet.dynamics._adjoint import Stages
from skkuranet.dynamics._arithmetic import Pairs, TorchArithmetic, arithmetic_for, parts
from skkuranet.dynamics._system import KuramotoSystem


class Motion:
    """Rates of a system at phases that are handed over one after another.

    Parameters
    ----------
    system : KuramotoSystem
        The equation of motion.
    like : Tensor of shape (..., n)
        Phases.
    n_stages : int
        Number of rates of a step.
    n_places : int
        Rates whose sources' moments are noted, each in its place; 0 for none.

    Attributes
    ----------
    rates : list
        Memory for the rates of a step, the last of which is used before there is another.
    moments : Tensor of shape (n_places, ..., 2, n_moments) or None
        What is noted, if the couplings have moments.
    """

    def __init__(self, system: KuramotoSystem, like: Tensor, n_stages: int, n_places: int) -> None:
        self.system, self.arithmetic = system, arithmetic_for(like)
        view, pairs = self.arithmetic.view, self.arithmetic.pairs
        self._acting = like.new_empty((*like.shape[:-1], 2, like.shape[-1]))
        drive = torch.empty_like(self._acting)
        self.moments = moments_of(system, like, n_places)
        self._product = system.coupling.bound_matvec(drive, self.moments)
        self._phasors, self._drive = pairs(self._acting), pairs(drive)
        self._frequency, self._field = (
            None if given is None else view(given) for given in (system.frequency, system.field)
        )
        # Once there is a rate, memory of what drives is free until the next.
        self.like, (self.spare, last) = like, _free_rows(self._drive, like, self.arithmetic)
        earlier = like.new_empty((n_stages - 1, *like.shape))
        self.rates = [*self.arithmetic.views(earlier, 0), last]

    def rate(self, phases: Any, out: Any, place: int = 0) -> None:
        """Write dθ/dt at some phases, and the moments of the sources to their place."""
        arithmetic = self.arithmetic
        arithmetic.phasors(phases, self._phasors)
        self._product(self._acting, place)
        (_, cosine, sine), (_, real, imaginary) = self._phasors, self._drive
        if self._field is not None:
            arithmetic.subtract(real, self._field, real)
        arithmetic.multiply(cosine, imaginary, out)
        arithmetic.subtract_product(out, sine, real, out, self.spare)
        if self._frequency is not None:
            arithmetic.add(out, self._frequency, out)


@dataclass
class Tape:
    """Phases that every stage of every step was at, and the moments of the sources there."""

    phases: list[Any] = field(default_factory=list)
    moments: Tensor | None = None
    arithmetic: TorchArithmetic = field(default_factory=TorchArithmetic)
    n_replayed: int = 0
    _whole: Tensor | None = None

    def reserve(self, system: KuramotoSystem, like: Tensor, n_stages: int) -> None:
        """Make memory for all stages, for :meth:`keep`."""
        self._whole = like.new_empty((n_stages, *like.shape))
        self.phases = self.arithmetic.views(self._whole, 0)
        self.moments = moments_of(system, like, n_stages)

    def keep(self, first: int, points: Tensor, moments: Tensor | None) -> None:
        """Copy what some stages were at, the phases and as many of the moments."""
        assert self._whole is not None
        self._whole[first : first + len(points)] = points
        if self.moments is not None and moments is not None:
            self.moments[first : first + len(points)] = moments[: len(points)]


class Stage(NamedTuple):
    """Where a stage has its phasors and what they do; ``rows`` is what it drives, as a tensor.

    Moments of these go to its place.
    """

    phasors: Pairs
    stiffness: Any
    adjoint: Any
    row: Any
    driven: Any
    rows: Tensor
    place: int


class Part:
    """A few stages of a trajectory, in memory that serves one part after another.

    Parameters
    ----------
    system : KuramotoSystem
        The equation of motion.
    costate : Tensor of shape (..., n)
        Gradient by the phases after the part, to be replaced by that by the phases before.
    arithmetic : TorchArithmetic
        That of the way forward.
    n_steps : int
        Number of steps.
    n_stages : int
        Number of stages of a step.
    """

    def __init__(
        self,
        system: KuramotoSystem,
        costate: Tensor,
        arithmetic: TorchArithmetic,
        n_steps: int,
        n_stages: int,
    ) -> None:
        self.n_steps, m = n_steps, n_steps * n_stages
        self.arithmetic, coupling = arithmetic, system.coupling
        view, views, pairs = self.arithmetic.view, self.arithmetic.views, self.arithmetic.pairs
        *batch, n = costate.shape
        phasors, back = costate.new_empty((*batch, m, 2, n)), costate.new_empty((*batch, 2, n))
        # What a stage has driven is known last, and lends its memory to what drives it.
        driven, adjoints = torch.empty_like(phasors), costate.new_empty((*batch, m, n))
        stiffness = torch.empty_like(adjoints)
        rows, out = (t.flatten(-3, -2) for t in (phasors, driven))
        of_driven = moments_of(system, costate, m)
        self.pull = coupling.bound_rmatvec(back, of_driven)
        self._recall: Callable[[], object]
        self._moments = None
        if of_driven is None:
            self._recall = functools.partial(coupling.bound_matvec(out), rows)
        else:
            self._moments = _Moments(of_driven, arithmetic)
            of_sources = self._moments.of_sources.flatten(-3, -2)
            self._recall = coupling.bound_recall(of_sources, rows, out)
        turned = None if self._moments is None else self._moments.turned
        self.outcome = Stages(phasors, adjoints, driven, turned)
        self.costate, self.arriving = view(costate), list[Any]()
        self._received: Tensor | None = None
        self.back = pairs(back)
        # What comes back is free once it is summed up; the first stage is the last to ask for it.
        later = views(costate.new_empty((n_stages - 1, *batch, n)), 0)
        first, self.spare = _free_rows(self.back, costate, arithmetic)
        self.pulled = [first, *later]
        self._field = None if system.field is None else view(system.field.unsqueeze(-2))
        self._phasors, self._drives = pairs(phasors), pairs(driven)
        self._stiffness, self._adjoints = view(stiffness), view(adjoints)
        # Views are made once: in small networks they take as long as what is done with them.
        acting = [Pairs(both, *parts(both)) for both in views(phasors, -3)]
        flat = (views(t, -2) for t in (stiffness, adjoints))
        pair = (views(t, -3) for t in (adjoints.unsqueeze(-2), driven))
        self.stages = list(map(Stage, acting, *flat, *pair, driven.unbind(-3), range(m)))

    def load(self, tape: Tape, first: int) -> None:
        """Compute all but the gradients anew, from this stage on; keeping it would be slower."""
        arithmetic, m, drives = self.arithmetic, len(self.stages), self._drives
        points, each = tape.phases[first : first + m], [stage.phasors for stage in self.stages]
        arithmetic.all_phasors(points, each, self._phasors, self._adjoints)
        if self._moments is not None:
            assert tape.moments is not None
            self._moments.take(tape.moments[first : first + m])
        self._recall()
        if self._field is not None:
            arithmetic.subtract(drives.first, self._field, drives.first)
        arithmetic.dot(self._phasors, drives, self._stiffness)

    def receive(self, grad: Tensor, first: int, *, in_place: bool) -> None:
        """Take the gradients that arrive at the phases before each step, from this entry on."""
        inside = range(max(0, first), max(0, first + self.n_steps))
        if not in_place:
            views = self.arithmetic.views
            arriving = views(grad[inside.start : inside.stop], 0) if inside else []
            self.arriving = [None] * (self.n_steps - len(arriving)) + arriving
            return
        if self._received is None:
            self._received = grad.new_empty((self.n_steps, *grad.shape[1:]))
            self.arriving = self.arithmetic.views(self._received, 0)
        self._received.zero_()
        self._received[self.n_steps - len(inside) :] = grad[inside.start : inside.stop]

    def turn(self) -> None:
        """Turn the moments by a right angle, once all are known."""
        if self._moments is not None:
            self._moments.turn()


class _Moments:
    """Moments of the sources of some stages and of what these drive, and both turned.

    Parameters
    ----------
    of_driven : Tensor of shape (m, ..., 2, n_moments)
        Where a product with the transpose leaves those of what every stage drives.
    arithmetic : TorchArithmetic
        That of the way forward.
    """

    def __init__(self, of_driven: Tensor, arithmetic: TorchArithmetic) -> None:
        self._arithmetic, of_driven = arithmetic, of_driven.movedim(0, -3)
        self.of_sources, ahead, back = (of_driven.new_empty(of_driven.shape) for _ in range(3))
        self.turned = ahead, back
        self._by_stage = arithmetic.view(self.of_sources.movedim(-3, 0))
        plus, minus = (arithmetic.number(sign, of_driven) for sign in (1.0, -1.0))
        moments = map(arithmetic.pairs, (self.of_sources, of_driven))
        turned = map(arithmetic.pairs, self.turned)
        self._turns = list(zip(moments, turned, (plus, minus), (minus, plus)))

    def take(self, moments: Tensor) -> None:
        """Copy those of the sources, (m, ..., 2, n_moments)."""
        self._arithmetic.copy(self._by_stage, self._arithmetic.view(moments))

    def turn(self) -> None:
        """Turn by a right angle, those of the sources ahead and the others back."""
        for moments, turned, sign, other in self._turns:
            self._arithmetic.multiply(moments.second, sign, turned.first)
            self._arithmetic.multiply(moments.first, other, turned.second)


def _free_rows(pairs: Pairs, like: Tensor, arithmetic: TorchArithmetic) -> Any:
    """Memory of two rows, that of pairs that are done with; a batch has its rows far apart."""
    return pairs[1:] if like.ndim == 1 else arithmetic.views(like.new_empty((2, *like.shape)), 0)


def moments_of(system: KuramotoSystem, phases: Tensor, n_stages: int) -> Tensor | None:
    """Memory for moments of phasors, (n_stages, ..., 2, n_moments); None if there are none."""
    n_moments = system.coupling.n_moments
    if not (n_moments and n_stages):
        return None
    return phases.new_empty((n_stages, *phases.shape[:-1], 2, n_moments))
