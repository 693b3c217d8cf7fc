"""What is done to phases one by one, in memory that is reused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from skkuranet.coupling._products import is_plain

# Of so few phases torch would not have more than two threads do the work.
_FEW = 1 << 16


def parts(pairs: Any) -> tuple[Any, Any]:
    """Return the two rows of phasors or drives (..., 2, n) as views (..., n)."""
    return pairs[..., 0, :], pairs[..., 1, :]


class Pairs(NamedTuple):
    """Phasors or drives, (..., 2, n), and views of their two rows, (..., n)."""

    both: Any
    first: Any
    second: Any


class TorchOps:
    """Elementwise arithmetic on tensors; all but the views is written to an ``out``."""

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

    def all_pairs(self, tensor: Tensor) -> list[Pairs]:
        """Pairs of each stage of (..., n_stages, 2, n)."""
        rows = (self.views(row, -2) for row in parts(tensor))
        return list(map(Pairs, self.views(tensor, -3), *rows))

    def number(self, value: float, like: Tensor) -> Any:
        """What the other methods take in place of a number, for tensors of the type of this."""
        return value

    def cos(self, a: Any, out: Any) -> None:
        """Write cos a."""
        torch.cos(a, out=out)

    def sin(self, a: Any, out: Any) -> None:
        """Write sin a."""
        torch.sin(a, out=out)

    def copy(self, out: Any, a: Any) -> None:
        """Write a."""
        out.copy_(a)

    def add(self, a: Any, b: Any, out: Any) -> None:
        """Write a + b."""
        torch.add(a, b, out=out)

    def subtract(self, a: Any, b: Any, out: Any) -> None:
        """Write a - b."""
        torch.sub(a, b, out=out)

    def multiply(self, a: Any, b: Any, out: Any) -> None:
        """Write a b."""
        torch.mul(a, b, out=out)

    def phasors(self, phases: Any, out: Pairs) -> None:
        """Write cosines and sines."""
        self.cos(phases, out.first)
        self.sin(phases, out.second)

    def all_phasors(self, points: list[Any], out: Pairs, spare: Any) -> None:
        """Write cosines and sines of several phases, (..., n_points, n)."""
        torch.stack(points, -2, out=spare)
        self.phasors(spare, out)

    def add_scaled(self, a: Any, factor: Any, b: Any, out: Any, spare: Any) -> None:
        """Write a + factor b."""
        torch.add(a, b, alpha=factor, out=out)

    def dot(self, a: Pairs, b: Pairs, out: Any) -> None:
        """Write the sum of products; ``b`` may be overwritten, and its first may be ``out``."""
        torch.mul(a.first, b.first, out=out).addcmul_(a.second, b.second)

    def subtract_product(self, a: Any, b: Any, c: Any, out: Any, spare: Any) -> None:
        """Write a - b c; ``spare`` may be c."""
        torch.addcmul(a, b, c, value=-1, out=out)


class NumpyOps(TorchOps):
    """The same by NumPy, which is several times as fast for a few phases of single precision."""

    # Without a call in between, which would take half as long as one of these for a small network.
    cos: Any = staticmethod(np.cos)
    sin: Any = staticmethod(np.sin)
    copy: Any = staticmethod(np.copyto)
    add: Any = staticmethod(np.add)
    subtract: Any = staticmethod(np.subtract)
    multiply: Any = staticmethod(np.multiply)

    def view(self, tensor: Tensor) -> Any:
        """An array in the memory of the tensor."""
        return tensor.detach().resolve_neg().numpy()

    def views(self, tensor: Tensor, axis: int) -> list[Any]:
        return list(self.view(tensor.movedim(axis, 0)))

    def number(self, value: float, like: Tensor) -> Any:
        """An array: of which type the result is would otherwise be asked at every step."""
        return np.array(value, self.view(like).dtype)

    def all_phasors(self, points: list[Any], out: Pairs, spare: Any) -> None:
        cosines, sines = (np.moveaxis(row, -2, 0) for row in out[1:])
        for point, cosine, sine in zip(points, cosines, sines, strict=True):
            np.cos(point, cosine)
            np.sin(point, sine)

    def add_scaled(self, a: Any, factor: Any, b: Any, out: Any, spare: Any) -> None:
        np.multiply(b, factor, spare)
        np.add(a, spare, out)

    def dot(self, a: Pairs, b: Pairs, out: Any) -> None:
        """Write the sum of products; ``b`` is overwritten, and its first may be ``out``."""
        np.multiply(a.both, b.both, b.both)
        np.add(b.first, b.second, out)

    def subtract_product(self, a: Any, b: Any, c: Any, out: Any, spare: Any) -> None:
        np.multiply(b, c, spare)
        np.subtract(a, spare, out)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep NumPy from warning of overflow, which is told of where results are looked at."""
    with np.errstate(all="ignore"):
        yield


def ops_for(phases: Tensor) -> TorchOps:
    """Return the arithmetic that suits the phases of all oscillators that move at once."""
    few = phases.numel() <= _FEW or torch.get_num_threads() <= 2
    if is_plain(phases) and phases.dtype == torch.float32 and few:
        return NumpyOps()
    return TorchOps()
