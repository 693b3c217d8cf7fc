"""What an estimator can learn, a record for each choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.utils.metaestimators import available_if

from skkuranet._utils.surroundings import undisturbed


@dataclass(frozen=True)
class Mode:
    """What one fit learns: the methods of the estimator that do it and that answer for it.

    Parameters
    ----------
    chosen_by : str
        The parameters that choose it, as errors show them.
    learn : callable
        Learns from the data of fit.
    cluster, transform, predict : callable
        What the public methods of these names return, of data that has been read; None for those
        that are absent.
    seen : bool, default=True
        Whether the groups are those of fit, as phases of one network of training rows.
    named : bool, default=True
        Whether groups have names, which mean the same in all data.
    """

    chosen_by: str
    learn: Callable[..., Any]
    cluster: Callable[..., Any]
    transform: Callable[..., Any] | None = None
    predict: Callable[..., Any] | None = None
    seen: bool = True
    named: bool = True


def of_seen_groups(instead: str, *, fits: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator of methods that make no sense of groups never seen.

    There they are absent, and AttributeError says what to call ``instead``. Methods that ``fits``
    learn what parameters say by now, others answer for what has been learned.
    """

    def decorate(method: Callable[..., Any]) -> Any:
        def asked(self: Any) -> bool:
            mode = self._next_mode if fits else self._mode
            if not mode.seen:
                raise AttributeError(
                    f"{type(self).__name__} has no {method.__name__} with {mode.chosen_by}: its "
                    f"groups have no names, and its states no phases. Call {instead}."
                )
            return True

        return available_if(asked)(undisturbed(method))

    return decorate
