"""Tables as people bring them: repeated rows, weights, rare and misspelt classes, noise."""

import re
import types
import warnings

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkuranet import KuraNetClusterer
from skkuranet._utils.distinct import distinct_rows
from skkuranet.estimators import _progress
from skkuranet.training import _run as training

QUICK = {"max_iter": 45, "hidden_layer_sizes": (16,), "random_state": 0}
PAIRWISE = {**QUICK, "coupling": "pairwise", "max_iter": 10, "network_size": 20, "batch_size": 2}
merged_is_fine = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def by_dictionary(X, codes, weights):
    """What distinct_rows is to find: the weight of each row and class."""
    found = {}
    for row, code, weight in zip(X.tolist(), codes.tolist(), weights.tolist(), strict=True):
        # -0.0 and 0.0 are one key.
        key = code, *row
        found[key] = found.get(key, 0.0) + weight
    return found


def with_repeats(seed):
    """A table of few values, signed zeros among them."""
    rng = np.random.RandomState(seed)
    values = np.array([-0.0, 0.0, 1.0, -1.0, 0.1, 1e300, 5e-324])
    n_rows, n_features, n_values = rng.randint(1, 200), rng.randint(1, 4), rng.randint(1, 8)
    X = values[rng.randint(n_values, size=(n_rows, n_features))]
    return X, rng.randint(-1, 3, n_rows), rng.randint(1, 9, n_rows).astype(float)


KINDS = {
    "double": lambda X: X,
    "single": lambda X: X.clip(-1.0, 1e30).astype(np.float32),
    "tensor": torch.from_numpy,
    "strided tensor": lambda X: torch.from_numpy(np.asfortranarray(X)),
    "read only": lambda X: np.frombuffer(X.tobytes()).reshape(X.shape),
}


@pytest.mark.parametrize("kind", KINDS)
def test_distinct_rows_are_those_of_a_dictionary(kind):
    for seed in range(20):
        X, codes, weights = with_repeats(seed)
        X = KINDS[kind](X)
        index, summed = distinct_rows(X, codes, weights)
        expected = by_dictionary(X, codes, weights)
        assert by_dictionary(X[index], codes[index], summed) == expected
        assert len(index) == len(expected)
        assert bool((np.diff(codes[index]) >= 0).all())
        np.testing.assert_array_equal(distinct_rows(X, codes, None)[0], index)


def test_distinct_rows_do_not_depend_on_order_or_type():
    for seed in range(10):
        X, codes, weights = with_repeats(seed)
        X = X.clip(-1.0, 1.0).astype(np.float32)
        order = np.random.RandomState(seed).permutation(len(X))
        index, summed = distinct_rows(X, codes, weights)
        for other in (X[order], X[order].astype(float), torch.from_numpy(X[order])):
            again, sums = distinct_rows(other, codes[order], weights[order])
            np.testing.assert_array_equal(np.asarray(other[again]), X[index])
            np.testing.assert_array_equal(codes[order][again], codes[index])
            np.testing.assert_array_equal(sums, summed)


def test_whole_numbers_are_told_apart():
    # Few digits, regular steps and permuted columns are hard for a hash.
    X = np.stack(np.meshgrid(*[np.arange(-20.0, 20.0)] * 3), -1).reshape(-1, 3)
    index, weights = distinct_rows(np.concatenate((X, 1024.0 * X)), np.zeros(2 * len(X), int), None)
    assert len(index) == 2 * len(X) - 1
    assert weights.sum() == 2 * len(X)


def noisy(n_rows=240, seed=0, n_classes=3):
    return make_blobs(n_rows, centers=n_classes, cluster_std=3.0, random_state=seed + 1)


def fitted(X, y, settings=QUICK, sample_weight=None, **options):
    return KuraNetClusterer(**{**settings, **options}).fit(X, y, sample_weight=sample_weight)


WAYS = {
    "as by default": {},
    "balanced": {"class_weight": "balanced"},
    "four classes": {},
    "some unlabelled": {"unlabeled": -1},
    "pairwise": PAIRWISE,
}


@merged_is_fine
@pytest.mark.parametrize("way", WAYS)
def test_neither_order_nor_repetition_of_rows_shows(way):
    X, y = noisy(n_classes=4 if way == "four classes" else 3)
    if way == "some unlabelled":
        y = np.where(np.arange(len(y)) % 3, y, -1)
    counts = np.random.RandomState(0).randint(1, 4, len(y))
    expected = fitted(X, y, sample_weight=counts, **WAYS[way])
    repeated = np.random.RandomState(1).permutation(np.repeat(np.arange(len(y)), counts))
    found = fitted(X[repeated], y[repeated], **WAYS[way])
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
    np.testing.assert_array_equal(found.transform(X), expected.transform(X))
    assert found.limit_loss_ == expected.limit_loss_


@merged_is_fine
@pytest.mark.parametrize("settings", [QUICK, PAIRWISE])
def test_rows_of_no_weight_are_as_if_they_were_not_there(settings):
    X, y = noisy()
    kept = np.arange(len(y)) % 4 > 0
    expected = fitted(X[kept], y[kept], settings)
    found = fitted(X, y, settings, sample_weight=kept.astype(float))
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
    assert found.labels_.shape == y.shape
    np.testing.assert_array_equal(found.labels_, expected.predict(X))


@merged_is_fine
def test_a_class_of_no_weight_is_none():
    X, y = noisy()
    partial = np.where(np.arange(len(y)) % 3, y, -1)
    found = fitted(X, partial, sample_weight=(partial != 1).astype(float), unlabeled=-1)
    assert list(found.classes_) == [0, 2]
    np.testing.assert_array_equal(
        found.predict_proba(X),
        fitted(X[partial != 1], partial[partial != 1], unlabeled=-1).predict_proba(X),
    )


@merged_is_fine
@pytest.mark.parametrize("factor", [1e-6, 10.0])
@pytest.mark.parametrize("settings", [QUICK, PAIRWISE])
def test_only_how_weights_compare_counts(settings, factor):
    X, y = noisy()
    weights = np.random.RandomState(0).exponential(size=len(y))
    expected = fitted(X, y, settings, sample_weight=weights)
    found = fitted(X, y, settings, sample_weight=factor * weights)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-3)
    assert found.limit_loss_ == pytest.approx(expected.limit_loss_, abs=1e-3)


def one_in_ten(n_rows=1500, seed=0):
    """Two classes of Gaussian noise, of which the second is rare."""
    rng = np.random.RandomState(seed)
    y = (rng.rand(n_rows) < 0.1).astype(int)
    X = rng.standard_normal((n_rows, 2))
    X[:, 0] += 1.5 * y
    return X, y


@merged_is_fine
@pytest.mark.parametrize("settings", [QUICK, {**PAIRWISE, "max_iter": 50}])
def test_balanced_weights_find_more_of_a_rare_class(settings):
    X, y = one_in_ten()
    plain, balanced = (fitted(X, y, settings, class_weight=w) for w in (None, "balanced"))
    new, true = one_in_ten(seed=1)
    recalls = [recall_score(true, model.predict(new)) for model in (plain, balanced)]
    assert recalls[0] < 0.5
    assert recalls[1] > 0.6
    # By hand: what is ten times as rare counts for nine times as much.
    count = np.bincount(y)
    by_hand = fitted(X, y, settings, class_weight=dict(enumerate(len(y) / (2.0 * count))))
    np.testing.assert_array_equal(by_hand.predict_proba(new), balanced.predict_proba(new))


@pytest.mark.parametrize("seed", range(8))
def test_a_class_of_five_rows_in_five_thousand_is_learned(seed):
    X = np.random.RandomState(seed).standard_normal((5005, 2))
    X[5000:] += 8.0
    y = np.repeat((0, 1), (5000, 5))
    model = KuraNetClusterer(random_state=seed).fit(X, y)
    assert recall_score(y, model.predict(X)) == 1.0
    rare, usual = model.predict_proba([[8.0, 8.0], [0.0, 0.0]])[:, 1]
    assert rare > 0.8
    assert usual < 1e-3


def test_wrong_class_weights_are_named():
    X, y = noisy()
    with pytest.raises(ValueError, match=r"The classes, \[1, 2\], are not in class_weight"):
        fitted(X, y, class_weight={0: 1.0, "b": 1.0})
    for wrong in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match=r"class_weight must be positive.*for 1\."):
            fitted(X, y, class_weight={0: 1.0, 1: wrong, 2: 1.0})


def misspelt():
    X, place = make_blobs(480, centers=[[-4, 0], [4, 0]], random_state=0)
    y = np.array(["cat", "dog"])[place]
    y[np.flatnonzero(place == 0)[:3]] = "Cat"
    return X, y


@pytest.mark.parametrize("readout", ["pulls", "kmeans"])
def test_typing_errors_in_labels_cost_their_rows_alone(readout):
    X, y = misspelt()
    for seed in range(10 if readout == "pulls" else 3):
        with pytest.warns(ConvergenceWarning, match=r"\['Cat', 'cat'\] share a phase"):
            model = KuraNetClusterer(random_state=seed, readout=readout).fit(X, y)
        assert model.score(X, y) > 0.98
        named = model.classes_[model.predict_proba(X).argmax(axis=1)]
        np.testing.assert_array_equal(model.predict(X), named)
        assert list(model.predict([[-4, 0], [4, 0]])) == ["cat", "dog"]


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_five_rows_in_five_thousand_are_a_class():
    X = np.r_[np.random.RandomState(0).randn(5000, 2), np.random.RandomState(1).randn(5, 2) + 8]
    y = np.repeat([0, 1], [5000, 5])
    for seed in range(3):
        model = KuraNetClusterer(random_state=seed).fit(X, y)
        assert model.score(X, y) == 1.0
        assert list(model.predict([[8, 8], [0, 0]])) == [1, 0]
        probability = model.predict_proba(X)
        np.testing.assert_array_equal(model.predict(X), probability.argmax(axis=1))
        assert model.class_recall_.min() >= 0.8


@merged_is_fine
@pytest.mark.parametrize("share", [0.05, 0.2])
def test_probabilities_know_how_frequent_classes_are(share):
    rng = np.random.RandomState(0)
    y = (rng.rand(4000) < share).astype(int)
    X = rng.standard_normal((4000, 2))
    X[:, 0] += 1.5 * y
    model = KuraNetClusterer(random_state=0).fit(X[:2000], y[:2000])
    new, true = X[2000:], y[2000:]
    found = log_loss(true, model.predict_proba(new))
    logistic = LogisticRegression().fit(X[:2000], y[:2000]).predict_proba(new)
    constant = np.full(2000, y[:2000].mean())
    assert found < log_loss(true, constant)
    assert found < 1.1 * log_loss(true, logistic)
    assert model.predict_proba(new)[:, 1].mean() == pytest.approx(true.mean(), abs=0.02)


@merged_is_fine
def test_labels_at_random_leave_the_frequencies_of_classes():
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((2400, 5)), (rng.rand(2400) < 0.1).astype(int)
    model = KuraNetClusterer(random_state=0).fit(X[:400], y[:400])
    constant = np.full(2000, y[:400].mean())
    assert log_loss(y[400:], model.predict_proba(X[400:])) < log_loss(y[400:], constant) + 0.01


@merged_is_fine
def test_few_distinct_rows_are_as_sure_as_their_labels():
    rng = np.random.RandomState(0)
    X = rng.randint(0, 3, (2000, 3)).astype(float)
    chance = 1.0 / (1.0 + np.exp(3.0 - X.sum(axis=1)))
    y = (rng.rand(2000) < chance).astype(int)
    model = KuraNetClusterer(random_state=0).fit(X, y)
    assert log_loss(y, model.predict_proba(X)) < log_loss(y, chance) + 0.02
    # A single feature of two values, which nothing can be left out of.
    chance = np.where(X[:, :1] > 0, 0.9, 0.1).ravel()
    y = (rng.rand(2000) < chance).astype(int)
    model = KuraNetClusterer(random_state=0).fit(X[:, :1] > 0, y)
    np.testing.assert_allclose(model.predict_proba([[0], [1]])[:, 1], [0.1, 0.9], atol=0.05)


def test_kmeans_reads_the_nearest_centre():
    X, y = make_blobs(300, centers=3, random_state=1)
    model = fitted(X, y, readout="kmeans")
    centres = KMeans(3, init=model.cluster_centers_, n_init=1)
    reference = np.exp(1j * model.reference_phases_)
    centres.fit(np.column_stack((reference.real, reference.imag)))
    np.testing.assert_allclose(centres.cluster_centers_, model.cluster_centers_, atol=1e-6)
    new = 3.0 * np.random.RandomState(0).standard_normal((200, 2))
    nearest = model.classes_[centres.predict(model.transform(new))]
    np.testing.assert_array_equal(model.predict(new), nearest)
    np.testing.assert_array_equal(model.predict_proba(new).argmax(axis=1), model.predict(new))


@merged_is_fine
@pytest.mark.parametrize("settings", [QUICK, PAIRWISE])
def test_the_read_out_can_be_changed_after_fit(settings):
    X, y = make_blobs(300, centers=[[-6, 0], [6, 0]], random_state=1)
    pulls, kmeans = (fitted(X, y, settings, readout=name) for name in ("pulls", "kmeans"))
    assert not np.array_equal(pulls.predict_proba(X), kmeans.predict_proba(X))
    expected = kmeans.predict_proba(X)
    np.testing.assert_array_equal(pulls.set_params(readout="kmeans").predict_proba(X), expected)


@merged_is_fine
def test_probabilities_of_pairwise_couplings_hold_on_new_rows():
    X, y = one_in_ten(1000)
    model = fitted(X, y, {**PAIRWISE, "max_iter": 50})
    new, true = one_in_ten(1000, seed=1)
    probability = model.predict_proba(new)
    assert log_loss(true, probability) < log_loss(true, np.full(len(true), y.mean()))
    np.testing.assert_array_equal(model.predict(new), probability.argmax(axis=1))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(new)), probability)


def slow_clock(monkeypatch, seconds):
    """Let each look at the clock take so long."""
    now = iter(np.arange(0.0, 1e6, seconds))
    clock = types.SimpleNamespace(monotonic=lambda: next(now))
    monkeypatch.setattr(_progress, "time", clock)


@merged_is_fine
@pytest.mark.parametrize(("verbose", "seconds"), [(None, 0.1), (0, 5.0), (False, 5.0)])
def test_a_short_fit_is_silent_and_so_is_a_long_one_on_request(
    verbose, seconds, monkeypatch, capsys
):
    slow_clock(monkeypatch, seconds)
    fitted(*noisy(), verbose=verbose)
    assert capsys.readouterr() == ("", "")


@merged_is_fine
def test_a_long_fit_tells_how_far_it_is(monkeypatch, capsys):
    slow_clock(monkeypatch, 1.0)
    fitted(*noisy(), verbose=None, tol=0)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert 3 <= len(lines) <= 5
    assert lines[0].startswith("[KuraNetClusterer] iteration 10 of 45 at most, loss ")
    assert lines[0].endswith(" s left at most. verbose=0 is silent.")
    # Three seconds an iteration of which one is looked at: the clock is read in between.
    left = [int(re.search(r"(\d+) s left", line).group(1)) for line in lines]
    assert left[0] == pytest.approx(36, abs=5)
    assert left == sorted(left, reverse=True)


@merged_is_fine
def test_the_loss_is_printed_on_request(capsys):
    fitted(*noisy(), verbose=True, max_iter=100, tol=0)
    out, err = capsys.readouterr()
    assert [line.partition(",")[0] for line in out.splitlines()] == [
        "[KuraNetClusterer] iteration 50",
        "[KuraNetClusterer] iteration 100",
    ]
    assert err == ""


def test_warnings_point_at_the_line_that_called():
    X, y = misspelt()
    y[0] = "bird"
    made = {
        "alone": lambda: fitted(X, y),
        "in a pipeline": lambda: make_pipeline(StandardScaler(), KuraNetClusterer(**QUICK)).fit(
            X, y
        ),
    }
    for call in made.values():
        with pytest.warns() as caught:
            call()
        assert {warning.category for warning in caught} == {UserWarning, ConvergenceWarning}
        assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("at", [0, 3, 40])
def test_an_interruption_in_closed_form_leaves_probabilities_that_hold(at, monkeypatch):
    X, y = one_in_ten()
    step = training.Run.step

    def interrupt(run, iteration):
        if iteration == at:
            raise KeyboardInterrupt
        return step(run, iteration)

    monkeypatch.setattr(training.Run, "step", interrupt)
    with pytest.warns(ConvergenceWarning, match=f"so far, of {at} iterations, are kept"):
        model = KuraNetClusterer(random_state=0).fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == at
    new, true = one_in_ten(seed=1)
    constant = log_loss(true, np.full(len(true), y.mean()))
    found = log_loss(true, model.predict_proba(new))
    assert found < constant + 0.01
    assert at < 40 or found < 0.9 * constant
    assert model.class_recall_.shape == (2,)
    assert model.transform(new).shape == (len(new), 2)


def test_warm_start_with_more_iterations_learns_more():
    X, y = make_moons(800, noise=0.25, random_state=0)
    new, true = make_moons(1000, noise=0.25, random_state=1)
    model = KuraNetClusterer(max_iter=3, warm_start=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        first = log_loss(true, model.fit(X, y).predict_proba(new))
        second = log_loss(true, model.set_params(max_iter=None).fit(X, y).predict_proba(new))
    assert second < 0.8 * first
    assert model.n_iter_ > 3


@merged_is_fine
def test_the_best_of_several_networks_is_kept():
    X, y = noisy()
    single = [fitted(X, y, random_state=seed) for seed in range(3)]
    model = fitted(X, y, n_init=3)
    assert model.limit_loss_ <= max(one.limit_loss_ for one in single)
    assert len(model.loss_curve_) == model.n_iter_ <= QUICK["max_iter"]
    assert len(model.class_recall_) == 3
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_unlabelled_rows_do_not_disturb_probabilities():
    X, y = make_moons(1200, noise=0.2, random_state=0)
    new, true = make_moons(1000, noise=0.2, random_state=1)
    known = np.arange(len(y)) % 4 == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        few = KuraNetClusterer(random_state=0).fit(X[known], y[known])
        partial = KuraNetClusterer(random_state=0, unlabeled=-1).fit(X, np.where(known, y, -1))
    losses = [log_loss(true, model.predict_proba(new)) for model in (few, partial)]
    assert losses[1] < losses[0] + 0.05
    assert set(partial.labels_) == {0, 1}
    assert partial.score(new, true) > 0.9


def test_noise_is_not_learned_by_heart():
    """Where a table says little, no more is read into it than a straight line would."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(2200, 8))
    y = X[:, 0] + 0.5 * X[:, 1] + 1.2 * rng.normal(size=len(X)) > 0
    known, new = slice(200), slice(200, None)
    ours = KuraNetClusterer(random_state=0).fit(X[known], y[known])
    line = LogisticRegression().fit(X[known], y[known])
    least = log_loss(y[new], line.predict_proba(X[new]))
    assert log_loss(y[new], ours.predict_proba(X[new])) < 1.06 * least
    assert ours.score(X[new], y[new]) > line.score(X[new], y[new]) - 0.03
