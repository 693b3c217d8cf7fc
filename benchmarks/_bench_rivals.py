"""Simulations and sweeps in the interpreter that runs this, by ``kuramoto`` or oscillatools.

    python _bench_rivals.py NAME INPUT.npz OUTPUT.npz

INPUT has K, frequency, phases, the strengths of K, the time and the step at which states are kept;
OUTPUT the states at the end, (n_strengths, n), seconds of this process and the version.
"""

import sys
import time
from importlib.metadata import version

import numpy as np


def kuramoto(given, strength):
    """The package's odeint; it divides by the number of neighbours, which K has already."""
    from kuramoto import Kuramoto

    K = given["K"]
    edges = (K != 0).astype(float)
    model = Kuramoto(strength, given["step"], given["time"], natfreqs=given["frequency"])
    return model.run(adj_mat=edges, angles_vec=given["phases"])[:, -1]


def oscillatools(given, strength):
    """Runge-Kutta of fourth order in the same steps."""
    from oscillatools import kuramoto_rk4_trajectory

    n_steps = round(given["time"] / given["step"])
    K = strength * given["K"]
    start = given["phases"], given["frequency"]
    return kuramoto_rk4_trajectory(*start, K, given["step"], n_steps)[-1]


if __name__ == "__main__":
    rival = {"kuramoto": kuramoto, "oscillatools": oscillatools}[sys.argv[1]]
    given = {name: value for name, value in np.load(sys.argv[2]).items()}
    given |= {name: float(given[name]) for name in ("time", "step")}
    begin = time.process_time()
    ends = np.array([rival(given, float(s)) for s in given["strengths"]])
    seconds = time.process_time() - begin
    np.savez(sys.argv[3], ends=ends, seconds=seconds, version=version(sys.argv[1]))
