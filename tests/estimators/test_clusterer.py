"""KuraNetClusterer as its users meet it."""

import copy
import pickle
import random
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_digits, make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkuranet import KuraNetClassifier, KuraNetClusterer
from skkuranet.estimators import _clustering

QUICK = {"max_iter": 60, "hidden_layer_sizes": (32, 32), "random_state": 0}


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(200, centers=3, random_state=1)


@pytest.fixture(scope="module")
def fitted(blobs):
    return KuraNetClusterer(**QUICK).fit(*blobs)


def test_its_other_name_says_that_it_is_a_classifier():
    assert KuraNetClassifier is KuraNetClusterer
    assert is_classifier(KuraNetClassifier())


def test_learns_moons_and_carries_over_to_a_network_a_hundred_times_larger():
    X, y = make_moons(10_000, noise=0.05, random_state=0)
    clusterer = KuraNetClusterer(max_iter=300, random_state=0).fit(X[:1000], y[:1000])
    assert clusterer.score(X, y) > 0.99
    assert clusterer.synchrony_loss(X, y) < 0.01
    path = clusterer.simulate(X, n_steps=20)
    assert path.phases.shape == (21, len(X))
    assert path.order_parameter().shape == path.times.shape == (21,)


def test_prediction_is_where_a_test_oscillator_comes_to_rest(fitted, blobs):
    X = blobs[0][:1]
    K = fitted.coupling_matrix(X, fitted.reference_features_)[0]
    theta = 0.3
    for _ in range(20_000):
        theta += 0.1 * np.sum(K * np.sin(fitted.reference_phases_ - theta))
    np.testing.assert_allclose(fitted.transform(X)[0], [np.cos(theta), np.sin(theta)], atol=1e-6)


def test_clusters_never_seen():
    X, y = make_blobs(300, centers=4, cluster_std=0.5, random_state=3)
    seen = y < 3
    clusterer = KuraNetClusterer(**QUICK).fit(X[seen], y[seen])
    labels = clusterer.cluster(X[~seen], n_clusters=2, random_state=0)
    assert labels.shape == ((~seen).sum(),)
    assert set(labels) <= {0, 1}


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_string_labels_and_data_frames(kind, blobs, fitted):
    X, y = blobs
    names = np.array(["ash", "birch", "cedar"])[y]
    frame = pytest.importorskip(kind).DataFrame({"p": X[:, 0], "q": X[:, 1]})
    clusterer = KuraNetClusterer(**QUICK).fit(frame, names)
    assert list(clusterer.feature_names_in_) == ["p", "q"]
    np.testing.assert_array_equal(clusterer.predict(frame), clusterer.classes_[fitted.predict(X)])
    table = clusterer.set_output(transform="pandas").transform(frame)
    assert list(table.columns) == ["kuranetclusterer0", "kuranetclusterer1"]


def test_pickle_clone_and_joblib(fitted, blobs, tmp_path):
    X, _ = blobs
    expected = fitted.predict_proba(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), expected)
    joblib.dump(fitted, tmp_path / "clusterer.joblib")
    again = joblib.load(tmp_path / "clusterer.joblib")
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    assert not hasattr(clone(fitted), "coupling_")
    assert all(p.device.type == "cpu" for p in fitted.coupling_.parameters())
    assert "KuraNetClusterer" in fitted._repr_html_()


def test_restarts_do_not_depend_on_the_number_of_jobs(blobs):
    settings = {**QUICK, "max_iter": 20, "n_init": 2}
    one, two = (KuraNetClusterer(n_jobs=j, **settings).fit(*blobs) for j in (1, 2))
    np.testing.assert_array_equal(one.loss_curve_, two.loss_curve_)
    np.testing.assert_array_equal(one.transform(blobs[0]), two.transform(blobs[0]))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_global_random_states_are_left_alone(blobs):
    before = np.random.get_state()[1].copy(), torch.get_rng_state(), random.getstate()
    threads = torch.get_num_threads()
    KuraNetClusterer(max_iter=5).fit(*blobs).simulate(blobs[0], n_steps=2)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert random.getstate() == before[2]
    assert torch.get_num_threads() == threads


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("max_iter", "first_stop"), [(250, 200), (1200, 400)])
def test_a_longer_schedule_stops_later(blobs, max_iter, first_stop):
    settings = {**QUICK, "batch_size": 1, "network_size": 10, "n_steps": 10, "tol": 1.0}
    clusterer = KuraNetClusterer("pairwise", **settings | {"max_iter": max_iter}).fit(*blobs)
    assert clusterer.n_iter_ == first_stop


def test_warm_start_goes_on(blobs):
    X, y = blobs
    clusterer = KuraNetClusterer(**QUICK, warm_start=True).fit(X, y).set_params(max_iter=1)
    assert clusterer.fit(X, y).score(X, y) > 0.95
    assert clusterer.n_iter_ == 1
    with pytest.raises(ValueError, match="warm_start=True goes on with the classes"):
        clusterer.fit(X, y + 1)


def test_unlabeled_rows_take_part_without_a_label(blobs):
    X, y = blobs
    partial = np.where(np.arange(len(y)) % 4, -1, y)
    clusterer = KuraNetClusterer(**QUICK, unlabeled=-1).fit(X, partial)
    assert list(clusterer.classes_) == [0, 1, 2]
    assert clusterer.score(X, y) > 0.95
    assert -1 not in clusterer.labels_


@pytest.mark.parametrize(("none", "names"), [("", "abc"), (np.nan, [1.0, 2.0, 4.0]), (-1, "abc")])
def test_unlabeled_values_of_any_kind(none, names, blobs):
    X, y = blobs
    mixed = [none if i % 4 else names[label] for i, label in enumerate(y)]
    clusterer = KuraNetClusterer(**QUICK, unlabeled=none).fit(X, mixed)
    assert list(clusterer.classes_) == list(names)
    assert np.mean(clusterer.predict(X) == np.array(list(names))[y]) > 0.95


def test_scores_can_be_monitored(blobs):
    monitor = pytest.importorskip("sklearn.callback").ScoringMonitor(scoring="accuracy")
    plain = KuraNetClusterer(**{**QUICK, "max_iter": 30, "n_init": 2}).fit(*blobs)
    watched = clone(plain).set_callbacks(monitor).fit(*blobs)
    scores = [row["accuracy"] for row in monitor.get_logs().data if "accuracy" in row]
    # Each iteration, each restart and the fit.
    assert len(scores) == 2 * 30 + 2 + 1
    assert scores[-1] == watched.score(*blobs)
    np.testing.assert_array_equal(plain.transform(blobs[0]), watched.transform(blobs[0]))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_callbacks_and_progress_bar(blobs, capsys):
    ProgressBar = pytest.importorskip("sklearn.callback").ProgressBar
    X, y = blobs
    KuraNetClusterer(max_iter=3).set_callbacks(ProgressBar()).fit(X, y)
    shown = capsys.readouterr().out
    assert "KuraNetClusterer" in shown
    assert "100%" in shown
    pipeline = make_pipeline(StandardScaler(), KuraNetClusterer(max_iter=3))
    pipeline.set_callbacks(ProgressBar()).fit(X, y)
    search = GridSearchCV(KuraNetClusterer(max_iter=3), {"step_size": [0.5, 1.0]}, cv=2)
    search.set_callbacks(ProgressBar()).fit(X, y)
    assert search.best_params_["step_size"] in (0.5, 1.0)


def test_metadata_is_routed_in_a_pipeline(blobs):
    X, y = blobs
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), KuraNetClusterer(**QUICK))
        groups = np.arange(len(y)) % 4
        scores = cross_val_score(pipeline, X, y, cv=GroupKFold(4), params={"groups": groups})
        weighted = KuraNetClusterer(**QUICK).set_fit_request(sample_weight=True)
        make_pipeline(weighted).fit(X, y, sample_weight=(y < 2).astype(float))
    assert scores.min() > 0.9
    assert list(weighted.classes_) == [0, 1]


def test_early_stopping_and_how_to_switch_it_off(blobs):
    settings = {**QUICK, "max_iter": 400}
    short = KuraNetClusterer(**settings).fit(*blobs)
    assert short.n_iter_ == len(short.loss_curve_) < 400
    assert short.validation_scores_[-1] > 0.95
    for off in ({"tol": 0}, {"early_stopping": False, "tol": 1e-12}):
        full = KuraNetClusterer(**settings, **off).fit(*blobs)
        assert full.n_iter_ == len(full.loss_curve_) == 400


def test_an_interrupted_fit_keeps_what_it_has_learned(blobs, monkeypatch):
    from skkuranet.training import _run as training

    done = training.Run.step

    def interrupt(run, iteration):
        if iteration == 30:
            raise KeyboardInterrupt
        return done(run, iteration)

    monkeypatch.setattr(training.Run, "step", interrupt)
    with pytest.warns(
        ConvergenceWarning, match="interrupted; the best couplings so far, of 30 iterations"
    ):
        clusterer = KuraNetClusterer(random_state=0).fit(*blobs)
    assert clusterer.n_iter_ == 30
    assert clusterer.score(*blobs) > 0.9


def test_modules_of_the_user(blobs):
    class Distance(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.width = torch.nn.Parameter(torch.tensor(1.0))

        def forward(self, x, y):
            return 1.0 - torch.cdist(x, y) * self.width

    X, y = blobs
    clusterer = KuraNetClusterer(Distance(), max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        clusterer.fit(X, y)
    assert clusterer.coupling_matrix(X[:5]).shape == (5, 5)


BAD_FITS = {
    "one node": (lambda X, y: (X[:1], y[:1]), "minimum of 2 is required"),
    "one class": (lambda X, y: (X, np.zeros(len(y))), "at least two classes"),
    "NaN": (lambda X, y: (np.where(X > 0, np.nan, X), y), "contains NaN"),
    "infinity": (lambda X, y: (np.where(X > 0, np.inf, X), y), "contains infinity"),
    "3-D": (lambda X, y: (X[:, :, None], y), "dim 3"),
    "length of y": (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
    "continuous y": (lambda X, y: (X, X[:, 0]), "Unknown label type"),
}


@pytest.mark.parametrize("case", BAD_FITS)
def test_bad_data_is_named(case, blobs):
    change, message = BAD_FITS[case]
    with pytest.raises(ValueError, match=message):
        KuraNetClusterer(**QUICK).fit(*change(*blobs))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("coupling", "quadratic"),
        ("normalization", "l2"),
        ("step_size", -1.0),
        ("network_size", 1),
        ("n_init", 0),
        ("rank", 0),
    ],
)
def test_bad_parameters_are_named(parameter, value, blobs):
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter"):
        KuraNetClusterer(**{parameter: value}).fit(*blobs)


def test_devices_that_are_not_there_are_named(blobs):
    with pytest.raises(ValueError, match="device='abacus' is unknown"):
        KuraNetClusterer(device="abacus").fit(*blobs)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device is available"):
            KuraNetClusterer(device="cuda").fit(*blobs)


def test_poor_data_gets_a_warning():
    X, y = make_blobs(40, centers=2, random_state=0)
    with pytest.warns(UserWarning, match=r"single member: \[.*2"):
        KuraNetClusterer(**QUICK).fit(np.vstack((X, [[50.0, 50.0]])), np.append(y, 2))
    with (
        pytest.warns(UserWarning, match="All features in X are constant"),
        pytest.warns(ConvergenceWarning, match="merged at the limit"),
    ):
        KuraNetClusterer(**QUICK).fit(np.ones((40, 2)), y)


def test_one_feature_is_enough():
    X, y = make_blobs(60, centers=[[-3.0], [3.0]], random_state=0)
    assert KuraNetClusterer(**QUICK).fit(X, y).score(X, y) > 0.95


def test_a_loss_that_is_not_finite_names_step_size(blobs):
    X, y = blobs
    with pytest.raises(FloatingPointError, match="Lower step_size"):
        KuraNetClusterer(step_size=1e38, max_iter=5).fit(X, y)


def test_bad_calls_after_fit_are_named(fitted, blobs):
    X, _ = blobs
    with pytest.raises(ValueError, match="n_clusters must lie between 1 and the number of rows 5"):
        fitted.cluster(X[:5], n_clusters=6)
    with pytest.raises(ValueError, match="initial_phases must have shape"):
        fitted.simulate(X, initial_phases=[0.0])
    small = copy.copy(fitted).set_params(memory_budget=1000)
    with pytest.raises(ValueError, match="more than memory_budget=1000"):
        small.coupling_matrix(X)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu(blobs):
    X, _ = blobs
    on_card = KuraNetClusterer(**QUICK, device="cuda").fit(*blobs)
    assert all(p.device.type == "cpu" for p in on_card.coupling_.parameters())
    expected = on_card.transform(X)
    np.testing.assert_allclose(on_card.set_params(device="cpu").transform(X), expected, atol=1e-9)


def test_core_does_not_import_scikit_learn():
    code = (
        "import sys, types; package = types.ModuleType('skkuranet');"
        "import importlib.util as u; spec = u.find_spec('skkuranet');"
        "package.__path__ = list(spec.submodule_search_locations);"
        "sys.modules['skkuranet'] = package;"
        "import skkuranet.training, skkuranet.dynamics, skkuranet.coupling, skkuranet.losses;"
        "sys.exit('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_digits():
    X, y = load_digits(return_X_y=True)
    clusterer = KuraNetClusterer(random_state=0).fit(X[::2], y[::2])
    assert clusterer.score(X[1::2], y[1::2]) > 0.94


def test_clusters_that_merge_on_the_way_are_started_anew(fitted, blobs, monkeypatch):
    X, y = blobs
    splay = 2.0 * np.pi * np.searchsorted(fitted.classes_, y) / len(fitted.classes_)
    merged = np.where(splay > 0.0, 3.0, 0.0) + 1e-3 * np.arange(len(y)) / len(y)
    limits = iter([merged, splay, merged])
    monkeypatch.setattr(_clustering, "limit_phases", lambda *args: next(limits))
    found = fitted.cluster(X)
    assert adjusted_rand_score(y, found) == 1.0
    # The first that was in splay was the last.
    assert len(list(limits)) == 1
