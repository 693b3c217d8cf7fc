"""Neural networks to couplings of low rank: a factor of each node."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._encoding import FourierFeatures
from skkuranet.coupling._factorized import FactorizedCoupling
from skkuranet.coupling._networks import CouplingNetwork, wants_gradients
from skkuranet.coupling._perceptron import perceptron

# Nodes that are looked at together, where no gradients are wanted.
_NODES_AT_ONCE = 1 << 15


class LowRankNetwork(CouplingNetwork, ABC):
    """A coupling function that is the product of a factor of each node.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import FactorizedNetwork, LowRankNetwork
    >>> network = FactorizedNetwork(2, (8,), rank=4, generator=torch.Generator().manual_seed(0))
    >>> isinstance(network, LowRankNetwork)
    True
    """

    stores_pairs = False

    @property
    @abstractmethod
    def n_factors(self) -> int:
        """Numbers that the factor of a node has."""

    @abstractmethod
    def embed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the left and right factors of nodes, all at once.

        Parameters
        ----------
        x : Tensor of shape (..., n, n_features)
            Node features.

        Returns
        -------
        left : Tensor of shape (..., n, r)
            Factor of the targets.
        right : Tensor of the same shape
            Factor of the sources.
        """

    def factors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the left and right factors of nodes.

        Parameters
        ----------
        x : Tensor of shape (..., n, n_features)
            Node features.

        Returns
        -------
        left : Tensor of shape (..., n, r)
            Factor of the targets.
        right : Tensor of the same shape
            Factor of the sources: K(x, y) is ``left(x) @ right(y).mT``.
        """
        if x.shape[-2] <= _NODES_AT_ONCE or wants_gradients(self, x):
            return self.embed(x)
        # The hidden activations of millions of nodes are larger than their factors.
        whole: tuple[Tensor, Tensor] | None = None
        for first in range(0, x.shape[-2], _NODES_AT_ONCE):
            here = slice(first, first + _NODES_AT_ONCE)
            parts = self.embed(x[..., here, :])
            if whole is None:
                left, right = (part.new_empty((*x.shape[:-1], part.shape[-1])) for part in parts)
                whole = left, right
            for side, part in zip(whole, parts, strict=True):
                side[..., here, :] = part
        assert whole is not None
        return whole

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return raw couplings (..., n, p) of targets x (..., n, n_features) to sources y."""
        return self.factors(x)[0] @ self.factors(y)[1].mT

    def operator(self, x: Tensor, y: Tensor | None = None) -> CouplingOperator:
        """Return the raw couplings in factors."""
        left, right = self.factors(x)
        # A network that couples its own nodes embeds them once.
        return FactorizedCoupling(left, right if y is None or y is x else self.factors(y)[1])


class FactorizedNetwork(LowRankNetwork):
    r"""A coupling function of low rank, for networks of any size.

    With :math:`\varphi, \psi` perceptrons to r dimensions, the raw couplings are

    - ``"block"``: :math:`q(x_i)^T B\, q(x_j)` with soft memberships
      :math:`q = \mathrm{softmax}(\beta \varphi)` in r blocks and symmetric couplings
      :math:`B` between blocks, both learned. The sharpness β grows from 1 to
      ``sharpness`` in the course of training;
    - ``"symmetric"``: :math:`\varphi(x_i)^T D\, \varphi(x_j)`, with D a learned signed
      diagonal;
    - ``"cosine"``: :math:`a \cos(\varphi(x_i), \varphi(x_j)) + b`, with a scale a and a
      threshold b, both learned: nodes that look alike attract, others repel;
    - ``"general"``: :math:`\varphi(x_i)^T \psi(x_j)`;
    - ``"nonnegative"``: :math:`a(x_i)^T b(x_j) + b(x_i)^T a(x_j)` with
      :math:`a, b \ge 0`. The crossed form matters: a positive semidefinite K cannot
      favour unlike nodes, which is what disordered frequencies need.

    Parameters
    ----------
    n_features : int
        Number of node features.
    hidden_layer_sizes : sequence of int, default=(128, 128)
        Widths of the hidden layers.
    rank : int, default=16
        Dimension r of the node embeddings.
    form : {"block", "symmetric", "cosine", "general", "nonnegative"}, default="block"
        Which of the forms above.
    sharpness : float, default=10.0
        Final inverse temperature β of the memberships.
    activation : {"leaky_relu", "relu", "silu", "tanh"}, default="leaky_relu"
        Nonlinearity of the hidden layers.
    encoding : FourierFeatures or Module, optional
        What the perceptron sees of standardised features.
    generator : torch.Generator, optional
        Source of the initial weights.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import FactorizedNetwork, couple
    >>> network = FactorizedNetwork(2, (8,), rank=4, generator=torch.Generator().manual_seed(0))
    >>> couple(network, torch.randn(1000, 2)).shape
    torch.Size([1000, 1000])
    """

    sharpness: Tensor
    interaction: Tensor

    def __init__(
        self,
        n_features: int,
        hidden_layer_sizes: Sequence[int] = (128, 128),
        *,
        rank: int = 16,
        form: str = "block",
        sharpness: float = 10.0,
        activation: str = "leaky_relu",
        encoding: FourierFeatures | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(n_features, encoding)
        if form not in _FORMS:
            raise ValueError(f"form must be one of {sorted(_FORMS)}, got {form!r}.")
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}.")
        self.form, self.rank = form, rank
        self.nonnegative = form == "nonnegative"
        width, interaction = _FORMS[form].width * rank, _FORMS[form].interaction(rank)
        self.layers = perceptron(
            (self._n_inputs, *hidden_layer_sizes, width), activation, generator
        )
        self.register_parameter(
            "interaction", None if interaction is None else nn.Parameter(interaction)
        )
        self.final_sharpness = sharpness
        self.register_buffer("sharpness", torch.ones(()))

    def anneal(self, progress: float) -> None:
        """Sharpen the memberships, geometrically between 40 % and 90 % of training."""
        self.sharpness.fill_(self.final_sharpness ** min(1.0, max(0.0, 2.0 * progress - 0.8)))

    @property
    def n_factors(self) -> int:
        """Numbers that the factor of a node has: r, r + 1 or 2 r, by the form."""
        return _FORMS[self.form].n_factors(self.rank)

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the left and right factors of nodes, with r, r + 1 or 2 r columns by the form."""
        return _FORMS[self.form].factors(self, self.layers(self._seen(x)))


@dataclass(frozen=True)
class _Form:
    """How an embedding of ``width`` times the rank becomes factors of the couplings."""

    factors: Callable[[FactorizedNetwork, Tensor], tuple[Tensor, Tensor]]
    width: int
    interaction: Callable[[int], Tensor | None]
    n_factors: Callable[[int], int] = lambda rank: rank


def _block(network: FactorizedNetwork, embedding: Tensor) -> tuple[Tensor, Tensor]:
    membership = (network.sharpness * embedding).softmax(-1)
    return membership @ (network.interaction + network.interaction.mT), membership


def _symmetric(network: FactorizedNetwork, embedding: Tensor) -> tuple[Tensor, Tensor]:
    return embedding * network.interaction, embedding


def _cosine(network: FactorizedNetwork, embedding: Tensor) -> tuple[Tensor, Tensor]:
    direction = nn.functional.normalize(embedding, dim=-1)
    scale, threshold = network.interaction
    one = torch.ones_like(direction[..., :1])
    return torch.cat((scale * direction, threshold * one), -1), torch.cat((direction, one), -1)


def _general(network: FactorizedNetwork, embedding: Tensor) -> tuple[Tensor, Tensor]:
    left, right = embedding.chunk(2, -1)
    return left, right


def _nonnegative(network: FactorizedNetwork, embedding: Tensor) -> tuple[Tensor, Tensor]:
    a, b = nn.functional.softplus(embedding).chunk(2, -1)
    return torch.cat((a, b), -1), torch.cat((b, a), -1)


_FORMS = {
    # Blocks start with attraction inside and a weak repulsion of the same total between.
    "block": _Form(_block, 1, lambda rank: 0.5 * torch.eye(rank) - 0.5 / rank),
    "symmetric": _Form(_symmetric, 1, torch.ones),
    # At first, nodes repel unless they are nearer than 75 degrees.
    "cosine": _Form(_cosine, 1, lambda rank: torch.tensor([4.0, -1.0]), lambda rank: rank + 1),
    "general": _Form(_general, 2, lambda rank: None),
    "nonnegative": _Form(_nonnegative, 2, lambda rank: None, lambda rank: 2 * rank),
}
