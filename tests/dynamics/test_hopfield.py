"""Rate units: the contract, and what is known of them."""

import numpy as np
import pytest
import torch
from contracts.draws import normal, uniform
from contracts.dynamics import DynamicsContract

from skkuranet.coupling import DenseCoupling
from skkuranet.dynamics import Hopfield, integrate


class TestHopfield(DynamicsContract):
    responds = True

    def make(self, n, batch=()):
        return Hopfield(normal(*batch, n, seed=1), uniform(*batch, n, low=0.5, high=2.0, seed=2))

    def equation(self, x, K, current, time_constant):
        return (-x + current + K @ np.tanh(x)) / time_constant


def test_energy_of_symmetric_couplings_never_rises():
    """Hopfield (1984)."""
    n = 8
    K, current = normal(n, n), normal(n, seed=1)
    K = K + K.mT
    dynamics = Hopfield(current, uniform(n, low=0.5, high=2.0))
    options = {"step_size": 0.02, "n_steps": 500, "solver": "rk4"}
    out = integrate(DenseCoupling(K), 3.0 * normal(n, seed=2), dynamics, **options).states.tanh()
    # The integral of the inverse of tanh.
    leak = out * out.atanh() + 0.5 * torch.log1p(-out.square())
    energy = -0.5 * ((out @ K) * out).sum(-1) - (current * out).sum(-1) + leak.sum(-1)
    assert (energy.diff() <= 1e-12).all()
    assert energy[-1] < energy[0] - 1.0


@pytest.mark.parametrize("gain", [0.9, 1.1])
def test_silence_is_stable_where_the_gain_is_below_one(gain):
    n = 10
    K = DenseCoupling(torch.full((n, n), gain / n, dtype=torch.float64))
    options = {"step_size": 0.2, "n_steps": 1500, "save_from": 1500, "solver": "rk4"}
    end = integrate(K, 0.1 * uniform(n, low=0.5), Hopfield(), **options).states[0]
    # Above, all units rest where x = g tanh x.
    torch.testing.assert_close(end, gain * end.tanh(), rtol=0, atol=1e-9)
    assert (float(end.abs().max()) < 1e-9) == (gain < 1.0)
