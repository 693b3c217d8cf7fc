"""Couplings as users bring them, as operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skkuranet._utils.given import as_numbers, check_finite, labels_of
from skkuranet._utils.messages import plain
from skkuranet._utils.surroundings import silenced
from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._dense import DenseCoupling
from skkuranet.coupling._sparse import NOTES_OF_TORCH, SparseCoupling

_KINDS = (
    "a square array, tensor, scipy.sparse matrix, pandas frame or networkx graph, or a "
    "CouplingOperator"
)


@dataclass(frozen=True)
class GivenCouplings:
    """Couplings that were read, labels of nodes, whether they came without tensors, the graph."""

    coupling: CouplingOperator
    names: list[Any] | None
    as_arrays: bool
    graph: Any = None

    def __getstate__(self) -> dict[str, Any]:
        # The graph, which may be of any library, only says what parameters are.
        return {**vars(self), "graph": None}


def as_coupling(
    K: Any, connectivity: Any = None, *, dtype: torch.dtype | None = None
) -> CouplingOperator:
    """Return couplings of any kind as an operator.

    Parameters
    ----------
    K : array-like, Tensor, sparse matrix, DataFrame, networkx graph, CouplingOperator or float
        Strengths, (..., n, n): ``K[i, j]`` is how strongly source j acts on target i. In a directed
        graph an edge (u, v) lets u act on v; strengths are the edge attribute "weight", or 1.
        A number is the strength along all edges of ``connectivity``.
    connectivity : the same kinds, optional
        Pairs that may couple are nonzero there; couplings of all others count as 0.
    dtype : torch.dtype, optional
        Floating-point type; by default that of K, and double precision for whole numbers.

    Returns
    -------
    CouplingOperator of shape (..., n, n)
        Sparse where K or ``connectivity`` is, else dense; on the device of K.

    Raises
    ------
    TypeError
        If it is no kind of couplings.
    ValueError
        If it is not square, holds values that are not finite, or does not fit ``connectivity``.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.coupling import as_coupling
    >>> as_coupling(np.ones((3, 3)))
    DenseCoupling(shape=(3, 3), dtype=torch.float64)
    """
    return read_couplings(K, connectivity, dtype=dtype).coupling


def read_couplings(
    K: Any,
    connectivity: Any = None,
    *,
    dtype: torch.dtype | None = None,
    like: Any = None,
    name: str = "K",
) -> GivenCouplings:
    """Return couplings as an operator, the labels of their nodes, and the kind they came in.

    What is not a tensor yet takes the type and the device of ``like``, if that is one. ``name`` is
    the parameter, for errors.
    """
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(
            f"dtype must be a floating-point type of torch, such as torch.float32, got {dtype!r}."
        )
    if connectivity is not None:
        return _along(K, connectivity, dtype)
    if isinstance(K, GivenCouplings):
        return K
    if isinstance(K, CouplingOperator):
        if dtype is not None and K.dtype != dtype:
            raise ValueError(f"The couplings are {K.dtype}, where {dtype} is wanted.")
        return GivenCouplings(K, None, as_arrays=False)
    device = None
    if isinstance(like, Tensor) and not isinstance(K, Tensor):
        device = like.device
        dtype = like.dtype if like.is_floating_point() else dtype
    if _is_sparse(K):
        return GivenCouplings(
            _sparse(K, dtype, device, name), None, as_arrays=not isinstance(K, Tensor)
        )
    if hasattr(K, "adj") and hasattr(K, "nodes"):
        made = _sparse(matrix_of_graph(K), dtype, device, name)
        return GivenCouplings(made, list(K.nodes), as_arrays=True, graph=K)
    names = labels_of(K)
    if names is not None:
        K = _frame(K, names, name)
    if (
        not isinstance(K, Tensor)
        and not hasattr(K, "__array__")
        and not isinstance(K, (list, tuple))
    ):
        raise TypeError(f"{name} must be {_KINDS}, got {type(K).__name__} {plain(K)[:60]}.")
    matrix = check_finite(as_numbers(K, name), name)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(
            f"{name} must be square, (..., n, n), with targets in its rows and sources in its "
            f"columns, got shape {tuple(matrix.shape)}."
        )
    matrix = matrix.to(device=device, dtype=dtype)
    return GivenCouplings(DenseCoupling(matrix), names, as_arrays=not isinstance(K, Tensor))


def _is_sparse(K: Any) -> bool:
    if isinstance(K, Tensor):
        return K.layout != torch.strided
    # Of scipy or another library of that form, which need not be loaded to be told.
    return hasattr(K, "tocoo") and hasattr(K, "nnz")


def _sparse(
    K: Any, dtype: torch.dtype | None, device: torch.device | None, name: str
) -> SparseCoupling:
    if isinstance(K, Tensor):
        with silenced(message=NOTES_OF_TORCH):
            found = K.to_sparse_coo().coalesce()
        if found.sparse_dim() != 2:
            raise ValueError(f"A sparse {name} must have two axes, got shape {tuple(K.shape)}.")
        (rows, columns), values = found.indices(), found.values()
    else:
        found = K.tocoo(copy=True)
        found.sum_duplicates()
        ends = (torch.as_tensor(index) for index in (found.row, found.col))
        rows, columns = (index.to(device, torch.int64) for index in ends)
        values = found.data
    n, p = K.shape
    if n != p:
        raise ValueError(
            f"{name} must be square, (n, n), with targets in its rows and sources in its columns, "
            f"got shape {(n, p)}."
        )
    values = check_finite(as_numbers(values, name), name)
    return SparseCoupling(rows, columns, values.to(device=device, dtype=dtype), (n, p))


def matrix_of_graph(graph: Any) -> Any:
    """Return the strengths of a graph: from whom in columns, on whom in rows."""
    import networkx

    matrix = networkx.to_scipy_sparse_array(graph, dtype=float, weight="weight", format="coo")
    return matrix.T if graph.is_directed() else matrix


def _frame(K: Any, names: list[Any], name: str) -> Any:
    columns = list(getattr(K, "columns", ()))
    if set(columns) != set(names) or len(set(names)) != len(names) or len(columns) != len(names):
        raise ValueError(
            f"{name} as a frame must name the same nodes in its rows and columns, each once; "
            f"got rows {plain(names)} and columns {plain(columns)}."
        )
    return K[names].to_numpy()


def _along(K: Any, connectivity: Any, dtype: torch.dtype | None) -> GivenCouplings:
    """Restrict couplings to the edges of a graph."""
    graph = read_couplings(connectivity, name="connectivity")
    pattern = graph.coupling
    if not isinstance(pattern, SparseCoupling):
        if len(pattern.shape) != 2:
            raise ValueError(f"connectivity must have two axes, got {tuple(pattern.shape)}.")
        matrix = pattern.dense()
        rows, columns = matrix.nonzero().unbind(-1)
        pattern = SparseCoupling(rows, columns, matrix[rows, columns], matrix.shape)
    keep = pattern.values != 0
    ends = pattern.targets[keep], pattern.sources[keep]
    if isinstance(K, (int, float)) or (isinstance(K, Tensor) and not K.ndim):
        strength = check_finite(as_numbers(K, "K"), "K")
        device = strength.device if isinstance(K, Tensor) else pattern.device
        targets, sources = (index.to(device) for index in ends)
        values = strength.expand(len(targets)).to(device=device, dtype=dtype)
        made = SparseCoupling(targets, sources, values, pattern.shape)
        return GivenCouplings(made, graph.names, not isinstance(K, Tensor), graph.graph)
    given = read_couplings(K, dtype=dtype)
    if given.coupling.shape != pattern.shape:
        raise ValueError(
            f"connectivity has shape {tuple(pattern.shape)}, but K {tuple(given.coupling.shape)}."
        )
    if given.names and graph.names and given.names != graph.names:
        raise ValueError("connectivity must name its nodes as K does, in the same order.")
    targets, sources = (index.to(given.coupling.device) for index in ends)
    if isinstance(given.coupling, SparseCoupling):
        # Strengths of edges by the number of their pair.
        n = pattern.shape[-1]
        pairs = given.coupling.targets * n + given.coupling.sources
        kept = torch.isin(pairs, targets * n + sources)
        made = SparseCoupling(
            given.coupling.targets[kept],
            given.coupling.sources[kept],
            given.coupling.values[kept],
            pattern.shape,
        )
    elif isinstance(given.coupling, DenseCoupling):
        values = given.coupling.matrix[targets, sources]
        made = SparseCoupling(targets, sources, values, pattern.shape)
    else:
        raise TypeError(
            f"connectivity cannot restrict {type(given.coupling).__name__}; leave it out, or pass "
            "K as a matrix."
        )
    known = given if given.names else graph
    return GivenCouplings(made, known.names, given.as_arrays, given.graph or graph.graph)
