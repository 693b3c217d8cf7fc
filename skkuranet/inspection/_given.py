"""What is to be drawn, as arrays that can be."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from skkuranet._utils.given import as_labels, real_array
from skkuranet._utils.messages import plain
from skkuranet.estimators._arrays import on_host

#: Axes of matplotlib multiply numbers by a few others.
FARTHEST = 1e100


def check_option(value, name, known):
    """Raise ValueError unless a value is one of the words that are known."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {[*known]}, got {plain(value)[:60]}.")


def is_true(value, name):
    """Return what is true or false as such; raise TypeError for anything else."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {plain(value)[:60]}.")
    return bool(value)


def check_fits(array, name, wanted, what):
    """Raise ValueError unless an array has a shape, of which None stands for any size."""
    fits = array.ndim == len(wanted)
    if not (fits and all(w in (None, size) for w, size in zip(wanted, array.shape, strict=True))):
        shown = ", ".join("any" if size is None else str(size) for size in wanted)
        shown = f"({shown},)" if len(wanted) == 1 else f"({shown})"
        raise ValueError(f"{name} must have shape {shown}, {what}, got {array.shape}.")


def numbers(value, name, wanted, what, *, holes=False):
    """Return real numbers that can be drawn, as an array of a shape; None stands for any size.

    Raise TypeError where there are none, and ValueError where the shape is another or some are not
    finite, or too large to draw. ``holes`` may be NaN, or masked.
    """
    if holes and np.ma.is_masked(value):
        value = value.astype(float).filled(np.nan)
    found = real_array(on_host(value), name).astype(float)
    check_fits(found, name, wanted, what)
    seen = found[~np.isnan(found)] if holes else found
    if not (np.abs(seen) < FARTHEST).all():
        raise ValueError(f"{name} must be finite and below {FARTHEST:g}.")
    return found


def array_of(value, name):
    """Return what may be one as an array; raise TypeError for rows of different lengths."""
    try:
        return np.asarray(on_host(value))
    except ValueError as error:
        raise TypeError(
            f"{name} must be an array, its rows of one length, got {plain(value)[:60]}."
        ) from error


def complex_numbers(value, name):
    """Return real or complex numbers (m,) that can be drawn; raise as :func:`numbers` does."""
    found = array_of(value, name) if isinstance(value, Collection) else value
    if np.iscomplexobj(found):
        parts = [numbers(part, name, (None,), "one for each") for part in (found.real, found.imag)]
        return parts[0] + 1j * parts[1]
    return numbers(value, name, (None,), "one for each")


def labels_of(value, name, n, what="one for each row"):
    """Return classes or numbers (n,) as an array; raise ValueError or TypeError for others."""
    found = on_host(value)
    array = (
        array_of(found, name) if isinstance(found, Collection) else np.asarray(found, dtype=object)
    )
    if array.dtype.kind == "f":
        # What is not known has a colour of its own.
        return numbers(found, name, (n,), what, holes=True)
    array = np.ma.getdata(as_labels(found, name))
    check_fits(array, name, (n,), what)
    return array


def check_rows(y, n):
    """Raise ValueError or TypeError unless y is None, or classes or numbers of n rows of X."""
    if y is not None:
        labels_of(y, "y", n, "one for each row of X")
