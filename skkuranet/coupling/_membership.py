"""Couplings between soft members of classes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skkuranet.coupling._encoding import FourierFeatures
from skkuranet.coupling._low_rank import LowRankNetwork
from skkuranet.coupling._perceptron import ACTIVATIONS

# How the couplings of blocks are made up: attraction inside a class, attraction and repulsion
# along the ring of classes, and what holds a square of four classes upright.
_INSIDE, _RING, _UPRIGHT = 1.0, 0.5, 0.1
# Width of the border between the halves of a class, in standard deviations.
_BORDER = 1.0 / 60.0


class MembershipNetwork(LowRankNetwork):
    r"""A coupling function that knows how likely a node belongs to each class.

    Several perceptrons, a committee, map features to logits :math:`z`; their mean, scaled and
    shifted, gives the class probabilities :math:`p = \mathrm{softmax}(a \bar z + b)` and the
    memberships :math:`q \propto p^\beta`. Raw couplings are :math:`q(x_i)^T B\, q(x_j)` with

    .. math:: B_{lm} = \delta_{lm} + \tfrac12 \cos\frac{2\pi (l - m)}{k}

    at first. Among nodes of certain class, these couplings have the splay state as the only minimum
    of their energy, up to a rotation and a reflection, for all numbers k of classes but four: there
    neighbours at 90° exert no force, and the two pairs of opposite classes may turn freely. With
    ``n_parts=2`` a class has two halves, along a random direction of the features, of which one is
    attracted by the next class and repelled by the one before, and the other the opposite; the
    small angle between them that this makes is largest, and the energy lowest, in the square.

    Parameters
    ----------
    n_features : int
        Number of node features.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Widths of the hidden layers of each perceptron.
    n_classes : int
        Number k of classes.
    n_members : int, default=4
        Number of perceptrons.
    n_parts : {1, 2}, default=1
        Blocks of each class.
    sharpness : float, default=10.0
        Exponent β of the memberships. The larger, the less do nodes near the border between two
        classes lie between their phases.
    activation : {"leaky_relu", "relu", "silu", "tanh"}, default="leaky_relu"
        Nonlinearity of the hidden layers.
    encoding : FourierFeatures or Module, optional
        What the perceptrons see of standardised features.
    generator : torch.Generator, optional
        Source of the initial weights and of the direction of halves.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import MembershipNetwork, couple
    >>> generator = torch.Generator().manual_seed(0)
    >>> network = MembershipNetwork(2, (8,), n_classes=3, generator=generator)
    >>> couple(network, torch.randn(100, 2)).shape
    torch.Size([100, 100])
    """

    scale: Tensor
    offset: Tensor
    direction: Tensor
    border: Tensor
    width: Tensor

    def __init__(
        self,
        n_features: int,
        hidden_layer_sizes: Sequence[int] = (64, 64),
        *,
        n_classes: int,
        n_members: int = 4,
        n_parts: int = 1,
        sharpness: float = 10.0,
        activation: str = "leaky_relu",
        encoding: FourierFeatures | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(n_features, encoding)
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {sorted(ACTIVATIONS)}, got {activation!r}."
            )
        if n_parts not in (1, 2):
            raise ValueError(f"n_parts must be 1 or 2, got {n_parts}.")
        self.n_classes, self.n_members, self.n_parts = n_classes, n_members, n_parts
        self.sharpness = sharpness
        self.activation = ACTIVATIONS[activation]()
        sizes = list(itertools.pairwise((self._n_inputs, *hidden_layer_sizes, n_classes)))
        self.weights = nn.ParameterList(_weights(n_members, *size, generator) for size in sizes)
        self.biases = nn.ParameterList(torch.zeros(n_members, 1, n_out) for _, n_out in sizes)
        self.interaction = nn.Parameter(0.5 * splay_couplings(n_classes, n_parts))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("offset", torch.zeros(n_classes))
        along = torch.randn(self._n_inputs, generator=generator)
        self.register_buffer("direction", along / along.norm())
        self.register_buffer("border", torch.zeros(n_classes))
        self.register_buffer("width", torch.ones(n_classes))

    @property
    def n_factors(self) -> int:
        """Number of blocks."""
        return self.n_classes * self.n_parts

    @property
    def perceptrons(self) -> list[nn.Parameter]:
        """Weights and biases of the committee: all parameters but the couplings of blocks."""
        return [*self.weights, *self.biases]

    def seen(self, x: Tensor) -> Tensor:
        """Return what the perceptrons see of features.

        Parameters
        ----------
        x : Tensor of shape (..., n_features)
            Node features.

        Returns
        -------
        Tensor of shape (..., n_inputs)
            Standardised, and encoded where there is an encoding.
        """
        return self._seen(x)

    def logits(self, seen: Tensor, first: Tensor | None = None) -> Tensor:
        """Return the logits of each member of the committee.

        Parameters
        ----------
        seen : Tensor of shape (n, n_inputs) or (n_members, n, n_inputs)
            What each member sees.
        first : Tensor of shape (n_members, n_inputs, width), optional
            Weights of the first layer, if ``seen`` is in other coordinates than those of the
            network; by default the network's.

        Returns
        -------
        Tensor of shape (n_members, n, n_classes)
        """
        if seen.ndim == 2:
            seen = seen.expand(self.n_members, *seen.shape)
        own, *others = self.weights
        weights = (own if first is None else first, *others)
        *hidden, (weight, bias) = zip(weights, self.biases, strict=True)
        for w, b in hidden:
            seen = self.activation(torch.baddbmm(b, seen, w))
        return torch.baddbmm(bias, seen, weight)

    def log_probabilities(self, x: Tensor) -> Tensor:
        """Return the logarithms of the class probabilities of nodes.

        Parameters
        ----------
        x : Tensor of shape (..., n_features)
            Node features.

        Returns
        -------
        Tensor of shape (..., n_classes)
        """
        return self._log_probabilities(self._seen(x))

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the left and right factors of nodes, one column for each block."""
        seen = self._seen(x)
        membership = (self.sharpness * self._log_probabilities(seen)).softmax(-1)
        if self.n_parts == 2:
            beyond = (seen @ self.direction).unsqueeze(-1) - self.border
            share = (beyond / (_BORDER * self.width)).sigmoid()
            membership = torch.cat((membership * share, membership * (1.0 - share)), -1)
        return membership @ (self.interaction + self.interaction.mT), membership

    @torch.no_grad()
    def cut(self, seen: Tensor, membership: Tensor) -> None:
        """Cut each class into halves of equal weight along the random direction.

        Parameters
        ----------
        seen : Tensor of shape (n, n_inputs)
            What the perceptrons see of labelled nodes.
        membership : Tensor of shape (n, n_classes)
            Weight of each node in its class, and zeros.
        """
        along, order = (seen @ self.direction).sort()
        share = membership[order].cumsum(0)
        middle = (share < 0.5 * share[-1]).sum(0).clamp_max(len(along) - 1)
        self.border.copy_(along[middle])
        weight = membership[order] / share[-1].clamp_min(1e-12)
        spread = (weight * (along.unsqueeze(-1) - self.border).square()).sum(0).sqrt()
        self.width.copy_(spread.masked_fill(spread < 1e-6, 1.0))

    def _log_probabilities(self, seen: Tensor) -> Tensor:
        mean = self.logits(seen.flatten(0, -2)).mean(0).view(*seen.shape[:-1], self.n_classes)
        return (self.scale * mean + self.offset).log_softmax(-1)


def splay_couplings(n_classes: int, n_parts: int = 1) -> Tensor:
    """Return symmetric couplings between blocks that bring classes to rest in the splay state.

    Each class has ``n_parts`` blocks, one or two; block l + k s is part s of class l.
    """
    position = torch.arange(n_classes, dtype=torch.float32)
    ring = (2.0 * math.pi / n_classes * (position.unsqueeze(-1) - position)).cos()
    classes = _INSIDE * torch.eye(n_classes) + _RING * ring
    if n_parts == 1:
        return classes
    # Part s of a class feels the next class by s, and is felt by the one before by -s.
    following = (position.unsqueeze(-1) + 1) % n_classes == position
    sign = torch.tensor([1.0, -1.0])
    turn = _UPRIGHT * (sign.unsqueeze(-1) - sign)
    upright = torch.kron(turn, following.float())
    return torch.kron(torch.ones(2, 2), classes) + upright + upright.mT


def _weights(n_members: int, n_in: int, n_out: int, generator: torch.Generator | None) -> Tensor:
    """Weights of one layer of all members (Glorot and Bengio 2010)."""
    bound = math.sqrt(6.0 / (n_in + n_out))
    return torch.empty(n_members, n_in, n_out).uniform_(-bound, bound, generator=generator)
