"""Epidemics without immunity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from skkuranet.dynamics._dynamics import Dynamics


@dataclass(frozen=True)
class SIS(Dynamics):
    r"""Probability that each node is infected (Lajmanovich and Yorke 1976).

    .. math:: \dot x_i = s_i (1 - x_i) \sum_j K_{ij}\, b_j x_j - d_i x_i

    With all parameters 1 the infection dies out if the largest eigenvalue of K is below 1.

    Parameters
    ----------
    recovery : Tensor of shape (..., n) or (), optional
        Rates d of recovery, positive; 1 by default.
    susceptibility : Tensor of shape (..., n) or (), optional
        How easily a node is infected, s; 1 by default.
    infectivity : Tensor of shape (..., n) or (), optional
        How much a node infects, b; 1 by default.

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> network = OscillatorNetwork([[0.0, 3.0], [3.0, 0.0]], "sis", recovery=1.0)
    >>> path = network.simulate(n_steps=500, random_state=0)
    >>> path.states[-1].round(3)
    array([0.667, 0.667])
    """

    recovery: Tensor | None = None
    susceptibility: Tensor | None = None
    infectivity: Tensor | None = None

    # If contacts could be shed, the least infection would be that of a few who have them all.
    normalization: ClassVar[str] = "equal_degree"
    signs: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("recovery", "susceptibility", "infectivity"), "not negative"
    )

    def signal(self, state: Tensor) -> Tensor:
        """Return infectious nodes."""
        sent = state if self.infectivity is None else self.infectivity * state
        return sent.unsqueeze(-2)

    def rate(self, state: Tensor, drive: Tensor) -> Tensor:
        """Return dx/dt."""
        infected = (1.0 - state) * self._pressure(drive)
        return infected - (state if self.recovery is None else self.recovery * state)

    def phases(self, state: Tensor) -> None:
        """Return None: there are no phases."""
        return

    def from_phases(self, phases: Tensor) -> None:
        """Return None: there are no phases."""
        return

    def draw(self, batch: Sequence[int], n: int, generator: torch.Generator) -> Tensor:
        """Draw probabilities at random."""
        return torch.rand((*batch, n), generator=generator, dtype=torch.float64)

    def respond(self, drive: Tensor) -> tuple[Tensor, Tensor]:
        """Return the share of time that a node is infected under constant pressure."""
        pressure = self._pressure(drive)
        state = pressure / (pressure + (1.0 if self.recovery is None else self.recovery))
        return state, state.isfinite()

    def _pressure(self, drive: Tensor) -> Tensor:
        pressure = drive.squeeze(-2)
        return pressure if self.susceptibility is None else self.susceptibility * pressure
