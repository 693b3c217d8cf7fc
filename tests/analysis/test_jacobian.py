"""Jacobians of every equation and every kind of couplings against autograd's."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import Tensor

from skkuranet import OscillatorNetwork
from skkuranet.analysis import jacobian
from skkuranet.coupling import DenseCoupling, FactorizedCoupling
from skkuranet.dynamics import Dynamics

N = 7
rng = np.random.default_rng(0)
K = rng.normal(size=(N, N)) * (rng.uniform(size=(N, N)) < 0.6)


@dataclass(frozen=True)
class FitzHughNagumo(Dynamics):
    current: Tensor
    state_shape: ClassVar = (2,)

    def signal(self, state):
        return torch.stack((state[..., 0, :], torch.ones_like(state[..., 0, :])), -2)

    def rate(self, state, drive):
        (v, w), (sent, degree) = state.unbind(-2), drive.unbind(-2)
        return torch.stack((v - v**3 / 3 - w + self.current + sent - degree * v, 0.1 * (v - w)), -2)


EQUATIONS = {
    "kuramoto": {"frequency": rng.normal(size=N), "field": rng.normal(size=N)},
    "sakaguchi": {"frequency": rng.normal(size=N), "phase_lag": rng.normal(size=N)},
    "daido": {"second": rng.normal(size=N)},
    "second_order": {"inertia": 2.0, "damping": rng.uniform(1.0, 2.0, N)},
    "stuart_landau": {"frequency": rng.normal(size=N)},
    "sphere": {"rotation": rng.normal(size=(3, 3, N))},
    "theta_neurons": {"excitability": rng.normal(size=N)},
    "hopfield": {"time_constant": rng.uniform(1.0, 2.0, N)},
    "sis": {"susceptibility": rng.uniform(1.0, 2.0, N)},
    FitzHughNagumo: {"current": rng.normal(size=N)},
}


def by_autograd(couplings, equation, state):
    network = OscillatorNetwork(torch.tensor(couplings), equation, **EQUATIONS[equation])
    found = torch.autograd.functional.jacobian(network.velocity, torch.as_tensor(state))
    return found.reshape(state.size, state.size).numpy()


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_every_equation_has_its_derivative(equation, kind):
    network = OscillatorNetwork(kind(K), equation, coupling_scale=0.5, **EQUATIONS[equation])
    state = network.initial_state(0)
    exact = by_autograd(0.5 * K, equation, state)
    found = jacobian(network, state)
    np.testing.assert_allclose(found.dense(), exact, atol=1e-12)
    V = rng.normal(size=(state.size, 3))
    np.testing.assert_allclose(found.matmat(V), exact @ V, atol=1e-12)
    np.testing.assert_allclose(found.rmatmat(V), exact.T @ V, atol=1e-12)
    np.testing.assert_allclose(found.as_linear_operator() @ V, exact @ V, atol=1e-12)
    np.testing.assert_allclose(found.rmatvec(V[:, 0]), exact.T @ V[:, 0], atol=1e-12)
    if kind is sp.csr_array:
        np.testing.assert_allclose(found.sparse().toarray(), exact, atol=1e-12)
    values = found.eigenvalues()
    assert np.all(np.diff(values.real) <= 0)
    np.testing.assert_allclose(values.sum().real, np.trace(exact), atol=1e-9)


def test_finite_differences_agree():
    network = OscillatorNetwork(K, "sakaguchi", phase_lag=0.4)
    state, step = network.initial_state(1), 1e-6
    found = jacobian(network, state).dense()
    for j in range(N):
        moved = step * np.eye(N)[j]
        ends = network.velocity(state + moved) - network.velocity(state - moved)
        np.testing.assert_allclose(found[:, j], ends / (2 * step), atol=1e-8)


def test_factors_stay_factors():
    left, right = torch.randn(2, 10**5, 2, generator=torch.Generator().manual_seed(0))
    network = OscillatorNetwork(FactorizedCoupling(left / 10**5, right), frequency=0.0)
    found = jacobian(network, network.initial_state(0))
    v = torch.ones(10**5, dtype=torch.float64)
    # A rotation of all changes nothing, but for the single precision of these factors.
    assert found.matvec(v).abs().max() < 1e-4
    with pytest.raises(TypeError, match="FactorizedCoupling makes no sparse"):
        found.sparse()
    with pytest.raises(ValueError, match="takes 80000000000 bytes, more than memory_budget"):
        found.dense()


@pytest.mark.parametrize("back", [1.0, 0.3], ids=["symmetric", "one way"])
def test_leading_eigenvalues_of_large_networks(back):
    n, jumps = 2100, np.array([1, 47, 301, 700])
    offsets = [*jumps, *(jumps - n), *-jumps, *(n - jumps)]
    weights = np.repeat([1.0, back], 2 * len(jumps))
    circulant = sp.csr_array(sp.diags_array(weights, offsets=offsets, shape=(n, n)))
    found = jacobian(OscillatorNetwork(circulant), np.zeros(n)).eigenvalues(3)
    angle = 2 * np.pi * np.outer(np.arange(n), jumps) / n
    exact = ((1 + back) * (np.cos(angle) - 1)).sum(1)
    np.testing.assert_allclose(found.real, np.sort(exact)[::-1][:3], atol=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: jacobian(K, np.zeros(N)), TypeError, "takes an OscillatorNetwork, got ndarray"),
        (
            lambda: jacobian(OscillatorNetwork(K, coupling_scale=[1.0, 2.0]), np.zeros(N)),
            ValueError,
            r"takes one network, got a batch of shape \(2,\)",
        ),
        (
            lambda: jacobian(OscillatorNetwork(K, delay=0.5), np.zeros(N)),
            ValueError,
            r"knows no delay.*network.replace\(delay=None\)",
        ),
        (lambda: jacobian(OscillatorNetwork(K), np.zeros(3)), ValueError, "state must have shape"),
        (
            lambda: jacobian(OscillatorNetwork(K), np.zeros((2, N))),
            ValueError,
            "state must be one state",
        ),
        (
            lambda: jacobian(OscillatorNetwork(K), np.zeros(N)).matvec(np.ones(3)),
            ValueError,
            "Vectors must have 7 numbers",
        ),
        (
            lambda: jacobian(OscillatorNetwork(K), np.zeros(N)).eigenvalues(8),
            ValueError,
            "k must be at most 7, got 8",
        ),
    ],
)
def test_what_cannot_be_linearised_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_single_precision_is_no_less_exact():
    rounded = K.astype(np.float32)
    network = OscillatorNetwork(DenseCoupling(torch.tensor(rounded)), **EQUATIONS["kuramoto"])
    state = rng.normal(size=N).astype(np.float32)
    exact = by_autograd(rounded.astype(float), "kuramoto", state.astype(float))
    np.testing.assert_allclose(jacobian(network, state).dense(), exact, atol=1e-6)
    assert jacobian(network, state).matvec(torch.ones(N)).dtype == torch.float64
