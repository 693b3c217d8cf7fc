"""
A network in motion
===================

Phases on the circle, as an animation that pillow writes to a GIF file.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter

from skkuranet import KuraNetSynchronizer
from skkuranet.datasets import make_disorder

synchronizer = KuraNetSynchronizer(max_iter=200, batch_size=4, random_state=0)
synchronizer.fit(make_disorder("I", 2000, random_state=0))
X = make_disorder("I", 200, random_state=1)
path = synchronizer.simulate(X, n_steps=160, random_state=0)

# %%
# Colour is natural frequency, the arrow the mean field: its length is the order parameter.
figure, ax = plt.subplots(figsize=(3.6, 3.6), layout="constrained")
ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.8"))
dots = ax.scatter(*np.zeros((2, len(X))), c=X[:, 0], cmap="coolwarm", s=14)
arrow = ax.quiver(0, 0, 1, 0, scale=1, scale_units="xy", angles="xy")
ax.set(aspect="equal", xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), xticks=[], yticks=[])


def show(step):
    phases = path.phases[step]
    points = np.column_stack((np.cos(phases), np.sin(phases)))
    dots.set_offsets(points)
    arrow.set_UVC(*points.mean(axis=0))
    ax.set_title(f"t = {path.times[step]:.1f}")
    return dots, arrow


animation = FuncAnimation(figure, show, frames=range(0, 161, 4))
file = Path(tempfile.mkdtemp()) / "synchrony.gif"
animation.save(file, writer=PillowWriter(fps=12))
print(f"{file.stat().st_size / 1000:.0f} kB")
plt.show()
