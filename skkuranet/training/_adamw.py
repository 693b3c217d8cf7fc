"""Adam with decoupled weight decay, on one vector of parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8


class AdamW:
    """Adam as of :class:`torch.optim.AdamW`, for parameters of one type on one device.

    That one imports torch's compiler, which takes longer than many a fit, and steps through many
    small tensors, which takes longer than one vector. ``weight_decay`` is that of each parameter.
    """

    def __init__(self, parameters: Sequence[Tensor], weight_decay: Sequence[float]) -> None:
        self.parameters = list(parameters)
        self.sizes = [p.numel() for p in self.parameters]
        with torch.no_grad():
            self.values = self._joined(self.parameters)
            decay = [torch.full_like(p, d) for p, d in zip(self.parameters, weight_decay)]
            self.decay = self._joined(decay)
        self.mean, self.square = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self.n_steps = 0

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor | None], rate: float) -> None:
        """Move the parameters against their gradients; None counts as zero."""
        self.n_steps += 1
        gradient = self._joined(
            [torch.zeros_like(p) if g is None else g for p, g in zip(self.parameters, gradients)]
        )
        self.values.addcmul_(self.values, self.decay, value=-rate)
        self.mean.lerp_(gradient, 1.0 - _FIRST)
        self.square.mul_(_SECOND).addcmul_(gradient, gradient, value=1.0 - _SECOND)
        spread = self.square.sqrt().mul_(1.0 / math.sqrt(1.0 - _SECOND**self.n_steps)).add_(_TINY)
        self.values.addcdiv_(self.mean, spread, value=-rate / (1.0 - _FIRST**self.n_steps))
        self.move_to(self.values)

    @torch.no_grad()
    def move_to(self, values: Tensor) -> None:
        """Set all parameters to values (n_values,), in the order of the attribute ``values``."""
        self.values.copy_(values)
        for parameter, value in zip(self.parameters, self.values.split(self.sizes)):
            parameter.copy_(value.view_as(parameter))

    def state_dict(self) -> dict[str, Any]:
        """Return all that further steps depend on, except the parameters."""
        return {"mean": self.mean, "square": self.square, "n_steps": self.n_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state; the parameters have been restored before."""
        self.mean.copy_(state["mean"])
        self.square.copy_(state["square"])
        self.n_steps = state["n_steps"]
        with torch.no_grad():
            self.values = self._joined(self.parameters)

    @staticmethod
    def _joined(tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat([tensor.flatten() for tensor in tensors])
