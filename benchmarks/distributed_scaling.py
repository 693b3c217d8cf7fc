"""Seconds for a step of one network that 1, 2 ... processes share, as JSON.

Every process has one thread; gloo on one machine. Factorised couplings of rank 16 for 4,000,000
oscillators, stored pairwise couplings for 10,000.

    python benchmarks/distributed_scaling.py [--processes 1 2]
"""

import argparse
import json
import os
import subprocess
import sys
import time

import torch
import torch.distributed as dist
from _common import RESULTS, write

from skkuranet.coupling import Balanced, FactorizedNetwork, MeanDegree, PairwiseNetwork
from skkuranet.distributed import Ranks, couple_sharded
from skkuranet.dynamics import integrate

N_STEPS, PART = 50, RESULTS / "distributed_scaling.part"


def networks():
    generator = torch.Generator().manual_seed(0)
    small = PairwiseNetwork(2, (16,), symmetric=True, generator=generator)
    return {
        "factorised": (FactorizedNetwork(2, generator=generator), Balanced(), 4_000_000),
        "pairwise": (small, MeanDegree(), 10_000),
    }


def one_process():
    """What each process does; the first one notes how long it took."""
    dist.init_process_group("gloo")
    torch.set_num_threads(1)
    ranks, seconds = Ranks(), {}
    for name, (network, normalization, n) in networks().items():
        share = ranks.share(n)
        generator = torch.Generator().manual_seed(ranks.rank)
        x = torch.randn((share.stop - share.start, 2), generator=generator)
        with torch.no_grad():
            coupling = couple_sharded(network, x, normalization, ranks=ranks, memory_budget=4 << 30)
            start = 6.28 * torch.rand(len(x), generator=generator)
            run = {"step_size": 0.1, "save_from": N_STEPS, "n_steps": N_STEPS}
            integrate(coupling, start, step_size=0.1, n_steps=2)
            dist.barrier()
            begin = time.perf_counter()
            integrate(coupling, start, **run)
            dist.barrier()
            seconds[name] = (time.perf_counter() - begin) / N_STEPS
    if ranks.rank == 0:
        PART.write_text(json.dumps(seconds))
    dist.destroy_process_group()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    rows = []
    for count in options.processes:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += [f"--nproc-per-node={count}", __file__, "--worker"]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        rows.append({"processes": count, "seconds_per_step": json.loads(PART.read_text())})
        PART.unlink()
        first = rows[0]["seconds_per_step"]
        rows[-1]["faster"] = {k: first[k] / v for k, v in rows[-1]["seconds_per_step"].items()}
        print(rows[-1], flush=True)
    sizes = {name: n for name, (_, _, n) in networks().items()}
    write("distributed_scaling", {"rows": rows, "oscillators": sizes})


if __name__ == "__main__":
    if "--worker" in sys.argv:
        one_process()
    else:
        main()
