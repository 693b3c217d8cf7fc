r"""
Find couplings in measured phases
=================================

Oscillators are often measured and seldom understood: their phases are on record, what couples them
is not. Which couplings, frequencies and noise do the recordings tell of, and what will the
oscillators do next?
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

from skkuranet import KuraNetIdentifier, OscillatorNetwork

rng = np.random.default_rng(0)
n = 25
K = rng.normal(0.0, 0.12, (n, n)) * (rng.uniform(size=(n, n)) < 0.4)
np.fill_diagonal(K, 0.0)
network = OscillatorNetwork(K, frequency=rng.normal(size=n))

# %%
# The recording: 120 units of time, measured with an error of 1 % of a turn, as angles from 0 to 2π,
# with samples that got lost. The last 20 units are kept from the fit.
path = network.simulate(n_steps=2400, step_size=0.05, save_every=2, random_state=0)
phases = (path.phases + 0.02 * np.pi * rng.normal(size=path.phases.shape)) % (2 * np.pi)
phases[rng.uniform(size=phases.shape) < 0.01] = np.nan
known, times = 1000, path.times

identifier = KuraNetIdentifier().fit(None, phases[:known], times[:known])
print(
    f"correlation of couplings:  {np.corrcoef(K.ravel(), identifier.couplings_.ravel())[0, 1]:.3f}"
)
print(f"noise of measurement:      {identifier.measurement_noise_:.3f} (true: {0.02 * np.pi:.3f})")
print(f"noise of the dynamics:     {identifier.noise_:.3f} (true: 0)")
print(f"R² of what comes next:     {identifier.score(None, phases[known:], times[known:]):.3f}")

# %%
# Every coupling has a standard error. Two in three true couplings lie within it.
figure, axes = plt.subplots(1, 3, figsize=(13, 3.9), layout="constrained")
bound = np.abs(K).max()
for ax, matrix, title in ((axes[0], K, "true"), (axes[1], identifier.couplings_, "found")):
    image = ax.imshow(matrix, cmap="RdBu_r", vmin=-bound, vmax=bound)
    ax.set(title=f"couplings, {title}", xlabel="source", ylabel="target")
figure.colorbar(image, ax=axes[1])
apart = ~np.eye(n, dtype=bool)
axes[2].errorbar(
    K[apart], identifier.couplings_[apart], identifier.coupling_errors_[apart], fmt=".", alpha=0.4
)
axes[2].axline((0, 0), slope=1, color="black", lw=1)
axes[2].set(xlabel="true coupling", ylabel="found coupling")
plt.show()

# %%
# A forecast begins with the recording, whose last state it tells from all samples.
forecast = identifier.predict(None, phases[:known], times)
figure, ax = plt.subplots(layout="constrained")
for oscillator, colour in zip((0, 5, 9), ("C0", "C1", "C2")):
    ax.plot(times[known - 100 :], np.sin(path.phases[known - 100 :, oscillator]), color=colour)
    ax.plot(times[known:], np.sin(forecast[:, oscillator]), "--", color="black", lw=1)
ax.axvline(times[known - 1], color="gray")
ax.set(xlabel="time", ylabel="sin θ", title="what came (colours) and what was foretold (dashes)")
plt.show()

# %%
# Nodes never measured
# --------------------
#
# Where couplings follow from what the nodes are, such as their places, they are found as a function
# of the features of two nodes, from several recordings of different nodes. It holds for others.


def by_place(X):
    """Couplings that fade with the distance."""
    distance = ((X[:, None] - X[None]) ** 2).sum(-1)
    return 0.3 * np.exp(-distance) * (1.0 - np.eye(len(X)))


def recording(seed):
    """Places of 20 nodes, 40 units of time of their phases, and their frequencies."""
    rng = np.random.default_rng(seed)
    X, frequency = rng.normal(size=(20, 2)), rng.normal(size=20)
    nodes = OscillatorNetwork(by_place(X), frequency=frequency)
    path = nodes.simulate(n_steps=400, random_state=seed)
    return X, path.phases + 0.02 * np.pi * rng.normal(size=path.phases.shape), path.times


X, recorded, at = zip(*map(recording, range(6)))
of_places = KuraNetIdentifier(max_iter=0, n_rounds=2, hidden_layer_sizes=(32, 32), random_state=0)
of_places.fit(list(X), list(recorded), list(at))

new, seen, when = recording(100)
refitted = KuraNetIdentifier(max_iter=0).fit(None, seen[:200], when[:200])
print("R² on nodes that were never measured, over the second half of a recording of theirs")
print(
    f"  couplings of their places:              {of_places.score(new, seen[200:], when[200:]):.3f}"
)
print(
    f"  a matrix, fitted to the first half:     {refitted.score(None, seen[200:], when[200:]):.3f}"
)

# %%
# The network of new nodes is one as any other, to simulate, sweep and analyse.
print(of_places.network(new, seen, when))
figure, axes = plt.subplots(1, 3, figsize=(13, 3.9), layout="constrained", sharey=True)
found = {
    "true": by_place(new),
    "of their places": of_places.coupling_matrix(new),
    "a matrix, refitted": refitted.couplings_,
}
order = np.argsort(new[:, 0])
for ax, (title, matrix) in zip(axes, found.items()):
    image = ax.imshow(matrix[order][:, order], cmap="RdBu_r", vmin=-0.3, vmax=0.3)
    ax.set(title=title, xlabel="source, by place")
axes[0].set(ylabel="target, by place")
figure.colorbar(image, ax=axes)
plt.show()

# %%
# What locked phases do not tell
# ------------------------------
#
# Oscillators in step stand still towards one another, whatever the couplings that hold them. The
# fit says so, rather than make up couplings.

strong = OscillatorNetwork(np.full((n, n), 0.3), frequency=0.3 * rng.normal(size=n))
locked = strong.simulate(n_steps=1000, save_from=300, random_state=0)
noisy = locked.phases + 0.02 * np.pi * rng.normal(size=locked.phases.shape)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    KuraNetIdentifier(max_iter=0).fit(None, noisy, locked.times)
print(told[0].message)
