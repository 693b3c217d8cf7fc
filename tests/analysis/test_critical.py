"""Critical couplings: theory, one network, and what is refused."""

import numpy as np
import pytest
import torch

from skkuranet import OscillatorNetwork
from skkuranet.analysis import critical_coupling
from skkuranet.coupling import FactorizedCoupling

SHORT = {"n_steps": 200, "n_transient": 200, "step_size": 0.2, "random_state": 0}
SMALL = {"sizes": (50, 100, 200), "n_samples": 5, **SHORT}


def complete(n, frequency):
    ones = torch.ones(n, 1, dtype=torch.float64)
    return OscillatorNetwork(FactorizedCoupling(ones / n, ones), frequency=frequency)


def normal(n, random_state):
    return complete(n, np.random.default_rng(random_state).normal(size=n))


def uniform_start(n, random_state):
    return complete(n, np.zeros(n))


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


def test_what_has_no_transition_is_told():
    with pytest.raises(ValueError, match=r"stays above 0.5 for coupling_scale down to"):
        critical_coupling(uniform_start, n_samples=2, n_steps=2, n_transient=0,
                          parameter="coupling_scale", sizes=(1, 2, 3))  # fmt: skip
    with pytest.warns(UserWarning, match="at an end of the values"):
        critical_coupling(normal(50, 0), np.linspace(0.1, 0.5, 5), n_samples=2, **SHORT)


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
