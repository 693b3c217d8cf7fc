"""The core beside that of an earlier commit: two processes that take turns on the same cases.

Run as a script this is one of the two, which answers every line that names a case by seconds.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Couplings, leading axes, oscillators, and whether sources have delays.
CASES = {
    "dense, n=1,000": ("dense", (), 1000, False),
    "factorised, n=10,000, r=16": ("factorised", (), 10_000, False),
    "dense, 4 x 100": ("dense", (4,), 100, False),
    "factorised, 4 x 100, r=16": ("factorised", (4,), 100, False),
    "dense, n=1,000, delays": ("dense", (), 1000, True),
    "dense, 4 x 100, delays": ("dense", (4,), 100, True),
}
N_STEPS, RANK = 100, 16
# A turn is the fastest of the runs in so many seconds.
SECONDS = 0.2


def before(commit, repeats):
    """Rows of today's seconds, of those of a commit, and of their ratio, the median of pairs."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        earlier = Path(folder) / "earlier"
        git("worktree", "add", "--detach", str(earlier), commit)
        stack.callback(git, "worktree", "remove", "--force", str(earlier))
        workers = [stack.enter_context(worker(tree)) for tree in (ROOT, earlier)]
        for case in CASES:
            turns = []
            for turn in range(repeats + 1):
                # Whoever is second finds a warmer machine.
                order = workers if turn % 2 else workers[::-1]
                seconds = {id(process): ask(process, case) for process in order}
                # The first turn warms up.
                if turn:
                    turns.append([seconds[id(process)] for process in workers])
            today, then = map(min, zip(*turns, strict=True))
            yield {
                "what": f"before, {case}",
                "commit": git("rev-parse", commit),
                "seconds": {"today": today, "before": then},
                "ratio": statistics.median(a / b for a, b in turns),
            }


def git(*command):
    done = subprocess.run(["git", *command], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@contextlib.contextmanager
def worker(tree):
    """A process that runs the code of a tree."""
    command = [sys.executable, __file__]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    # From the tree itself, not from where the package is installed.
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    with subprocess.Popen(command, env=environment, cwd=tree, **pipes) as process:
        if Path(process.stdout.readline().strip()).parents[1] != tree.resolve():
            raise RuntimeError(f"the package was not imported from {tree}")
        yield process
        process.stdin.close()


def ask(process, case):
    print(case, file=process.stdin, flush=True)
    return float(process.stdout.readline())


def flow(couplings, batch, n, delayed):
    """A flow of Kuramoto oscillators and its gradients, by what every commit has."""
    import torch

    from skkuranet.coupling import DenseCoupling, FactorizedCoupling
    from skkuranet.dynamics import integrate

    generator = torch.Generator().manual_seed(0)

    def normal(*shape, scale=1.0):
        return (scale * torch.randn(*batch, *shape, generator=generator)).requires_grad_()

    start, frequency = normal(n), normal(n)
    if couplings == "dense":
        make, tensors = DenseCoupling, [normal(n, n, scale=1 / n)]
    else:
        make, tensors = FactorizedCoupling, [normal(n, RANK, scale=1 / n), normal(n, RANK)]
    delay = {"delay": 0.1 * (torch.arange(n) % 5)} if delayed else {}

    def run():
        run = {"frequency": frequency, "n_steps": N_STEPS, "save_from": N_STEPS, **delay}
        phases = integrate(make(*tensors), start, **run).phases[-1]
        loss = (1.0 - torch.hypot(phases.cos().mean(-1), phases.sin().mean(-1))).sum()
        torch.autograd.grad(loss, [start, frequency, *tensors])

    return run


def fastest(action):
    """Seconds of the fastest run, of the time that the processor gives to this process."""
    end, best = time.perf_counter() + SECONDS, float("inf")
    while time.perf_counter() < end:
        begin = time.process_time()
        action()
        best = min(best, time.process_time() - begin)
    return best


def answer():
    import skkuranet

    print(Path(skkuranet.__file__).resolve(), flush=True)
    flows = {}
    for line in sys.stdin:
        case = line.strip()
        flows.setdefault(case, flow(*CASES[case]))
        print(fastest(flows[case]), flush=True)


if __name__ == "__main__":
    answer()
