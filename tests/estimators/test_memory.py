"""Memory of a process that keeps to a memory budget."""

import subprocess
import sys

import pytest

MEASURED = """
import sys, threading, time, warnings
import numpy as np, torch
from sklearn.datasets import make_blobs
from skkuranet import KuraNetClusterer, KuraNetSynchronizer

warnings.simplefilter("ignore")
torch.set_num_threads(1)
budget = 64 << 20
few = {"max_iter": 3, "network_size": 30, "hidden_layer_sizes": (32,), "random_state": 0}
few["memory_budget"] = budget
X, y = make_blobs(2000, centers=20, n_features=4, random_state=0)
warm = KuraNetClusterer("pairwise", **few).fit(X, y)
small = KuraNetClusterer(**few).fit(X, y)
small.predict(X), warm.coupling_matrix(X[:50])
KuraNetSynchronizer(**few).fit(X[:100])
many = np.tile(X, (150, 1))
CASES = {
    "classes": lambda: KuraNetClusterer(**{**few, "network_size": 500}).fit(X, y),
    "oscillators": lambda: KuraNetSynchronizer(**{**few, "network_size": 500}).fit(X),
    "matrix": lambda: warm.coupling_matrix(X),
    "simulate": lambda: warm.simulate(X, n_steps=2, save_from=2),
    "names": lambda: small.predict(many),
}

def used():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

def watch():
    while True:
        peak[0] = max(peak[0], used())
        time.sleep(0.001)

peak = [0]
before = used()
threading.Thread(target=watch, daemon=True).start()
CASES[sys.argv[1]]()
print((max(peak[0], used()) - before) / budget)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("case", ["classes", "oscillators", "matrix", "simulate", "names"])
def test_a_budget_bounds_what_a_process_takes(case):
    command = [sys.executable, "-c", MEASURED, case]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    assert float(found.stdout) < 1.3
