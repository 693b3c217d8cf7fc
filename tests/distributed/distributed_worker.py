"""What every process of test_distributed.py does, started by torchrun."""

import os
import sys
from datetime import timedelta
from pathlib import Path

import joblib
import numpy as np
import torch
import torch.distributed as dist
from sklearn.base import clone

from skkuranet import distributed
from skkuranet.coupling import (
    Balanced,
    EqualDegree,
    FactorizedNetwork,
    InDegree,
    MeanDegree,
    PairwiseNetwork,
)
from skkuranet.dynamics import integrate
from skkuranet.training._adamw import AdamW
from skkuranet.training._process_group import Ranks

# Networks with gradients of every kind of operator.
NETWORKS = {
    "factorised": (lambda g: FactorizedNetwork(2, (8,), rank=3, generator=g), InDegree(2)),
    "pairwise": (lambda g: PairwiseNetwork(2, (8,), generator=g), InDegree(1, 0.5)),
    "positive": (
        lambda g: PairwiseNetwork(2, (8,), symmetric=True, generator=g),
        MeanDegree(2.0, density_exponent=0.5),
    ),
    "equal": (lambda g: PairwiseNetwork(2, (8,), symmetric=True, generator=g), EqualDegree(2.0)),
    "equal, factorised": (
        lambda g: FactorizedNetwork(2, (8,), rank=3, form="nonnegative", generator=g),
        EqualDegree(2.0),
    ),
    "balanced": (lambda g: FactorizedNetwork(2, (8,), rank=3, generator=g), Balanced()),
}


def tensors(name, n=37):
    generator = torch.Generator().manual_seed(5)
    network = NETWORKS[name][0](generator).double()
    x = torch.randn((n, 2), generator=generator, dtype=torch.float64)
    return network, x, 6.0 * torch.rand(n, generator=generator, dtype=torch.float64)


def moved(coupling, start, save_from=20):
    leaves = [t.detach().requires_grad_() for t in (start, *coupling.tensors)]
    path = integrate(coupling, leaves[0], step_size=0.1, n_steps=20, save_from=save_from)
    return leaves[0], path.phases[-1]


def learned(network, coupling, start):
    """Gradients of a loss of the limit with respect to the weights of the network."""
    path = integrate(coupling, start, step_size=0.1, n_steps=20, save_from=20)
    return torch.autograd.grad(path.phases.square().sum(), list(network.parameters()))


def simulate(fitted, ranks):
    found = {}
    for name, (estimator, X) in fitted.items():
        X = X[distributed.local_rows(len(X))]
        path = distributed.simulate(estimator, X, n_steps=1)
        start = path.phases[0].astype(float)
        double = distributed.simulate(estimator, X, n_steps=60, initial_phases=start)
        sizes = ranks.sizes(len(X))
        for what, phases in {name: path.phases, f"{name}, double": double.phases}.items():
            found[what] = ranks.gather(torch.as_tensor(phases), sizes).numpy()
    for name, (_, normalization) in NETWORKS.items():
        network, x, start = tensors(name)
        own = ranks.share(len(x))
        with torch.no_grad():
            coupling = distributed.couple_sharded(network, x[own], normalization, ranks=ranks)
        begin, end = moved(coupling, start[own])
        (grad,) = torch.autograd.grad(end.square().sum(), begin)
        sizes = ranks.sizes(len(begin))
        found[f"{name} gradient"] = ranks.gather(grad, sizes).numpy()
        found[f"{name} phases"] = ranks.gather(end.detach(), sizes).numpy()
        coupling = distributed.couple_sharded(network, x[own], normalization, ranks=ranks)
        for i, grad in enumerate(learned(network, coupling, start[own])):
            found[f"{name} weights {i}"] = ranks.all_reduce(grad).numpy()
    return found


def main(task, folder, dies_at):
    folder = Path(folder)
    where = {} if "MASTER_ADDR" in os.environ else {"init_method": f"file://{folder / 'meeting'}"}
    if where:
        where |= {"rank": int(os.environ["RANK"]), "world_size": int(os.environ["WORLD_SIZE"])}
    dist.init_process_group("gloo", timeout=timedelta(seconds=60), **where)
    ranks = Ranks()
    if task == "simulate":
        found = simulate(joblib.load(folder / "fitted.joblib"), ranks)
    else:
        estimator, data = joblib.load(folder / "task.joblib")
        if ranks.rank == 1 and dies_at:
            draws, step = [], AdamW.step

            def dying(self, *args, **kwargs):
                draws.append(0)
                if len(draws) == dies_at:
                    os._exit(1)
                return step(self, *args, **kwargs)

            AdamW.step = dying
        fitted = distributed.fit(clone(estimator), *data)
        found = {"loss_curve": fitted.loss_curve_, "phases": fitted.reference_phases_}
    if ranks.rank == 0:
        np.savez(folder / f"{task}.npz", **found)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
