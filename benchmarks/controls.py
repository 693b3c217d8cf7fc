"""Controls of Table II and Fig. 3C-F: networks that did not learn, beside one that did.

- untrained: the same networks with their initial weights and the same normalisation;
- block: +b within and −b between the true groups, with the largest |K_ij| of the trained one.

    python benchmarks/controls.py [--seeds 0 1 2 3 4]
"""

import argparse
import math
import statistics

import numpy as np
import torch
from _common import MIXTURES, regimes, small_networks, write

from skkuranet import KuraNetClusterer
from skkuranet.coupling import (
    Balanced,
    FactorizedCoupling,
    InDegree,
    MembershipNetwork,
    PairwiseNetwork,
    couple,
)
from skkuranet.dynamics import integrate
from skkuranet.losses import cluster_synchrony_loss

LIMIT = 500.0


def limit_loss(coupling, y, generator, degree=1.0):
    """Cluster synchrony loss at the limit; the step shrinks as the in-degree grows."""
    n = len(y)
    n_steps = math.ceil(LIMIT * max(1.0, degree))
    start = 2.0 * math.pi * torch.rand(n, generator=generator)
    with torch.no_grad():
        limit = integrate(
            coupling, start, step_size=LIMIT / n_steps, n_steps=n_steps, save_from=n_steps
        ).phases[-1]
    member = torch.nn.functional.one_hot(torch.as_tensor(y)).double()
    return float(cluster_synchrony_loss(limit.double(), member))


def untrained(network, normalization, mean, scale, generator):
    network.standardize(torch.as_tensor(mean).float(), torch.as_tensor(scale).float())

    def loss(X, y):
        with torch.no_grad():
            coupling = couple(network, torch.as_tensor(X).float(), normalization)
        return limit_loss(coupling, y, generator)

    return loss


def block(largest, generator):
    def loss(X, y):
        member = torch.nn.functional.one_hot(torch.as_tensor(y)).float()
        signs = largest * (2.0 * torch.eye(member.shape[1]) - 1.0)
        coupling = FactorizedCoupling(member @ signs, member)
        return limit_loss(coupling.without_self_coupling(), y, generator, len(y) * largest)

    return loss


def row(name, seed):
    rng = np.random.RandomState(seed)
    train, test = MIXTURES[name](rng), MIXTURES[name](rng)
    mean, scale = train[0].mean(axis=0), train[0].std(axis=0)
    generator = torch.Generator().manual_seed(seed)
    n_clusters = len(np.unique(train[1]))
    halves = 2 if n_clusters == 4 else 1
    factorized = MembershipNetwork(2, n_classes=n_clusters, n_parts=halves, generator=generator)
    pairwise = PairwiseNetwork(2, generator=generator)
    of_paper = untrained(pairwise, InDegree(), mean, scale, generator)
    trained = KuraNetClusterer(random_state=seed).fit(*train)
    blocks = {}
    for regime, X in {"data": test[0][:100], "size": train[0]}.items():
        # The largest coupling falls as 1/n; a thousand rows show it without a large matrix.
        # Any normalisation by the in-degree would only rescale b, which this sets.
        sample = trained.coupling_matrix(X[:1000])
        blocks[regime] = block(float(np.abs(sample).max()) * len(sample) / len(X), generator)
    phases = np.random.RandomState(seed)
    small = [(test[0][n], test[1][n]) for n in small_networks()]
    return {
        "data_set": name,
        "seed": seed,
        "trained": regimes(
            lambda X, y: trained.synchrony_loss(X, y, random_state=phases), train, test
        ),
        "untrained_factorized": regimes(
            untrained(factorized, Balanced(), mean, scale, generator), train, test
        ),
        "untrained_pairwise": {"data": float(np.mean([of_paper(*s) for s in small]))},
        "block": {
            "data": float(np.mean([blocks["data"](*s) for s in small])),
            "size": blocks["size"](*train),
            "data_size": blocks["size"](*test),
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--sets", nargs="+", default=[*MIXTURES])
    options = parser.parse_args()
    columns = ("trained", "untrained_factorized", "untrained_pairwise", "block")
    print(f"{'set':10s}seed" + "".join(f"{c:>22s}" for c in columns) + "   (Data)")
    rows = []
    for name in options.sets:
        for seed in options.seeds:
            rows.append(row(name, seed))
            values = "".join(f"{rows[-1][c]['data']:22.4f}" for c in columns)
            print(f"{name:10s}{seed:4d}{values}", flush=True)
    # The paper's own controls of these sets, untrained ones, are at about .5.
    two = [r for r in rows if r["data_set"] in ("Moons", "Circles", "Spirals")]
    for column in columns[1:]:
        if two:
            median = statistics.median(r[column]["data"] for r in two)
            print(f"median of the paper's two-class sets, {column}: {median:.3f}")
    write("controls", {"rows": rows})


if __name__ == "__main__":
    main()
