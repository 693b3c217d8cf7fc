"""Files that are damaged anywhere are named, whatever they hold."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from answers import answer
from estimators import TINY, X, Y
from functions import NETWORK, PATH
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._testing import ignore_warnings
from wrong_inputs import ANYTHING

import skkuranet
from skkuranet import KuraNetClusterer, KuraNetGrouper
from skkuranet.dynamics import Trajectory


@functools.cache
def models():
    """Return a model of each kind."""
    with ignore_warnings(category=(ConvergenceWarning, UserWarning)):
        return {
            "clusterer": KuraNetClusterer(**TINY).fit(X, Y),
            "grouper": KuraNetGrouper(random_state=0).fit(X),
            "network": NETWORK,
            "unfitted": KuraNetClusterer(),
        }


def content_of(save):
    """Return the bytes that a function writes to a path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file.npz")
        save(path)
        return path.read_bytes()


@functools.cache
def model_file(kind):
    return content_of(functools.partial(skkuranet.save, models()[kind]))


@functools.cache
def path_file():
    return content_of(PATH.save)


def damaged(content):
    """Draw damages of a file: bits that flip, parts that are lost, what is added."""
    places = st.integers(0, len(content) - 1)
    flips = st.lists(st.tuples(places, st.integers(1, 255)), min_size=1, max_size=5)
    return st.one_of(
        flips.map(lambda found: _flipped(content, found)),
        places.map(lambda length: content[:length]),
        st.tuples(places, places).map(lambda ends: content[: min(ends)] + content[max(ends) + 1 :]),
        st.binary(min_size=1, max_size=9).map(lambda more: content + more),
        st.binary(max_size=99),
    )


def _flipped(content, flips):
    broken = bytearray(content)
    for place, bits in dict(flips).items():
        broken[place] ^= bits
    return bytes(broken)


@pytest.mark.parametrize("kind", ["clusterer", "grouper", "network", "unfitted"])
def test_damaged_models_are_named(kind, tmp_path):
    path, content = tmp_path / "model", model_file(kind)

    @given(damaged(content))
    def check(broken):
        path.write_bytes(broken)
        found, message, _ = answer(lambda: skkuranet.load(path))
        if message is None:
            # Another blank between the entries of the header says the same.
            skkuranet.save(found, path)
            assert path.read_bytes() == content
        else:
            assert str(path) in message

    check()


def test_damaged_trajectories_are_named_or_whole(tmp_path):
    path = tmp_path / "path.npz"

    @given(damaged(path_file()))
    def check(broken):
        path.write_bytes(broken)
        found, message, _ = answer(lambda: Trajectory.load(path))
        if message is None:
            np.testing.assert_array_equal(found.states, PATH.states)
            np.testing.assert_array_equal(found.times, PATH.times)
        else:
            assert str(path) in message

    check()


@pytest.mark.parametrize("function", [skkuranet.load, Trajectory.load])
def test_what_is_no_path_is_named(function):
    @given(ANYTHING)
    def check(value):
        try:
            _, message, _ = answer(lambda: function(value))
        except OSError as error:
            message = str(error)
        assert message is not None

    check()
