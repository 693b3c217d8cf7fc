"""Tensors as input, which stay where they are (scikit-learn's array API dispatch)."""

import functools

import numpy as np
import pytest
import sklearn
import torch
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.neighbors import kneighbors_graph
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _array_api
from sklearn.utils._array_api import get_namespace

from skkuranet import KuraNetClusterer, KuraNetSynchronizer, compress, simulate_in_batches
from skkuranet.datasets import make_disorder, make_gaussian_ring
from skkuranet.inspection import CouplingMatrixDisplay, PhaseDisplay, PhaseLandscapeDisplay
from skkuranet.metrics import cluster_synchrony_loss, feature_correlation, order_parameter

pytestmark = [
    pytest.mark.skipif(
        not hasattr(_array_api, "move_estimator_to"), reason="tensors need scikit-learn 1.9"
    ),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # Of torch, at the first sparse tensor that a test makes by itself.
    pytest.mark.filterwarnings("ignore:Sparse "),
]

QUICK = {"max_iter": 100, "hidden_layer_sizes": (16,), "n_reference": 50, "random_state": 0}


@pytest.fixture(autouse=True)
def dispatch():
    with sklearn.config_context(array_api_dispatch=True):
        yield


@pytest.fixture(scope="module")
def ring():
    return make_gaussian_ring(3, 300, random_state=0)


@pytest.fixture(scope="module")
def oscillators():
    return make_disorder("II", 200, random_state=0)


def test_a_clusterer_of_tensors_is_that_of_arrays(ring, device):
    X, y = ring
    expected = KuraNetClusterer(device="cpu", **QUICK).fit(X, y)
    # Labels of merged clusters would be decided by rounding.
    assert expected.limit_loss_ < 0.05
    tensors = torch.tensor(X, device=device), torch.tensor(y, device=device)
    model = KuraNetClusterer(**QUICK).fit(*tensors)
    for name in ("labels_", "reference_phases_", "reference_features_", "cluster_centers_"):
        assert getattr(model, name).device == tensors[0].device
        assert_allclose(getattr(model, name).cpu(), getattr(expected, name), atol=1e-3)
    run = {"n_steps": 20, "random_state": 1}
    for method, atol in (("predict", 0), ("predict_proba", 1e-3), ("transform", 1e-3)):
        found = getattr(model, method)(tensors[0])
        assert found.device == tensors[0].device
        assert_allclose(found.cpu(), getattr(expected, method)(X), atol=atol)
    assert model.score(*tensors) == pytest.approx(expected.score(X, y), abs=1e-6)
    path = model.simulate(tensors[0], **run)
    assert path.phases.device == tensors[0].device
    assert_allclose(
        path.order_parameter().cpu(), expected.simulate(X, **run).order_parameter(), atol=1e-3
    )
    start = path.phases[-1]
    assert_array_equal(
        model.simulate(tensors[0], initial_phases=start, n_steps=1).phases[0].cpu(), start.cpu()
    )
    K = model.coupling_matrix(tensors[0], tensors[0][:9])
    assert_allclose(K.cpu(), expected.coupling_matrix(X, X[:9]), atol=1e-4)
    assert isinstance(model.cluster(tensors[0], random_state=0), torch.Tensor)
    loss = expected.synchrony_loss(X, y, random_state=0)
    assert model.synchrony_loss(*tensors, random_state=0) == pytest.approx(loss, abs=1e-3)


def test_a_synchronizer_of_tensors_is_that_of_arrays(oscillators, device):
    X, settings = oscillators, {**QUICK, "frequency": 0, "field": 1, "average_degree": 5.0}
    settings["learning_rate_init"] = 3e-3
    expected = KuraNetSynchronizer(device="cpu", **settings).fit(X)
    # Rows that drift would be compared at a moment of their motion.
    assert expected.locked_.all()
    tensor = torch.tensor(X, device=device)
    model = KuraNetSynchronizer(**settings).fit(tensor)
    assert model.locked_.dtype == torch.bool
    assert model.effective_frequencies_.device == tensor.device
    apart = np.exp(1j * (model.predict(tensor).cpu().numpy() - expected.predict(X)))
    assert_allclose(apart, 1.0, atol=1e-2)
    assert_allclose(model.fan_in(tensor).cpu(), expected.fan_in(X), atol=1e-3)
    correlation = expected.feature_correlation(X)
    assert model.feature_correlation(tensor) == pytest.approx(correlation, abs=1e-3)
    order = expected.score(X, random_state=0)
    assert model.score(tensor, random_state=0) == pytest.approx(order, abs=1e-2)


@pytest.mark.parametrize("connectivity", ["matrix", "tensor", "callable"])
def test_graphs_of_tensors(oscillators, connectivity, device):
    X = torch.tensor(oscillators[:80], device=device)
    neighbours = functools.partial(kneighbors_graph, n_neighbors=8)
    matrix = neighbours(oscillators[:80])
    graphs = {
        "matrix": matrix,
        "tensor": torch.tensor(matrix.toarray(), device=device),
        "callable": neighbours,
    }
    model = KuraNetSynchronizer(connectivity=graphs[connectivity], **QUICK | {"max_iter": 5})
    model.fit(X)
    K = model.coupling_matrix(X)
    assert isinstance(K, torch.Tensor)
    assert int((K != 0).sum(1).max()) < 40


def test_delays_of_tensors(device):
    X = make_disorder("III", 60, random_state=0)
    settings = {**QUICK, "max_iter": 3, "frequency": 0, "delay": 1}
    expected = KuraNetSynchronizer(device="cpu", **settings).fit(X)
    tensor = torch.tensor(X, device=device)
    model = KuraNetSynchronizer(**settings).fit(tensor)
    run = {"n_steps": 20, "random_state": 0}
    found = model.simulate(tensor, **run).phases
    assert_allclose(found.cpu(), expected.simulate(X, **run).phases, atol=1e-3)


def test_features_do_not_pass_through_the_host(ring, monkeypatch):
    X, y = (torch.tensor(a) for a in ring)
    taken = []
    for name in ("numpy", "cpu", "__array__", "tolist", "__dlpack__"):
        original = getattr(torch.Tensor, name)

        def noted(self, *args, original=original, **options):
            taken.append(tuple(self.shape))
            return original(self, *args, **options)

        monkeypatch.setattr(torch.Tensor, name, noted)
    model = KuraNetClusterer(**QUICK).fit(X, y)
    model.predict_proba(X)
    model.simulate(X, n_steps=2)
    assert (len(y),) in taken
    assert tuple(X.shape) not in taken


def test_large_networks_of_tensors(ring):
    X, y = (torch.tensor(a) for a in ring)
    model = KuraNetClusterer("pairwise", **QUICK).fit(X, y)
    small = compress(model, 8, X)
    assert isinstance(small.transform(X), torch.Tensor)
    found = simulate_in_batches(model, X, batch_size=100, n_steps=3)
    assert isinstance(found.phases, torch.Tensor)


def test_displays_draw_tensors(ring, device):
    arrays = [torch.tensor(a, device=device) for a in ring]
    model = KuraNetClusterer(**QUICK).fit(*arrays)
    for display in (CouplingMatrixDisplay, PhaseDisplay, PhaseLandscapeDisplay):
        display.from_estimator(model, *arrays)
        plt.close("all")


def test_they_live_in_pipelines_and_searches(ring):
    X, y = ring[0].astype(np.float32), ring[1]
    tensors = torch.tensor(X), torch.tensor(y)
    model = make_pipeline(StandardScaler(), KuraNetClusterer(**QUICK))
    grid = {"kuranetclusterer__max_iter": [1, 100]}
    search = GridSearchCV(model, grid, cv=2).fit(*tensors)
    expected = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert search.best_params_ == expected.best_params_ == {"kuranetclusterer__max_iter": 100}
    found = cross_val_predict(model, *tensors, cv=2, method="predict_proba")
    assert_allclose(found.sum(1), 1.0)
    assert_array_equal(search.predict(tensors[0]), expected.predict(X))


def test_labels_may_stay_strings(ring):
    X, names = torch.tensor(ring[0]), np.array(["a", "b", "c"])[ring[1]]
    model = KuraNetClusterer(**QUICK).fit(X, names)
    assert_array_equal(np.unique(model.predict(X)), ["a", "b", "c"])
    unknown = np.where(np.arange(len(names)) % 2, names, "?")
    model = KuraNetClusterer(unlabeled="?", **QUICK).fit(X, unknown)
    assert_array_equal(model.classes_, ["a", "b", "c"])


def test_another_library_than_that_of_fit_is_refused(ring):
    X, y = ring
    model = KuraNetClusterer(**QUICK).fit(torch.tensor(X), torch.tensor(y))
    for method in ("predict", "cluster", "coupling_matrix"):
        with pytest.raises(ValueError, match=rf"KuraNetClusterer.{method}\(\) must use the same"):
            getattr(model, method)(X)


def test_callbacks_score_tensors(ring):
    X, y = (torch.tensor(a) for a in ring)
    monitor = pytest.importorskip("sklearn.callback").ScoringMonitor(scoring="accuracy")
    model = KuraNetClusterer(**QUICK | {"max_iter": 3}).set_callbacks(monitor).fit(X, y)
    assert isinstance(model.predict(X), torch.Tensor)


def test_fitted_estimators_move_to_tensors(ring):
    X, y = ring
    model = KuraNetClusterer("pairwise", **QUICK).fit(X, y)
    moved = _array_api.move_estimator_to(model, get_namespace(torch.tensor(X))[0], "cpu")
    assert_allclose(moved.predict_proba(torch.tensor(X)), model.predict_proba(X))
    assert isinstance(compress(moved, 8, torch.tensor(X)).transform(torch.tensor(X)), torch.Tensor)


def test_metrics_take_tensors(ring, device):
    X, y = (torch.tensor(a, device=device) for a in ring)
    phases = X[:, 0]
    assert order_parameter(phases) == order_parameter(ring[0][:, 0])
    assert cluster_synchrony_loss(phases, y) == cluster_synchrony_loss(ring[0][:, 0], ring[1])
    K = torch.eye(len(X), device=device)
    assert feature_correlation(K, X) == feature_correlation(K.cpu().numpy(), ring[0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda X: X.to_sparse(), "X must be a dense tensor"),
        (lambda X: X.to(torch.complex64), "X must be a dense tensor"),
        (lambda X: X * torch.nan, "NaN"),
        (lambda X: X[:, 0], "1D array"),
    ],
)
def test_wrong_tensors_are_refused(ring, wrong, message):
    X, y = (torch.tensor(a) for a in ring)
    with pytest.raises(ValueError, match=message):
        KuraNetClusterer(**QUICK).fit(wrong(X), y)


def test_tensors_of_a_graph_and_of_few_bits(ring):
    X, y = (torch.tensor(a) for a in ring)
    quick = QUICK | {"max_iter": 2}
    model = KuraNetClusterer(**quick).fit(X.requires_grad_(), y.to(torch.bfloat16))
    assert not model.predict_proba(X).requires_grad


def test_without_dispatch_all_are_arrays(ring):
    X, y = ring
    with sklearn.config_context(array_api_dispatch=False):
        model = KuraNetClusterer(**QUICK).fit(torch.tensor(X), torch.tensor(y))
        assert isinstance(model.reference_phases_, np.ndarray)
        assert isinstance(model.predict(torch.tensor(X)), np.ndarray)
        assert isinstance(model.simulate(torch.tensor(X), n_steps=1).phases, np.ndarray)
