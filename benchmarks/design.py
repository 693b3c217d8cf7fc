"""Couplings of a graph at a fixed budget, and what faults leave of them, as JSON and a table.

Given by weights (measured, uniform, by degree, by the difference of frequencies) or learned: by
features alone, from the measured weights or those by difference on, with the identity of nodes, or
with that and on graphs that lose lines at random.
Order parameter R of random starts: of the whole network, after cuts of random lines and of those
that carry most, and without its hubs. Faults take the couplings that they cut.

    OMP_NUM_THREADS=1 python benchmarks/design.py [--seeds 10 11 12 13 14] [--sizes 50 100]
"""

import argparse
import statistics
import time
import warnings

import numpy as np
import scipy.sparse as sp
from _common import write
from _graphs import KINDS, Failing, cut, loaded_lines, order, random_lines, spread, without_hubs
from sklearn.exceptions import ConvergenceWarning

from skkuranet import KuraNetSynchronizer

DEGREE, CUT, HUBS, DRAWS = 2.5, 0.1, 0.05, 2
SETTINGS = {"coupling": "pairwise", "max_iter": 200, "batch_size": 4, "verbose": 0}
FAULTS = ("whole", "random_cuts", "loaded_cuts", "no_hubs")


def designs(graph, frequency, seed):
    """Couplings of one graph by name, with the seconds of training."""
    neighbours = np.array([degree for _, degree in graph.degree])
    measured = np.random.RandomState(1000 + seed).lognormal(size=graph.number_of_edges())
    rules = {
        "measured": lambda i, j: measured,
        "uniform": lambda i, j: np.ones(len(i)),
        "by degree": lambda i, j: np.sqrt(neighbours[i] * neighbours[j]),
        "by difference": lambda i, j: np.abs(frequency[i] - frequency[j]),
    }
    weighted = {name: spread(graph, weight, DEGREE) for name, weight in rules.items()}
    for name, K in weighted.items():
        yield name, K, 0.0
    X = np.column_stack((frequency, neighbours))
    edges = weighted["uniform"]
    learned = {
        "learned": {"connectivity": edges},
        "learned from measured": {"connectivity": weighted["measured"], "edge_weights": True},
        "learned from difference": {
            "connectivity": weighted["by difference"],
            "edge_weights": True,
        },
        "learned, node identity": {"connectivity": edges, "node_identity": True},
        "learned for cuts": {"connectivity": Failing(graph, CUT, seed), "node_identity": True},
    }
    for name, options in learned.items():
        model = KuraNetSynchronizer(
            average_degree=DEGREE,
            network_size=len(X),
            random_state=seed,
            **options,
            **SETTINGS,
        )
        begin = time.process_time()
        with warnings.catch_warnings():
            # Small budgets leave a few nodes drifting, and cuts part some graphs.
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", message="connectivity falls into")
            model.fit(X)
        seconds = time.process_time() - begin
        graph_of_all = edges if callable(options["connectivity"]) else None
        yield name, sp.csr_array(model.coupling_matrix(X, connectivity=graph_of_all)), seconds


def stakes(K, frequency):
    """Order of a network as it is, and after faults."""
    random = [order(cut(K, random_lines(K, draw), CUT), frequency) for draw in range(DRAWS)]
    return {
        "whole": order(K, frequency),
        "random_cuts": statistics.mean(random),
        "loaded_cuts": order(cut(K, loaded_lines(K, frequency), CUT), frequency),
        "no_hubs": order(*without_hubs(K, frequency, HUBS)),
    }


def summary(rows):
    """Print means over seeds."""
    print(f"\n{'graph':12s}{'n':>5s}  {'couplings':24s}" + "".join(f"{f:>13s}" for f in FAULTS))
    for kind, n, name in dict.fromkeys((r["graph"], r["n"], r["couplings"]) for r in rows):
        own = [r for r in rows if (r["graph"], r["n"], r["couplings"]) == (kind, n, name)]
        means = (statistics.mean(r[fault] for r in own) for fault in FAULTS)
        seconds = statistics.mean(r["train_seconds"] for r in own)
        figures = "".join(f"{mean:13.3f}" for mean in means)
        print(f"{kind:12s}{n:5d}  {name:24s}{figures}{seconds:8.1f} s")


def losses(rows):
    """Where no learned couplings do better than the best rule."""
    found = []
    for case in dict.fromkeys((r["graph"], r["n"], r["seed"]) for r in rows):
        own = [r for r in rows if (r["graph"], r["n"], r["seed"]) == case]
        learned = [r for r in own if r["couplings"].startswith("learned")]
        rules = [r for r in own if r not in learned]
        for fault in FAULTS:
            best, rule = (max(group, key=lambda r: r[fault]) for group in (learned, rules))
            if rule[fault] >= best[fault]:
                what = dict(zip(("graph", "n", "seed"), case)) | {"fault": fault}
                what |= {"rule": rule["couplings"], "order_by_rule": rule[fault]}
                found.append(what | {"learned": best["couplings"], "order_learned": best[fault]})
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12, 13, 14])
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100])
    options = parser.parse_args()
    rows = []
    for seed in options.seeds:
        for n in options.sizes:
            for kind, make in KINDS.items():
                graph = make(n, seed)
                frequency = np.random.RandomState(seed).normal(size=n)
                for name, K, seconds in designs(graph, frequency, seed):
                    what = {"graph": kind, "n": n, "seed": seed, "couplings": name}
                    rows.append(what | stakes(K, frequency) | {"train_seconds": seconds})
            print(f"n={n}, seed {seed}: {time.process_time():.0f} s so far", flush=True)
            settings = {**SETTINGS, "degree": DEGREE, "cut": CUT, "hubs": HUBS}
            write("design", {"settings": settings, "rows": rows, "losses": losses(rows)})
    summary(rows)


if __name__ == "__main__":
    main()
