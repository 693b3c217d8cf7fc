"""Rates of oscillators, and what they depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skkuranet._utils.messages import plain
from skkuranet.dynamics import Dynamics
from skkuranet.dynamics._catalogue import kind_of, needed_by
from skkuranet.dynamics._functions import rate_of, signal_of
from skkuranet.estimators._node_columns import node_parameters, resolve_columns


@dataclass(frozen=True)
class Linearized:
    """Signals, drives and rates (P, ..., n) and what they depend on, at P points of a path."""

    signals: np.ndarray
    drives: np.ndarray
    rates: np.ndarray
    by_drive: np.ndarray
    by_values: np.ndarray


@dataclass(frozen=True)
class Equation:
    """An equation of motion, of which some parameters are to be found.

    ``known`` holds the parameters of the nodes that are given, ``fitted`` names those that are not.
    """

    dynamics: Dynamics
    fitted: tuple[str, ...]

    def given(self, known: Mapping[str, np.ndarray]) -> Equation:
        """Return the equation of nodes whose known parameters are these."""
        tensors = {name: torch.as_tensor(np.array(value)) for name, value in known.items()}
        return replace(self, dynamics=replace(self.dynamics, **tensors).to(torch.float64))

    def start(self, n_nodes: int) -> np.ndarray:
        """Return values of the parameters to begin with, (n_fitted, n)."""
        given = self.dynamics.parameters
        values = [np.broadcast_to(given.get(name, 0.0), (n_nodes,)) for name in self.fitted]
        return np.array(values, dtype=float).reshape(len(values), n_nodes)

    def at(self, values: Tensor) -> Dynamics:
        """Return the dynamics at values of the parameters, (n_fitted, ..., n)."""
        return replace(self.dynamics, **dict(zip(self.fitted, values)))

    def rates(self, phases: np.ndarray, couplings: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return rates at phases (P, n)."""
        state, dynamics = torch.as_tensor(phases), self.at(torch.as_tensor(values))
        drive = signal_of(dynamics, state) @ torch.as_tensor(couplings).mT
        return rate_of(dynamics, state, drive).numpy()

    def linearized(
        self, phases: np.ndarray, couplings: np.ndarray, values: np.ndarray
    ) -> Linearized:
        """Return rates at phases (P, n), and their derivatives.

        Units are apart, so that one pass tells those of all.
        """
        state = torch.as_tensor(phases)
        each = torch.as_tensor(values).unsqueeze(1).expand(-1, *state.shape)
        each = each.clone().requires_grad_()
        with torch.no_grad():
            signal = signal_of(self.at(each), state)
        drive = (signal @ torch.as_tensor(couplings).mT).requires_grad_()
        with torch.enable_grad():
            rate = rate_of(self.at(each), state, drive)
        by_drive, by_values = torch.autograd.grad(
            rate.sum(), (drive, each), allow_unused=True, materialize_grads=True
        )
        found = (signal, drive, rate, by_drive, by_values)
        return Linearized(*(tensor.detach().numpy() for tensor in found))


def equation_of(
    dynamics: str | type[Dynamics] | Dynamics,
    columns: Mapping[str, Any] | None,
    fit_parameters: Sequence[str] | None,
    n_features: int | None,
    feature_names: Sequence[str] | None,
) -> tuple[Equation, dict[str, int]]:
    """Return the equation, and columns of features that hold its known parameters."""
    known, kind = dict(columns or {}), kind_of(dynamics)
    names = kind.names()
    unknown = [name for name in known if name not in names]
    if unknown:
        raise ValueError(
            f"columns names {plain(unknown[0])}, but {kind.__name__} has "
            f"{', '.join(names) or 'no parameters'}."
        )
    fitted = fit_parameters
    if fitted is None:
        free = "frequency" in names and "frequency" not in known
        given = isinstance(dynamics, Dynamics) and "frequency" in dynamics.parameters
        fitted = ("frequency",) if free and not given else ()
    needed = needed_by(dynamics)
    missing = set(needed) - set(fitted) - set(known)
    if missing:
        raise ValueError(
            f"{kind.__name__} needs {plain(sorted(missing))}: name them in fit_parameters or "
            "columns, or pass an instance that has them."
        )
    made = dynamics if isinstance(dynamics, Dynamics) else kind(**dict.fromkeys(needed, 0.0))
    check_phase_equation(made)
    check_fitted(made, tuple(fitted), known)
    if not known:
        return Equation(made, tuple(fitted)), {}
    if n_features is None:
        raise ValueError("columns name features, but X is None.")
    return Equation(made, tuple(fitted)), resolve_columns(known, n_features, feature_names)


def with_known(
    equation: Equation, columns: dict[str, int], features: np.ndarray | None
) -> Equation:
    """Return the equation of nodes, some parameters of which are columns of their features."""
    if columns and features is None:
        raise ValueError(f"columns={plain(columns)} name features of the nodes; pass X.")
    return equation.given(node_parameters(features, columns) if columns else {})


def check_phase_equation(dynamics: Dynamics) -> None:
    """Raise ValueError unless a unit's state is its phase."""
    if dynamics.state_shape:
        raise ValueError(
            f"dynamics must have phases for states, such as 'kuramoto', 'sakaguchi' or 'daido'; "
            f"those of {type(dynamics).__name__} have shape {dynamics.state_shape}, of which "
            "phases tell only a part."
        )


def check_fitted(dynamics: Dynamics, fitted: tuple[str, ...], known: Mapping[str, object]) -> None:
    """Raise ValueError unless the parameters to be found are numbers of nodes, and not known."""
    names = type(dynamics).names()
    for name in fitted:
        if name not in names or tuple(dynamics.parameter_shapes.get(name, ())):
            raise ValueError(
                f"fit_parameters names {plain(name)}, but {type(dynamics).__name__} has "
                f"{', '.join(names) or 'no parameters'}."
            )
        if name in known:
            raise ValueError(
                f"fit_parameters and columns both name {plain(name)}. What is known need not be "
                "fitted."
            )
