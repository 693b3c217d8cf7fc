"""The right-hand side of one network, and its derivatives unit by unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from skkuranet._utils.messages import plain
from skkuranet.coupling import CouplingOperator, DenseCoupling, SharedCoupling, SparseCoupling
from skkuranet.dynamics import Dynamics
from skkuranet.dynamics._functions import rate_of, signal_of
from skkuranet.oscillator_network import OscillatorNetwork


@dataclass(frozen=True)
class Blocks:
    """Derivatives of rates and signals of each unit, with d numbers of state and m signals."""

    own: Tensor  # of rates by the own state, (..., d, d, n)
    by_drive: Tensor  # of rates by the drive, (..., d, m, n)
    sent: Tensor  # of signals by the state, (..., m, d, n)

    def at(self, index: int) -> Blocks:
        """Return those of one entry of the first leading axis."""
        return Blocks(self.own[index], self.by_drive[index], self.sent[index])

    def of(self, index: Tensor) -> Blocks:
        """Return those of the units in an index."""
        return Blocks(self.own[..., index], self.by_drive[..., index], self.sent[..., index])

    def within(self, basis: Tensor) -> Blocks:
        """Return the same in coordinates along a basis of the tangents of units, (d, t, n)."""
        into = basis.transpose(-3, -2)
        own = compose(compose(into, self.own), basis)
        return Blocks(own, compose(into, self.by_drive), compose(self.sent, basis))

    def apply(self, coupling: CouplingOperator, rows: Tensor) -> Tensor:
        """Return J v for vectors (k, d, n), in one product with the couplings."""
        sent = times(self.sent, rows)
        drive = coupling.matvec(sent.flatten(0, 1)).view_as(sent)
        return times(self.own, rows) + times(self.by_drive, drive)

    def pull(self, coupling: CouplingOperator, rows: Tensor) -> Tensor:
        """Return Jᵀ v for vectors (k, d, n), in one product with the couplings."""
        drive = times(self.by_drive.transpose(-3, -2), rows)
        sent = coupling.rmatvec(drive.flatten(0, 1)).view_as(drive)
        return times(self.own.transpose(-3, -2), rows) + times(self.sent.transpose(-3, -2), sent)

    def dense(self, matrix: Tensor) -> Tensor:
        """Return J for couplings (n, n) as matrices (..., d n, d n)."""
        *batch, d, _, n = self.own.shape
        found = matrix.new_empty((*batch, d, n, d, n))
        for a in range(d):
            for c in range(d):
                block = found[..., a, :, c, :]
                weight = self.by_drive[..., a, :, :].mT @ self.sent[..., :, c, :]
                torch.mul(weight, matrix, out=block) if not batch else block.copy_(weight * matrix)
                block.diagonal(0, -2, -1).add_(self.own[..., a, c, :])
        return found.view(*batch, d * n, d * n)


@dataclass(frozen=True)
class Field:
    """The rates of one network in double precision, without gradients with respect to anything."""

    coupling: CouplingOperator
    dynamics: Dynamics

    @property
    def n(self) -> int:
        """Number of units."""
        return self.coupling.shape[-1]

    def velocity(self, state: Tensor) -> Tensor:
        """Return the rates at states (..., state_shape, n)."""
        with torch.no_grad():
            drive = self._over(state).matvec(signal_of(self.dynamics, state))
            return rate_of(self.dynamics, state, drive)

    def linearize(self, state: Tensor) -> tuple[Tensor, Blocks]:
        """Return the rates at states (..., state_shape, n), and their derivatives."""
        batch, n = self._batch_of(state), self.n
        with torch.enable_grad():
            own = state.detach().requires_grad_()
            sent = signal_of(self.dynamics, own)
        with torch.no_grad():
            drive = self._over(state).matvec(sent.detach())
        drive.requires_grad_()
        by_state = derivatives(sent, (own,), len(batch))[0]
        with torch.enable_grad():
            rate = rate_of(self.dynamics, own, drive)
        flat = rate.reshape(*batch, -1, n)
        by_own, by_drive = derivatives(flat, (own, drive), len(batch))
        return rate.detach(), Blocks(by_own, by_drive, by_state)

    def turning(self, speed: float) -> Field | None:
        """Return the same field as seen from a frame that turns; None if that is not known."""
        # In double precision, which a number would lose where there are no frequencies.
        number = torch.tensor(speed, dtype=torch.float64, device=self.coupling.device)
        seen = self.dynamics.rotating(cast(float, number))
        return None if seen is None else replace(self, dynamics=seen)

    def retraction(self, state: Tensor) -> Tensor | None:
        """Return the derivative of retracting, (..., d, d, n); None where states are free."""
        if type(self.dynamics).retract is Dynamics.retract:
            return None
        with torch.enable_grad():
            own = state.detach().requires_grad_()
            moved = self.dynamics.retract(own)
        batch = self._batch_of(state)
        return derivatives(moved.reshape(*batch, -1, self.n), (own,), len(batch))[0]

    def tangents(self, state: Tensor) -> Tensor | None:
        """Return an orthonormal basis (d, t, n) of where the state of each unit may go."""
        projection = self.retraction(state)
        if projection is None:
            return None
        values, vectors = torch.linalg.eigh(projection.movedim(-1, 0))
        n_free = int((values[0] > 0.5).sum())
        return vectors[..., -n_free:].movedim(0, -1)

    def _batch_of(self, state: Tensor) -> torch.Size:
        return state.shape[: state.ndim - 1 - len(self.dynamics.state_shape)]

    def _over(self, state: Tensor) -> CouplingOperator:
        batch = self._batch_of(state)
        return SharedCoupling(self.coupling, batch) if batch else self.coupling


def field_of(network: OscillatorNetwork, name: str) -> Field:
    """Return the field of one network without delays and noise, and refuse any other.

    Raises
    ------
    TypeError
        If it is no network.
    ValueError
        If there are several, delays or noise.
    """
    if not isinstance(network, OscillatorNetwork):
        raise TypeError(
            f"{name} takes an OscillatorNetwork, got {type(network).__name__}. Make one of "
            "couplings by skkuranet.OscillatorNetwork(K, ...)."
        )
    if network.batch:
        raise ValueError(
            f"{name} takes one network, got a batch of shape {tuple(network.batch)}. Call it for "
            "each of them."
        )
    for what in ("delay", "noise"):
        value = getattr(network, what)
        if value is not None and bool((value != 0).any()):
            raise ValueError(
                f"{name} knows no {what}, and the network has {what}={plain(value)}. Leave it out "
                f"by network.replace({what}=None)."
            )
    with torch.no_grad():
        coupling = _in_double(network.coupled())
    values = [value.detach().double() for value in network.dynamics.parameters.values()]
    return Field(coupling, network.dynamics.with_values(values))


def check_memory(network: OscillatorNetwork, needed: int, what: str, remedy: str) -> None:
    """Raise ValueError if something would take more bytes than the network may."""
    if needed > network.memory_budget:
        raise ValueError(
            f"{what} takes {needed} bytes, more than memory_budget={network.memory_budget} of the "
            f"network. {remedy}"
        )


def derivatives(out: Tensor, inputs: Sequence[Tensor], n_batch: int) -> list[Tensor]:
    """Differentiate (..., q, n) by each (..., inner, n), units apart: (..., q, p, n) of each.

    As no unit depends on another, the derivative of a sum over units is that of each of them.
    """
    found: list[list[Tensor]] = [[] for _ in inputs]
    batch, n = out.shape[:n_batch], out.shape[-1]
    for row in out.unbind(-2):
        grads = (
            torch.autograd.grad(
                row.sum(), inputs, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            if row.requires_grad
            else [torch.zeros_like(given) for given in inputs]
        )
        for kept, grad in zip(found, grads, strict=True):
            kept.append(grad.reshape(*batch, -1, n))
    return [torch.stack(kept, -3) for kept in found]


def times(block: Tensor, rows: Tensor) -> Tensor:
    """Multiply vectors (..., k, c, n) by the blocks (..., a, c, n) of each unit."""
    return (block.unsqueeze(-4) * rows.unsqueeze(-3)).sum(-2)


def compose(left: Tensor, right: Tensor) -> Tensor:
    """Multiply the blocks (..., a, b, n) and (..., b, c, n) of each unit."""
    return (left.unsqueeze(-2) * right.unsqueeze(-4)).sum(-3)


def _in_double(coupling: CouplingOperator) -> CouplingOperator:
    if coupling.dtype == torch.float64:
        return coupling
    if isinstance(coupling, DenseCoupling):
        return DenseCoupling(coupling.matrix.double())
    if isinstance(coupling, SparseCoupling):
        ends = coupling.targets, coupling.sources
        return SparseCoupling(*ends, coupling.values.double(), coupling.shape)
    return _Cast(coupling)


class _Cast(CouplingOperator):
    """Couplings of lower precision, for vectors in double precision."""

    def __init__(self, base: CouplingOperator) -> None:
        self.base = base

    @property
    def shape(self) -> torch.Size:
        return self.base.shape

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return self.base.tensors

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64

    def matvec(self, x: Tensor) -> Tensor:
        return self.base.matvec(x.to(self.base.dtype)).double()

    def rmatvec(self, x: Tensor) -> Tensor:
        return self.base.rmatvec(x.to(self.base.dtype)).double()

    def rows(self, index: Tensor | Sequence[int] | slice) -> Tensor:
        return self.base.rows(index).double()
