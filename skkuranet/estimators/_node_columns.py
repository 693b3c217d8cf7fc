"""Columns of a table as parameters of nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

import numpy as np
import torch

from skkuranet._utils.messages import plain
from skkuranet.dynamics import Dynamics
from skkuranet.dynamics._catalogue import kind_of, needed_by
from skkuranet.dynamics._rounding import is_lost
from skkuranet.estimators._arrays import on_host

_NOT_NEGATIVE = {
    "delay": "Delays are times that have passed; shift the column so that none is below 0.",
    "noise": "Noise is given by its standard deviation.",
}


def resolve_columns(roles, n_features, feature_names=None):
    """Return the index of the column of each node parameter that has one.

    ``roles`` maps names of parameters to columns: an index, a name, or None for no such column.
    Raise ValueError if a column does not exist or is given to two parameters.
    """
    found = {
        role: _index(role, column, n_features, feature_names)
        for role, column in roles.items()
        if column is not None
    }
    for role, column in found.items():
        others = [r for r, c in found.items() if c == column and r != role]
        if others:
            raise ValueError(
                f"{role} and {others[0]} both name column {plain(roles[role])} of X. Give each its "
                "own column, or None where oscillators have no such parameter."
            )
    return found


def _index(role, column, n_features, feature_names):
    if isinstance(column, str):
        if feature_names is None:
            raise ValueError(
                f"{role}={plain(column)} is a name, but the columns of X have none. Pass a data "
                "frame, or the index of the column."
            )
        positions = np.flatnonzero(np.asarray(feature_names) == column)
        if not len(positions):
            raise ValueError(
                f"{role}={plain(column)} is not a column of X; its columns are "
                f"{plain(feature_names)}."
            )
        return int(positions[0])
    whole = isinstance(column, Integral) and not isinstance(column, bool)
    if not whole or not -n_features <= column < n_features:
        raise ValueError(
            f"{role}={plain(column)} is not a column of X, which has {n_features}; use an index "
            f"from 0 to {n_features - 1}, a name, or None."
        )
    return int(column) % n_features


def node_parameters(X, columns):
    """Return the node parameters (n_samples,) in columns of a table, by name.

    Raise ValueError if a delay or a noise is negative.
    """
    nodes = {role: on_host(X[:, column]) for role, column in columns.items()}
    for role, remedy in _NOT_NEGATIVE.items():
        value = nodes.get(role)
        if value is not None and np.any(value < 0):
            raise ValueError(
                f"The column {role} of X holds a negative {role}, {value.min():.3g}. {remedy}"
            )
    return nodes


@dataclass(frozen=True)
class NodeMotion:
    """Motion of nodes besides their couplings, from columns of a table.

    ``dynamics`` is a name in :data:`skkuranet.dynamics.DYNAMICS`, a class, or an instance with the
    parameters that all nodes share. ``columns`` map node parameters, "delay" and "noise" among
    them, to their columns; ``noise`` is that of all nodes, where it has no column.
    """

    dynamics: Any = "kuramoto"
    columns: Mapping[str, int] = field(default_factory=dict)
    noise: float = 0.0
    history: str = "rotation"

    @property
    def kind(self) -> type[Dynamics]:
        """Class of the equation."""
        return kind_of(self.dynamics)

    @property
    def state_shape(self) -> tuple[int, ...]:
        """Axes of the state of one node."""
        made = self.dynamics if isinstance(self.dynamics, Dynamics) else self.kind
        # Where it depends on a field, an instance has to tell.
        known = isinstance(made.state_shape, tuple)
        return made.state_shape if known else self.kind().state_shape

    @property
    def is_noisy(self) -> bool:
        """Whether there is noise."""
        return self.noise > 0 or "noise" in self.columns

    @property
    def is_delayed(self) -> bool:
        """Whether there are delays."""
        return "delay" in self.columns

    @property
    def solver(self) -> str:
        """Solver that suits the equation, and its delays and noise."""
        if self.is_noisy:
            return "euler"
        if self.is_delayed and self.kind.solver != "euler":
            return "heun"
        return self.kind.solver

    def needs_double(self, X, time: float, n_steps: int) -> bool:
        """Say whether nodes turn so far in some steps that single precision loses their phases."""
        dynamics = self.of(X, torch.float64, torch.device("cpu"))["dynamics"]
        frequency = dynamics.parameters.get("frequency")
        if frequency is None or not frequency.numel():
            return False
        return is_lost(float(frequency.abs().max()) * time, n_steps, torch.float32)

    def in_single(self, X, device: torch.device, time: float, n_steps: int) -> dict[str, Any]:
        """Return what :meth:`of` does in single precision, for some steps.

        Where these would lose the phases, frequencies are without what they have in common, which
        synchrony does not depend on. In a field, or with delays, they stay what they are.
        """
        motion = self.of(X, torch.float64, device)
        if "delay" not in motion and self.needs_double(X, time, n_steps):
            frequency = motion["dynamics"].parameters["frequency"]
            slow = motion["dynamics"].rotating(float(frequency.mean()))
            motion["dynamics"] = motion["dynamics"] if slow is None else slow
        motion["dynamics"] = motion["dynamics"].to(torch.float32, device)
        for name, value in motion["dynamics"].parameters.items():
            if not bool(torch.isfinite(value).all()):
                raise ValueError(
                    f"The column {name} of X holds numbers that are too large for single "
                    "precision. Are there marks of missing values? Else scale the column."
                )
        if "noise" in motion:
            motion["noise"] = motion["noise"].float()
        return motion

    def of(self, X, dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
        """Return the arguments of :func:`skkuranet.dynamics.integrate` for the rows of a table.

        They are of the type of the states, but for delays, which stay in double precision: their
        rounding to steps is that of fit.
        """
        nodes = node_parameters(X, self.columns)
        delay, noise = nodes.pop("delay", None), nodes.pop("noise", None)
        values = {k: torch.tensor(v, dtype=dtype, device=device) for k, v in nodes.items()}
        if isinstance(self.dynamics, Dynamics):
            made = replace(self.dynamics.to(dtype, device), **values)
        else:
            made = self.kind(**values)
        found = {"dynamics": made, "history": self.history, "solver": self.solver}
        if delay is not None:
            found["delay"] = torch.tensor(delay, dtype=torch.float64, device=device)
        if self.is_noisy:
            strength = np.full(len(X), float(self.noise)) if noise is None else noise
            found["noise"] = torch.tensor(strength, dtype=dtype, device=device)
        return found


def roles_of(dynamics, columns, *, frequency, field, delay):
    """Return the column of each node parameter, as an estimator's parameters say.

    ``frequency``, ``field`` and ``delay`` are shorthands; a frequency that the dynamics does not
    have is left out. Raise ValueError if a parameter is unknown, given twice, or needed and not
    given.
    """
    known = [*kind_of(dynamics).names(), "delay", "noise"]
    found = {"frequency": frequency, "field": field, "delay": delay}
    if "frequency" not in known or "frequency" in (columns or {}):
        # A default that nobody has asked for.
        del found["frequency"]
    for name, column in (columns or {}).items():
        if found.get(name) is not None:
            raise ValueError(
                f"{name} has a column twice, {plain(found[name])} and {plain(column)} in columns. "
                f"Give one of them."
            )
        found[name] = column
    given = {name: column for name, column in found.items() if column is not None}
    missing = [name for name in needed_by(dynamics) if name not in given]
    if missing:
        raise ValueError(
            f"dynamics={plain(_named(dynamics))} needs {', '.join(missing)}: name the columns, "
            f"columns={{{missing[0]!r}: ...}}, or pass an instance with what all nodes share."
        )
    for name in given:
        if name not in known:
            raise ValueError(
                f"{name} is no parameter of dynamics={plain(_named(dynamics))}, which has "
                f"{', '.join(known)}."
            )
    return given


def _named(dynamics):
    return dynamics if isinstance(dynamics, str) else kind_of(dynamics).__name__


def check_phases(dynamics):
    """Refuse an equation of motion whose units have no phase, or parameters of their own."""
    kind = kind_of(dynamics)
    made = dynamics if isinstance(dynamics, Dynamics) else kind()
    if not made.has_phases:
        raise ValueError(
            f"dynamics={plain(_named(dynamics))} has no phases that classes could share; use one "
            "that has."
        )
    for name, value in made.parameters.items():
        if value.numel() > 1:
            raise ValueError(
                f"dynamics: {name} has {value.numel()} numbers, but all rows share one. Give one "
                "number, or use KuraNetSynchronizer, which takes columns."
            )
