"""Whatever is passed, there is a right answer, or an error that names what was wrong."""

import inspect

import pytest
import scipy.sparse as sp
from answers import answer, has_nan, try_anything
from functions import ALSO, CALLS, MAY_BE_NAN, K

from skkuranet.coupling import as_coupling

CASES = [(name, parameter) for name, (_, good) in CALLS.items() for parameter in good]


@pytest.mark.parametrize("name", CALLS)
def test_what_makes_sense_is_answered(name):
    function, good = CALLS[name]
    assert set(good) - {"frequency", "field"} <= set(inspect.signature(function).parameters)
    found, message, _ = answer(lambda: function(**good))
    assert message is None
    assert name in MAY_BE_NAN or not has_nan(found)


@pytest.mark.parametrize(("name", "parameter"), CASES)
def test_whatever_is_wrong_is_named(name, parameter):
    function, good = CALLS[name]
    also, may_be_nan = ALSO.get(parameter, ()), name in MAY_BE_NAN
    try_anything(function, good, parameter, also=also, may_be_nan=may_be_nan)


def test_sparse_couplings_of_any_kind_are_taken():
    for kind in (sp.csr_array, sp.coo_matrix, sp.lil_array):
        assert as_coupling(kind(K)).shape == (6, 6)
