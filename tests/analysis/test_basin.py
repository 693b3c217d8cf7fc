"""Basin stability: shares that are known, and what is refused."""

import networkx as nx
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import binomtest

from skkuranet import OscillatorNetwork
from skkuranet.analysis import basin_stability

RING = OscillatorNetwork(nx.cycle_graph(8))
SHORT = {"n_steps": 300, "random_state": 0}
POWER, DAMPING, CAPACITY = 1.0, 0.2, 2.0


def test_a_machine_finds_its_line_as_often_as_an_integration_of_its_own_says():
    """Half the angle between producer and consumer is that of one machine at a stiff grid."""
    line = OscillatorNetwork(
        CAPACITY * np.array([[0.0, 1.0], [1.0, 0.0]]) / 2.0,
        "second_order",
        frequency=np.array([POWER, -POWER]) / 2.0,
        damping=DAMPING,
    )
    rng = np.random.default_rng(0)
    angle, speed = rng.uniform(-np.pi, np.pi, 60), rng.uniform(-6.0, 6.0, 60)

    def machine(_, x):
        a, v = x.reshape(2, -1)
        return np.concatenate([v, POWER - DAMPING * v - CAPACITY * np.sin(a)])

    start = np.concatenate([angle, speed])
    exact = solve_ivp(machine, (0.0, 100.0), start, rtol=1e-9, atol=1e-9).y[60:, -1]
    starts = np.stack([np.stack([angle, -angle], -1), np.stack([speed, -speed], -1)], 1) / 2.0
    found = basin_stability(
        line, lambda path: np.abs(path.states[-1, :, 1]).max(-1) < 0.1, 60, initial_states=starts,
        n_steps=1000,
    )  # fmt: skip
    np.testing.assert_array_equal(found.reached, np.abs(exact) < 0.2)
    assert 0.2 < found.share < 0.9


def test_the_interval_is_that_of_wilson():
    found = basin_stability(RING, n_samples=80, confidence=0.9, **SHORT)
    exact = binomtest(int(found.reached.sum()), 80).proportion_ci(0.9, method="wilson")
    assert found.interval == (exact.low, exact.high)
    assert found.interval[0] < found.share < found.interval[1] < 1.0


def test_processes_and_samplers(monkeypatch):
    monkeypatch.setattr("skkuranet.analysis._blocks._NUMBERS_AT_ONCE", 8 * 7)
    one, two = (basin_stability(RING, n_samples=20, n_jobs=n, **SHORT) for n in (None, 2))
    np.testing.assert_array_equal(one.states, two.states)
    near = basin_stability(
        RING, "locked", 20, initial_states=lambda n, rng: 0.1 * rng.normal(size=(n, 8)), **SHORT
    )
    assert near.share == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"is_wanted": "peace"}, "is_wanted must be one of"),
        ({"is_wanted": lambda path: True}, "is_wanted must return shape"),
        ({"confidence": 95}, "confidence must lie between 0 and 1, got 95"),
        ({"n_kept": 400}, "n_kept=400 must not be above n_steps=300"),
        ({"initial_states": np.zeros((3, 8))}, "initial_states must have shape"),
        ({"network": RING.replace(coupling_scale=[1.0, 2.0])}, "must be one network"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        basin_stability(**{"network": RING, "n_samples": 5, **SHORT, **change})
