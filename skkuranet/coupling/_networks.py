"""Neural networks from the features of two nodes to their coupling."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._dense import DenseCoupling
from skkuranet.coupling._encoding import FourierFeatures
from skkuranet.coupling._factorized import FactorizedCoupling

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky_relu": lambda: nn.LeakyReLU(0.01),
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}

# Bytes of hidden activations: what a core's cache keeps and, where autograd keeps them all anyway,
# what is still worth computing twice to save memory. A card wants larger tiles.
_TILE_BYTES = 1 << 20
_TILES_OF_A_CARD = 256
_SLICE_BYTES_GRAD = 1 << 28
# Nodes that a factorised network looks at together, where no gradients are wanted.
_NODES_AT_ONCE = 1 << 15


class CouplingNetwork(nn.Module):
    r"""A coupling function :math:`K_\mu: \mathcal{X}^2 \to \mathbb{R}`.

    The contract is one method: ``forward(x, y)`` maps the features of targets, (...,
    n, n_features), and of sources, (..., p, n_features), to raw couplings of shape
    (..., n, p). Any :class:`torch.nn.Module` that keeps it can stand in.

    Parameters
    ----------
    n_features : int
        Number of node features.
    encoding : FourierFeatures or Module, optional
        What the network sees of standardised features; a module of your own needs an
        attribute ``n_outputs``.
    """

    #: Whether the couplings of n nodes take n² numbers.
    stores_pairs = True
    #: Whether outputs are strengths that are never negative, or any numbers.
    nonnegative = False

    shift: Tensor
    inverse_scale: Tensor

    def __init__(self, n_features: int, encoding: FourierFeatures | None = None) -> None:
        super().__init__()
        self.n_features, self.encoding = n_features, encoding
        self.register_buffer("shift", torch.zeros(n_features, dtype=torch.float64))
        self.register_buffer("inverse_scale", torch.ones(n_features, dtype=torch.float64))

    def standardize(self, mean: Tensor, scale: Tensor) -> None:
        """Make the network see (x − mean) / scale.

        Parameters
        ----------
        mean, scale : Tensor of shape (n_features,)
            Mean and standard deviation of each feature.
        """
        self.shift.copy_(mean)
        self.inverse_scale.copy_(1.0 / scale)

    def operator(self, x: Tensor, y: Tensor | None = None) -> CouplingOperator:
        """Return the raw couplings of targets ``x`` to sources ``y``.

        Parameters
        ----------
        x : Tensor of shape (..., n, n_features)
            Features of the targets.
        y : Tensor of shape (..., p, n_features), optional
            Features of the sources; by default those of the targets.

        Returns
        -------
        CouplingOperator of shape (..., n, p)
            The raw couplings.
        """
        return DenseCoupling(self(x, x if y is None else y))

    def anneal(self, progress: float) -> None:
        """Take note of how far training has come.

        Parameters
        ----------
        progress : float
            From 0 at the start to 1 at the end.
        """

    @property
    def _n_inputs(self) -> int:
        return self.n_features if self.encoding is None else self.encoding.n_outputs

    def _seen(self, x: Tensor) -> Tensor:
        # In double precision: features may vary little around a large value.
        scaled = (x.double() - self.shift) * self.inverse_scale
        scaled = scaled.to(next(self.parameters()).dtype)
        return scaled if self.encoding is None else self.encoding(scaled)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> CouplingNetwork:
        exact = self.shift, self.inverse_scale
        super()._apply(fn, recurse)
        self.shift, self.inverse_scale = (b.to(self.shift.device) for b in exact)
        return self


class PairwiseNetwork(CouplingNetwork):
    r"""The paper's coupling function: a perceptron on the features of both nodes.

    Its first layer is linear in :math:`(x_i, x_j)`, so it is split as
    :math:`A x_i + B x_j + c`: n rows are computed rather than n². The other layers
    cost :math:`n^2 h^2` and run in slices of bounded memory.

    Parameters
    ----------
    n_features : int
        Number of node features.
    hidden_layer_sizes : sequence of int, default=(128, 128)
        Widths of the hidden layers.
    symmetric : bool, default=False
        Average f(x_i, x_j) and f(x_j, x_i).
    activation : {"leaky_relu", "relu", "silu", "tanh"}, default="leaky_relu"
        Nonlinearity of the hidden layers.
    encoding : FourierFeatures or Module, optional
        What the perceptron sees of standardised features.
    generator : torch.Generator, optional
        Source of the initial weights.
    """

    def __init__(
        self,
        n_features: int,
        hidden_layer_sizes: Sequence[int] = (128, 128),
        *,
        symmetric: bool = False,
        activation: str = "leaky_relu",
        encoding: FourierFeatures | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(n_features, encoding)
        if not hidden_layer_sizes:
            raise ValueError("hidden_layer_sizes must name at least one hidden layer.")
        self.symmetric = symmetric
        width = hidden_layer_sizes[0]
        n_inputs = self._n_inputs
        self.target = _linear(n_inputs, width, generator, fan_in=2 * n_inputs)
        self.source = _linear(n_inputs, width, generator, fan_in=2 * n_inputs, bias=False)
        self.layers = _perceptron((*hidden_layer_sizes, 1), activation, generator)
        self.activation = ACTIVATIONS[activation]()
        self._widest = max(hidden_layer_sizes)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return raw couplings.

        Parameters
        ----------
        x : Tensor of shape (..., n, n_features)
        y : Tensor of shape (..., p, n_features)

        Returns
        -------
        Tensor of shape (..., n, p)
        """
        alike = x is y
        x, y = self._seen(x), self._seen(y)
        forward = self._blocks(self.target(x), self.source(y))
        if not self.symmetric:
            return forward
        back = forward if alike else self._blocks(self.target(y), self.source(x))
        return (forward + back.mT).mul_(0.5)

    def _blocks(self, target: Tensor, source: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return self._tiles(target, source)
        n, p = target.shape[-2], source.shape[-2]
        pair = self._widest * target.element_size() * math.prod(target.shape[:-2])
        rows = max(1, _SLICE_BYTES_GRAD // max(1, pair * p))
        if n <= rows:
            return self._pairs(target, source)
        # Recomputed in the backward pass, so that one slice is alive at a time.
        slices = [
            checkpoint(self._pairs, part, source, use_reentrant=False)
            for part in target.split(rows, -2)
        ]
        return torch.cat(slices, -2)

    def _tiles(self, target: Tensor, source: Tensor) -> Tensor:
        """All pairs of nodes, by tiles whose activations stay in the cache."""
        batch, n, p = target.shape[:-2], target.shape[-2], source.shape[-2]
        pair = self._widest * target.element_size() * math.prod(batch)
        pairs = max(1, _TILE_BYTES // max(1, pair))
        if target.is_cuda:
            pairs *= _TILES_OF_A_CARD
        columns = max(1, min(p, pairs))
        rows = max(1, pairs // columns)
        couplings = target.new_empty((*batch, n, p))
        for i in range(0, n, rows):
            for j in range(0, p, columns):
                here = slice(i, i + rows), slice(j, j + columns)
                couplings[(..., *here)] = self._pairs(
                    target[..., here[0], :], source[..., here[1], :]
                )
        return couplings

    def _pairs(self, target: Tensor, source: Tensor) -> Tensor:
        hidden = self.activation(target.unsqueeze(-2) + source.unsqueeze(-3))
        return self.layers(hidden).squeeze(-1)


class LowRankNetwork(CouplingNetwork):
    """A coupling function that is the product of a factor of each node."""

    stores_pairs = False

    @property
    def n_factors(self) -> int:
        """Numbers that the factor of a node has."""
        raise NotImplementedError

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
        raise NotImplementedError

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
        if torch.is_grad_enabled() or x.shape[-2] <= _NODES_AT_ONCE:
            return self.embed(x)
        # The hidden activations of millions of nodes are larger than their factors.
        parts = [self.embed(part) for part in x.split(_NODES_AT_ONCE, -2)]
        left, right = (torch.cat(side, -2) for side in zip(*parts, strict=True))
        return left, right

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return raw couplings.

        Parameters
        ----------
        x : Tensor of shape (..., n, n_features)
        y : Tensor of shape (..., p, n_features)

        Returns
        -------
        Tensor of shape (..., n, p)
        """
        return self.factors(x)[0] @ self.factors(y)[1].mT

    def operator(self, x: Tensor, y: Tensor | None = None) -> CouplingOperator:
        """Return the raw couplings in factors."""
        left, right = self.factors(x)
        return FactorizedCoupling(left, right if y is None else self.factors(y)[1])


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
        self.layers = _perceptron(
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
        """Return the left and right factors of nodes, all at once.

        Parameters
        ----------
        x : Tensor of shape (..., n, n_features)
            Node features.

        Returns
        -------
        left : Tensor of shape (..., n, r), (..., n, r + 1) or (..., n, 2 r)
            Factor of the targets.
        right : Tensor of the same shape
            Factor of the sources.
        """
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


def _linear(
    n_in: int,
    n_out: int,
    generator: torch.Generator | None,
    *,
    fan_in: int | None = None,
    bias: bool = True,
) -> nn.Linear:
    """He-initialised layer whose weights come from the generator alone."""
    layer = nn.utils.skip_init(nn.Linear, n_in, n_out, bias=bias)
    bound = math.sqrt(6.0 / (fan_in or n_in))
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        if bias:
            layer.bias.uniform_(-0.1 * bound, 0.1 * bound, generator=generator)
    return layer


def _perceptron(
    sizes: Sequence[int], activation: str, generator: torch.Generator | None
) -> nn.Sequential:
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, got {activation!r}.")
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [_linear(n_in, n_out, generator), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])
