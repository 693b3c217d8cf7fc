"""What a trajectory says of itself."""

import numpy as np
import pytest
import torch

from skkuranet import OscillatorNetwork
from skkuranet.dynamics import Trajectory

HALVES = [[[0.0, 0.0], [0.0, np.pi / 2]]]


@pytest.mark.parametrize(
    ("times", "phases", "shown"),
    [
        (
            np.arange(101.0),
            np.zeros((101, 1000)),
            "101 times from 0 to 100, 1000 oscillators, R=1.000 at the end",
        ),
        (
            torch.tensor([0.25, 0.5]),
            torch.tensor(HALVES * 2, requires_grad=True),
            "2 times from 0.25 to 0.5, 2 networks of 2 oscillators, R=0.707 to 1.000 at the end",
        ),
        (
            np.array([7]),
            np.zeros((1, 4, 1, 3)),
            "1 time at 7, 4 x 1 networks of 3 oscillators, R=1.000 at the end",
        ),
        (np.ones(1), np.zeros((1, 1)), "1 time at 1, 1 oscillator, R=1.000 at the end"),
        (
            torch.arange(2.0),
            torch.full((2, 3), torch.nan),
            "2 times from 0 to 1, 3 oscillators, R=nan at the end",
        ),
        (
            torch.arange(2.0),
            torch.zeros(2, 3, dtype=torch.bfloat16),
            "2 times from 0 to 1, 3 oscillators, R=1.000 at the end",
        ),
        (np.ones(0), np.ones((0, 3)), "0 times, 3 oscillators"),
        (np.ones(1), np.ones((1, 0)), "1 time at 1, 0 oscillators"),
    ],
)
def test_a_trajectory_is_shown_in_one_line(times, phases, shown):
    assert repr(Trajectory(times, phases)) == f"Trajectory({shown})"


def test_showing_a_trajectory_looks_at_its_last_state_alone():
    # A view of 10^15 phases: to look at them all would take days.
    phases = np.broadcast_to(np.zeros(1000), (10**12, 1000))
    times = np.broadcast_to(np.zeros(1), 10**12)
    assert "R=1.000" in repr(Trajectory(times, phases))


def test_transients_are_left_out_of_locking_by_a_window():
    network = OscillatorNetwork(np.full((6, 6), 0.5), frequency=np.linspace(-0.5, 0.5, 6))
    path = network.simulate(n_steps=600, initial_state=np.linspace(0.0, 3.0, 6))
    assert not path.locked().all()
    assert path.locked(window=20.0).all()
    with pytest.raises(ValueError, match=r"window=0.01 must hold two times"):
        path.locked(window=0.01)


def test_a_number_is_no_path():
    with pytest.raises(TypeError, match="PathLike"):
        Trajectory.load(0)


def test_units_whose_group_is_masked_are_in_none():
    path = Trajectory(np.arange(2.0), np.random.default_rng(0).normal(size=(2, 4)))
    labels = np.ma.masked_array([0, 0, 1, 2], [False, False, False, True])
    expected = Trajectory(path.times, path.phases[:, :3]).group_order([0, 0, 1])
    np.testing.assert_array_equal(path.group_order(labels), expected)
    with pytest.raises(ValueError, match="labels has masked entries alone"):
        path.group_order(np.ma.masked_all(4, int))
