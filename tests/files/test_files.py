"""Models in files: bit for bit in a fresh process, without code, refused when they are damaged."""

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.datasets import make_moons
from torch import nn

import skkuranet
from skkuranet import (
    KuraNetClusterer,
    KuraNetSegmenter,
    KuraNetSynchronizer,
    OscillatorNetwork,
    load,
    save,
)
from skkuranet.coupling import InDegree
from skkuranet.dynamics import Dynamics, SecondOrder
from skkuranet.files._container import read, write

X, y = make_moons(60, noise=0.05, random_state=0)
IMAGE = np.random.RandomState(0).rand(12, 14)
MASK = np.full(IMAGE.shape, -1)
MASK[:6, :4], MASK[6:, 9:] = 0, 1
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Couplings(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3))

    def forward(self, x, y):
        return self.layers(x) @ self.layers(y).mT


@dataclass(frozen=True)
class Rotators(Dynamics):
    frequency: torch.Tensor

    def signal(self, state):
        return torch.stack((state.cos(), state.sin()), -2)

    def rate(self, state, drive):
        real, imaginary = drive.unbind(-2)
        return self.frequency + state.cos() * imaginary - state.sin() * real


def brightness(image):
    return image


MODELS = {
    "clusterer": lambda: KuraNetClusterer(**SMALL).fit(X, np.array(["a", "b"])[y]),
    "pairwise": lambda: KuraNetClusterer(coupling="pairwise", **SMALL).fit(X, y == 1),
    "objects": lambda: KuraNetClusterer(unlabeled=np.nan, readout="kmeans", **SMALL).fit(
        X, np.where(np.arange(60) < 5, np.nan, y)
    ),
    "normalised": lambda: KuraNetClusterer(normalization=InDegree(order=2), **SMALL).fit(X, y),
    "synchronizer": lambda: KuraNetSynchronizer(frequency=0, noise=0.1, **SMALL).fit(X),
    "inertia": lambda: KuraNetSynchronizer(
        dynamics=SecondOrder(damping=torch.tensor(0.5)), columns={"inertia": 1}, **SMALL
    ).fit(abs(X) + 0.1),
    "graph": lambda: KuraNetSynchronizer(
        connectivity=sp.csr_array(np.ones((60, 60))), **{**SMALL, "network_size": 60}
    ).fit(X),
    "segmenter": lambda: KuraNetSegmenter(**SMALL).fit(IMAGE, MASK),
    "groups": lambda: KuraNetSegmenter(n_segments=2, **SMALL).fit(IMAGE, MASK + 1),
    "network": lambda: OscillatorNetwork(
        np.ones((3, 3)), "sakaguchi", frequency=[1, 2, 3], phase_lag=0.3, coupling_scale=[1, 2]
    ),
    "named": lambda: OscillatorNetwork(nx.path_graph(4), noise=0.1),
}
# Run in a fresh process, which has nothing but the files.
FRESH = """
import pathlib, pickle, sys
import skkuranet
folder = pathlib.Path(sys.argv[1])
rows = pickle.loads((folder / 'rows').read_bytes())
exec((folder / 'answers').read_text())
found = {name: answers(skkuranet.load(folder / name), rows[name]) for name in rows}
(folder / 'found').write_bytes(pickle.dumps(found))
"""
ANSWERS = """
def answers(model, rows):
    start = {} if rows is None else {'image' if hasattr(model, 'features') else 'X': rows}
    found = [model.simulate(**start, n_steps=4, random_state=0).states]
    if rows is not None:
        found += [model.predict(rows), model.coupling_matrix(rows)]
    if hasattr(model, 'predict_proba'):
        found.append(model.predict_proba(rows))
    return found
"""


def test_a_fresh_process_gives_the_same_answers(tmp_path):
    here, rows, expected = {}, {}, {}
    exec(ANSWERS, here)
    for name, make in MODELS.items():
        model = make()
        of_image = isinstance(model, KuraNetSegmenter)
        given = None if isinstance(model, OscillatorNetwork) else IMAGE if of_image else abs(X)
        model.save(tmp_path / name)
        rows[name], expected[name] = given, here["answers"](model, given)
    (tmp_path / "rows").write_bytes(pickle.dumps(rows))
    (tmp_path / "answers").write_text(ANSWERS)
    subprocess.run([sys.executable, "-c", FRESH, tmp_path], check=True)
    for name, found in pickle.loads((tmp_path / "found").read_bytes()).items():
        for one, other in zip(found, expected[name], strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_what_is_loaded_is_like_what_was_saved(tmp_path):
    model = KuraNetClusterer(unlabeled=-1, hidden_layer_sizes=[8], max_iter=3, random_state=0)
    save(model, tmp_path / "unfitted")
    assert repr(load(tmp_path / "unfitted")) == repr(model)
    model.fit(X, y).save(tmp_path / "fitted")
    again = load(tmp_path / "fitted")
    assert again.get_params() == model.get_params()
    assert again.classes_.dtype == model.classes_.dtype
    assert again.loss_curve_ == model.loss_curve_
    again.set_params(warm_start=True).fit(X, y)


def test_what_is_shared_stays_shared(tmp_path):
    save({"one": (matrix := np.eye(3)), "other": matrix}, tmp_path / "pair")
    found = load(tmp_path / "pair")
    assert found["one"] is found["other"]


@pytest.mark.parametrize(
    ("model", "trusted"),
    [
        (KuraNetClusterer(coupling=Couplings(), max_iter=2, random_state=0), Couplings),
        (KuraNetSynchronizer(dynamics=Rotators(torch.tensor(0.1))), Rotators),
        (KuraNetSynchronizer(dynamics=Rotators, frequency=0), Rotators),
        (KuraNetSegmenter(features=brightness), brightness),
    ],
)
def test_what_is_not_ours_must_be_trusted(model, trusted, tmp_path):
    if isinstance(model, KuraNetClusterer):
        model.fit(X, y)
    save(model, tmp_path / "model")
    with pytest.raises(
        ValueError, match=rf"which is not of skkuranet.*trusted=\[{trusted.__name__}"
    ):
        load(tmp_path / "model")
    again = load(tmp_path / "model", trusted=[trusted])
    assert type(again) is type(model)
    if isinstance(model, KuraNetClusterer):
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize(
    "parameter", [{"features": lambda image: image}, {"random_state": np.random.RandomState(0)}]
)
def test_what_no_file_can_hold_is_named(parameter, tmp_path):
    (name,) = parameter
    with pytest.raises(TypeError, match=f"KuraNetSegmenter.{name} is "):
        save(KuraNetSegmenter(**parameter), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_every_damaged_byte_is_noticed(tmp_path):
    path = tmp_path / "model"
    save(OscillatorNetwork(np.eye(3), frequency=[1.0, 2.0, 3.0]), path)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in [*range(40), *rng.integers(len(content), size=200)]:
        broken = bytearray(content)
        broken[position] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="is damaged, or no file of"):
            load(path)
    for length in (0, 5, 100, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="is damaged, or no file of"):
            load(path)


def changed(path, **text):
    arrays, before = read(path)
    write(path, arrays, {**before, **text})


def test_newer_and_other_files_are_refused(tmp_path):
    path = tmp_path / "model"
    save(OscillatorNetwork(np.eye(3)), path)
    changed(path, skkuranet="99.0")
    with pytest.warns(UserWarning, match=r"was written by skkuranet 99.0 and is read by"):
        load(path)
    changed(path, format="2")
    with pytest.raises(ValueError, match=r"in a format that is newer than this version"):
        load(path)
    write(path, {}, {})
    with pytest.raises(ValueError, match="holds no model of skkuranet"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")


@pytest.mark.parametrize(
    "content",
    [
        {"class": "os:system", "state": {}},
        {"name": "builtins:eval"},
        {"class": "skkuranet.files._save:os.system", "state": {}},
        {"name": "skkuranet.files._save:json.loads"},
        {"name": "skkuranet.files._save:load"},
        {"class": "skkuranet.no_such_module:Thing", "state": {}},
        {"class": "skkuranet.oscillator_network:Nothing", "state": {}},
        {"find": "os:system"},
        {"array": "missing"},
        {"tensor": "missing", "dtype": "load", "parameter": False, "requires_grad": False},
        {"array": {"items": [1], "shape": [1], "dtype": "<f8"}},
    ],
)
def test_a_file_cannot_name_what_is_to_be_run(content, tmp_path):
    path = tmp_path / "model"
    save(OscillatorNetwork(np.eye(3)), path)
    changed(path, content=json.dumps(content))
    with pytest.raises(
        ValueError, match=r"needs|holds no model|no class|not defined there|none of"
    ):
        load(path)


def test_the_format_is_that_of_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "model"
    save(KuraNetClusterer(**SMALL).fit(X, y), path)
    ours, _ = read(path)
    theirs = safetensors.load_file(path)
    assert theirs.keys() == ours.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(array, ours[name])


@pytest.mark.parametrize("name", ["clusterer", "objects", "pairwise", "synchronizer", "segmenter"])
def test_rows_of_training_may_stay_at_home(name, tmp_path):
    model = MODELS[name]()
    rows = IMAGE if name == "segmenter" else X
    model.save(tmp_path / "whole")
    model.save(tmp_path / "model", training_rows=False)
    assert len(model.reference_features_) > 0
    whole, kept = ((tmp_path / file).read_bytes() for file in ("whole", "model"))
    assert len(kept) < len(whole)
    found = load(tmp_path / "model")
    for array in read(tmp_path / "model")[0].values():
        assert array.shape != model.reference_features_.shape
    for method in ("simulate", "coupling_matrix"):
        options = {"n_steps": 2, "random_state": 0} if method == "simulate" else {}
        one, other = (getattr(m, method)(rows, **options) for m in (found, model))
        np.testing.assert_array_equal(getattr(one, "states", one), getattr(other, "states", other))
    with pytest.raises(ValueError, match="was saved with training_rows=False"):
        found.transform(rows)
    if name in ("clusterer", "segmenter"):
        np.testing.assert_array_equal(found.predict(rows), model.predict(rows))
    else:
        with pytest.raises(ValueError, match="needs training rows"):
            found.predict(rows)


def test_couplings_of_the_very_rows_are_not_saved_without_them(tmp_path):
    model = KuraNetSynchronizer(node_identity=True, **SMALL).fit(X)
    with pytest.raises(ValueError, match="training_rows=False: node_identity=True"):
        model.save(tmp_path / "model", training_rows=False)


@pytest.mark.parametrize("name", ["clusterer", "synchronizer", "segmenter"])
def test_pickles_of_another_version_are_named(name, monkeypatch):
    model = MODELS[name]()
    content = pickle.dumps(model)
    assert type(pickle.loads(content)) is type(model)
    monkeypatch.setattr("skkuranet.estimators._versions.__version__", "99.0")
    with pytest.warns(UserWarning, match=r"was pickled by skkuranet .* and is read by 99\.0"):
        pickle.loads(content)


def test_pickles_keep_modules_of_the_user_and_hooks():
    model = KuraNetClusterer(coupling=Couplings(), max_iter=2, random_state=0).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    network = MODELS["clusterer"]().coupling_
    network.register_forward_hook(named_hook)
    assert pickle.loads(pickle.dumps(network))._forward_hooks
    assert copy.deepcopy(network)._forward_hooks


def named_hook(module, args, output):
    return output


@pytest.mark.parametrize("name", ["clusterer", "pairwise", "synchronizer", "segmenter", "groups"])
def test_skops_asks_for_types_of_this_library_alone(name):
    sio = pytest.importorskip("skops.io")
    model = MODELS[name]()
    content = sio.dumps(model)
    types = sio.get_untrusted_types(data=content)
    assert all(each.startswith("skkuranet.") for each in types)
    found = sio.loads(content, trusted=types)
    rows = IMAGE if isinstance(model, KuraNetSegmenter) else X
    np.testing.assert_array_equal(found.predict(rows), model.predict(rows))
    assert found.get_params() == model.get_params()


def test_names_are_public():
    assert {"load", "save"} <= set(skkuranet.__all__)
