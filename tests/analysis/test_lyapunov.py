"""Lyapunov exponents against closed forms, independent integration and published values."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.integrate import solve_ivp, trapezoid
from torch import Tensor

from skkuranet import OscillatorNetwork
from skkuranet.analysis import jacobian, lyapunov_spectrum
from skkuranet.dynamics import Dynamics

rng = np.random.default_rng(0)


def equal_spacing(n, strength):
    """The networks of Popovych, Maistrenko and Tass (2005), whose phases are chaotic."""
    return OscillatorNetwork(
        np.full((n, n), strength / n), frequency=-1 + (2 * np.arange(1, n + 1) - 1) / n
    )


@dataclass(frozen=True)
class Lorenz(Dynamics):
    rayleigh: Tensor
    state_shape: ClassVar = (3,)

    def signal(self, state):
        return state[..., :1, :]

    def rate(self, state, drive):
        x, y, z = state.unbind(-2)
        rates = 10 * (y - x), x * (self.rayleigh - z) - y, x * y - 8 / 3 * z
        return torch.stack(rates, -2)


def test_a_lorenz_system_has_its_published_exponents():
    """0.9056, 0 and -14.5723 (Viswanath 1998)."""
    alone = OscillatorNetwork([[0.0]], Lorenz, rayleigh=28.0)
    found = lyapunov_spectrum(alone, n_steps=20_000, step_size=0.01, random_state=0)
    assert np.abs(found.exponents - [0.9056, 0.0, -14.5723]).max() < 0.1
    np.testing.assert_allclose(found.exponents.sum(), -(10 + 1 + 8 / 3), atol=1e-3)
    np.testing.assert_allclose(found.kaplan_yorke_dimension, 2.062, atol=0.01)
    assert np.all(found.standard_errors < 0.1)


def test_the_volume_shrinks_as_an_independent_integration_says():
    network = equal_spacing(5, 1.0)
    omega, n = network.dynamics.frequency.numpy(), 5
    start, time = rng.uniform(0.0, 6.0, n), 20.0

    def variational(_, y):
        phases, spread = y[:n], y[n:].reshape(n, n)
        gap = phases - phases[:, None]
        slope = np.cos(gap) / n
        slope -= np.diag(slope.sum(1))
        return np.append(omega + np.sin(gap).sum(1) / n, slope @ spread)

    ends = solve_ivp(variational, (0, time), np.append(start, np.eye(n)), rtol=1e-10, atol=1e-12)
    exact = np.linalg.slogdet(ends.y[n:, -1].reshape(n, n))[1] / time
    found = lyapunov_spectrum(
        network, n_steps=400, step_size=0.05, transient=0, initial_state=start, random_state=0
    )
    np.testing.assert_allclose(found.exponents.sum(), exact, atol=1e-6)
    np.testing.assert_allclose(found.last_state, ends.y[:n, -1], atol=1e-5)


def test_phases_are_chaotic_where_they_were_found_to_be():
    """For four and more oscillators of equal spacing, below the coupling that locks them."""
    found = lyapunov_spectrum(equal_spacing(7, 1.0), n_steps=5000, random_state=0)
    assert 0.05 < found.exponents[0] < 0.12
    assert found.exponents[0] > 5 * found.standard_errors[0]
    locked = lyapunov_spectrum(equal_spacing(7, 1.6), n_steps=1000, random_state=0)
    np.testing.assert_allclose(locked.exponents[0], 0.0, atol=1e-6)
    assert locked.exponents[1] < -0.1


@pytest.mark.parametrize("n", [12, 80], ids=["matrices of steps", "step by step"])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_the_sum_is_the_mean_trace(n, kind):
    K = rng.normal(size=(n, n)) / np.sqrt(n)
    np.fill_diagonal(K, 0.0)
    network = OscillatorNetwork(kind(K), "sakaguchi", frequency=rng.normal(size=n), phase_lag=0.3)
    start = rng.uniform(0.0, 6.0, n)
    settings = {"n_steps": 60, "step_size": 0.05, "initial_state": start}
    found = lyapunov_spectrum(network, transient=0, random_state=0, qr_every=7, **settings)
    path = network.simulate(**settings).phases
    traces = [np.trace(jacobian(network, phases).dense()) for phases in path]
    mean = trapezoid(traces, dx=0.05) / 3.0
    np.testing.assert_allclose(found.exponents.sum(), mean, rtol=1e-3)
    few = lyapunov_spectrum(network, 3, transient=0, random_state=0, **settings)
    assert few.exponents.shape == (3,)
    np.testing.assert_allclose(few.last_state, path[-1], atol=1e-9)


@pytest.mark.parametrize(
    ("equation", "settings"),
    [
        ("kuramoto", {}),
        ("stuart_landau", {}),
        ("second_order", {"inertia": 0.5}),
        ("sphere", {}),
        ("hopfield", {}),
    ],
)
def test_at_rest_they_are_the_eigenvalues(equation, settings):
    n = 6
    K = rng.uniform(0.1, 0.3, (n, n))
    network = OscillatorNetwork(K + K.T, equation, **settings)
    start = network.initial_state(0)
    rest = network.simulate(initial_state=start, n_steps=3000, save_from=3000).states[-1]
    found = lyapunov_spectrum(network, n_steps=4000, initial_state=rest, random_state=0)
    values = jacobian(network, rest).eigenvalues().real
    if equation == "sphere":
        # In both directions in which a vector may go from where all agree.
        values = np.repeat(np.linalg.eigvalsh(K + K.T - np.diag((K + K.T).sum(1)))[::-1], 2)
    np.testing.assert_allclose(found.exponents, values, atol=0.05)


def test_both_ways_to_carry_differences_agree(monkeypatch):
    from skkuranet.analysis import _tangents

    network = equal_spacing(6, 1.0)
    settings = {"n_steps": 100, "random_state": 1, "transient": 5}
    at_once = lyapunov_spectrum(network, **settings).history
    monkeypatch.setattr(_tangents, "_SMALL", 0)
    np.testing.assert_allclose(lyapunov_spectrum(network, **settings).history, at_once, atol=1e-10)


def test_the_result_tells_how_it_came_about():
    found = lyapunov_spectrum(equal_spacing(5, 1.0), n_steps=205, random_state=0)
    np.testing.assert_allclose(found.times[[0, -1]], [1.0, 20.5])
    np.testing.assert_array_equal(found.history[-1], found.exponents)
    assert found.to_dataframe().shape == (21, 5)
    assert "5 exponents in time 20.5" in repr(found)
    again = lyapunov_spectrum(equal_spacing(5, 1.0), n_steps=205, random_state=0)
    np.testing.assert_array_equal(again.exponents, found.exponents)


def test_an_interrupted_run_keeps_what_it_has():
    def interrupt(done):
        if done >= 50:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted at step 50 of 1000"):
        found = lyapunov_spectrum(equal_spacing(5, 1.0), random_state=0, progress=interrupt)
    np.testing.assert_allclose(found.times[-1], 5.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_exponents": 6}, "n_exponents must lie between 1 and 5.*got 6"),
        ({"n_steps": 0}, "n_steps must be at least 1, got 0"),
        ({"transient": -1}, "transient must be at least 0, got -1"),
        ({"step_size": 0.0}, "step_size must be positive"),
        ({"initial_state": np.zeros(3)}, "initial_state must have shape"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        lyapunov_spectrum(equal_spacing(5, 1.0), **settings)


def test_what_has_no_spectrum_is_named():
    with pytest.raises(ValueError, match=r"knows no noise.*network.replace\(noise=None\)"):
        lyapunov_spectrum(equal_spacing(5, 1.0).replace(noise=0.1))
    small = equal_spacing(50, 1.0).replace(memory_budget=10_000)
    with pytest.raises(ValueError, match=r"takes \d+ bytes, more than memory_budget=10000"):
        lyapunov_spectrum(small)
