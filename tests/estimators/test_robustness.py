"""What goes wrong in use: hard data, interruptions, divergence, and settings that do not fit."""

import functools
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkuranet import KuraNetClusterer
from skkuranet.inspection import PhaseLandscapeDisplay
from skkuranet.training import _run as training

QUICK = {"max_iter": 60, "hidden_layer_sizes": (32, 32), "random_state": 0}


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(200, centers=3, random_state=1)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_data_frames_out_of_transform_do_not_disturb_predictions(kind, blobs):
    X, y = blobs
    frame = pytest.importorskip(kind).DataFrame
    table = frame({"p": X[:, 0], "q": X[:, 1]})
    clusterer = KuraNetClusterer(**QUICK).set_output(transform=kind).fit(table, y)
    assert clusterer.score(table, y) > 0.95
    assert clusterer.predict_proba(table).shape == (len(y), 3)
    assert isinstance(clusterer.transform(table), frame)
    assert cross_val_score(clusterer, table, y, cv=2).min() > 0.9
    PhaseLandscapeDisplay.from_estimator(
        clusterer.set_output(transform="default"), table, y, grid_resolution=5, vmin=-3
    )


@pytest.mark.parametrize("offset", [0.0, 1e7, 1.7e9])
@pytest.mark.parametrize("scale", [1.0, 1e30])
def test_offsets_and_units_of_features_do_not_matter(offset, scale, blobs):
    X, y = blobs
    moved = scale * (X + offset)
    assert KuraNetClusterer(**QUICK).fit(moved, y).score(moved, y) > 0.99


def test_probabilities_are_calibrated_on_clear_data(blobs):
    X, y = blobs
    probability = KuraNetClusterer(**QUICK).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert probability[np.arange(len(y)), y].mean() > 0.95


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_a_rare_class_is_no_reason_for_a_warning():
    X, y = make_blobs([1490, 1490, 20], centers=[[-8, 0], [8, 0], [0, 12]], random_state=0)
    assert KuraNetClusterer(**{**QUICK, "max_iter": 200}).fit(X, y).score(X, y) > 0.99


def test_few_labels_among_many_rows():
    X, y = make_blobs(2000, centers=3, random_state=1)
    partial = np.full(len(y), -1)
    known = [np.flatnonzero(y == c)[:5] for c in range(3)]
    partial[np.concatenate(known)] = y[np.concatenate(known)]
    clusterer = KuraNetClusterer(**QUICK, unlabeled=-1).fit(X, partial)
    assert min(clusterer.loss_curve_) > 0.0
    assert clusterer.score(X, y) > 0.95


def test_warm_start_keeps_the_old_couplings_unless_new_ones_do_better(blobs):
    settings = {**QUICK, "max_iter": 200, "warm_start": True}
    clusterer = KuraNetClusterer(**settings).fit(*blobs)
    before = clusterer.synchrony_loss(*blobs)
    for _ in range(2):
        clusterer.set_params(max_iter=5).fit(*blobs)
        assert clusterer.synchrony_loss(*blobs) < before + 0.01


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("coupling", "normalization"),
    [("factorized", "balanced"), ("factorized", "in_degree"), ("pairwise", "in_degree")],
)
def test_normalisations_by_name(coupling, normalization, blobs):
    settings = {**QUICK, "max_iter": 5, "batch_size": 1}
    clusterer = KuraNetClusterer(coupling, normalization=normalization, **settings).fit(*blobs)
    assert clusterer.coupling_matrix(blobs[0][:5]).shape == (5, 5)
    # The model is what was fitted, whatever its parameters are set to later.
    before = clusterer.transform(blobs[0])
    np.testing.assert_array_equal(
        clusterer.set_params(coupling="factorized", normalization="none").transform(blobs[0]),
        before,
    )


def test_settings_that_do_not_fit_are_named(blobs):
    X, y = blobs
    for settings, message in [
        ({"coupling": "pairwise", "normalization": "balanced"}, "normalization='balanced' does"),
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes must hold"),
        ({"hidden_layer_sizes": (3.5,)}, "hidden_layer_sizes must hold"),
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes must hold"),
        ({"network_size": 2}, "network_size=2 cannot hold the 3 classes"),
        ({"device": "meta"}, "device='meta' is not supported"),
        ({"coupling": "pairwise", "memory_budget": 1000}, "Raise memory_budget, or make"),
        ({"coupling": torch.nn.Identity()}, "no parameters that could be trained"),
    ]:
        with pytest.raises(ValueError, match=message):
            KuraNetClusterer(**settings).fit(X, y)


def test_calls_that_do_not_fit_are_named(blobs):
    X, y = blobs
    clusterer = KuraNetClusterer(**QUICK).fit(X, y)
    with pytest.raises(TypeError, match="n_steps must be an instance of"):
        clusterer.simulate(X, n_steps=2.5)
    with pytest.raises(ValueError, match="n_steps == 0, must be >= 1"):
        clusterer.simulate(X, n_steps=0)
    with pytest.raises(ValueError, match="save_from == 4, must be <= 3"):
        clusterer.simulate(X, n_steps=3, save_from=4)
    with pytest.raises(ValueError, match="initial_phases must be finite"):
        clusterer.simulate(X, initial_phases=np.full(len(X), np.nan))
    with pytest.raises(ValueError, match="n_clusters must lie between"):
        clusterer.cluster(X, n_clusters="3")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_best_restart_is_kept(blobs, monkeypatch):
    from skkuranet.estimators import _restarts

    whole, found = _restarts._train_once, []
    monkeypatch.setattr(_restarts, "_train_once", lambda *a: found.append(whole(*a)) or found[-1])
    clusterer = KuraNetClusterer(**{**QUICK, "max_iter": 25, "n_init": 4}).fit(*blobs)
    results = [result for _, result in found]
    assert len(results) == 4
    best = min(results, key=lambda r: (not r.converged, r.limit_loss))
    assert best is not results[-1]
    assert clusterer.limit_loss_ == best.limit_loss
    assert clusterer.loss_curve_ == best.loss_curve


def test_a_restart_that_diverges_does_not_cost_the_others(blobs, monkeypatch):
    whole, starts = training.Run.step, []

    def diverge(run, iteration):
        starts.append(iteration == 0)
        return np.nan if sum(starts) == 2 else whole(run, iteration)

    monkeypatch.setattr(training.Run, "step", diverge)
    clusterer = KuraNetClusterer(**QUICK, n_init=3).fit(*blobs)
    assert np.isfinite(clusterer.limit_loss_)
    assert clusterer.score(*blobs) > 0.95


@pytest.mark.parametrize(("moment", "restarts"), [(0, 1), (10, 1), (40, 3), (90, 3)])
def test_an_interruption_ends_all_restarts_and_keeps_the_best(moment, restarts, blobs, monkeypatch):
    whole, calls = training.Run.step, []

    def interrupt(run, iteration):
        calls.append(iteration)
        if len(calls) == moment + 1:
            raise KeyboardInterrupt
        return whole(run, iteration)

    monkeypatch.setattr(training.Run, "step", interrupt)
    with pytest.warns(ConvergenceWarning, match="Training was interrupted"):
        clusterer = KuraNetClusterer(**QUICK, n_init=restarts).fit(*blobs)
    assert len(calls) == moment + 1
    assert clusterer.predict(blobs[0]).shape == (200,)
    assert np.isfinite(clusterer.limit_loss_)


def test_an_interruption_after_training_leaves_no_half_of_a_model(blobs, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(KuraNetClusterer, "_complete", interrupt)
    clusterer = KuraNetClusterer(**QUICK)
    with pytest.raises(KeyboardInterrupt):
        clusterer.fit(*blobs)
    with pytest.raises(ValueError, match="not fitted yet"):
        clusterer.predict(blobs[0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_modules_with_dropout_predict_alike_and_leave_torch_alone(blobs):
    class Noisy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.drop = torch.nn.Linear(2, 3), torch.nn.Dropout(0.5)

        def forward(self, x, y):
            return self.drop(self.layer(x)) @ self.layer(y).mT

    state = torch.get_rng_state()
    one, two = (KuraNetClusterer(Noisy(), max_iter=5, random_state=0) for _ in range(2))
    two.coupling.load_state_dict(one.coupling.state_dict())
    state = torch.get_rng_state()
    first = one.fit(*blobs).transform(blobs[0])
    np.testing.assert_array_equal(one.transform(blobs[0]), first)
    np.testing.assert_array_equal(two.fit(*blobs).transform(blobs[0]), first)
    assert torch.equal(torch.get_rng_state(), state)

    class Thin(Noisy):
        def forward(self, x, y):
            return self.layer(x)[..., :1]

    with pytest.raises(ValueError, match=r"The coupling network returned shape \(4, 100, 1\)"):
        KuraNetClusterer(Thin()).fit(*blobs)


WAITING = """
import warnings
from skkuranet import KuraNetClusterer
from skkuranet.datasets import make_gaussian_ring

if __name__ == "__main__":
    X, y = make_gaussian_ring(3, 300, random_state=0)
    settings = {"max_iter": 10**6, "hidden_layer_sizes": (16,), "tol": 0, "random_state": 0}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clusterer = KuraNetClusterer(n_init=2, n_jobs=2, **settings).fit(X, y)
    print(any("interrupted" in str(w.message) for w in caught), len(clusterer.loss_curve_))
    print(clusterer.predict(X).shape)
"""


def test_an_interruption_of_other_processes_keeps_what_they_have_learned(tmp_path):
    script, aside = tmp_path / "fit.py", tmp_path / "aside"
    script.write_text(WAITING)
    aside.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"TMPDIR": str(aside), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while len(list(aside.glob("*/[01]"))) < 2 and process.poll() is None:
            time.sleep(0.1)
        # As Ctrl+C in a terminal does.
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    warned, n_iter, shape = output.split(maxsplit=2)
    assert warned == "True"
    assert int(n_iter) >= 25
    assert shape.strip() == "(300,)"
    assert not list(aside.glob("*/[01]"))


@pytest.mark.parametrize("search", ["grid", "validation", "pipeline"])
def test_an_interruption_ends_a_search_and_not_what_a_pipeline_has_learned(
    search, blobs, monkeypatch
):
    X, y = blobs
    step, n_fits = training.Run.step, []

    def interrupted(run, iteration):
        if iteration == 0:
            n_fits.append(1)
        if iteration == 10:
            raise KeyboardInterrupt
        return step(run, iteration)

    monkeypatch.setattr(training.Run, "step", interrupted)
    model = KuraNetClusterer(**QUICK)
    if search == "pipeline":
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            fitted = make_pipeline(StandardScaler(), model).fit(X, y)
        assert fitted.predict(X).shape == y.shape
        return
    run = {
        "grid": GridSearchCV(model, {"weight_decay": [1.0, 2.0]}, cv=2).fit,
        "validation": functools.partial(cross_val_score, model, cv=2),
    }[search]
    with pytest.raises(KeyboardInterrupt):
        run(X, y)
    assert len(n_fits) == 1


def test_coarse_steps_are_named(blobs):
    with pytest.warns(UserWarning, match="step_size=50 is too coarse.* Set step_size to"):
        KuraNetClusterer(**QUICK, step_size=50.0).fit(*blobs)
