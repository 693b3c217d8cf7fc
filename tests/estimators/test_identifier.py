"""Couplings in measured phases: what is found, what may be brought, what is refused."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks as checks

from skkuranet import KuraNetIdentifier, OscillatorNetwork, phases_from_signal
from skkuranet.dynamics import Kuramoto, Sakaguchi

N, TURN = 10, 2.0 * np.pi
rng = np.random.default_rng(0)
K = rng.normal(0.0, 0.15, (N, N)) * (1.0 - np.eye(N))
FREQUENCY = rng.normal(size=N)
APART = ~np.eye(N, dtype=bool)


def measured(n_steps=1200, noise=0.03, seed=0, dynamics="kuramoto", dynamic_noise=None, **given):
    """Times, phases with noise and phases without."""
    network = OscillatorNetwork(K, dynamics, frequency=FREQUENCY, noise=dynamic_noise, **given)
    finer = 20 if dynamic_noise else 2
    path = network.simulate(
        n_steps=n_steps * finer, step_size=0.1 / finer, save_every=finer, random_state=seed
    )
    source = np.random.default_rng(seed)
    return path.times, path.phases + noise * source.normal(size=path.phases.shape), path.phases


TIMES, PHASES, TRUE = measured()


def correlation(found, true=K):
    return np.corrcoef(found[APART], true[APART])[0, 1]


@pytest.fixture(scope="module")
def fitted():
    return KuraNetIdentifier().fit(None, PHASES % TURN, TIMES)


def test_couplings_frequencies_and_noise_are_found(fitted):
    assert correlation(fitted.coupling_matrix()) > 0.99
    np.testing.assert_allclose(fitted.frequency_, FREQUENCY, atol=0.05)
    assert fitted.measurement_noise_ == pytest.approx(0.03, rel=0.1)
    assert not fitted.coupling_matrix().diagonal().any()
    assert fitted.n_determined_ > N - 2
    assert len(fitted.loss_curve_) == fitted.n_iter_ > 0


def test_an_identity_matrix_of_features_tells_nothing(fitted):
    named = KuraNetIdentifier().fit(np.eye(N), PHASES % TURN, TIMES)
    np.testing.assert_array_equal(named.coupling_matrix(np.eye(N)), fitted.coupling_matrix())


def test_standard_errors_are_those_of_the_couplings(fitted):
    off = (fitted.couplings_ - K)[APART] / fitted.coupling_errors_[APART]
    assert 0.7 < np.sqrt((off**2).mean()) < 1.4


def test_without_noise_couplings_are_exact():
    found = KuraNetIdentifier(max_iter=0).fit(None, TRUE, TIMES)
    np.testing.assert_allclose(found.couplings_, K, atol=1e-4)


def test_noise_of_the_dynamics_is_told_from_that_of_measurement():
    times, phases, _ = measured(noise=0.02, dynamic_noise=0.1)
    found = KuraNetIdentifier(fit_noise=True).fit(None, phases, times)
    assert found.noise_ == pytest.approx(0.1, rel=0.15)
    assert found.measurement_noise_ == pytest.approx(0.02, rel=0.3)
    # Trajectories without noise would not fit.
    assert found.n_iter_ == 0
    assert float(found.network().noise) == pytest.approx(found.noise_)


def test_trajectories_make_couplings_better():
    times, phases, _ = measured(n_steps=300, noise=0.1)
    errors = [
        np.sqrt(
            np.mean((KuraNetIdentifier(max_iter=m).fit(None, phases, times).couplings_ - K) ** 2)
        )
        for m in (0, 200)
    ]
    assert errors[1] < errors[0] * 1.02


@pytest.mark.parametrize("window", [0.01, 0.1, 0.35, 1e3])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_windows_of_any_length(window):
    """Shorter than a sampling interval, or longer than the recording."""
    found = KuraNetIdentifier(window=window, max_iter=3, n_rounds=1)
    # One long window is all there is.
    n_times = 100 if window > 100 else len(TIMES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found.fit(None, PHASES[:n_times], TIMES[:n_times])
    assert np.isfinite(found.couplings_).all()
    assert found.n_iter_ <= 3
    if n_times > 100:
        assert correlation(found.couplings_) > 0.98


def test_forecasts_follow_the_network(fitted):
    forecast = fitted.predict(None, PHASES[:-50], TIMES)
    assert forecast.shape == (50, N)
    np.testing.assert_allclose(forecast[:20], TRUE[-50:-30], atol=0.15)
    # From one row, which need not be continuous with anything.
    one = fitted.predict(None, TRUE[-51] % TURN, TIMES[-51:])
    np.testing.assert_allclose(np.cos(one[:20]), np.cos(TRUE[-50:-30]), atol=0.15)


def test_scores_are_shares_of_what_is_foretold(fitted):
    times, phases, _ = measured(n_steps=400, seed=1)
    good = fitted.score(None, phases, times)
    worse = KuraNetIdentifier(prior_scale=1e-6, max_iter=0)
    with pytest.warns(UserWarning, match="a small prior_scale hides it"):
        worse.fit(None, PHASES, TIMES)
    assert 0.9 < good <= 1.0
    assert worse.score(None, phases, times) < good - 0.1


def test_networks_are_there_for_analysis(fitted):
    network = fitted.network()
    assert isinstance(network, OscillatorNetwork)
    np.testing.assert_allclose(network.coupling_matrix(), fitted.couplings_)
    np.testing.assert_allclose(np.asarray(network.parameters["frequency"]), fitted.frequency_)
    assert network.noise is None
    assert network.simulate(n_steps=5, random_state=0).phases.shape == (6, N)


def test_recordings_of_any_kind():
    """Several, with gaps and holes, sampled unevenly, wrapped, as frames and trajectories."""
    recordings, times = [], []
    source = np.random.default_rng(3)
    for seed in range(2):
        at, phases, _ = measured(seed=seed)
        kept = np.sort(source.choice(len(at), 700, replace=False))
        table = phases[kept] % TURN
        table[source.uniform(size=table.shape) < 0.02] = np.nan
        table[300:340, 4] = np.nan
        recordings.append(pd.DataFrame(table))
        times.append(at[kept])
    found = KuraNetIdentifier(max_iter=0).fit(None, recordings, times)
    assert correlation(found.couplings_) > 0.98
    path = OscillatorNetwork(K, frequency=FREQUENCY).simulate(
        n_steps=500, step_size=0.1, random_state=0
    )
    assert correlation(KuraNetIdentifier(max_iter=0).fit(None, path).couplings_) > 0.99
    assert correlation(KuraNetIdentifier(max_iter=0).fit(None, [path, path]).couplings_) > 0.99


def test_wrapped_phases_are_as_good_as_continuous_ones():
    settings = KuraNetIdentifier(max_iter=0, n_rounds=1)
    found = [
        clone(settings).fit(None, phases, TIMES).couplings_
        for phases in (PHASES, PHASES % TURN, (PHASES + np.pi) % TURN - np.pi)
    ]
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    np.testing.assert_allclose(found[2], found[0], atol=1e-6)


def test_lags_are_found_where_asked():
    lag = np.random.default_rng(1).uniform(-0.5, 0.8, N)
    times, phases, _ = measured(dynamics="sakaguchi", phase_lag=lag, noise=0.01)
    asked = KuraNetIdentifier("sakaguchi", fit_parameters=("frequency", "phase_lag"), max_iter=0)
    found = asked.fit(None, phases, times)
    assert correlation(found.couplings_) > 0.98
    np.testing.assert_allclose(found.parameters_["phase_lag"], lag, atol=0.15)
    # Or known, of all nodes alike.
    times, phases, _ = measured(dynamics="sakaguchi", phase_lag=0.5, noise=0.01)
    known = KuraNetIdentifier(Sakaguchi(phase_lag=0.5), max_iter=0).fit(None, phases, times)
    assert correlation(known.couplings_) > 0.99


def test_known_frequencies_come_from_columns():
    X = pd.DataFrame({"omega": FREQUENCY})
    found = KuraNetIdentifier(couplings="matrix", columns={"frequency": "omega"}, max_iter=0).fit(
        X, PHASES, TIMES
    )
    assert found.parameters_ == {}
    assert not hasattr(found, "frequency_")
    assert found.feature_names_in_.tolist() == ["omega"]
    assert correlation(found.coupling_matrix(X)) > 0.99
    assert found.predict(X, PHASES[:100], TIMES[:110]).shape == (10, N)
    with pytest.raises(ValueError, match="that of the nodes of fit"):
        found.coupling_matrix(X + 1.0)
    with pytest.raises(ValueError, match="name features of the nodes; pass X"):
        found.network()


def by_features(X):
    apart = (X[:, None] - X[None]) ** 2
    return 0.3 * np.exp(-apart.sum(-1)) * (1.0 - np.eye(len(X)))


def of_features(seed, n=12, n_steps=400):
    source = np.random.default_rng(seed)
    X, frequency = source.normal(size=(n, 2)), source.normal(size=n)
    path = OscillatorNetwork(by_features(X), frequency=frequency).simulate(
        n_steps=n_steps, random_state=seed
    )
    return X, path.phases + 0.02 * source.normal(size=path.phases.shape), path.times


@pytest.fixture(scope="module")
def pairwise():
    X, phases, times = zip(*(of_features(seed, 10 + seed % 3) for seed in range(6)))
    identifier = KuraNetIdentifier(
        hidden_layer_sizes=(24, 24), n_rounds=2, n_train_iter=150, max_iter=0, random_state=0
    )
    return identifier.fit(list(X), list(phases), list(times))


def test_nodes_never_measured_get_couplings(pairwise):
    X, phases, times = of_features(100, 14)
    found, true = pairwise.coupling_matrix(X), by_features(X)
    apart = ~np.eye(14, dtype=bool)
    assert np.corrcoef(found[apart], true[apart])[0, 1] > 0.9
    assert pairwise.score(X, phases, times) > 0.7
    network = pairwise.network(X, phases, times)
    frequency = np.random.default_rng(100)
    frequency.normal(size=(14, 2))
    np.testing.assert_allclose(
        np.asarray(network.parameters["frequency"]), frequency.normal(size=14), atol=0.2
    )
    assert pairwise.predict(X, phases[:200], times[:210]).shape == (10, 14)
    # Frequencies that features do not tell are those of the mean node.
    assert np.ptp(np.asarray(pairwise.network(X).parameters["frequency"])) < 1.0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_pairwise_fits_are_repeatable_and_can_be_pickled(pairwise):
    X, phases, times = of_features(0)
    twice = [
        clone(pairwise).set_params(n_train_iter=20, max_iter=2, window=1.0).fit(X, phases, times)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*(each.coupling_matrix(X) for each in twice))
    assert twice[0].n_iter_ == 2
    copied = pickle.loads(pickle.dumps(pairwise))
    np.testing.assert_array_equal(copied.coupling_matrix(X), pairwise.coupling_matrix(X))
    assert len(pairwise.frequency_) == 6


def test_locked_phases_are_said_to_tell_nothing():
    strong = OscillatorNetwork(np.full((N, N), 0.5), frequency=0.2 * FREQUENCY)
    path = strong.simulate(n_steps=1000, save_from=300, random_state=0)
    phases = path.phases + 0.02 * rng.normal(size=path.phases.shape)
    with pytest.warns(UserWarning, match="are locked to each other"):
        found = KuraNetIdentifier().fit(None, phases, path.times)
    assert found.n_determined_ < 2
    assert found.coupling_errors_[APART].min() >= 0


def test_too_few_samples_are_said_to_be():
    with pytest.warns(UserWarning, match="for the noise. Record for longer"):
        KuraNetIdentifier(max_iter=0).fit(None, PHASES[:30], TIMES[:30])


def test_too_coarse_samples_are_said_to_be():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        KuraNetIdentifier(max_iter=0).fit(None, (PHASES[::17] * 1.7) % TURN)
    assert any("Sample more often" in str(warning.message) for warning in told)


REFUSED = {
    "one axis": (dict(phases=PHASES[:, 0]), "two nodes at least"),
    "few rows": (dict(phases=PHASES[:3], times=None), "6 rows at least"),
    "times": (dict(times=TIMES[:-1]), "one for each row of phases"),
    "order": (dict(times=TIMES[::-1]), "must be finite and increase"),
    "infinite": (dict(phases=np.full((20, 3), np.inf), times=None), "Mark what was not measured"),
    "far": (dict(phases=1e20 * PHASES), "phases reaches .* rad, where double precision"),
    "masked times": (dict(times=np.ma.masked_array(TIMES, TIMES > 3)), "times has masked entries"),
    "long times": (dict(times=1e300 * TIMES / TIMES[-1]), "times must be in another unit"),
    "never": (
        dict(phases=np.where(np.arange(N) == 2, np.nan, PHASES)),
        r"no measurement of nodes \[2\]",
    ),
    "gaps": (
        dict(phases=np.where(np.arange(len(PHASES))[:, None] % 5, np.nan, PHASES)),
        "Raise max_gap",
    ),
    "rows of X": (dict(X=np.ones((3, 2))), "one row for each node"),
    "tables": (dict(X=[np.ones((N, 2))] * 3, phases=[PHASES] * 2), "one table for each of the 2"),
    "no phases": (dict(dynamics="second_order"), "phases tell only a part"),
    "unknown": (dict(fit_parameters=("lag",)), "fit_parameters names 'lag'"),
    "twice": (
        dict(X=np.ones((N, 1)), columns={"frequency": 0}, fit_parameters=("frequency",)),
        "both name 'frequency'",
    ),
    "column": (dict(columns={"lag": 0}), "columns names 'lag'"),
    "columns of nothing": (dict(columns={"frequency": 0}), "X is None"),
    "no features": (dict(couplings="pairwise"), "needs features"),
    "other nodes": (dict(phases=[PHASES, PHASES[:, :5]], times=[TIMES] * 2), "the same nodes"),
    "memory": (dict(X=np.ones((N, 1)), memory_budget=1000), "more than memory_budget=1000"),
}


def test_phases_of_pandas_may_be_missing():
    gaps = pd.DataFrame(PHASES).mask(PHASES > 20.0).convert_dtypes()
    expected = KuraNetIdentifier(max_iter=0).fit(None, gaps.to_numpy(float, na_value=np.nan), TIMES)
    found = KuraNetIdentifier(max_iter=0).fit(None, gaps, TIMES)
    np.testing.assert_array_equal(found.couplings_, expected.couplings_)


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused(case):
    changes, message = REFUSED[case]
    given = {"X": None, "phases": PHASES, "times": TIMES, **changes}
    data = [given.pop(name) for name in ("X", "phases", "times")]
    with pytest.raises(ValueError, match=message):
        KuraNetIdentifier(**given).fit(*data)


def test_forecasts_need_a_beginning_and_an_end(fitted):
    with pytest.raises(ValueError, match="must go on after the 10 rows"):
        fitted.predict(None, PHASES[:10], TIMES[:10])
    with pytest.raises(ValueError, match="in the last row"):
        fitted.predict(None, np.full(N, np.nan), TIMES[:3])
    with pytest.raises(ValueError, match="phases are those of 5 nodes"):
        fitted.predict(None, PHASES[:50, :5], TIMES[:60])
    with pytest.raises(ValueError, match="Set a shorter window"):
        fitted.score(None, PHASES[:8], TIMES[:8])


def test_an_interrupted_fit_keeps_what_it_has(monkeypatch):
    def stop(self, n_done, loss):
        if n_done == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("skkuranet.estimators.identifier._identifier.Progress.tell", stop)
    with pytest.warns(UserWarning, match="interrupted after iteration 3"):
        found = KuraNetIdentifier().fit(None, PHASES, TIMES)
    assert found.n_iter_ == 3
    assert correlation(found.couplings_) > 0.98


@pytest.mark.parametrize(
    "check",
    [
        checks.check_do_not_raise_errors_in_init_or_set_params,
        checks.check_estimator_cloneable,
        checks.check_estimator_repr,
        checks.check_estimator_tags_renamed,
        checks.check_get_params_invariance,
        checks.check_mixin_order,
        checks.check_no_attributes_set_in_init,
        checks.check_param_validation,
        checks.check_parameters_default_constructible,
        checks.check_set_params,
        checks.check_valid_tag_types,
    ],
)
def test_an_estimator_of_recordings(check):
    check("KuraNetIdentifier", KuraNetIdentifier())


class OfTables(KuraNetIdentifier):
    """Is fitted to oscillators that turn freely, a row each."""

    def fit(self, X, y=None):
        self.max_iter, n = 0, len(X)
        turns = np.outer(np.arange(8.0), np.linspace(0.1, 0.5, n))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().fit(X, turns)

    def predict(self, X):
        return super().predict(X, np.zeros(len(X)), [0.0, 1.0])[0]


@pytest.mark.parametrize(
    "check",
    [
        checks.check_dict_unchanged,
        checks.check_estimators_fit_returns_self,
        checks.check_estimators_nan_inf,
        checks.check_estimators_overwrite_params,
        checks.check_estimators_pickle,
        checks.check_fit_check_is_fitted,
        checks.check_n_features_in,
        checks.check_readonly_memmap_input,
    ],
)
def test_an_estimator_of_recordings_fitted(check):
    small = OfTables(hidden_layer_sizes=(4,), n_rounds=1, n_train_iter=2, max_iter=0)
    check("KuraNetIdentifier", small)


def test_dynamics_may_be_a_class_or_an_instance():
    for given in (Kuramoto, Kuramoto()):
        found = KuraNetIdentifier(given, max_iter=0, n_rounds=1).fit(None, PHASES, TIMES)
        assert correlation(found.couplings_) > 0.98
    fixed = KuraNetIdentifier(Kuramoto(frequency=FREQUENCY), max_iter=0, n_rounds=1)
    fixed.fit(None, PHASES, TIMES)
    assert fixed.parameters_ == {}


def test_phases_of_signals_are_those_of_their_rhythm():
    times = np.arange(0.0, 20.0, 0.01)
    angles = TURN * np.outer(times, [1.0, 1.2]) + [0.0, 1.0]
    signals = np.cos(angles) + 0.5 * np.cos(TURN * 8.0 * times)[:, None] + 3.0
    phases = phases_from_signal(signals, 100.0, (0.5, 2.0))
    apart = np.abs(np.angle(np.exp(1j * (phases - angles))))
    assert np.isnan(phases[:200]).all()
    assert np.isnan(phases[-200:]).all()
    assert np.nanmax(apart[300:-300]) < 0.1
    assert phases_from_signal(signals[:, 0], 100.0, (0.5, 2.0)).shape == (2000,)


def test_signals_without_the_rhythm_are_told():
    signals = np.cos(TURN * np.outer(np.arange(0.0, 20.0, 0.01), [1.0, 30.0]))
    with pytest.warns(UserWarning, match=r"Columns \[1\] of signal have next to nothing in band"):
        phases_from_signal(signals, 100.0, (0.5, 2.0))


@pytest.mark.parametrize(
    ("signal", "rate", "band", "message"),
    [
        (np.ones((900, 2, 2)), 100.0, (1.0, 2.0), "must have shape"),
        ([np.nan] * 900, 100.0, (1.0, 2.0), "must be finite"),
        (np.arange(900.0), -1.0, (1.0, 2.0), "sampling_rate must be positive"),
        (np.arange(900.0), 100.0, (1.0, 60.0), "half the sampling_rate"),
        (np.arange(90.0), 100.0, (1.0, 2.0), "four periods"),
        (np.ones(900), 100.0, (1.0, 2.0), "constant"),
    ],
)
def test_signals_that_have_no_phases_are_refused(signal, rate, band, message):
    with pytest.raises(ValueError, match=message):
        phases_from_signal(signal, rate, band)
    with pytest.raises(TypeError, match="real numbers"):
        phases_from_signal("text", rate, band)
