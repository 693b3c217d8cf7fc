"""Labels as users have them, of which some may be unknown."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning

from skkuranet import KuraNetClusterer, KuraNetSegmenter

QUICK = {"max_iter": 2, "hidden_layer_sizes": (8,), "random_state": 0}
X, CODES = make_blobs(60, centers=3, random_state=1)
NAMES = np.array(["a", "b", "c"])[CODES]
UNKNOWN = np.arange(60) % 4 == 0


def fit(y, unlabeled):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KuraNetClusterer(unlabeled=unlabeled, **QUICK).fit(X, y)


def marked(labels, mark):
    """Labels as a list in which a mark stands for those that are not known."""
    return [mark if gone else label for label, gone in zip(labels.tolist(), UNKNOWN, strict=True)]


def polars():
    return pytest.importorskip("polars")


def pyarrow():
    return pytest.importorskip("pyarrow")


# What makes labels, and the classes that are expected of them.
WITH_GAPS = {
    "pandas str": (lambda: pd.Series(marked(NAMES, None)), "abc"),
    "pandas string": (lambda: pd.Series(marked(NAMES, pd.NA), dtype="string"), "abc"),
    "pandas Int64": (lambda: pd.Series(marked(CODES, pd.NA), dtype="Int64"), [0, 1, 2]),
    "pandas category": (lambda: pd.Series(marked(NAMES, None), dtype="category"), "abc"),
    "pandas frame": (
        lambda: pd.DataFrame({"y": pd.array(marked(CODES, pd.NA), "Int64")}),
        [0, 1, 2],
    ),
    "polars String": (lambda: polars().Series(marked(NAMES, None)), "abc"),
    "polars Int64": (lambda: polars().Series(marked(CODES, None)), [0, 1, 2]),
    "polars frame": (lambda: polars().DataFrame({"y": marked(NAMES, None)}), "abc"),
    "pyarrow": (lambda: pyarrow().array(marked(CODES, None)), [0, 1, 2]),
    "list of None": (lambda: marked(NAMES, None), "abc"),
    "list of NaN": (lambda: marked(NAMES, np.nan), "abc"),
    "floats": (lambda: np.array(marked(CODES, np.nan)), [0.0, 1.0, 2.0]),
    "objects": (lambda: np.array(marked(NAMES, pd.NA), dtype=object), "abc"),
    "masked array": (lambda: np.ma.masked_array(CODES, UNKNOWN), [0, 1, 2]),
}


@pytest.mark.parametrize("case", WITH_GAPS)
def test_none_and_na_are_unlabelled_as_nan_is(case):
    make, classes = WITH_GAPS[case]
    y = make()
    model = fit(y, np.nan)
    assert list(model.classes_) == list(classes)
    assert model.classes_.dtype.kind == np.array(list(classes)).dtype.kind
    # The same rows are left out of the loss as if they were marked by a number.
    np.testing.assert_array_equal(model.loss_curve_, fit(marked(CODES, -1), -1).loss_curve_)
    assert list(fit(y, pd.NA).classes_) == list(classes)


@pytest.mark.parametrize("case", WITH_GAPS)
@pytest.mark.parametrize("unlabeled", [None, -1])
def test_labels_that_are_missing_have_to_be_declared(case, unlabeled):
    y = WITH_GAPS[case][0]()
    with pytest.raises(ValueError, match=r"y holds 15 missing values .* Set unlabeled=np\.nan"):
        fit(y, unlabeled)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_data_frame_of_one_column_is_that_column(kind):
    frame = pytest.importorskip(kind).DataFrame
    for labels, unlabeled in [(marked(CODES, -1), -1), (marked(NAMES, ""), ""), (NAMES, None)]:
        expected, found = fit(labels, unlabeled), fit(frame({"y": labels}), unlabeled)
        np.testing.assert_array_equal(found.classes_, expected.classes_)
        np.testing.assert_array_equal(found.loss_curve_, expected.loss_curve_)
    for unlabeled in (None, -1):
        with pytest.raises(ValueError, match=r"y should be a 1d array, got .* \(60, 2\)"):
            fit(frame({"y": CODES, "z": CODES}), unlabeled)


@pytest.mark.parametrize(
    ("y", "unlabeled", "named"),
    [
        (
            np.array(marked(NAMES, -1)),
            -1,
            r"unlabeled=-1 does not .* classes are \['-1', 'a', 'b', 'c'\].* Set unlabeled='-1'",
        ),
        (np.array(marked(NAMES, np.nan)), np.nan, "unlabeled=nan does not .* unlabeled='nan'"),
        (np.array(marked(CODES, -1)), "-1", "unlabeled='-1' does not .* Set unlabeled=-1"),
    ],
)
def test_a_value_that_never_occurs_is_named_where_a_class_looks_like_it(y, unlabeled, named):
    with pytest.warns(UserWarning, match=named):
        model = fit(y, unlabeled)
    assert len(model.classes_) == 4


def test_a_table_may_have_all_of_its_labels():
    assert list(fit(CODES, -1).classes_) == [0, 1, 2]


@pytest.mark.parametrize("kind", [list, lambda y: np.array(y, dtype=object)])
@pytest.mark.parametrize("unlabeled", [None, -1])
def test_labels_of_mixed_types_are_refused(kind, unlabeled):
    y = kind([1, "a", "b"] * 20)
    with pytest.raises(ValueError, match="y mixes strings, as 'a', with other labels, as 1"):
        fit(y, unlabeled)
    # What is marked as unlabelled may be of another type.
    assert list(fit(y, 1).classes_) == ["a", "b"]


def test_labels_that_are_all_unknown_are_refused():
    model = fit(CODES, -1)
    nothing = np.full(60, -1)
    for ask in (model.fit, model.synchrony_loss):
        with pytest.raises(ValueError, match="y has no labels: every row is unlabeled=-1"):
            ask(X, nothing)


def test_both_estimators_state_one_rule_of_what_is_unlabelled():
    rule = "In a table, every row has a label unless ``unlabeled`` says which value means none"
    for estimator, default in ((KuraNetClusterer, None), (KuraNetSegmenter, "auto")):
        assert rule in " ".join(estimator.__doc__.split())
        assert estimator().unlabeled == default
