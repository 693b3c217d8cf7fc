"""Network of training rows that drives any other rows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from skkuranet._utils.tools import as_tensor, to_tensor
from skkuranet.coupling import CouplingOperator, Normalization, driven_by
from skkuranet.estimators._arrays import Table, as_table

Answer = Callable[[CouplingOperator, Table], Tensor]

# Pairs of a new row and a reference oscillator that are coupled at once.
_PAIRS_PER_BATCH = 1 << 22
# Rows that the coupling network is asked about at once: what a core's cache holds of their hidden
# activations, and what fills a card.
_ROWS, _ROWS_OF_A_CARD = 1 << 11, 1 << 18
# What may be made anew and still be the same.
_PLAIN = (int, float, str, torch.device)


class ReferenceNetwork:
    """Couplings of any rows to the oscillators of a reference network, in double precision.

    What the network alone decides is computed once, by a copy of the coupling network. An answer to
    a row depends on that row alone. Nothing changes later, so that threads can share it.
    """

    def __init__(
        self,
        network: nn.Module,
        normalization: Normalization,
        features: Table,
        memory_budget: int,
        device: torch.device,
    ) -> None:
        made_from = network, normalization, features, memory_budget, device
        self._made_from = [_kept(fact) for fact in _facts(*made_from)]
        self._network = copy.deepcopy(network).to(device=device, dtype=torch.float64).eval()
        self._device, features = device, as_table(features)
        # A pair takes a few double-precision numbers where couplings are stored.
        pairs = min(_PAIRS_PER_BATCH, memory_budget // 64)
        self._rows_per_batch = max(1, pairs // max(1, len(features)))
        self._couplings = None
        if not len(features):
            return
        with torch.no_grad():
            reference = to_tensor(features, self._network, device)
            self._couplings = driven_by(
                self._network, reference, normalization, memory_budget=memory_budget
            )

    def is_made_from(self, *made_from: object) -> bool:
        """Return whether it would be the same if it were made now, from the arguments of its class.

        Weights and features that have changed in place are noticed, and so are other hooks,
        submodules and attributes.
        """
        facts = list(_facts(*made_from))
        return len(facts) == len(self._made_from) and all(map(_alike, facts, self._made_from))

    def answers(self, X: Table, answer: Answer) -> np.ndarray:
        """Return answers (m, ...) about the couplings of rows, a bounded number of rows at once.

        ``answer(coupling, rows)`` returns a tensor with an entry for each row, from the couplings
        of these rows to the reference network, (rows, n). Raise ValueError if there is none, or a
        row is so far from it that nothing can be said.
        """
        if self._couplings is None:
            raise ValueError(
                "This needs training rows, and the estimator was saved with training_rows=False. "
                "Save it with them, or ask what needs none, such as simulate."
            )
        found = []
        with torch.no_grad():
            for first in range(0, len(X), self._rows_per_batch):
                rows = X[first : first + self._rows_per_batch]
                coupling = self._couplings(to_tensor(rows, self._network, self._device))
                found.append(answer(coupling, rows).cpu().numpy())
        answers = np.concatenate(found)
        lost = np.isnan(answers.reshape(len(answers), -1)).any(axis=1)
        if lost.any():
            raise ValueError(
                f"X: row {int(lost.argmax())} lies so far from the rows of fit that its couplings "
                "overflow. Is there a mark of missing values? Impute it, or leave the row out."
            )
        return answers

    def says(self, X: Table, answer: Callable[[nn.Module, Tensor], Tensor]) -> np.ndarray:
        """Return what the coupling network says of rows, (m, ...), a bounded number at once.

        ``answer(network, rows)`` returns a tensor with an entry for each row.
        """
        n_at_once = _ROWS if self._device.type == "cpu" else _ROWS_OF_A_CARD
        parts = []
        with torch.no_grad():
            for first in range(0, len(X), n_at_once):
                rows = to_tensor(X[first : first + n_at_once], self._network, self._device)
                parts.append(answer(self._network, rows))
        return torch.cat(parts).cpu().numpy()

    def drive(self, X: Table, sources: np.ndarray | Tensor) -> np.ndarray:
        r"""Return what the network exerts on rows, :math:`\sum_j K(x, x_j)\, s_{kj}`, as (m, k).

        ``sources`` (k, n) is what the oscillators of the network send: cosine and sine of their
        phases, or which of them are in each cluster.
        """
        weights = as_tensor(sources, torch.float64, self._device)
        return self.answers(X, lambda coupling, _: coupling.matvec(weights).mT)


def _facts(*things: object) -> Iterator[object]:
    """Yield all that decides what things do: tensors, hooks and other attributes."""
    for thing in things:
        for part in thing.modules() if isinstance(thing, nn.Module) else (thing,):
            yield part
            for value in getattr(part, "__dict__", {}).values():
                # A module keeps its weights, parts and hooks in dictionaries.
                yield from value.values() if isinstance(value, dict) else (value,)


def _kept(fact: object) -> object:
    if isinstance(fact, Tensor):
        return fact.detach().clone()
    return fact.copy() if isinstance(fact, np.ndarray) else fact


def _alike(fact: object, kept: object) -> bool:
    if fact is kept:
        return True
    if isinstance(fact, Tensor) and isinstance(kept, Tensor):
        same_kind = (fact.dtype, fact.device) == (kept.dtype, kept.device)
        return same_kind and fact.layout is torch.strided and torch.equal(fact, kept)
    if isinstance(fact, np.ndarray) and isinstance(kept, np.ndarray):
        return fact.dtype == kept.dtype and np.array_equal(fact, kept)
    return isinstance(fact, _PLAIN) and fact == kept
