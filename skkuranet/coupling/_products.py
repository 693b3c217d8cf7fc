"""Products with couplings, and what is done to tensors on the way to them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from threadpoolctl import threadpool_info
from torch import Tensor
from torch.jit._trace import is_tracing
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

if TYPE_CHECKING:
    from skkuranet.coupling._base import CouplingOperator

# Up to so many multiplications, of one matrix and of a stack, OpenBLAS reads matrices where they
# lie, on processors with AVX-512; torch copies them first, which takes as long as the product. Of
# transposed ones it does so only for so many results.
_SMALL, _SMALL_STACK, _FEW_RESULTS = 10**6, 2 * 10**5, 1200
# From so many rows on cards multiply by a matrix of few columns one vector after another.
_TALL = 1 << 18
_WITH_SMALL_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}


def product(coupling: CouplingOperator, x: Tensor) -> Tensor:
    """Return ``coupling.matvec(x)``, differentiable in ``x`` and the operator's tensors.

    Parameters
    ----------
    coupling : CouplingOperator of shape (..., n, p)
        The couplings K.
    x : Tensor of shape (..., m, p)
        Vectors, as rows.

    Returns
    -------
    Tensor of shape (..., m, n)
        Products, as rows.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling, product
    >>> matrix = torch.eye(2, requires_grad=True)
    >>> product(DenseCoupling(matrix), torch.tensor([[1.0, 2.0]])).sum().backward()
    >>> matrix.grad
    tensor([[1., 2.],
            [1., 2.]])
    """
    return _Product.apply(coupling, x, *coupling.tensors)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, coupling: CouplingOperator, x: Tensor, *tensors: Tensor) -> Tensor:
        ctx.coupling = coupling
        ctx.save_for_backward(x, *tensors)
        return coupling.matvec(x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        x, *_ = ctx.saved_tensors
        grad_x = ctx.coupling.rmatvec(grad) if ctx.needs_input_grad[1] else None
        if not any(ctx.needs_input_grad[2:]):
            return (None, grad_x, *(None for _ in ctx.needs_input_grad[2:]))
        return (None, grad_x, *ctx.coupling.bilinear_derivative(grad, x))


def matmul(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Return a @ b, with less overhead for batches of small networks than the operator has."""
    if a.ndim == b.ndim == 3 and len(a) == len(b):
        return torch.bmm(a, b, out=out)
    return torch.matmul(a, b, out=out)


def slots(memory: Tensor, *, by_numpy: bool = False) -> list[Any]:
    """Return views of all that the first axis counts; if it is expanded, the same one as often."""
    # Made once: in small networks a view takes as long as a product.
    memory = memory.detach()
    if len(memory) > 1 and memory.stride(0) == 0:
        return slots(memory[:1], by_numpy=by_numpy) * len(memory)
    return list(memory.numpy() if by_numpy else memory.unbind(0))


def prepared(a: Tensor, b: Tensor, out: Tensor) -> Callable[[int], object]:
    """Return a function of a slot of ``a`` that writes its product with ``b`` to ``out``.

    All of them must stay where they are, and nothing is differentiated.
    """
    b, out = b.detach().resolve_neg(), out.detach()
    by_numpy = _suits_numpy(b, out)
    multiply, each = _multiplication(a[0], b, out, by_numpy=by_numpy), slots(a, by_numpy=by_numpy)
    matrix, result = (b.numpy(), out.numpy()) if by_numpy else (b, out)
    return lambda slot: multiply(each[slot], matrix, out=result)


def prepared_pair(
    a: Tensor,
    first: Tensor,
    notes: Tensor,
    second: Tensor,
    out: Tensor,
    all_reduce: Callable[[Tensor], Tensor] | None = None,
) -> Callable[[int], None]:
    """Return a function of a slot of ``a`` that writes its product with two others to ``out``.

    It leaves the product with the first in the slot of ``notes``, which ``all_reduce``, if given,
    sums over processes.
    """
    first, second, out = first.detach().resolve_neg(), second.detach().resolve_neg(), out.detach()
    gathers, spreads = _suits_numpy(first, notes[0]), _suits_numpy(second, out)
    gather = _multiplication(a[0], first, notes[0], by_numpy=gathers)
    spread = _multiplication(notes[0], second, out, by_numpy=spreads)
    sources, gathered = slots(a, by_numpy=gathers), slots(notes, by_numpy=gathers)
    middles = gathered if gathers == spreads else slots(notes, by_numpy=spreads)
    gathering = first.numpy() if gathers else first
    spreading, result = (second.numpy(), out.numpy()) if spreads else (second, out)
    if all_reduce is None:

        def pair(slot: int) -> None:
            gather(sources[slot], gathering, out=gathered[slot])
            spread(middles[slot], spreading, out=result)

        return pair
    sums = slots(notes)

    def reduced_pair(slot: int) -> None:
        gather(sources[slot], gathering, out=gathered[slot])
        sums[slot].copy_(all_reduce(sums[slot]))
        spread(middles[slot], spreading, out=result)

    return reduced_pair


def _multiplication(a: Tensor, b: Tensor, out: Tensor, *, by_numpy: bool) -> Callable[..., object]:
    if by_numpy:
        # Of two matrices, dot is the same with less overhead.
        return np.dot if out.ndim == 2 and out.is_contiguous() else np.matmul
    if a.ndim == b.ndim == 2:
        lies = b.is_cuda and len(b) >= _TALL and b.stride(0) == 1
        return _one_by_one if lies else torch.mm
    return torch.bmm if a.ndim == b.ndim == 3 and len(a) == len(b) else torch.matmul


def _one_by_one(a: Tensor, b: Tensor, *, out: Tensor) -> None:
    """Write a @ b, row by row, which cards do four times as fast for a tall b of few columns."""
    for row, result in zip(a, out, strict=True):
        torch.mv(b.mT, row, out=result)


def few_rows(b: Tensor, out: Tensor) -> int:
    """Return of how many rows at once products with ``b`` are fastest."""
    n_rows, few = out.shape[-2], _SMALL // max(1, b.numel())
    splits = b.ndim == 2 and is_plain(b) and has_small_kernels(b.dtype)
    # A single one would not be faster than all of them at once.
    return few if splits and 1 < few < n_rows else n_rows


def _suits_numpy(b: Tensor, out: Tensor) -> bool:
    return _is_small(b, out) and has_small_kernels(b.dtype)


def _is_small(b: Tensor, out: Tensor) -> bool:
    if not (is_plain(b) and b.dtype == out.dtype and b.ndim == out.ndim):
        return False
    if b.stride(-2) == 1 and out.shape[-2:].numel() > _FEW_RESULTS:
        return False
    return out.numel() * b.shape[-2] <= (_SMALL if b.ndim == 2 else _SMALL_STACK)


def transposed(tensor: Tensor) -> Tensor:
    """Return a transposed copy; that of a few columns NumPy makes faster."""
    exact = tensor.dtype in (torch.float32, torch.float64)
    if not (exact and tensor.numel() <= _SMALL and is_plain(tensor)):
        return tensor.mT.contiguous()
    copied = torch.empty_like(tensor.mT, memory_format=torch.contiguous_format)
    np.copyto(copied.numpy(), tensor.detach().resolve_neg().numpy().swapaxes(-1, -2))
    return copied


def is_plain(tensor: Tensor) -> bool:
    """Whether NumPy may work on a tensor of the CPU unnoticed, as nobody follows operations."""
    followed = is_tracing() or is_in_torch_dispatch_mode()
    return tensor.is_cpu and type(tensor) in (Tensor, torch.nn.Parameter) and not followed


def has_small_kernels(dtype: torch.dtype) -> bool:
    """Whether NumPy multiplies small matrices of a type faster than torch does."""
    return dtype == torch.float32 and _numpy_has_small_kernels()


@functools.cache
def _numpy_has_small_kernels() -> bool:
    libraries = (info for info in threadpool_info() if "scipy.libs" not in info["filepath"])
    return any(info.get("architecture") in _WITH_SMALL_KERNELS for info in libraries)


def exp_below(logits: Tensor) -> Tensor:
    """Exponential that cannot overflow float32, as a self-coupling left out later might.

    It overwrites ``logits`` unless their gradient is wanted.
    """
    bounded = logits.clamp_max(80.0) if logits.requires_grad else logits.clamp_max_(80.0)
    return bounded.exp_()
