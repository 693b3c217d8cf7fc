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


class _Layer(nn.Linear):
    """A layer without weights so far."""

    # Torch's own would draw from the global generator, and skip_init imports sympy.
    def reset_parameters(self) -> None:
        pass


def linear(
    n_in: int,
    n_out: int,
    generator: torch.Generator | None,
    *,
    fan_in: int | None = None,
    bias: bool = True,
) -> nn.Linear:
    """He-initialised layer whose weights come from the generator alone."""
    layer = _Layer(n_in, n_out, bias=bias)
    bound = math.sqrt(6.0 / (fan_in or n_in))
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        if bias:
            layer.bias.uniform_(-0.1 * bound, 0.1 * bound, generator=generator)
    return layer


def perceptron(
    sizes: Sequence[int], activation: str, generator: torch.Generator | None
) -> nn.Sequential:
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, got {activation!r}.")
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [linear(n_in, n_out, generator), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])
