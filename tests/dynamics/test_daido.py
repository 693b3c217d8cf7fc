"""Oscillators that pull by two harmonics: the contract, and what is known of them."""

import numpy as np
import pytest
import torch
from contracts.draws import normal
from contracts.dynamics import DynamicsContract

from skkuranet.coupling import FactorizedCoupling
from skkuranet.dynamics import Daido, integrate


class TestDaido(DynamicsContract):
    turns = True

    def make(self, n, batch=()):
        return Daido(normal(*batch, n, seed=1), normal(*batch, n, seed=2))

    def equation(self, x, K, frequency, second):
        apart = x - x[:, None]
        return frequency + (K * (np.sin(apart) + second[:, None] * np.sin(2 * apart))).sum(1)


@pytest.mark.parametrize("second", [0.45, 0.55])
def test_clusters_in_antiphase_are_stable_where_the_second_harmonic_is_strong(second):
    """Daido (1992): two equal clusters in antiphase stay apart from a = 1/2 on."""
    n = 20
    ones = torch.ones(n, 1, dtype=torch.float64)
    start = torch.pi * (torch.arange(n) % 2) + 0.1 * normal(n)
    options = {"step_size": 0.2, "n_steps": 1000, "save_from": 1000, "solver": "rk4"}
    dynamics = Daido(second=torch.tensor(second))
    end = integrate(FactorizedCoupling(ones / n, ones), start, dynamics, **options).phases[0]
    orders = [float(torch.polar(torch.ones_like(end), k * end).mean().abs()) for k in (1, 2)]
    assert orders == pytest.approx([float(second < 0.5), 1.0], abs=1e-3)
