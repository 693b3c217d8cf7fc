"""Whatever is passed to losses, to training or to processes, an error names what is wrong."""

import pytest
import torch.distributed as dist
from answers import cases_of, check_answered, try_anything
from learning import ALSO, CALLS, begin_group


@pytest.fixture(scope="module", autouse=True)
def _group():
    begin_group()
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("name", CALLS)
def test_what_makes_sense_is_answered(name):
    check_answered(*CALLS[name], may_be_nan=True)


@pytest.mark.parametrize(("name", "parameter"), cases_of(CALLS))
def test_whatever_is_wrong_is_named(name, parameter):
    also = ALSO.get(parameter, ())
    try_anything(*CALLS[name], parameter, also=also, may_be_nan=True, share=3)
