"""Products with couplings, prepared for one solve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from skkuranet.coupling._base import CouplingOperator

Notes = Tensor | None


class Plan:
    """Products with any couplings, written to memory that is handed over once.

    A faster plan for a type of couplings is an entry in :data:`PLANS`.

    Parameters
    ----------
    coupling : CouplingOperator of shape (..., n_targets, n_sources)
        Its tensors must not be changed while the plan is used.

    Attributes
    ----------
    n_notes : int
        Numbers that each vector is summed up in on its way through a product; 0 for none. Where
        there are some, solvers keep them, one row in each slot, have products made again from them
        (:meth:`again`), and gather derivatives a few steps at a time (:meth:`accumulate`).
    is_replayable : bool
        Whether products only launch kernels, on memory that stays where it is, so that a CUDA card
        may record a few steps and replay them.
    """

    n_notes = 0
    is_replayable = False

    def __init__(self, coupling: CouplingOperator) -> None:
        self.coupling = coupling

    def matvec(self, out: Tensor, notes: Notes = None) -> Callable[..., object]:
        """Return a function that writes K x to memory.

        Parameters
        ----------
        out : Tensor of shape (..., m, n_targets)
            Where products go, as rows.
        notes : Tensor of shape (n_slots, ..., m, n_notes), optional
            Where notes go.

        Returns
        -------
        callable
            Of a tensor x of shape (..., m, n_sources) and a slot, 0 by default. It has no
            gradients. It may keep views of x, of which there should be few.
        """
        return lambda x, slot=0: self._write(self.coupling.matvec(x), out)

    def rmatvec(self, out: Tensor, notes: Notes = None) -> Callable[..., object]:
        """Return a function that writes Kᵀ x to memory, called like that of :meth:`matvec`.

        Parameters
        ----------
        out : Tensor of shape (..., m, n_sources)
            Where products go, as rows.
        notes : Tensor of shape (n_slots, ..., m, n_notes), optional
            Where notes go.

        Returns
        -------
        callable
        """
        return lambda x, slot=0: self._write(self.coupling.rmatvec(x), out)

    def again(self, x: Tensor, notes: Notes, out: Tensor) -> Callable[[], object]:
        """Return a function that writes K x once more.

        Parameters
        ----------
        x : Tensor of shape (..., m, n_sources)
            Memory of vectors, as rows.
        notes : Tensor of shape (..., m, n_notes) or None
            Memory of the notes of these vectors.
        out : Tensor of shape (..., m, n_targets)
            Where products go.

        Returns
        -------
        callable
            To be called whenever there are other vectors in this memory.
        """
        product = self.matvec(out)
        return lambda: product(x)

    def accumulate(
        self,
        total: Sequence[Tensor | None] | None,
        left: tuple[Tensor, Notes],
        right: tuple[Tensor, Notes],
    ) -> Sequence[Tensor | None]:
        """Add the derivatives of ``(left * (K right)).sum()`` with respect to the tensors of K.

        Parameters
        ----------
        total : sequence of Tensor or None, or None
            The sums so far, which may be overwritten; None at the beginning.
        left : tuple of Tensor of shape (..., m, n_targets) and (..., m, n_notes)
            Vectors as rows, and what a product with Kᵀ has noted of them.
        right : tuple of Tensor of shape (..., m, n_sources) and (..., m, n_notes)
            Vectors as rows, and what a product with K has noted of them.

        Returns
        -------
        sequence of Tensor or None
            The sums.
        """
        found = self.coupling.bilinear_derivative(left[0], right[0])
        if total is None:
            return found
        pairs = zip(total, found, strict=True)
        return tuple(b if a is None or b is None else a.add_(b) for a, b in pairs)

    def _write(self, result: Tensor, out: Tensor) -> None:
        if result.requires_grad:
            raise RuntimeError(
                f"Products of {type(self.coupling).__name__} need gradients with respect to "
                "tensors that are not among its 'tensors'."
            )
        out.copy_(result)


#: Faster plans. By exact type: a subclass that multiplies in another way gets the plain plan.
PLANS: dict[type, type[Plan]] = {}


def plan_for(coupling: Any) -> Plan:
    """Return the plan for products with couplings.

    Parameters
    ----------
    coupling : CouplingOperator
        Any.

    Returns
    -------
    Plan
    """
    return PLANS.get(type(coupling), Plan)(coupling)
