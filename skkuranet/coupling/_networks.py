"""Neural networks from the features of two nodes to their coupling."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._dense import DenseCoupling
from skkuranet.coupling._encoding import FourierFeatures
from skkuranet.coupling._perceptron import ACTIVATIONS, linear, perceptron
from skkuranet.files._plain import Reader, as_plain

# Bytes of hidden activations: what a core's cache keeps and, where autograd keeps them all anyway,
# what is still worth computing twice to save memory. A card wants more of both.
_TILE_BYTES = 1 << 20
_SLICE_BYTES_GRAD = 1 << 28
_TILES_OF_A_CARD, _SLICES_OF_A_CARD = 256, 8
# Part of a memory budget that activations of one layer may take: those of others, what autograd
# keeps beside them and couplings take the rest.
SHARE_OF_ACTIVATIONS = 4


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

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import CouplingNetwork, couple
    >>> class Gravity(CouplingNetwork):
    ...     def forward(self, targets, sources):
    ...         return 1.0 / (1.0 + torch.cdist(targets, sources) ** 2)
    >>> couple(Gravity(2), torch.tensor([[0.0, 0.0], [0.0, 1.0]])).dense()
    tensor([[1.0000, 0.5000],
            [0.5000, 1.0000]])
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

    def __getstate__(self) -> dict[str, Any]:
        # As arrays and text, which skops can hold as well; unless something foreign is within.
        hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
        if any(getattr(module, name) for module in self.modules() for name in hooks):
            return vars(self)
        try:
            content, arrays = as_plain(self, type(self).__name__, own=True)
        except TypeError:
            return vars(self)
        return {"content": json.dumps(content), "arrays": arrays}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "content" in state:
            # An array may be a read-only map of a file.
            arrays = {name: np.array(array) for name, array in state["arrays"].items()}
            state = vars(Reader(arrays, ()).thing(json.loads(state["content"])))
        super().__setstate__(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> CouplingNetwork:
        # On its device, and with its hooks.
        made = memo[id(self)] = type(self).__new__(type(self))
        vars(made).update(copy.deepcopy(vars(self), memo))
        return made

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

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import PairwiseNetwork, couple
    >>> network = PairwiseNetwork(2, (8,), generator=torch.Generator().manual_seed(0))
    >>> couple(network, torch.randn(100, 2)).shape
    torch.Size([100, 100])
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
        self.target = linear(n_inputs, width, generator, fan_in=2 * n_inputs)
        self.source = linear(n_inputs, width, generator, fan_in=2 * n_inputs, bias=False)
        self.layers = perceptron((*hidden_layer_sizes, 1), activation, generator)
        self.activation = ACTIVATIONS[activation]()
        self._widest = max(hidden_layer_sizes)

    def forward(self, x: Tensor, y: Tensor, *, memory_budget: float = math.inf) -> Tensor:
        """Return raw couplings (..., n, p) of targets x (..., n, n_features) to sources y.

        Activations that are kept for gradients take part of ``memory_budget`` bytes; others are
        computed twice.
        """
        alike, most = x is y, memory_budget / SHARE_OF_ACTIVATIONS
        x, y = self._seen(x), self._seen(y)
        forward = self._blocks(self.target(x), self.source(y), most)
        if not self.symmetric:
            return forward
        back = forward if alike else self._blocks(self.target(y), self.source(x), most)
        return (forward + back.mT).mul_(0.5)

    def _blocks(self, target: Tensor, source: Tensor, most: float) -> Tensor:
        if not wants_gradients(self, target, source):
            return self._tiles(target, source)
        pair = self._widest * target.element_size() * math.prod(target.shape[:-2])
        most = min(most, _SLICE_BYTES_GRAD * (_SLICES_OF_A_CARD if target.is_cuda else 1))
        rows = max(1, int(most // max(1, pair * source.shape[-2])))
        if target.shape[-2] <= rows:
            return self._slices(target, source)
        # Recomputed in the backward pass, so that one slice is alive at a time.
        slices = [
            checkpoint(self._slices, part, source, use_reentrant=False)
            for part in target.split(rows, -2)
        ]
        return torch.cat(slices, -2)

    def _pairs_at_once(self, target: Tensor) -> int:
        """Pairs of nodes whose activations stay in the cache, or fill a card."""
        pair = self._widest * target.element_size() * math.prod(target.shape[:-2])
        return (_TILES_OF_A_CARD if target.is_cuda else 1) * max(1, _TILE_BYTES // max(1, pair))

    def _slices(self, target: Tensor, source: Tensor) -> Tensor:
        """All pairs of nodes with a graph for their gradients, by rows of targets."""
        rows = max(1, self._pairs_at_once(target) // max(1, source.shape[-2]))
        return torch.cat([self._pairs(part, source) for part in target.split(rows, -2)], -2)

    def _tiles(self, target: Tensor, source: Tensor) -> Tensor:
        """All pairs of nodes, by tiles."""
        batch, n, p = target.shape[:-2], target.shape[-2], source.shape[-2]
        pairs = self._pairs_at_once(target)
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

    def hidden(self, x: Tensor) -> Tensor:
        """Return what the first layer makes of all pairs of nodes.

        Parameters
        ----------
        x : Tensor of shape (..., n, n_features)
            Features of targets and sources.

        Returns
        -------
        Tensor of shape (..., n, n, n_hidden)
        """
        seen = self._seen(x)
        return self._first(self.target(seen), self.source(seen))

    def _first(self, target: Tensor, source: Tensor) -> Tensor:
        return self.activation(target.unsqueeze(-2) + source.unsqueeze(-3))

    def _pairs(self, target: Tensor, source: Tensor) -> Tensor:
        hidden = self._first(target, source)
        # As rows, since overwriting a view would copy it.
        return self.layers(hidden.flatten(0, -2)).view(hidden.shape[:-1])


def wants_gradients(network: nn.Module, *features: Tensor) -> bool:
    """Say whether anything is to be differentiated with respect to weights or features."""
    if not torch.is_grad_enabled():
        return False
    return any(t.requires_grad for t in (*features, *network.parameters()))
