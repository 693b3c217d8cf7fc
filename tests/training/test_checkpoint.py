"""Fits that are killed, and go on where they were."""

import functools
import os
import tempfile

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from skkuranet import KuraNetClusterer, KuraNetSegmenter, KuraNetSynchronizer
from skkuranet.coupling import InDegree, Normalization
from skkuranet.datasets import make_disorder
from skkuranet.training import _run as training
from skkuranet.training._checkpoint import Checkpoint, fingerprint_of, identity

X, Y = make_blobs(200, centers=3, cluster_std=2.0, random_state=1)
QUICK = {"max_iter": 60, "hidden_layer_sizes": (16,), "random_state": 0, "tol": 0.0}
IMAGE = np.random.RandomState(0).rand(16, 20)
IMAGE[:, 10:] += 1.0
MASK = (IMAGE > 1.0).astype(int)

FITS = {
    "clusterer": (KuraNetClusterer(network_size=40, **QUICK), (X, Y)),
    "restarts": (KuraNetClusterer(network_size=40, n_init=2, **QUICK), (X, Y)),
    "pairwise": (KuraNetClusterer("pairwise", network_size=20, **QUICK), (X, Y)),
    "synchronizer": (
        KuraNetSynchronizer(n_steps=20, network_size=20, **QUICK),
        (make_disorder("I", 100, random_state=0),),
    ),
    "segmenter": (KuraNetSegmenter(network_size=40, place=False, **QUICK), (IMAGE, MASK)),
    "grouping": (KuraNetSegmenter(network_size=40, n_segments=2, **QUICK), (IMAGE, MASK)),
}


class Killed(Exception):
    """In place of the signal that no process survives."""


def killed_after(n_steps, monkeypatch):
    """Let training take so many steps from now on."""
    step, done = training.Run.step, []

    def counted(run, iteration):
        done.append(iteration)
        if len(done) > n_steps:
            raise Killed
        return step(run, iteration)

    monkeypatch.setattr(training.Run, "step", counted)
    return done


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", FITS)
def test_a_killed_fit_ends_as_if_it_had_not_been(name, tmp_path, monkeypatch):
    model, data = FITS[name]
    whole = type(model)(**model.get_params()).fit(*data)
    path = tmp_path / "state"
    kept = type(model)(**model.get_params()).set_params(checkpoint=path, checkpoint_every=20)
    steps = 50 if model.n_init == 1 else 110
    with monkeypatch.context() as patch:
        killed_after(steps, patch)
        with pytest.raises(Killed):
            kept.fit(*data)
    assert (tmp_path / "state.0").exists()
    with monkeypatch.context() as patch:
        done = killed_after(1000, patch)
        kept.fit(*data)
    # Twenty from the last state to the end; a restart that was done is not done again.
    assert done == list(range(40, 60))
    assert kept.loss_curve_ == whole.loss_curve_
    assert kept.limit_loss_ == whole.limit_loss_
    for a, b in zip(kept.coupling_.parameters(), whole.coupling_.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("steps", "stops"),
    [(7, False), (30, False), (59, False), (60, False), (61, False), (75, False), (53, True)],
)
def test_a_fit_is_killed_in_closed_form_or_in_trajectories(steps, stops, tmp_path, monkeypatch):
    # Four classes in halves, rows left out, and some epochs of mini-batches in a fit.
    data = make_blobs(600, centers=4, cluster_std=2.0, random_state=1)
    settings = {**QUICK, "max_iter": 90, "batch_size": 1, "n_steps": 20, "tol": 1e-9}
    settings |= {"early_stopping": stops, "n_iter_no_change": 1, "class_weight": "balanced"}
    if stops:
        settings |= {"max_iter": 300, "weight_decay": 0.0}
    whole = KuraNetClusterer(**settings).fit(*data)
    path = tmp_path / "state"
    kept = KuraNetClusterer(**settings, checkpoint=path, checkpoint_every=5)
    with monkeypatch.context() as patch:
        killed_after(steps, patch)
        with pytest.raises(Killed):
            kept.fit(*data)
    with monkeypatch.context() as patch:
        done = killed_after(1000, patch)
        kept.fit(*data)
    assert done == list(range(steps // 5 * 5, whole.n_iter_))
    assert (whole.n_iter_ < settings["max_iter"]) == stops
    assert kept.loss_curve_ == whole.loss_curve_
    assert kept.validation_scores_ == whole.validation_scores_
    assert kept.limit_loss_ == whole.limit_loss_
    for method in ("predict_proba", "transform"):
        found, expected = (getattr(model, method)(data[0]) for model in (kept, whole))
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(kept.class_recall_, whole.class_recall_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_state_in_closed_form_is_as_sure_as_an_interrupted_fit(tmp_path, monkeypatch):
    """What processes have learned is taken from their last states, if an interruption ends them."""
    rng = np.random.RandomState(0)
    noise, labels = rng.standard_normal((300, 5)), rng.randint(4, size=300)
    model = KuraNetClusterer(checkpoint=tmp_path / "state", checkpoint_every=20, **QUICK)
    with monkeypatch.context() as patch:
        step = training.Run.step

        def interrupted(run, iteration):
            if iteration == 20:
                raise KeyboardInterrupt
            return step(run, iteration)

        patch.setattr(training.Run, "step", interrupted)
        model.fit(noise, labels)
    state = Checkpoint(tmp_path / "state.0", 1).last()
    assert state["iteration"] == 20
    for name, value in model.coupling_.state_dict().items():
        assert torch.equal(state["network"][name], value)
    assert model.coupling_.scale < 0.9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_kill_while_the_state_is_written_leaves_the_one_before(tmp_path, monkeypatch):
    model = KuraNetClusterer(
        network_size=40, checkpoint=tmp_path / "state", checkpoint_every=20, **QUICK
    )
    replace, done = os.replace, []

    def interrupted(source, target):
        done.append(source)
        if len(done) == 2:
            raise Killed
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(Killed):
            model.fit(X, Y)
    assert Checkpoint(tmp_path / "state.0", 1).last()["iteration"] == 20
    assert [path.name for path in tmp_path.iterdir()] == ["state.0"]
    model.fit(X, Y)
    assert model.n_iter_ == 60


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_an_interruption_while_the_state_is_written_keeps_what_is_learned(
    where, tmp_path, monkeypatch
):
    model = KuraNetClusterer(
        network_size=40, checkpoint=tmp_path / "state", checkpoint_every=20, **QUICK
    )

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, where, interrupted)
    with pytest.warns(ConvergenceWarning, match="Training was interrupted"):
        model.fit(X, Y)
    assert model.n_iter_ == 20
    assert model.predict(X).shape == Y.shape
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_a_kill_has_left_of_a_state_is_deleted_when_the_fit_is_done(tmp_path):
    # In the place of a process that was killed between two lines of whole_file.
    (tmp_path / "state[1].0.abc.part").write_bytes(b"half of a state")
    (tmp_path / "state[1].0.mine").touch()
    model = KuraNetClusterer(network_size=40, checkpoint=tmp_path / "state[1]", **QUICK)
    model.fit(X, Y)
    assert [path.name for path in tmp_path.iterdir()] == ["state[1].0.mine"]


@pytest.mark.parametrize("change", ["data", "labels", "parameter", "seed"])
def test_the_state_of_another_fit_is_refused(change, tmp_path, monkeypatch):
    model = KuraNetClusterer(
        network_size=40, checkpoint=tmp_path / "state", checkpoint_every=20, **QUICK
    )
    with monkeypatch.context() as patch:
        killed_after(30, patch)
        with pytest.raises(Killed):
            model.fit(X, Y)
    data = {"data": (X + 1.0, Y), "labels": (X, 2 - Y)}.get(change, (X, Y))
    model.set_params(**{"parameter": {"n_steps": 50}, "seed": {"random_state": 1}}.get(change, {}))
    with pytest.raises(ValueError, match="is of another fit"):
        model.fit(*data)
    assert (tmp_path / "state.0").exists()


CHANGES = {
    "connectivity": {"connectivity": np.ones((100, 100)) - np.eye(100)},
    "history": {"history": "constant"},
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("change", CHANGES)
def test_the_state_of_other_oscillators_is_refused(change, tmp_path, monkeypatch):
    rows = make_disorder("III", 100, random_state=0)
    ring = np.roll(np.eye(100), 1, 0) + np.roll(np.eye(100), -1, 0)
    model = KuraNetSynchronizer(
        frequency=0,
        delay=1,
        connectivity=ring,
        network_size=40,
        checkpoint=tmp_path / "state",
        checkpoint_every=2,
        **QUICK,
    )
    with monkeypatch.context() as patch:
        killed_after(3, patch)
        with pytest.raises(Killed):
            model.fit(rows)
    with pytest.raises(ValueError, match="is of another fit"):
        model.set_params(**CHANGES[change]).fit(rows)


def test_what_is_no_state_is_refused(tmp_path):
    (tmp_path / "state.0").write_bytes(b"nonsense")
    model = KuraNetClusterer(checkpoint=str(tmp_path / "state"), **QUICK)
    with pytest.raises(ValueError, match="holds no state of training"):
        model.fit(X, Y)
    with pytest.raises(FileNotFoundError, match="folder that does not exist"):
        model.set_params(checkpoint=tmp_path / "nowhere" / "state").fit(X, Y)
    with pytest.raises(ValueError, match="checkpoint_every"):
        model.set_params(checkpoint_every=0).fit(X, Y)


# Another value of each parameter that a fit depends on.
SHARED = {
    "coupling": "pairwise",
    "hidden_layer_sizes": (17,),
    "rank": 7,
    "network_size": 30,
    "batch_size": 3,
    "max_iter": 61,
    "learning_rate_init": 2e-3,
    "weight_decay": 0.07,
    "step_size": 0.05,
    "n_steps": 21,
    "tol": 0.3,
    "n_init": 2,
    "n_reference": 33,
    "precision": "bfloat16",
}
CLASSES = {"normalization": "in_degree", "unlabeled": -7}
OTHERS = {
    "clusterer": SHARED
    | CLASSES
    | {
        "readout": "kmeans",
        "class_weight": "balanced",
        "dynamics": "daido",
        "early_stopping": False,
        "n_iter_no_change": 3,
    },
    "synchronizer": SHARED
    | {
        "frequency": None,
        "field": 0,
        "delay": 0,
        "dynamics": "sakaguchi",
        "columns": {"noise": 0},
        "noise": 0.2,
        "objective": "frequency",
        "average_degree": 1.5,
        "edge_weights": True,
        "node_identity": True,
        "normalization": "equal_degree",
        "connectivity": np.ones((100, 100)) - np.eye(100),
        "history": "constant",
    },
    "segmenter": SHARED
    | CLASSES
    | {
        "features": "multiscale",
        "place": True,
        "nodata": -7,
        "n_segments": 2,
        "bandwidth": 1.0,
        "feature_noise": 0.1,
        "smoothing": 3.0,
        "guidance": 2,
    },
}
# Where and how a fit runs; warm starts begin with other weights.
ANYWHERE = {
    "checkpoint",
    "checkpoint_every",
    "device",
    "memory_budget",
    "n_jobs",
    "random_state",
    "verbose",
    "warm_start",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OTHERS)
def test_the_state_of_a_fit_with_any_other_parameter_is_refused(name, tmp_path, monkeypatch):
    model, data = FITS[name]
    model = type(model)(**model.get_params()).set_params(
        checkpoint=tmp_path / "state", checkpoint_every=1
    )
    # An image is no volume, and what groups never seen are found by has no part in others.
    elsewhere = {"spatial_dims"}
    if hasattr(model, "groups"):
        elsewhere |= {"connectivity", "groups", "superpixels", "threshold"}
    assert set(OTHERS[name]) | ANYWHERE == set(model.get_params()) - elsewhere
    with monkeypatch.context() as patch:
        killed_after(2, patch)
        with pytest.raises(Killed):
            model.fit(*data)
        for parameter, value in OTHERS[name].items():
            other = type(model)(**model.get_params()).set_params(**{parameter: value})
            if parameter == "edge_weights":
                other.set_params(connectivity=OTHERS[name]["connectivity"])
            if parameter in ("field", "delay", "columns"):
                # A column has one role.
                other.set_params(frequency=None)
                if parameter == "delay":
                    data = (np.abs(data[0]),)
            with pytest.raises(ValueError, match="is of another fit"):
                other.fit(*data)


def test_damaged_states_and_those_of_other_versions_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "state"
    checkpoint = Checkpoint(path, 1)
    checkpoint.save({"fingerprint": "this", "weights": torch.arange(5.0)})
    assert torch.equal(checkpoint.load("this")["weights"], torch.arange(5.0))
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(len(content), size=100):
        broken = bytearray(content)
        broken[position] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="holds no state of training, or is damaged"):
            checkpoint.load("this")
    path.write_bytes(content)
    monkeypatch.setattr(torch, "__version__", "99.0")
    with pytest.raises(ValueError, match=r"was written by .* and this is .*torch 99\.0"):
        checkpoint.load("this")


def test_a_disk_that_is_full_costs_no_training(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    model = KuraNetClusterer(checkpoint=tmp_path / "state", checkpoint_every=20, **QUICK)
    plain = KuraNetClusterer(**QUICK).fit(X, Y)
    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(UserWarning, match=r"could not be written .*No space left.* goes on"):
        model.fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named_before_training(tmp_path, monkeypatch):
    def refused(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    with pytest.raises(PermissionError, match="Choose another folder"):
        KuraNetClusterer(checkpoint=tmp_path / "state", **QUICK).fit(X, Y)


class Averaging(Normalization):
    """One of the user's, that says nothing about itself."""

    def __init__(self, order):
        self.of = InDegree(order)

    def __call__(self, coupling):
        return self.of(coupling)

    def driven(self, *args, **options):
        return self.of.driven(*args, **options)


class Scaled(nn.Module):
    """Couplings that differ in a buffer and in a number."""

    def __init__(self, buffer, number):
        super().__init__()
        self.layer, self.number = nn.Linear(2, 3), number
        nn.init.ones_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)
        self.register_buffer("buffer", torch.tensor(buffer))

    def forward(self, x, y):
        return self.number * self.buffer * self.layer(x) @ self.layer(y).mT


def power(order):
    return lambda strength: strength**order


SAME_AND_OTHER = {
    "normalization": (lambda: Averaging(1), lambda: Averaging(2)),
    "buffer": (lambda: Scaled(1.0, 1.0), lambda: Scaled(2.0, 1.0)),
    "number": (lambda: Scaled(1.0, 1.0), lambda: Scaled(1.0, 2.0)),
    "closure": (lambda: power(1), lambda: power(2)),
    "partial": (lambda: functools.partial(pow, exp=2), lambda: functools.partial(pow, exp=3)),
    "code": (lambda: lambda a: a + 1, lambda: lambda a: a - 1),
    "sparse": (lambda: sp.eye_array(3), lambda: 2 * sp.eye_array(3)),
    "names": (lambda: {"a", "b"}, lambda: {"a", "c"}),
    "type": (lambda: torch.float32, lambda: torch.float64),
}


@pytest.mark.parametrize("name", SAME_AND_OTHER)
def test_a_thing_is_identified_by_all_that_it_does(name):
    def known_as(thing):
        return fingerprint_of(*identity({"setting": thing}))

    same, other = SAME_AND_OTHER[name]
    assert known_as(same()) == known_as(same())
    assert known_as(same()) != known_as(other())


def test_a_thing_within_itself_is_identified():
    ring = [1]
    ring.append(ring)
    fingerprint_of(*identity(ring))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_with_a_normalisation_of_ones_own_goes_on(tmp_path, monkeypatch):
    def model(order):
        return KuraNetClusterer(
            "pairwise",
            normalization=Averaging(order),
            network_size=20,
            checkpoint=tmp_path / "state",
            checkpoint_every=1,
            **QUICK | {"max_iter": 8},
        )

    with monkeypatch.context() as patch:
        killed_after(4, patch)
        with pytest.raises(Killed):
            model(1).fit(X, Y)
    with pytest.raises(ValueError, match="is of another fit"):
        model(2).fit(X, Y)
    done = killed_after(100, monkeypatch)
    model(1).fit(X, Y)
    assert done == list(range(4, 8))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_that_none_can_go_on_from_is_named(tmp_path):
    model = KuraNetClusterer(checkpoint=tmp_path / "state", max_iter=2)
    with pytest.warns(UserWarning, match="with random_state=None.* Set random_state to a number"):
        model.fit(X, Y)
