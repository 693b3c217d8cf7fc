"""The equation of motion, forward and back, in memory that is reused at every step."""

from __future__ import annotations

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
    """

    def __init__(self, system: KuramotoSystem, like: Tensor) -> None:
        self.system, self.arithmetic = system, arithmetic_for(like)
        view, pairs = self.arithmetic.view, self.arithmetic.pairs
        self._acting = like.new_empty((*like.shape[:-1], 2, like.shape[-1]))
        drive = torch.empty_like(self._acting)
        moments = moments_of(system, like)
        self._product = system.coupling.bound_matvec(drive, moments)
        self._moments = None if moments is None else view(moments)
        self._phasors, self._drive = pairs(self._acting), pairs(drive)
        self._frequency, self._field = (
            None if given is None else view(given) for given in (system.frequency, system.field)
        )
        self.spare = view(torch.empty_like(like))

    def rate(self, phases: Any, out: Any, moments: Any = None) -> None:
        """Write dθ/dt at some phases, and the moments of the sources where they are wanted."""
        arithmetic = self.arithmetic
        arithmetic.phasors(phases, self._phasors)
        self._product(self._acting)
        if moments is not None:
            arithmetic.copy(self._moments, moments)
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
            kept = self.moments.narrow(-3, first, len(points))
            kept.copy_(moments.narrow(-3, 0, len(points)))


class Stage(NamedTuple):
    """Where a stage has its phasors and what they do; ``rows`` is what it drives, as a tensor."""

    phasors: Pairs
    stiffness: Any
    adjoint: Any
    row: Any
    driven: Any
    rows: Tensor
    moments: Any


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
        self.arithmetic, self._coupling = arithmetic, system.coupling
        view, views, pairs = self.arithmetic.view, self.arithmetic.views, self.arithmetic.pairs
        *batch, n = costate.shape
        phasors, back = costate.new_empty((*batch, m, 2, n)), costate.new_empty((*batch, 2, n))
        # What a stage has driven is known last, and lends its memory to what drives it.
        driven, adjoints = torch.empty_like(phasors), costate.new_empty((*batch, m, n))
        stiffness = torch.empty_like(adjoints)
        self._of_sources, of_driven = (moments_of(system, costate, m) for _ in range(2))
        turned = None
        self._turns: list[tuple[Pairs, Pairs]] = []
        if self._of_sources is not None and of_driven is not None:
            turned = torch.empty_like(of_driven), torch.empty_like(of_driven)
            self._turns = list(zip(map(pairs, (self._of_sources, of_driven)), map(pairs, turned)))
        self.outcome = Stages(phasors, adjoints, driven, turned)
        moments = moments_of(system, costate)
        self.pull = system.coupling.bound_rmatvec(back, moments)
        self.moments = None if moments is None else view(moments)
        self.costate, self.arriving = view(costate), list[Any]()
        self._received: Tensor | None = None
        self.pulled = views(costate.new_empty((n_stages, *batch, n)), 0)
        self.back, self.spare = pairs(back), view(torch.empty_like(costate))
        self._field = None if system.field is None else view(system.field.unsqueeze(-2))
        self._phasors, self._drives = pairs(phasors), pairs(driven)
        self._stiffness, self._adjoints = view(stiffness), view(adjoints)
        # Views are made once: in small networks they take as long as what is done with them.
        acting = map(Pairs, views(phasors, -3), *(views(t, -2) for t in parts(phasors)))
        flat = (views(t, -2) for t in (stiffness, adjoints))
        rows = (views(t, -3) for t in (adjoints.unsqueeze(-2), driven))
        noted = [None] * m if of_driven is None else views(of_driven, -3)
        self.stages = list(map(Stage, acting, *flat, *rows, driven.unbind(-3), noted))

    def load(self, tape: Tape, first: int) -> None:
        """Compute all but the gradients anew, from this stage on; keeping it would be slower."""
        arithmetic, m, drives = self.arithmetic, len(self.stages), self._drives
        points, each = tape.phases[first : first + m], [stage.phasors for stage in self.stages]
        arithmetic.all_phasors(points, each, self._phasors, self._adjoints)
        rows, out = (t.flatten(-3, -2) for t in (self.outcome.sources, self.outcome.driven))
        if self._of_sources is None:
            self._coupling.bound_matvec(out)(rows)
        else:
            assert tape.moments is not None
            self._of_sources.copy_(tape.moments.narrow(-3, first, m))
            self._coupling.recall(self._of_sources.flatten(-3, -2), rows, out)
        if self._field is not None:
            arithmetic.subtract(drives.first, self._field, drives.first)
        arithmetic.dot(self._phasors, drives, self._stiffness)

    def receive(self, grad: Tensor, first: int, *, in_place: bool) -> None:
        """Take the gradients that arrive at the phases before each step, from this entry on."""
        inside = range(max(0, first), max(0, first + self.n_steps))
        if not in_place:
            arriving = self.arithmetic.views(grad[inside.start : inside.stop], 0)
            self.arriving = [None] * (self.n_steps - len(arriving)) + arriving
            return
        if self._received is None:
            self._received = grad.new_empty((self.n_steps, *grad.shape[1:]))
            self.arriving = self.arithmetic.views(self._received, 0)
        self._received.zero_()
        self._received[self.n_steps - len(inside) :] = grad[inside.start : inside.stop]

    def turn(self) -> None:
        """Turn the moments by a right angle, those of the sources ahead and the others back."""
        for (moments, turned), sign in zip(self._turns, (1.0, -1.0)):
            self.arithmetic.multiply(moments.second, sign, turned.first)
            self.arithmetic.multiply(moments.first, -sign, turned.second)


def moments_of(system: KuramotoSystem, phases: Tensor, *stages: int) -> Tensor | None:
    """Memory for the moments of phasors, (..., *stages, 2, n_moments); None if there are none."""
    n_moments = system.coupling.n_moments
    return phases.new_empty((*phases.shape[:-1], *stages, 2, n_moments)) if n_moments else None
