"""Estimators neither depend on the settings of the process nor change them."""

import contextlib
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from skkuranet import (
    KuraNetClusterer,
    KuraNetGrouper,
    KuraNetIdentifier,
    KuraNetSegmenter,
    KuraNetSynchronizer,
    OscillatorNetwork,
)

X, y = make_moons(60, noise=0.05, random_state=0)
IMAGE = np.random.RandomState(0).rand(12, 14)
MASK = np.full(IMAGE.shape, -1)
MASK[:6, :4], MASK[6:, 9:] = 0, 1
RING = np.roll(np.eye(4), 1, axis=1) + np.roll(np.eye(4), -1, axis=1)
TIMES = 0.05 * np.arange(61)
PHASES = (
    OscillatorNetwork(RING, frequency=[0.1, 0.5, 0.9, 1.6])
    .simulate(n_steps=60, step_size=0.05, random_state=0)
    .phases
)
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
ESTIMATORS = {
    "clusterer": lambda: KuraNetClusterer(**SMALL).fit(X, y),
    "pairwise": lambda: KuraNetClusterer(coupling="pairwise", **SMALL).fit(X, y),
    "synchronizer": lambda: KuraNetSynchronizer(frequency=0, noise=0.1, **SMALL).fit(X),
    "segmenter": lambda: KuraNetSegmenter(**SMALL).fit(IMAGE, MASK),
    "groups": lambda: KuraNetSegmenter(n_segments=2, **SMALL).fit(IMAGE, MASK + 1),
    "unseen": lambda: KuraNetClusterer(groups="unseen", random_state=0).fit(X, y),
    "identifier": lambda: KuraNetIdentifier(random_state=0).fit(None, PHASES, TIMES),
    "learned identifier": lambda: KuraNetIdentifier(couplings="pairwise", **SMALL).fit(
        np.linspace(-1.0, 1.0, 4)[:, None], PHASES, TIMES
    ),
    "grouper": lambda: KuraNetGrouper(random_state=0).fit(X),
}


@contextlib.contextmanager
def double_precision():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


SETTINGS = {
    "double precision": double_precision,
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu"),
    "another device": lambda: torch.device("meta"),
}


def answers(estimator):
    if isinstance(estimator, KuraNetGrouper):
        return [estimator.labels_, estimator.vectors_]
    if isinstance(estimator, KuraNetIdentifier):
        found = vars(estimator)
        learned = [value for value in found.values() if isinstance(value, np.ndarray)]
        rows = None if estimator.couplings != "pairwise" else np.linspace(-1.0, 1.0, 4)[:, None]
        return [*learned, estimator.predict(rows, PHASES[0], TIMES)]
    if getattr(estimator, "groups", None) == "unseen":
        return [estimator.labels_, estimator.cluster(X), estimator.transform(X)]
    rows = IMAGE if isinstance(estimator, KuraNetSegmenter) else X
    found = [estimator.predict(rows), estimator.transform(rows), estimator.coupling_matrix(rows)]
    found.append(estimator.simulate(rows, n_steps=3, random_state=0).phases)
    if isinstance(estimator, KuraNetClusterer):
        found += [estimator.predict_proba(rows), estimator.cluster(rows, 2, random_state=0)]
    return found


@pytest.mark.filterwarnings("ignore:Couplings explain nothing")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_all_settings_of_torch_give_one_answer(kind):
    expected = answers(ESTIMATORS[kind]())
    for name, setting in SETTINGS.items():
        with setting():
            found = answers(ESTIMATORS[kind]())
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_fits_in_threads_leave_the_process_as_it_was():
    torch.manual_seed(1)
    before = torch.get_rng_state(), list(warnings.filters), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with warnings.catch_warnings(), ThreadPoolExecutor(4) as pool:
            warnings.simplefilter("ignore", ConvergenceWarning)
            filters = list(warnings.filters)

            def fit(_):
                estimator = KuraNetClusterer(**SMALL).fit(X, y)
                return estimator.cluster(X[:20], 2, random_state=0)

            found = list(pool.map(fit, range(8)))
            assert list(warnings.filters) == filters
        counts = []
        thread = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert counts == [2]
    finally:
        torch.set_num_threads(before[2])
    assert torch.equal(torch.get_rng_state(), before[0])
    for labels in found[1:]:
        np.testing.assert_array_equal(labels, found[0])


class WithDropout(nn.Module):
    """Couplings that draw from the global generator."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3))

    def forward(self, x, y):
        return self.layers(x) @ self.layers(y).mT


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_modules_that_draw_at_random_are_alike_in_threads():
    torch.manual_seed(0)
    module = WithDropout()
    fit = lambda _: KuraNetClusterer(coupling=module, **SMALL).fit(X, y).loss_curve_  # noqa: E731
    with ThreadPoolExecutor(3) as pool:
        curves = list(pool.map(fit, range(4)))
    for curve in curves:
        assert curve == fit(None)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_that_fails_leaves_the_estimator_as_it_was():
    estimator = KuraNetClusterer(**SMALL).fit(X, y)
    expected = estimator.predict(X)
    with pytest.raises(ValueError, match="needs at least two classes"):
        estimator.fit(np.c_[X, X], np.zeros(len(X)))
    np.testing.assert_array_equal(estimator.predict(X), expected)
    segmenter = KuraNetSegmenter(**SMALL).fit(IMAGE, MASK)
    with pytest.raises(ValueError, match="mask"):
        segmenter.fit(np.dstack((IMAGE, IMAGE)), np.zeros_like(MASK))
    assert segmenter.n_channels_in_ == 1
