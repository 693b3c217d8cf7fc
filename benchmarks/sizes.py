"""Time and memory of networks from 10,000 to 10,000,000 oscillators, as JSON.

Factorised couplings of rank 8, 200 Euler steps, from node features to limit phases. Pairwise
couplings, exact: 10,000 oscillators in memory, and one step of 50,000 whose couplings are computed
block by block within 4 GB, without a normalisation; what 200 such steps take is extrapolated.

    OMP_NUM_THREADS=1 python benchmarks/sizes.py
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

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

KINDS = {
    "factorised": lambda generator: (FactorizedNetwork(2, rank=8, generator=generator), Balanced()),
    "pairwise": lambda generator: (PairwiseNetwork(2, generator=generator), InDegree()),
    "pairwise, tiled": lambda generator: (PairwiseNetwork(2, generator=generator), Identity()),
}
N_STEPS = 200
BUDGET = 4 << 30


def run(what, n, n_steps, budget):
    """Couple n oscillators and integrate them; no gradients."""
    generator = torch.Generator().manual_seed(0)
    network, normalization = KINDS[what](generator)
    network.eval()
    generator.manual_seed(n)
    x = torch.randn((n, 2), generator=generator)
    start = 6.28 * torch.rand(n, generator=generator)

    def action():
        with torch.no_grad():
            coupling = couple(network, x, normalization, memory_budget=budget)
            integrate(coupling, start, step_size=1.0, n_steps=n_steps, save_from=n_steps)

    measured = measure(action)
    return {
        "what": what,
        "n": n,
        "n_steps": n_steps,
        **measured,
        "process_peak_gigabytes": process_peak(),
    }


def alone(*arguments):
    """``run`` in a process of its own, where no memory lies about that others have freed."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        row = pool.submit(run, *arguments).result()
    print(row, flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**k for k in (4, 5, 6, 7)])
    options = parser.parse_args()
    rows = [alone("factorised", n, N_STEPS, 2 * BUDGET) for n in options.sizes]
    rows.append(alone("pairwise", 10_000, N_STEPS, BUDGET))
    tiled = alone("pairwise, tiled", 50_000, 1, BUDGET)
    tiled["seconds_of_200_steps"] = tiled["seconds"] * N_STEPS
    write("sizes", {"rows": [*rows, tiled]})


if __name__ == "__main__":
    main()
