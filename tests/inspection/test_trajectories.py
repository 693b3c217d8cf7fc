"""Pictures of what networks do show what they are given."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt

from skkuranet import OscillatorNetwork
from skkuranet.dynamics import Trajectory
from skkuranet.inspection import (
    PhaseDisplay,
    SpectrumDisplay,
    SweepDisplay,
    TrajectoryDisplay,
)

rng = np.random.default_rng(0)
N = 12
FREQUENCY = rng.normal(size=N)
LABELS = np.repeat(["b", "a", "c"], 4)
NETWORK = OscillatorNetwork(np.full((N, N), 0.15), frequency=FREQUENCY)
PATH = NETWORK.simulate(n_steps=100, random_state=0)
INFECTED = OscillatorNetwork(np.full((N, N), 0.2), "sis").simulate(n_steps=30, random_state=0)


class Branch:
    """One direction of a sweep, as :mod:`skkuranet.analysis` returns it."""

    def __init__(self, means):
        self.means = {"order_parameter": means}

    def mean(self, measure):
        return self.means[measure or "order_parameter"].mean(1)

    def spread(self, measure):
        return self.means[measure or "order_parameter"].std(1)


SWEEPS = {
    ways: SimpleNamespace(
        parameter="coupling_scale",
        values=np.arange(4.0),
        branches={way: Branch(rng.uniform(size=(4, 3))) for way in ways},
    )
    for ways in (("independent",), ("up", "down"))
}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def on_circle(phases):
    return np.exp(1j * np.asarray(phases))


class TestTrajectoryDisplay:
    def test_order_is_that_of_all_and_of_groups(self):
        display = TrajectoryDisplay(PATH, labels=LABELS).plot()
        drawn = {line.get_label(): line.get_ydata() for line in display.artists_}
        assert [*drawn] == ["a", "b", "c", "all"]
        np.testing.assert_allclose(drawn["all"], PATH.order_parameter())
        np.testing.assert_allclose(drawn["a"], PATH.group_order(LABELS)[:, 0])
        (line,) = TrajectoryDisplay(PATH).plot().artists_
        np.testing.assert_array_equal(line.get_xdata(), PATH.times)

    def test_every_network_of_a_batch_has_a_line(self):
        many = NETWORK.replace(coupling_scale=[0.1, 1.0, 3.0])
        display = TrajectoryDisplay.from_network(many, n_steps=20, random_state=0)
        expected = many.simulate(n_steps=20, random_state=0).order_parameter()
        np.testing.assert_allclose([line.get_ydata() for line in display.artists_], expected.T)
        for options in ({"kind": "raster"}, {"kind": "frequency"}):
            with pytest.raises(ValueError, match=r"shape \(3, 12\).*Pick one network"):
                display.plot(**options)

    @pytest.mark.parametrize(
        ("sort", "order"),
        [
            ("auto", np.lexsort((FREQUENCY, LABELS))),
            ("label", np.lexsort((FREQUENCY, LABELS))),
            ("frequency", np.argsort(FREQUENCY)),
            ("none", np.arange(N)),
        ],
    )
    def test_rows_of_a_raster_are_sorted(self, sort, order):
        display = TrajectoryDisplay(PATH, frequency=FREQUENCY, labels=LABELS)
        (mesh,) = display.plot(kind="raster", sort=sort).artists_
        np.testing.assert_array_equal(display.order_, order)
        shown = mesh.get_array()
        np.testing.assert_allclose(on_circle(shown), on_circle(PATH.phases[:, order].T))
        assert mesh.get_clim() == pytest.approx((-np.pi, np.pi))

    def test_phases_at_the_end_rise_from_row_to_row(self):
        (mesh,) = TrajectoryDisplay(PATH).plot(kind="raster", sort="phase", comoving=True).artists_
        assert (np.diff(mesh.get_array()[:, -1]) >= 0).all()
        field = np.angle(on_circle(mesh.get_array()).mean(0))
        np.testing.assert_allclose(field, 0.0, atol=1e-6)

    def test_groups_are_named_beside_their_rows(self):
        ax = TrajectoryDisplay(PATH, labels=LABELS).plot(kind="raster").ax_
        assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b", "c"]
        np.testing.assert_allclose(ax.get_yticks(), [1.5, 5.5, 9.5])

    def test_long_rasters_are_thinned_and_keep_their_ends(self):
        times = np.arange(5000.0) ** 1.1
        path = Trajectory(times, np.zeros((5000, 3)))
        (mesh,) = TrajectoryDisplay(path).plot(kind="raster").artists_
        assert mesh.get_array().shape[1] < 5000
        left, right = mesh.get_coordinates()[0, [0, -1], 0]
        assert left <= times[0]
        assert right >= times[-1]

    def test_frequencies_and_who_is_locked(self):
        frequency = np.array([-3.0, -0.1, 0.0, 0.1, 0.2])
        network = OscillatorNetwork(np.full((5, 5), 0.2), frequency=frequency)
        display = TrajectoryDisplay.from_network(
            network, kind="frequency", n_steps=2000, random_state=0, window=50.0
        )
        _, locked, drifting = display.artists_
        assert locked.get_label() == "locked"
        np.testing.assert_allclose(locked.get_offsets()[:, 0], frequency[1:], rtol=1e-6)
        np.testing.assert_allclose(drifting.get_offsets()[:, 0], -3.0)
        path = network.simulate(n_steps=2000, random_state=0)
        np.testing.assert_allclose(
            drifting.get_offsets()[:, 1], path.effective_frequency(50.0)[:1], rtol=1e-6
        )
        coloured = TrajectoryDisplay(path, frequency=frequency, labels=list("aabbb"))
        assert len(coloured.plot(kind="frequency").artists_) == 3

    def test_two_measured_times_are_enough(self):
        path = Trajectory(np.array([0.0, 2.0]), np.array([[0.0, 0.0], [1.0, 4.0]]))
        display = TrajectoryDisplay(path, frequency=[0.5, 2.0]).plot(kind="frequency")
        speeds = np.sort(np.concatenate([p.get_offsets()[:, 1] for p in display.artists_[1:]]))
        np.testing.assert_allclose(speeds, [0.5, 2.0])

    def test_units_without_phases_show_their_states(self):
        (mesh,) = TrajectoryDisplay(INFECTED).plot(kind="raster").artists_
        np.testing.assert_allclose(mesh.get_array(), INFECTED.states.T)
        with pytest.raises(TypeError, match="no phases"):
            TrajectoryDisplay(INFECTED).plot()

    def test_tensors_are_drawn(self):
        path = Trajectory(torch.tensor(PATH.times), torch.tensor(PATH.phases).requires_grad_())
        display = TrajectoryDisplay(path, frequency=torch.tensor(FREQUENCY), labels=LABELS)
        for kind in ("order", "raster", "frequency"):
            display.plot(kind=kind)

    @pytest.mark.parametrize(
        ("given", "options", "message"),
        [
            ({}, {"kind": "rster"}, "kind must be one of"),
            ({}, {"kind": "raster", "sort": "size"}, "sort must be one of"),
            ({}, {"kind": "raster", "sort": "frequency"}, "set frequency"),
            ({}, {"kind": "raster", "sort": "label"}, "set labels"),
            ({}, {"kind": "frequency"}, "set frequency"),
            ({"labels": ["a"]}, {"kind": "raster"}, r"labels must have shape \(12,\)"),
            ({"frequency": [1.0]}, {"kind": "raster"}, r"frequency must have shape \(12,\)"),
        ],
    )
    def test_what_does_not_fit_is_named(self, given, options, message):
        with pytest.raises(ValueError, match=message):
            TrajectoryDisplay(PATH, **given).plot(**options)

    def test_a_single_time_and_an_array_are_refused(self):
        with pytest.raises(ValueError, match="two times"):
            TrajectoryDisplay(Trajectory(PATH.times[:1], PATH.phases[:1])).plot(kind="raster")
        with pytest.raises(TypeError, match=r"Pass Trajectory\(times, phases\)"):
            TrajectoryDisplay(PATH.phases).plot()


class TestSweepDisplay:
    def test_directions_and_their_spreads(self):
        values, up, down = np.arange(3.0), np.array([0.1, 0.2, 0.9]), np.array([0.1, 0.8, 0.9])
        spread = np.array([[0.1] * 3, [0.05] * 3])
        display = SweepDisplay(values, up, down, spread=spread, parameter="lag").plot()
        np.testing.assert_array_equal([line.get_ydata() for line in display.lines_], [up, down])
        highest = [band.get_paths()[0].vertices[:, 1].max() for band in display.bands_]
        np.testing.assert_allclose(highest, [1.0, 0.95])
        assert display.ax_.get_xlabel() == "lag"
        one = SweepDisplay(values, up, spread=spread[0]).plot()
        assert len(one.lines_) == len(one.bands_) == 1
        assert SweepDisplay(values, up).plot().bands_ == []

    @pytest.mark.parametrize("ways", [("independent",), ("up", "down")])
    def test_a_sweep_is_drawn_with_the_spread_of_its_repeats(self, ways):
        found = SWEEPS[ways]
        display = SweepDisplay.from_sweep(found)
        for way, line, band in zip(ways, display.lines_, display.bands_, strict=True):
            repeats = found.branches[way].means["order_parameter"]
            np.testing.assert_allclose(line.get_ydata(), repeats.mean(1))
            top = (repeats.mean(1) + repeats.std(1)).max()
            assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(top)
        assert display.ax_.get_xlabel() == "coupling scale"
        assert display.ax_.get_ylabel() == "order parameter"

    def test_shapes_that_do_not_fit_are_named(self):
        with pytest.raises(
            ValueError, match=r"values must have shape \(any,\), the numbers .* got \(2, 3\)"
        ):
            SweepDisplay(np.ones((2, 3)), np.ones(2)).plot()
        with pytest.raises(ValueError, match=r"down must have shape \(2,\)"):
            SweepDisplay([0, 1], [0, 1], [1]).plot()
        with pytest.raises(ValueError, match=r"spread must have shape \(2, 2\)"):
            SweepDisplay([0, 1], [0, 1], [1, 1], spread=[0.1, 0.1]).plot()


class TestSpectrumDisplay:
    def test_eigenvalues_are_at_their_places(self):
        values = np.array([-1 + 2j, -1 - 2j, 1e-12, 0.5])
        display = SpectrumDisplay(values).plot()
        assert [p.get_label() for p in display.points_] == ["2 decay", "1 stays", "1 grows"]
        np.testing.assert_allclose(display.points_[0].get_offsets(), [[-1, 2], [-1, -2]])

    def test_exponents_fall(self):
        display = SpectrumDisplay([-1.0, 0.3, 0.004], kind="exponents", tolerance=0.01).plot()
        drawn = np.concatenate([points.get_offsets() for points in display.points_])
        np.testing.assert_allclose(drawn[drawn[:, 0].argsort()], [[1, 0.3], [2, 0.004], [3, -1.0]])

    def test_what_is_no_spectrum_is_named(self):
        with pytest.raises(ValueError, match="kind must be one of"):
            SpectrumDisplay([1.0], kind="values").plot()
        with pytest.raises(ValueError, match=r"values must have shape \(any,\)"):
            SpectrumDisplay([[1.0]]).plot()
        with pytest.raises(ValueError, match="exponents are real"):
            SpectrumDisplay([1j], kind="exponents").plot()


class TestNumbersAsLabels:
    def test_numbers_have_a_scale_and_one_mean_field(self):
        display = PhaseDisplay(PATH.phases[-1], labels=pd.Series(FREQUENCY, name="ω")).plot()
        (points,) = display.points_
        np.testing.assert_array_equal(points.get_array(), FREQUENCY)
        assert display.legend_.ax.get_ylabel() == "ω"
        (arrow,) = display.arrows_
        field = on_circle(PATH.phases[-1]).mean()
        np.testing.assert_allclose(arrow.xy, [field.real, field.imag])

    @pytest.mark.parametrize(
        ("labels", "continuous"),
        [
            (np.arange(40), False),
            (np.arange(60), True),
            (np.arange(60).astype(str), False),
            (np.array([0.0, 1.0, 1.0]), False),
            (np.array([0.5, 1.0]), True),
            (np.array([0.5, np.nan, 1.0]), True),
            (np.array([True, False]), False),
        ],
    )
    def test_classes_stay_classes(self, labels, continuous):
        display = PhaseDisplay(np.zeros(len(labels)), labels=labels).plot()
        assert len(display.points_) == (1 if continuous else len(np.unique(labels)))

    def test_a_plot_moves_to_other_phases(self):
        display = PhaseDisplay(PATH.phases[0], labels=LABELS)
        with pytest.raises(RuntimeError, match="call plot first"):
            display.move(PATH.phases[-1])
        display.plot().move(PATH.phases[-1])
        with pytest.raises(ValueError, match=r"phases must have shape \(12,\)"):
            display.move(PATH.phases[-1, :3])
        own = LABELS == "a"
        angle = np.arctan2(*np.asarray(display.points_[0].get_offsets()).T[::-1])
        np.testing.assert_allclose(on_circle(angle), on_circle(PATH.phases[-1, own]), atol=1e-6)
        field = on_circle(PATH.phases[-1, own]).mean()
        np.testing.assert_allclose(display.arrows_[0].xy, [field.real, field.imag])
