"""Gradients beside those of oscillatools, a toolkit of the same field, by its public functions.

It has a licence of its own, so nothing here depends on it: it runs in an environment of its own,
without its optional accelerators, of which ``benchmarks/speed.py --oscillatools`` takes the
interpreter:

    python -m venv apart && apart/bin/pip install oscillatools==0.1.0
    python benchmarks/speed.py --oscillatools apart/bin/python

Its Kuramoto oscillators go back by a reverse mode, with the sines of all pairs; those with inertia
carry the derivatives with respect to everything forward, as many as there are inputs.
"""

import statistics
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from _common import medians

from skkuranet.coupling import DenseCoupling
from skkuranet.dynamics import SecondOrder, integrate

STEP, MASS, DAMPING = 0.1, 1.5, 0.7
# What its process does: it reads inputs, and writes gradients and how many seconds they took.
OBJECTIVE = """
import sys, time, numpy, oscillatools

def value_and_gradient(phases):
    mean = numpy.exp(1j * phases).mean()
    slope = numpy.imag(numpy.conj(mean) * numpy.exp(1j * phases)) / abs(mean) / len(phases)
    return 1.0 - abs(mean), slope

given = numpy.load(sys.argv[1])
phases, frequency, K = given["phases"], given["frequency"], given["K"]
begin = time.perf_counter()
"""
KURAMOTO = f"""
_, _, by_frequency, by_K = oscillatools.terminal_objective_value_and_grad(
    value_and_gradient, phases, frequency, K, {STEP}, 100, integrator="euler")
numpy.savez(sys.argv[2], seconds=time.perf_counter() - begin, frequency=by_frequency, K=by_K,
            version=oscillatools.__version__)
"""
INERTIAL = f"""
_, found = oscillatools.inertial_terminal_value_and_grad(
    phases, 0.0 * phases, frequency, K, {MASS}, damping={DAMPING}, dt={STEP}, n_steps=10,
    objective=lambda phases, velocities: value_and_gradient(phases)[0],
    objective_grad=lambda phases, velocities: (value_and_gradient(phases)[1], 0.0 * phases))
numpy.savez(sys.argv[2], seconds=time.perf_counter() - begin, frequency=found.omega,
            K=found.coupling, version=oscillatools.__version__)
"""


def kuramoto(phases, frequency, K):
    """100 Euler steps of Kuramoto oscillators."""
    run = {"frequency": frequency, "step_size": STEP, "n_steps": 100, "save_from": 100}
    return integrate(DenseCoupling(K), phases, **run).phases[-1]


def inertial(phases, frequency, K):
    """Ten Runge-Kutta steps of oscillators with inertia."""
    mass, damping = (torch.tensor(x, dtype=phases.dtype) for x in (MASS, DAMPING))
    dynamics = SecondOrder(frequency, mass.requires_grad_(), damping.requires_grad_())
    state = torch.stack((phases, torch.zeros_like(phases)))
    run = {"step_size": STEP, "n_steps": 10, "save_from": 10, "solver": "rk4"}
    return integrate(DenseCoupling(K), state, dynamics, **run).phases[-1]


CASES = {
    "Kuramoto, n=1,000, 100 Euler steps": (1000, kuramoto, KURAMOTO),
    "inertia, n=100, 10 Runge-Kutta steps": (100, inertial, INERTIAL),
}


def beside_oscillatools(interpreter, repeats):
    """Rows of seconds in double precision, and of how far the gradients are apart."""
    for what, (n, ours, theirs) in CASES.items():
        generator = np.random.default_rng(0)
        given = {
            "phases": generator.uniform(0.0, 2.0 * np.pi, n),
            "frequency": generator.standard_normal(n),
            "K": generator.standard_normal((n, n)) / n,
        }
        leaves = {k: torch.from_numpy(v).requires_grad_() for k, v in given.items()}
        wanted = [leaves["frequency"], leaves["K"]]

        def gradients(ours=ours, leaves=leaves, wanted=wanted):
            phases = ours(**leaves)
            loss = 1.0 - torch.hypot(phases.cos().mean(), phases.sin().mean())
            return torch.autograd.grad(loss, wanted)

        # Some seconds each, so that a few turns do.
        runs = [run_apart(interpreter, theirs, given) for _ in range(min(3, repeats))]
        pairs = zip(gradients(), (runs[0]["frequency"], runs[0]["K"]), strict=True)
        seconds = medians({"skkuranet": gradients}, repeats)
        seconds["oscillatools"] = statistics.median(float(run["seconds"]) for run in runs)
        yield {
            "what": f"oscillatools, {what}",
            "version": str(runs[0]["version"]),
            "seconds": seconds,
            "faster": seconds["oscillatools"] / seconds["skkuranet"],
            "gradient_difference": max(float(np.abs(a.numpy() - b).max()) for a, b in pairs),
        }


def run_apart(interpreter, script, given):
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "given.npz", Path(folder) / "found.npz"
        np.savez(before, **given)
        command = [interpreter, "-c", OBJECTIVE + script, str(before), str(after)]
        subprocess.run(command, check=True)
        with np.load(after) as found:
            return dict(found)
