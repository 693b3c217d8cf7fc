"""Estimators learn what they learned when it was written down, but for rounding."""

import numpy as np
import pytest
from golden.estimators import FITS, PATH, run


@pytest.mark.parametrize("name", FITS)
def test_a_fit_is_the_one_on_file(name):
    with np.load(PATH) as file:
        loss, phases = (file[f"{name}/{key}"] for key in ("loss", "phases"))
    found = run(name)
    # Of single precision, whose rounding differs from one processor to another and grows.
    np.testing.assert_allclose(found["loss"], loss, rtol=0.02, atol=1e-3)
    assert np.abs(np.angle(np.exp(1j * (found["phases"] - phases)))).max() < 0.1
