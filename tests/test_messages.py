"""Messages show plain values."""

import re
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs

from skkuranet import KuraNetClusterer, KuraNetSegmenter, KuraNetSynchronizer
from skkuranet._utils.messages import plain
from skkuranet.coupling import DenseCoupling, InDegree, MeanDegree
from skkuranet.datasets import make_disorder
from skkuranet.dynamics import integrate
from skkuranet.metrics import best_dice

QUICK = {"max_iter": 2, "hidden_layer_sizes": (8,), "random_state": 0}
X, Y = make_blobs(60, centers=3, random_state=1)
FREQUENCIES = make_disorder("I", 30, random_state=0)


def refit(y, **parameters):
    """Fit, and go on with other labels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = KuraNetClusterer(warm_start=True, **QUICK).fit(X, Y)
    return started.set_params(**parameters).fit(X, y)


def cluster(n):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return KuraNetClusterer(**QUICK).fit(X, Y).cluster(X, n_clusters=n)


# What is called, and how its message goes on; values of NumPy are those a grid search passes.
WRONG = {
    "one class": (lambda: KuraNetClusterer().fit(X, Y == Y), "got 1 class: [True]."),
    "other classes": (
        lambda: refit(np.array(["p", "q", "r"])[Y]),
        "the classes [0, 1, 2], but y has ['p', 'q', 'r'].",
    ),
    "a number of clusters": (lambda: cluster(np.int64(0)), "of rows 60, got 0."),
    "sizes of layers": (
        lambda: KuraNetClusterer(hidden_layer_sizes=np.array([8, 0])).fit(X, Y),
        "got [8, 0].",
    ),
    "an index": (
        lambda: KuraNetSynchronizer(np.int64(7)).fit(FREQUENCIES),
        "frequency=7 is not a column",
    ),
    "one label": (
        lambda: KuraNetSegmenter().fit(np.zeros((4, 4)), np.zeros((4, 4), np.uint8)),
        "one label only, 0.",
    ),
    "a label": (
        lambda: best_dice([0, 1], [0, 1], background=np.float64(0.5)),
        "or None, got 0.5.",
    ),
    "a case": (lambda: make_disorder(np.str_("V")), "got 'V'."),
    "an order": (lambda: InDegree(order=np.int64(3)), "got 3."),
    "a degree": (lambda: MeanDegree(np.float64(-1.0)), "got -1.0."),
    "a step": (
        lambda: integrate(
            DenseCoupling(torch.eye(2)), torch.zeros(2), step_size=np.float32(-0.1), n_steps=1
        ),
        "finite, got -0.1.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_show_plain_values(case):
    call, message = WRONG[case]
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        call()
    assert "np." not in str(caught.value)
    assert "array(" not in str(caught.value)


def test_a_warning_names_ten_classes_and_counts_the_others():
    y = np.append(np.arange(100, 112), np.zeros(48, int))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        KuraNetClusterer(**QUICK).fit(X, y)
    shown = "single member: [100, 101, 102, 103, 104, 105, 106, 107, 108, 109] and 2 more."
    assert any(shown in str(warning.message) for warning in caught)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        ("a", "'a'"),
        (np.array(3), "3"),
        (np.array([True, False]), "[True, False]"),
        (np.array([["a", 1], [None, 0.5]], dtype=object), "[['a', 1], [None, 0.5]]"),
        (np.float32(0.1), "0.1"),
        (np.array([], dtype=int), "[]"),
        (torch.arange(11), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9] and 1 more"),
        (np.array(["2026-01-01"], dtype="datetime64[ns]"), "[2026-01-01T00:00:00.000000000]"),
    ],
)
def test_values_are_shown_as_python_writes_them(value, shown):
    assert plain(value) == shown
