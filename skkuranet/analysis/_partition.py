"""Clusters whose nodes can move alike, and the network of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray
from torch import Tensor

from skkuranet._utils.given import as_labels
from skkuranet._utils.messages import plain
from skkuranet.analysis._field import Field, check_memory
from skkuranet.coupling import DenseCoupling
from skkuranet.oscillator_network import OscillatorNetwork

# Sums of couplings may differ so much within a cluster, in units of the largest.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Partition:
    """Clusters of an equitable partition: their labels, their nodes, and the network of them."""

    labels: NDArray[Any]
    members: list[Tensor]
    quotient: OscillatorNetwork

    def transverse(self, matrix: Tensor, a: int, b: int) -> Tensor:
        """Return how differences within cluster b act on those within a, (n_a - 1, n_b - 1)."""
        block = matrix[self.members[a]][:, self.members[b]]
        within = [_differences(len(self.members[c])).to(block) for c in (a, b)]
        return within[0] @ block @ within[1].mT


def read_partition(network: OscillatorNetwork, field: Field, labels: Any) -> Partition:
    """Return the clusters that labels make, and refuse those that cannot stay together.

    Raises
    ------
    ValueError
        If there is not one label for each node, or nodes of a cluster differ in a parameter or in
        what they receive from a cluster.
    """
    given = np.zeros(field.n, int) if labels is None else as_labels(labels, "labels")
    if given.shape != (field.n,):
        raise ValueError(
            f"labels must have shape ({field.n},), one for each node, got {given.shape}."
        )
    check_memory(
        network,
        24 * field.n**2,
        f"The couplings of {field.n} nodes, apart from those between clusters,",
        "Raise memory_budget.",
    )
    names, code = np.unique(given, return_inverse=True)
    device = field.coupling.device
    members = [torch.tensor(np.flatnonzero(code == a), device=device) for a in range(len(names))]
    for name, value in field.dynamics.parameters.items():
        if value.ndim and value.shape[-1] == field.n:
            for label, index in zip(names, members):
                _check_alike(value[..., index], name, label)
    inside = (code == np.arange(len(names))[:, None]).astype(float)
    indicator = torch.tensor(inside, device=device)
    with torch.no_grad():
        # Sums over cluster b of what acts on node i.
        sums = field.coupling.matvec(indicator)
    quotient = sums.new_empty((len(names), len(names)))
    for a, index in enumerate(members):
        for b in range(len(names)):
            received = sums[b, index]
            spread = float(received.max() - received.min())
            if spread > _ROUNDING * float(sums.abs().max()):
                raise ValueError(
                    f"labels are no equitable partition: nodes of cluster {plain(names[a])} "
                    f"receive between {float(received.min()):.4g} and {float(received.max()):.4g} "
                    f"from cluster {plain(names[b])}, a residual of {spread:.2g}. Couplings from "
                    "each cluster must have the same sum for all nodes of another."
                )
            quotient[a, b] = received.mean()
    first = torch.stack([index[0] for index in members])
    made = OscillatorNetwork(DenseCoupling(quotient), field.dynamics.at(first), as_arrays=True)
    return Partition(names, members, made)


def _check_alike(values: Tensor, name: str, label: Any) -> None:
    low, high = values.amin(-1), values.amax(-1)
    spread = float((high - low).max())
    if spread > _ROUNDING * max(1.0, float(values.abs().max())):
        raise ValueError(
            f"labels are no equitable partition: {name} differs by {spread:.2g} within cluster "
            f"{plain(label)}. Nodes of a cluster must have the same parameters."
        )


def _differences(n: int) -> Tensor:
    """Return an orthonormal basis of vectors of sum 0, as rows (n - 1, n)."""
    if n == 1:
        return torch.zeros((0, 1), dtype=torch.float64)
    return torch.as_tensor(scipy.linalg.helmert(n))
