"""Couplings of every kind as functions of their tensors."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from contracts.draws import normal
from skkuranet.coupling import (
    CouplingOperator,
    DenseCoupling,
    FactorizedCoupling,
    SparseCoupling,
)

RANK = 2


class OwnCoupling(CouplingOperator):
    """The least that an operator can be: a shape, tensors and products."""

    def __init__(self, matrix):
        self._matrix = matrix

    @property
    def shape(self):
        return self._matrix.shape

    @property
    def tensors(self):
        return (self._matrix,)

    def matvec(self, x):
        return x @ self._matrix.mT


class Kind(NamedTuple):
    """How to draw the tensors of n coupled units, and what they make."""

    draw: Callable
    make: Callable


def ring_and_back(n, batch):
    """Edges of a batch of rings to the left neighbour, and from node 0 to itself."""
    n_networks = torch.Size(batch).numel()
    first = n * torch.arange(n_networks).repeat_interleave(n + 1)
    targets = torch.cat((torch.arange(n), torch.tensor([0]))).repeat(n_networks)
    sources = torch.cat((torch.arange(n).roll(1), torch.tensor([0]))).repeat(n_networks)
    return targets + first, sources + first


def _sparse(values, n, batch):
    return SparseCoupling(*ring_and_back(n, batch), values, (*batch, n, n))


KINDS = {
    "dense": Kind(
        lambda n, batch: [normal(*batch, n, n)],
        lambda n, batch, matrix: DenseCoupling(matrix),
    ),
    "factorised": Kind(
        lambda n, batch: [
            normal(*batch, n, RANK),
            normal(*batch, n, RANK, seed=1),
            normal(*batch, n, seed=2),
        ],
        lambda n, batch, *factors: FactorizedCoupling(*factors),
    ),
    "sparse": Kind(
        lambda n, batch: [normal(len(ring_and_back(n, batch)[0]))],
        lambda n, batch, values: _sparse(values, n, batch),
    ),
    "own": Kind(
        lambda n, batch: [normal(*batch, n, n)],
        lambda n, batch, matrix: OwnCoupling(matrix),
    ),
}
