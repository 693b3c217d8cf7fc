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
from sklearn.model_selection import GridSearchCV


def interrupted_fit(rng, folder):
    """What was learned is kept or nothing is; the next fit goes on from the checkpoint."""
    kind, model = any_fit(rng, folder)
    longest, faults = seconds_of(kind), 0
    for _ in range(3):
        found = model_of(kind, **model.get_params())
        try:
            with interrupted(rng.uniform(0.0, longest)):
                found.fit(*data_of(kind))
        except KeyboardInterrupt:
            faults += 1
            if not hasattr(found, "coupling_"):
                check_unfitted(found)
                continue
        else:
            # Fits that were interrupted leave a state to go on from.
            faults += any(folder.iterdir())
        assert all(np.isfinite(each).all() for each in answers(kind, found) if each.dtype != object)
    check_same(kind, answers(kind, model.fit(*data_of(kind))))
    return faults


def interrupted_answers(rng, folder):
    """Questions that are interrupted change nothing of the model."""
    kind = str(rng.choice(["clusterer", "synchronizer", "segmenter"]))
    model = model_of(kind).fit(*data_of(kind))
    rows = data_of(kind)[0]
    faults = 0
    for _ in range(10):
        try:
            with interrupted(rng.uniform(0.0, 0.1)):
                for seed in range(1000):
                    model.predict(rows)
                    model.simulate(rows, n_steps=50, random_state=seed)
        except KeyboardInterrupt:
            faults += 1
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
    faults = 0
    try:
        with interrupted(rng.uniform(0.0, 4.0 * seconds_of("clusterer"))):
            found.fit(*data_of("clusterer"))
    except KeyboardInterrupt:
        faults = 1
    # It may have been interrupted in its last fit, that of all rows.
    if hasattr(found, "cv_results_"):
        np.testing.assert_array_equal(found.cv_results_["mean_test_score"], expected)
    return faults


def interrupted_restarts(rng, folder):
    """Restarts in processes end together, and leave what they have learned or nothing."""
    kind = "restarts"
    model = model_of(kind, n_jobs=2)
    if rng.random() < 0.5:
        model.set_params(checkpoint=folder / "state", checkpoint_every=5)
    faults = 0
    try:
        # Workers begin with imports.
        with interrupted(rng.uniform(0.0, 4.0 + seconds_of(kind))):
            model.fit(*data_of(kind))
    except KeyboardInterrupt:
        faults = 1
        check_unfitted(model)
    else:
        faults = int(model.n_iter_ < model.max_iter or any(folder.iterdir()))
    end_pool()
    model = model_of(kind, **model.get_params()).fit(*data_of(kind))
    check_same(kind, answers(kind, model))
    end_pool()
    return faults


ACCIDENTS = {
    "interrupted_fit": (interrupted_fit, 3),
    "interrupted_answers": (interrupted_answers, 2),
    "interrupted_search": (interrupted_search, 2),
    "interrupted_restarts": (interrupted_restarts, 1),
}
