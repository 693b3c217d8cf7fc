"""Critical couplings: theory, one network, and what is refused."""

import warnings

import numpy as np
import pytest
import torch

from skkuranet import OscillatorNetwork
from skkuranet.analysis import critical_coupling, sweep
from skkuranet.coupling import FactorizedCoupling

SHORT = {"n_steps": 200, "n_transient": 200, "step_size": 0.2, "random_state": 0}
SMALL = {"sizes": (50, 100, 200), "n_samples": 5, **SHORT}


def complete(n, frequency):
    ones = torch.ones(n, 1, dtype=torch.float64)
    return OscillatorNetwork(FactorizedCoupling(ones / n, ones), frequency=frequency)


def normal(n, random_state, width=1.0):
    return complete(n, width * np.random.default_rng(random_state).normal(size=n))


def test_normal_frequencies_lock_where_theory_says():
    values = np.linspace(1.0, 2.6, 17)
    found = critical_coupling(normal, values, **SMALL | {"n_samples": 8})
    low, high = found.interval()
    assert low < 2.0 * np.sqrt(2.0 * np.pi) / np.pi < high
    assert found.error < 0.35
    assert found.squares.shape == (3, 8, len(found.values))
    assert len(found.to_dataframe()) == found.squares.size


def test_processes_make_no_difference():
    values = np.linspace(1.0, 2.3, 14)
    one, two = (critical_coupling(normal, values, n_jobs=n, **SMALL) for n in (None, 2))
    assert one.value == two.value
    np.testing.assert_array_equal(one.squares, two.squares)


def test_one_network_has_a_place_where_it_fluctuates_most():
    found = critical_coupling(normal(200, 0), np.linspace(1.0, 2.4, 15), n_samples=3, **SHORT)
    low, high = found.interval()
    assert low < 1.596 < high
    assert np.isnan(found.misfit)
    # No better than a network of this size can tell.
    assert found.error > found.value * 200**-0.4


def test_a_pilot_finds_where_to_look():
    found = critical_coupling(normal(100, 0), n_samples=2, **SHORT)
    assert found.values[0] < 1.596 < found.values[-1]
    assert found.squares.shape == (1, 2, len(found.values))
    # Whatever units couplings and frequencies have.
    scaled = normal(100, 0).replace(frequency=np.random.default_rng(0).normal(0.0, 0.01, 100))
    slow = critical_coupling(scaled, n_samples=2, **SHORT | {"step_size": 20.0})
    np.testing.assert_allclose(slow.values, 0.01 * found.values, rtol=0.3)


NO_TRANSITION = {
    "one frequency": ({"frequency": np.zeros(20)}, "critical coupling is 0"),
    "no frequency": ({}, "critical coupling is 0"),
    "two": ({"K": [[0.0, 2.0], [1.0, 0.0]], "frequency": [0.2, 0.5]}, r"K\[1, 0\]\) = 0.1"),
    "two that repel": ({"K": -np.ones((2, 2)), "frequency": [0.0, 1.0]}, "do not attract"),
    "three": ({"K": np.ones((3, 3)), "frequency": [0.0, 1.0, 2.0]}, "frequency_spread"),
    "one": ({"K": [[1.0]], "frequency": [1.0]}, "order parameter of n=1 is about 1 by chance"),
    "repulsion": ({"K": -np.ones((20, 20)), "frequency": np.arange(20.0)}, "repel one another"),
    "nothing": ({"K": np.eye(20), "frequency": np.arange(20.0)}, "couples no oscillator"),
}


@pytest.mark.parametrize("case", NO_TRANSITION)
def test_why_there_is_no_transition_is_told(case):
    given, message = NO_TRANSITION[case]
    with pytest.raises(ValueError, match=message):
        critical_coupling(OscillatorNetwork(**{"K": np.ones((20, 20)) / 20, **given}), **SHORT)


def test_given_values_are_tried_even_for_few():
    few = OscillatorNetwork(np.ones((6, 6)) / 6, frequency=np.arange(6.0))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = critical_coupling(few, np.linspace(1.0, 5.0, 9), n_samples=2, **SHORT)
    assert any("of n=6 is about 0.41 by chance" in str(one.message) for one in told)
    assert 1.0 <= found.value <= 5.0


def test_two_lock_where_it_is_said():
    network = OscillatorNetwork([[0.0, 2.0], [1.0, 0.0]], frequency=[0.2, 0.5])
    found = sweep(network, "coupling_scale", [0.095, 0.105], measure="frequency_spread",
                  n_steps=2000, n_transient=2000, random_state=0)  # fmt: skip
    assert found.mean()[0] > 0.03 > 1e-3 > found.mean()[1]


def test_noise_drives_apart_what_has_one_frequency():
    """The critical coupling is twice the strength of diffusion, the square of the noise."""
    network = OscillatorNetwork(np.full((200, 200), 1 / 200), noise=np.sqrt(0.5))
    low, high = critical_coupling(network, n_samples=2, **SHORT).interval()
    assert low < 0.5 < high


@pytest.mark.filterwarnings("ignore:The transition was found")
def test_parts_are_warned_of():
    K = np.zeros((40, 40))
    K[:20, :20] = K[20:, 20:] = 1 / 20
    frequency = np.random.default_rng(0).normal(size=40)
    values = np.linspace(1.0, 2.4, 8)
    with pytest.warns(UserWarning, match="2 parts that are not connected, the largest of 20 of 40"):
        critical_coupling(OscillatorNetwork(K, frequency=frequency), values, **SHORT)


def test_ends_are_warned_of():
    with pytest.warns(UserWarning, match="at an end of the values"):
        found = critical_coupling(normal(50, 0), np.linspace(0.1, 0.5, 5), n_samples=2, **SHORT)
    assert found.error == np.inf


def test_values_are_chosen_anew_where_the_first_network_misleads():
    made = []

    def make(n, random_state):
        """The first network, that of the pilot, synchronises at less coupling."""
        narrower = 1.0 if made else 0.8
        made.append(n)
        return normal(n, random_state, narrower)

    found = critical_coupling(make, sizes=(50, 100, 200), n_samples=4, **SHORT)
    assert 1.3 < found.value < 2.1
    assert np.isfinite(found.error)


def test_a_pilot_that_finds_nothing_says_where_it_looked():
    rng = np.random.default_rng(0)
    mixed = np.sign(rng.normal(size=(30, 30))) * 0.1
    network = OscillatorNetwork(mixed - mixed.mean(), frequency=rng.normal(size=30))
    with pytest.raises(ValueError, match=r"stays below 0.5 for coupling_scale up to"):
        critical_coupling(network, n_samples=2, n_steps=20, n_transient=20, random_state=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": (50, 100)}, "sizes must be three rising numbers at least"),
        ({"n_samples": 1}, "n_samples 2 at least"),
        ({"values": [2.0, 1.0]}, "values must be five rising positive numbers"),
        ({"network": lambda n, seed: normal(n + 1, seed)}, "function that makes one of n=50"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"network": normal, "values": np.linspace(1.0, 2.0, 6), **SMALL, **change}
    with pytest.raises(ValueError, match=message):
        critical_coupling(**given)
