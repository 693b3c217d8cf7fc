"""Oscillators that pull at an angle."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skkuranet.dynamics.kuramoto import Kuramoto


@dataclass(frozen=True)
class Sakaguchi(Kuramoto):
    r"""Phase oscillators with a phase lag (Sakaguchi and Kuramoto 1986).

    .. math::
        \dot\theta_i = \omega_i + \sum_j K_{ij} \sin(\theta_j - \theta_i - \alpha_i)
                       + b_i \sin\theta_i

    Identical oscillators with the same sum K of couplings lock at the frequency
    :math:`\omega - K \sin\alpha`.

    Parameters
    ----------
    frequency : Tensor of shape (..., n), optional
        Natural frequencies ω, in radians per unit of time; 0 by default.
    field : Tensor of shape (..., n), optional
        External field strengths b; 0 by default.
    phase_lag : Tensor of shape (..., n) or (), optional
        Lags α in radians, of each target or of all; 0 by default.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet import OscillatorNetwork
    >>> network = OscillatorNetwork(np.full((10, 10), 0.1), "sakaguchi", phase_lag=0.5)
    >>> path = network.simulate(n_steps=500, random_state=0)
    >>> path.effective_frequency(window=10.0).round(2)[:2]
    array([-0.48, -0.48])
    """

    phase_lag: Tensor | None = None

    def local_field(self, drive: Tensor) -> tuple[Tensor, Tensor]:
        """Return what acts on each oscillator, turned by its lag."""
        if self.phase_lag is None:
            return super().local_field(drive)
        real, imaginary = drive.unbind(-2)
        cosine, sine = self.phase_lag.cos(), self.phase_lag.sin()
        turned = real * cosine + imaginary * sine, imaginary * cosine - real * sine
        return super().local_field(torch.stack(turned, -2))
