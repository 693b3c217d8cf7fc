"""The contract between "features to couplings" and "couplings to phases"."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from skkuranet.coupling._products import product

_ROWS_AT_ONCE = 1024


class CouplingOperator(ABC):
    r"""A coupling matrix :math:`K` known by its products.

    :math:`K_{ij}` is the strength with which oscillator *j* (the source) acts on oscillator *i*
    (the target). Dynamics need nothing but products with :math:`K` and :math:`K^T`, and training
    needs nothing but derivatives of bilinear forms with K in the middle.

    Subclass it to hand couplings of your own to :func:`skkuranet.dynamics.integrate`.
    :attr:`shape`, :attr:`tensors` and :meth:`matvec` are enough; :meth:`rmatvec` and
    :meth:`bilinear_derivative` are autograd's unless you know better. The normalisations call
    :meth:`degree`, which you may know a faster way to, and :meth:`without_self_coupling`.

    Examples
    --------
    Every oscillator of a ring listens to its left neighbour:

    >>> import torch
    >>> from skkuranet.coupling import CouplingOperator
    >>> from skkuranet.dynamics import integrate
    >>> class Ring(CouplingOperator):
    ...     def __init__(self, n, strength):
    ...         self.n, self.strength = n, strength
    ...     @property
    ...     def shape(self):
    ...         return torch.Size((self.n, self.n))
    ...     @property
    ...     def tensors(self):
    ...         return (self.strength,)
    ...     def matvec(self, x):
    ...         return self.strength * x.roll(1, -1)
    >>> strength = torch.tensor(0.5, requires_grad=True)
    >>> path = integrate(Ring(4, strength), torch.tensor([0.0, 0.1, 0.2, 0.3]), n_steps=10)
    >>> path.phases[-1].var().backward()
    >>> bool(strength.grad < 0)
    True
    """

    @property
    @abstractmethod
    def shape(self) -> torch.Size:
        """Shape (..., n_targets, n_sources); leading axes are a batch of networks."""

    @property
    @abstractmethod
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors that K is made of, with respect to which it is differentiated."""

    @abstractmethod
    def matvec(self, x: Tensor) -> Tensor:
        """Return K v for each of the m vectors in the rows of ``x``.

        For a few rows this is several times as fast as for columns. Solvers hand over the same
        tensor ``x`` at every step, so that it must not be kept.

        Parameters
        ----------
        x : Tensor of shape (..., m, n_sources)
            Vectors v, as rows.

        Returns
        -------
        Tensor of shape (..., m, n_targets)
            Products, as rows.
        """

    def rmatvec(self, x: Tensor) -> Tensor:
        """Return Kᵀ v for each of the m vectors in the rows of ``x``.

        Here the derivative of :meth:`matvec`, by autograd.

        Parameters
        ----------
        x : Tensor of shape (..., m, n_targets)
            Vectors v, as rows.

        Returns
        -------
        Tensor of shape (..., m, n_sources)
            Products, as rows.
        """
        with torch.enable_grad():
            v = x.new_zeros((*x.shape[:-1], self.shape[-1])).requires_grad_()
            return torch.autograd.grad(self.matvec(v), v, x)[0]

    def bilinear_derivative(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        r"""Differentiate :math:`\sum_m l_m \cdot K r_m` with respect to :attr:`tensors`.

        The derivative with respect to K itself is ``left.mT @ right``. Here by autograd, through
        :meth:`matvec`.

        Parameters
        ----------
        left : Tensor of shape (..., m, n_targets)
            Vectors l, as rows.
        right : Tensor of shape (..., m, n_sources)
            Vectors r, as rows.

        Returns
        -------
        tuple of Tensor or None
            One derivative for each of :attr:`tensors`; None for 0.
        """
        wanted = [t for t in self.tensors if t.requires_grad]
        if not wanted:
            return (None,) * len(self.tensors)
        with torch.enable_grad():
            products = self.matvec(right)
        found = iter(torch.autograd.grad(products, wanted, left, allow_unused=True))
        return tuple(next(found) if t.requires_grad else None for t in self.tensors)

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the couplings."""
        return self.tensors[0].dtype

    @property
    def device(self) -> torch.device:
        """Device the couplings live on."""
        return self.tensors[0].device

    @property
    def n_global(self) -> int:
        """Number of sources of a network; more than ``shape`` says where processes share it."""
        return self.shape[-1]

    def all_reduce(self, part: Tensor) -> Tensor:
        """Sum over the processes that share the network.

        Parameters
        ----------
        part : Tensor
            Sum over the nodes of this process.

        Returns
        -------
        Tensor
            Sum over all nodes; here the same, as one process has them all.
        """
        return part

    def rows(self, index: Tensor | Sequence[int] | slice) -> Tensor:
        """Return the couplings of some targets to all sources.

        Parameters
        ----------
        index : Tensor, sequence of int or slice
            Targets i.

        Returns
        -------
        Tensor of shape (..., n_index, n_sources)
            The rows K[index].
        """
        n = self.shape[-2]
        picked = torch.arange(n, device=self.device)[index]
        unit = torch.zeros((*self.shape[:-2], len(picked), n), dtype=self.dtype, device=self.device)
        unit[..., torch.arange(len(picked), device=self.device), picked] = 1
        return product(self.transpose(), unit)

    def dense(self) -> Tensor:
        """Return K as a matrix.

        Returns
        -------
        Tensor of shape (..., n_targets, n_sources)
            All couplings.
        """
        return self.rows(slice(None))

    def degree(self, order: int) -> Tensor:
        r"""Return :math:`\sum_j |K_{ij}|^{order}` of every target.

        Parameters
        ----------
        order : {1, 2}
            1 for the absolute in-degree, 2 for the squared row norm.

        Returns
        -------
        Tensor of shape (..., n_targets)
            The sums.
        """
        # Blocks of rows bound the memory; operators that know better override this.
        blocks = torch.arange(self.shape[-2], device=self.device).split(_ROWS_AT_ONCE)
        return torch.cat([self.rows(rows).abs().pow(order).sum(-1) for rows in blocks], -1)

    def source_density(self) -> Tensor:
        """Return how crowded the neighbourhood of each source is.

        Returns
        -------
        Tensor of shape (..., n_sources)
            Mean overlap of its memberships with those of all sources.

        Raises
        ------
        TypeError
            If these couplings have no memberships.
        """
        raise TypeError(
            f"{type(self).__name__} does not know the density of its sources; use a "
            "FactorizedNetwork of form 'block', or another normalisation."
        )

    def log_mass(self) -> Tensor:
        r"""Return :math:`\log \sum_{i \ne j} e^{K_{ij}}`.

        Couplings that are non-negative by construction return
        :math:`\log \sum_{i \ne j} K_{ij}`.

        Returns
        -------
        Tensor of shape (...)
            One number for each network.

        Raises
        ------
        TypeError
            If these couplings cannot tell.
        """
        raise TypeError(f"{type(self).__name__} cannot be normalised to a mean degree.")

    def positive(self, log_mass: Tensor) -> CouplingOperator:
        r"""Return :math:`e^{K_{ij} - m}`, where m is ``log_mass``.

        Couplings that are non-negative by construction return :math:`K_{ij} e^{-m}`.

        Parameters
        ----------
        log_mass : Tensor of shape (...)
            The number m of each network.

        Returns
        -------
        CouplingOperator
            Non-negative couplings.

        Raises
        ------
        TypeError
            If these couplings cannot be made non-negative.
        """
        raise TypeError(f"{type(self).__name__} cannot be normalised to a mean degree.")

    def scale(self, left: Tensor | None, right: Tensor | None) -> CouplingOperator:
        """Return diag(left) K diag(right).

        Parameters
        ----------
        left : Tensor of shape (..., n_targets) or None
            Factor of each target; None for 1.
        right : Tensor of shape (..., n_sources) or None
            Factor of each source; None for 1.

        Returns
        -------
        CouplingOperator
            Scaled couplings.
        """
        return _Scaled(self, left, right)

    def transpose(self) -> CouplingOperator:
        """Return Kᵀ.

        Returns
        -------
        CouplingOperator of shape (..., n_sources, n_targets)
            Couplings with the two nodes of every pair exchanged.
        """
        return _Transposed(self)

    def add(self, other: CouplingOperator) -> CouplingOperator:
        """Return K + other.

        Parameters
        ----------
        other : CouplingOperator
            Couplings of the same shape.

        Returns
        -------
        CouplingOperator
            The sum.

        Raises
        ------
        ValueError
            If they have another shape.
        """
        return _Sum(self, other)

    def without_self_coupling(self) -> CouplingOperator:
        """Return K with K_ii = 0.

        Returns
        -------
        CouplingOperator
            The couplings of distinct nodes.

        Raises
        ------
        TypeError
            If these couplings cannot leave out their diagonal.
        """
        raise TypeError(f"{type(self).__name__} cannot leave out its diagonal.")

    def __matmul__(self, x: Tensor) -> Tensor:
        """Return K x for columns ``x``, (..., n_sources, m); differentiable."""
        return product(self, x.mT).mT

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={tuple(self.shape)}, dtype={self.dtype})"


class _Scaled(CouplingOperator):
    """diag(left) K diag(right), for operators that cannot fold the factors in."""

    def __init__(self, base: CouplingOperator, left: Tensor | None, right: Tensor | None) -> None:
        self._base, self._left, self._right = base, left, right

    @property
    def shape(self) -> torch.Size:
        return self._base.shape

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        factors = tuple(f for f in (self._left, self._right) if f is not None)
        return (*self._base.tensors, *factors)

    @property
    def dtype(self) -> torch.dtype:
        return self._base.dtype

    def matvec(self, x: Tensor) -> Tensor:
        return _times(self._left, self._base.matvec(_times(self._right, x)))

    def rmatvec(self, x: Tensor) -> Tensor:
        return _times(self._right, self._base.rmatvec(_times(self._left, x)))

    def bilinear_derivative(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        scaled_left, scaled_right = _times(self._left, left), _times(self._right, right)
        grads = list(self._base.bilinear_derivative(scaled_left, scaled_right))
        if self._left is not None:
            grads.append((left * self._base.matvec(scaled_right)).sum(-2))
        if self._right is not None:
            grads.append((right * self._base.rmatvec(scaled_left)).sum(-2))
        return tuple(grads)

    def rows(self, index: Tensor | Sequence[int] | slice) -> Tensor:
        rows = _times(self._right, self._base.rows(index))
        return rows if self._left is None else self._left[..., index, None] * rows


class _Transposed(CouplingOperator):
    def __init__(self, base: CouplingOperator) -> None:
        self._base = base

    @property
    def shape(self) -> torch.Size:
        *batch, n, p = self._base.shape
        return torch.Size((*batch, p, n))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return self._base.tensors

    def matvec(self, x: Tensor) -> Tensor:
        return self._base.rmatvec(x)

    @property
    def dtype(self) -> torch.dtype:
        return self._base.dtype

    def rmatvec(self, x: Tensor) -> Tensor:
        return self._base.matvec(x)

    def transpose(self) -> CouplingOperator:
        return self._base

    def bilinear_derivative(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        return self._base.bilinear_derivative(right, left)


class _Sum(CouplingOperator):
    def __init__(self, first: CouplingOperator, second: CouplingOperator) -> None:
        if first.shape != second.shape:
            raise ValueError(
                f"Couplings of shapes {tuple(first.shape)} and {tuple(second.shape)} "
                "cannot be added."
            )
        self._first, self._second = first, second

    @property
    def shape(self) -> torch.Size:
        return self._first.shape

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (*self._first.tensors, *self._second.tensors)

    @property
    def dtype(self) -> torch.dtype:
        return self._first.dtype

    @property
    def n_global(self) -> int:
        return self._first.n_global

    def all_reduce(self, part: Tensor) -> Tensor:
        return self._first.all_reduce(part)

    def matvec(self, x: Tensor) -> Tensor:
        return self._first.matvec(x) + self._second.matvec(x)

    def rmatvec(self, x: Tensor) -> Tensor:
        return self._first.rmatvec(x) + self._second.rmatvec(x)

    def bilinear_derivative(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        return (
            *self._first.bilinear_derivative(left, right),
            *self._second.bilinear_derivative(left, right),
        )


def _times(factor: Tensor | None, x: Tensor) -> Tensor:
    return x if factor is None else factor.unsqueeze(-2) * x
