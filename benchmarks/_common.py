"""What the benchmarks share: the paper's data, regimes and JSON files."""

import itertools
import json
import platform
import resource
import statistics
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import sklearn
import torch
from sklearn.datasets import make_circles, make_moons
from torch.profiler import ProfilerActivity, profile

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


class PeakMemory:
    """Largest resident size in a block, above what was resident before it."""

    def __enter__(self):
        self.process = psutil.Process()
        self.before = self.peak = self.process.memory_info().rss
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.stopped.wait(0.002):
            self.peak = max(self.peak, self.process.memory_info().rss)

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    @property
    def gigabytes(self):
        return (self.peak - self.before) / 1e9


def measure(action):
    with PeakMemory() as memory:
        start = time.perf_counter()
        action()
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "gigabytes_above_input": memory.gigabytes}


def medians(actions, repeats):
    """Median seconds of each action; they take turns."""
    seconds = {name: [] for name in actions}
    for turn in range(repeats + 1):
        for name, action in actions.items():
            begin = time.perf_counter()
            action()
            # The first turn warms up.
            if turn:
                seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak(action):
    """Gigabytes of tensors that an action holds at its peak, beyond what was there."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        action()
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    sizes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(itertools.accumulate(sizes)) / 1e9


def process_peak():
    """Largest resident size of this process so far, in gigabytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def write_times(name, rows, nodes):
    """Print and write rows of what :func:`measure` returns, and the peak of the whole process."""
    for row in rows:
        print(
            f"{row['what']} ({row['n']} {nodes}): {row['seconds']:.2f} s, "
            f"{row['gigabytes_above_input']:.2f} GB above the input"
        )
    peak = process_peak()
    print(f"peak of the whole process: {peak:.2f} GB")
    write(name, {"rows": rows, "process_peak_gigabytes": peak})


def versions():
    """What figures depend on: versions, and the processor."""
    return {
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "torch": torch.__version__,
        },
        "machine": {"architecture": platform.machine(), "threads": torch.get_num_threads()},
    }


def write(name, content, folder=RESULTS):
    """Write ``results/name.json``, with what the figures depend on."""
    folder.mkdir(exist_ok=True)
    content = {**versions(), **content}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
