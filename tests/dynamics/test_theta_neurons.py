"""Theta neurons: the contract, and what is known of them."""

import math

import numpy as np
import pytest
import torch
from contracts.draws import normal
from contracts.dynamics import DynamicsContract
from scipy.integrate import solve_ivp

from skkuranet.coupling import DenseCoupling, FactorizedCoupling
from skkuranet.dynamics import ThetaNeurons, integrate


class TestThetaNeurons(DynamicsContract):
    responds = drifts = True

    def make(self, n, batch=()):
        return ThetaNeurons(normal(*batch, n, seed=1) - 0.5)

    def equation(self, x, K, excitability):
        current = excitability + K @ (2 / 3 * (1 - np.cos(x)) ** 2)
        return 1 - np.cos(x) + (1 + np.cos(x)) * current


def test_a_neuron_alone_fires_at_the_root_of_its_excitability():
    """From −∞ to ∞, tan(θ/2) takes π/√η, so that a phase turns at 2 √η."""
    excitability = torch.tensor([-0.3, 0.04, 0.5, 2.0], dtype=torch.float64)
    K = DenseCoupling(torch.zeros(4, 4, dtype=torch.float64))
    options = {"step_size": 0.05, "n_steps": 10_000, "save_from": 2000, "solver": "rk4"}
    start = torch.zeros(4, dtype=torch.float64)
    turning = integrate(K, start, ThetaNeurons(excitability), **options).effective_frequency()
    expected = 2.0 * excitability.clamp_min(0.0).sqrt()
    torch.testing.assert_close(turning, expected, rtol=0, atol=2 * math.pi / 400)


def test_the_mean_field_rests_where_that_of_infinitely_many_does():
    """Luke, Barreto and So (2013), by the equation of Ott and Antonsen (2008)."""
    n, centre, width, strength = 500, -0.2, 0.1, -2.0

    def mean_field(_, parts):
        z = complex(*parts)
        pulses = 2 / 3 * (1.5 - 2 * z.real + 0.5 * (z * z).real)
        current = -width + 1j * (centre + strength * pulses)
        rate = -0.5j * (z - 1) ** 2 + 0.5 * (z + 1) ** 2 * current
        return rate.real, rate.imag

    expected = complex(*solve_ivp(mean_field, (0, 100), (0.0, 0.0), rtol=1e-8).y[:, -1])
    levels = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    excitability = centre + width * torch.tan(math.pi * (levels - 0.5))
    ones = torch.ones(n, 1, dtype=torch.float64)
    path = integrate(
        FactorizedCoupling(ones * (strength / n), ones),
        normal(n),
        ThetaNeurons(excitability.clamp(-30, 30)),
        step_size=0.04,
        n_steps=1500,
        save_from=500,
        solver="rk4",
    ).phases
    found = torch.polar(torch.ones_like(path), path).mean().item()
    assert found == pytest.approx(expected, abs=0.01)
