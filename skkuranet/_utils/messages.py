"""Values as messages show them."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from torch import Tensor

# A longer list is cut off.
_MOST = 10
# Packages whose code no user wrote.
_OURS = ("skkuranet", "sklearn", "joblib")


def plain(value: object) -> str:
    """Return a value as Python writes its own, without the types of NumPy or torch.

    Lists, tuples and arrays are written as lists, of which more than ten entries are only counted.
    """
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ma.MaskedArray):
        # None where it is masked.
        value = value.tolist()
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.generic):
        return repr(value.item()) if isinstance(value, np.character) else str(value)
    if not isinstance(value, (list, tuple, range, np.ndarray)):
        return repr(value)
    shown = f"[{', '.join(map(plain, value[:_MOST]))}]"
    return f"{shown} and {len(value) - _MOST} more" if len(value) > _MOST else shown


@contextmanager
def naming(*names: str) -> Iterator[None]:
    """Put names of parameters before errors of other libraries that name none of them."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if any(re.search(rf"\b{name}\b", str(error)) for name in names):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{' or '.join(names)}: {error}") from error


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn in the name of the line of the user's own code that led here."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
