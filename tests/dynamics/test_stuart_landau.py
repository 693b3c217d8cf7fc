"""Oscillators with an amplitude: the contract, and what is known of them."""

import math

import numpy as np
import pytest
import torch
from contracts.draws import normal
from contracts.dynamics import DynamicsContract

from skkuranet.coupling import DenseCoupling
from skkuranet.dynamics import StuartLandau, integrate


class TestStuartLandau(DynamicsContract):
    turns = True

    def make(self, n, batch=()):
        return StuartLandau(normal(*batch, n, seed=1), normal(*batch, n, seed=2))

    def equation(self, x, K, growth, frequency):
        z = x[0] + 1j * x[1]
        rate = (growth + 1j * frequency - abs(z) ** 2) * z + (K * (z - z[:, None])).sum(1)
        return np.stack((rate.real, rate.imag))


#: Couplings, and how far two frequencies are apart.
DYING = [(1.2, 2.6), (1.5, 3.2), (2.0, 3.8)]
LIVING = [(0.8, 4.0), (1.2, 2.0), (1.5, 2.5), (2.0, 3.0)]


def test_amplitudes_die_where_theory_says():
    """Aronson, Ermentrout and Kopell (1990): K > 1 and Δ > 2 √(2 K − 1), for a = 1."""
    for strength, apart in DYING + LIVING:
        dies = strength > 1.0 and apart > 2.0 * math.sqrt(2.0 * strength - 1.0)
        assert dies == ((strength, apart) in DYING)
    strengths, differences = torch.tensor(DYING + LIVING, dtype=torch.float64).T
    K = strengths[:, None, None] * (1 - torch.eye(2))
    frequency = 0.5 * differences[:, None] * torch.tensor([-1.0, 1.0])
    start = 0.5 * normal(len(K), 2, 2)
    options = {"step_size": 0.1, "n_steps": 1500, "save_from": 1500, "solver": "rk4"}
    end = integrate(DenseCoupling(K), start, StuartLandau(frequency=frequency), **options)
    amplitude = end.states[0].norm(dim=1).amax(-1)
    assert (amplitude[: len(DYING)] < 1e-4).all()
    assert (amplitude[len(DYING) :] > 0.1).all()


def test_phases_are_followed_through_whole_turns():
    """Angles lie within a turn; those of a trajectory go on, as frequencies are read from them."""
    frequency = torch.tensor([5.0, -2.0, 0.1], dtype=torch.float64)
    start = torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    K = DenseCoupling(torch.zeros(3, 3, dtype=torch.float64))
    options = {"step_size": 0.05, "n_steps": 400, "solver": "rk4"}
    path = integrate(K, start.requires_grad_(), StuartLandau(frequency=frequency), **options)
    torch.testing.assert_close(path.effective_frequency(), frequency, rtol=1e-4, atol=1e-4)
    assert path.locked(math.inf).all()
    # The phase at the end is that at the beginning, and more: of a unit at (1, 0) so much by y.
    by_start = torch.autograd.grad(path.phases[-1, 0], start)[0]
    assert float(by_start[1, 0]) == pytest.approx(1.0, abs=1e-6)
