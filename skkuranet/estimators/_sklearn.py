"""What older versions of scikit-learn do not have yet."""

from __future__ import annotations

from typing import Any

from sklearn.utils import _array_api

__all__ = [
    "TAKES_OTHER_ARRAYS",
    "CallbackSupportMixin",
    "check_foreign",
    "check_same_namespace",
    "move_to",
    "with_callbacks",
]


class _NoCallbacks:
    """A context of a fit that nobody watches."""

    def subcontext(self, **settings: Any) -> _NoCallbacks:
        return self

    def call_on_fit_task_begin(self, **data: Any) -> _NoCallbacks:
        return self

    def call_on_fit_task_end(self, **data: Any) -> bool:
        """Return whether to stop: never."""
        return False


class _WithoutCallbacks:
    """An estimator of scikit-learn below 1.9, which has no callbacks."""

    def _init_callback_context(self, **settings: Any) -> _NoCallbacks:
        return _NoCallbacks()


def _refuse(*arrays: Any, **options: Any) -> None:
    raise ValueError(
        "Tensors and arrays of other libraries than NumPy need scikit-learn 1.9 or newer, where "
        "array_api_dispatch=True. Update it, or set array_api_dispatch=False."
    )


def _pass(*arrays: Any, **options: Any) -> None:
    """Nothing to check."""


def _as_it_is(method: Any) -> Any:
    """Nobody watches."""
    return method


try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:
    CallbackSupportMixin, with_callbacks = _WithoutCallbacks, _as_it_is

#: Whether arrays of other libraries than NumPy can be taken.
TAKES_OTHER_ARRAYS = hasattr(_array_api, "check_same_namespace") and hasattr(_array_api, "move_to")
#: Raises ValueError for arrays of other libraries, where scikit-learn cannot take them.
check_foreign = _pass if TAKES_OTHER_ARRAYS else _refuse
check_same_namespace = _array_api.check_same_namespace if TAKES_OTHER_ARRAYS else _pass
move_to = _array_api.move_to if TAKES_OTHER_ARRAYS else _refuse
