"""Time and memory of networks from 10,000 to 10,000,000 oscillators, as JSON.

Factorised couplings of rank 8, 200 Euler steps, from node features to limit phases. Pairwise
couplings, exact: 10,000 oscillators in memory, and one step of 50,000 whose couplings are computed
block by block within 4 GB, without a normalisation; what 200 such steps take is extrapolated.

    OMP_NUM_THREADS=1 python benchmarks/sizes.py
"""

import argparse

import torch
from _common import measure, process_peak, write

from skkuranet.coupling import (
    Balanced,
    FactorizedNetwork,
    Identity,
    InDegree,
    PairwiseNetwork,
    couple,
)
from skkuranet.dynamics import integrate

N_STEPS = 200
BUDGET = 4 << 30


def run(network, normalization, n, n_steps, budget):
    """Couple n oscillators and integrate them; no gradients."""
    generator = torch.Generator().manual_seed(n)
    x = torch.randn((n, 2), generator=generator)
    start = 6.28 * torch.rand(n, generator=generator)

    def action():
        with torch.no_grad():
            coupling = couple(network, x, normalization, memory_budget=budget)
            integrate(coupling, start, step_size=1.0, n_steps=n_steps, save_from=n_steps)

    return {"n": n, "n_steps": n_steps, **measure(action)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**k for k in (4, 5, 6, 7)])
    options = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    factorised = FactorizedNetwork(2, rank=8, generator=generator).eval()
    pairwise = PairwiseNetwork(2, generator=generator).eval()
    rows = []
    for n in options.sizes:
        rows.append({"what": "factorised", **run(factorised, Balanced(), n, N_STEPS, 2 * BUDGET)})
        print(rows[-1], flush=True)
    rows.append({"what": "pairwise", **run(pairwise, InDegree(), 10_000, N_STEPS, BUDGET)})
    print(rows[-1], flush=True)
    tiled = {"what": "pairwise, tiled", **run(pairwise, Identity(), 50_000, 1, BUDGET)}
    tiled["seconds_of_200_steps"] = tiled["seconds"] * N_STEPS
    rows.append(tiled)
    print(rows[-1], flush=True)
    write("sizes", {"rows": rows, "process_peak_gigabytes": process_peak()})


if __name__ == "__main__":
    main()
