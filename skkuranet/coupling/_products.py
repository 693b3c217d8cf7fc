"""Products with couplings, and what is done to tensors on the way to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from skkuranet.coupling._base import CouplingOperator


def product(coupling: CouplingOperator, x: Tensor) -> Tensor:
    """Return ``coupling.matvec(x)``, differentiable in ``x`` and the operator's tensors.

    Parameters
    ----------
    coupling : CouplingOperator of shape (..., n, p)
        The couplings K.
    x : Tensor of shape (..., m, p)
        Vectors, as rows.

    Returns
    -------
    Tensor of shape (..., m, n)
        Products, as rows.
    """
    return _Product.apply(coupling, x, *coupling.tensors)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, coupling: CouplingOperator, x: Tensor, *tensors: Tensor) -> Tensor:
        ctx.coupling = coupling
        ctx.save_for_backward(x, *tensors)
        return coupling.matvec(x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        x, *_ = ctx.saved_tensors
        grad_x = ctx.coupling.rmatvec(grad) if ctx.needs_input_grad[1] else None
        if not any(ctx.needs_input_grad[2:]):
            return (None, grad_x, *(None for _ in ctx.needs_input_grad[2:]))
        return (None, grad_x, *ctx.coupling.vjp(grad, x))


def matmul(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Return a @ b, with less overhead for batches of small networks than the operator has."""
    if a.ndim == b.ndim == 3 and len(a) == len(b):
        return torch.bmm(a, b, out=out)
    return torch.matmul(a, b, out=out)


def exp_below(logits: Tensor) -> Tensor:
    """Exponential that cannot overflow float32, as a self-coupling left out later might.

    It overwrites ``logits`` unless their gradient is wanted.
    """
    bounded = logits.clamp_max(80.0) if logits.requires_grad else logits.clamp_max_(80.0)
    return bounded.exp_()
