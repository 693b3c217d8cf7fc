"""Simulations, sweeps and what is found by them, beside scipy, kuramoto and oscillatools.

All simulate the same oscillators for the same time, on one thread; seconds are CPU seconds,
and what a run is wrong by is told by one of high accuracy. Sweeps simulate many strengths. Then
known transitions: the critical coupling of normal and Lorentzian frequencies, and the loop of a
scale-free graph whose hubs are fast. Last a million oscillators on a graph.

    OMP_NUM_THREADS=1 python benchmarks/bench.py [--kuramoto PYTHON] [--oscillatools PYTHON]

takes the interpreters of environments that have them. Lyapunov exponents, fixed points and
eigenvalues, beside JiTCODE, are those of ``bench_stability.py``; couplings fitted to phases, those
of ``identify.py``.
"""

import argparse
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import networkx as nx
import numpy as np
import scipy.sparse as sp
import torch
from _common import PeakMemory, write
from scipy.integrate import solve_ivp

from skkuranet import OscillatorNetwork
from skkuranet.analysis import critical_coupling, sweep
from skkuranet.coupling import FactorizedCoupling

HERE = Path(__file__).resolve()
TIME, STEP = 100.0, 0.1
# Of the normal and the Lorentzian distribution of unit width.
THEORY = {"normal": 2 * np.sqrt(2 * np.pi) / np.pi, "Lorentzian": 2.0}
SEEDS = range(100, 110)


def oscillators(n):
    """A random graph of mean degree 10 whose couplings add up to 1, frequencies and phases."""
    rng = np.random.default_rng(0)
    edges = rng.uniform(size=(n, n)) < 10 / n
    edges = edges | edges.T
    np.fill_diagonal(edges, False)
    return edges / np.maximum(edges.sum(1), 1)[:, None], rng.normal(size=n), rng.uniform(0, 6, n)


def ours(K, frequency, phases, strengths, *, sparse=False):
    """All strengths as one batch."""
    network = OscillatorNetwork(sp.csr_array(K) if sparse else K, frequency=frequency)
    network = network.replace(coupling_scale=strengths)
    n_steps = round(TIME / STEP)
    path = network.simulate(
        n_steps=n_steps, save_from=n_steps, step_size=STEP, initial_state=phases
    )
    return path.phases[-1]


def by_scipy(K, frequency, phases, strengths, **options):
    """One after another, with the sums of angles that the sines come to."""

    def rate(_, x, strength):
        cosine, sine = np.cos(x), np.sin(x)
        return frequency + strength * (cosine * (K @ sine) - sine * (K @ cosine))

    settings = {"rtol": 1e-7, "atol": 1e-8} | options
    ends = (solve_ivp(rate, (0, TIME), phases, args=(s,), **settings).y[:, -1] for s in strengths)
    return np.array(list(ends))


def elsewhere(python, name, K, frequency, phases, strengths):
    with tempfile.TemporaryDirectory() as folder:
        given, found = (str(Path(folder, f"{end}.npz")) for end in ("given", "found"))
        np.savez(
            given, K=K, frequency=frequency, phases=phases, strengths=strengths, time=TIME,
            step=STEP,
        )  # fmt: skip
        script = str(HERE.with_name("_bench_rivals.py"))
        subprocess.run([python, script, name, given, found], check=True, timeout=900)
        return dict(np.load(found))


def wrong_by(ends, exact):
    """Mean distance on the circle, in radians."""
    return float(np.abs(np.angle(np.exp(1j * (ends - exact)))).mean())


def timed(action):
    """What an action returns, its CPU seconds and megabytes; the first run warms up."""
    action()
    with PeakMemory() as memory:
        begin = time.process_time()
        found = action()
        seconds = time.process_time() - begin
    return found, {"seconds": seconds, "megabytes": 1e3 * memory.gigabytes}


def simulations(options):
    for n, strengths in ((50, [1.2]), (500, [1.2]), (50, 20), (200, 20)):
        what = "a simulation" if isinstance(strengths, list) else f"a sweep of {strengths} values"
        strengths = np.array(
            strengths if isinstance(strengths, list) else np.linspace(0.1, 4.0, strengths)
        )
        given = (*oscillators(n), strengths)
        exact = by_scipy(*given, rtol=1e-11, atol=1e-11, method="DOP853")
        # Where strengths leave oscillators drifting, nobody's end is right to the last digit.
        ways = {
            "skkuranet": lambda given=given: ours(*given),
            "skkuranet, sparse": lambda given=given: ours(*given, sparse=True),
            "scipy": lambda given=given: by_scipy(*given),
        }
        row = {"what": what, "n": n, "time": TIME, "ways": {}}
        for name, way in ways.items():
            ends, took = timed(way)
            row["ways"][name] = took | {"wrong_by": wrong_by(ends, exact)}
        for name in ("kuramoto", "oscillatools"):
            python = getattr(options, name)
            if python:
                found = elsewhere(python, name, *given)
                row["ways"][name] = {
                    "seconds": float(found["seconds"]),
                    "wrong_by": wrong_by(found["ends"], exact),
                    "version": str(found["version"]),
                }
        mine = row["ways"]["skkuranet"]["seconds"]
        row["times_as_fast"] = {k: v["seconds"] / mine for k, v in row["ways"].items()}
        yield row


def complete(n, frequency):
    ones = torch.ones(n, 1, dtype=torch.float64)
    return OscillatorNetwork(FactorizedCoupling(ones / n, ones), frequency=frequency)


DRAWS = {
    "normal": lambda n, seed: np.random.default_rng(seed).normal(size=n),
    "Lorentzian": lambda n, seed: np.random.default_rng(seed).standard_cauchy(size=n),
}


def transitions(options):
    """Critical couplings: how often the interval of 95 % holds the theory."""
    for name, draw in DRAWS.items():
        found, begin = [], time.process_time()
        for seed in SEEDS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                one = critical_coupling(
                    lambda n, s, draw=draw: complete(n, draw(n, s)),
                    sizes=(100, 200, 400, 800),
                    random_state=seed,
                    verbose=0,
                )
            found.append({"value": one.value, "error": one.error, "misfit": one.misfit})
        theory = THEORY[name]
        off = [(f["value"] - theory) / f["error"] for f in found]
        yield {
            "what": f"critical coupling, {name}",
            "theory": theory,
            "found": found,
            "mean": float(np.mean([f["value"] for f in found])),
            "in_units_of_errors": off,
            "intervals_that_hold_it": float(np.mean(np.abs(off) < 1.96)),
            "seconds_each": (time.process_time() - begin) / len(found),
        }


def explosion(options):
    """The loop of scale-free graphs with frequencies that are degrees."""
    for seed in (0, 1, 2):
        graph = nx.barabasi_albert_graph(500, 3, seed=seed)
        degree = np.array([d for _, d in graph.degree()], dtype=float)
        network = OscillatorNetwork(nx.to_scipy_sparse_array(graph), frequency=degree)
        begin = time.process_time()
        loop = sweep(
            network, "coupling_scale", np.linspace(1.0, 1.8, 33), continuation="both",
            n_steps=1000, n_transient=1000, step_size=0.02, random_state=0, verbose=0,
        )  # fmt: skip
        up, down = loop.up.mean(), loop.down.mean()
        jump = [float(loop.values[int(np.abs(np.diff(way)).argmax())]) for way in (up, down)]
        yield {
            "what": "explosive synchronisation",
            "n": 500,
            "seed": seed,
            "locks_at": jump[0],
            "lets_go_at": jump[1],
            "largest_jump": float(np.abs(np.diff(up)).max()),
            "area": float(loop.hysteresis()[0]),
            "seconds": time.process_time() - begin,
        }


def large(options):
    """A million oscillators on a ring with shortcuts."""
    n = 10**6
    rng = np.random.default_rng(0)
    i, j = rng.integers(n, size=(2, 3 * n))
    ends = np.append(i, np.arange(n)), np.append(j, np.roll(np.arange(n), 1))
    edges = sp.csr_array((np.full(4 * n, 0.1, np.float32), ends), shape=(n, n))
    network = OscillatorNetwork(edges + edges.T, frequency=rng.normal(size=n).astype(np.float32))
    run = {"step_size": STEP, "save_from": 20, "n_steps": 20, "random_state": 0, "solver": "rk4"}
    _, took = timed(lambda: network.simulate(**run))
    yield {"what": "a million oscillators, a step", "n": n, "edges": int(edges.nnz) * 2} | {
        "seconds": took["seconds"] / 20,
        "megabytes": took["megabytes"],
    }


PARTS = {f.__name__: f for f in (simulations, transitions, explosion, large)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kuramoto", metavar="PYTHON", help="an interpreter that has it")
    parser.add_argument("--oscillatools", metavar="PYTHON", help="an interpreter that has it")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[*PARTS])
    options = parser.parse_args()
    rows = []
    for part in options.parts:
        for row in PARTS[part](options):
            print(row, flush=True)
            rows.append(row)
    write("bench", {"rows": rows})


if __name__ == "__main__":
    main()
