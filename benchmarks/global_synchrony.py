"""Table I: global synchrony of disordered oscillators, with controls, as JSON and a table.

Protocol of the paper: networks of 100 for training, 10,000 training and 10,000 test nodes. Data:
mean over 100 test networks of 100 nodes. Size: all training nodes as one exact network.
Data+Size: all test nodes as one. V is the mean over the last 200 of 5,000 steps of 0.1, from
random initial phases.

    python benchmarks/global_synchrony.py [--seeds 0 1 2 3 4] [--cases I II III]
"""

import argparse
import math
import statistics
import time

import numpy as np
import torch
from _common import N_NETWORKS, N_NODES, NETWORK, write

from skkuranet import KuraNetSynchronizer
from skkuranet.coupling import (
    DenseCoupling,
    FactorizedCoupling,
    FactorizedNetwork,
    MeanDegree,
    PairwiseNetwork,
    couple,
)
from skkuranet.datasets import make_disorder
from skkuranet.dynamics import integrate
from skkuranet.losses import circular_variance, feature_correlation

ROLES = {"I": {}, "II": {"field": 1}, "III": {"delay": 1}}
BARS = {"I": (0.032, 0.031, 0.031), "II": (0.1, 0.08, 0.08), "III": (0.28, 0.29, 0.29)}
PAPER = {
    "I": (0.0667, 0.0681, 0.0682),
    "II": (0.1527, 0.1823, 0.1890),
    "III": (0.3800, 0.7026, 0.6855),
}
REGIMES = ("data", "size", "data_size")
N_STEPS, N_SCORED, STEP = 5000, 200, 0.1
# Iterations after which a network is looked at for the relation of V and C_x.
STAGES = (1, 25, 50, 100, 200, 400)


def nodes_of(case, x):
    columns = {"frequency": 0} | ROLES[case]
    return {role: x[..., column].float() for role, column in columns.items()}


def final_variance(case, coupling, x, generator):
    """V of every network in x, (..., n, n_features)."""
    start = 2.0 * math.pi * torch.rand(x.shape[:-1], generator=generator)
    with torch.no_grad():
        phases = integrate(
            coupling,
            start,
            **nodes_of(case, x),
            step_size=STEP,
            n_steps=N_STEPS,
            save_from=N_STEPS - N_SCORED + 1,
        ).phases
    return circular_variance(phases).mean(0)


def small(test):
    return torch.as_tensor(test).view(N_NETWORKS, NETWORK, -1)


def regimes(case, coupled, train, test, generator):
    """V in each regime, for ``coupled(x)`` that makes the couplings of networks."""
    data = final_variance(case, coupled(small(test)), small(test), generator)
    whole = {"size": torch.as_tensor(train), "data_size": torch.as_tensor(test)}
    return {
        "data": float(data.mean()),
        "data_median_network": float(data.median()),
        "data_worst_network": float(data.max()),
        **{k: float(final_variance(case, coupled(x), x, generator)) for k, x in whole.items()},
    }


def by(network, normalization):
    def coupled(x):
        with torch.no_grad():
            return couple(network, x, normalization)

    return coupled


def uniform(x):
    """All pairs alike, with mean degree 1."""
    n = x.shape[-2]
    ones = torch.ones((*x.shape[:-1], 1))
    return FactorizedCoupling(ones / (n - 1), ones).without_self_coupling()


def correlation(model, case, test, generator):
    """C_x and V of the small test networks."""
    x = small(test)
    coupling = by(model.coupling_, model.normalization_)(x)
    variance = final_variance(case, coupling, x, generator)
    return feature_correlation(coupling, x.float()).tolist(), variance.tolist()


def row(case, seed):
    rng = np.random.RandomState(seed)
    train, test = (make_disorder(case, N_NODES, random_state=rng) for _ in range(2))
    model = KuraNetSynchronizer(random_state=seed, **ROLES[case])
    begin = time.perf_counter()
    model.fit(train)
    seconds = time.perf_counter() - begin
    generator = torch.Generator().manual_seed(seed)
    made = {"generator": generator}
    untrained = {
        "factorized": FactorizedNetwork(train.shape[1], rank=32, form="nonnegative", **made),
        "pairwise": PairwiseNetwork(train.shape[1], symmetric=True, **made),
    }
    for network in untrained.values():
        network.standardize(*(torch.as_tensor(f(train, axis=0)) for f in (np.mean, np.std)))
    of_paper = by(untrained["pairwise"], MeanDegree())(small(test))
    of_paper = DenseCoupling(of_paper.dense())
    return {
        "case": case,
        "seed": seed,
        "fit_s": seconds,
        "variance": regimes(
            case, by(model.coupling_, model.normalization_), train, test, generator
        ),
        "untrained_factorized": regimes(
            case, by(untrained["factorized"], MeanDegree()), train, test, generator
        ),
        "untrained_pairwise": {
            "data": float(final_variance(case, of_paper, small(test), generator).mean())
        },
        "uniform": regimes(case, uniform, train, test, generator),
        "locked": float(np.mean(model.locked_)),
    }


def relation(case, seed):
    """The squared correlation of V and C_x over networks at several stages of training."""
    rng = np.random.RandomState(seed)
    train, test = (make_disorder(case, N_NODES, random_state=rng) for _ in range(2))
    generator = torch.Generator().manual_seed(seed)
    points = [[], []]
    for n in (*STAGES, KuraNetSynchronizer().max_iter):
        model = KuraNetSynchronizer(random_state=seed, max_iter=n, **ROLES[case]).fit(train)
        for kept, new in zip(points, correlation(model, case, test, generator), strict=True):
            kept += new
    return {
        "case": case,
        "r2": float(np.corrcoef(points)[0, 1] ** 2),
        "r2_trained": float(np.corrcoef([p[-N_NETWORKS:] for p in points])[0, 1] ** 2),
        "correlation": points[0],
        "variance": points[1],
    }


def summary(rows):
    print("\nmedian and worst seed, bar and the paper's figure")
    for case in dict.fromkeys(r["case"] for r in rows):
        own = [r for r in rows if r["case"] == case]
        for place, regime in enumerate(REGIMES):
            values = [r["variance"][regime] for r in own]
            print(
                f"{case:4s}{regime:10s} median {statistics.median(values):.4f}  "
                f"worst {max(values):.4f}  bar {BARS[case][place]:.3f}  "
                f"paper {PAPER[case][place]:.4f}"
            )
        print(f"{case:4s}fit: median {statistics.median(r['fit_s'] for r in own):.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--cases", nargs="+", default=[*ROLES])
    options = parser.parse_args()
    columns = ("variance", "untrained_factorized", "untrained_pairwise", "uniform")
    print("case seed   fit_s  " + "".join(f"{c:>27s}" for c in columns))
    rows, relations = [], []
    for case in options.cases:
        for seed in options.seeds:
            rows.append(row(case, seed))
            cells = (
                " ".join(f"{rows[-1][c][r]:8.4f}" for r in REGIMES if r in rows[-1][c])
                for c in columns
            )
            print(
                f"{case:4s}{seed:5d}{rows[-1]['fit_s']:8.1f}  "
                + "".join(f"{c:>27s}" for c in cells)
            )
            write("global_synchrony", {"paper": PAPER, "rows": rows, "relation": relations})
        relations.append(relation(case, options.seeds[0]))
        found = relations[-1]
        print(
            f"{case:4s}r² of V and C_x: {found['r2']:.2f} over the course of training, "
            f"{found['r2_trained']:.2f} among networks of the trained model",
            flush=True,
        )
        write("global_synchrony", {"paper": PAPER, "rows": rows, "relation": relations})
    summary(rows)


if __name__ == "__main__":
    main()
