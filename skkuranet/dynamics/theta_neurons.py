"""Neurons that fire as their phase passes π."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skkuranet.dynamics._dynamics import Dynamics


@dataclass(frozen=True)
class ThetaNeurons(Dynamics):
    r"""Theta neurons with pulses (Ermentrout and Kopell 1986; Luke, Barreto and So 2013).

    .. math::
        \dot\theta_i = 1 - \cos\theta_i + (1 + \cos\theta_i)
                       \Bigl[\eta_i + \sum_j K_{ij} \tfrac23 (1 - \cos\theta_j)^2\Bigr]

    Parameters
    ----------
    excitability : Tensor of shape (..., n) or (), optional
        Excitability η; a neuron alone rests if it is negative, and fires periodically if it is
        positive. 0 by default.

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> network = OscillatorNetwork([[0.0, 1.0], [1.0, 0.0]], "theta_neurons", excitability=0.5)
    >>> path = network.simulate(n_steps=500, step_size=0.02, random_state=0)
    >>> bool((path.effective_frequency() > 0).all())
    True
    """

    excitability: Tensor | None = None

    def signal(self, state: Tensor) -> Tensor:
        """Return pulses, whose mean is 1 over phases that are spread evenly."""
        return (2.0 / 3.0 * (1.0 - state.cos()).square()).unsqueeze(-2)

    def rate(self, state: Tensor, drive: Tensor) -> Tensor:
        """Return dθ/dt."""
        cosine, current = state.cos(), drive.squeeze(-2)
        if self.excitability is not None:
            current = current + self.excitability
        return 1.0 - cosine + (1.0 + cosine) * current

    def respond(self, drive: Tensor) -> tuple[Tensor, Tensor]:
        """Return the stable phase under a current that is not positive, and whether it is one."""
        current = drive.squeeze(-2)
        if self.excitability is not None:
            current = current + self.excitability
        root = (-current).clamp_min(0.0).sqrt()
        return -2.0 * torch.atan(root), current <= 0
