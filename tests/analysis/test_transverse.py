"""Transverse exponents against closed forms and whole Jacobians."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skkuranet import OscillatorNetwork
from skkuranet.analysis import jacobian, lyapunov_spectrum, master_stability, transverse_exponents
from skkuranet.dynamics import StuartLandau

rng = np.random.default_rng(0)
QUICK = {"n_steps": 200, "step_size": 0.05, "random_state": 0}


def circulant(first):
    return np.stack([np.roll(first, shift) for shift in range(len(first))])


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_full_synchrony_of_lagging_oscillators_has_its_closed_form(kind):
    n, lag = 9, 0.6
    K = circulant(rng.uniform(0.0, 0.5, n) * (np.arange(n) > 0))
    network = OscillatorNetwork(kind(K), "sakaguchi", frequency=0.3, phase_lag=lag)
    found = transverse_exponents(network, **QUICK)
    laplacian = np.linalg.eigvals(np.diag(K.sum(1)) - K)
    exact = np.sort(-np.cos(lag) * laplacian.real)[:-1]
    np.testing.assert_allclose(np.sort(found.growth[0]), exact, atol=1e-5)
    np.testing.assert_allclose(found.exponents, exact.max(), atol=1e-5)
    assert found.stable
    assert not transverse_exponents(network.replace(phase_lag=2.0), **QUICK).stable


def test_two_clusters_of_daido_have_their_closed_form():
    n, n_first, second = 10, 7, 0.9
    labels = np.where(np.arange(n) < n_first, "many", "few")
    network = OscillatorNetwork(np.full((n, n), 1 / n), "daido", second=second)
    found = transverse_exponents(network, labels, initial_state=[np.pi, 0.0], **QUICK)
    assert found.labels.tolist() == ["few", "many"]
    excess = 2 * n_first / n - 1
    np.testing.assert_allclose(
        found.exponents, [excess - 2 * second, -excess - 2 * second], atol=1e-5
    )
    alone = network.replace(second=0.1)
    weak = transverse_exponents(alone, labels, initial_state=[np.pi, 0.0], **QUICK)
    assert not weak.stable
    assert weak.to_dataframe().loc["few", "exponent"] > 0


def intertwined():
    """Two pairs whose nodes act crosswise, and a single node that acts on all."""
    K = np.zeros((5, 5))
    K[0, 2] = K[1, 3] = 0.8
    K[2, 0] = K[3, 1] = 0.7
    K[0, 1] = K[1, 0] = 0.3
    K[:4, 4] = 0.5
    K[4, 0] = K[4, 1] = 0.2
    return K, [0, 0, 1, 1, 2]


def apart():
    """Two triples that receive the same from all of the other."""
    K = np.full((6, 6), 0.2)
    K[:3, :3], K[3:, 3:] = circulant([0.0, 0.5, 0.1]), circulant([0.1, 0.0, 0.4])
    return K, [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("make", [intertwined, apart])
@pytest.mark.parametrize("equation", ["kuramoto", "second_order", "stuart_landau", "sphere"])
def test_at_rest_they_are_eigenvalues_of_the_whole(make, equation):
    K, labels = make()
    network = OscillatorNetwork(K, equation)
    q = max(labels) + 1
    state = network.dynamics.draw((), 1, torch.Generator().manual_seed(0)).numpy().repeat(q, -1)
    if equation == "stuart_landau":
        state = state / np.linalg.norm(state, axis=0)
    found = transverse_exponents(
        network, labels, initial_state=state, n_steps=1500, step_size=0.05, random_state=0
    )
    whole = jacobian(network, found.last_state[..., labels])
    basis = np.zeros((0, len(labels)))
    for label in range(q):
        inside = np.flatnonzero(np.array(labels) == label)
        for i in inside[1:]:
            row = np.zeros((1, len(labels)))
            row[0, inside[0]], row[0, i] = 1.0, -1.0
            basis = np.append(basis, row, 0)
    d = whole.shape[0] // len(labels)
    spread = np.kron(np.eye(d), basis)
    values = np.linalg.eigvals(spread @ whole.dense() @ np.linalg.pinv(spread)).real
    np.testing.assert_allclose(found.exponents.max(), values.max(), atol=2e-2)
    assert found.intertwined == (((0, 1),) if make is intertwined else ())
    if make is intertwined:
        assert found.exponents[0] == found.exponents[1]
        assert found.exponents[2] == -np.inf


def test_what_couplings_do_not_reach_grows_as_alone():
    """The master stability function begins at the largest Lyapunov exponent of one unit."""
    pulled = OscillatorNetwork([[0.5]], StuartLandau(growth=1.0), frequency=2.0)
    settings = {**QUICK, "n_steps": 1000}
    found = master_stability(pulled, [0.5, 0.5 + 0.2j, 0.1], **settings)
    np.testing.assert_allclose(found, [0.0, 0.0, -0.4], atol=2e-2)
    alone = lyapunov_spectrum(pulled, **settings).exponents[0]
    np.testing.assert_allclose(found[0], alone, atol=2e-2)


def test_results_are_reproducible():
    K, labels = intertwined()
    network = OscillatorNetwork(K, frequency=0.5)
    first, second = (transverse_exponents(network, labels, **QUICK) for _ in range(2))
    np.testing.assert_array_equal(first.exponents, second.exponents)
    assert "3 clusters, stable" in repr(first)


@pytest.mark.parametrize(
    ("labels", "settings", "message"),
    [
        ([0, 0, 0, 1, 2], {}, "nodes of cluster 0 receive between .* a residual of"),
        ([0, 0, 1], {}, r"labels must have shape \(5,\), one for each node, got \(3,\)"),
        ([0, 0, 1, 1, 2], {"n_steps": 0}, "n_steps must be at least 1, got 0"),
        ([0, 0, 1, 1, 2], {"step_size": -1.0}, "step_size must be positive"),
        ([0, 0, 1, 1, 2], {"initial_state": np.zeros(5)}, "initial_state must have shape"),
    ],
)
def test_bad_input_is_named(labels, settings, message):
    network = OscillatorNetwork(intertwined()[0])
    with pytest.raises(ValueError, match=message):
        transverse_exponents(network, labels, **settings)


def test_units_that_differ_are_named():
    K, labels = intertwined()
    network = OscillatorNetwork(K, frequency=[0.0, 0.1, 0.0, 0.0, 1.0])
    with pytest.raises(ValueError, match=r"frequency differs by 0\.1 within cluster 0"):
        transverse_exponents(network, labels)
    with pytest.raises(ValueError, match="knows no delay"):
        transverse_exponents(network.replace(delay=0.5), labels)
    with pytest.raises(ValueError, match=r"takes \d+ bytes, more than memory_budget=100"):
        transverse_exponents(network.replace(memory_budget=100), labels)
    with pytest.raises(TypeError, match="eigenvalues must be numbers"):
        master_stability(OscillatorNetwork([[0.5]]), ["one"])


def test_steps_are_divided_as_strong_couplings_need():
    first = 25.0 * np.array([0.0, 1.0, 0.0, 0.0, 0.0, 1.0])
    network = OscillatorNetwork(circulant(first), frequency=0.3)
    run = {"n_steps": 50, "transient": 20, "random_state": 0}
    slowest = 50.0 * (np.cos(np.pi / 3) - 1.0)
    np.testing.assert_allclose(transverse_exponents(network, **run).exponents, slowest, rtol=0.01)
    np.testing.assert_allclose(
        master_stability(network, [50.0, 25.0, -50.0], **run), [0.0, -25.0, -100.0], atol=1.0
    )
    spectrum = lyapunov_spectrum(network, initial_state=np.zeros(6), **run).exponents
    exact = np.sort(50.0 * (np.cos(np.arange(6) * np.pi / 3) - 1.0))[::-1]
    np.testing.assert_allclose(spectrum, exact, atol=1.0)
    with pytest.warns(UserWarning, match="each step of 0.1 is divided into"):
        master_stability(network.replace(coupling_scale=100.0), [0.0], **run | {"n_steps": 1})
