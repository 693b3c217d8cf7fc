"""Networks on a layout and animations show what they are given."""

import re

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import animation as mpl_animation
from matplotlib import pyplot as plt
from PIL import Image
from scipy.sparse import csr_array

from skkuranet import OscillatorNetwork
from skkuranet.inspection import NetworkDisplay, animate

N = 12
FREQUENCY = np.random.default_rng(0).normal(size=N)
LABELS = np.repeat(["b", "a", "c"], 4)
NETWORK = OscillatorNetwork(np.full((N, N), 0.15), frequency=FREQUENCY)
PATH = NETWORK.simulate(n_steps=100, random_state=0)
INFECTED = OscillatorNetwork(np.full((N, N), 0.2), "sis").simulate(n_steps=30, random_state=0)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def on_circle(phases):
    return np.exp(1j * np.asarray(phases))


class TestNetworkDisplay:
    K = np.array([[0.0, 2.0, 0.0], [4.0, 0.0, -1.0], [0.0, -1.0, 0.0]])

    @pytest.mark.parametrize("made", [np.array, csr_array, torch.tensor, OscillatorNetwork])
    def test_lines_are_pairs_that_couple(self, made):
        K, places = made(self.K), [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
        if made is OscillatorNetwork:
            display = NetworkDisplay.from_network(K, positions=places)
        else:
            display = NetworkDisplay(K, positions=places).plot()
        drawn = {tuple(map(tuple, segment)) for segment in display.lines_.get_segments()}
        assert drawn == {((0, 0), (1, 0)), ((1, 0), (1, 1))}
        # The weakest first: the negative one is thinner, and red.
        weak, strong = display.lines_.get_linewidth()
        assert weak < strong
        red, grey = display.lines_.get_colors()
        assert red[0] > red[1]
        assert grey[0] == grey[1]
        (line,) = NetworkDisplay(self.K, positions=places).plot(max_lines=1).lines_.get_segments()
        np.testing.assert_array_equal(line, places[:2])

    def test_phases_numbers_and_classes_have_their_colours(self):
        phases = NetworkDisplay(self.K, [0.0, 7.0, -9.0], kind="phase").plot()
        np.testing.assert_allclose(
            on_circle(phases.points_[0].get_array()), on_circle([0.0, 7.0, -9.0])
        )
        assert phases.legend_.ax.get_ylabel() == "phase"
        numbers = NetworkDisplay(self.K, pd.Series([0.1, 0.2, 0.3], name="load")).plot()
        np.testing.assert_array_equal(numbers.points_[0].get_array(), [0.1, 0.2, 0.3])
        assert numbers.legend_.ax.get_ylabel() == "load"
        assert len(NetworkDisplay(self.K, ["p", "q", "p"]).plot().points_) == 2
        plain = NetworkDisplay(self.K).plot()
        assert plain.legend_ is None

    def test_a_network_is_drawn_in_its_phases_or_frequencies(self):
        moved = NetworkDisplay.from_network(NETWORK, PATH)
        shown = moved.points_[0].get_array()
        np.testing.assert_allclose(on_circle(shown), on_circle(PATH.phases[-1]))
        still = NetworkDisplay.from_network(NETWORK)
        np.testing.assert_allclose(still.points_[0].get_array(), FREQUENCY)
        infected = OscillatorNetwork(np.full((N, N), 0.2), "sis")
        states = NetworkDisplay.from_network(infected, INFECTED).points_[0].get_array()
        np.testing.assert_array_equal(states, INFECTED.states[-1])
        with pytest.raises(ValueError, match=r"batch of shape \(2,\)"):
            NetworkDisplay.from_network(NETWORK.replace(coupling_scale=[1.0, 2.0]))

    def test_places_by_name_and_by_node(self):
        graph = nx.path_graph(["x", "y", "z"])
        places = {"z": (2, 0), "x": (0, 0), "y": (1, 0), "elsewhere": (9, 9)}
        display = NetworkDisplay(graph, positions=places).plot(show_names=True)
        np.testing.assert_array_equal(display.positions_, [[0, 0], [1, 0], [2, 0]])
        assert [text.get_text() for text in display.ax_.texts] == ["x", "y", "z"]
        ring = NetworkDisplay(graph, positions="circular").plot().positions_
        np.testing.assert_allclose(np.hypot(*ring.T), 1.0)
        springs = [NetworkDisplay(graph, random_state=seed).plot().positions_ for seed in (0, 0, 1)]
        np.testing.assert_array_equal(springs[0], springs[1])
        assert not np.allclose(springs[0], springs[2])

    @pytest.mark.parametrize("positions", ["spring", "circular"])
    def test_nodes_without_couplings_are_drawn(self, positions):
        display = NetworkDisplay(np.zeros((4, 4)), positions=positions).plot()
        assert np.isfinite(display.positions_).all()
        assert display.lines_.get_segments() == []

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"positions": "grid"}, "positions must be one of"),
            ({"positions": [[0, 0]]}, r"positions must have shape \(3, 2\)"),
            ({"positions": {0: (0, 0)}}, "no place for 2 of the 3 nodes, such as 1"),
            ({"values": [1.0]}, r"values must have shape \(3,\), one for each node"),
            ({"kind": "colour", "values": [1, 2, 3]}, "kind must be one of"),
        ],
    )
    def test_what_does_not_fit_is_named(self, options, message):
        with pytest.raises(ValueError, match=message):
            NetworkDisplay(self.K, **options).plot()

    def test_one_network_at_a_time(self):
        with pytest.raises(ValueError, match=r"one network, \(n, n\), got shape \(2, 3, 3\)"):
            NetworkDisplay(np.stack([self.K, self.K])).plot()


class TestAnimate:
    def test_a_gif_holds_the_frames(self, tmp_path):
        animate(PATH, tmp_path / "a.gif", labels=LABELS, n_frames=4, dpi=40)
        with Image.open(tmp_path / "a.gif") as image:
            assert image.n_frames == 4
            first = np.asarray(image.convert("L"), dtype=int)
            image.seek(3)
            last = np.asarray(image.convert("L"), dtype=int)
        assert np.abs(first - last).max() > 50

    def test_a_page_needs_nothing_else(self, tmp_path):
        animate(PATH, tmp_path / "a.html", network=NETWORK, n_frames=3, dpi=40)
        page = (tmp_path / "a.html").read_text(encoding="utf-8")
        assert page.count("data:image/png;base64") == 3
        fetched = re.findall(r"(?:src|href)\s*=\s*[\"']?\s*http[^\"'\s>]*", page)
        assert fetched == []

    def test_the_last_frame_shows_the_end(self, tmp_path):
        made = animate(PATH, tmp_path / "a.gif", n_frames=2, dpi=40)
        left, right = made._fig.axes[:2]
        angle = np.arctan2(*np.asarray(left.collections[0].get_offsets()).T[::-1])
        np.testing.assert_allclose(on_circle(angle), on_circle(PATH.phases[-1]), atol=1e-6)
        np.testing.assert_allclose(right.lines[1].get_ydata(), PATH.order_parameter())

    def test_units_without_phases_move_on_a_layout(self, tmp_path):
        made = animate(INFECTED, tmp_path / "a.gif", network=np.ones((N, N)), n_frames=2, dpi=40)
        nodes = made._fig.axes[0].collections[-1]
        np.testing.assert_array_equal(nodes.get_array(), INFECTED.states[-1])
        with pytest.raises(ValueError, match="set network"):
            animate(INFECTED)

    def test_files_that_cannot_be_written_are_named(self, tmp_path, monkeypatch):
        monkeypatch.setattr(mpl_animation.FFMpegWriter, "isAvailable", lambda: False)
        with pytest.raises(RuntimeError, match="needs ffmpeg"):
            animate(PATH, tmp_path / "a.mp4")
        with pytest.raises(ValueError, match=r"path must end in one of .*'\.gif'.*got .*a\.webm"):
            animate(PATH, tmp_path / "a.webm")
        with pytest.raises(ValueError, match="n_frames must be at least 1"):
            animate(PATH, n_frames=0)
        assert plt.get_fignums() == []
