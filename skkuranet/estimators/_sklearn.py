"""What older versions of scikit-learn do not have yet."""

from __future__ import annotations

from typing import Any

from sklearn.utils import _array_api
from sklearn.utils._array_api import _is_numpy_namespace, get_namespace, get_namespace_and_device

__all__ = ["CallbackSupportMixin", "check_same_namespace", "move_to"]


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


def _check_same_namespace(X: Any, estimator: Any, *, attribute: str, method: str) -> None:
    """Raise ValueError unless X is of the library, and on the device, of an attribute."""
    (xp, _, device), (own, _, own_device) = map(
        get_namespace_and_device, (X, getattr(estimator, attribute))
    )
    numpy_both = _is_numpy_namespace(xp) and _is_numpy_namespace(own)
    if not numpy_both and (xp, device) != (own, own_device):
        raise ValueError(
            f"Inputs passed to {type(estimator).__name__}.{method}() must use the same namespace "
            f"and the same device as those passed to fit(): {own.__name__} on {own_device}, got "
            f"{xp.__name__} on {device}."
        )


def _move_to(array: Any, *, xp: Any, device: Any) -> Any:
    """Return an array in another library and on another device."""
    array = _array_api._convert_to_numpy(array, get_namespace(array)[0])
    return array if _is_numpy_namespace(xp) else xp.asarray(array, device=device)


try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:
    CallbackSupportMixin = _WithoutCallbacks

check_same_namespace = getattr(_array_api, "check_same_namespace", _check_same_namespace)
move_to = getattr(_array_api, "move_to", _move_to)
