"""Names of states that are known."""

import networkx as nx
import numpy as np
import pytest
import torch

from skkuranet import OscillatorNetwork
from skkuranet.analysis import describe_state
from skkuranet.dynamics import Trajectory

TURN = 2.0 * np.pi
SIZES = (10, 30, 100, 1000)
TIMES = 0.5 * np.arange(60)
RNG = np.random.default_rng


def moving(phases, noise=0.05, speed=1.3):
    """Trajectory of phases that turn as one, in noise."""
    jitter = noise * RNG(0).normal(size=(len(TIMES), len(phases)))
    return Trajectory(TIMES, phases + speed * TIMES[:, None] + jitter)


def unequal(n, *shares):
    """Phases of unequal clusters, in no order."""
    clusters = np.repeat(np.arange(len(shares)), np.round(np.array(shares) * n).astype(int))
    return RNG(1).permutation(np.array([0.0, 2.2, 4.0])[clusters])


def kuramoto(n, K, seed):
    """Trajectory of all-to-all coupled units near onset, which is at K = 1.6, and later."""
    network = OscillatorNetwork(np.full((n, n), K / n), frequency=RNG(seed).normal(size=n))
    return network.simulate(n_steps=1500, save_from=1000, save_every=5, random_state=seed)


def two_populations(n, seed=0):
    """Chimera state of Abrams, Mirollo, Strogatz and Wiley (2008)."""
    labels = np.repeat(["first", "second"], n)
    K = np.where(labels[:, None] == labels, 1.2, 0.8) / (2 * n)
    network = OscillatorNetwork(K, "sakaguchi", phase_lag=np.pi / 2 - 0.1)
    start = np.concatenate((np.zeros(n), RNG(seed).vonmises(0.0, 3.0, n)))
    path = network.simulate(n_steps=3000, save_from=2000, save_every=5, initial_state=start)
    return path, labels


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_synchrony_and_unequal_clusters(n, noise):
    found = describe_state(moving(np.full(n, 2.0), noise), ring=True)
    assert found.name == "synchrony"
    assert found.winding_number == 0
    for shares in [(0.6, 0.4), (0.7, 0.3), (0.9, 0.1), (0.5, 0.3, 0.2)][: 4 if n > 10 else 2]:
        phases = unequal(n, *shares)
        found = describe_state(moving(phases, noise), ring=True)
        assert found.name == "clusters"
        assert sorted(found.cluster_sizes) == sorted(np.unique(phases, return_counts=True)[1])
        # Those who share a phase share a cluster.
        assert len(set(zip(phases, found.clusters))) == len(shares)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("k", [2, 3, 4, 6])
def test_splay_states_of_groups(n, k):
    size = max(n // k, 2)
    phases = RNG(2).permutation(TURN / k * np.repeat(np.arange(k), size))
    found = describe_state(moving(phases))
    assert (found.name, found.n_splay_groups) == ("splay", k)


@pytest.mark.parametrize("n", SIZES)
def test_splay_states_of_single_units(n):
    phases = RNG(3).permutation(TURN * np.arange(n) / n)
    assert describe_state(moving(phases)).name == "splay"
    assert describe_state(phases).name == "splay"


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("q", [1, 2, -2, 0.2])
@pytest.mark.parametrize("speed", [0.0, 0.7])
def test_twisted_states_at_rest_and_moving(n, q, speed):
    q = q if isinstance(q, int) else int(q * n)
    phases = TURN * q * np.arange(n) / n
    found = describe_state(moving(phases, speed=speed), ring=True)
    assert (found.name, found.winding_number) == ("twisted", q)
    assert repr(found) == f"twisted state, winding number {q}, R={found.order:.2f}"
    # In any numbering, if the way around the ring is known.
    shuffled = RNG(4).permutation(n)
    found = describe_state(moving(phases[shuffled]), ring=np.argsort(shuffled))
    assert (found.name, found.winding_number) == ("twisted", q)


def test_a_ring_in_noise_keeps_its_twist():
    ring = OscillatorNetwork(nx.circulant_graph(40, [1, 2]), noise=0.05)
    start = TURN * np.arange(40) / 40
    path = ring.simulate(n_steps=800, save_from=400, initial_state=start, random_state=0)
    assert repr(describe_state(path, ring=True)).startswith("twisted state, winding number 1, R=")


@pytest.mark.parametrize(("n", "seed"), [(20, 1), (100, 0)])
def test_two_populations_make_a_chimera_state(n, seed):
    path, labels = two_populations(n, seed)
    found = describe_state(path, labels)
    assert found.name == "chimera"
    assert found.group_order[0] > 0.99
    assert 0.5 < found.group_order[1] < 0.85
    np.testing.assert_array_equal(found.group_drift, [0.0, 1.0])
    shuffled = RNG(0).permutation(2 * n)
    again = describe_state(path.phases[:, shuffled] + 1.0, labels[shuffled])
    assert again.name == "chimera"
    assert again.chimera_index == pytest.approx(found.chimera_index)
    # Without groups, they are not told from those that partly synchronise.
    assert describe_state(path).name == "partial"
    assert describe_state(path, RNG(1).permutation(labels)).name == "partial"


def test_a_chimera_state_on_a_ring():
    n = 128
    x = np.linspace(-np.pi, np.pi, n, endpoint=False)
    K = (1 + 0.995 * np.cos(x[:, None] - x)) / n
    ring = OscillatorNetwork(K, "sakaguchi", phase_lag=np.pi / 2 - 0.18)
    start = 6 * np.exp(-0.76 * x**2) * RNG(0).uniform(-0.5, 0.5, n)
    path = ring.simulate(n_steps=3000, save_from=2000, save_every=5, initial_state=start)
    found = describe_state(path, ring=True)
    assert found.name == "chimera"
    assert 0.3 < found.coherent_share < 0.5
    assert repr(found).startswith(f"chimera state, {100 * found.coherent_share:.0f} % coherent")
    shuffled = RNG(1).permutation(n)
    again = describe_state(path.phases[:, shuffled], ring=np.argsort(shuffled))
    assert again.name == "chimera"


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("seed", range(3))
def test_uncoupled_units_are_incoherent(n, seed):
    rng = RNG(seed)
    times = 0.5 * np.arange(300)
    phases = rng.uniform(0, TURN, n) + times[:, None] * rng.normal(size=n)
    found = describe_state(Trajectory(times, phases), labels=np.arange(n) % 2, ring=True)
    assert found.name == "incoherence"
    assert found.entrained_share < 0.5


@pytest.mark.parametrize("n", SIZES)
def test_partly_synchronised_units_are_partial(n):
    path = kuramoto(n, 2.0, seed=3)
    found = describe_state(path, labels=np.arange(n) % 2, ring=True)
    assert found.name == "partial"
    assert 0.3 < found.entrained_share < 1.0
    assert repr(found) == (
        f"partial order, {100 * found.entrained_share:.0f} % entrained, R={found.order:.2f}"
    )


def test_units_that_turn_alike_at_unequal_phases_are_locked():
    rates = np.linspace(-1.0, 1.0, 30)
    path = OscillatorNetwork(np.full((30, 30), 1.7 / 30), frequency=rates).simulate(
        n_steps=1500, save_from=1000, random_state=0
    )
    assert describe_state(path).name == "locked"


def test_trajectories_and_arrays_read_alike():
    path = moving(unequal(30, 0.6, 0.4))
    expected = repr(describe_state(path))
    wrapped = path.phases % TURN
    assert repr(describe_state(wrapped)) == expected
    assert repr(describe_state(torch.from_numpy(wrapped))) == expected
    assert repr(describe_state(path.to(torch.device("cpu")))) == expected
    last = describe_state(path.phases[-1])
    assert last.name == "clusters"
    assert last.entrained_share is None


def test_a_window_leaves_transients_out():
    early = RNG(0).uniform(0, TURN, (40, 50)).cumsum(0)
    late = np.zeros((20, 50))
    path = Trajectory(np.arange(60.0), np.concatenate((early, late)))
    assert describe_state(path).name != "synchrony"
    assert describe_state(path, window=19.0).name == "synchrony"


def test_thresholds_decide():
    spread = moving(np.linspace(0.0, 1.0, 50), noise=0.0)
    assert describe_state(spread).name == "synchrony"
    assert describe_state(spread, in_step=0.99).name == "locked"
    near = moving(np.repeat([0.0, 0.5], 25), noise=0.0)
    assert describe_state(near, in_step=0.99).name == "locked"
    assert describe_state(near, in_step=0.99, gap=0.3).name == "clusters"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((4, 3, 5)),), r"one network of two units or more, .* got shape \(4, 3, 5\)"),
        (([0.0],), r"two units or more"),
        (([0.0, np.nan],), "path must be finite; 1 of its 2 values are not"),
        ((np.ma.masked_array([0.0, 1.0], [0, 1]),), "must not be masked"),
        (([0.0, 1.0], np.ma.masked_array([0, 1], [0, 1])), "labels must not be masked"),
        (([0.0, 1.0], [0, 1, 2]), r"labels must have shape \(2,\)"),
        (([0.0, 1.0, 2.0], None, [0, 1, 3]), "ring must hold the numbers of units, 0 to 2"),
        (([0.0, 1.0], None, True), "A ring needs three units"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        describe_state(*arguments)


@pytest.mark.parametrize(
    "name", ["in_step", "out_of_step", "splay", "uneven", "incoherent", "gap", "slip", "bend"]
)
def test_thresholds_are_positive(name):
    alike = describe_state([0.0, 1.0], **{name: torch.tensor(0.5)})
    assert repr(alike) == repr(describe_state([0.0, 1.0], **{name: 0.5}))
    with pytest.raises(TypeError, match=f"{name} must be a number, got MaskedArray None"):
        describe_state([0.0, 1.0], **{name: np.ma.masked_array(0.5, True)})
    with pytest.raises(ValueError, match=f"{name} must be positive, got -1"):
        describe_state([0.0, 1.0], **{name: -1})


def test_units_without_phases_are_refused():
    with pytest.raises(TypeError, match="no phases"):
        describe_state(Trajectory(np.arange(3.0), None, np.zeros((3, 4))))


def test_units_that_turn_alike_are_not_incoherent():
    rng = np.random.default_rng(0)
    turning = rng.uniform(0.0, 6.0, 40) + 0.3 * np.arange(50)[:, None]
    assert describe_state(Trajectory(np.arange(50.0), turning)).name == "locked"
