"""What solvers ask of couplings: products, pullbacks and, where there are any, faster forms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor

_FASTER_FORMS = {
    "matvec": ("bound_matvec", "n_moments", "for_many_products", "is_replayable"),
    "rmatvec": ("bound_rmatvec", "n_moments", "for_many_products", "is_replayable"),
    "vjp": ("n_moments", "is_replayable"),
}


class Products(ABC):
    """Products with couplings K and with their transpose, and the way back from them."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Keep faster forms of a product from being inherited where the product is another."""
        super().__init_subclass__(**options)
        for product_of, faster in _FASTER_FORMS.items():
            for name in faster:
                if product_of in vars(cls) and name not in vars(cls):
                    setattr(cls, name, vars(Products)[name])

    @property
    @abstractmethod
    def shape(self) -> torch.Size:
        """Shape (..., n_targets, n_sources); leading axes are a batch of networks."""

    @property
    @abstractmethod
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors that K is made of and that gradients are returned for."""

    @abstractmethod
    def matvec(self, x: Tensor) -> Tensor:
        """Return K v for each of the m vectors in the rows of ``x``.

        For the two rows cos θ and sin θ this is several times as fast as columns are. Solvers
        hand over the same tensor ``x`` at every step, so that it must not be kept.

        Parameters
        ----------
        x : Tensor of shape (..., m, n_sources)
            Vectors v, as rows.

        Returns
        -------
        Tensor of shape (..., m, n_targets)
            Products, as rows.
        """

    @abstractmethod
    def rmatvec(self, x: Tensor) -> Tensor:
        """Return Kᵀ v for each of the m vectors in the rows of ``x``.

        Parameters
        ----------
        x : Tensor of shape (..., m, n_targets)
            Vectors v, as rows.

        Returns
        -------
        Tensor of shape (..., m, n_sources)
            Products, as rows.
        """

    def bound_matvec(self, out: Tensor, moments: Tensor | None = None) -> Callable[..., object]:
        """Return a function of x that writes K x, the same as :meth:`matvec` has, to memory.

        Solvers ask for it once and call it at every step with the same few tensors x and, whether
        there are moments or not, the number of the place that these go to. It has no gradients.

        Parameters
        ----------
        out : Tensor of shape (..., m, n_targets)
            Where products are written to, as rows.
        moments : Tensor of shape (n_places, ..., m, n_moments), optional
            Where the moments of the sources are written to; see :attr:`n_moments`.

        Returns
        -------
        callable
            Of a tensor of shape (..., m, n_sources) and, 0 unless it is given, a place.
        """
        return lambda x, place=0: self._write(self.matvec(x), out)

    def bound_rmatvec(self, out: Tensor, moments: Tensor | None = None) -> Callable[..., object]:
        """Return a function of x that writes Kᵀ x, the same as :meth:`rmatvec` has, to memory.

        Called like that of :meth:`bound_matvec`.

        Parameters
        ----------
        out : Tensor of shape (..., m, n_sources)
            Where products are written to, as rows.
        moments : Tensor of shape (n_places, ..., m, n_moments), optional
            Where the moments of the targets are written to.

        Returns
        -------
        callable
            Of a tensor of shape (..., m, n_targets) and, 0 unless it is given, a place.
        """
        return lambda x, place=0: self._write(self.rmatvec(x), out)

    def _write(self, result: Tensor, out: Tensor) -> None:
        if result.requires_grad:
            raise RuntimeError(
                f"Products of {type(self).__name__} need gradients by tensors that are not among "
                "its 'tensors'."
            )
        out.copy_(result)

    @abstractmethod
    def vjp(self, left: Tensor, right: Tensor) -> tuple[Tensor | None, ...]:
        r"""Pull the cotangent ``left.mT @ right`` of K back to :attr:`tensors`.

        Parameters
        ----------
        left : Tensor of shape (..., m, n_targets)
            Left factor of the cotangent.
        right : Tensor of shape (..., m, n_sources)
            Right factor of the cotangent.

        Returns
        -------
        tuple of Tensor or None
            One gradient for each of :attr:`tensors`.
        """

    @property
    def is_replayable(self) -> bool:
        """Whether bound products only launch kernels, on memory that stays where it is.

        A CUDA card may then record a few steps and replay them; pulling back a few steps must cost
        little beside these. False here.
        """
        return False

    @property
    def n_moments(self) -> int:
        """Numbers that every vector of a product is summed up in before it acts; 0 for none.

        Where there are some, solvers note them on the way, recall products from them
        (:meth:`bound_recall`), and pull gradients back a few steps at a time (:meth:`add_vjp`).
        """
        return 0

    def bound_recall(self, moments: Tensor, x: Tensor, out: Tensor) -> Callable[[], object]:
        """Return a function that writes K x to memory, from the moments of x.

        Solvers ask for it once and call it as often as there is other content in this memory.

        Parameters
        ----------
        moments : Tensor of shape (..., m, n_moments)
            What :meth:`bound_matvec` has noted of these vectors.
        x : Tensor of shape (..., m, n_sources)
            Vectors, as rows.
        out : Tensor of shape (..., m, n_targets)
            Where products are written to, as rows.

        Returns
        -------
        callable
        """
        raise TypeError(f"{type(self).__name__} has no moments.")

    def add_vjp(
        self,
        grads: Sequence[Tensor | None] | None,
        targets: tuple[Tensor, Tensor],
        sources: tuple[Tensor, Tensor],
    ) -> tuple[Tensor | None, ...]:
        r"""Add gradients of sums of :math:`\lambda_i K_{ij} \sin(\theta_j - \theta_i)` over stages.

        Parameters
        ----------
        grads : sequence of Tensor or None
            The sums so far, which may be overwritten; None at the beginning.
        targets : tuple of Tensor of shape (..., m, n_targets) and (..., m, n_moments)
            Rows that act on the left, and the moments of what acts on their right.
        sources : tuple of Tensor of shape (..., m, n_sources) and (..., m, n_moments)
            Rows that act on the right, and the moments of what acts on their left.

        Returns
        -------
        tuple of Tensor or None
            The sums.
        """
        raise TypeError(f"{type(self).__name__} has no moments.")

    def for_many_products(self) -> Self:
        """Return the same couplings, of the same tensors, laid out for many products.

        Solvers ask for them once before they begin. Here the operator itself.

        Returns
        -------
        Self
            Of the same :attr:`tensors`, which must not be changed while it is used.
        """
        return self
