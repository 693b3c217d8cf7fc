"""Processes that are killed at any moment, and two that write one file."""

import os

import numpy as np
from _soak_fits import (
    Child,
    answers,
    any_fit,
    check_same,
    data_of,
    error_of,
    fit_and_answer,
    model_of,
    seconds_of,
    undisturbed,
)

import skkuranet

# Kinds whose models the killed process saves in turn.
SAVED = ("clusterer", "pairwise")
# What makes a fit another one.
OTHER = {"max_iter": 41}


def killed_fit(rng, folder):
    """A process is killed while it fits, thrice at most; the last goes on to the end."""
    kind, model = any_fit(rng, folder)
    faults = 0
    for _ in range(3):
        seconds = rng.uniform(0.0, seconds_of(kind))
        faults += Child(fit_and_answer, kind, model).kill_after(seconds)
    check_same(kind, Child(fit_and_answer, kind, model).result())
    return faults


def save_in_turn(path):
    models = [model_of(kind, max_iter=1).fit(*data_of(kind)) for kind in SAVED]
    while True:
        for model in models:
            model.save(path)


def killed_save(rng, folder):
    """A process is killed while it replaces a file: there is the one or the other model."""
    path = folder / "model"
    kind = SAVED[0]
    model_of(kind, max_iter=1).fit(*data_of(kind)).save(path)
    faults = Child(save_in_turn, path).kill_after(rng.uniform(0.2, 0.5))
    found = skkuranet.load(path)
    kind = next(kind for kind in SAVED if found.coupling == model_of(kind).coupling)
    expected = answers(kind, model_of(kind, max_iter=1).fit(*data_of(kind)))
    for one, other in zip(answers(kind, found), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    # What was being written is documented to stay.
    for part in folder.glob("model.*.part"):
        os.unlink(part)
    path.unlink()
    return int(faults)


def two_writers(rng, folder):
    """Two processes share a checkpoint by mistake: results are right, or an error names it."""
    kind, model = any_fit(rng, folder)
    undisturbed(kind)
    other = model_of(kind, checkpoint=model.checkpoint, checkpoint_every=model.checkpoint_every)
    if rng.random() < 0.5:
        other.set_params(**OTHER)
    both = [Child(fit_and_answer, kind, each) for each in (model, other)]
    for each, child in zip((model, other), both):
        found = []
        error = error_of(ValueError, lambda c=child, f=found: f.extend(c.result()))
        if error is not None:
            assert str(error).startswith("checkpoint: "), error
        elif each.max_iter != OTHER["max_iter"]:
            check_same(kind, found)
    # The state of a fit that was refused, if it had begun before the other.
    for path in folder.glob("state.[01]"):
        path.unlink()
    return 1


ACCIDENTS = {
    "killed_fit": (killed_fit, 2),
    "killed_save": (killed_save, 2),
    "two_writers": (two_writers, 2),
}
