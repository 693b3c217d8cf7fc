"""Trajectories and gradients are those that were written down."""

import numpy as np
import pytest
from golden.dynamics import PARAMETERS, PATH, run

from skkuranet.dynamics import DYNAMICS


@pytest.mark.parametrize("name", DYNAMICS)
def test_a_trajectory_is_the_one_on_file(name):
    with np.load(PATH) as file:
        arrays = {key.split("/")[1]: file[key] for key in file if key.startswith(f"{name}/")}
    given = {key: arrays.pop(key) for key in ("K", "state", *PARAMETERS[name])}
    found = run(name, given)
    assert found.keys() == arrays.keys()
    for key, wanted in arrays.items():
        np.testing.assert_allclose(found[key], wanted, rtol=1e-9, atol=1e-12, err_msg=key)
