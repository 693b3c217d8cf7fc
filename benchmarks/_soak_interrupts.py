"""Ctrl+C at any moment."""

import functools

import numpy as np
from _soak_fits import (
    answers,
    any_fit,
    check_same,
    check_unfitted,
    data_of,
    interrupted,
    model_of,
    seconds_of,
)
from _soak_pools import end_pool
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV


def struck(rng, seconds, action, *args):
    """Interrupt an action within so many seconds; say whether that came in time."""
    return interrupted(rng.uniform(0.0, seconds), action, *args)


def check_whole(kind, model):
    """A fit that was interrupted has kept what it had learned, or nothing."""
    if not hasattr(model, "coupling_"):
        return check_unfitted(model)
    for each in answers(kind, model):
        assert each.dtype == object or np.isfinite(each).all()


def interrupted_fit(rng, folder):
    """What was learned is kept or nothing is; the next fit goes on from the checkpoint."""
    kind, model = any_fit(rng, folder)
    faults = 0
    for _ in range(3):
        found = clone(model)
        faults += struck(rng, seconds_of(kind), found.fit, *data_of(kind))
        check_whole(kind, found)
    check_same(kind, answers(kind, model.fit(*data_of(kind))))
    return faults


def interrupted_answers(rng, folder):
    """Questions that are interrupted change nothing of the model."""
    kind = str(rng.choice(["clusterer", "synchronizer", "segmenter"]))
    model = model_of(kind).fit(*data_of(kind))
    rows = data_of(kind)[0]

    def ask():
        for seed in range(1000):
            model.predict(rows)
            model.simulate(rows, n_steps=50, random_state=seed)

    faults = sum(struck(rng, 0.1, ask) for _ in range(10))
    check_same(kind, answers(kind, model))
    return faults


def search():
    return GridSearchCV(model_of("clusterer"), {"step_size": [0.5, 1.0]}, cv=2)


@functools.cache
def scores():
    """Scores of a search that nothing disturbs."""
    return search().fit(*data_of("clusterer")).cv_results_["mean_test_score"]


def interrupted_search(rng, folder):
    """A search ends as a whole: no half-learned fit is scored."""
    expected, found = scores(), search()
    faults = struck(rng, 4.0 * seconds_of("clusterer"), found.fit, *data_of("clusterer"))
    # It may have been interrupted in its last fit, that of all rows.
    if hasattr(found, "cv_results_"):
        np.testing.assert_array_equal(found.cv_results_["mean_test_score"], expected)
    return int(faults)


def interrupted_restarts(rng, folder):
    """Restarts in processes end together, and leave what they have learned or nothing."""
    kind = "restarts"
    model = model_of(kind, n_jobs=2)
    if rng.random() < 0.5:
        model.set_params(checkpoint=folder / "state", checkpoint_every=5)
    # Workers begin with imports.
    faults = struck(rng, 4.0 + seconds_of(kind), model.fit, *data_of(kind))
    check_whole(kind, model)
    end_pool()
    check_same(kind, answers(kind, clone(model).fit(*data_of(kind))))
    end_pool()
    return int(faults)


ACCIDENTS = {
    "interrupted_fit": (interrupted_fit, 3),
    "interrupted_answers": (interrupted_answers, 2),
    "interrupted_search": (interrupted_search, 2),
    "interrupted_restarts": (interrupted_restarts, 1),
}
