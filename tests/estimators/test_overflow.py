"""Features whose squares, products or sums are more than numbers can hold."""

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.datasets import make_blobs, make_moons
from torch import nn

from skkuranet import KuraNetClassifier, KuraNetGrouper, KuraNetSynchronizer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = make_moons(60, noise=0.05, random_state=0)
BLOBS, CLASSES = make_blobs(120, centers=3, random_state=1)
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}


@pytest.fixture(scope="module")
def estimator():
    return KuraNetSynchronizer(**SMALL).fit(X)


# Where sums are all rounding, near the end of single precision, and near that of double precision.
@pytest.mark.parametrize("mark", [1e17, -3.4e38, 1e200])
@pytest.mark.parametrize(
    "method", ["simulate", "score", "fan_in", "feature_correlation", "coupling_matrix"]
)
# Column 0 holds frequencies.
@pytest.mark.parametrize("column", [0, 1])
def test_marks_of_missing_values_are_named(method, column, mark, estimator):
    marked = X.copy()
    marked[3, column] = mark
    with pytest.raises(ValueError, match=rf"X\[3, {column}\] = .* lies .* mark of missing values"):
        getattr(estimator, method)(marked)


def test_a_row_without_an_answer_is_named(estimator):
    far = X.copy()
    far[3] = 1e308, -1e308
    with pytest.raises(ValueError, match="X: row 3 lies so far from the rows of fit"):
        estimator.predict(far)


class Endless(nn.Module):
    """Couplings of one's own, without bounds where features are large."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 3)
        with torch.no_grad():
            self.layer.weight.copy_(torch.linspace(-0.5, 0.6, 6).reshape(3, 2))

    def forward(self, x, y):
        return self.layer(x) @ self.layer(y).mT / (x[..., 1:] < 100.0)


@pytest.mark.filterwarnings("ignore:step_size=")
def test_phases_that_are_no_numbers_are_no_synchrony():
    estimator = KuraNetSynchronizer(coupling=Endless(), **SMALL).fit(X)
    far = X.copy()
    far[3, 1] = 1000.0
    with pytest.raises(ValueError, match="score: phases of the network made of X do not stay"):
        estimator.score(far)


@pytest.mark.parametrize("scale", [1e160, 1e305, 1e-160, 1e-300])
def test_units_at_the_ends_of_double_precision(scale):
    settings = {**SMALL, "max_iter": 40}
    expected = KuraNetClassifier(**settings).fit(BLOBS, CLASSES).score(BLOBS, CLASSES)
    found = KuraNetClassifier(**settings).fit(scale * BLOBS, CLASSES)
    assert found.score(scale * BLOBS, CLASSES) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(("scale", "what"), [(1e160, "so large"), (1e-300, "so small")])
def test_distances_that_overflow_or_vanish_are_named(scale, what):
    with pytest.raises(ValueError, match=f"X.* {what} that distances"):
        KuraNetGrouper(random_state=0).fit(scale * BLOBS)
    with pytest.raises(ValueError, match=f"X.* {what} that distances"):
        KuraNetClassifier(groups="unseen", random_state=0).fit(scale * BLOBS, CLASSES)


def test_groups_do_not_depend_on_the_unit():
    expected = KuraNetGrouper(random_state=0).fit(BLOBS).labels_
    for scale in (2.0**-60, 2.0**60):
        found = KuraNetGrouper(random_state=0).fit(scale * BLOBS).labels_
        np.testing.assert_array_equal(found, expected)


def test_tensors_at_the_ends_of_double_precision():
    pytest.importorskip("sklearn.callback", reason="tensors need scikit-learn 1.9")
    table = torch.as_tensor(1e160 * X)
    with config_context(array_api_dispatch=True):
        found = KuraNetSynchronizer(frequency=None, **SMALL).fit(table)
    assert np.isfinite(found.limit_loss_)
