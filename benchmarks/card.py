"""What a CUDA card does in how much time and memory, as JSON that names the card.

Everything is timed after a first run that warms up, and the card is waited for. Copying a large
array and multiplying large matrices say what the card can do; the rest is told as a share of it.

    python benchmarks/card.py [--to FOLDER] [--parts NAME ...] [--gigabytes 16] [--rehearse]

``--gigabytes`` lets the process have no more memory than a smaller card has, and ``--rehearse``
does all of it at small sizes on a processor, to see that it runs.
"""

import argparse
import json
import statistics
import time
import traceback
from pathlib import Path

import torch
from _card_kernels import kernels
from _card_learning import compiled, fits, predictions, training
from _common import RESULTS, versions
from torchdiffeq import odeint

from skkuranet.coupling import (
    Balanced,
    DenseCoupling,
    FactorizedNetwork,
    Identity,
    InDegree,
    PairwiseNetwork,
    couple,
)
from skkuranet.dynamics import integrate

STEP = 0.1
# Seconds that nobody waits for twice.
LONG = 3.0
# Steps of a factorised network, as in sizes.py.
N_STEPS = 200


class Card:
    """The device, and how much smaller everything is where it is only rehearsed."""

    def __init__(self, *, rehearsed):
        self.rehearsed = rehearsed
        self.device = torch.device("cpu" if rehearsed else "cuda")
        self.name = "rehearsal" if rehearsed else torch.cuda.get_device_name()
        self.limits = {}

    def size(self, n, small):
        return small if self.rehearsed else n

    def wait(self):
        if not self.rehearsed:
            torch.cuda.synchronize()

    def random(self, *shape, dtype=torch.float32):
        generator = torch.Generator(self.device).manual_seed(0)
        made = torch.empty(shape, dtype=dtype, device=self.device)
        return made.normal_(generator=generator)

    def once(self, action):
        """Seconds and gigabytes of an action, and what it returns."""
        self.wait()
        if not self.rehearsed:
            torch.cuda.reset_peak_memory_stats()
        begin = time.perf_counter()
        result = action()
        self.wait()
        seconds = time.perf_counter() - begin
        peak = 0 if self.rehearsed else torch.cuda.max_memory_allocated()
        return {"seconds": seconds, "gigabytes": peak / 1e9}, result

    def median(self, action, repeats=5):
        """Median of several runs after one, which alone counts if it takes long."""
        first, _ = self.once(action)
        if first["seconds"] > LONG:
            return first
        runs = [self.once(action)[0] for _ in range(repeats)]
        seconds = statistics.median(run["seconds"] for run in runs)
        return {"seconds": seconds, "gigabytes": runs[-1]["gigabytes"]}

    def copied(self, n_bytes):
        """Share of the rate of copying at which so many bytes a second are read or written."""
        return n_bytes / 1e9 / self.limits["copy_gigabytes_per_s"]


def limits(card):
    """What the card can do at most."""
    big = card.random(card.size(1 << 30, 1 << 20))
    other = torch.empty_like(big)
    seconds = card.median(lambda a=big, b=other: b.copy_(a))["seconds"]
    found = {"copy_gigabytes_per_s": 2 * big.nbytes / seconds / 1e9}
    del big, other
    n = card.size(8192, 256)
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (card.random(n, n).to(dtype) for _ in range(2))
        seconds = card.median(lambda a=a, b=b: a @ b)["seconds"]
        found[f"teraflops_{str(dtype)[6:]}"] = 2 * n**3 / seconds / 1e12
    card.limits = found
    yield {"what": "limits of the card", **found}


def factorised(card):
    """Networks of any size, from features to limit phases."""
    sizes = [10**k for k in range(4, 9)] if not card.rehearsed else [10**4]
    network = FactorizedNetwork(2, rank=8, generator=torch.Generator().manual_seed(0))
    network = network.to(card.device).eval().requires_grad_(False)
    for n in sizes:
        x, start = card.random(n, 2), card.random(n)
        options = {"memory_budget": 2**40}
        couple(network, x, Balanced(), **options)
        built, coupling = card.once(
            lambda x=x, options=options: couple(network, x, Balanced(), **options)
        )
        steps = {"step_size": 1.0, "n_steps": N_STEPS, "save_from": N_STEPS, "check_step": False}
        run = card.median(
            lambda coupling=coupling, start=start, steps=steps: integrate(coupling, start, **steps),
            repeats=3,
        )
        # Both factors and the phases are read, and the phases written.
        least = 4 * n * (2 * coupling.rank + 2) * N_STEPS
        yield {
            "what": "factorised, 200 steps",
            "n": n,
            "build_seconds": built["seconds"],
            "build_gigabytes": built["gigabytes"],
            **run,
            "share_of_copy": card.copied(least / run["seconds"]),
        }
        del coupling, x, start


def step_seconds(card, coupling, n, few=2, many=12):
    """Seconds of a step, without what a solve costs once."""
    start = card.random(n)

    def run(n_steps):
        integrate(
            coupling, start, step_size=STEP, n_steps=n_steps, save_from=n_steps, check_step=False
        )

    run(1)
    times = [card.median(lambda k=k: run(k), repeats=3)["seconds"] for k in (few, many)]
    return (times[1] - times[0]) / (many - few)


def pairwise(card):
    """Exact couplings of all pairs, stored, and one network that is tiled."""
    network = PairwiseNetwork(5, generator=torch.Generator().manual_seed(0))
    network = network.to(card.device).eval().requires_grad_(False)
    few, whole = card.size(10_000, 500), card.size(154_401, 801)
    plain = InDegree(symmetrize=False)
    cases = [
        (few, None, plain),
        (few, torch.bfloat16, plain),
        (few, torch.bfloat16, InDegree()),
        (whole, torch.bfloat16, plain),
    ]
    for n, storage, normalization in cases:
        x = card.random(n, 5)
        options = {"storage": storage, "memory_budget": 2**40}
        built, coupling = card.once(
            lambda x=x, normalization=normalization, options=options: couple(
                network, x, normalization, **options
            )
        )
        seconds = step_seconds(card, coupling, n)
        n_bytes = n * n * (2 if storage else 4)
        read = 1e-9 * n_bytes / card.limits["copy_gigabytes_per_s"]
        yield {
            "what": f"pairwise, {type(normalization).__name__}",
            "symmetrised": getattr(normalization, "symmetrize", False),
            "n": n,
            "storage": "float32" if storage is None else str(storage)[6:],
            "build_seconds": built["seconds"],
            "build_teraflops": 2 * n * n * (128 * 128 + 128) / built["seconds"] / 1e12,
            "build_gigabytes": built["gigabytes"],
            "step_seconds": seconds,
            "step_by_reading_once": seconds / read,
            "share_of_copy": card.copied(n_bytes / seconds),
        }
        del coupling, x
    n = card.size(40_000, 1500)
    x = card.random(n, 5)
    tiled = couple(network, x, Identity(), memory_budget=card.size(2**30, 2**20))
    vectors = card.random(2, n)
    once, _ = card.once(lambda: tiled.matvec(vectors))
    yield {"what": f"pairwise, {type(tiled).__name__}, one product", "n": n, **once}


def angle_sums(phases, K):
    cosine, sine = phases.cos(), phases.sin()
    return cosine * (K @ sine) - sine * (K @ cosine)


def gradients(card):
    """Gradients of 100 Euler steps, beside torchdiffeq."""
    for n in (card.size(1000, 100), card.size(10_000, 200)):
        K = (card.random(n, n) / n).requires_grad_()
        start = card.random(n)
        times = torch.arange(101, device=card.device) * STEP

        def ours(K=K, start=start):
            path = integrate(DenseCoupling(K), start, n_steps=100, save_from=100)
            return torch.autograd.grad(path.phases[-1].cos().mean(), K)[0]

        def theirs(K=K, start=start, times=times):
            path = odeint(lambda t, phases: angle_sums(phases, K), start, times, method="euler")
            return torch.autograd.grad(path[-1].cos().mean(), K)[0]

        error = float((ours() - theirs()).norm() / theirs().norm())
        mine, other = card.median(ours, 3), card.median(theirs, 3)
        yield {
            "what": "gradients of 100 steps",
            "n": n,
            **mine,
            "torchdiffeq": other,
            "torchdiffeq_by_ours": other["seconds"] / mine["seconds"],
            "relative_difference": error,
        }


PARTS = {
    "limits": limits,
    "kernels": kernels,
    "training": training,
    "factorised": factorised,
    "pairwise": pairwise,
    "gradients": gradients,
    "fits": fits,
    "predictions": predictions,
    "compiled": compiled,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument("--gigabytes", type=float, help="memory of a smaller card")
    parser.add_argument("--rehearse", action="store_true")
    options = parser.parse_args()
    card = Card(rehearsed=options.rehearse)
    if options.gigabytes:
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(options.gigabytes * 1e9 / whole)
    rows, name = [], "card_rehearsal" if card.rehearsed else "card"
    name += "_small" if options.gigabytes else ""
    names = [part for part in PARTS if part in {"limits", *options.parts}]
    for part in names:
        begin = time.perf_counter()
        try:
            for row in PARTS[part](card):
                print(json.dumps(row), flush=True)
                rows.append(row)
        except Exception as error:  # What has been measured so far is worth keeping.
            print(traceback.format_exc(), flush=True)
            rows.append({"what": f"{part} failed", "error": f"{type(error).__name__}: {error}"})
        if not card.rehearsed:
            torch.cuda.empty_cache()
        print(f"{part}: {time.perf_counter() - begin:.1f} s", flush=True)
        found = {"card": card.name, "gigabytes": options.gigabytes, **versions(), "rows": rows}
        (options.to / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
