"""The equation of motion, forward and back, in memory that is reused at every step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skkuranet.dynamics._adjoint import Stages
from skkuranet.dynamics._arithmetic import Pairs, arithmetic_for, parts
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
        self.arithmetic = arithmetic_for(like)
        view, pairs = self.arithmetic.view, self.arithmetic.pairs
        self._acting = like.new_empty((*like.shape[:-1], 2, like.shape[-1]))
        drive = torch.empty_like(self._acting)
        self.moments = moments_of(system, self._acting)
        self._product = system.coupling.bound_matvec(drive, self.moments)
        self._phasors, self._drive = pairs(self._acting), pairs(drive)
        self._frequency, self._field = (
            None if given is None else view(given) for given in (system.frequency, system.field)
        )
        self.spare = view(torch.empty_like(like))

    def rate(self, phases: Any, out: Any) -> None:
        """Write dθ/dt at some phases."""
        arithmetic = self.arithmetic
        arithmetic.phasors(phases, self._phasors)
        self._product(self._acting)
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
    moments: list[Tensor] = field(default_factory=list)

    def note(self, phases: Any, moments: Tensor | None) -> None:
        """Keep them; the phases must not be overwritten."""
        self.phases.append(phases)
        if moments is not None:
            self.moments.append(moments.clone())


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
    grad : Tensor of shape (n_saved, ..., n)
        Gradient by the phases that were kept.
    n_steps : int
        Number of steps.
    n_stages : int
        Number of stages of a step.
    """

    def __init__(
        self, system: KuramotoSystem, costate: Tensor, grad: Tensor, n_steps: int, n_stages: int
    ) -> None:
        self.n_steps, m = n_steps, n_steps * n_stages
        self.arithmetic, self._coupling = arithmetic_for(costate), system.coupling
        view, views, pairs = self.arithmetic.view, self.arithmetic.views, self.arithmetic.pairs
        *batch, n = costate.shape
        phasors, back = costate.new_empty((*batch, m, 2, n)), costate.new_empty((*batch, 2, n))
        # What a stage has driven is known last, and lends its memory to what drives it.
        driven, adjoints = torch.empty_like(phasors), costate.new_empty((*batch, m, n))
        stiffness = torch.empty_like(adjoints)
        self._of_sources, of_driven = (moments_of(system, phasors) for _ in range(2))
        turned = None
        self._turns: list[tuple[Pairs, Pairs]] = []
        if self._of_sources is not None and of_driven is not None:
            turned = torch.empty_like(of_driven), torch.empty_like(of_driven)
            self._turns = list(zip(map(pairs, (self._of_sources, of_driven)), map(pairs, turned)))
        self.outcome = Stages(phasors, adjoints, driven, turned)
        moments = moments_of(system, back)
        self.pull = system.coupling.bound_rmatvec(back, moments)
        self.moments = None if moments is None else view(moments)
        self.costate, self.arriving = view(costate), views(grad, 0)
        self.pulled = views(costate.new_empty((n_stages, *batch, n)), 0)
        self.back, self.spare = pairs(back), view(torch.empty_like(costate))
        self._field = None if system.field is None else view(system.field.unsqueeze(-2))
        self._phasors, self._drives, self._stiffness = (
            pairs(phasors),
            pairs(driven),
            view(stiffness),
        )
        # Views are made once: in small networks they take as long as what is done with them.
        acting = map(Pairs, views(phasors, -3), *(views(t, -2) for t in parts(phasors)))
        flat = (views(t, -2) for t in (stiffness, adjoints))
        rows = (views(t, -3) for t in (adjoints.unsqueeze(-2), driven))
        noted = [None] * m if of_driven is None else views(of_driven, -3)
        self.stages = list(map(Stage, acting, *flat, *rows, driven.unbind(-3), noted))

    def load(self, tape: Tape, first: int) -> None:
        """Compute all but the gradients anew, from this stage on; keeping it would be slower."""
        arithmetic, last, drives = self.arithmetic, first + len(self.stages), self._drives
        for phases, stage in zip(tape.phases[first:last], self.stages, strict=True):
            arithmetic.phasors(phases, stage.phasors)
        rows, out = (t.flatten(-3, -2) for t in (self.outcome.sources, self.outcome.driven))
        if self._of_sources is None:
            self._coupling.bound_matvec(out)(rows)
        else:
            torch.stack(tape.moments[first:last], -3, out=self._of_sources)
            self._coupling.recall(self._of_sources.flatten(-3, -2), rows, out)
        if self._field is not None:
            arithmetic.subtract(drives.first, self._field, drives.first)
        arithmetic.dot(self._phasors, drives, self._stiffness)

    def turn(self) -> None:
        """Turn the moments by a right angle, those of the sources ahead and the others back."""
        for (moments, turned), sign in zip(self._turns, (1.0, -1.0)):
            self.arithmetic.multiply(moments.second, sign, turned.first)
            self.arithmetic.multiply(moments.first, -sign, turned.second)


def moments_of(system: KuramotoSystem, rows: Tensor) -> Tensor | None:
    """Memory for the moments of vectors, or None where the couplings have none."""
    n_moments = system.coupling.n_moments
    return rows.new_empty((*rows.shape[:-1], n_moments)) if n_moments else None
