"""Couplings along the edges of a graph that have weights."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._networks import CouplingNetwork


class WeightedEdges(NamedTuple):
    """Edges of a graph, and how strong each of them is.

    Parameters
    ----------
    ends : Tensor of shape (2, n_edges), int64
        Targets and sources, as :func:`couple` takes them.
    weights : Tensor of shape (n_edges,)
        Positive numbers.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import WeightedEdges
    >>> edges = WeightedEdges(torch.tensor([[0, 1], [1, 0]]), torch.tensor([0.5, 2.0]))
    >>> edges.weights
    tensor([0.5000, 2.0000])
    """

    ends: Tensor
    weights: Tensor


class EdgeWeightNetwork(CouplingNetwork):
    """Coupling network that begins with the weights of edges, and sees them.

    A network of one more feature, the logarithm of the weight of an edge, says by what factor the
    coupling differs from that weight. Pairs without a known weight have the geometric mean.

    Parameters
    ----------
    network : CouplingNetwork
        Network of the features of nodes and, in the last place, the logarithm of a weight.
    mean_log, scale_log : float, default=0.0 and 1.0
        Mean and standard deviation of the logarithms of weights.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import EdgeWeightNetwork, PairwiseNetwork, WeightedEdges, couple
    >>> network = EdgeWeightNetwork(PairwiseNetwork(2))
    >>> edges = WeightedEdges(torch.tensor([[0, 1], [1, 0]]), torch.tensor([0.5, 2.0]))
    >>> couple(network, torch.zeros(2, 1), edges=edges).shape
    torch.Size([2, 2])
    """

    def __init__(
        self, network: CouplingNetwork, mean_log: float = 0.0, scale_log: float = 1.0
    ) -> None:
        super().__init__(network.n_features - 1)
        self.network = network
        self.mean_log, self.scale_log = float(mean_log), float(scale_log)
        self.stores_pairs, self.nonnegative = network.stores_pairs, network.nonnegative
        self.standardize(self.shift.clone(), 1.0 / self.inverse_scale)

    def standardize(self, mean: Tensor, scale: Tensor) -> None:
        """Make the network see (x − mean) / scale.

        Parameters
        ----------
        mean, scale : Tensor of shape (n_features,)
            Mean and standard deviation of each feature of nodes.
        """
        super().standardize(mean, scale)
        of_weight = mean.new_tensor([self.mean_log]), scale.new_tensor([self.scale_log])
        self.network.standardize(torch.cat((mean, of_weight[0])), torch.cat((scale, of_weight[1])))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return raw couplings (..., n, p) of targets x to sources y, of the mean weight."""
        raw: Tensor = self.network(*self._of_mean_weight(x, y))
        return raw

    def operator(self, x: Tensor, y: Tensor | None = None) -> CouplingOperator:
        """Return the raw couplings of targets ``x`` to sources ``y``, of the mean weight."""
        return self.network.operator(*self._of_mean_weight(x, x if y is None else y))

    def along(self, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        """Return the raw couplings of pairs of nodes with known weights.

        Parameters
        ----------
        x, y : Tensor of shape (n_edges, n_features)
            Features of targets and sources.
        weights : Tensor of shape (n_edges,)
            Positive numbers.

        Returns
        -------
        Tensor of shape (n_edges,)
        """
        logs = weights.double().log()
        pair = (self._beside(nodes, logs.unsqueeze(-1)).unsqueeze(-2) for nodes in (x, y))
        factor: Tensor = self.network(*pair).flatten()
        relative = (logs - self.mean_log).to(factor.dtype)
        return factor * relative.exp() if self.nonnegative else factor + relative

    def anneal(self, progress: float) -> None:
        """Take note of how far training has come, from 0 to 1."""
        self.network.anneal(progress)

    def _of_mean_weight(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        mean = x.new_full((1,), self.mean_log, dtype=torch.float64)
        of_x = self._beside(x, mean)
        # Networks save work where both are one tensor.
        return of_x, of_x if y is x else self._beside(y, mean)

    @staticmethod
    def _beside(x: Tensor, logs: Tensor) -> Tensor:
        return torch.cat((x.double(), logs.expand(*x.shape[:-1], 1)), -1)


class BesideWeight(nn.Module):
    """An encoding of the features of nodes, which leaves the logarithm of the weight as it is."""

    def __init__(self, encoding: nn.Module) -> None:
        super().__init__()
        self.encoding = encoding
        self.n_outputs = int(encoding.n_outputs) + 1  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Return encoded features (..., n_outputs) of standardised ones."""
        return torch.cat((self.encoding(x[..., :-1]), x[..., -1:]), -1)
