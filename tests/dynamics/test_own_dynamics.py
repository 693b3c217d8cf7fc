"""Dynamics of the user's own, of a few lines each, hold the same contract."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from contracts.draws import normal, uniform
from contracts.dynamics import DynamicsContract
from torch import Tensor

from skkuranet.coupling import DenseCoupling
from skkuranet.dynamics import Dynamics, Kuramoto, integrate


@dataclass(frozen=True)
class FitzHughNagumo(Dynamics):
    current: Tensor
    state_shape: ClassVar = (2,)

    def signal(self, state):
        return torch.stack((state[..., 0, :], torch.ones_like(state[..., 0, :])), -2)

    def rate(self, state, drive):
        (v, w), (sent, degree) = state.unbind(-2), drive.unbind(-2)
        return torch.stack((v - v**3 / 3 - w + self.current + sent - degree * v, 0.1 * (v - w)), -2)


class TestFitzHughNagumo(DynamicsContract):
    def make(self, n, batch=()):
        return FitzHughNagumo(normal(*batch, n, seed=1))

    def equation(self, x, K, current):
        v, w = x
        pull = (K * (v - v[:, None])).sum(1)
        return np.stack((v - v**3 / 3 - w + current + pull, 0.1 * (v - w)))


@dataclass(frozen=True)
class Winfree(Dynamics):
    """What units send depends on a parameter, too."""

    frequency: Tensor
    sharpness: Tensor

    def signal(self, state):
        return (1.0 + self.sharpness * state.cos()).unsqueeze(-2)

    def rate(self, state, drive):
        return self.frequency - state.sin() * drive.squeeze(-2)

    def before(self, state, ago):
        return state - ago * self.frequency


class TestWinfree(DynamicsContract):
    def make(self, n, batch=()):
        return Winfree(normal(*batch, n, seed=1), normal(*batch, n, seed=2))

    def equation(self, x, K, frequency, sharpness):
        return frequency - np.sin(x) * (K @ (1 + sharpness * np.cos(x)))


@dataclass(frozen=True)
class Matrices(Dynamics):
    """States of two axes, all of which leak at their own rates."""

    leak: Tensor
    state_shape: ClassVar = (2, 2)

    def signal(self, state):
        return torch.linalg.det(state.movedim(-1, -3)).unsqueeze(-2).tanh()

    def rate(self, state, drive):
        leak = self.leak.reshape(*self.leak.shape[:-1], 1, 1, -1)
        return drive.unsqueeze(-2) - leak * state


class TestMatrices(DynamicsContract):
    def make(self, n, batch=()):
        return Matrices(uniform(*batch, n, low=0.5, seed=1))

    def equation(self, x, K, leak):
        determinants = x[0, 0] * x[1, 1] - x[0, 1] * x[1, 0]
        return K @ np.tanh(determinants) - leak * x


@dataclass(frozen=True)
class Repelled(Kuramoto):
    """A subclass of one that has a twin in place, which knows nothing of the change."""

    def rate(self, state, drive):
        return 2.0 * self.frequency - super().rate(state, drive)

    def respond(self, drive):
        return None


class TestRepelled(DynamicsContract):
    def make(self, n, batch=()):
        return Repelled(normal(*batch, n, seed=1), normal(*batch, n, seed=2))

    def equation(self, x, K, frequency, field):
        return frequency - (K * np.sin(x - x[:, None])).sum(1) - field * np.sin(x)


@dataclass(frozen=True)
class Spikes(Dynamics):
    """Units that send 0 or 1, with a slope that gradients take in place of none."""

    def signal(self, state):
        return (state > 0).to(state).unsqueeze(-2)

    def rate(self, state, drive):
        return drive.squeeze(-2) - state

    def pull_signal(self, state, grad):
        return grad.squeeze(-2) / (1.0 + state.abs()).square(), []


@pytest.mark.parametrize("solver", ["euler", "rk4"])
def test_a_slope_of_ones_own_is_taken(solver):
    K = normal(4, 4).requires_grad_()
    start = normal(4, seed=1).requires_grad_()
    path = integrate(DenseCoupling(K), start, Spikes(), n_steps=1, solver=solver).states
    by_start = torch.autograd.grad(path[-1].sum(), start)[0]
    plain = torch.autograd.functional.jacobian(lambda x: (x > 0).double() @ K.mT - x, start)
    assert not torch.allclose(by_start, 1.0 + 0.1 * plain.sum(0), atol=1e-3)
    if solver == "euler":
        slope = 1.0 / (1.0 + start.abs()).square()
        torch.testing.assert_close(by_start, 0.9 + 0.1 * slope * K.sum(0))


@pytest.mark.parametrize("solver", ["euler", "rk4", "dopri5"])
@pytest.mark.parametrize("batch", [(), (2,), (4,)])
def test_signals_and_rates_of_another_shape_are_named(solver, batch):
    @dataclass(frozen=True)
    class OneOfTwo(FitzHughNagumo):
        def rate(self, state, drive):
            return self.current - state[..., 0, :]

    @dataclass(frozen=True)
    class WithoutAxis(Winfree):
        def signal(self, state):
            return state.cos()

    K, current = DenseCoupling(normal(*batch, 4, 4)), normal(4, seed=1)
    with pytest.raises(ValueError, match=r"OneOfTwo.rate must return the shape .*2, 4\), got .*4"):
        integrate(K, normal(*batch, 2, 4), OneOfTwo(current), n_steps=2, solver=solver)
    with pytest.raises(ValueError, match=r"WithoutAxis.signal must return shape .*m, 4\)"):
        integrate(K, normal(*batch, 4), WithoutAxis(current, current), n_steps=2, solver=solver)
