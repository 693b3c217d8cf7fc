"""Couplings of features, trained on normal equations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from skkuranet._utils.surroundings import SinglePrecision
from skkuranet.coupling import PairwiseNetwork
from skkuranet.estimators._arrays import mean_and_scale
from skkuranet.estimators.identifier._evidence import Hyperparameters, reduced
from skkuranet.estimators.identifier._regression import Normals
from skkuranet.estimators.identifier._shooting import descend

# One in so many oscillators, or networks, is left out. So many iterations lie between looks at
# them, of which so many may be in vain: less than that share was gained.
_LEFT_OUT, _LOOK_EVERY, _PATIENCE = 5, 50, 2
_LEAST_GAIN = 1e-3


@dataclass(frozen=True)
class Target:
    """Normal equations of all oscillators of a network, without their parameters, and features."""

    features: Tensor
    gram: Tensor
    moments: Tensor
    square: Tensor
    count: Tensor

    def costs(self, couplings: Tensor) -> Tensor:
        """Return the sum of squares that couplings leave of each oscillator, (n,)."""
        explained = couplings * (2.0 * self.moments - (self.gram @ couplings.unsqueeze(-1))[..., 0])
        return self.square - explained.sum(-1)


def target_of(features: np.ndarray, normals: Sequence[Normals]) -> Target:
    """Return what couplings of a network are to meet."""
    n = len(features)
    parts = [reduced(each, n) for each in normals]
    vectors = np.stack([part.vectors for part in parts])
    strengths = np.stack([part.strengths for part in parts])
    moments = np.stack([part.moments for part in parts])
    return Target(
        torch.as_tensor(features),
        torch.as_tensor(np.matmul(vectors * strengths[:, None], vectors.transpose(0, 2, 1))),
        torch.as_tensor(np.einsum("ijk,ik->ij", vectors, moments)),
        torch.as_tensor(np.array([part.square for part in parts])),
        torch.as_tensor(np.array([float(part.count) for part in parts])),
    )


def new_network(
    features: np.ndarray, sizes: Sequence[int], generator: torch.Generator
) -> PairwiseNetwork:
    """Return a network of random weights that sees standardised features."""
    with SinglePrecision():
        network = PairwiseNetwork(features.shape[1], sizes, activation="silu", generator=generator)
    network.standardize(*mean_and_scale(features))
    return network


def train_pairs(
    network: PairwiseNetwork,
    targets: Sequence[Target],
    given: Hyperparameters,
    n_iterations: int,
    tell: Callable[[int, float], None],
    done: int,
) -> tuple[PairwiseNetwork, list[float]]:
    """Train a network, keep it where it was best on oscillators left out; return it and losses.

    Losses are 1 where nothing but noise is left.
    """
    left_out = [_left_out(len(t.square), number, len(targets)) for number, t in enumerate(targets)]
    names = [name for name, _ in network.named_parameters()]

    def loss(parts: Sequence[Tensor], chosen: Sequence[Tensor]) -> Tensor:
        total, count = 0.0, 0.0
        for target, seen in zip(targets, chosen):
            if bool(seen.any()):
                x = target.features
                couplings = functional_call(network, dict(zip(names, parts)), (x, x))
                total = total + target.costs(couplings.double())[seen].sum()
                count = count + target.count[seen].sum()
        return total / (given.measurement * count)

    trained = [~out for out in left_out]
    solve_last_layer(network, targets, trained, given)
    best = [parameter.detach().numpy().copy() for parameter in network.parameters()]
    parts, lowest, losses, n_worse = best, math.inf, [], 0
    while len(losses) < n_iterations and n_worse < _PATIENCE:
        parts, curve, _ = descend(
            lambda leaves: loss(leaves, trained), parts, [1.0] * len(parts),
            min(_LOOK_EVERY, n_iterations - len(losses)), tell, done + len(losses),
        )  # fmt: skip
        losses += curve
        with torch.no_grad():
            error = float(loss([torch.as_tensor(p) for p in parts], left_out))
        if error < lowest * (1.0 - _LEAST_GAIN):
            n_worse = 0
        else:
            n_worse += 1
        if error < lowest:
            best, lowest = parts, error
        if not curve:
            break
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), best):
            parameter.copy_(torch.as_tensor(value))
    return network, losses


@torch.no_grad()
def solve_last_layer(
    network: PairwiseNetwork,
    targets: Sequence[Target],
    chosen: Sequence[Tensor],
    given: Hyperparameters,
) -> None:
    """Set the last layer, in which couplings are linear, to what is best for the others."""
    last = network.layers[-1]
    gram = torch.zeros((last.in_features + 1,) * 2, dtype=torch.float64)
    moments = gram.new_zeros(len(gram))
    body = network.layers[:-1]
    for target, seen in zip(targets, chosen):
        hidden = body(network.hidden(target.features)).double()
        hidden = torch.cat((hidden, torch.ones_like(hidden[..., :1])), -1)[seen]
        gram += torch.einsum("ijk,ijl->kl", hidden, target.gram[seen] @ hidden)
        moments += torch.einsum("ijk,ij->k", hidden, target.moments[seen])
    # Weights of such a size make couplings of the size that is expected.
    gram.diagonal().add_(given.measurement / given.prior * len(gram))
    weights = torch.linalg.solve(gram, moments)
    last.weight.copy_(weights[:-1].unsqueeze(0))
    last.bias.copy_(weights[-1:])


def _left_out(n: int, number: int, n_targets: int) -> Tensor:
    """Tell the oscillators that are left out: networks as a whole where there are enough."""
    if n_targets >= 2 * _LEFT_OUT:
        return torch.full((n,), number % _LEFT_OUT == _LEFT_OUT - 1)
    return torch.arange(n) % _LEFT_OUT == number % _LEFT_OUT


def couplings_of(network: torch.nn.Module, features: np.ndarray) -> np.ndarray:
    """Return the couplings of nodes, (n, n), in double precision; none acts on itself."""
    x = torch.as_tensor(np.array(features, dtype=float))
    with torch.no_grad():
        couplings = network(x, x).double().numpy()
    np.fill_diagonal(couplings, 0.0)
    return couplings
