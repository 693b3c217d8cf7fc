"""Whatever is passed, there is a right answer, or an error that names what was wrong."""

import inspect

import pytest
import scipy.sparse as sp
from answers import cases_of, check_answered, try_anything
from functions import ALSO, CALLS, MAY_BE_NAN, K

from skkuranet.coupling import as_coupling


@pytest.mark.parametrize("name", CALLS)
def test_what_makes_sense_is_answered(name):
    function, good = CALLS[name]
    assert set(good) - {"frequency", "field"} <= set(inspect.signature(function).parameters)
    check_answered(function, good, name in MAY_BE_NAN)


@pytest.mark.parametrize(("name", "parameter"), cases_of(CALLS))
def test_whatever_is_wrong_is_named(name, parameter):
    also, may_be_nan = ALSO.get(parameter, ()), name in MAY_BE_NAN
    try_anything(*CALLS[name], parameter, also=also, may_be_nan=may_be_nan)


def test_sparse_couplings_of_any_kind_are_taken():
    for kind in (sp.csr_array, sp.coo_matrix, sp.lil_array):
        assert as_coupling(kind(K)).shape == (6, 6)
