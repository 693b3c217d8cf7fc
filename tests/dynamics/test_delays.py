"""Delays: gradients, agreement with a naive integration, and the ring buffer."""

import math

import numpy as np
import pytest
import torch

from skkuranet.coupling import DenseCoupling, FactorizedCoupling
from skkuranet.dynamics import integrate

N = 5
DEVICE = "cpu"


@pytest.fixture(autouse=True)
def _on_every_device(device, monkeypatch):
    monkeypatch.setitem(globals(), "DEVICE", device)


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(DEVICE)


@pytest.fixture(params=["rotation", "constant"])
def history(request):
    return request.param


def test_gradients_through_delays(history):
    delay = torch.tensor([0.0, 0.1, 0.3, 0.2, 0.9], device=DEVICE)

    def flow(phases, matrix, frequency, field):
        return integrate(
            DenseCoupling(matrix),
            phases,
            frequency=frequency,
            field=field,
            delay=delay,
            history=history,
            step_size=0.1,
            n_steps=6,
            save_from=2,
        ).phases

    inputs = [normal(N, seed=s) for s in (1, 2, 3)]
    inputs.insert(1, normal(N, N))
    assert torch.autograd.gradcheck(flow, [i.requires_grad_() for i in inputs])


def test_gradients_of_batched_factors_through_delays():
    steps = torch.randint(4, (2, N), generator=torch.Generator().manual_seed(1))
    delay = 0.1 * steps.to(DEVICE)

    def flow(phases, left, right, frequency):
        return integrate(
            FactorizedCoupling(left, right),
            phases,
            frequency=frequency,
            delay=delay,
            step_size=0.1,
            n_steps=5,
        ).phases

    inputs = (normal(2, N), normal(2, N, 2, seed=1), normal(2, N, 2, seed=2), normal(N, seed=3))
    assert torch.autograd.gradcheck(flow, [i.requires_grad_() for i in inputs])


def naive(K, theta, omega, lag, step, n_steps, history):
    """All phases of all times in a list, and two loops."""
    rotating = history == "rotation"
    path = [theta - ago * step * omega * rotating for ago in range(int(lag.max()), 0, -1)]
    origin = len(path)
    path.append(theta)
    for _ in range(n_steps):
        now = path[-1]
        pull = np.zeros_like(now)
        for i in range(len(now)):
            for j in range(len(now)):
                pull[i] += K[i, j] * np.sin(path[len(path) - 1 - lag[j]][j] - now[i])
        path.append(now + step * (omega + pull))
    return np.array(path[origin:])


def test_equals_a_naive_integration(history):
    K, theta, omega = normal(N, N), normal(N, seed=1), normal(N, seed=2)
    lag = torch.tensor([3, 0, 7, 1, 2], device=DEVICE)
    ours = integrate(
        DenseCoupling(K),
        theta,
        frequency=omega,
        delay=0.05 * lag,
        history=history,
        step_size=0.05,
        n_steps=40,
    ).phases
    arrays = (a.cpu().numpy() for a in (K, theta, omega, lag))
    truth = naive(*arrays, 0.05, 40, history)
    np.testing.assert_allclose(ours.cpu(), truth, atol=1e-12)


def test_no_delay_is_the_plain_flow():
    K, theta = DenseCoupling(normal(N, N)), normal(N, seed=1)
    plain = integrate(K, theta, n_steps=20).phases
    torch.testing.assert_close(
        integrate(K, theta, delay=torch.zeros(N, device=DEVICE), n_steps=20).phases, plain
    )


def test_two_delayed_oscillators_lock_at_the_frequency_of_theory():
    """Two alike oscillators in phase rotate at Ω = ω − K sin(Ω τ) (Schuster and Wagner 1989)."""
    omega, strength, tau, step = 1.0, 0.8, 0.5, 0.001
    K = DenseCoupling(strength * (1 - torch.eye(2, dtype=torch.float64, device=DEVICE)))
    path = integrate(
        K,
        torch.tensor([0.0, 0.3], dtype=torch.float64, device=DEVICE),
        frequency=torch.full((2,), omega, dtype=torch.float64, device=DEVICE),
        delay=torch.full((2,), tau, device=DEVICE),
        step_size=step,
        n_steps=40_000,
        save_from=39_000,
    ).phases
    measured = float((path[-1] - path[0]).mean()) / (1000 * step)
    expected = omega
    for _ in range(200):
        expected = omega - strength * math.sin(expected * tau)
    assert measured == pytest.approx(expected, abs=1e-3)
    assert float((path[-1, 0] - path[-1, 1]).abs()) < 1e-6


@pytest.mark.parametrize("solver", ["rk4", "dopri5"])
def test_other_solvers_refuse_delays(solver):
    with pytest.raises(ValueError, match="solver='euler'"):
        integrate(
            DenseCoupling(normal(N, N)),
            normal(N),
            delay=torch.ones(N, device=DEVICE),
            solver=solver,
        )


def test_bad_delays_are_named():
    K, theta = DenseCoupling(normal(N, N)), normal(N)
    for bad in (-1.0, math.nan):
        with pytest.raises(ValueError, match="delay must be finite and not negative"):
            integrate(K, theta, delay=torch.full((N,), bad, device=DEVICE))
    with pytest.warns(UserWarning, match="by up to 0.03 units of time"):
        integrate(K, theta, delay=torch.full((N,), 0.13, device=DEVICE), n_steps=2)
    with pytest.raises(ValueError, match="history must be one of"):
        integrate(K, theta, history="random")


def test_derivatives_with_respect_to_delays_are_refused():
    K, theta = DenseCoupling(normal(N, N)), normal(N)
    delay = torch.full((N,), 0.2, device=DEVICE, requires_grad=True)
    with pytest.raises(NotImplementedError, match="delay is rounded to steps"):
        integrate(K, theta, delay=delay, n_steps=2)
    with torch.no_grad():
        quiet = integrate(K, theta, delay=delay, n_steps=2).phases
    expected = integrate(K, theta, delay=delay.detach(), n_steps=2).phases
    torch.testing.assert_close(quiet, expected)
