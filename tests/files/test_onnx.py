"""Classes as an ONNX model."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris, make_blobs

from skkuranet import KuraNetClusterer

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


def fitted(X, y, **settings):
    return KuraNetClusterer(**{"random_state": 0, "max_iter": 30, **settings}).fit(X, y)


def run(model, X, **settings):
    made = model.to_onnx(**settings).SerializeToString()
    session = runtime.InferenceSession(made, providers=["CPUExecutionProvider"])
    return session.run(["label", "probabilities"], {"X": X})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("table", ["numbers", "words", "four", "far", "booleans"])
def test_another_runtime_says_the_same(table, dtype):
    X, y = load_iris(return_X_y=True)
    if table == "words":
        y = np.array(["setosa", "versicolor", "virginica"])[y]
    if table == "four":
        X, y = make_blobs(200, centers=4, n_features=3, cluster_std=2.0, random_state=0)
    if table == "far":
        # Features that vary little around a large value.
        X = X + 1e4
    if table == "booleans":
        y = y == 1
    model = fitted(X, y)
    X = X.astype(dtype)
    labels, probabilities = run(model, X, dtype=dtype)
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(labels.astype(y.dtype), model.predict(X))


def test_single_rows_and_none():
    X, y = load_digits(return_X_y=True)
    model = fitted(X, y)
    labels, probabilities = run(model, X[:1])
    assert labels.shape == (1,)
    assert probabilities.shape == (1, 10)
    labels, probabilities = run(model, X[:0])
    assert probabilities.shape == (0, 10)


def test_it_is_written_to_a_file(tmp_path):
    X, y = load_iris(return_X_y=True)
    model = fitted(X, y)
    model.to_onnx(tmp_path / "iris.onnx")
    session = runtime.InferenceSession(tmp_path / "iris.onnx", providers=["CPUExecutionProvider"])
    found = session.run(["label"], {"X": X})[0]
    np.testing.assert_array_equal(found, model.predict(X))


@pytest.mark.filterwarnings("ignore")
def test_what_has_no_closed_form_is_refused():
    X, y = load_iris(return_X_y=True)
    few = {"max_iter": 3, "network_size": 20, "hidden_layer_sizes": (8,)}
    for settings in ({"coupling": "pairwise", **few}, {"readout": "kmeans"}):
        with pytest.raises(ValueError, match="coupling='factorized' and readout='pulls'"):
            fitted(X, y, **settings).to_onnx()
    with pytest.raises(ValueError, match="dtype must be float32 or float64"):
        fitted(X, y).to_onnx(dtype=int)
