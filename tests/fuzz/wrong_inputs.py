"""Things that users pass by mistake, as hypothesis strategies."""

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

_ODD = (np.nan, np.inf, -np.inf, 1e300, -1e300, 1e-310, 0.0, -0.0, 1.0, 1e17)
_SIDES = st.integers(0, 5)
_SHAPES = st.lists(_SIDES, max_size=4).map(tuple)


def odd_floats(shape):
    """Arrays of numbers that are far apart, endless, or none."""
    return arrays.arrays(np.float64, shape, elements=st.sampled_from(_ODD))


def _of_type(kind, elements):
    return _SHAPES.flatmap(lambda shape: arrays.arrays(kind, shape, elements=elements))


_TENSORS = st.one_of(
    _SHAPES.flatmap(odd_floats),
    _of_type(np.float32, st.floats(-10, 10, width=32)),
    _of_type(np.int64, st.integers(-3, 3)),
    _of_type(np.complex128, st.complex_numbers(max_magnitude=2)),
).map(torch.tensor)
_MASKED = _of_type(np.float64, st.floats(-10, 10)).map(
    lambda found: np.ma.masked_array(found, found > 0.0)
)
#: What is no array of numbers, or one of another shape, type or size.
ANYTHING = st.one_of(
    _SHAPES.flatmap(odd_floats),
    _of_type(np.float32, st.floats(-10, 10, width=32)),
    _of_type(np.int64, st.integers(-3, 3)),
    _of_type(np.uint8, st.integers(0, 255)),
    _of_type(bool, st.booleans()),
    _of_type(np.complex128, st.complex_numbers(max_magnitude=2)),
    _of_type("U3", st.text("ab", max_size=2)),
    _of_type("datetime64[s]", st.integers(0, 9).map(lambda s: np.datetime64(s, "s"))),
    _MASKED,
    _TENSORS,
    st.sampled_from(
        [None, "words", b"bytes", {}, {"a": 1}, set(), [[1.0], [2.0, 3.0]], [None, 1], object()]
    ),
)
#: What is no whole number or number, or one of no use.
ANY_NUMBER = st.one_of(
    st.sampled_from([0, -1, -0.5, 0.0, 2.5, np.nan, np.inf, -np.inf, 1e300, 1e-310, 10**18]),
    st.sampled_from([None, "many", [], [1], np.array([1, 2]), True, {}, 1j]),
)
