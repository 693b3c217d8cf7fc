"""Judge what a call answers: a result without NaN, or an error that names what was wrong."""

import dataclasses
import re
import warnings

import numpy as np
import torch
from hypothesis import given, settings, strategies
from wrong_inputs import ANY_NUMBER, ANYTHING


def numbers_in(found):
    """All numbers of a result."""
    if isinstance(found, torch.Tensor):
        found = found.detach().numpy()
    if isinstance(found, (float, np.number, np.ndarray)):
        if np.asarray(found).dtype.kind in "fc":
            yield np.asarray(found)
    elif dataclasses.is_dataclass(found):
        yield from numbers_in([getattr(found, f.name) for f in dataclasses.fields(found)])
    elif isinstance(found, dict):
        yield from numbers_in(list(found.values()))
    elif isinstance(found, (tuple, list)):
        for part in found:
            yield from numbers_in(part)


def has_nan(found):
    return any(np.isnan(part).any() for part in numbers_in(found))


def answer(call):
    """Return what a call gives, the message if it refuses, and what it warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            return call(), None, caught
        except (ValueError, TypeError, FloatingPointError, OSError) as error:
            return None, f"{type(error).__name__}: {error}", caught


def judge(call, names, may_be_nan=False):
    """Make sure that a call answers, warns, or names what was wrong."""
    found, message, caught = answer(call)
    if message is not None:
        assert any(re.search(rf"\b{name}s?\b", message) for name in names), (
            f"{message!r} names none of {names}"
        )
        return
    internal = [str(one.message) for one in caught if issubclass(one.category, RuntimeWarning)]
    assert not internal, f"warnings of the inside: {internal}"
    assert may_be_nan or caught or not has_nan(found), "NaN without a warning"


def cases_of(calls):
    """List each parameter of each function in a table of calls."""
    return [(name, parameter) for name, (_, good) in calls.items() for parameter in good]


def check_answered(function, good, may_be_nan=False):
    """Make sure that parameters that make sense are answered."""
    found, message, _ = answer(lambda: function(**good))
    assert message is None
    assert may_be_nan or not has_nan(found)


def try_anything(function, good, parameter, *, also=(), may_be_nan=False, share=1):
    """Call a function with anything as one of its parameters.

    ``share`` is by how much fewer inputs are tried of what takes long.
    """
    takes_a_number = np.ndim(good[parameter]) == 0 and not isinstance(good[parameter], str)

    @settings(max_examples=max(5, settings().max_examples // share))
    @given(strategies.one_of(ANY_NUMBER, ANYTHING) if takes_a_number else ANYTHING)
    def check(value):
        judge(lambda: function(**{**good, parameter: value}), {parameter, *also}, may_be_nan)

    check()
