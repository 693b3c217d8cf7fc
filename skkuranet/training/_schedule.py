"""Schedule of training: horizon, loss window, seeding and learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any, TypeVar

from skkuranet._utils.messages import plain
from skkuranet._utils.scalars import finite_number, positive_number, whole_number

# Steps, iterations or networks, which nobody waits for.
_MOST = 1_000_000_000

Plan = TypeVar("Plan")


@dataclass(frozen=True)
class ClosedForm:
    """How memberships are learned from labels, before any trajectory.

    The rate stays at its peak while the loss on rows left out still falls, and cools then.

    Parameters
    ----------
    n_iterations : int
        Gradient steps at most.
    n_rows : int, default=400
        Rows in each step, for each member of the committee.
    learning_rate : float, default=1e-2
        Peak learning rate of Adam.
    check_every : int, default=25
        Iterations between looks at the rows left out.
    patience : int or None, default=4
        Looks without progress before the rate falls; None keeps the peak for two thirds of the
        iterations.
    cooling : float, default=0.5
        Iterations while the rate falls, as a share of those before.
    least_cooling : int, default=50
        Iterations while the rate falls, at least.

    Examples
    --------
    >>> from skkuranet.training import ClosedForm
    >>> ClosedForm(n_iterations=200, patience=6).patience
    6
    """

    n_iterations: int
    n_rows: int = 400
    learning_rate: float = 1e-2
    check_every: int = 25
    patience: int | None = 4
    cooling: float = 0.5
    least_cooling: int = 50


@dataclass(frozen=True)
class Curriculum:
    """How training proceeds, as a function of progress p from 0 to 1.

    Parameters
    ----------
    n_iterations : int, default=600
        Gradient steps through trajectories at most.
    batch_size : int, default=4
        Networks in each step.
    network_size : int, default=100
        Oscillators in each network.
    step_size : float, default=1.0
        Euler step, in units of time.
    n_steps : int, default=100
        Steps of the longest trajectories. The horizon grows from a tenth of it, as
        short ones train fast but leave some splay states unstable.
    learning_rate : float, default=3e-3
        Peak learning rate of Adam; it falls to 2 % along a cosine.
    weight_decay : float, default=1.0
        Decoupled weight decay of the coupling network's perceptron.
    max_norm : float, default=1.0
        Gradients are clipped at this norm.
    tolerance : float, default=1e-4
        Training stops when ``patience`` checks in a row find a limit loss below it; 0
        never stops early.
    patience : int, default=8
        Checks in a row before training stops. The limit of a few networks does not show the last
        misplaced nodes, which further iterations still mend.
    check_every : int, default=25
        Iterations between checks of the limit.
    limit_time : float, default=200.0
        Time after which phases count as the limit in checks. The last tenth is scored.
    limit_resolution : float, default=1e-3
        Limit losses closer than this to the lowest count as equal, as few networks cannot tell them
        apart. Of weights with equal losses, the last are kept.
    n_held_out : int, default=None
        Networks whose limit is scored in checks; None for ``batch_size``.
    final_seeding : float, default=0.0
        Probability, at the end of training, that a network starts near the wanted state. It is 1
        at first.
    unseeded_when_trapped : bool, default=False
        Whether all networks start at random while the last check found the limit in a trap: starts
        near the wanted state do not lead there.
    burn_in : int, default=0
        Most steps that a network is integrated before the trajectory that gradients see; their
        number is drawn each time, and grows with the horizon. Without them, states that take
        long to reach are never scored.
    feature_noise : float, default=0.0
        Standard deviation of the Gaussian noise on the features of the nodes drawn for
        gradients, in standard deviations of each feature. Where few nodes are labelled, it teaches
        that nodes near them are like them.
    closed_form : ClosedForm, optional
        What comes before trajectories, for networks that can learn in closed form. Trajectories
        then train only how classes act on one another.
    stall : int, optional
        Checks in a row without a limit loss lower than before by ``tolerance``, after which
        training stops; by default it goes on.

    Examples
    --------
    >>> from skkuranet.training import Curriculum
    >>> curriculum = Curriculum(n_iterations=200, network_size=50)
    >>> curriculum.n_steps
    100
    """

    n_iterations: int = 600
    batch_size: int = 4
    network_size: int = 100
    step_size: float = 1.0
    n_steps: int = 100
    learning_rate: float = 3e-3
    weight_decay: float = 1.0
    max_norm: float = 1.0
    tolerance: float = 1e-4
    patience: int = 8
    check_every: int = 25
    limit_time: float = 200.0
    limit_resolution: float = 1e-3
    n_held_out: int | None = None
    final_seeding: float = 0.0
    unseeded_when_trapped: bool = False
    burn_in: int = 0
    feature_noise: float = 0.0
    closed_form: ClosedForm | None = None
    stall: int | None = None

    def read(self) -> Curriculum:
        """Return the same with plain numbers.

        Returns
        -------
        Curriculum

        Raises
        ------
        TypeError
            If something is no number.
        ValueError
            If a number makes no sense, or nobody would wait for so many steps.
        """
        found = _read(self, _READERS)
        if found.limit_time > _MOST * found.step_size:
            raise ValueError(
                f"step_size={plain(found.step_size)} is too small for "
                f"limit_time={plain(found.limit_time)}."
            )
        if found.closed_form is None:
            return found
        if not isinstance(found.closed_form, ClosedForm):
            raise TypeError(
                f"closed_form must be a ClosedForm, got {plain(found.closed_form)[:60]}."
            )
        return replace(found, closed_form=_read(found.closed_form, _READERS))

    @property
    def longest(self) -> int:
        """Iterations of all kinds at most."""
        before = 0 if self.closed_form is None else self.closed_form.n_iterations
        return before + self.n_iterations

    def horizon(self, progress: float) -> int:
        """Return the steps of a trajectory: a tenth of ``n_steps`` at first, all from p = 0.8.

        Parameters
        ----------
        progress : float
            From 0 to 1.

        Returns
        -------
        int
            Number of steps.
        """
        first = max(1, self.n_steps // 10)
        return round(first + (self.n_steps - first) * min(1.0, 1.25 * progress))

    def unseen(self, progress: float) -> int:
        """Return the largest number of steps before a trajectory: 0 at first, all from p = 0.8.

        Parameters
        ----------
        progress : float
            From 0 to 1.

        Returns
        -------
        int
            Number of steps.
        """
        return round(self.burn_in * min(1.0, 1.25 * progress))

    def loss_window(self, progress: float) -> float:
        """Return how much of the end of the trajectory is scored: all, a third from p = 0.5.

        Parameters
        ----------
        progress : float
            From 0 to 1.

        Returns
        -------
        float
            Share of the trajectory.
        """
        return 1.0 - min(1.0, 2.0 * progress) * 2.0 / 3.0

    def seed_probability(self, progress: float) -> float:
        """Return the probability that a network starts near the wanted state.

        Parameters
        ----------
        progress : float
            From 0 to 1.

        Returns
        -------
        float
            Probability.
        """
        return 1.0 - (1.0 - self.final_seeding) * progress

    def rate(self, iteration: int) -> float:
        """Return the learning rate: 20 iterations of warm-up, then a cosine.

        Parameters
        ----------
        iteration : int
            From 0.

        Returns
        -------
        float
            Learning rate of Adam.
        """
        cosine = 0.5 * (1.0 + math.cos(math.pi * iteration / self.n_iterations))
        return self.learning_rate * min(1.0, (iteration + 1) / 20) * (0.02 + 0.98 * cosine)


def _count(value: Any, name: str) -> int:
    return whole_number(value, name, most=_MOST)


def _any_count(value: Any, name: str) -> int:
    return whole_number(value, name, least=0, most=_MOST)


def _strength(value: Any, name: str) -> float:
    number = finite_number(value, name)
    if number < 0.0:
        raise ValueError(f"{name} must not be negative, got {plain(number)}.")
    return number


def _bound(value: Any, name: str) -> float:
    return positive_number(value, name, finite=False)


def _bound_or_none(value: Any, name: str) -> float:
    return 0.0 if isinstance(value, Real) and value == 0.0 else _bound(value, name)


def _share(value: Any, name: str) -> float:
    number = finite_number(value, name)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{name} must lie between 0 and 1, got {plain(number)}.")
    return number


#: What reads each number of a schedule.
_READERS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("batch_size", "network_size", "n_steps", "n_rows", "check_every"), _count),
    **dict.fromkeys(("patience", "n_held_out", "stall"), _count),
    **dict.fromkeys(("n_iterations", "burn_in", "least_cooling"), _any_count),
    **dict.fromkeys(("step_size", "learning_rate", "limit_time"), positive_number),
    **dict.fromkeys(("weight_decay", "feature_noise", "cooling"), _strength),
    **dict.fromkeys(("tolerance", "limit_resolution"), _bound_or_none),
    "max_norm": _bound,
    "final_seeding": _share,
}
# Numbers that may be left out.
_OPTIONAL = {"n_held_out", "patience", "stall"}


def _read(plan: Plan, readers: Mapping[str, Callable[[Any, str], Any]]) -> Plan:
    """Return a schedule whose numbers have been read."""
    found = {}
    for field in fields(plan):  # type: ignore[arg-type]
        value = getattr(plan, field.name)
        if field.name in readers and not (value is None and field.name in _OPTIONAL):
            found[field.name] = readers[field.name](value, field.name)
    return replace(plan, **found)  # type: ignore[type-var]
