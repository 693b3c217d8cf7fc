"""What is done to phases one by one, in memory that is reused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from skkuranet.coupling._products import is_plain

# Of so few phases torch would not have more than two threads do the work.
_FEW = 1 << 16


def parts(pairs: Any) -> tuple[Any, Any]:
    """The two rows of phasors or drives, (..., 2, n), as views of shape (..., n).

    Parameters
    ----------
    pairs : Tensor or ndarray of shape (..., 2, n)
        Cosines and sines, or real and imaginary parts.

    Returns
    -------
    tuple of Tensor or ndarray of shape (..., n)
    """
    return pairs[..., 0, :], pairs[..., 1, :]


class Pairs(NamedTuple):
    """Phasors or drives, (..., 2, n), and views of their two rows, (..., n)."""

    both: Any
    first: Any
    second: Any


class TorchArithmetic:
    """Elementwise arithmetic on tensors; all but the views is written to an ``out``."""

    # Functions of these names that both libraries have.
    _library: ClassVar[Any] = torch

    def view(self, tensor: Tensor) -> Any:
        """What the other methods take in place of a tensor, in the same memory."""
        return tensor.detach()

    def views(self, tensor: Tensor, axis: int) -> list[Any]:
        """Views of all that an axis counts."""
        return list(tensor.detach().unbind(axis))

    def pairs(self, tensor: Tensor) -> Pairs:
        """Views of (..., 2, n)."""
        both = self.view(tensor)
        return Pairs(both, *parts(both))

    def phasors(self, phases: Any, out: Pairs) -> None:
        """Write cosines and sines."""
        self._library.cos(phases, out=out.first)
        self._library.sin(phases, out=out.second)

    def all_phasors(self, points: list[Any], each: list[Pairs], all: Pairs, spare: Any) -> None:
        """Write cosines and sines of several phases, in places that are parts of ``all``."""
        torch.stack(points, -2, out=spare)
        self.phasors(spare, all)

    def copy(self, a: Any, out: Any) -> None:
        """Write a."""
        out.copy_(a)

    def add(self, a: Any, b: Any, out: Any) -> None:
        """Write a + b."""
        self._library.add(a, b, out=out)

    def subtract(self, a: Any, b: Any, out: Any) -> None:
        """Write a - b."""
        self._library.subtract(a, b, out=out)

    def multiply(self, a: Any, b: Any, out: Any) -> None:
        """Write a b."""
        self._library.multiply(a, b, out=out)

    def add_scaled(self, a: Any, factor: float, b: Any, out: Any, spare: Any) -> None:
        """Write a + factor b."""
        torch.add(a, b, alpha=factor, out=out)

    def dot(self, a: Pairs, b: Pairs, out: Any) -> None:
        """Write the sum of the products of firsts and of seconds; ``b`` may be overwritten."""
        torch.mul(a.first, b.first, out=out).addcmul_(a.second, b.second)

    def subtract_product(self, a: Any, b: Any, c: Any, out: Any, spare: Any) -> None:
        """Write a - b c."""
        torch.addcmul(a, b, c, value=-1, out=out)


class NumpyArithmetic(TorchArithmetic):
    """The same by NumPy, which is several times as fast for a few phases of single precision."""

    _library: ClassVar[Any] = np

    def view(self, tensor: Tensor) -> Any:
        """An array in the memory of the tensor."""
        return tensor.detach().resolve_neg().numpy()

    def views(self, tensor: Tensor, axis: int) -> list[Any]:
        """Views of all that an axis counts."""
        return list(self.view(tensor.movedim(axis, 0)))

    def all_phasors(self, points: list[Any], each: list[Pairs], all: Pairs, spare: Any) -> None:
        """Write cosines and sines of several phases, in places that are parts of ``all``."""
        for point, pairs in zip(points, each, strict=True):
            self.phasors(point, pairs)

    def copy(self, a: Any, out: Any) -> None:
        """Write a."""
        np.copyto(out, a)

    def add_scaled(self, a: Any, factor: float, b: Any, out: Any, spare: Any) -> None:
        """Write a + factor b."""
        np.add(a, np.multiply(b, factor, out=spare), out=out)

    def dot(self, a: Pairs, b: Pairs, out: Any) -> None:
        """Write the sum of the products of firsts and of seconds; ``b`` is overwritten."""
        np.multiply(a.both, b.both, out=b.both)
        np.add(b.first, b.second, out=out)

    def subtract_product(self, a: Any, b: Any, c: Any, out: Any, spare: Any) -> None:
        """Write a - b c."""
        np.subtract(a, np.multiply(b, c, out=spare), out=out)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep NumPy from warning of overflow, which is told of where results are looked at."""
    with np.errstate(all="ignore"):
        yield


def arithmetic_for(phases: Tensor) -> TorchArithmetic:
    """Return the arithmetic that suits phases best.

    Parameters
    ----------
    phases : Tensor of shape (..., n)
        Of all oscillators that move at once.

    Returns
    -------
    TorchArithmetic
    """
    few = phases.numel() <= _FEW or torch.get_num_threads() <= 2
    if is_plain(phases) and phases.dtype == torch.float32 and few:
        return NumpyArithmetic()
    return TorchArithmetic()
