"""Whatever is to be shown, there is a picture, or an error that names what is wrong."""

import gc
import warnings

import pytest
from answers import answer, try_anything
from pictures import ALSO, CALLS

CASES = [(name, parameter) for name, (_, good) in CALLS.items() for parameter in good]

pytestmark = pytest.mark.filterwarnings("ignore:Animation was deleted")


@pytest.fixture(scope="module", autouse=True)
def _end_animations():
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.mark.parametrize("name", CALLS)
def test_what_makes_sense_is_shown(name):
    function, good = CALLS[name]
    _, message, _ = answer(lambda: function(**good))
    assert message is None


@pytest.mark.parametrize(("name", "parameter"), CASES)
def test_whatever_is_wrong_is_named(name, parameter):
    function, good = CALLS[name]
    also = ALSO.get(parameter, ())
    try_anything(function, good, parameter, also=also, may_be_nan=True, share=3)
