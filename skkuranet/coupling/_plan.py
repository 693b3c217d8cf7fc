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

    A faster plan for a type of couplings is an entry in :data:`PLANS`. The tensors of the couplings
    must not change while the plan is used. Vectors are rows, (..., m, n_sources) or
    (..., m, n_targets); where there is one for each slot, slots are the first axis.

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
        """Return a function of a slot that writes K x to ``out``, without gradients.

        It writes what it notes, (n_slots, ..., m, n_notes), to ``notes``. An axis of slots of ``x``
        that is expanded has the same vectors in all.
        """
        each = slots(x)
        return lambda slot: self._write(self.coupling.matvec(each[slot]), out)

    def rmatvec(self, x: Tensor, out: Tensor, notes: Notes = None) -> Callable[[int], object]:
        """Return a function of a slot that writes Kᵀ x to ``out``, and its notes to ``notes``."""
        each = slots(x)
        return lambda slot: self._write(self.coupling.rmatvec(each[slot]), out)

    def again(self, x: Tensor, notes: Notes, out: Tensor) -> Callable[[], object]:
        """Return a function that writes K x to ``out`` once more, from the notes of x.

        It is called whenever there are other vectors in this memory.
        """
        return functools.partial(self.matvec(x.unsqueeze(0), out), 0)

    def accumulate(
        self,
        total: Sequence[Tensor | None] | None,
        left: tuple[Tensor, Notes],
        right: tuple[Tensor, Notes],
    ) -> Sequence[Tensor | None]:
        """Add the derivatives of ``(left * (K right)).sum()`` with respect to the tensors of K.

        Return the sums. ``total`` is those so far, which may be overwritten; None at the beginning.
        ``left`` and ``right`` are vectors, and what products with Kᵀ and K have noted of them.
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
    """Return the plan for products with couplings of any type."""
    return PLANS.get(type(coupling), Plan)(coupling)
