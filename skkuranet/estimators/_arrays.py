"""Arrays of other libraries at the boundary of the estimators."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from sklearn.utils._array_api import (
    _is_numpy_namespace,
    get_namespace,
    get_namespace_and_device,
)
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from skkuranet._utils.given import FAR, as_array
from skkuranet._utils.messages import naming
from skkuranet._utils.tools import resolve_device
from skkuranet.estimators._sklearn import check_foreign, check_same_namespace, move_to

#: Features of nodes, inside the estimators: tensors where they were given as such, which stay on
#: their device. Labels and phases, a few numbers a row, pass through the host.
Table = np.ndarray | Tensor


def validated(
    estimator: object, X: object, *y: object, name: str = "X", **options: object
) -> object:
    """Return features, and labels where there are any, as scikit-learn's ``validate_data`` does.

    Features are an array or tensor in double or single precision, and of a parameter ``name``.
    """
    if isinstance(X, Tensor):
        if X.layout is not torch.strided or X.is_complex():
            raise ValueError(
                f"{name} must be a dense tensor of real numbers: {name}.to_dense(), {name}.real."
            )
        X = X.detach()
    check_kind(X, name)
    xp, dispatched = get_namespace(X)
    if dispatched and not _is_numpy_namespace(xp):
        check_foreign(X)
    with naming(name, *(["y"] if y and y[0] is not None else [])):
        found = validate_data(estimator, X, *y, dtype=[xp.float64, xp.float32], **options)
    return (as_table(found[0]), found[1]) if y else as_table(found)


def check_kind(X: object, name: str) -> None:
    """Raise where scikit-learn would take what is hidden, or counts of days, for features."""
    if np.ma.is_masked(X):
        raise ValueError(f"{name} has masked entries. Fill them, or leave these rows out.")
    kinds = getattr(X, "dtypes", getattr(X, "dtype", None))
    kinds = kinds if isinstance(kinds, Iterable) else [kinds]
    if any(getattr(k, "kind", "?") in "mM" or getattr(k, "is_temporal", bool)() for k in kinds):
        raise TypeError(
            f"{name} holds dates or spans of time. Pass numbers, such as days since the first."
        )


def empty_like(X: object) -> object:
    """Return an empty array of the library and device of X; None for NumPy."""
    xp, dispatched = get_namespace(X)
    return X[:0, :] if dispatched and not _is_numpy_namespace(xp) else None


def as_table(X: object) -> Table:
    """Return validated features as an array of NumPy, or the tensor that they are."""
    return X if isinstance(X, Tensor) else on_host(X)


def on_host(array: object) -> object:
    """Return an array of any library as one of NumPy; leave anything else alone."""
    if isinstance(array, Tensor):
        return as_array(array)
    xp, dispatched = get_namespace(array)
    foreign = dispatched and not _is_numpy_namespace(xp)
    return move_to(array, xp=np, device="cpu") if foreign else array


def as_given(value: Table, X: object) -> object:
    """Return a result in the library and on the device of X; strings stay NumPy's."""
    xp, dispatched, device = get_namespace_and_device(X)
    if isinstance(value, Tensor) and dispatched and isinstance(X, Tensor):
        return value.to(X.device)
    value = on_host(value)
    if not dispatched or _is_numpy_namespace(xp) or value.dtype.kind not in "biuf":
        return value
    return move_to(value, xp=xp, device=device)


def check_library(X: object, estimator: object, method: str) -> None:
    """Raise ValueError unless X is of the library, and on the device, of the rows of fit."""
    check_same_namespace(X, estimator, attribute="reference_features_", method=method)


def checked(estimator: object, X: object, method: str, name: str = "X") -> Table:
    """Return the features given to a method of a fitted estimator, validated."""
    check_is_fitted(estimator)
    check_library(X, estimator, method)
    return validated(estimator, X, reset=False, name=name)


def device_for(device: str | torch.device, X: Table) -> torch.device:
    """Return the device that ``device`` names; "auto" is the card of X, where it is on one."""
    if device == "auto" and isinstance(X, Tensor) and X.is_cuda:
        return X.device
    return resolve_device(device)


def mean_and_scale(X: Table) -> tuple[Tensor, Tensor]:
    """Return the mean and standard deviation of each feature, in double precision on the CPU.

    A feature that is constant but for rounding has a scale of 1. Raise ValueError where one varies
    so little that its inverse overflows.
    """
    if isinstance(X, Tensor):
        largest = X.abs().amax(0).double().cpu()
    else:
        largest = torch.from_numpy(np.abs(X).max(axis=0).astype(float))
    unit = torch.where((largest > FAR) | (largest < 1.0 / FAR), largest, 1.0)
    unit[largest == 0.0] = 1.0
    if bool((unit != 1.0).any()):
        # Squares would overflow, or vanish.
        small = X / (unit.to(X.device) if isinstance(X, Tensor) else unit.numpy())
        mean, scale = mean_and_scale(small)
        mean, scale = mean * unit, scale * unit
        if bool((scale < torch.finfo(torch.float64).tiny).any()):
            raise ValueError(
                f"X[:, {int(scale.argmin())}] holds numbers so small that their inverse overflows. "
                "Scale the column."
            )
        return mean, scale
    if isinstance(X, Tensor):
        scale, mean = torch.std_mean(X.double(), 0, correction=0)
        mean, scale = mean.cpu(), scale.cpu()
    else:
        found = X.mean(axis=0, dtype=float), X.std(axis=0, dtype=float)
        mean, scale = (torch.from_numpy(a.astype(float)) for a in found)
    rounding = torch.finfo(X.dtype) if isinstance(X, Tensor) else np.finfo(X.dtype)
    return mean, scale.masked_fill(scale <= 10 * float(rounding.eps) * largest, 1.0)
