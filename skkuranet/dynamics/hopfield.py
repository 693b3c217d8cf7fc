"""Rate units of an analogue neural network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from skkuranet.dynamics._dynamics import Dynamics


@dataclass(frozen=True)
class Hopfield(Dynamics):
    r"""Leaky units with a saturating output (Hopfield 1984).

    .. math:: \tau_i \dot x_i = -x_i + I_i + \sum_j K_{ij} \tanh(x_j)

    Under symmetric couplings an energy falls until all units rest. Under equal couplings of sum g,
    x = 0 is stable without input as long as g < 1.

    Parameters
    ----------
    current : Tensor of shape (..., n) or (), optional
        Input I; 0 by default.
    time_constant : Tensor of shape (..., n) or (), optional
        Time constants τ, positive; 1 by default.

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> network = OscillatorNetwork([[0.0, 2.0], [2.0, 0.0]], "hopfield")
    >>> network.simulate(n_steps=300, initial_state=[0.5, 0.5]).states[-1].round(3)
    array([1.915, 1.915])
    """

    current: Tensor | None = None
    time_constant: Tensor | None = None

    signs: ClassVar[Mapping[str, str]] = {"time_constant": "positive"}

    def signal(self, state: Tensor) -> Tensor:
        """Return outputs."""
        return state.tanh().unsqueeze(-2)

    def rate(self, state: Tensor, drive: Tensor) -> Tensor:
        """Return dx/dt."""
        rate = drive.squeeze(-2) - state
        if self.current is not None:
            rate = rate + self.current
        return rate if self.time_constant is None else rate / self.time_constant

    def phases(self, state: Tensor) -> None:
        """Return None: there are no phases."""
        return

    def from_phases(self, phases: Tensor) -> None:
        """Return None: there are no phases."""
        return

    def respond(self, drive: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum of drive and input; there is always rest."""
        state = drive.squeeze(-2)
        if self.current is not None:
            state = state + self.current
        return state, state.isfinite()
