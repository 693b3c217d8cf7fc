"""Perceptrons whose weights come from a generator alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

#: Nonlinearities of hidden layers. Those that can overwrite their input do: it is large.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "relu": lambda: nn.ReLU(inplace=True),
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class _Unset(nn.Linear):
    """A layer whose weights have not been drawn."""

    def reset_parameters(self) -> None:
        """Leave the global generator alone."""


def linear(
    n_in: int,
    n_out: int,
    generator: torch.Generator | None,
    *,
    fan_in: int | None = None,
    bias: bool = True,
) -> nn.Linear:
    """He-initialised layer whose weights come from the generator alone."""
    # Not skip_init, whose first call imports sympy.
    layer: nn.Linear = _Unset(n_in, n_out, bias=bias)
    layer.__class__ = nn.Linear
    bound = math.sqrt(6.0 / (fan_in or n_in))
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        if bias:
            layer.bias.uniform_(-0.1 * bound, 0.1 * bound, generator=generator)
    return layer


def perceptron(
    sizes: Sequence[int],
    activation: str,
    generator: torch.Generator | None,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Return a perceptron that leaves out this share of its hidden units in training."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, got {activation!r}.")
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [linear(n_in, n_out, generator), ACTIVATIONS[activation]()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers[: -2 if dropout else -1])
