"""
Loss against time of training
=============================

How soon couplings do what is wanted: the defaults of :class:`skkuranet.KuraNetClusterer`, its
pairwise network, and the published recipe (``examples/paper_settings.py``), which trains the same
pairwise network from random initial phases with the loss of the trajectory alone. All run on the
same core and one thread. Loss is that of Table II for networks of 100 test nodes at the limit.

The curves are read from what ``python benchmarks/equal_budget.py`` has measured.
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt

results = Path("../..") / "benchmarks" / "results" / "equal_budget.json"
if not results.exists():
    results = results.relative_to("..")
rows = json.loads(results.read_text())["rows"]

# %%
# Every line is one seed. Losses near a half or the like are traps: clusters that have merged.
data_sets = list(dict.fromkeys(row["data_set"] for row in rows))
colours = dict(zip(dict.fromkeys(row["recipe"] for row in rows), ("C3", "C0", "C2")))
figure, axes = plt.subplots(1, len(data_sets), figsize=(9, 4), sharey=True, layout="constrained")
for axis, name in zip(axes, data_sets):
    for row in rows:
        if row["data_set"] == name:
            label = row["recipe"] if row["seed"] == rows[0]["seed"] else None
            values = [max(loss, 1e-5) for loss in row["loss"]]
            style = {"color": colours[row["recipe"]], "linewidth": 0.8, "alpha": 0.8}
            axis.plot(row["seconds"], values, label=label, **style)
    axis.set(title=name, xlabel="seconds of training", xscale="log", yscale="log")
axes[0].set_ylabel("loss at the limit")
axes[0].legend()
plt.show()
