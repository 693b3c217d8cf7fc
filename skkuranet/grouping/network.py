"""Signed couplings along edges, and where nodes start on a sphere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skkuranet._utils.surroundings import SinglePrecision
from skkuranet.coupling import CouplingOperator, FactorizedCoupling, SparseCoupling
from skkuranet.coupling._perceptron import perceptron
from skkuranet.dynamics import Sphere, integrate
from skkuranet.grouping.graph import Graph

# Standardised features beyond this are cut off: no network has been trained on such.
_FARTHEST = 10.0


class GroupingNetwork(nn.Module):
    r"""Couplings of neighbours from what is seen of their edge, and a start from what is of a node.

    With z the logit that both ends of an edge belong together and w its weight, the coupling is
    :math:`w \tanh(z / 2)`, divided by the sum of its magnitudes at the target.

    Parameters
    ----------
    n_edge_features, n_node_features : int
        Numbers of features.
    hidden_layer_sizes : sequence of int, default=(96, 96)
        Widths of the hidden layers of both perceptrons.
    n_dims : int, default=16
        Dimensions of the space whose unit sphere nodes move on.
    repulsion : float, default=0.0
        Strength of the repulsion of all nodes by one another, as a share of the couplings.
    n_steps : int, default=30
        Euler steps.
    step_size : float, default=0.5
        Their length in units of time.
    dropout : float, default=0.0
        Share of the hidden units behind couplings that training leaves out, others at each step.
    generator : torch.Generator, optional
        Source of the initial weights.
    """

    edge_scaling: Tensor
    node_scaling: Tensor

    def __init__(
        self,
        n_edge_features: int,
        n_node_features: int,
        hidden_layer_sizes: Sequence[int] = (96, 96),
        *,
        n_dims: int = 16,
        repulsion: float = 0.0,
        n_steps: int = 30,
        step_size: float = 0.5,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.n_dims, self.repulsion = n_dims, repulsion
        self.n_steps, self.step_size = n_steps, step_size
        self.dropout = dropout
        self.of_edge = perceptron(
            (n_edge_features, *hidden_layer_sizes, 1), "relu", generator, dropout
        )
        self.of_node = perceptron((n_node_features, *hidden_layer_sizes, n_dims), "relu", generator)
        # How likeness of two nodes becomes a logit: its slope and where it is 0.
        self.likeness = nn.Parameter(torch.tensor([4.0, 0.5]))
        self.register_buffer("edge_scaling", _no_scaling(n_edge_features))
        self.register_buffer("node_scaling", _no_scaling(n_node_features))

    def standardise(self, graphs: Iterable[Graph]) -> None:
        """Take note of the mean and the scale of all features."""
        graphs = list(graphs)
        self.edge_scaling.copy_(_scaling([graph.edge_features for graph in graphs]))
        self.node_scaling.copy_(_scaling([graph.node_features for graph in graphs]))

    def logits(self, graph: Graph) -> Tensor:
        """Return the logit that both ends of each edge belong together, (n_edges,)."""
        return self.of_edge(standard(graph.edge_features, self.edge_scaling)).squeeze(-1)

    def start(self, graph: Graph) -> Tensor:
        """Return the state that nodes start at, (n_dims, n_nodes)."""
        raw = self.of_node(standard(graph.node_features, self.node_scaling))
        return nn.functional.normalize(raw, dim=-1).mT.contiguous()

    def couplings(self, graph: Graph, logits: Tensor) -> CouplingOperator:
        """Return the couplings of a network."""
        weights = torch.as_tensor(graph.weights, dtype=logits.dtype, device=logits.device)
        return signed_couplings(graph, weights * (0.5 * logits).tanh(), self.repulsion)

    def settle(self, graph: Graph) -> tuple[Tensor, Tensor]:
        """Return the states of all nodes after the last step, (n_dims, n_nodes), and the logits."""
        logits = self.logits(graph)
        return self.flow(self.couplings(graph, logits), self.start(graph)), logits

    def flow(self, coupling: CouplingOperator, state: Tensor) -> Tensor:
        """Return where states are after the last step."""
        path = integrate(
            coupling,
            state,
            Sphere(self.n_dims),
            step_size=self.step_size,
            n_steps=self.n_steps,
            save_from=self.n_steps,
            check_step=False,
        )
        return path.states[-1]


def new_network(
    graph: Graph,
    hidden_layer_sizes: Sequence[int],
    *,
    n_dims: int,
    rng: np.random.RandomState,
    **options: Any,
) -> GroupingNetwork:
    """Return an untrained network for graphs like this one, with ``options`` of the class."""
    with SinglePrecision():
        network = GroupingNetwork(
            graph.edge_features.shape[1],
            graph.node_features.shape[1],
            hidden_layer_sizes,
            n_dims=n_dims,
            **options,
            generator=torch.Generator().manual_seed(int(rng.randint(2**31 - 1))),
        )
    return network.float()


def signed_couplings(graph: Graph, strengths: Tensor, repulsion: float) -> CouplingOperator:
    """Return couplings along edges, both ways, and a repulsion of all by all.

    ``strengths`` (n_edges,) are divided by the sum of their magnitudes at the target. The repulsion
    by a node grows with that sum.
    """
    n = graph.n_nodes
    first, second = torch.as_tensor(graph.edges, device=strengths.device)
    ends = torch.cat((first, second)), torch.cat((second, first))
    sparse = SparseCoupling(*ends, strengths.repeat(2), (n, n))
    degree = sparse.degree(1) + torch.finfo(strengths.dtype).tiny
    coupling: CouplingOperator = sparse.scale(1.0 / degree, None)
    if repulsion:
        share = (degree / degree.sum()).unsqueeze(-1)
        away = FactorizedCoupling(torch.full_like(share, -repulsion), share)
        coupling = coupling.add(away)
    return coupling


def distances_along(graph: Graph, states: Tensor) -> np.ndarray:
    """Return 1 - cos of the states (n_dims, n_nodes) at the ends of each edge, (n_edges,)."""
    return (1.0 - cosines(states, graph.edges)).clamp(min=0.0).detach().cpu().numpy()


def cosines(states: Tensor, pairs: np.ndarray) -> Tensor:
    """Return how alike the states (n_dims, n_nodes) of both nodes of each pair are, (n_pairs,)."""
    first, second = torch.as_tensor(pairs, device=states.device)
    # Columns of a matrix with nodes first are gathered faster.
    rows = states.mT.contiguous()
    return (rows[first] * rows[second]).sum(-1)


def standard(features: np.ndarray, scaling: Tensor) -> Tensor:
    """Return features less their mean, as shares of their scale, without what is far off."""
    mean, scale = scaling
    found = torch.as_tensor(features, dtype=mean.dtype, device=mean.device)
    return ((found - mean) / scale).clamp(-_FARTHEST, _FARTHEST)


def _no_scaling(n_features: int) -> Tensor:
    return torch.stack((torch.zeros(n_features), torch.ones(n_features)))


def _scaling(parts: list[np.ndarray]) -> Tensor:
    table = np.concatenate(parts).astype(np.float64)
    mean, scale = table.mean(0), table.std(0)
    scale[scale < 1e-6 * (1.0 + np.abs(mean))] = 1.0
    return torch.from_numpy(np.stack((mean, scale))).float()
