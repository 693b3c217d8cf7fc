"""Oscillators with inertia: the contract, and what is known of them."""

import numpy as np
import pytest
import torch
from contracts.draws import normal, uniform
from contracts.dynamics import DynamicsContract
from scipy.optimize import fsolve

from skkuranet.coupling import DenseCoupling
from skkuranet.dynamics import SecondOrder, integrate


class TestSecondOrder(DynamicsContract):
    responds = drifts = turns = True

    def make(self, n, batch=()):
        return SecondOrder(
            normal(*batch, n, seed=1),
            uniform(*batch, n, low=0.5, high=1.5, seed=2),
            uniform(*batch, n, low=1.0, high=1.5, seed=3),
        )

    def seen(self, state, speed):
        phase, velocity = state
        return torch.stack((phase, velocity - speed))

    def equation(self, x, K, frequency, inertia, damping):
        phase, velocity = x
        torque = frequency - damping * velocity + (K * np.sin(phase - phase[:, None])).sum(1)
        return np.stack((velocity, torque / inertia))


def test_a_grid_rests_where_power_flows():
    """Its phases are those at which lines carry what is fed in and taken out."""
    n = 10
    lines = (uniform(n, n) < 0.4).double().triu(1) + torch.eye(n).roll(1, 0).triu(1).double()
    lines = 6.0 * (lines + lines.mT).clamp_max(1.0)
    power = normal(n, seed=1)
    power = power - power.mean()

    capacity, fed = lines.numpy(), power.numpy()

    def imbalance(phases):
        phases = np.append(phases, 0.0)
        return (fed + (capacity * np.sin(phases - phases[:, None])).sum(1))[:-1]

    expected = fsolve(imbalance, np.zeros(n - 1), xtol=1e-12)
    dynamics = SecondOrder(power, uniform(n, low=0.5, high=1.5), torch.tensor(1.0))
    options = {"step_size": 0.1, "n_steps": 2000, "save_from": 2000, "solver": "rk4"}
    start = torch.zeros(2, n, dtype=torch.float64)
    phases, velocities = integrate(DenseCoupling(lines), start, dynamics, **options).states[0]
    np.testing.assert_allclose(velocities, 0.0, atol=1e-9)
    np.testing.assert_allclose((phases - phases[-1])[:-1], expected, atol=1e-9)


@pytest.mark.parametrize("power", [0.95, 1.05])
def test_two_machines_rest_where_their_line_carries_their_power(power):
    K = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    powers = torch.tensor([power, -power], dtype=torch.float64)
    dynamics = SecondOrder(powers, damping=torch.tensor(3.0))
    options = {"step_size": 0.2, "n_steps": 1000, "save_from": 1000, "solver": "rk4"}
    start = torch.zeros(2, 2, dtype=torch.float64)
    velocity = integrate(DenseCoupling(K), start, dynamics, **options).states[0, 1]
    assert (float(velocity.abs().max()) < 1e-6) == (power < 1.0)


def test_a_closed_grid_loses_energy_by_damping_alone():
    """Without power, kinetic energy and that of symmetric couplings fall together."""
    K, start = normal(6, 6), normal(2, 6, seed=1)
    K = K + K.mT
    inertia = uniform(6, low=0.5, high=2.0)
    options = {"step_size": 0.02, "n_steps": 400, "solver": "rk4"}
    path = integrate(DenseCoupling(K), start, SecondOrder(inertia=inertia), **options)
    phase, velocity = path.states.unbind(1)
    apart = phase.unsqueeze(-1) - phase.unsqueeze(-2)
    energy = 0.5 * (inertia * velocity**2).sum(-1) - 0.5 * (K * apart.cos()).sum((-2, -1))
    assert (energy.diff() <= 1e-8).all()
