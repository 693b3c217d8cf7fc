"""
Animate a network
=================

Oscillators that fall in step: an animation that plays here, and in files.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import networkx as nx
import pandas as pd

from skkuranet import KuraNetSynchronizer, OscillatorNetwork
from skkuranet.datasets import make_disorder
from skkuranet.inspection import animate

# %%
# Couplings are learned for oscillators that differ in frequency, and a hundred new ones start at
# random. Colour is natural frequency, the arrow the mean field: its length is the order parameter.
synchronizer = KuraNetSynchronizer(max_iter=200, batch_size=4, random_state=0)
synchronizer.fit(make_disorder("I", 2000, random_state=0))
X = make_disorder("I", 100, random_state=1)
path = synchronizer.simulate(X, n_steps=250, random_state=2)
frequency = pd.Series(X[:, 0], name="natural frequency")
circle = animate(path, labels=frequency, n_frames=40, fps=10, dpi=75)
plt.show()

# %%
# On a graph, nodes keep their places and have the colours of their phases. Neighbours on a grid
# agree soon; whirls, around which phases turn once, go when two of them meet.
grid = nx.grid_2d_graph(14, 14)
network = OscillatorNetwork(grid)
path = network.simulate(n_steps=700, random_state=0)
places = {node: node for node in grid}
plane = animate(path, network=network, positions=places, n_frames=40, fps=10, dpi=75)
plt.show()

# %%
# A file is one more argument: a GIF, a page that plays in any browser, or an MP4 where there is
# ffmpeg.
folder = Path(tempfile.mkdtemp())
for name in ("whirls.gif", "whirls.html"):
    animate(path, folder / name, network=network, positions=places, n_frames=10, dpi=75)
    print(f"{name}: {(folder / name).stat().st_size / 1000:.0f} kB")
plt.close("all")
