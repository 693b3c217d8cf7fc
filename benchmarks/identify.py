"""Couplings found in measured phases: errors, new nodes, others beside, a real recording.

    python benchmarks/identify.py [--oscillatools PYTHON] [--fmri FILE]

``--oscillatools`` takes the interpreter of an environment with oscillatools, which has a licence
of its own; ``--fmri`` the file ``nitime/data/fmri_timeseries.csv`` of the package nitime.
"""

import argparse
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from _common import write
from scipy.interpolate import make_smoothing_spline
from sklearn.exceptions import ConvergenceWarning

from skkuranet import KuraNetIdentifier, OscillatorNetwork, phases_from_signal

TURN = 2.0 * np.pi
N = 50
SEEDS = range(3)
GRAPHS = {
    "a fifth of all pairs, strengths 0 to 0.2": lambda rng: (
        rng.uniform(0.0, 0.2, (N, N)) * (rng.uniform(size=(N, N)) < 0.2)
    ),
    "a fifth of all pairs, strengths 0 to 0.3": lambda rng: (
        rng.uniform(0.0, 0.3, (N, N)) * (rng.uniform(size=(N, N)) < 0.2)
    ),
    "all pairs, both signs": lambda rng: rng.normal(0.0, 0.5 / np.sqrt(N), (N, N)),
}
SPARSE = next(iter(GRAPHS))
OTHERS = """
import sys, time, numpy, oscillatools
given = numpy.load(sys.argv[1])
phases, velocities, dt = given["phases"], given["velocities"], float(given["dt"])
found, n = {}, phases.shape[1]

begin = time.process_time()
found["bayesian"] = oscillatools.infer_network_bayesian(phases, dt).coupling
found["bayesian_seconds"] = time.process_time() - begin

begin = time.process_time()
model = oscillatools.discover_phase_dynamics(phases, velocities, n_harmonics=1, threshold=0.02)
found["sparse"] = model.sine_coupling[0]
found["sparse_seconds"] = time.process_time() - begin

begin = time.process_time()
steps = numpy.arange(51)
found["trajectory"] = oscillatools.learn_coupling(
    phases[0], given["frequency"], phases[steps], steps, numpy.zeros((n, n)), dt, 50,
    max_iterations=30, symmetric=False).coupling
found["trajectory_seconds"] = time.process_time() - begin
numpy.savez(sys.argv[2], version=oscillatools.__version__, **found)
"""


def measured(
    graph=SPARSE, *, noise=0.01, length=200.0, interval=0.1, dynamic_noise=0.0, seed=0, n=N
):
    """Couplings, frequencies, times, and phases with noise of a share of a turn and without."""
    rng = np.random.default_rng(seed)
    K = GRAPHS[graph](rng)
    np.fill_diagonal(K, 0.0)
    frequency = rng.normal(size=N)
    finer = max(1, round(interval / (0.002 if dynamic_noise else 0.02)))
    path = OscillatorNetwork(K, frequency=frequency, noise=dynamic_noise or None).simulate(
        n_steps=round(length / interval) * finer,
        step_size=interval / finer,
        save_every=finer,
        random_state=seed,
    )
    phases = path.phases + noise * TURN * rng.normal(size=path.phases.shape)
    return K, frequency, path.times, phases, path.phases


def correlation(K, found):
    apart = ~np.eye(len(K), dtype=bool)
    return float(np.corrcoef(K[apart], found[apart])[0, 1])


def order(times, phases):
    """How far oscillators are in step over the later half."""
    half = len(times) // 2
    speeds = (phases[-1] - phases[half]) / (times[-1] - times[half])
    apart = np.abs(speeds[:, None] - speeds)[~np.eye(phases.shape[1], dtype=bool)]
    return {
        "order_parameter": float(np.abs(np.exp(1j * phases[half:]).mean(1)).mean()),
        "locked_pairs": float((apart < 0.02).mean()),
    }


def timed(action):
    begin = time.process_time()
    found = action()
    return found, time.process_time() - begin


def identify(phases, times, X=None, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KuraNetIdentifier(verbose=0, **settings).fit(X, phases % TURN, times)


def on_velocities(phases, velocities):
    """Regress velocities on sines, for each oscillator."""
    K = np.zeros((phases.shape[1],) * 2)
    for i in range(len(K)):
        columns = np.sin(phases - phases[:, [i]])
        columns[:, i] = 1.0
        K[i] = np.linalg.lstsq(columns, velocities[:, i], rcond=None)[0]
    np.fill_diagonal(K, 0.0)
    return K


def differences(phases, times):
    return on_velocities(phases, np.gradient(phases, times, axis=0))


def splines(phases, times):
    curves = [make_smoothing_spline(times, column) for column in phases.T]
    smooth = np.stack([curve(times) for curve in curves], -1)
    velocities = np.stack([curve.derivative()(times) for curve in curves], -1)
    return on_velocities(smooth, velocities), smooth, velocities


def beside(oscillatools):
    """What others find in the same phases."""
    rows = []
    for graph in GRAPHS:
        for seed in SEEDS:
            K, frequency, times, phases, true = measured(graph, seed=seed)
            row = {"graph": graph, "seed": seed, **order(times, true)}
            model, row["seconds"] = timed(lambda p=phases, t=times: identify(p, t))
            row["correlation"] = correlation(K, model.couplings_)
            row["error"] = error(K, model)
            row["noise_found"] = model.measurement_noise_ / TURN
            first, row["regression_seconds"] = timed(
                lambda p=phases, t=times: identify(p, t, max_iter=0)
            )
            row["regression"] = correlation(K, first.couplings_)
            found, row["differences_seconds"] = timed(lambda p=phases, t=times: differences(p, t))
            row["differences"] = correlation(K, found)
            if seed == 0:
                (found, smooth, velocities), row["splines_seconds"] = timed(
                    lambda p=phases, t=times: splines(p, t)
                )
                row["splines"] = correlation(K, found)
                if oscillatools:
                    given = frequency, times, smooth, velocities
                    row["oscillatools"] = others(oscillatools, K, *given)
            print(row, flush=True)
            rows.append(row)
    return rows


def others(python, K, frequency, times, smooth, velocities):
    """What oscillatools finds: in smooth phases, which it needs, and true frequencies."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.npz", Path(folder) / "found.npz"
        np.savez(
            given,
            phases=smooth,
            velocities=velocities,
            frequency=frequency,
            dt=times[1] - times[0],
        )
        subprocess.run([python, "-c", OTHERS, given, found], check=True)
        read = np.load(found)
        row = {"version": str(read["version"])}
        for name in ("bayesian", "sparse", "trajectory"):
            row[name] = correlation(K, read[name])
            row[f"{name}_seconds"] = float(read[f"{name}_seconds"])
    return row


def error(K, model):
    """Root mean square of errors, and of errors in units of what the model says of them."""
    apart = ~np.eye(len(K), dtype=bool)
    off = (model.couplings_ - K)[apart]
    said = model.coupling_errors_[apart]
    return {
        "rms": float(np.sqrt(np.mean(off**2))),
        "rms_of_couplings": float(np.sqrt(np.mean(K[apart] ** 2))),
        "in_units_of_standard_errors": float(np.sqrt(np.mean((off / said) ** 2))),
    }


def curves():
    """Errors against noise, length, sampling and noise of the dynamics."""
    ranges = {
        "noise": (0.0, 0.01, 0.03, 0.1),
        "length": (25.0, 50.0, 100.0, 400.0),
        "interval": (0.05, 0.2, 0.5, 1.0),
        "dynamic_noise": (0.02, 0.05, 0.1, 0.2),
    }
    rows = []
    for name, values in ranges.items():
        for value in values:
            K, _, times, phases, _ = measured(**{name: value})
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                model, seconds = timed(lambda p=phases, t=times: identify(p, t))
            rows.append(
                {
                    "what": name,
                    "value": value,
                    "correlation": correlation(K, model.couplings_),
                    "error": error(K, model),
                    "n_determined": model.n_determined_,
                    "seconds": seconds,
                }
            )
            print(rows[-1], flush=True)
    return rows


def couplings_by_place(X):
    """Couplings that fade with the distance of two nodes, and depend on a trait of the source."""
    apart = X[:, None, :2] - X[None, :, :2]
    K = 0.25 * np.exp(-(apart**2).sum(-1)) * np.tanh(1.0 + X[None, :, 2])
    np.fill_diagonal(K, 0.0)
    return K


def recording_of(seed, n=30, length=50.0):
    rng = np.random.default_rng(seed)
    X, frequency = rng.normal(size=(n, 3)), rng.normal(size=n)
    path = OscillatorNetwork(couplings_by_place(X), frequency=frequency).simulate(
        n_steps=round(length / 0.02), step_size=0.02, save_every=5, random_state=seed
    )
    return X, path.phases + 0.01 * TURN * rng.normal(size=path.phases.shape), path.times


def new_nodes():
    """Forecasts of nodes never measured, beside a matrix fitted to the first half of them."""
    tests = [recording_of(1000 + k) for k in range(3)]
    rows = []
    for n_recordings in (1, 3, 10):
        X, phases, times = zip(*(recording_of(k) for k in range(n_recordings)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, seconds = timed(
                lambda X=X, p=phases, t=times: KuraNetIdentifier(verbose=0, random_state=0).fit(
                    list(X), list(p), list(t)
                )
            )
        row = {"recordings": n_recordings, "seconds": seconds, "tests": []}
        for features, seen, at in tests:
            half = len(at) // 2
            K = couplings_by_place(features)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                refitted = identify(seen[:half], at[:half])
            n_times = half + 101
            ahead = [half + 10, half + 50, half + 100]
            errors = {}
            for name, forecast in (
                ("here", model.predict(features, seen[:half], at[:n_times])),
                ("refitted", refitted.predict(None, seen[:half], at[:n_times])),
            ):
                off = np.stack([forecast[k - half] - seen[k] for k in ahead])
                errors[name] = np.sqrt((off**2).mean(-1)).tolist()
            row["tests"].append(
                {
                    "correlation": correlation(K, model.coupling_matrix(features)),
                    "score": model.score(features, seen[half:], at[half:]),
                    "refitted_correlation": correlation(K, refitted.couplings_),
                    "refitted_score": refitted.score(None, seen[half:], at[half:]),
                    "forecast_errors_after_1_5_10": errors,
                }
            )
        print(row, flush=True)
        rows.append(row)
    return rows


def resting_brain(file):
    """Regions of a brain at rest, of which nobody knows the couplings."""
    # The first three columns are white matter, ventricles and the whole brain.
    table = np.genfromtxt(file, delimiter=",", skip_header=1)[:, 3:]
    rate = 1.0 / 1.89
    phases = phases_from_signal(table, rate, (0.03, 0.07))
    phases = phases[np.isfinite(phases).all(1)]
    times = np.arange(len(phases)) / rate
    half = len(phases) // 2
    row = {"regions": phases.shape[1], "samples": len(phases)}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = KuraNetIdentifier(verbose=0, window=4 * 1.89, max_iter=0)
        model.fit(None, phases[:half], times[:half])
    row["warnings"] = [str(warning.message) for warning in told]
    row["n_determined"] = model.n_determined_
    row["noise"] = model.noise_
    row["score_of_later_half"] = model.score(None, phases[half:], times[half:])
    free = OscillatorNetwork(np.zeros_like(model.couplings_), frequency=model.frequency_)
    row["score_without_couplings"] = score_of(free, phases[half:], times[half:], 4)
    row["errors_beside_couplings"] = [
        float(np.sqrt((model.coupling_errors_**2).mean())),
        float(np.sqrt((model.couplings_**2).mean())),
    ]
    print(row)
    return row


def score_of(network, phases, times, n_ahead):
    """R² over windows, as the estimator has it, of any network."""
    phases = np.unwrap(phases, axis=0)
    first = np.arange(0, len(times) - n_ahead, n_ahead)
    span = times[n_ahead] - times[0]
    foretold = [
        network.simulate(n_steps=20, step_size=span / 20, initial_state=phases[k]).phases[-1]
        for k in first
    ]
    change = phases[first + n_ahead] - phases[first]
    left = phases[first + n_ahead] - np.stack(foretold)
    return float(1.0 - (left**2).sum() / ((change - change.mean(0)) ** 2).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--oscillatools")
    parser.add_argument("--fmri")
    options = parser.parse_args()
    found = {
        "nodes": N,
        "beside": beside(options.oscillatools),
        "curves": curves(),
        "new_nodes": new_nodes(),
    }
    if options.fmri:
        found["resting_brain"] = resting_brain(options.fmri)
    write("identify", found)


if __name__ == "__main__":
    main()
