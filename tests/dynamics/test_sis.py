"""Epidemics: the contract, and what is known of them."""

import numpy as np
import pytest
import torch
from contracts.draws import uniform
from contracts.dynamics import DynamicsContract

from skkuranet.coupling import DenseCoupling
from skkuranet.dynamics import SIS, integrate


class TestSIS(DynamicsContract):
    responds = True

    def make(self, n, batch=()):
        return SIS(*(uniform(*batch, n, low=0.5, high=1.5, seed=seed) for seed in (1, 2, 3)))

    def state(self, n, batch=(), seed=9):
        return uniform(*batch, n, seed=seed)

    def couplings(self, n, batch=()):
        return 2.0 * uniform(*batch, n, n, seed=8) / n

    def equation(self, x, K, recovery, susceptibility, infectivity):
        return susceptibility * (1 - x) * (K @ (infectivity * x)) - recovery * x


@pytest.mark.parametrize("above", [0.95, 1.05, 1.5])
def test_the_infection_stays_from_the_largest_eigenvalue_on(above):
    """Lajmanovich and Yorke (1976): it dies out iff that of K is below 1."""
    n = 20
    contacts = (uniform(n, n) < 0.3).double()
    contacts = (contacts + contacts.mT).clamp_max(1.0) + torch.eye(n).roll(1, 0)
    K = above * contacts / np.abs(np.linalg.eigvals(contacts.numpy())).max()
    options = {"step_size": 0.5, "n_steps": 1000, "save_from": 1000, "solver": "rk4"}
    start = torch.full((n,), 0.5, dtype=torch.float64)
    end = integrate(DenseCoupling(K), start, SIS(), **options).states[0]
    assert (float(end.max()) < 1e-6) == (above < 1.0)
    pressure = K @ end
    torch.testing.assert_close(end, pressure / (1 + pressure), rtol=0, atol=1e-6)


def test_probabilities_stay_probabilities():
    K = DenseCoupling(10.0 * uniform(6, 6))
    path = integrate(K, uniform(6, seed=1), SIS(), step_size=0.01, n_steps=500, solver="rk4")
    assert ((path.states >= 0) & (path.states <= 1)).all()
