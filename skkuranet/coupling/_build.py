"""From a coupling network and node features to the couplings that act."""

from __future__ import annotations

import functools

from torch import Tensor, nn

from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._dense import DenseCoupling
from skkuranet.coupling._networks import CouplingNetwork
from skkuranet.coupling._normalization import Identity, Normalization
from skkuranet.coupling._sparse import SparseCoupling
from skkuranet.coupling._tiled import TiledCoupling, tile_side

DEFAULT_MEMORY_BUDGET = 1 << 30


def couple(
    network: nn.Module,
    x: Tensor,
    normalization: Normalization | None = None,
    *,
    edges: Tensor | None = None,
    memory_budget: int = DEFAULT_MEMORY_BUDGET,
) -> CouplingOperator:
    """Couple the nodes of a network with one another.

    Parameters
    ----------
    network : CouplingNetwork or Module
        Maps node features to raw couplings; see :class:`CouplingNetwork`.
    x : Tensor of shape (..., n, n_features)
        Node features; leading axes are a batch of networks.
    normalization : Normalization, optional
        By default the raw couplings act.
    edges : Tensor of shape (2, n_edges), int64, optional
        Targets and sources of the pairs that may couple. By default all pairs do.
    memory_budget : int, default=2**30
        Bytes that stored couplings may take. A dense matrix beyond it is tiled: computed
        block by block at every product and never stored.

    Returns
    -------
    CouplingOperator of shape (..., n, n)
    """
    normalization = normalization or Identity()
    if edges is not None:
        return normalization(_along(network, x, edges))
    return normalization(_raw(network, x, x, memory_budget))


def couple_driven(
    network: nn.Module,
    x: Tensor,
    reference: Tensor,
    normalization: Normalization | None = None,
) -> CouplingOperator:
    """Couple test oscillators to a reference network on which they do not act back.

    Parameters
    ----------
    network : CouplingNetwork or Module
        Maps node features to raw couplings.
    x : Tensor of shape (m, n_features)
        Features of the test oscillators; each row of the result depends on its row alone.
    reference : Tensor of shape (n, n_features)
        Features of the reference network.
    normalization : Normalization, optional
        By default the raw couplings act.

    Returns
    -------
    CouplingOperator of shape (m, n)
    """
    normalization = normalization or Identity()
    return normalization.driven(functools.partial(_operator, network), x, reference)


def _operator(network: nn.Module, x: Tensor, y: Tensor) -> CouplingOperator:
    if isinstance(network, CouplingNetwork):
        return network.operator(x, y)
    matrix = network(x, y)
    expected = (*x.shape[:-1], y.shape[-2])
    if tuple(matrix.shape) != expected:
        raise ValueError(
            f"The coupling network returned shape {tuple(matrix.shape)} for targets of shape "
            f"{tuple(x.shape)} and sources of shape {tuple(y.shape)}; it must be {expected}."
        )
    return DenseCoupling(matrix)


def _raw(network: nn.Module, x: Tensor, y: Tensor, memory_budget: int) -> CouplingOperator:
    n, p = x.shape[-2], y.shape[-2]
    stored = getattr(network, "stores_pairs", True)
    size = next((w.element_size() for w in network.parameters()), x.element_size())
    if not stored or x.shape[:-2].numel() * n * p * size <= memory_budget:
        return _operator(network, x, y)
    if x.ndim > 2:
        raise ValueError(
            f"A batch of {x.shape[:-2].numel()} networks of {n} nodes needs more than "
            f"memory_budget={memory_budget} bytes. Raise memory_budget, or make batch_size or "
            "network_size smaller."
        )
    widest = max([p.shape[0] for p in network.parameters() if p.ndim], default=1)
    # A tile holds a pair's hidden activations of two layers and its coupling.
    side = tile_side(memory_budget, size * (2 * widest + 2))

    def block(rows: slice, columns: slice) -> Tensor:
        tile: Tensor = network(x[rows], y[columns])
        return tile

    # x and y are one tensor where a network couples its own nodes.
    features = {id(f): f for f in (x, y) if f.requires_grad}
    leaves = (*network.parameters(), *features.values())
    return TiledCoupling(block, leaves, (n, p), side)


def _along(network: nn.Module, x: Tensor, edges: Tensor) -> SparseCoupling:
    if x.ndim != 2:
        raise ValueError("A graph couples one network; x must have shape (n, n_features).")
    targets, sources = edges
    values: Tensor = network(x[targets].unsqueeze(-2), x[sources].unsqueeze(-2))
    return SparseCoupling(targets, sources, values.flatten(), (len(x), len(x)))
