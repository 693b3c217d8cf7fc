"""From a coupling network and node features to the couplings that act."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from skkuranet._utils.scalars import whole_number
from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._dense import DenseCoupling
from skkuranet.coupling._edge_weights import WeightedEdges
from skkuranet.coupling._factorized import FactorizedCoupling
from skkuranet.coupling._half import HALF_TYPES, HalfCoupling
from skkuranet.coupling._low_rank import LowRankNetwork
from skkuranet.coupling._networks import (
    SHARE_OF_ACTIVATIONS,
    CouplingNetwork,
    PairwiseNetwork,
    wants_gradients,
)
from skkuranet.coupling._normalization import Driven, Identity, Normalization, prepared_at
from skkuranet.coupling._sparse import NonnegativeSparseCoupling, SparseCoupling
from skkuranet.coupling._tiled import TiledCoupling, tile_side

DEFAULT_MEMORY_BUDGET = 1 << 30

_EDGES_AT_ONCE = 1 << 16
# A subclass may make its operator in a way of its own.
_BY_FACTORS, _BY_PAIRS = LowRankNetwork.operator, CouplingNetwork.operator


def budget_on(memory_budget: int | str, device: torch.device) -> int:
    """Return how many bytes ``memory_budget`` stands for on a device.

    "auto" is a gibibyte on a processor, and on a card half of the memory that it has.
    """
    if not isinstance(memory_budget, str):
        return whole_number(memory_budget, "memory_budget", least=0)
    if memory_budget != "auto":
        raise ValueError(
            f"memory_budget must be a number of bytes or 'auto', got {memory_budget!r}."
        )
    if device.type != "cuda":
        return DEFAULT_MEMORY_BUDGET
    return int(torch.cuda.get_device_properties(device).total_memory // 2)


def couple(
    network: nn.Module,
    x: Tensor,
    normalization: Normalization | None = None,
    *,
    edges: Tensor | WeightedEdges | None = None,
    storage: torch.dtype | None = None,
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
    edges : Tensor of shape (2, n_edges), int64, or WeightedEdges, optional
        Targets and sources of the pairs that may couple; in a batch nodes are counted
        through, i of network b as b n + i. By default all pairs couple. Edges with weights are for
        networks that see them; see :class:`EdgeWeightNetwork`.
    storage : {torch.bfloat16, torch.float16}, optional
        16-bit type in which couplings of all pairs are evaluated and stored: half the memory,
        and less time where the processor or card computes in it; see :class:`HalfCoupling`.
        They have no gradients. By default the type of the network.
    memory_budget : int, default=2**30
        Bytes that two copies of a matrix of couplings may take, as normalising it needs both, or
        the copies of its factors that ``normalization.factor_copies`` counts. A larger matrix is
        tiled: computed block by block at every product and never stored.

    Returns
    -------
    CouplingOperator of shape (..., n, n)

    Raises
    ------
    ValueError
        If factors take more than ``memory_budget``, or ``storage`` is set where no matrix is or
        gradients are wanted.
    TypeError
        If edges have weights that the network does not see.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import InDegree, PairwiseNetwork, couple
    >>> network = PairwiseNetwork(2, (8,), generator=torch.Generator().manual_seed(0))
    >>> couple(network, torch.randn(100, 2), InDegree()).matvec(torch.ones(100)).shape
    torch.Size([100])
    """
    normalization = normalization or Identity()
    # Called as a method, to which the interpreter hands over its only reference to the raw
    # couplings: they can be dropped while they are being normalised.
    if storage is not None:
        return normalization.__call__(_half(network, x, storage, edges, memory_budget))
    if edges is not None:
        return normalization.__call__(_along(network, x, x, edges, memory_budget))
    return normalization.__call__(raw_coupling(network, x, x, memory_budget, normalization))


def couple_driven(
    network: nn.Module,
    x: Tensor,
    reference: Tensor,
    normalization: Normalization | None = None,
    *,
    edges: Tensor | None = None,
    reference_edges: Tensor | None = None,
    memory_budget: int = DEFAULT_MEMORY_BUDGET,
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
    edges : Tensor of shape (2, n_edges), int64, optional
        Test oscillators and reference oscillators of the pairs that may couple. By
        default all pairs couple.
    reference_edges : Tensor of shape (2, n_edges), int64, optional
        Pairs of the reference network that couple. By default all do.
    memory_budget : int, default=2**30
        Bytes that two copies of a matrix of couplings may take; larger ones are tiled.

    Returns
    -------
    CouplingOperator of shape (m, n)

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import PairwiseNetwork, couple_driven
    >>> network = PairwiseNetwork(2, (8,), generator=torch.Generator().manual_seed(0))
    >>> couple_driven(network, torch.randn(3, 2), torch.randn(100, 2)).shape
    torch.Size([3, 100])
    """
    normalization = normalization or Identity()
    between = _Between(
        network, reference, normalization, memory_budget, edges=edges, among=reference_edges
    )
    return normalization.driven(between, x, reference)


def driven_by(
    network: nn.Module,
    reference: Tensor,
    normalization: Normalization | None = None,
    *,
    memory_budget: int = DEFAULT_MEMORY_BUDGET,
) -> Driven:
    """Prepare to couple test oscillators to a reference network, as :func:`couple_driven` does.

    What the reference network alone decides is computed once, for all test oscillators.

    Parameters
    ----------
    network : CouplingNetwork or Module
        Maps node features to raw couplings. Its weights must stay as they are.
    reference : Tensor of shape (n, n_features)
        Features of the reference network.
    normalization : Normalization, optional
        By default the raw couplings act.
    memory_budget : int, default=2**30
        Bytes that two copies of a matrix of couplings may take; larger ones are tiled.

    Returns
    -------
    callable
        From features of test oscillators, a Tensor of shape (m, n_features), to their
        couplings, a CouplingOperator of shape (m, n).

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import PairwiseNetwork, driven_by
    >>> network = PairwiseNetwork(2, (8,), generator=torch.Generator().manual_seed(0))
    >>> driven = driven_by(network, torch.randn(100, 2))
    >>> driven(torch.randn(3, 2)).shape
    torch.Size([3, 100])
    """
    normalization = normalization or Identity()
    between = _Between(network, reference, normalization, memory_budget)
    return prepared_at(normalization, between, reference)


class _Between:
    """Raw couplings of test oscillators and a reference network, whose factors are kept."""

    def __init__(
        self,
        network: nn.Module,
        reference: Tensor,
        normalization: Normalization,
        memory_budget: int,
        *,
        edges: Tensor | None = None,
        among: Tensor | None = None,
    ) -> None:
        self._network, self._reference = network, reference
        self._normalization, self._memory_budget = normalization, memory_budget
        self._edges, self._among = edges, among
        self._kept: tuple[Tensor, Tensor] | None = None

    def __call__(self, a: Tensor, b: Tensor) -> CouplingOperator:
        """Return the raw couplings of targets ``a`` to sources ``b``."""
        network, pairs = self._network, self._pairs(a, b)
        if pairs is not None:
            return _along(network, a, b, pairs, self._memory_budget)
        if isinstance(network, LowRankNetwork) and type(network).operator is _BY_FACTORS:
            _check_factors(network, a, b, self._memory_budget, self._normalization)
            left, right = self._factors(network, a)[0], self._factors(network, b)[1]
            return FactorizedCoupling(left, right)
        return raw_coupling(network, a, b, self._memory_budget, self._normalization)

    def _pairs(self, a: Tensor, b: Tensor) -> Tensor | None:
        if a is not self._reference:
            return self._edges
        if b is self._reference or self._edges is None:
            return self._among
        return self._edges.flip(0)

    def _factors(self, network: LowRankNetwork, x: Tensor) -> tuple[Tensor, Tensor]:
        if x is not self._reference:
            return network.factors(x)
        if self._kept is None:
            self._kept = network.factors(x)
        return self._kept


def _half(
    network: nn.Module,
    x: Tensor,
    storage: torch.dtype,
    edges: Tensor | WeightedEdges | None,
    memory_budget: int,
) -> CouplingOperator:
    if edges is not None or not getattr(network, "stores_pairs", True):
        raise ValueError(
            f"Couplings in factors or along edges are not stored in {storage}; use single "
            "precision."
        )
    if storage not in HALF_TYPES:
        raise ValueError(f"storage must be torch.bfloat16 or torch.float16, got {storage}.")
    needed = 2 * x.shape[:-1].numel() * x.shape[-2] * storage.itemsize
    if needed > memory_budget:
        raise ValueError(
            f"Two copies of the couplings need {needed} bytes in {storage}, more than "
            f"memory_budget={memory_budget}. Raise it, or use single precision, in which they are "
            "tiled."
        )
    if wants_gradients(network, x):
        raise ValueError("storage: these couplings have no gradients. Use torch.no_grad().")
    with torch.autocast(x.device.type, storage):
        return HalfCoupling(_matrix(network, x, x, memory_budget).to(storage))


def compact(coupling: CouplingOperator) -> CouplingOperator:
    """Return couplings as a matrix where it is smaller than their factors, and as they are else."""
    # A subclass knows of more than its factors.
    if type(coupling) is not FactorizedCoupling:
        return coupling
    n, p = coupling.shape[-2:]
    return DenseCoupling(coupling.dense()) if n * p <= (n + p) * coupling.rank else coupling


def repeated(coupling: CouplingOperator, n_networks: int) -> CouplingOperator | None:
    """Return the couplings of one network, (1, n, p), as those of a batch of networks like it.

    None if they are of a type that this module knows nothing of.
    """
    if type(coupling) is DenseCoupling:
        return DenseCoupling(coupling.matrix.expand(n_networks, -1, -1))
    if type(coupling) is FactorizedCoupling:
        return FactorizedCoupling(*(t.expand(n_networks, *t.shape[1:]) for t in coupling.tensors))
    return None


def _operator(network: nn.Module, x: Tensor, y: Tensor, memory_budget: int) -> CouplingOperator:
    if isinstance(network, CouplingNetwork) and type(network).operator is not _BY_PAIRS:
        return network.operator(x, y)
    return DenseCoupling(_matrix(network, x, y, memory_budget))


def _matrix(network: nn.Module, x: Tensor, y: Tensor, memory_budget: int) -> Tensor:
    # A subclass may compute in a way of its own.
    thrifty = getattr(type(network), "forward", None) is PairwiseNetwork.forward
    limit = {"memory_budget": memory_budget} if thrifty else {}
    matrix: Tensor = network(x, y, **limit)
    expected = (*x.shape[:-1], y.shape[-2])
    if tuple(matrix.shape) != expected:
        raise ValueError(
            f"The coupling network returned shape {tuple(matrix.shape)} for targets of shape "
            f"{tuple(x.shape)} and sources of shape {tuple(y.shape)}; it must be {expected}."
        )
    return matrix


def raw_coupling(
    network: nn.Module, x: Tensor, y: Tensor, memory_budget: int, normalization: Normalization
) -> CouplingOperator:
    """Couplings of targets to sources as the network says, which are to be normalised."""
    if isinstance(network, LowRankNetwork):
        _check_factors(network, x, y, memory_budget, normalization)
    n, p = x.shape[-2], y.shape[-2]
    stored = getattr(network, "stores_pairs", True)
    size, n_networks = _number_size(network, x), x.shape[:-2].numel()
    if not stored or 2 * n_networks * n * p * size <= memory_budget:
        return _operator(network, x, y, memory_budget)
    # A tile holds a pair's hidden activations of two layers and its coupling.
    side = tile_side(memory_budget, n_networks * size * (2 * _widest(network) + 2))

    def block(rows: slice, columns: slice) -> Tensor:
        tile: Tensor = network(x[..., rows, :], y[..., columns, :])
        return tile

    # x and y are one tensor where a network couples its own nodes.
    features = {id(f): f for f in (x, y) if f.requires_grad}
    leaves = (*network.parameters(), *features.values())
    return TiledCoupling(block, leaves, (*x.shape[:-2], n, p), side)


def _check_factors(
    network: LowRankNetwork, x: Tensor, y: Tensor, memory_budget: int, normalization: Normalization
) -> None:
    """Raise ValueError if the factors of two sets of nodes are too large to be normalised."""
    n, p, n_networks = x.shape[-2], y.shape[-2], x.shape[:-2].numel()
    copies = getattr(normalization, "factor_copies", 3)
    needed = copies * n_networks * (n + p) * network.n_factors * _number_size(network, x)
    if needed > memory_budget:
        raise ValueError(
            f"Factors of {n} x {p} couplings need {needed} bytes, more than memory_budget="
            f"{memory_budget}. Raise memory_budget, or share the network out among processes "
            "(skkuranet.distributed)."
        )


def _number_size(network: nn.Module, x: Tensor) -> int:
    """Bytes of a number that a network computes with."""
    return next((w.element_size() for w in network.parameters()), x.element_size())


def _along(
    network: nn.Module, x: Tensor, y: Tensor, edges: Tensor | WeightedEdges, memory_budget: int
) -> SparseCoupling:
    weights: tuple[Tensor, ...] = ()
    if isinstance(edges, WeightedEdges):
        weights, edges = (edges.weights,), edges.ends
        if not hasattr(network, "along"):
            raise TypeError(
                f"{type(network).__name__} does not see the weights of edges. Give it a method "
                "along(x, y, weights), as skkuranet.coupling.EdgeWeightNetwork has, or leave the "
                "weights out."
            )
    x_nodes, y_nodes = x.flatten(0, -2), y.flatten(0, -2)

    def strengths(i: Tensor, j: Tensor, *weight: Tensor) -> Tensor:
        if weight:
            seen: Tensor = network.along(x_nodes[i], y_nodes[j], *weight)  # type: ignore[operator]
            return seen
        pairs: Tensor = network(x_nodes[i].unsqueeze(-2), y_nodes[j].unsqueeze(-2))
        return pairs.flatten()

    # So many edges at a time that their hidden activations stay small.
    graded, at_once = wants_gradients(network, x, y), _EDGES_AT_ONCE
    if graded:
        pair = _widest(network) * _number_size(network, x)
        at_once = max(1, memory_budget // (SHARE_OF_ACTIVATIONS * pair))
    columns = (*edges.unbind(), *weights)
    found = []
    for part in zip(*(column.split(at_once) for column in columns), strict=True):
        if graded and edges.shape[1] > at_once:
            # Computed again in the backward pass, so that one part is alive at a time.
            found.append(checkpoint(strengths, *part, use_reentrant=False))
        else:
            found.append(strengths(*part))
    nonnegative = getattr(network, "nonnegative", False)
    kind = NonnegativeSparseCoupling if nonnegative else SparseCoupling
    targets, sources = edges
    return kind(targets, sources, torch.cat(found), (*x.shape[:-1], y.shape[-2]))


def _widest(network: nn.Module) -> int:
    return max([p.shape[0] for p in network.parameters() if p.ndim], default=1)
