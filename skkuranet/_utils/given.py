"""Numbers as users bring them, as tensors, and tensors as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skkuranet._utils.messages import plain

#: Numbers whose squares are at the end of double precision, and so are those of its inverse.
FAR = 1e150


def as_numbers(value: Any, name: str) -> Tensor:
    """Return what a user gave as a tensor of floating-point numbers.

    Tensors stay what they are to autograd, and are not looked through. Whole numbers become double
    precision. Raise TypeError where there are no real numbers, and ValueError where some of an
    array are masked or not finite.
    """
    if isinstance(value, Tensor):
        if value.is_complex():
            raise TypeError(f"{name} must hold real numbers, got {value.dtype}.")
        return value if value.is_floating_point() else value.double()
    return check_finite(torch.tensor(real_array(value, name)), name)


def as_array(value: Any) -> NDArray[Any]:
    """Return a tensor of any device, or what NumPy takes, as an array."""
    if not isinstance(value, Tensor):
        return np.asarray(value)
    value = value.detach().cpu().resolve_conj().resolve_neg()
    # NumPy has no such type.
    return (value.float() if value.dtype is torch.bfloat16 else value).numpy()


def as_labels(value: Any, name: str) -> NDArray[Any]:
    """Return labels as an array, masked where they were.

    Raise TypeError where they cannot be compared, and ValueError where one does not equal itself.
    """
    try:
        found = np.ma.asarray(value) if np.ma.isMA(value) else as_array(value)
        known = np.ma.getdata(found)[~np.ma.getmaskarray(found)]
        comparable = found.dtype.kind != "c" and bool(np.all(known == known))
        np.unique(known)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must be numbers or words alike, as many in each row, got {plain(value)[:60]}."
        ) from error
    if not comparable:
        raise ValueError(f"{name} must be numbers or words, none of them NaN, got {plain(known)}.")
    return found


def check_squares(values: NDArray[Any], name: str) -> None:
    """Raise ValueError where squares of a table's numbers overflow, or all of them vanish."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest > FAR:
        row, column = np.unravel_index(np.abs(values).argmax(), values.shape)
        raise ValueError(
            f"{name}[{row}, {column}] = {values[row, column]:.3g} is so large that distances "
            "overflow. Is it a mark of missing values? Impute it, or leave the row out; else scale "
            "the column."
        )
    if 0.0 < largest < 1.0 / FAR:
        raise ValueError(
            f"{name} holds numbers up to {largest:.3g}, so small that distances vanish. Scale it."
        )


def check_tensor(value: Any, name: str, *, n_axes: int | None = None, whole: bool = False) -> None:
    """Raise TypeError or ValueError unless a value is a tensor of real, or ``whole``, numbers.

    It needs ``n_axes``, or one at least, and an entry along the last.
    """
    wanted = "whole numbers" if whole else "floating-point numbers"
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor of {wanted}, got {type(value).__name__}.")
    fits = not (value.is_floating_point() or value.is_complex() or value.dtype is torch.bool)
    if not (fits if whole else value.is_floating_point()):
        raise TypeError(f"{name} must be a tensor of {wanted}, got {value.dtype}.")
    if value.ndim < 1 or (n_axes is not None and value.ndim != n_axes) or not value.shape[-1]:
        axes = "one axis at least" if n_axes is None else f"{n_axes} axes"
        raise ValueError(
            f"{name} must have {axes}, and an entry along the last, got shape {tuple(value.shape)}."
        )


def check_finite(tensor: Tensor, name: str) -> Tensor:
    """Return a tensor, if all its values are finite."""
    finite = torch.isfinite(tensor)
    if not bool(finite.all()):
        n_bad = int((~finite).sum())
        raise ValueError(f"{name} must be finite; {n_bad} of its {tensor.numel()} values are not.")
    return tensor


def real_array(value: Any, name: str) -> NDArray[Any]:
    """Return real numbers as an array of single or double precision; raise TypeError for others.

    Raise ValueError where some are masked: what a mask hides is no number.
    """
    if np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries. Fill them, or leave them out.")
    try:
        array = as_array(value)
        # Text is no number, even where it could be read as one.
        if array.dtype.kind not in "biuf" and array.dtype.kind != "O":
            raise TypeError
        return array.astype(
            np.float32 if array.dtype.itemsize < 8 and array.dtype.kind == "f" else np.float64
        )
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must hold real numbers in rows of one length, got {type(value).__name__} "
            f"{plain(value)[:60]}."
        ) from error


def read_numbers(value: Any, name: str, names: Sequence[Any] | None) -> Tensor:
    """Return numbers of nodes as a tensor, in the order of the nodes where both carry labels."""
    return as_numbers(in_order_of(value, names, name), name)


def labels_of(value: Any) -> list[Any] | None:
    """Return the labels of the rows of a pandas frame or series; None for anything else."""
    index = getattr(value, "index", None)
    if index is None or callable(index) or isinstance(value, (Tensor, np.ndarray)):
        return None
    return list(index)


def in_order_of(value: Any, names: Sequence[Any] | None, name: str) -> Any:
    """Return a series or mapping in the order of the nodes, and anything else as it is."""
    if names is None:
        return list(value.values()) if isinstance(value, Mapping) else value
    labels = list(value) if isinstance(value, Mapping) else labels_of(value)
    if labels is None or labels == list(names):
        return list(value.values()) if isinstance(value, Mapping) else value
    missing = [label for label in names if label not in set(labels)]
    # A series that merely counts its entries says nothing about nodes.
    if missing and labels == list(range(len(names))):
        return value
    if missing:
        raise ValueError(
            f"{name} has no entry for {len(missing)} of the {len(names)} nodes of K, such as "
            f"{plain(missing[0])}. Label both alike."
        )
    if isinstance(value, Mapping):
        return [value[label] for label in names]
    return value.loc[list(names)]


def torch_generator(random_state: Any) -> torch.Generator:
    """Return torch's source of randomness for NumPy's."""
    generator = torch.Generator()
    if isinstance(random_state, torch.Generator):
        return random_state
    if random_state is None:
        generator.seed()
    elif isinstance(random_state, np.random.RandomState):
        generator.manual_seed(int(random_state.randint(2**31 - 1)))
    elif isinstance(random_state, np.random.Generator):
        generator.manual_seed(int(random_state.integers(2**31 - 1)))
    elif isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        generator.manual_seed(int(random_state))
    else:
        raise ValueError(
            f"random_state must be a whole number, a RandomState, a Generator or None, got "
            f"{plain(random_state)}."
        )
    return generator
