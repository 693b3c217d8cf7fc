"""Sweeps: what they agree with, in which order they go, and what they refuse."""

import networkx as nx
import numpy as np
import pytest
import torch

from skkuranet import OscillatorNetwork
from skkuranet.analysis import sweep
from skkuranet.coupling import FactorizedCoupling
from skkuranet.dynamics import _walk

N = 20
rng = np.random.default_rng(0)
FREQUENCY = rng.normal(size=N)
NETWORK = OscillatorNetwork(np.full((N, N), 1.0 / N), frequency=FREQUENCY)
SHORT = {"n_steps": 50, "n_transient": 20, "random_state": 0}


def test_a_sweep_is_one_simulation_for_each_value():
    start = rng.uniform(0.0, 6.0, N)
    found = sweep(NETWORK, "coupling_scale", [0.5, 2.0], initial_state=start, **SHORT)
    for k, scale in enumerate([0.5, 2.0]):
        alone = NETWORK.replace(coupling_scale=scale).simulate(
            initial_state=start, n_steps=70, save_from=20, save_every=10
        )
        order = alone.order_parameter()
        np.testing.assert_allclose(found.mean()[k], order.mean(), atol=1e-10)
        np.testing.assert_allclose(found.fluctuation()[k], order.std(), atol=1e-10)
        np.testing.assert_allclose(found.only.states[k, 0], alone.phases[-1], atol=1e-10)


def test_continuation_starts_where_the_last_value_ended():
    start = rng.uniform(0.0, 6.0, N)
    found = sweep(
        NETWORK, "coupling_scale", [0.5, 2.0], continuation="both", initial_state=start, **SHORT
    )
    state, walked = start, []
    for scale in (0.5, 2.0, 2.0, 0.5):
        state = NETWORK.replace(coupling_scale=scale).simulate(
            initial_state=state, n_steps=70, save_from=70
        ).phases[-1]  # fmt: skip
        walked.append(state)
    np.testing.assert_allclose(found.up.states[:, 0], walked[:2], atol=1e-10)
    np.testing.assert_allclose(found.down.states[::-1, 0], walked[2:], atol=1e-10)


@pytest.mark.parametrize("continuation", [None, "up"])
def test_processes_make_no_difference(continuation, monkeypatch):
    monkeypatch.setattr("skkuranet.analysis._blocks._NUMBERS_AT_ONCE", 3 * N)
    noisy = NETWORK.replace(noise=0.1)
    one, two = (
        sweep(
            noisy, "noise", [0.1, 0.2, 0.3], n_repeats=4, continuation=continuation,
            n_jobs=n_jobs, **SHORT,
        )
        for n_jobs in (None, 2)
    )  # fmt: skip
    np.testing.assert_array_equal(one.only.states, two.only.states)
    assert one.only.states.std(1).min() > 0


def test_values_may_differ_between_nodes():
    values = np.stack([FREQUENCY, 0.0 * FREQUENCY])
    measures = {"order": "order_parameter", "last": lambda path: path.order_parameter()[-1]}
    found = sweep(NETWORK, "frequency", values, measure=measures, **SHORT)
    assert found.mean("last").shape == (2,)
    assert np.isnan(found.fluctuation("last")).all()
    assert found.to_dataframe().shape == (2, 7)
    one = sweep(NETWORK, "frequency", [0.0], **SHORT)
    np.testing.assert_allclose(one.mean(), found.mean("order")[1:], atol=1e-10)


def test_a_batch_of_networks_is_swept_at_once():
    both = NETWORK.replace(frequency=np.stack([FREQUENCY, 2.0 * FREQUENCY]))
    start = rng.uniform(0.0, 6.0, N)
    found = sweep(both, "coupling_scale", [1.0, 2.0, 3.0], initial_state=start, **SHORT)
    second = NETWORK.replace(frequency=2.0 * FREQUENCY)
    alone = sweep(second, "coupling_scale", [1.0, 2.0, 3.0], initial_state=start, **SHORT)
    assert found.mean().shape == (3, 2)
    np.testing.assert_allclose(found.mean()[:, 1], alone.mean(), atol=1e-10)


def test_frequencies_that_follow_degrees_lock_with_hysteresis():
    graph = nx.star_graph(9)
    degree = np.array([d for _, d in graph.degree()], float)
    network = OscillatorNetwork(graph, frequency=degree)
    found = sweep(
        network, "coupling_scale", np.linspace(0.5, 4.0, 15), continuation="both", n_steps=500,
        n_transient=1000, step_size=0.02, random_state=0,
    )  # fmt: skip
    # On the way down a star stays locked to (k - 1) / (k + 1), here 0.8 (Gomez-Gardenes et al.).
    assert found.down.mean()[found.values > 0.85].min() > 0.8
    assert found.up.mean()[found.values < 1.4].max() < 0.7
    assert found.hysteresis()[0] > 0.2
    smooth = sweep(NETWORK, "coupling_scale", [0.5, 1.5, 3.0], continuation="both", random_state=0)
    assert abs(smooth.hysteresis()[0]) < 0.05


def test_what_is_interrupted_keeps_what_it_has():
    seen = []

    def measure(path):
        seen.append(path)
        if len(seen) > 2:
            raise KeyboardInterrupt
        return path.order_parameter()

    with pytest.warns(UserWarning, match="interrupted after 2 of 4 blocks"):
        found = sweep(
            NETWORK, "coupling_scale", [1.0, 2.0, 3.0, 4.0], continuation="up", measure=measure,
            **SHORT,
        )  # fmt: skip
    np.testing.assert_array_equal(np.isnan(found.mean()), [False, False, True, True])


def test_a_simulation_that_is_interrupted_counts_for_nothing(monkeypatch):
    calls, integrate = [], _walk.integrate

    def interrupted(*args, **options):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return integrate(*args, **options)

    monkeypatch.setattr(_walk, "integrate", interrupted)
    # Three calls for each value.
    with pytest.warns(UserWarning, match="interrupted after 1 of 3 blocks"):
        found = sweep(
            NETWORK, "coupling_scale", [1.0, 2.0, 3.0], continuation="up", n_steps=1200,
            random_state=0,
        )  # fmt: skip
    np.testing.assert_array_equal(np.isnan(found.mean()), [False, True, True])
    assert len(calls) == 6


def test_one_warning_for_all_values():
    with pytest.warns(UserWarning, match="step_size=5 is too coarse") as caught:
        sweep(NETWORK, "coupling_scale", [1.0, 2.0], step_size=5.0, solver="rk4", **SHORT)
    assert len(caught) == 1


def test_progress_is_told_where_it_is_wanted(capsys):
    sweep(NETWORK, "coupling_scale", [1.0, 2.0], continuation="up", verbose=1, **SHORT)
    assert capsys.readouterr().out.splitlines()[-1] == "[sweep] 2 of 2 blocks of networks"
    sweep(NETWORK, "coupling_scale", [1.0, 2.0], **SHORT)
    assert capsys.readouterr() == ("", "")


def test_couplings_of_low_rank_are_shared():
    ones = torch.ones(N, 1, dtype=torch.float64)
    low_rank = OscillatorNetwork(FactorizedCoupling(ones / N, ones), frequency=FREQUENCY)
    start = rng.uniform(0.0, 6.0, N)
    one, two = (
        sweep(net, "coupling_scale", [1.0, 2.0], initial_state=start, **SHORT)
        for net in (NETWORK, low_rank)
    )
    np.testing.assert_allclose(one.mean(), two.mean(), atol=1e-10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameter": "inertia"}, "parameter must be one of"),
        ({"values": np.ones((2, 3))}, r"values of coupling_scale must have shape \(V,\)"),
        ({"values": [2.0, 1.0], "continuation": "up"}, "values must rise"),
        ({"values": [np.nan]}, "values must be finite"),
        ({"continuation": "left"}, "continuation must be one of"),
        ({"measure": "beauty"}, "measure must be one of"),
        ({"measure": lambda path: np.ones(7)}, r"must return shape \(6, 2\)"),
        ({"n_repeats": 0}, "n_repeats must be at least 1, got 0"),
        ({"n_transient": -1}, "n_transient must be at least 0"),
        ({"initial_state": np.ones((3, N))}, "initial_state must have shape"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"parameter": "coupling_scale", "values": [1.0, 2.0], **SHORT, **change}
    with pytest.raises(ValueError, match=message):
        sweep(NETWORK, **given)


def test_directions_and_measures_are_asked_for_by_name():
    found = sweep(NETWORK, "coupling_scale", [1.0, 2.0], **SHORT)
    with pytest.raises(ValueError, match="no direction 'up', only independent"):
        found.hysteresis()
    with pytest.raises(ValueError, match="measure must be one of"):
        found.mean("beauty")
    both = sweep(NETWORK, "coupling_scale", [1.0, 2.0], continuation="both", **SHORT)
    with pytest.raises(ValueError, match="two directions"):
        both.mean()
