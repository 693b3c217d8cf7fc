"""Products with couplings, prepared for one solve."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from skkuranet.coupling._products import slots

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
    keeps_products : bool
        Whether to make products again takes longer than to keep them.
    is_replayable : bool
        Whether products only launch kernels, on memory that stays where it is, so that a CUDA card
        may record a few steps and replay them.
    """

    n_notes = 0
    keeps_products = False
    is_replayable = False

    def __init__(self, coupling: CouplingOperator) -> None:
        self.coupling = coupling

    def matvec(self, x: Tensor, out: Tensor, notes: Notes = None) -> Callable[[int], object]:
        """Return a function that writes K x to memory.

        Parameters
        ----------
        x : Tensor of shape (n_slots, ..., m, n_sources)
            Memory of vectors, as rows. An axis of slots that is expanded has the same in all.
        out : Tensor of shape (..., m, n_targets)
            Where products go, as rows.
        notes : Tensor of shape (n_slots, ..., m, n_notes), optional
            Where notes go.

        Returns
        -------
        callable
            Of a slot. It has no gradients.
        """
        each = slots(x)
        return lambda slot: self._write(self.coupling.matvec(each[slot]), out)

    def rmatvec(self, x: Tensor, out: Tensor, notes: Notes = None) -> Callable[[int], object]:
        """Return a function that writes Kᵀ x to memory.

        Parameters
        ----------
        x : Tensor of shape (n_slots, ..., m, n_targets)
            Memory of vectors, as rows.
        out : Tensor of shape (..., m, n_sources)
            Where products go, as rows.
        notes : Tensor of shape (n_slots, ..., m, n_notes), optional
            Where notes go.

        Returns
        -------
        callable
            Of a slot.
        """
        each = slots(x)
        return lambda slot: self._write(self.coupling.rmatvec(each[slot]), out)

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
        return functools.partial(self.matvec(x.unsqueeze(0), out), 0)

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
