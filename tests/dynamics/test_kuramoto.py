"""Kuramoto oscillators: the contract, and what is known of them."""

import math

import numpy as np
import pytest
import torch
from contracts.draws import normal
from contracts.dynamics import DynamicsContract

from skkuranet.coupling import DenseCoupling, FactorizedCoupling
from skkuranet.dynamics import Kuramoto, integrate


class TestKuramoto(DynamicsContract):
    responds = drifts = turns = True

    def make(self, n, batch=()):
        return Kuramoto(normal(*batch, n, seed=1), normal(*batch, n, seed=2))

    def frameless(self, n):
        return Kuramoto(normal(n, seed=1))

    def equation(self, x, K, frequency, field):
        return frequency + (K * np.sin(x - x[:, None])).sum(1) + field * np.sin(x)


class TestKuramotoAlone(TestKuramoto):
    """Without parameters."""

    drifts = False

    def make(self, n, batch=()):
        return Kuramoto()

    def equation(self, x, K):
        return (K * np.sin(x - x[:, None])).sum(1)


def test_a_field_marks_a_frame_out():
    assert Kuramoto(field=normal(3)).rotating(0.5) is None


def test_energy_of_symmetric_couplings_never_rises():
    K, start = normal(6, 6), normal(6, seed=1)
    K = K + K.mT
    path = integrate(DenseCoupling(K), start, step_size=0.01, n_steps=400, solver="rk4").phases
    difference = path.unsqueeze(-1) - path.unsqueeze(-2)
    energy = -0.5 * (K * difference.cos()).sum((-2, -1))
    assert (energy.diff() <= 1e-12).all()
    assert energy[-1] < energy[0] - 1.0


@pytest.mark.parametrize("ratio", [0.5, 0.95, 1.05, 2.0])
def test_a_driven_oscillator_locks_where_its_frequency_is_below_the_coupling(ratio):
    """Adler (1946): it locks at arcsin(ω/K), or slips at √(ω² − K²)."""
    strength = 0.8
    K = torch.tensor([[0.0, 0.0], [strength, 0.0]], dtype=torch.float64)
    frequency = torch.tensor([0.0, ratio * strength], dtype=torch.float64)
    options = {"step_size": 0.05, "n_steps": 4000, "save_from": 2000, "solver": "rk4"}
    path = integrate(DenseCoupling(K), torch.zeros_like(frequency), Kuramoto(frequency), **options)
    turning = float(path.effective_frequency()[1])
    if ratio < 1.0:
        assert turning == pytest.approx(0.0, abs=1e-6)
        assert float(path.phases[-1, 1]) == pytest.approx(math.asin(ratio))
    else:
        beat = strength * math.sqrt(ratio**2 - 1.0)
        # It may be anywhere in its turn when watching begins and ends.
        turns = 2 * math.pi / float(path.times[-1] - path.times[0])
        assert turning == pytest.approx(beat, abs=turns)
    assert bool(path.locked()[1]) == (ratio < 1.0)


@pytest.mark.parametrize(("ratio", "tolerance"), [(0.6, 0.06), (1.5, 0.01), (2.5, 0.01)])
def test_lorentzian_frequencies_synchronise_from_the_critical_coupling_on(ratio, tolerance):
    """Kuramoto (1975): R = √(1 − K_c/K), with K_c twice the width."""
    n, width = 1000, 0.2
    levels = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    frequency = (width * torch.tan(math.pi * (levels - 0.5))).clamp(-10, 10)
    ones = torch.ones(n, 1, dtype=torch.float64)
    path = integrate(
        FactorizedCoupling(ones * (2.0 * width * ratio / n), ones),
        6.0 * levels[torch.randperm(n, generator=torch.Generator().manual_seed(0))],
        Kuramoto(frequency),
        step_size=0.1,
        n_steps=1500,
        save_from=1000,
    )
    expected = math.sqrt(max(0.0, 1.0 - 1.0 / ratio))
    assert float(path.order_parameter().mean()) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("wrong", [torch.tensor(torch.nan), torch.tensor([0.0, torch.inf])])
@pytest.mark.parametrize("name", ["frequency", "field"])
def test_parameters_that_are_not_finite_are_named(name, wrong):
    coupling = DenseCoupling(torch.eye(2))
    with pytest.raises(ValueError, match=rf"{name} must be finite; 1 of its"):
        integrate(coupling, torch.zeros(2), n_steps=3, **{name: wrong})
