"""Equations of motion in memory that is handed over, forward and back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from skkuranet.dynamics._array_ops import TorchOps, ops_for
from skkuranet.dynamics._dynamics import Dynamics
from skkuranet.dynamics._functions import rate_of, signal_of

# Numbers of a state times those of a signal up to which derivatives of all stages are made at once.
_FEW = 9
# So many bytes of states and signals have theirs made together.
_BLOCK_BYTES = 3 << 18
# With respect to something, of those components that depend on it: the index, and each stage's.
_Derivatives = list[tuple[int, Sequence[Tensor]]]


class Kernel(ABC):
    """Signals and rates, written to memory.

    Attributes
    ----------
    ops : TorchOps
        What is done to arrays.
    n_signals : int
        Numbers that a unit sends.
    reuses_drive : bool
        Whether, where states and signals have one axis and two rows, a rate may be written over
        the second row of the drive, and the first is free after.
    is_replayable : bool
        Whether it only launches kernels on memory that stays where it is.
    """

    ops: TorchOps
    n_signals: int
    reuses_drive = False
    is_replayable = False

    @abstractmethod
    def rows(self, memory: Tensor) -> Any:
        """Return the view of signals or drives, (..., m, n), that the other methods take."""

    @abstractmethod
    def signal(self, state: Any, out: Any) -> None:
        """Write what units send."""

    @abstractmethod
    def rate(self, state: Any, signal: Any, drive: Any, out: Any, spare: Any) -> None:
        """Write how fast states change; ``drive`` and ``spare`` may be overwritten."""

    @abstractmethod
    def part(self, signals: Tensor, drives: Tensor, by_rates: Tensor) -> KernelPart:
        """Return the way back through some stages, in memory (..., n_stages, rows, n).

        ``drives`` holds what units receive, and then the gradients with respect to it.
        """


class KernelPart(ABC):
    """The way back through some stages of a trajectory, in memory that serves many parts.

    ``stages`` holds what the pulls of each stage take.
    """

    stages: list[Any]

    @abstractmethod
    def load(self, states: Sequence[Any]) -> None:
        """Write the signals of all stages."""

    @abstractmethod
    def linearize(self) -> None:
        """Take note of the derivatives at these states and drives."""

    @abstractmethod
    def pull_rate(self, stage: Any) -> None:
        """Write the gradient with respect to a drive, from that with respect to the rate."""

    @abstractmethod
    def pull_signal(self, stage: Any, back: Any, out: Any, spare: Any) -> None:
        """Write the gradient with respect to a state, of its rate and of its signal."""

    @abstractmethod
    def by_parameters(self) -> list[Tensor]:
        """Return the gradients with respect to the parameters, over all stages."""


class PlainKernel(Kernel):
    """The functions of any dynamics."""

    def __init__(self, dynamics: Dynamics, like: Tensor) -> None:
        self.dynamics, self.ops = dynamics, TorchOps()
        with torch.no_grad():
            self.n_signals = signal_of(dynamics, like).shape[-2]

    def rows(self, memory: Tensor) -> Tensor:
        """The memory itself."""
        return memory.detach()

    def signal(self, state: Tensor, out: Tensor) -> None:
        out.copy_(self.dynamics.signal(state))

    def rate(self, state: Tensor, signal: Tensor, drive: Tensor, out: Tensor, spare: Any) -> None:
        out.copy_(rate_of(self.dynamics, state, drive))

    def part(self, signals: Tensor, drives: Tensor, by_rates: Tensor) -> KernelPart:
        """By derivatives of all stages at once where these are few; else by pullbacks."""
        kind = type(self.dynamics)
        by_hand = (kind.pull_signal, kind.pull_rate) != (Dynamics.pull_signal, Dynamics.pull_rate)
        few = math.prod(self.dynamics.state_shape) * signals.shape[-2] <= _FEW
        part = LinearPart if few and not by_hand else PulledPart
        return part(self.dynamics, signals, drives, by_rates)


class _PlainPart(KernelPart):
    """Memory of all stages with the stages as first axis, and states with one axis, (..., d, n)."""

    def __init__(
        self, dynamics: Dynamics, signals: Tensor, drives: Tensor, by_rates: Tensor
    ) -> None:
        self.dynamics, self.n_axes = dynamics, len(dynamics.state_shape)
        self.signals, self.drives = signals.movedim(-3, 0), drives.movedim(-3, 0)
        self.by_rates = self.flat(by_rates.movedim(-2 - self.n_axes, 0))
        self.stages = list(range(len(self.signals)))
        self.total: list[Tensor] = []

    def flat(self, state: Tensor) -> Tensor:
        """A state with one axis."""
        return state.flatten(-1 - self.n_axes, -2) if self.n_axes else state.unsqueeze(-2)

    def shaped(self, flat: Tensor) -> Tensor:
        """The state again."""
        return flat.unflatten(-2, self.dynamics.state_shape) if self.n_axes else flat.squeeze(-2)

    def add(self, found: Sequence[Tensor]) -> None:
        """Add gradients with respect to the parameters to the total."""
        for total, part in zip(self.total, found, strict=True):
            total += part

    def leaves(self) -> list[Tensor]:
        """Parameters, apart from where they come from."""
        return [value.detach().requires_grad_() for value in self.dynamics.parameters.values()]


class LinearPart(_PlainPart):
    """Derivatives of a block of stages at once, unit by unit; to pull back is to weigh them."""

    def load(self, states: Sequence[Any]) -> None:
        self.states, m = list(states), len(self.signals)
        n_bytes = self.by_rates.nbytes + self.signals.nbytes
        self.length = math.ceil(m / min(m, math.ceil(n_bytes / _BLOCK_BYTES)))
        for first in range(0, m, self.length):
            block = slice(first, first + self.length)
            self.signals[block] = self.dynamics.signal(torch.stack(self.states[block]))
        self.total = [torch.zeros_like(value) for value in self.dynamics.parameters.values()]

    def linearize(self) -> None:
        """Wait for the last stage."""
        self.block: _Block | None = None

    def pull_rate(self, stage: int) -> None:
        if self.block is None or stage < self.block.first:
            self._close()
            stages = slice(max(0, stage + 1 - self.length), stage + 1)
            self.block = _Block(self, stages)
        self.block.pull_rate(stage - self.block.first)

    def pull_signal(self, stage: int, back: Tensor, out: Tensor, spare: Any) -> None:
        assert self.block is not None
        self.block.pull_signal(stage - self.block.first, back, self.flat(out))

    def by_parameters(self) -> list[Tensor]:
        """By autograd, once for each block."""
        self._close()
        return self.total

    def _close(self) -> None:
        """Add up what the stages of a block have found, and forget it."""
        if self.block is not None:
            self.add(self.block.by_parameters())
            self.block = None


class _Block:
    """Derivatives at some stages, whose gradients arrive the last one ahead."""

    def __init__(self, part: LinearPart, stages: slice) -> None:
        self.first, self.values = stages.start, part.leaves()
        points = part.flat(torch.stack(part.states[stages])).requires_grad_()
        self.by_rates, by_drives = part.by_rates[stages], part.drives[stages]
        drives = by_drives.clone().requires_grad_()
        with torch.enable_grad():
            dynamics = part.dynamics.with_values(self.values)
            self.sent = dynamics.signal(part.shaped(points)).expand(drives.shape)
            rates = part.flat(dynamics.rate(part.shaped(points), drives))
            self.rates = rates.expand(points.shape)
        (self.of_signal,) = _derivatives(self.sent, [points])
        self.of_state, self.of_drive = _derivatives(self.rates, [points, drives])
        self.by_drive = by_drives.unbind(0)
        # Of each stage the components, in a shape that all that depends on them broadcasts with.
        self.by_rate = [row.unbind(-3) for row in self.by_rates.unsqueeze(-2).unbind(0)]
        # Needed only where signals depend on parameters.
        depends = any(g is not None for g in _grad(self.sent, self.values))
        self.backs = torch.empty_like(drives) if depends else None

    def pull_rate(self, at: int) -> None:
        """Write the gradient with respect to a drive."""
        by_rate = self.by_rate[at]
        _write_sum(self.by_drive[at], [(by_rate[i], each[at]) for i, each in self.of_drive])

    def pull_signal(self, at: int, back: Tensor, out: Tensor) -> None:
        """Write the gradient with respect to a state."""
        if self.backs is not None:
            self.backs[at] = back
        by_rate, by_signal = self.by_rate[at], back.unsqueeze(-2).unbind(-3)
        products = [(by_rate[i], each[at]) for i, each in self.of_state]
        products += [(by_signal[i], each[at]) for i, each in self.of_signal]
        _write_sum(out, products)

    def by_parameters(self) -> list[Tensor]:
        """Return the gradients with respect to the parameters."""
        zeros = [torch.zeros_like(value) for value in self.values]
        pairs = (self.rates, self.by_rates), (self.sent, self.backs)
        for of, grad in pairs:
            if grad is not None:
                for total, found in zip(zeros, _grad(of, self.values, grad)):
                    if found is not None:
                        total += found
        return zeros


class PulledPart(_PlainPart):
    """Pullbacks of dynamics, stage by stage: by hand, or of more numbers than derivatives suit."""

    def load(self, states: Sequence[Any]) -> None:
        self.states = list(states)
        for state, signal in zip(states, self.signals, strict=True):
            signal.copy_(self.dynamics.signal(state))
        self.total = [torch.zeros_like(value) for value in self.dynamics.parameters.values()]

    def linearize(self) -> None:
        """Take note of the drives, whose memory gradients go to."""
        self.received = self.drives.clone()

    def pull_rate(self, stage: int) -> None:
        """Write the gradient with respect to a drive, and keep that with respect to the state."""
        by_rate = self.shaped(self.by_rates[stage])
        self.own, by_drive, rest = self.dynamics.pull_rate(
            self.states[stage], self.received[stage], by_rate
        )
        self.drives[stage] = by_drive
        self.add(rest)

    def pull_signal(self, stage: int, back: Tensor, out: Tensor, spare: Any) -> None:
        by_state, rest = self.dynamics.pull_signal(self.states[stage], back)
        torch.add(self.own, by_state, out=out)
        self.add(rest)

    def by_parameters(self) -> list[Tensor]:
        """What the pullbacks have summed up."""
        return self.total


def kernel_for(dynamics: Dynamics, like: Tensor) -> Kernel:
    """Return the kernel of a dynamics for states like one, or a kernel of its functions."""
    return dynamics.kernel(ops_for(like), like) or PlainKernel(dynamics, like)


def _grad(
    of: Tensor, inputs: Sequence[Tensor], grad: Tensor | None = None
) -> Sequence[Tensor | None]:
    if not (of.requires_grad and inputs):
        return [None] * len(inputs)
    grad = torch.ones_like(of) if grad is None else grad
    return torch.autograd.grad(of, inputs, grad, retain_graph=True, allow_unused=True)


def _derivatives(of: Tensor, by: Sequence[Tensor]) -> list[_Derivatives]:
    """Derivatives with respect to each of several, of (..., k, n) by (..., d, n) unit by unit."""
    found: list[_Derivatives] = [[] for _ in by]
    with torch.enable_grad():
        components = of.unbind(-2)
    for index, component in enumerate(components):
        for derivatives, grad in zip(found, _grad(component, by), strict=True):
            # Of a velocity, say, by a drive; a product with zeros would take as long.
            if grad is not None and bool(grad.any()):
                derivatives.append((index, grad.unbind(0)))
    return found


def _write_sum(out: Tensor, products: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Write the sum of products."""
    empty = True
    for a, b in products:
        if empty:
            torch.mul(a, b, out=out)
        else:
            out.addcmul_(a, b)
        empty = False
    if empty:
        out.zero_()
