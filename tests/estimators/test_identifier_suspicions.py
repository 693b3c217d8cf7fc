"""Recordings that an identifier cannot describe: refused where certain, warned of where likely."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from skkuranet import KuraNetIdentifier, OscillatorNetwork

N, TURN = 8, 2.0 * np.pi
rng = np.random.default_rng(0)
K = rng.normal(0.0, 0.15, (N, N)) * (1.0 - np.eye(N))
FREQUENCY = rng.normal(size=N)
APART = ~np.eye(N, dtype=bool)


def measured(K=K, frequency=FREQUENCY, dynamics="kuramoto", n_steps=1000, **given):
    network = OscillatorNetwork(K, dynamics, frequency=frequency, **given)
    path = network.simulate(n_steps=n_steps, random_state=0)
    noise = np.random.default_rng(1).normal(size=path.phases.shape)
    return path.phases + 0.02 * noise, path.times


PHASES, TIMES = measured()


def fit(phases, times=None):
    """A quick fit."""
    return KuraNetIdentifier(max_iter=0, n_rounds=1).fit(None, phases, times)


def correlation(found):
    return np.corrcoef(found.couplings_[APART], K[APART])[0, 1]


@pytest.mark.parametrize("lowest", [0.0, -180.0])
def test_degrees_are_refused(lowest):
    degrees = (np.degrees(PHASES) - lowest) % 360.0 + lowest
    with pytest.raises(ValueError, match=r"phases must be in radians.*Pass np.radians\(phases\)"):
        fit(degrees, TIMES)


@pytest.mark.filterwarnings("ignore:Couplings explain nothing")
def test_continuous_degrees_and_turns_are_suspected():
    with pytest.warns(UserWarning, match=r"If phases is in degrees, pass np.radians\(phases\)"):
        fit(np.degrees(PHASES), TIMES)
    with pytest.warns(UserWarning, match=r"seems to be in turns.*Pass 2 \* np.pi \* phases"):
        fit(PHASES % TURN / TURN, TIMES)


@pytest.mark.filterwarnings("ignore:Couplings explain nothing")
@pytest.mark.parametrize("wrapped", [True, False])
def test_coarse_samples_are_suspected(wrapped):
    phases = PHASES % TURN if wrapped else PHASES
    with pytest.warns(UserWarning, match="Sample more often"):
        fit(phases[::20], TIMES[::20])


def test_a_rotation_that_all_share_is_no_reason_to_sample_more_often():
    phases, times = measured(frequency=FREQUENCY / 2.0 + 20.0)
    assert correlation(fit(phases % TURN, times)) > 0.95


def test_a_shared_turn_more_or_less_is_suspected():
    phases, times = measured(frequency=FREQUENCY / 2.0 + 30.0)
    with pytest.warns(UserWarning, match=r"all frequencies may be wrong by 62.8"):
        found = fit(phases % TURN, times)
    # Couplings do not depend on it.
    assert correlation(found) > 0.95


@pytest.mark.parametrize("times", [TIMES[::-1], TIMES.round(0)])
def test_times_that_do_not_increase_are_refused(times):
    with pytest.raises(ValueError, match=r"times must be finite and increase.*each time once"):
        fit(PHASES, times)


def test_times_that_are_dates_are_refused():
    dates = pd.date_range("2020-01-01", periods=len(TIMES), freq="s")
    for times in (dates, dates - dates[0], dates.to_numpy()):
        with pytest.raises(TypeError, match="times must be numbers, not dates or durations"):
            fit(PHASES, times)


def test_an_index_that_is_not_read_is_told_of():
    with pytest.warns(UserWarning, match=r"Pass times=phases.index.to_numpy\(\)"):
        fit(pd.DataFrame(PHASES, index=TIMES))
    fit(pd.DataFrame(PHASES))


def test_windows_end_with_the_recordings():
    """Or nobody would wait for them."""
    found = KuraNetIdentifier(window=1e12, max_iter=1, n_rounds=1)
    with pytest.warns(ConvergenceWarning):
        found.fit(None, PHASES[:100], TIMES[:100])
    assert np.isfinite(found.couplings_).all()


@pytest.mark.filterwarnings("ignore:Couplings explain nothing")
def test_times_in_two_units_are_suspected():
    with pytest.warns(UserWarning, match="times of recording 1 are 100 apart.*one unit"):
        fit([PHASES[:500], PHASES[500:]], [TIMES[:500], TIMES[500:] * 1000.0])
    found = fit(PHASES, TIMES)
    for use in (found.score, found.network):
        with pytest.warns(UserWarning, match="those of fit 0.1. Give all times in one unit"):
            use(None, PHASES, TIMES * 1000.0)


def random_walk():
    return np.cumsum(np.random.default_rng(0).normal(0.0, 0.3, (1000, N)), 0)


EXPLAINED_BY_NOTHING = {
    "noise": random_walk,
    "free rotation": lambda: np.outer(TIMES, FREQUENCY) + PHASES - np.round(PHASES, 1),
    "exact rotation": lambda: np.outer(TIMES, FREQUENCY),
    "another equation": lambda: measured(np.abs(K), dynamics="second_order", inertia=10.0)[0],
}


@pytest.mark.parametrize("case", EXPLAINED_BY_NOTHING)
def test_couplings_that_explain_nothing_are_told(case):
    phases = EXPLAINED_BY_NOTHING[case]()
    with pytest.warns(UserWarning, match="nothing beyond constant frequencies"):
        found = fit(phases, TIMES[: len(phases)])
    assert found.explained_ < 0.05


def test_couplings_that_explain_much_are_not_complained_of():
    found = fit(PHASES % TURN, TIMES)
    assert found.explained_ > 0.9
    assert found.determined_[APART].min() > 0.9


def test_errors_are_large_where_nothing_is_seen():
    """Not small, as the prior is that is chosen where nothing is seen."""
    free = np.outer(TIMES, FREQUENCY) + 0.1 * rng.normal(size=PHASES.shape)
    with pytest.warns(UserWarning, match="nothing beyond"):
        found = fit(free, TIMES)
    assert found.coupling_errors_[APART].min() > 1e-4
    phases, times = measured(np.full((N, N), 0.5), 0.2 * FREQUENCY)
    with pytest.warns(UserWarning, match="are locked to each other"):
        found = KuraNetIdentifier(max_iter=0).fit(None, phases[300:], times[300:])
    assert found.coupling_errors_[APART].min() > 0.5
    assert found.determined_.max() < 0.5


def test_nodes_that_do_not_move_are_told():
    phases = PHASES.copy()
    phases[:, 3] = 1.0
    with pytest.warns(UserWarning, match=r"phases of nodes \[3\] never change. Leave these"):
        fit(phases, TIMES)
    with pytest.raises(ValueError, match="phases never changes"):
        fit(np.ones((100, N)))


def test_forecasts_may_begin_at_rest():
    found = fit(PHASES, TIMES)
    ahead = found.predict(None, np.ones((10, N)), TIMES[:20])
    assert ahead.shape == (10, N)


def test_copies_are_told():
    with pytest.warns(UserWarning, match=r"2 nodes are copies of others, such as of 0 and 8"):
        fit(np.column_stack((PHASES, PHASES[:, :2])), TIMES)


def test_tables_that_lie_on_their_side_are_suspected():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit(PHASES[:40].T)
    assert any("transpose phases" in str(warning.message) for warning in told)


def test_what_two_do_that_turn_together_is_determined_least():
    pair = K.copy()
    pair[:2] = 0.0
    pair[[0, 1], [1, 0]] = 2.0
    phases, times = measured(pair, np.concatenate(([0.0, 0.0], FREQUENCY[2:])))
    found = fit(phases[300:], times[300:])
    np.testing.assert_allclose(found.determined_.sum() / N, found.n_determined_)
    sources = found.determined_.sum(0)
    assert sources[:2].max() < sources[2:].min()
