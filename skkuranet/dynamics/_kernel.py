"""Equations of motion in memory that is handed over, forward and back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from skkuranet.dynamics._array_ops import TorchOps, ops_for
from skkuranet.dynamics._dynamics import Dynamics

# Numbers of a state times those of a signal up to which derivatives of all stages are made at once.
_FEW = 9


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
        """Return the way back through some stages.

        Parameters
        ----------
        signals : Tensor of shape (..., n_stages, m, n)
            Memory for what units send.
        drives : Tensor of shape (..., n_stages, m, n)
            Memory for what units receive, and then for the gradients with respect to it.
        by_rates : Tensor of shape (..., n_stages, *state_shape, n)
            Memory for gradients with respect to rates.
        """


class KernelPart(ABC):
    """The way back through some stages of a trajectory, in memory that serves many parts.

    Attributes
    ----------
    stages : list
        What the pulls of each stage take.
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
        self.n_signals = dynamics.signal(like.detach()).shape[-2]

    def rows(self, memory: Tensor) -> Tensor:
        """The memory itself."""
        return memory.detach()

    def signal(self, state: Tensor, out: Tensor) -> None:
        """Write what units send."""
        out.copy_(self.dynamics.signal(state))

    def rate(self, state: Tensor, signal: Tensor, drive: Tensor, out: Tensor, spare: Any) -> None:
        """Write how fast states change."""
        out.copy_(self.dynamics.rate(state, drive))

    def part(self, signals: Tensor, drives: Tensor, by_rates: Tensor) -> KernelPart:
        """By derivatives of all stages at once where these are few; else by pullbacks."""
        kind = type(self.dynamics)
        by_hand = kind.pull_rate is not Dynamics.pull_rate
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

    def flat(self, state: Tensor) -> Tensor:
        """A state with one axis."""
        return state.flatten(-1 - self.n_axes, -2) if self.n_axes else state.unsqueeze(-2)

    def shaped(self, flat: Tensor) -> Tensor:
        """The state again."""
        return flat.unflatten(-2, self.dynamics.state_shape) if self.n_axes else flat.squeeze(-2)

    def leaves(self) -> list[Tensor]:
        """Parameters, apart from where they come from."""
        return [value.detach().requires_grad_() for value in self.dynamics.parameters.values()]


class LinearPart(_PlainPart):
    """Derivatives of all stages at once, unit by unit; to pull back is to multiply with them."""

    def load(self, states: Sequence[Any]) -> None:
        """Write signals, and take note of their derivatives."""
        self.states, self.values = torch.stack(list(states)), self.leaves()
        points = self.flat(self.states).detach().requires_grad_()
        with torch.enable_grad():
            sent = self.dynamics.with_values(self.values).signal(self.shaped(points))
            self.sent = sent.expand(self.signals.shape)
        self.signals.copy_(self.sent.detach())
        self.of_signal = _jacobian(self.sent, points)
        # Needed only where signals depend on parameters.
        self.depends = any(g is not None for g in _grad(self.sent, self.values))
        self.backs = torch.empty_like(self.signals) if self.depends else None

    def linearize(self) -> None:
        """Take note of the derivatives of rates."""
        points = self.flat(self.states).detach().requires_grad_()
        drives = self.drives.clone().requires_grad_()
        with torch.enable_grad():
            rates = self.dynamics.with_values(self.values).rate(self.shaped(points), drives)
            self.rates = self.flat(rates).expand(self.by_rates.shape)
        self.of_state = _jacobian(self.rates, points)
        self.of_drive = _jacobian(self.rates, drives)

    def pull_rate(self, stage: int) -> None:
        """Write the gradient with respect to a drive."""
        self.drives[stage] = _times(self.by_rates[stage], self.of_drive[stage])

    def pull_signal(self, stage: int, back: Tensor, out: Tensor, spare: Any) -> None:
        """Write the gradient with respect to a state."""
        if self.backs is not None:
            self.backs[stage] = back
        own = _times(self.by_rates[stage], self.of_state[stage])
        out.copy_(self.shaped(own.add_(_times(back, self.of_signal[stage]))))

    def by_parameters(self) -> list[Tensor]:
        """By autograd, once for all stages."""
        found = _grad(self.rates, self.values, self.by_rates)
        sent = _grad(self.sent, self.values, self.backs) if self.backs is not None else found[:0]
        zeros = [torch.zeros_like(value) for value in self.values]
        for gradients in (found, sent):
            for total, gradient in zip(zeros, gradients):
                if gradient is not None:
                    total += gradient
        return zeros


class PulledPart(_PlainPart):
    """Pullbacks of dynamics, stage by stage: by hand, or of more numbers than derivatives suit."""

    def load(self, states: Sequence[Any]) -> None:
        """Write signals."""
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
        self._add(rest)

    def pull_signal(self, stage: int, back: Tensor, out: Tensor, spare: Any) -> None:
        """Write the gradient with respect to a state."""
        by_state, rest = self.dynamics.pull_signal(self.states[stage], back)
        torch.add(self.own, by_state, out=out)
        self._add(rest)

    def by_parameters(self) -> list[Tensor]:
        """What the pullbacks have summed up."""
        return self.total

    def _add(self, parts: Sequence[Tensor]) -> None:
        for total, part in zip(self.total, parts, strict=True):
            total += part


def kernel_for(dynamics: Dynamics, like: Tensor) -> Kernel:
    """Return the kernel of a dynamics, or one of its functions.

    Parameters
    ----------
    dynamics : Dynamics
        Any.
    like : Tensor of shape (..., *state_shape, n)
        A state.

    Returns
    -------
    Kernel
    """
    return dynamics.kernel(ops_for(like), like) or PlainKernel(dynamics, like)


def _grad(
    of: Tensor, inputs: Sequence[Tensor], grad: Tensor | None = None
) -> Sequence[Tensor | None]:
    if not (of.requires_grad and inputs):
        return [None] * len(inputs)
    grad = torch.ones_like(of) if grad is None else grad
    return torch.autograd.grad(of, inputs, grad, retain_graph=True, allow_unused=True)


def _jacobian(of: Tensor, by: Tensor) -> Tensor:
    """(..., k, n) with respect to (..., d, n), unit by unit: (..., k, d, n)."""
    with torch.enable_grad():
        components = of.unbind(-2)
    found = [_grad(component, [by])[0] for component in components]
    return torch.stack([torch.zeros_like(by) if g is None else g for g in found], -3)


def _times(gradient: Tensor, jacobian: Tensor) -> Tensor:
    """Pull (..., k, n) back by (..., k, d, n)."""
    return (gradient.unsqueeze(-2) * jacobian).sum(-3)
