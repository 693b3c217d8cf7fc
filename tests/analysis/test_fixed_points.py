"""Fixed points against closed forms, other solvers and published stability."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import brentq, root

from skkuranet import OscillatorNetwork
from skkuranet.analysis import fixed_points, jacobian

rng = np.random.default_rng(0)


def ring(n, reach):
    gap = np.abs(np.arange(n)[:, None] - np.arange(n))
    gap = np.minimum(gap, n - gap)
    return ((gap > 0) & (gap <= reach)).astype(float)


def test_two_oscillators_lock_at_their_closed_form():
    network = OscillatorNetwork([[0.0, 1.0], [1.0, 0.0]], frequency=[0.2, 0.8])
    locked, saddle = fixed_points(network, random_state=0)
    gap = np.arcsin(0.3)
    np.testing.assert_allclose(locked.speed, 0.5)
    np.testing.assert_allclose(np.diff(locked.phases) % (2 * np.pi), gap, atol=1e-8)
    np.testing.assert_allclose(np.diff(saddle.phases) % (2 * np.pi), np.pi - gap, atol=1e-8)
    np.testing.assert_allclose(locked.eigenvalues, [-2 * np.cos(gap)], atol=1e-8)
    np.testing.assert_allclose(saddle.eigenvalues, [2 * np.cos(gap)], atol=1e-8)
    assert locked.stable
    assert saddle.n_unstable == 1


def test_what_is_found_turns_as_a_whole():
    K = rng.uniform(0.0, 0.4, (12, 12))
    for dynamics in ("kuramoto", "sakaguchi", "daido", "stuart_landau", "second_order"):
        extra = {"phase_lag": 0.4} if dynamics == "sakaguchi" else {}
        network = OscillatorNetwork(K, dynamics, frequency=0.1 * rng.normal(size=12) + 1, **extra)
        found = fixed_points(network, n_starts=3, random_state=0)[0]
        assert found.stable
        moved = network.simulate(initial_state=found.state, n_steps=100, step_size=0.02)
        np.testing.assert_allclose(moved.phases[-1] - moved.phases[0], 2.0 * found.speed, atol=1e-6)


@pytest.mark.parametrize(("n", "reach"), [(12, 1), (20, 2)])
def test_twisted_states_are_stable_as_published(n, reach):
    """Nearest neighbours: below a quarter turn each (Wiley, Strogatz and Girvan 2006)."""
    network = OscillatorNetwork(ring(n, reach))
    twists = np.arange(-n // 2 + 1, n // 2 + 1)
    states = 2 * np.pi * np.outer(twists, np.arange(n)) / n
    gaps = np.arange(1, reach + 1)
    for twist, state in zip(twists, states, strict=True):
        (found,) = fixed_points(network, initial_states=state)
        pull = 2 * np.cos(2 * np.pi * twist * gaps / n)
        modes = 2 * np.pi * np.outer(np.arange(1, n), gaps) / n
        exact = np.sort((pull * (np.cos(modes) - 1)).sum(1))[::-1]
        np.testing.assert_allclose(found.eigenvalues, exact[:6], atol=1e-7)
        if reach == 1 and abs(twist) != n / 4:
            assert found.stable == (abs(twist) < n / 4)


def test_random_starts_find_twisted_states():
    found = fixed_points(OscillatorNetwork(ring(12, 1)), n_starts=30, random_state=0)
    stable = [point for point in found if point.stable]
    turns = [
        np.angle(np.exp(1j * np.diff(p.phases, append=p.phases[0]))).sum() / (2 * np.pi)
        for p in stable
    ]
    assert {0, 1, -1} <= set(np.round(turns).astype(int)) <= {-2, -1, 0, 1, 2}
    assert len(stable) == len(set(np.round(turns)))


def test_the_swing_equation_solves_power_flow():
    lines = ring(6, 1) * 4.0
    lines[0, 3] = lines[3, 0] = 2.0
    power = np.array([1.0, -0.5, -0.5, 1.0, -1.0, 0.0])

    def flow(phases):
        phases = np.append(0.0, phases)
        return (power + (lines * np.sin(phases - phases[:, None])).sum(1))[1:]

    solved = np.append(0.0, root(flow, np.zeros(5), tol=1e-12).x)
    network = OscillatorNetwork(lines, "second_order", frequency=power, inertia=0.5, damping=0.3)
    found = fixed_points(network, n_starts=3, random_state=0)[0]
    np.testing.assert_allclose(found.speed, 0.0, atol=1e-9)
    np.testing.assert_allclose(found.state[0] - found.state[0, 0], solved, atol=1e-7)
    assert found.stable
    # More fed in than taken out: all turn faster.
    faster = fixed_points(network.replace(frequency=power + 0.06), n_starts=1, random_state=0)[0]
    np.testing.assert_allclose(faster.state[1], 0.2, atol=1e-8)
    np.testing.assert_allclose(faster.speed, 0.2, atol=1e-8)


def test_epidemics_have_two_states():
    K = np.full((5, 5), 0.5)
    starts = [np.full(5, 0.9), np.full(5, 0.01)]
    endemic, gone = fixed_points(OscillatorNetwork(K, "sis"), initial_states=starts)
    np.testing.assert_allclose(endemic.state, 1 - 1 / 2.5, atol=1e-8)
    np.testing.assert_allclose(gone.state, 0.0, atol=1e-8)
    assert (endemic.stable, gone.n_unstable) == (True, 1)
    assert endemic.phases is None
    np.testing.assert_allclose(gone.eigenvalues[0], 1.5, atol=1e-8)


def test_neurons_of_a_memory_rest_where_brent_says():
    network = OscillatorNetwork(np.full((4, 4), 0.5), "hopfield")
    found = [p for p in fixed_points(network, n_starts=20, random_state=0) if p.stable]
    level = brentq(lambda x: 2 * np.tanh(x) - x, 0.5, 3.0)
    assert sorted(np.sign(p.state[0]) for p in found) == [-1, 1]
    np.testing.assert_allclose([np.abs(p.state) for p in found], level, atol=1e-8)


def test_states_on_a_sphere_are_one_up_to_rotations():
    network = OscillatorNetwork(ring(8, 2), "sphere")
    found = fixed_points(network, n_starts=10, random_state=0)
    stable = [point for point in found if point.stable]
    assert len(stable) == 1
    assert stable[0].n_starts >= 10
    np.testing.assert_allclose(np.abs(stable[0].state - stable[0].state[:, :1]).max(), 0, atol=1e-7)


def test_a_large_graph_takes_products_alone():
    n = 5000
    graph = sp.csr_array((np.ones(6 * n), tuple(rng.integers(n, size=(2, 6 * n)))), shape=(n, n))
    graph = sp.csr_array(graph + graph.T)
    graph.data[:] = 1.0
    network = OscillatorNetwork(graph, frequency=0.3 * rng.normal(size=n))
    found = fixed_points(network, initial_states=np.zeros(n))
    assert np.abs(network.velocity(found[0].state) - found[0].speed).max() < 1e-9
    assert found[0].stable
    dense = jacobian(network, found[0].state).sparse()
    assert abs(dense - dense.T).max() < 1e-12


def test_single_precision_and_learned_kinds_of_couplings_converge():
    K = ring(6, 1).astype(np.float32)
    (found,) = fixed_points(OscillatorNetwork(K), initial_states=0.1 * rng.normal(size=6))
    assert found.stable
    assert found.residual < 1e-9


def test_starts_are_reproducible():
    network = OscillatorNetwork(ring(8, 1), frequency=0.1 * rng.normal(size=8))
    first, second = (fixed_points(network, n_starts=4, random_state=3) for _ in range(2))
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.state, other.state)


def test_no_rest_is_said_with_what_was_reached():
    network = OscillatorNetwork(0.1 * ring(3, 1), frequency=[-1.0, 0.0, 1.0])
    with pytest.warns(UserWarning, match="None of 4 starts came to rest: the closest still change"):
        assert fixed_points(network, n_starts=2, random_state=0) == []


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_networks_in_parts_are_named(kind):
    K = np.kron(np.eye(2), ring(4, 1))
    network = OscillatorNetwork(kind(K), frequency=np.repeat([0.0, 1.0], 4))
    with pytest.warns(UserWarning, match="K falls into 2 parts that do not act on one another"):
        fixed_points(network, n_starts=1, random_state=0)


def test_an_interrupted_search_keeps_what_it_has(monkeypatch):
    from skkuranet.analysis import _fixed_points

    find, calls = _fixed_points.find_rest, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return find(*args)

    monkeypatch.setattr(_fixed_points, "find_rest", interrupted)
    with pytest.warns(UserWarning, match="interrupted after 2 starts"):
        assert fixed_points(OscillatorNetwork(ring(6, 1)), random_state=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_starts": 0}, "n_starts must be at least 1, got 0"),
        ({"tol": -1.0}, "tol must be positive, got -1.0"),
        ({"initial_states": np.zeros(3)}, "initial_states must have shape"),
        ({"n_eigenvalues": 0}, "n_eigenvalues must be at least 1"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        fixed_points(OscillatorNetwork(ring(6, 1)), **settings)
