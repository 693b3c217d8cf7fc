"""Whatever is passed to a method of an estimator, there is an answer, or an error that names it."""

import pytest
from answers import answer, has_nan, try_anything
from estimators import ALSO, CALLS

CASES = [(name, parameter) for name, (_, good) in CALLS.items() for parameter in good]


@pytest.mark.parametrize("name", CALLS)
def test_what_makes_sense_is_answered(name):
    function, good = CALLS[name]
    found, message, _ = answer(lambda: function(**good))
    assert message is None
    assert not has_nan(found)


@pytest.mark.parametrize(("name", "parameter"), CASES)
def test_whatever_is_wrong_is_named(name, parameter):
    function, good = CALLS[name]
    try_anything(function, good, parameter, also=ALSO.get(parameter, ()))
