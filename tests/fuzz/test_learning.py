"""Whatever is passed to losses, to training or to processes, an error names what is wrong."""

import pytest
import torch.distributed as dist
from answers import answer, try_anything
from learning import ALSO, CALLS, begin_group

CASES = [(name, parameter) for name, (_, good) in CALLS.items() for parameter in good]


@pytest.fixture(scope="module", autouse=True)
def _group():
    begin_group()
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("name", CALLS)
def test_what_makes_sense_is_answered(name):
    function, good = CALLS[name]
    _, message, _ = answer(lambda: function(**good))
    assert message is None


@pytest.mark.parametrize(("name", "parameter"), CASES)
def test_whatever_is_wrong_is_named(name, parameter):
    function, good = CALLS[name]
    also = ALSO.get(parameter, ())
    try_anything(function, good, parameter, also=also, may_be_nan=True, share=3)
