"""Whatever is passed to a method of an estimator, there is an answer, or an error that names it."""

import pytest
from answers import cases_of, check_answered, try_anything
from estimators import ALSO, CALLS


@pytest.mark.parametrize("name", CALLS)
def test_what_makes_sense_is_answered(name):
    check_answered(*CALLS[name])


@pytest.mark.parametrize(("name", "parameter"), cases_of(CALLS))
def test_whatever_is_wrong_is_named(name, parameter):
    try_anything(*CALLS[name], parameter, also=ALSO.get(parameter, ()))
