"""Couplings whose rows are shared out among processes (torch only)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from skkuranet._utils.given import check_tensor
from skkuranet._utils.scalars import whole_number
from skkuranet.coupling import (
    DEFAULT_MEMORY_BUDGET,
    CouplingOperator,
    FactorizedCoupling,
    Identity,
    Normalization,
    couple_driven,
)
from skkuranet.coupling._build import raw_coupling
from skkuranet.coupling._factorized import FactorizedPlan
from skkuranet.coupling._plan import PLANS
from skkuranet.training._checkpoint import fingerprint_of, identity
from skkuranet.training._process_group import Ranks


class ShardedFactorizedCoupling(FactorizedCoupling):
    r"""Factors of the oscillators that this process owns.

    A product takes one sum over all processes, of r numbers for each vector: whatever the size
    of the network, :math:`2 r` numbers are sent for a step.

    Parameters
    ----------
    left, right : Tensor of shape (n_own, r)
        Factors of these oscillators.
    diagonal : Tensor of shape (n_own,), optional
        Subtracted from the diagonal.
    ranks : Ranks
        All processes.
    n_global : int
        Oscillators of all processes.

    Examples
    --------
    >>> import torch
    >>> import torch.distributed as dist
    >>> from skkuranet.distributed import Ranks, ShardedFactorizedCoupling
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> ones = torch.ones(4, 1)
    >>> ShardedFactorizedCoupling(ones, ones, ranks=Ranks(), n_global=4).matvec(torch.ones(4))
    tensor([4., 4., 4., 4.])
    >>> dist.destroy_process_group()
    """

    def __init__(
        self,
        left: Tensor,
        right: Tensor,
        diagonal: Tensor | None = None,
        *,
        ranks: Ranks,
        n_global: int,
    ) -> None:
        super().__init__(left, right, diagonal)
        self.ranks, self._n_global = ranks, n_global

    @property
    def n_global(self) -> int:
        """Number of oscillators of all processes."""
        return self._n_global

    def rows(self, index: Tensor | Sequence[int] | slice) -> Tensor:
        """Refused: sources are on all processes."""
        raise TypeError("Couplings that processes share have no rows; ask for products.")

    def all_reduce(self, part: Tensor) -> Tensor:
        """Sum over the oscillators of all processes."""
        return self.ranks.all_reduce(part)

    def _with(
        self, left: Tensor, right: Tensor, diagonal: Tensor | None
    ) -> ShardedFactorizedCoupling:
        return ShardedFactorizedCoupling(
            left, right, diagonal, ranks=self.ranks, n_global=self.n_global
        )


class _ShardedPlan(FactorizedPlan):
    """Products wait for other processes."""

    is_replayable = False


PLANS[ShardedFactorizedCoupling] = _ShardedPlan


class ShardedCoupling(CouplingOperator):
    """Rows of K of the oscillators that this process owns; one gathering of phases for a product.

    Parameters
    ----------
    rows : CouplingOperator of shape (n_own, n)
        K from all sources, those of this process first, to its own targets.
    columns : callable
        Returns K from this process's sources to all targets, its own first, (n, n_own). Only
        transposes and gradients need it, so it is not made before.
    ranks : Ranks
        All processes.
    sizes : sequence of int
        Oscillators of each process.

    Examples
    --------
    >>> import torch
    >>> import torch.distributed as dist
    >>> from skkuranet.coupling import PairwiseNetwork
    >>> from skkuranet.distributed import Ranks, couple_sharded
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> network = PairwiseNetwork(2, (8,), generator=torch.Generator().manual_seed(0))
    >>> coupling = couple_sharded(network, torch.randn(10, 2), ranks=Ranks())
    >>> type(coupling).__name__, coupling.matvec(torch.ones(10)).shape
    ('ShardedCoupling', torch.Size([10]))
    >>> dist.destroy_process_group()
    """

    def __init__(
        self,
        rows: CouplingOperator,
        columns: Callable[[], CouplingOperator],
        ranks: Ranks,
        sizes: Sequence[int],
    ) -> None:
        self._rows, self._columns = rows, columns
        self._made: CouplingOperator | None = None
        self.ranks, self._sizes = ranks, list(sizes)

    @property
    def shape(self) -> torch.Size:
        """Shape (n_own, n_own): what this process moves, and what it tells the others."""
        own = self._rows.shape[-2]
        return torch.Size((own, own))

    @property
    def n_global(self) -> int:
        """Number of oscillators of all processes."""
        return sum(self._sizes)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """What the rows are made of."""
        return self._rows.tensors

    def all_reduce(self, part: Tensor) -> Tensor:
        """Sum over the oscillators of all processes."""
        return self.ranks.all_reduce(part)

    def matvec(self, x: Tensor) -> Tensor:
        """Return K x at the oscillators of this process, from x at the same ones."""
        return self._rows.matvec(self._all(x))

    def rmatvec(self, x: Tensor) -> Tensor:
        """Return Kᵀ x at the oscillators of this process."""
        if self._made is None:
            # Of the couplings that act, not of all that were made on the way to them.
            self._made = self._columns()
        return self._made.rmatvec(self._all(x))

    def bilinear_derivative(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        """Return this process's share of the gradients, which sum to those of the network."""
        return self._rows.bilinear_derivative(left, self._all(right))

    def rows(self, index: Tensor | Sequence[int] | slice) -> Tensor:
        """Refused: sources are on all processes."""
        raise TypeError("Couplings that processes share have no rows; ask for products.")

    def degree(self, order: int) -> Tensor:
        """Return sums of powers of the strengths, of this process's targets."""
        return self._rows.degree(order)

    def log_mass(self) -> Tensor:
        """Return the logarithm of the sum of exp(K) over distinct pairs of all processes."""
        own = self._rows.log_mass()
        return self.ranks.gather(own.view(1), [1] * self.ranks.size).logsumexp(-1)

    def positive(self, log_mass: Tensor) -> CouplingOperator:
        """Return exp(K - log_mass)."""
        return self._with(self._rows.positive(log_mass), lambda: self._columns().positive(log_mass))

    def scale(self, left: Tensor | None, right: Tensor | None) -> CouplingOperator:
        """Return diag(left) K diag(right), for factors of this process's oscillators."""
        all_left = None if left is None else self._all(left)
        all_right = None if right is None else self._all(right)
        return self._with(
            self._rows.scale(left, all_right), lambda: self._columns().scale(all_left, right)
        )

    def transpose(self) -> CouplingOperator:
        """Return Kᵀ."""
        return self._with(self._columns().transpose(), lambda: self._rows.transpose())

    def add(self, other: CouplingOperator) -> CouplingOperator:
        """Return K + other, whose factors may be those of this process's oscillators."""
        if type(other) is FactorizedCoupling and other.shape == self.shape:
            factors = other.left, other.right, other.diagonal
            other = ShardedFactorizedCoupling(*factors, ranks=self.ranks, n_global=self.n_global)
        if not isinstance(other, ShardedCoupling):
            return super().add(other)
        return self._with(
            self._rows.add(other._rows), lambda: self._columns().add(other._columns())
        )

    def without_self_coupling(self) -> CouplingOperator:
        """Return K with K_ii = 0."""
        return self._with(
            self._rows.without_self_coupling(), lambda: self._columns().without_self_coupling()
        )

    def _all(self, x: Tensor) -> Tensor:
        """Values of all oscillators, this process's first, so that K_ii lies on the diagonal."""
        first = sum(self._sizes[: self.ranks.rank])
        return self.ranks.gather(x, self._sizes).roll(-first, -1)

    def _with(
        self, rows: CouplingOperator, columns: Callable[[], CouplingOperator]
    ) -> ShardedCoupling:
        return ShardedCoupling(rows, columns, self.ranks, self._sizes)


def couple_sharded(
    network: nn.Module,
    x: Tensor,
    normalization: Normalization | None = None,
    *,
    ranks: Ranks,
    memory_budget: int = DEFAULT_MEMORY_BUDGET,
) -> CouplingOperator:
    """Couple the oscillators of all processes with one another.

    Parameters
    ----------
    network : CouplingNetwork or Module
        Maps node features to raw couplings; the same in all processes.
    x : Tensor of shape (n_own, n_features)
        Features of the oscillators that this process owns.
    normalization : Normalization, optional
        By default the raw couplings act.
    ranks : Ranks
        All processes.
    memory_budget : int, default=2**30
        Bytes that two copies of this process's rows of couplings may take; larger ones are
        computed block by block at every product.

    Returns
    -------
    CouplingOperator of shape (n_own, n_own)
        It moves the oscillators of this process under those of all, for
        :func:`skkuranet.dynamics.integrate`. All processes have to use it alike.

    Raises
    ------
    TypeError
        If an argument is of another kind.
    ValueError
        If features do not fit the network, or processes differ in the network, its type of numbers
        or the normalization.

    Examples
    --------
    >>> import torch
    >>> import torch.distributed as dist
    >>> from skkuranet.coupling import FactorizedNetwork
    >>> from skkuranet.distributed import Ranks, couple_sharded
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> network = FactorizedNetwork(2, (8,), rank=4, generator=torch.Generator().manual_seed(0))
    >>> couple_sharded(network, torch.randn(10, 2), ranks=Ranks()).shape
    torch.Size([10, 10])
    >>> dist.destroy_process_group()
    """
    normalization = Identity() if normalization is None else normalization
    if not isinstance(ranks, Ranks):
        raise TypeError(f"ranks must be a Ranks, got {type(ranks).__name__}.")

    def read() -> tuple[int, str]:
        for name, value, kind in (
            ("network", network, nn.Module),
            ("normalization", normalization, Normalization),
        ):
            if not isinstance(value, kind):
                raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}.")
        check_tensor(x, "x", n_axes=2)
        n_features = getattr(network, "n_features", x.shape[1])
        if x.shape[1] != n_features:
            raise ValueError(
                f"x must have {n_features} features, as network has, got {x.shape[1]}."
            )
        alike = fingerprint_of(*identity((network, normalization, x.dtype, x.shape[1])))
        return whole_number(memory_budget, "memory_budget"), alike

    memory_budget, alike = ranks.each(read)
    if len(set(ranks.from_all(alike))) > 1:
        raise ValueError(
            "network, normalization or the type of x: processes differ, but all need the same."
        )
    sizes = ranks.sizes(len(x))
    if not getattr(network, "stores_pairs", True):
        local = raw_coupling(network, x, x, memory_budget, normalization)
        assert isinstance(local, FactorizedCoupling)
        return normalization(
            ShardedFactorizedCoupling(local.left, local.right, ranks=ranks, n_global=sum(sizes))
        )
    first = sum(sizes[: ranks.rank])
    everyone = ranks.gather(x.mT, sizes).roll(-first, -1).mT.contiguous()
    rows = couple_driven(network, x, everyone, memory_budget=memory_budget)

    def columns() -> CouplingOperator:
        return couple_driven(network, everyone, x, memory_budget=memory_budget)

    return normalization(ShardedCoupling(rows, columns, ranks, sizes))
