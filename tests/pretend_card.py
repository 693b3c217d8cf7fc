"""A card that is not there: tensors that are kept apart from those of the processor.

What is done to them is done on the processor. As on a card, operations refuse to mix them with
tensors of the processor, and NumPy cannot have them without a copy.
"""

import sys

import torch
from torch import Tensor
from torch.optim import optimizer
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

from skkuranet.dynamics import _cuda_graphs

# The one type of device that has autograd and tensors without memory in every build of torch.
CARD, PROCESSOR = torch.device("meta"), torch.device("cpu")

aten = torch.ops.aten
# These take tensors of either; of the last, indices may be the processor's.
_MIXED = {aten._to_copy.default, aten.copy_.default}
_INDEXED = {aten.index.Tensor, aten.index_put_.default, aten._index_put_impl_.default}
_JOINED = {aten.cat.default, aten.stack.default}


class OnCard(Tensor):
    """A tensor of the card."""

    is_cuda = True
    layout = property(lambda self: self.held.layout)

    @staticmethod
    def __new__(cls, held):
        like = {"dtype": held.dtype, "device": CARD}
        if held.layout is torch.strided:
            like |= {"strides": held.stride(), "storage_offset": held.storage_offset()}
        return Tensor._make_wrapper_subclass(cls, held.shape, **like)

    def __init__(self, held):
        self.held = held

    def __repr__(self):
        return f"OnCard({self.held})"

    def tolist(self):
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return _run(operation, args, kwargs or {})


def _of_held(name):
    def method(self):
        found = getattr(self.held, name)()
        return OnCard(found) if isinstance(found, Tensor) else found

    return method


# Of sparse tensors, which torch would take for others.
for _name in ("coalesce", "indices", "sparse_dim", "to_sparse", "to_sparse_coo", "values"):
    setattr(OnCard, _name, _of_held(_name))


class PretendCard(TorchDispatchMode):
    """Makes and takes tensors of the card while it lasts."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return _run(operation, args, kwargs or {})


def _run(operation, args, kwargs):
    tensors = list(_tensors((*args, *kwargs.values())))
    device = kwargs.get("device")
    to_card = device is not None and torch.device(device) == CARD
    if not to_card and not any(isinstance(x, OnCard) for x in tensors):
        return operation(*args, **kwargs)
    if operation not in _MIXED and not to_card:
        checked = _tensors(args[:1]) if operation in _INDEXED else tensors
        # Single numbers may be anywhere but beside others in one tensor.
        if any(x.ndim or operation in _JOINED for x in checked if type(x) is not OnCard):
            raise RuntimeError(f"{operation} of tensors of the card and of the processor.")
    args_held = _each(_held, args)
    kwargs_held = {name: _each(_held, value) for name, value in kwargs.items()}
    if device is not None:
        kwargs_held["device"] = PROCESSOR
    result = operation(*args_held, **kwargs_held)
    if operation is aten.copy_.default:
        return args[0]
    if device is not None and not to_card:
        return result
    result = _each(lambda x: OnCard(x) if isinstance(x, Tensor) else x, result)
    return return_and_correct_aliasing(operation, args, kwargs, result)


def _tensors(values):
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _each(change, value):
    """Change a value, or all those that lists and tuples hold."""
    if isinstance(value, (list, tuple)):
        return type(value)(_each(change, one) for one in value)
    return change(value)


def _held(value):
    return value.held if isinstance(value, OnCard) else value


def install(monkeypatch):
    """Have the library and torch take the card for one that they know."""
    # It has no streams to record.
    monkeypatch.setattr(_cuda_graphs, "records_on", lambda phases: False)
    supported, autocast = optimizer._get_fused_kernels_supported_devices, torch.is_autocast_enabled
    monkeypatch.setattr(
        optimizer, "_get_fused_kernels_supported_devices", lambda: [*supported(), CARD.type]
    )
    monkeypatch.setattr(
        torch, "is_autocast_enabled", lambda kind="cpu": kind != CARD.type and autocast(kind)
    )
    # Torch would make these on the card without what is in them.
    for name in ("tensor", "as_tensor"):
        monkeypatch.setattr(torch, name, _made_here(getattr(torch, name)))
    for name, module in list(sys.modules.items()):
        resolve = getattr(module, "resolve_device", None)
        if name.startswith("skkuranet") and resolve is not None:
            monkeypatch.setattr(module, "resolve_device", _resolve(resolve))


def _resolve(resolve):
    return lambda device: CARD if str(device) == CARD.type else resolve(device)


def _made_here(make):
    def made(data, *, device=None, **kwargs):
        if device is None or torch.device(device) != CARD:
            return make(data, device=device, **kwargs)
        return make(data, **kwargs).to(CARD)

    return made
