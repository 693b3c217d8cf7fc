"""Perceptrons whose weights come from a generator alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_SLOPE = 0.01


@dataclass(frozen=True)
class Activation:
    """A nonlinearity of hidden layers.

    Parameters
    ----------
    module : callable
        Makes the module. Hidden activations are large: those that allow it overwrite their input.
    overwrite : callable, optional
        Overwrites its input, for nonlinearities whose slope follows from what they return.
    pull_back : callable, optional
        ``pull_back(grad, value, out)`` writes the gradient by the input, from that by the output
        and from the output itself.
    """

    module: Callable[[], nn.Module]
    overwrite: Callable[[Tensor], Tensor] | None = None
    pull_back: Callable[[Tensor, Tensor, Tensor], Any] | None = None


_aten = torch.ops.aten
ACTIVATIONS = {
    "leaky_relu": Activation(
        lambda: nn.LeakyReLU(_SLOPE, inplace=True),
        lambda x: nn.functional.leaky_relu_(x, _SLOPE),
        lambda grad, value, out: _aten.leaky_relu_backward.grad_input(
            grad, value, _SLOPE, True, grad_input=out
        ),
    ),
    "relu": Activation(
        lambda: nn.ReLU(inplace=True),
        torch.relu_,
        lambda grad, value, out: _aten.threshold_backward.grad_input(
            grad, value, 0, grad_input=out
        ),
    ),
    "silu": Activation(nn.SiLU),
    "tanh": Activation(
        nn.Tanh,
        torch.tanh_,
        lambda grad, value, out: _aten.tanh_backward.grad_input(grad, value, grad_input=out),
    ),
}


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
    with torch.random.fork_rng(devices=[]):
        layer = nn.Linear(n_in, n_out, bias=bias)
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
        layers += [linear(n_in, n_out, generator), ACTIVATIONS[activation].module()]
    return nn.Sequential(*layers[:-1])


_BY_MODULE = {
    (type(module), repr(module)): activation
    for activation in ACTIVATIONS.values()
    if activation.pull_back is not None
    for module in (activation.module(),)
}


def as_made(
    activation: nn.Module, layers: nn.Sequential, device_type: str
) -> tuple[Activation, list[Tensor]] | None:
    """What :class:`PerceptronOfPairs` needs of modules, or None where it would not do the same.

    Modules may have been replaced, hooked, pruned or parametrised since they were made, and
    autocast and torch.func have to see single operations.
    """
    if torch.is_autocast_enabled(device_type) or torch._C._are_functorch_transforms_active():
        return None
    linears, others = list(layers)[::2], [activation, *list(layers)[1::2]]
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    if any(getattr(module, hook) for module in (layers, *linears, *others) for hook in hooks):
        return None
    kinds = {(type(module), repr(module)) for module in others}
    known = _BY_MODULE.get(kinds.pop()) if len(kinds) == 1 else None
    tensors = []
    for layer in linears:
        if type(layer) is not nn.Linear or layer.bias is None:
            return None
        tensors += [layer.weight, layer.bias]
    return None if known is None else (known, tensors)


class PerceptronOfPairs(torch.autograd.Function):
    """A perceptron on the activated sums of all pairs of rows, (..., n, h) and (..., p, h).

    Its last layer has one output: the result is (..., n, p). Autograd would do the same with an
    intermediate for every gradient, each of which is written to memory that is not in the cache.
    """

    @staticmethod
    def forward(
        ctx: Any, activation: Activation, rows: int, target: Tensor, source: Tensor, *layers: Tensor
    ) -> Tensor:
        """Evaluate some rows of targets at a time; ``layers`` are weights and biases in turn."""
        assert activation.overwrite is not None
        *hidden, (weight, bias) = zip(layers[::2], layers[1::2], strict=True)
        kept, couplings = [], []
        for part in target.split(rows, -2):
            pairs = activation.overwrite(part.unsqueeze(-2) + source.unsqueeze(-3))
            shape = pairs.shape[:-1]
            kept.append(pairs.flatten(0, -2))
            for w, b in hidden:
                kept.append(activation.overwrite(torch.addmm(b, kept[-1], w.mT)))
            couplings.append(torch.mv(kept[-1], weight[0]).add_(bias).view(shape))
        ctx.activation, ctx.rows, ctx.n_layers = activation, rows, len(layers)
        ctx.save_for_backward(target, source, *layers, *kept)
        return torch.cat(couplings, -2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        """Pull the gradient back through the rows of each part, whose activations are read once."""
        target, source, *saved = ctx.saved_tensors
        layers, kept = saved[: ctx.n_layers], saved[ctx.n_layers :]
        if torch.is_grad_enabled():
            # The gradient is to be differentiated itself.
            inputs = target, source, *layers
            needed = [i for i, wanted in enumerate(ctx.needs_input_grad[2:]) if wanted]
            couplings = _with_graph(ctx.activation, *inputs)
            found = torch.autograd.grad(
                couplings, [inputs[i] for i in needed], grad, create_graph=True
            )
            grads = dict(zip(needed, found, strict=True))
            return (None, None, *(grads.get(i) for i in range(len(inputs))))
        weights, pull_back = layers[::2], ctx.activation.pull_back
        by_layer = [torch.zeros_like(layer) for layer in layers]
        by_target, by_source = [], None
        # Gradients by the activations of a part; memory of their own would not be in the cache.
        memory = [torch.empty_like(value) for value in kept[: len(weights)]]
        for k, part in enumerate(grad.split(ctx.rows, -2)):
            values = kept[k * len(weights) : (k + 1) * len(weights)]
            of_pair = part.reshape(-1)
            by_layer[-2][0].addmv_(values[-1].mT, of_pair)
            by_layer[-1].add_(of_pair.sum())
            back = memory[-1][: len(of_pair)]
            pull_back(weights[-1].expand_as(back), values[-1], back)
            back.mul_(of_pair.unsqueeze(-1))
            for layer in range(len(weights) - 2, -1, -1):
                by_layer[2 * layer].addmm_(back.mT, values[layer])
                by_layer[2 * layer + 1].add_(back.sum(0))
                back = torch.mm(back, weights[layer], out=memory[layer][: len(of_pair)])
                pull_back(back, values[layer], back)
            pairs = back.view(*part.shape, back.shape[-1])
            by_target.append(pairs.sum(-2))
            reached = pairs.sum(-3)
            by_source = reached if by_source is None else by_source.add_(reached)
        return (None, None, torch.cat(by_target, -2), by_source, *by_layer)


def _with_graph(activation: Activation, target: Tensor, source: Tensor, *layers: Tensor) -> Tensor:
    """The perceptron of all pairs as a graph of single operations."""
    apply = activation.module()
    values = apply(target.unsqueeze(-2) + source.unsqueeze(-3))
    *hidden, last = zip(layers[::2], layers[1::2], strict=True)
    for weight, bias in hidden:
        values = apply(nn.functional.linear(values, weight, bias))
    return nn.functional.linear(values, *last).squeeze(-1)
