"""Whatever is to be shown, there is a picture, or an error that names what is wrong."""

import gc
import warnings

import pytest
from answers import cases_of, check_answered, try_anything
from pictures import ALSO, CALLS

pytestmark = pytest.mark.filterwarnings("ignore:Animation was deleted")


@pytest.fixture(scope="module", autouse=True)
def _end_animations():
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.mark.parametrize("name", CALLS)
def test_what_makes_sense_is_shown(name):
    check_answered(*CALLS[name], may_be_nan=True)


@pytest.mark.parametrize(("name", "parameter"), cases_of(CALLS))
def test_whatever_is_wrong_is_named(name, parameter):
    also = ALSO.get(parameter, ())
    try_anything(*CALLS[name], parameter, also=also, may_be_nan=True, share=3)
