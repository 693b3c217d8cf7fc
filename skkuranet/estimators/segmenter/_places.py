"""Whether couplings see where pixels are, and for which images."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.base import clone
from sklearn.callback import with_callbacks

from skkuranet.training import TrainingResult

# Share of each class that is to be named right, of pixels that were not learned from, for place to
# have nothing to say.
_RIGHT = 0.99
# Labelled pixels from which on that can be told.
_ENOUGH = 40
# What the names of files of checkpoints get for couplings with place, beside those without.
_PART = ".place"


def learn_places(segmenter: Any, seen: Any) -> TrainingResult:
    """Train a segmenter with place, without, or both; return how training of its couplings went.

    Both are trained where a single image is labelled: place says nothing of others. Where pixels
    are told apart without it, couplings do without.
    """
    if segmenter._goes_on:
        others = copy.deepcopy(segmenter.for_other_images_)
        if others is not None:
            others.set_params(warm_start=True)
            _learn_without(others, seen)
        part = "" if others is None else _PART
        return segmenter._learn_table(seen, place=segmenter.place_, others=others, part=part)
    place = segmenter.place
    if place == "auto":
        place = None if len(seen.digests) == 1 and seen.has_place else False
    if place is not None:
        return segmenter._learn_table(seen, place=place)
    others = clone(segmenter).set_params(place=False)
    without = _learn_without(others, seen)
    told = len(seen.codes) >= _ENOUGH and min(without.recalls, default=0.0) > _RIGHT
    if without.interrupted or told:
        _take_over(segmenter, others)
        return without
    return segmenter._learn_table(seen, place=True, others=others, part=_PART)


@with_callbacks
def _learn_without(others: Any, seen: Any) -> TrainingResult:
    return others._learn_table(seen, place=False)


def _take_over(segmenter: Any, others: Any) -> None:
    """Give a segmenter what another one of the same parameters has learned."""
    own = vars(segmenter)
    for name in own.get("_learned", ()):
        own.pop(name, None)
    learned = vars(others)["_learned"]
    own.update({name: vars(others)[name] for name in learned}, _learned=learned)
