"""Odd tables, labels and weights: answers are right, or an error names what is wrong."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

from skkuranet import (
    KuraNetClusterer,
    KuraNetGrouper,
    KuraNetIdentifier,
    KuraNetSynchronizer,
    OscillatorNetwork,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = make_blobs(60, centers=3, random_state=1)
QUICK = {"max_iter": 3, "hidden_layer_sizes": (8,), "random_state": 0}
NETWORK = OscillatorNetwork(np.ones((4, 4)) - np.eye(4), frequency=[0.1, 0.5, 0.9, 1.6])
TIMES = 0.05 * np.arange(61)
PHASES = np.array(NETWORK.simulate(n_steps=60, step_size=0.05, random_state=0).phases)
FITS = {
    "clusterer": lambda X: KuraNetClusterer(**QUICK).fit(X, y),
    "unseen": lambda X: KuraNetClusterer(groups="unseen", random_state=0).fit(X, y),
    "synchronizer": lambda X: KuraNetSynchronizer(frequency=0, **QUICK).fit(X),
    "grouper": lambda X: KuraNetGrouper(random_state=0).fit(X),
    "identifier": lambda X: KuraNetIdentifier(couplings="pairwise", **QUICK).fit(
        X[:4], PHASES, TIMES
    ),
}
WRONG = {
    "masked": (np.ma.masked_array(X, X.mean() < X), "X has masked entries"),
    "dates": (X.astype("datetime64[s]"), "X holds dates"),
    "spans": (X.astype("timedelta64[s]"), "X holds dates"),
    "frame of dates": (
        pd.DataFrame({"a": pd.date_range("2020", periods=60), "b": pd.NaT}),
        "X holds dates",
    ),
    "too small": (X * 1e-310, "X.* so small that"),
    "strings": (X.astype(str).astype(object) + "x", "X: could not convert"),
    "complex": (X + 1j, "X: Complex data not supported"),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("kind", FITS)
def test_what_is_no_table_of_numbers_is_named(kind, what):
    table, message = WRONG[what]
    with pytest.raises((ValueError, TypeError), match=message):
        FITS[kind](table)


def read_only(table):
    table = table.copy()
    table.setflags(write=False)
    return table


SAME = {
    "objects": X.astype(object),
    "decimals": np.array([[Decimal(value) for value in row] for row in X]),
    "nothing masked": np.ma.masked_array(X),
    "bytes of other machines": X.astype(">f8"),
    "columns first": np.asfortranarray(X),
    "read only": read_only(X),
    "frame": pd.DataFrame(X, columns=["a", "b"], index=np.arange(60) % 7),
    "frame with NA": pd.DataFrame(X).convert_dtypes(),
}


@pytest.mark.parametrize("what", SAME)
def test_the_same_numbers_give_the_same_answer(what):
    expected = KuraNetClusterer(**QUICK).fit(X, y).predict_proba(X)
    found = KuraNetClusterer(**QUICK).fit(SAME[what], y).predict_proba(SAME[what])
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(FITS["grouper"](SAME[what]).labels_, FITS["grouper"](X).labels_)


def test_labels_that_are_objects_are_those_of_score():
    model = KuraNetClusterer(**QUICK).fit(X, y.astype(object))
    assert model.score(X, y.astype(object)) == model.score(X, y)
    with pytest.raises(ValueError, match="y holds records"):
        KuraNetClusterer(**QUICK).fit(X, np.array([(v,) for v in y], dtype=[("y", int)]))


WEIGHTS = {
    "masked": np.ma.masked_array(np.ones(60), y == 0),
    "dates": np.ones(60, "datetime64[D]"),
    "words": np.full(60, "x"),
    "pairs": np.ones((60, 2)),
}


@pytest.mark.parametrize("what", WEIGHTS)
def test_weights_that_are_no_numbers_are_named(what):
    model = KuraNetClusterer(**QUICK)
    with pytest.raises((ValueError, TypeError), match="sample_weight"):
        model.fit(X, y, WEIGHTS[what])
    with pytest.raises((ValueError, TypeError), match="sample_weight"):
        model.fit(X, y).score(X, y, WEIGHTS[what])
    named = pd.Series(np.ones(60), index=[f"row {i}" for i in range(60)])
    np.testing.assert_array_equal(model.fit(X, y, named).predict(X), model.fit(X, y).predict(X))


def test_classes_of_a_few_rows_each_are_learned_by_pairs():
    model = KuraNetClusterer("pairwise", **QUICK).fit(X, np.arange(60) % 12)
    assert model.predict_proba(X).shape == (60, 12)


@pytest.mark.parametrize(
    "graph", [np.ma.masked_array(np.ones((60, 60)), np.eye(60)), [[1.0], [2.0, 3.0]]]
)
def test_graphs_that_are_no_matrix_are_named(graph):
    with pytest.raises((ValueError, TypeError), match="connectivity"):
        KuraNetSynchronizer(frequency=0, connectivity=graph, **QUICK).fit(X)
    with pytest.raises((ValueError, TypeError), match="connectivity"):
        KuraNetGrouper(connectivity=graph).fit(X)
