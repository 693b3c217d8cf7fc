"""Oscillators that pull at an angle: the contract, and what is known of them."""

import math

import numpy as np
import pytest
import torch
from contracts.draws import normal
from contracts.dynamics import DynamicsContract
from scipy.optimize import fsolve

from skkuranet.coupling import DenseCoupling, FactorizedCoupling
from skkuranet.dynamics import Sakaguchi, integrate


class TestSakaguchi(DynamicsContract):
    responds = drifts = turns = True

    def make(self, n, batch=()):
        return Sakaguchi(*(normal(*batch, n, seed=seed) for seed in (1, 2, 3)))

    def frameless(self, n):
        return Sakaguchi(normal(n, seed=1), phase_lag=normal(n, seed=3))

    def equation(self, x, K, frequency, field, phase_lag):
        pull = K * np.sin(x - x[:, None] - phase_lag[:, None])
        return frequency + pull.sum(1) + field * np.sin(x)


@pytest.mark.parametrize("lag", [-0.5, 0.2, 1.0])
def test_identical_oscillators_turn_at_the_locked_frequency(lag):
    """Sakaguchi and Kuramoto (1986): ω − K sin α."""
    n, frequency, strength = 20, 0.7, 0.9
    K = torch.full((n, n), strength / n, dtype=torch.float64)
    dynamics = Sakaguchi(torch.full((n,), frequency), phase_lag=torch.tensor(lag))
    options = {"step_size": 0.1, "n_steps": 600, "save_from": 400, "solver": "rk4"}
    path = integrate(DenseCoupling(K), 0.5 * normal(n), dynamics, **options)
    expected = torch.full((n,), frequency - strength * math.sin(lag))
    torch.testing.assert_close(path.effective_frequency().float(), expected, rtol=0, atol=1e-5)


def test_two_populations_hold_a_chimera():
    """Abrams, Mirollo, Strogatz and Wiley (2008), A = 0.2, β = 0.1: one in step, one at r = 0.729.

    Phases of the other begin where its reduced equations rest, at quantiles of their distribution.
    """
    A, beta, n = 0.2, 0.1, 128
    own, other, lag = 0.5 * (1 + A), 0.5 * (1 - A), 0.5 * math.pi - beta

    def reduced(values):
        r, psi = values
        radius = own * r * math.cos(lag) + other * math.cos(psi - lag)
        ahead = own * r * math.sin(lag) - other * math.sin(psi - lag)
        behind = own * math.sin(lag) + other * r * math.sin(psi + lag)
        return (1 - r**2) / 2 * radius, (1 + r**2) / (2 * r) * ahead - behind

    r, psi = fsolve(reduced, (0.7, 0.2))
    assert r == pytest.approx(0.729, abs=5e-4)

    levels = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    spread = 2 * torch.atan((1 - r) / (1 + r) * torch.tan(math.pi * (levels - 0.5)))
    phases = torch.cat((torch.zeros_like(spread), spread - psi))
    member = torch.eye(2, dtype=torch.float64).repeat_interleave(n, 0)
    pull = torch.tensor([[own, other], [other, own]], dtype=torch.float64) / n
    path = integrate(
        FactorizedCoupling(member @ pull, member),
        phases,
        Sakaguchi(phase_lag=torch.tensor(lag)),
        step_size=0.2,
        n_steps=1000,
        save_from=500,
        solver="rk4",
    ).phases
    in_step, apart = torch.polar(torch.ones_like(path), path).unflatten(-1, (2, n)).mean(-1).abs().T
    assert float(in_step.min()) > 1 - 1e-6
    assert float(apart.mean()) == pytest.approx(r, abs=0.01)
