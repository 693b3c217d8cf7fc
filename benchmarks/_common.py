"""What the benchmarks share: the paper's data, regimes and JSON files."""

import json
import platform
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.datasets import make_circles, make_moons

from skkuranet.datasets import make_gaussian_ring, make_spirals

RESULTS = Path(__file__).parent / "results"
N_NODES, NETWORK, N_NETWORKS = 10_000, 100, 100

MIXTURES = {
    "Moons": lambda rng: make_moons(N_NODES, noise=0.05, random_state=rng),
    "Circles": lambda rng: make_circles(N_NODES, noise=0.05, factor=0.5, random_state=rng),
    "Spirals": lambda rng: make_spirals(N_NODES, noise=0.5, random_state=rng),
    **{
        f"GMM{k}": lambda rng, k=k: make_gaussian_ring(k, N_NODES, random_state=rng)
        for k in range(2, 11)
    },
}


def small_networks():
    """Rows of the 100 test networks of 100 nodes."""
    return [slice(i, i + NETWORK) for i in range(0, N_NETWORKS * NETWORK, NETWORK)]


def regimes(loss, train, test):
    """Data, Size and Data+Size of the paper, for ``loss(X, y)`` of one network."""
    return {
        "data": float(np.mean([loss(test[0][n], test[1][n]) for n in small_networks()])),
        "size": float(loss(*train)),
        "data_size": float(loss(*test)),
    }


def write(name, content):
    """Write ``results/name.json``, with what the figures depend on."""
    content = {
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "torch": torch.__version__,
        },
        "machine": {"architecture": platform.machine(), "threads": torch.get_num_threads()},
        **content,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
