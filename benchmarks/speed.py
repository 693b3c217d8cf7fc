"""Speed of the core beside torchdiffeq, torch itself and the authors' code, as ratios in one run.

Rivals take turns, and medians are compared. torchdiffeq integrates the same Euler flow, once
with the n² sines of the equation and once with the products that the angle-sum identity leaves,
and autograd differentiates both. What the authors' code takes for a batch was measured apart, with
one thread on a machine of this kind.

    OMP_NUM_THREADS=1 python benchmarks/speed.py [--repeats 7]
        [--against COMMIT] [--oscillatools PYTHON]

``--against`` also times the core of an earlier commit beside today's (``_speed_before.py``), and
``--oscillatools`` a toolkit of the same field, in an environment of its own
(``_speed_oscillatools.py``).
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import time

import torch
from _common import medians, peak, write
from _speed_before import before
from _speed_dynamics import other_dynamics
from _speed_oscillatools import beside_oscillatools
from torchdiffeq import odeint

from skkuranet.coupling import (
    Balanced,
    DenseCoupling,
    FactorizedCoupling,
    FactorizedNetwork,
    HalfCoupling,
    InDegree,
    PairwiseNetwork,
    couple,
)
from skkuranet.dynamics import integrate
from skkuranet.objectives import ClusterObjective
from skkuranet.training import Curriculum, train

N_STEPS, STEP = 100, 0.1
# Seconds for a batch of 100 oscillators with 128 hidden units and 100 steps, adjoint=False.
AUTHORS = 0.093


def gradients(phases, leaves):
    """Gradients of a scalar of the limit, as fitting needs them."""
    loss = 1.0 - torch.hypot(phases.cos().mean(), phases.sin().mean())
    return torch.autograd.grad(loss, leaves)


def ours(make, start, leaves):
    path = integrate(make(*leaves), start, step_size=STEP, n_steps=N_STEPS, save_from=N_STEPS)
    return gradients(path.phases[-1], leaves)


def theirs(rate, start, leaves):
    times = torch.arange(N_STEPS + 1, dtype=start.dtype) * STEP
    path = odeint(lambda t, phases: rate(phases, *leaves), start, times, method="euler")
    return gradients(path[-1], leaves)


def sines(phases, K):
    return (K * torch.sin(phases - phases.unsqueeze(-1))).sum(-1)


def angle_sums(phases, K):
    cosine, sine = phases.cos(), phases.sin()
    return cosine * (K @ sine) - sine * (K @ cosine)


def low_rank(phases, left, right):
    cosine, sine = phases.cos(), phases.sin()
    return cosine * (left @ (right.mT @ sine)) - sine * (left @ (right.mT @ cosine))


def flow(name, make, rates, leaves, repeats):
    generator = torch.Generator().manual_seed(1)
    start = 6.28 * torch.rand(leaves[0].shape[0], generator=generator)
    leaves = [leaf.requires_grad_() for leaf in leaves]
    actions = {"skkuranet": lambda: ours(make, start, leaves)} | {
        rival: lambda rate=rate: theirs(rate, start, leaves) for rival, rate in rates.items()
    }
    memory = {name: peak(action) for name, action in actions.items()}
    seconds = medians(actions, repeats)
    exact = [leaf.detach().double().requires_grad_() for leaf in leaves]
    wanted = theirs(list(rates.values())[-1], start.double(), exact)
    found = ours(make, start.double(), exact)
    error = max(float((a - b).abs().max()) for a, b in zip(found, wanted, strict=True))
    return {
        "what": name,
        "seconds": seconds,
        "gigabytes": memory,
        "faster": {r: seconds[r] / seconds["skkuranet"] for r in rates},
        "memory_share": {r: memory["skkuranet"] / memory[r] for r in rates},
        "gradient_error_float64": error,
    }


def flows(repeats):
    generator = torch.Generator().manual_seed(0)
    dense = torch.randn(1000, 1000, generator=generator) / 1000
    factors = [torch.randn(10_000, 16, generator=generator) / 400 for _ in range(2)]
    rates = {"torchdiffeq, sines": sines, "torchdiffeq, angle sums": angle_sums}
    yield flow("dense, n=1,000", DenseCoupling, rates, [dense], repeats)
    rates = {"torchdiffeq, angle sums": low_rank}
    yield flow("factorised, n=10,000, r=16", FactorizedCoupling, rates, factors, repeats)


def pair_network(repeats):
    n, width = 2000, 128
    generator = torch.Generator().manual_seed(0)
    network = PairwiseNetwork(2, (width, width), generator=generator).eval()
    x = torch.randn(n, 2, generator=generator)
    # What one tile of pairs comes to, in one product.
    rows, weights = torch.randn(2048, width), torch.randn(width, width)

    def evaluate():
        with torch.no_grad():
            network(x, x)

    def products():
        for _ in range(200):
            rows @ weights

    seconds = medians({"network": evaluate, "mm": products}, repeats)
    rate = {
        "network": 2.0 * n * n * (width * width + width) / seconds["network"] / 1e9,
        "mm": 200 * 2.0 * len(rows) * width * width / seconds["mm"] / 1e9,
    }
    share = rate["network"] / rate["mm"]
    return {"what": "pair network, n=2,000", "gflops": rate, "share_of_mm": share}


def half(repeats):
    """Couplings evaluated and stored in bfloat16, beside single precision."""
    generator = torch.Generator().manual_seed(0)
    network = PairwiseNetwork(2, generator=generator).eval()
    x = torch.randn(2000, 2, generator=generator)
    K, phasors = torch.randn(10_000, 10_000) / 10_000, torch.randn(2, 10_000)
    single, stored = DenseCoupling(K), HalfCoupling(K.bfloat16())
    with torch.no_grad():
        actions = {
            "network, single": lambda: couple(network, x),
            "network, bfloat16": lambda: couple(network, x, storage=torch.bfloat16),
            "product, single": lambda: single.matvec(phasors),
            "product, bfloat16": lambda: stored.matvec(phasors),
        }
        seconds = medians(actions, repeats)
        exact = couple(network, x).dense()
        rounded = couple(network, x, storage=torch.bfloat16).dense()
    return {
        "what": "bfloat16",
        "seconds": seconds,
        "faster": {
            what: seconds[f"{what}, single"] / seconds[f"{what}, bfloat16"]
            for what in ("network", "product")
        },
        "relative_error_of_couplings": float((rounded - exact).norm() / exact.norm()),
    }


def batch(network, normalization, n_networks):
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(2000, 2, generator=generator)
    labels = torch.arange(2000) % 5
    plan = Curriculum(
        n_iterations=40, batch_size=n_networks, n_steps=N_STEPS, check_every=1000, limit_time=1.0
    )
    times = []

    def note(iteration, loss):
        times.append(time.perf_counter())
        return False

    objective = ClusterObjective(labels, 5)
    train(network, normalization, X, objective, plan, generator, on_iteration=note)
    # The last iterations have the whole horizon.
    laps = [b - a for a, b in itertools.pairwise(times)]
    return statistics.median(laps[32:])


def batches(repeats):
    def median_of(make):
        return statistics.median(batch(*make()) for _ in range(repeats))

    seconds = {
        "pairwise, one network": median_of(lambda: (PairwiseNetwork(2), InDegree(), 1)),
        "factorised, four networks": median_of(lambda: (FactorizedNetwork(2), Balanced(), 4)),
    }
    faster = {name: AUTHORS / value for name, value in seconds.items()}
    # A batch of the authors is one network.
    each = {name: value * (4 if "four" in name else 1) for name, value in faster.items()}
    return {
        "what": "training batch",
        "seconds": seconds,
        "authors_seconds": AUTHORS,
        "faster_than_authors": faster,
        "faster_than_authors_per_network": each,
    }


def bandwidth(repeats):
    n = 10_000
    K = torch.randn(n, n) / n
    operator, x, copy = DenseCoupling(K), torch.randn(2, n), torch.empty_like(K)
    actions = {
        "one vector": lambda: operator.matvec(x[:1]),
        # What a step takes; the matrix is read once, but is multiplied twice.
        "cosines and sines": lambda: operator.matvec(x),
        "copy": lambda: copy.copy_(K),
    }
    seconds = medians(actions, repeats)
    # A copy reads and writes.
    rate = {k: (1 + (k == "copy")) * K.nbytes / 1e9 / v for k, v in seconds.items()}
    share = {k: v / rate["copy"] for k, v in rate.items() if k != "copy"}
    return {"what": "dense matvec, n=10,000", "gigabytes_per_s": rate, "share_of_copy": share}


def imports(repeats):
    def imported(statement):
        return lambda: subprocess.run([sys.executable, "-c", statement], check=True)

    actions = {
        "skkuranet": imported("import skkuranet"),
        "torch and scikit-learn": imported("import torch, sklearn.cluster, sklearn.preprocessing"),
    }
    seconds = medians(actions, repeats)
    ratio = seconds["skkuranet"] / seconds["torch and scikit-learn"]
    return {"what": "import", "seconds": seconds, "ratio": ratio}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--against", metavar="COMMIT", help="an earlier commit")
    parser.add_argument("--oscillatools", metavar="PYTHON", help="an interpreter that has it")
    options = parser.parse_args()
    repeats = options.repeats
    parts = [flows(repeats), other_dynamics(repeats)]
    if options.against:
        parts.append(before(options.against, repeats))
    if options.oscillatools:
        parts.append(beside_oscillatools(options.oscillatools, repeats))
    parts.append(f(repeats) for f in (pair_network, half, batches, bandwidth, imports))
    rows = []
    for row in itertools.chain(*parts):
        print(row, flush=True)
        rows.append(row)
    write("speed", {"rows": rows})


if __name__ == "__main__":
    main()
