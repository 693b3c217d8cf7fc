"""KuraNetSynchronizer as its users meet it."""

import functools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import kneighbors_graph
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skkuranet import KuraNetSynchronizer
from skkuranet.coupling import DenseCoupling
from skkuranet.datasets import make_disorder
from skkuranet.dynamics import integrate
from skkuranet.estimators._connectivity import FixedGraph, edges_of
from skkuranet.estimators._schedule_presets import PROMPT
from skkuranet.training import Curriculum
from skkuranet.training import _run as training

QUICK = {"max_iter": 150, "hidden_layer_sizes": (32, 32), "batch_size": 4, "random_state": 0}
ROLES = {"I": {}, "II": {"field": 1}, "III": {"delay": 1}}


def disorder(case, n=1000, seed=0):
    return make_disorder(case, n, random_state=seed)


@pytest.fixture(scope="module")
def fitted():
    return KuraNetSynchronizer(**QUICK).fit(disorder("I"))


@pytest.fixture(scope="module", params=["I", "II", "III"])
def of_every_case(request):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KuraNetSynchronizer(**ROLES[request.param], **QUICK).fit(disorder(request.param))
    return request.param, model


def test_synchronises_what_uniform_couplings_do_not(of_every_case):
    case, model = of_every_case
    X = disorder(case, 300, seed=1)
    alike = np.full((len(X), len(X)), 1.0 / (len(X) - 1))
    np.fill_diagonal(alike, 0.0)
    start = torch.linspace(0.0, 6.0, len(X), dtype=torch.float64)
    nodes = {"frequency": X[:, 0]} | {role: X[:, c] for role, c in ROLES[case].items()}
    control = integrate(
        DenseCoupling(torch.from_numpy(alike)),
        start,
        **{k: torch.from_numpy(v) for k, v in nodes.items()},
        n_steps=5000,
        save_from=4800,
    )
    assert model.score(X) > float(control.order_parameter().mean()) + 0.2


def test_couplings_are_symmetric_positive_and_of_the_mean_degree_at_any_size(of_every_case):
    case, model = of_every_case
    for n in (2, 50, 400):
        K = model.coupling_matrix(disorder(case, n, seed=2))
        assert K.min() >= -1e-12
        np.testing.assert_allclose(K, K.T, atol=1e-12)
        np.testing.assert_allclose(K.sum() / n, 1.0)
        assert np.abs(np.diag(K)).max() < 1e-12
    X = disorder(case, 5000, seed=3)
    assert model.fan_in(X).mean() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("coupling", ["factorized", "pairwise"])
def test_average_degree(coupling):
    settings = {**QUICK, "max_iter": 5, "batch_size": 1, "hidden_layer_sizes": (8,)}
    model = KuraNetSynchronizer(average_degree=3.0, coupling=coupling, **settings)
    K = model.fit(disorder("I", 200)).coupling_matrix(disorder("I", 60, seed=1))
    assert K.sum() / 60 == pytest.approx(3.0)
    np.testing.assert_allclose(K, K.T, atol=1e-7)


def test_locked_phases_in_closed_form_are_those_of_a_long_simulation(fitted):
    x = np.array([[0.7]])
    K = fitted.coupling_matrix(x, fitted.reference_features_)[0]
    theta, t = 0.0, 0.0
    for _ in range(20_000):
        others = fitted.reference_phases_ + fitted.reference_frequency_ * t
        theta += 0.05 * (x[0, 0] + np.sum(K * np.sin(others - theta)))
        t += 0.05
    mean_field = np.angle(np.exp(1j * fitted.reference_phases_).mean())
    settled = theta - fitted.reference_frequency_ * t - mean_field
    assert fitted.predict(x)[0] == pytest.approx(settled, abs=1e-3)
    assert fitted.locked_.all()
    np.testing.assert_allclose(
        fitted.transform(x), [[np.cos(fitted.predict(x)[0]), np.sin(fitted.predict(x)[0])]]
    )


def test_rows_of_the_reference_network_lock_where_they_are(of_every_case):
    case, model = of_every_case
    if case == "II":
        pytest.skip("a network that turns in its field has no oscillator at rest")
    rest = model.reference_phases_ - np.angle(np.exp(1j * model.reference_phases_).mean())
    predicted = model.predict(model.reference_features_)
    apart = np.abs(np.angle(np.exp(1j * (predicted - rest))))[model.locked_]
    assert np.median(apart) < 0.1


def test_a_reference_network_that_drifts_is_reported_and_integrated():
    X = np.linspace(-5.0, 5.0, 60)[:, None]
    with pytest.warns(ConvergenceWarning, match=r"do not synchronise|reference network drift"):
        model = KuraNetSynchronizer(**{**QUICK, "max_iter": 5}).fit(X)
    assert not model.locked_.all()
    assert np.abs(model.effective_frequencies_).max() > 1.0
    phases = model.predict(X)
    assert np.all(np.abs(phases) <= np.pi)
    np.testing.assert_array_equal(model.predict(X[10:20]), phases[10:20])


def test_delays_longer_than_any_of_training_work():
    X = disorder("III", 200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KuraNetSynchronizer(delay=1, **{**QUICK, "max_iter": 5}).fit(X)
    longer = np.vstack((X, [[3.0, 12.0]]))
    path = model.simulate(longer, n_steps=400)
    assert np.isfinite(path.phases).all()
    assert np.isfinite(model.predict(longer)).all()


def test_columns_by_name():
    pl = pytest.importorskip("polars")
    X = disorder("II", 300)
    table = {"b": X[:, 1], "size": np.ones(300), "omega": X[:, 0]}
    settings = {**QUICK, "max_iter": 5}
    fits = []
    for frame in (pd.DataFrame(table), pl.DataFrame(table)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = KuraNetSynchronizer("omega", field="b", **settings).fit(frame)
        assert model.columns_ == {"frequency": 2, "field": 0}
        fits.append(model.predict(frame))
    np.testing.assert_array_equal(*fits)
    output = model.set_output(transform="pandas").transform(frame)
    assert [*output.columns] == ["kuranetsynchronizer0", "kuranetsynchronizer1"]


def long_simulation(model, x, sources):
    """Phases of driven oscillators after 2,000 steps, by Euler's method in two loops."""
    K = model.coupling_matrix(x, model.reference_features_)
    h, omega, field = 0.05, x[:, 0], np.zeros(len(x))
    if "field" in model.columns_:
        field = x[:, model.columns_["field"]]
    theta = np.zeros(len(x))
    for step in range(4000):
        others = sources(step * h)
        pull = (K * np.sin(others[None, :] - theta[:, None])).sum(axis=1)
        theta = theta + h * (omega + pull + field * np.sin(theta))
    return theta, 4000 * h


@pytest.mark.parametrize("off_the_grid", [0.0, 0.04])
def test_rows_lock_to_a_rotating_network_with_delays_as_in_a_long_simulation(off_the_grid):
    rng = np.random.RandomState(0)
    X = np.column_stack((rng.uniform(2.9, 3.1, 300), 0.1 * rng.randint(0, 6, 300) + off_the_grid))
    settings = {**QUICK, "max_iter": 100, "n_reference": 200}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = KuraNetSynchronizer(delay=1, average_degree=3.0, **settings).fit(X)
    assert model.locked_.all()
    assert model.reference_frequency_ > 1.0
    phases, frequency = model.reference_phases_, model.reference_frequency_
    # Delays act as they were rounded: those off the grid by 0.04 as if they were on it.
    delay = np.round(model.reference_features_[:, 1] / 0.1) * 0.1
    theta, t = long_simulation(model, X[:20], lambda t: phases + frequency * (t - delay))
    settled = theta - frequency * t - np.angle(np.exp(1j * phases).mean())
    apart = np.angle(np.exp(1j * (model.predict(X[:20]) - settled)))
    np.testing.assert_allclose(apart, 0.0, atol=1e-6)
    # The network itself is at rest where its own rows are put; only self-couplings differ.
    own = model.predict(model.reference_features_) + np.angle(np.exp(1j * phases).mean())
    assert np.median(np.abs(np.angle(np.exp(1j * (own - phases))))) < 0.01


def test_rows_lock_to_a_network_at_rest_in_a_field_as_in_a_long_simulation():
    rng = np.random.RandomState(0)
    X = np.column_stack((rng.uniform(-0.05, 0.05, 300), rng.uniform(0.2, 0.3, 300)))
    model = KuraNetSynchronizer(field=1, **{**QUICK, "max_iter": 60}).fit(X)
    assert model.locked_.all()
    assert model.reference_frequency_ == 0.0
    theta, _ = long_simulation(model, X[:20], lambda t: model.reference_phases_)
    settled = theta - np.angle(np.exp(1j * model.reference_phases_).mean())
    apart = np.angle(np.exp(1j * (model.predict(X[:20]) - settled)))
    np.testing.assert_allclose(apart, 0.0, atol=1e-6)


def test_a_network_that_turns_in_its_field_is_locked_but_has_no_fixed_angle_to_it():
    rng = np.random.RandomState(0)
    X = np.column_stack((rng.uniform(0.2, 0.3, 200), rng.uniform(-0.05, 0.05, 200)))
    with pytest.warns(ConvergenceWarning, match="turns in its field"):
        model = KuraNetSynchronizer(field=1, **{**QUICK, "max_iter": 60}).fit(X)
    assert model.locked_.all()
    assert model.reference_frequency_ == pytest.approx(0.25, abs=0.02)


def test_a_common_frequency_changes_nothing_but_the_frequency(fitted):
    X = disorder("I") + 40.0
    shifted = KuraNetSynchronizer(**QUICK).fit(X)
    assert shifted.reference_frequency_ == pytest.approx(
        40.0 + fitted.reference_frequency_, abs=1e-3
    )
    assert shifted.locked_.all()
    np.testing.assert_allclose(shifted.predict(X), fitted.predict(X - 40.0), atol=1e-2)


def test_a_frequency_that_single_precision_would_lose_phases_by_changes_nothing(fitted):
    X = disorder("I")
    shifted = KuraNetSynchronizer(**QUICK).fit(X + 1e5)
    assert shifted.limit_loss_ == pytest.approx(fitted.limit_loss_, abs=0.01)
    assert shifted.score(X + 1e5) == pytest.approx(fitted.score(X), abs=0.01)
    assert fitted.simulate(X, n_steps=3).phases.dtype == np.float32
    with pytest.raises(ValueError, match="subtract a frequency that all rows have in common"):
        shifted.set_params(coupling="pairwise", precision="bfloat16").simulate(X + 1e5)


@pytest.mark.parametrize("history", ["rotation", "constant"])
def test_simulate_is_the_motion_under_the_coupling_matrix(history):
    X = disorder("III", 60)
    settings = {**QUICK, "max_iter": 5, "history": history}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KuraNetSynchronizer(delay=1, **settings).fit(X)
    start = np.linspace(0.0, 6.0, 60)
    expected = integrate(
        DenseCoupling(torch.from_numpy(model.coupling_matrix(X))),
        torch.from_numpy(start),
        frequency=torch.from_numpy(X[:, 0]),
        delay=torch.from_numpy(X[:, 1]),
        history=history,
        n_steps=40,
    ).phases
    path = model.simulate(X, n_steps=40, initial_phases=start)
    np.testing.assert_allclose(path.phases, expected, atol=1e-4)


def test_training_has_the_history_of_the_estimator():
    X = disorder("III", 60)
    curves = []
    for history in ("rotation", "constant"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            settings = {**QUICK, "max_iter": 3, "history": history}
            curves.append(KuraNetSynchronizer(delay=1, **settings).fit(X).loss_curve_)
    assert curves[0] != curves[1]


def test_score_is_the_order_of_the_last_twenty_units_of_time(fitted):
    X = disorder("I", 80, seed=4)
    late = fitted.simulate(X, save_from=4800, random_state=3).order_parameter()
    assert fitted.score(X, random_state=3) == pytest.approx(late.mean(), abs=1e-6)
    alike = np.zeros((50, 1))
    assert 1.0 - 1e-6 < fitted.score(alike) <= 1.0


def test_strong_couplings_are_trained_at_smaller_steps_and_overshooting_is_reported():
    X = disorder("I", 300)
    model = KuraNetSynchronizer(average_degree=10.0, **{**QUICK, "max_iter": 60}).fit(X)
    assert model.score(X) > 0.99
    with pytest.warns(UserWarning, match=r"step_size=0.5 is too coarse: half of it leads"):
        model.simulate(X, step_size=0.5, n_steps=100)


def test_a_lone_oscillator_rotates_freely(of_every_case):
    case, model = of_every_case
    x = disorder(case, 1, seed=1)
    assert model.coupling_matrix(x) == [[0.0]]
    assert model.fan_in(x) == [0.0]
    assert model.score(x) == pytest.approx(1.0)
    assert model.feature_correlation(x) == 0.0
    path = model.simulate(x, n_steps=2, initial_phases=[np.pi])
    assert path.phases[1, 0] - np.pi == pytest.approx(0.1 * x[0, 0], abs=1e-4)


BAD = {
    "no column": ({"frequency": True}, "frequency=True is not a column"),
    "absurd delay": ({"delay": 2}, "delay of 1e[+]06 is 1e[+]07 steps"),
    "graph is a string": ({"connectivity": lambda X: "grid"}, "connectivity must be a matrix"),
    "no such name": ({"frequency": "omega"}, "frequency='omega' is a name"),
    "no such index": ({"delay": 3}, "delay=3 is not a column of X, which has 3"),
    "two roles": ({"field": 0}, "frequency and field both name column 0"),
    "two roles, negative": ({"field": -3}, "both name column"),
    "degree": ({"average_degree": 0.0}, "The 'average_degree' parameter"),
    "history": ({"history": "random"}, "The 'history' parameter"),
    "graph": ({"connectivity": np.eye(3)}, "connectivity has shape"),
    "no edges": ({"connectivity": np.eye(50)}, "connectivity has no edges"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_settings_are_named(case):
    settings, message = BAD[case]
    X = disorder("II", 50)
    X = np.column_stack((X, np.full(50, 1e6)))
    with pytest.raises(ValueError, match=message):
        KuraNetSynchronizer(**settings).fit(X)


def test_delays_alone_are_disorder_enough():
    X = disorder("III", 200)[:, 1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KuraNetSynchronizer(None, delay=0, **{**QUICK, "max_iter": 5}).fit(X)
    assert model.columns_ == {"delay": 0}
    assert np.isfinite(model.predict(X)).all()
    assert 0.0 <= model.score(X) <= 1.0


def test_bad_delays_are_named():
    X = disorder("III", 50)
    with pytest.raises(ValueError, match="negative delay, -1"):
        KuraNetSynchronizer(delay=1).fit(np.where(np.arange(2) == 1, -1.0, X))
    with pytest.raises(ValueError, match="contains NaN"):
        KuraNetSynchronizer(delay=1).fit(np.where(np.arange(2) == 1, np.nan, X))
    rounded = r"rounded to multiples of step_size=0.1, by up to 0.03"
    with pytest.warns(ConvergenceWarning), pytest.warns(UserWarning, match=rounded) as caught:
        KuraNetSynchronizer(delay=1, **{**QUICK, "max_iter": 2}).fit(X + np.array([0.0, 0.03]))
    assert sum("rounded" in str(w.message) for w in caught) == 1
    model = KuraNetSynchronizer(delay=1, **{**QUICK, "max_iter": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X)
    with pytest.raises(ValueError, match="negative delay"):
        model.simulate(-X)


def ring(n):
    return sp.diags_array([1.0, 1.0], offsets=[1, n - 1], shape=(n, n))


def test_a_fixed_graph_is_kept_to():
    X = disorder("I", 60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KuraNetSynchronizer(
            connectivity=ring(60), average_degree=4.0, **{**QUICK, "max_iter": 20}
        ).fit(X)
    K = model.coupling_matrix(X)
    assert np.count_nonzero(K) == 120
    np.testing.assert_allclose(K, K.T)
    assert K.sum() / 60 == pytest.approx(4.0)
    with pytest.raises(ValueError, match="there are 30 oscillators"):
        model.simulate(X[:30])
    assert model.simulate(X[:30], connectivity=ring(30), n_steps=3).phases.shape == (4, 30)
    assert model.predict(X[:5]).shape == (5,)
    assert model.reference_features_.shape == X.shape


def test_graphs_made_by_a_callable():
    X = disorder("I", 300)
    near = functools.partial(kneighbors_graph, n_neighbors=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KuraNetSynchronizer(connectivity=near, **{**QUICK, "max_iter": 5}).fit(X)
    K = model.coupling_matrix(X)
    linked = near(X) + near(X).T
    assert np.all(K[linked.toarray() == 0] == 0)
    assert -1.0 <= model.feature_correlation(X) <= 1.0


def test_graphs_that_fall_apart_are_reported_and_do_no_harm():
    graph = sp.block_diag((np.ones((20, 20)), np.ones((20, 20)), np.zeros((1, 1))))
    model = KuraNetSynchronizer(connectivity=graph, **{**QUICK, "max_iter": 2})
    parts = "falls into 3 parts, 1 of them isolated"
    with pytest.warns(ConvergenceWarning), pytest.warns(UserWarning, match=parts):
        model.fit(disorder("I", 41))
    with pytest.warns(UserWarning, match=parts):
        path = model.simulate(disorder("I", 41), n_steps=5)
    assert np.isfinite(path.phases).all()
    model.set_params(connectivity=lambda X: graph)
    with pytest.warns(ConvergenceWarning), pytest.warns(UserWarning, match=parts):
        model.fit(disorder("I", 41))


def test_edges_of_a_fixed_graph_follow_its_nodes():
    edges = edges_of(ring(6), 6)
    index = torch.stack(
        [torch.randperm(6, generator=torch.Generator().manual_seed(s)) for s in (0, 1)]
    )
    drawn = FixedGraph(edges)(index)
    nodes = index.flatten()[drawn].view(2, 2, -1)
    for network in nodes.unbind(1):
        assert {*map(tuple, network.T.tolist())} == {*map(tuple, edges.T.tolist())}


def test_memory_of_prediction_is_bounded_on_a_graph():
    X = disorder("I", 400)
    settings = {**QUICK, "max_iter": 2, "hidden_layer_sizes": (8,), "coupling": "pairwise"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KuraNetSynchronizer(connectivity=ring(400), **settings).fit(X)
    whole = model.predict(X[:20])
    np.testing.assert_allclose(model.set_params(memory_budget=2**18).predict(X[:20]), whole)
    with pytest.raises(ValueError, match="leave it out where Y drives"):
        model.coupling_matrix(X[:3], X[:3], connectivity=ring(3))


def test_opposites_are_coupled_in_case_one(fitted):
    assert fitted.feature_correlation(disorder("I", 500, seed=1)) < -0.5


def test_effective_frequencies_tell_who_drifts(fitted):
    X = np.vstack((disorder("I", 300, seed=1), [[40.0]]))
    path = fitted.simulate(X, save_from=4000)
    locked = path.locked()
    assert not locked[-1]
    assert path.effective_frequency()[-1] == pytest.approx(40.0, abs=1.0)
    assert path.effective_frequency().shape == (301,)
    with pytest.raises(ValueError, match="lower save_from"):
        fitted.simulate(X, n_steps=5, save_from=5).effective_frequency()


def test_restarts_pickles_pipelines_and_searches(fitted):
    X = disorder("I", 200, seed=1)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    assert not hasattr(clone(fitted), "coupling_")
    settings = {**QUICK, "max_iter": 10, "n_init": 2, "n_reference": 50}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one, two = (KuraNetSynchronizer(n_jobs=j, **settings).fit(X) for j in (1, 2))
        np.testing.assert_array_equal(one.loss_curve_, two.loss_curve_)
        pipeline = make_pipeline(FunctionTransformer(), KuraNetSynchronizer(**settings))
        assert 0.0 <= pipeline.fit(X).score(X) <= 1.0
        search = GridSearchCV(KuraNetSynchronizer(**settings), {"average_degree": [0.5, 2.0]}, cv=2)
        assert search.fit(X).best_params_ == {"average_degree": 2.0}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("case", ROLES)
def test_cuda_agrees_with_the_cpu(case):
    X = disorder(case, 300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KuraNetSynchronizer(device="cuda", **ROLES[case], **QUICK).fit(X)
    expected = model.predict(X), model.coupling_matrix(X)
    model.set_params(device="cpu")
    np.testing.assert_allclose(model.coupling_matrix(X), expected[1], atol=1e-9)
    if model.locked_.all():
        np.testing.assert_allclose(model.predict(X), expected[0], atol=1e-9)


@pytest.mark.filterwarnings("ignore:Training was interrupted")
@pytest.mark.filterwarnings("ignore:.*oscillators of the reference network drift")
@pytest.mark.parametrize(
    ("n", "settings", "expected"),
    [
        (20, {}, 200),
        (80, {}, 320),
        (100, {}, 400),
        (100, {"max_iter": 3}, 3),
        (101, {}, 1000),
        (60, {"connectivity": ring(60)}, 1000),
        (60, {"delay": 1}, 1000),
    ],
)
def test_few_rows_take_a_shorter_schedule(n, settings, expected, monkeypatch):
    longest = []

    def interrupt(run, iteration):
        longest.append(run.curriculum.n_iterations)
        raise KeyboardInterrupt

    monkeypatch.setattr(training.Run, "step", interrupt)
    KuraNetSynchronizer(network_size=50, n_reference=20, **settings).fit(disorder("III", n))
    assert longest == [expected]


def test_training_takes_longer_steps_only_where_couplings_are_weak():
    plain = Curriculum(step_size=0.1)
    steps = {
        degree: PROMPT.adapt(plain, n_rows=1000, average_degree=degree).step_size
        for degree in (0.5, 1.0, 2.5, 10.0)
    }
    assert steps == pytest.approx({0.5: 0.5, 1.0: 0.5, 2.5: 0.2, 10.0: 0.1})


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_zeros_that_a_sparse_graph_stores_are_no_edges():
    X = make_disorder("I", 12, random_state=0)
    ring = np.roll(np.eye(12), 1, axis=1) + np.roll(np.eye(12), -1, axis=1)
    rows, columns = np.indices(ring.shape).reshape(2, -1)
    stored = sp.coo_array((ring.ravel(), (rows, columns)), shape=ring.shape)
    assert stored.nnz == ring.size
    settings = {"max_iter": 1, "hidden_layer_sizes": (4,), "random_state": 0}
    for form in ("csr", "csc", "coo"):
        for weighted in (False, True):
            found = [
                KuraNetSynchronizer(connectivity=graph, edge_weights=weighted, **settings)
                .fit(X)
                .coupling_matrix(X)
                for graph in (stored.asformat(form), sp.csr_array(ring))
            ]
            np.testing.assert_array_equal(*found)
