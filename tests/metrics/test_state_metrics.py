"""Measures of splay, twisted, chimera and cluster states."""

import networkx as nx
import numpy as np
import pytest
import torch

from skkuranet.dynamics import Trajectory
from skkuranet.metrics import (
    chimera_index,
    coherent_share,
    metastability_index,
    order_parameter,
    phase_clusters,
    splay_loss,
    splay_order,
    winding_number,
)

TURN = 2.0 * np.pi
RNG = np.random.default_rng


def groups(k, size=4):
    """Phases of k equal groups, evenly spaced."""
    return TURN / k * np.repeat(np.arange(k), size) + 0.3


@pytest.mark.parametrize("k", range(2, 8))
def test_moments_and_splay_order_know_the_number_of_groups(k):
    theta = groups(k)
    found = [order_parameter(theta, harmonic=m) for m in range(1, 2 * k)]
    np.testing.assert_allclose(found, np.arange(1, 2 * k) == k, atol=1e-9)
    assert splay_order(theta, k) == pytest.approx(1.0)
    for other in {2 * k, 3 * k, k + 1}:
        assert splay_order(theta, other) == pytest.approx(0.0, abs=1e-9)
    assert splay_order(np.full(12, 0.4), k) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("k", range(2, 8))
def test_splay_order_and_splay_loss_agree_on_splay_states(k):
    single = groups(k, 1)
    assert splay_order(single) == pytest.approx(1.0)
    assert splay_loss(single) == pytest.approx(0.0, abs=1e-12)
    uneven = single + 0.3 * RNG(k).normal(size=k)
    assert splay_order(uneven) < 0.99
    assert splay_loss(uneven) > 1e-4


def test_splay_order_of_noise_and_of_unequal_groups():
    noisy = groups(4, 5000) + 0.1 * RNG(0).normal(size=20_000)
    assert splay_order(noisy, 4) == pytest.approx(np.exp(-(4**2) * 0.1**2 / 2), abs=0.02)
    assert splay_order(np.pi * (np.arange(10) < 3), 2) == pytest.approx(1.0 - 0.4)


@pytest.mark.parametrize("q", [-3, -1, 0, 2, 4])
def test_winding_number_of_twisted_states(q):
    twisted = TURN * q * np.arange(10) / 10 + 0.05 * RNG(0).normal(size=(3, 2, 10))
    found = winding_number(twisted + RNG(1).uniform(0, 9, (3, 2, 1)))
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, np.full((3, 2), q))
    single = winding_number(torch.from_numpy(twisted[0, 0]))
    assert single == q
    assert isinstance(single, int)
    # Where the ring begins makes no difference, the way around it does.
    assert winding_number(np.roll(twisted[0, 0], 3)) == q
    assert winding_number(twisted[0, 0], cycle=np.arange(10)[::-1]) == -q


def test_winding_number_along_a_cycle_of_a_graph():
    graph = nx.relabel_nodes(nx.cycle_graph(7), dict(enumerate(RNG(0).permutation(7).tolist())))
    cycle = [edge[0] for edge in nx.find_cycle(graph)]
    theta = np.zeros(9)
    theta[cycle] = TURN * 2 * np.arange(7) / 7
    assert winding_number(theta, cycle=cycle) == 2


def test_coherent_share_of_halves():
    theta = np.concatenate((TURN * np.arange(500) / 500, RNG(0).uniform(0, TURN, 500)))
    # By chance 0.3 / π of the others go on smoothly.
    assert coherent_share(theta) == pytest.approx(0.5 + 0.5 * 0.3 / np.pi, abs=0.03)
    shuffled = RNG(1).permutation(1000)
    assert coherent_share(theta[shuffled], cycle=np.argsort(shuffled)) == coherent_share(theta)
    assert coherent_share(theta[:500], tolerance=1e-6) > 0.99


def test_phase_clusters_are_those_of_the_circle():
    theta = np.array([6.2, 3.0, 0.1, 3.2, 1.5, 0.0])
    expected = [0, 1, 0, 1, 2, 0]
    np.testing.assert_array_equal(phase_clusters(theta), expected)
    np.testing.assert_array_equal(phase_clusters(theta + 40.0), expected)
    np.testing.assert_array_equal(phase_clusters([theta, 0 * theta]), [expected, [0] * 6])
    # Many phases that follow one another have one cut at most.
    np.testing.assert_array_equal(phase_clusters(np.linspace(0, 5, 50)), np.zeros(50))
    np.testing.assert_array_equal(phase_clusters(np.linspace(0, 6.2, 50)), np.zeros(50))
    np.testing.assert_array_equal(phase_clusters([0.0, 0.5, 1.0], tolerance=0.4), [0, 1, 2])


def test_indices_of_groups_are_those_of_their_order_through_time():
    phases = RNG(0).uniform(0, TURN, (30, 2, 12))
    labels = np.array([*"aaaabbbbcccc"])
    orders = Trajectory(np.arange(30.0), phases).group_order(labels)
    mean = orders.mean(-1, keepdims=True)
    chimera = (((orders - mean) ** 2).sum(-1) / 2).mean(0)
    metastability = (((orders - orders.mean(0)) ** 2).sum(0) / 29).mean(-1)
    np.testing.assert_allclose(chimera_index(phases, labels), chimera)
    np.testing.assert_allclose(metastability_index(phases, labels), metastability)
    one = chimera_index(torch.from_numpy(phases[:, 0]), labels)
    assert one == pytest.approx(chimera[0])
    assert isinstance(one, float)


def test_masked_units_are_left_out():
    theta = np.ma.masked_array(TURN * 2 * np.arange(12) / 12, np.arange(12) == 5)
    theta.data[5] = np.nan
    assert winding_number(theta) == 2
    assert winding_number(theta, cycle=np.arange(12)[::-1]) == -2
    found = phase_clusters(np.ma.masked_array([0.0, 1.5, 3.0], [0, 1, 0]))
    assert found.tolist() == [0, None, 1]
    half = np.ma.masked_array(np.r_[groups(2, 2), np.nan], [0, 0, 0, 0, 1])
    assert splay_order(half, 2) == pytest.approx(1.0)
    phases, labels = RNG(0).uniform(0, TURN, (9, 5)), np.array([0, 0, 1, 1, 1])
    expected = chimera_index(phases[:, :4], labels[:4])
    gone = np.array([0, 0, 0, 0, 1])
    hidden = np.ma.masked_array(phases, np.tile(gone, (9, 1)))
    assert chimera_index(hidden, labels) == pytest.approx(expected)
    assert chimera_index(phases, np.ma.masked_array(labels, gone)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: order_parameter([0.0], harmonic=0), "harmonic must be at least 1, got 0"),
        (
            lambda: splay_order([0.0, 1.0], np.int64(1)),
            "n_groups must be at least 2, got 1",
        ),
        (lambda: winding_number([0.0, 1.0]), "A ring needs three units, got 2"),
        (lambda: winding_number([0.0, 1.0, np.inf]), "phases must be finite; 1 of its 3 values"),
        (lambda: winding_number(np.ones(4), cycle=[0, 1, 1]), r"each once, got \[0, 1, 1\]"),
        (lambda: winding_number(np.ones(4), cycle=[0, 1, 4]), "the numbers of units, 0 to 3"),
        (lambda: coherent_share(np.ones(4), tolerance=0.0), "tolerance must be positive"),
        (lambda: phase_clusters(np.ones(4), tolerance=-1), "tolerance must be positive, got -1"),
        (lambda: phase_clusters([]), "phases has no phases"),
        (lambda: chimera_index([0.0, 1.0], [0, 1]), r"shape \(T, ..., n\), times first"),
        (lambda: chimera_index([[0.0, 1.0]], [0, 0]), "name 2 groups at least, got 1"),
        (lambda: chimera_index([[0.0, 1.0]], [0, 0, 1]), "one label for each of the 2 units"),
        (lambda: metastability_index([[0.0, 1.0]], [0, 1]), "two times or more, got one"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
