"""The functions of an equation of motion: checked for what they return, and pulled back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from skkuranet.dynamics._dynamics import Dynamics


def signal_of(dynamics: Dynamics, state: Tensor) -> Tensor:
    """Return the signals (..., m, n) of a dynamics; raise ValueError if they have another shape."""
    signal, n_axes = dynamics.signal(state), len(dynamics.state_shape)
    if signal.ndim != state.ndim - n_axes + 1 or signal.shape[-1] != state.shape[-1]:
        batch = state.shape[: state.ndim - n_axes - 1]
        wanted = ", ".join(map(str, (*batch, "m", state.shape[-1])))
        raise ValueError(
            f"{type(dynamics).__name__}.signal must return shape ({wanted}) for states of shape "
            f"{tuple(state.shape)}, got {tuple(signal.shape)}."
        )
    return signal


def rate_of(dynamics: Dynamics, state: Tensor, drive: Tensor) -> Tensor:
    """Return the rates of a dynamics; raise ValueError if they have not the shape of the state."""
    rate = dynamics.rate(state, drive)
    if rate.shape != state.shape:
        raise ValueError(
            f"{type(dynamics).__name__}.rate must return the shape of states, "
            f"{tuple(state.shape)}, got {tuple(rate.shape)}."
        )
    return rate


def pulled(function: Callable[..., Tensor], inputs: Sequence[Tensor], grad: Tensor) -> list[Any]:
    """Return the gradients with respect to inputs of a function, from that of what it returns."""
    leaves = [t.detach().requires_grad_() for t in inputs]
    with torch.enable_grad():
        out = function(*leaves)
    if not out.requires_grad:
        return [torch.zeros_like(t) for t in leaves]
    grad = grad.expand(out.shape)
    return list(torch.autograd.grad(out, leaves, grad, allow_unused=True, materialize_grads=True))
