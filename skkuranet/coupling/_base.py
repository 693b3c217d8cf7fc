"""The contract between "features to couplings" and "couplings to phases"."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from skkuranet.coupling._forms import Products
from skkuranet.coupling._products import product

_ROWS_AT_ONCE = 1024


class CouplingOperator(Products):
    r"""A coupling matrix :math:`K` known by its products.

    :math:`K_{ij}` is the strength with which oscillator *j* (the source) acts on
    oscillator *i* (the target). The interaction of the Kuramoto model is
    :math:`\cos\theta \circ (K \sin\theta) - \sin\theta \circ (K \cos\theta)`, so the
    dynamics need nothing but products with :math:`K` and :math:`K^T`, and training
    needs nothing but the pullback of a low-rank cotangent (:meth:`vjp`).

    Subclass it to hand couplings of your own to :func:`skkuranet.dynamics.integrate`:
    :attr:`shape`, :attr:`tensors`, :meth:`matvec`, :meth:`rmatvec` and :meth:`vjp` are
    enough for the dynamics and their gradients. The normalisations call :meth:`degree`,
    which you may know a faster way to, and :meth:`without_self_coupling`.
    """

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the couplings."""
        return self.tensors[0].dtype

    @property
    def device(self) -> torch.device:
        """Device the couplings live on."""
        return self.tensors[0].device

    @property
    def population(self) -> int:
        """Number of sources of a network; more than ``shape`` says where processes share it."""
        return self.shape[-1]

    def total(self, x: Tensor) -> Tensor:
        """Sum a number of each target over the whole network.

        Parameters
        ----------
        x : Tensor of shape (..., n_targets)
            One number for each target.

        Returns
        -------
        Tensor of shape (..., 1)
            The sums.
        """
        return x.sum(-1, keepdim=True)

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

    def vjp(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        scaled_left, scaled_right = _times(self._left, left), _times(self._right, right)
        grads = list(self._base.vjp(scaled_left, scaled_right))
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

    def vjp(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        return self._base.vjp(right, left)


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

    def matvec(self, x: Tensor) -> Tensor:
        return self._first.matvec(x) + self._second.matvec(x)

    def rmatvec(self, x: Tensor) -> Tensor:
        return self._first.rmatvec(x) + self._second.rmatvec(x)

    def vjp(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        return (*self._first.vjp(left, right), *self._second.vjp(left, right))


def _times(factor: Tensor | None, x: Tensor) -> Tensor:
    return x if factor is None else factor.unsqueeze(-2) * x
