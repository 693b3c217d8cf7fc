"""Lyapunov spectra, fixed points and eigenvalues: seconds of one thread, memory, and others beside.

``--jitcode PYTHON`` names an interpreter that has JiTCODE, and a compiler on its path.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from _common import PeakMemory, write
from scipy.integrate import solve_ivp, trapezoid
from scipy.optimize import root
from scipy.sparse.linalg import eigsh

from skkuranet import OscillatorNetwork
from skkuranet.analysis import fixed_points, jacobian, lyapunov_spectrum

STRENGTH, TIME = 2.0, 100.0
HERE = Path(__file__).resolve()


def disordered(n):
    """Frequencies, couplings of either sign, and a start."""
    omega = np.random.default_rng(0).normal(size=n)
    K = STRENGTH / np.sqrt(n) * np.random.default_rng(1).normal(size=(n, n))
    np.fill_diagonal(K, 0.0)
    return omega, K, np.random.default_rng(2).uniform(0, 6, n)


def graph(n):
    """A ring with random shortcuts, of mean degree 8, and frequencies that it locks."""
    rng = np.random.default_rng(0)
    i, j = rng.integers(n, size=(2, 3 * n))
    ends = np.append(i, np.arange(n)), np.append(j, np.roll(np.arange(n), 1))
    edges = sp.csr_array((np.ones(4 * n), ends), shape=(n, n))
    edges = sp.csr_array(edges + edges.T)
    edges.data[:] = 1.0
    return edges, 0.1 * rng.normal(size=n)


def lyapunov(n):
    omega, K, start = disordered(n)
    network = OscillatorNetwork(K, frequency=omega)
    settings = {"n_steps": 1000, "transient": 0, "initial_state": start}
    found = lyapunov_spectrum(network, random_state=0, **settings)
    path = network.simulate(n_steps=1000, initial_state=start)
    cosines, sines = np.cos(path.phases), np.sin(path.phases)
    traces = -(cosines * (cosines @ K.T) + sines * (sines @ K.T)).sum(1)
    mean = float(trapezoid(traces, path.times) / TIME)
    return {
        "largest": float(found.exponents[0]),
        "standard_error": float(found.standard_errors[0]),
        "sum": float(found.exponents.sum()),
        "mean_trace": mean,
        "kaplan_yorke_dimension": found.kaplan_yorke_dimension,
    }


def lyapunov_scipy(n):
    """The same by a Runge-Kutta method of scipy on all variational equations."""
    omega, K, phases = disordered(n)
    spread, logs = np.eye(n), np.zeros(n)

    def rates(_, z):
        x, V = z[:n], z[n:].reshape(n, n)
        gap = x - x[:, None]
        slope = K * np.cos(gap)
        slope[np.diag_indices(n)] -= slope.sum(1)
        return np.append(omega + (K * np.sin(gap)).sum(1), slope @ V)

    for _ in range(int(TIME)):
        z = solve_ivp(rates, (0, 1.0), np.append(phases, spread), rtol=1e-5, atol=1e-7).y[:, -1]
        phases, (spread, r) = z[:n], np.linalg.qr(z[n:].reshape(n, n))
        logs += np.log(np.abs(np.diag(r)))
    return {"largest": float(logs.max() / TIME), "sum": float(logs.sum() / TIME)}


def rest(n):
    K, omega = graph(n)
    network = OscillatorNetwork(K, frequency=omega)
    found = fixed_points(network, initial_states=np.zeros(n))
    return {"residual": found[0].residual, "stable": found[0].stable}


def rest_scipy(n):
    """By MINPACK, with the phase of one oscillator and the speed as in ours."""
    K, omega = graph(n)
    K = K.toarray()

    def rates(z):
        x = np.append(0.0, z[1:])
        return omega - z[0] + (K * np.sin(x - x[:, None])).sum(1)

    found = root(rates, np.zeros(n), tol=1e-10)
    return {"residual": float(np.abs(found.fun).max())}


def eigenvalues(n):
    K, omega = graph(n)
    found = jacobian(OscillatorNetwork(K, frequency=omega), np.zeros(n)).eigenvalues(6)
    return {"largest": found.tolist()}


def eigenvalues_scipy(n):
    """ARPACK with its own settings, on a matrix that we write down."""
    K, _ = graph(n)
    matrix = sp.csr_array(K - sp.diags_array(K.sum(1)))
    return {"largest": np.sort(eigsh(matrix, 6, which="LA", return_eigenvectors=False)).tolist()}


CASES = {
    "lyapunov": (lyapunov, (20, 50, 100, 200, 500)),
    "lyapunov, scipy": (lyapunov_scipy, (20, 50, 100)),
    "fixed point": (rest, (100, 1000, 10_000, 100_000)),
    "fixed point, scipy": (rest_scipy, (100, 500)),
    "eigenvalues": (eigenvalues, (1000, 10_000)),
    "eigenvalues, scipy": (eigenvalues_scipy, (1000, 10_000)),
}


def measured(name, n):
    """Run one case in this process."""
    torch.set_num_threads(1)
    work, _ = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        work(10 if name.startswith("lyapunov") else 50)
        with PeakMemory() as memory:
            begin = time.process_time()
            found = work(n)
            seconds = time.process_time() - begin
    return {"seconds": seconds, "megabytes": 1e3 * memory.gigabytes, **found}


def asked(*command):
    """Return what another process prints, or why it did not."""
    try:
        # Elsewhere, as JiTCODE's compiler would read a pyproject.toml that lies here.
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=folder)
        return json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, IndexError, json.JSONDecodeError) as error:
        return {"failed": type(error).__name__}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--jitcode", help="an interpreter that has JiTCODE")
    parser.add_argument("--case", nargs=2, help="one case, here, and its size")
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measured(options.case[0], int(options.case[1]))))
        sys.exit()
    rows = []
    for name, (_, sizes) in CASES.items():
        for n in sizes:
            found = asked(sys.executable, str(HERE), "--case", name, str(n))
            rows.append({"what": name, "n": n, **found})
            print(rows[-1], flush=True)
    for n in (20, 30) if options.jitcode else ():
        script = str(HERE.with_name("_stability_jitcode.py"))
        found = asked(options.jitcode, script, str(n), str(STRENGTH), str(TIME), "1.0")
        rows.append({"what": "lyapunov, JiTCODE", "n": n, **found})
        print(rows[-1], flush=True)
    write("stability", {"time": TIME, "strength": STRENGTH, "rows": rows})
