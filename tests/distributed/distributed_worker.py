"""What every process of test_distributed.py does, started by torchrun."""

import os
import sys
from datetime import timedelta
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
import torch.distributed as dist
from sklearn.base import clone

from skkuranet import KuraNetClusterer, distributed
from skkuranet.coupling import (
    Balanced,
    EqualDegree,
    FactorizedNetwork,
    InDegree,
    MeanDegree,
    PairwiseNetwork,
)
from skkuranet.datasets import make_gaussian_ring
from skkuranet.dynamics import integrate
from skkuranet.objectives import ClusterObjective
from skkuranet.training import Curriculum, train
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


def stop_late(iteration, loss):
    return iteration == 3


def fail_late(iteration, loss):
    if iteration == 3:
        raise ZeroDivisionError("of a callback")


def trained(ranks, **options):
    network, x, _ = tensors("factorised")
    return train(
        network.float(),
        InDegree(2),
        x.float(),
        ClusterObjective(torch.arange(len(x)) % 3, 3),
        Curriculum(n_iterations=9),
        torch.Generator().manual_seed(0),
        ranks=ranks,
        **options,
    )


def fail_alone(ranks):
    """One process is given what is wrong: it says what, and so does the other."""
    X, y = make_gaussian_ring(3, 90, random_state=0)
    settings = {"max_iter": 9, "hidden_layer_sizes": (8,), "random_state": 0}
    fitted = KuraNetClusterer(**settings).fit(X, y)
    missing, good = np.full_like(X, np.nan), KuraNetClusterer(**settings)
    network, x, _ = tensors("factorised")
    for wrong, right, what in (
        (lambda: distributed.fit(good, missing, y), lambda: distributed.fit(good, X, y), "NaN"),
        (
            lambda: distributed.fit(clone(good).set_params(tol=-1), X, y),
            lambda: distributed.fit(good, X, y),
            "tol",
        ),
        (
            lambda: distributed.fit(clone(good).set_params(random_state=None), X, y),
            lambda: distributed.fit(good, X, y),
            "random_state",
        ),
        (
            lambda: distributed.simulate(fitted, missing, n_steps=3),
            lambda: distributed.simulate(fitted, X, n_steps=3),
            "NaN",
        ),
        (
            lambda: distributed.simulate(fitted, X, n_steps=3, initial_phases=[0.0]),
            lambda: distributed.simulate(fitted, X, n_steps=3),
            "initial_phases",
        ),
        (
            lambda: distributed.couple_sharded(network, x[:, :1], ranks=ranks),
            lambda: distributed.couple_sharded(network, x, ranks=ranks),
            "x must have 2 features",
        ),
        (
            lambda: trained(ranks, memory_budget=1),
            lambda: trained(ranks),
            "memory_budget",
        ),
        (lambda: trained(ranks, on_iteration=fail_late), lambda: trained(ranks), "of a callback"),
    ):
        with pytest.raises((ValueError, RuntimeError, ZeroDivisionError), match=what) as caught:
            (wrong if ranks.rank else right)()
        assert ranks.rank or "Process 1 of 2 raised" in str(caught.value)
    with pytest.raises(ValueError, match="the type of x: processes differ"):
        # Of two sizes, which gloo would end the process for.
        distributed.couple_sharded(network, x.float() if ranks.rank else x, ranks=ranks)
    with pytest.raises(ValueError, match="random_state: processes differ"):
        distributed.simulate(fitted, X, n_steps=3, random_state=ranks.rank)
    with pytest.raises(ValueError, match="name the classes differently"):
        distributed.fit(good, X, y + ranks.rank)
    return {}


def disagree(ranks):
    """Processes that differ: each is told so, and none waits for another."""
    X, y = make_gaussian_ring(3, 90, random_state=0)
    settings = {"max_iter": 9, "hidden_layer_sizes": (8,), "random_state": 0}
    for other in ({"n_reference": 30 + ranks.rank}, {"random_state": ranks.rank}):
        with pytest.raises(ValueError, match="different data or with different parameters"):
            distributed.fit(KuraNetClusterer(**{**settings, **other}), X, y)
    with pytest.raises(ValueError, match="different data or with different parameters"):
        distributed.fit(KuraNetClusterer(**settings), X + ranks.rank, y)
    fitted = distributed.fit(KuraNetClusterer(**settings), X, y)
    with pytest.raises(ValueError, match="processes differ"):
        distributed.simulate(fitted, X, n_steps=3 + ranks.rank)
    # Phases of two precisions.
    start = np.zeros(len(X), np.float64 if ranks.rank else np.float32)
    path = distributed.simulate(fitted, X, n_steps=3, initial_phases=start)
    assert path.phases.dtype == np.float64
    assert trained(ranks, on_iteration=stop_late if ranks.rank else None).n_iterations == 4
    return fail_alone(ranks)


def main(task, folder, dies_at):
    folder = Path(folder)
    where = {} if "MASTER_ADDR" in os.environ else {"init_method": f"file://{folder / 'meeting'}"}
    if where:
        where |= {"rank": int(os.environ["RANK"]), "world_size": int(os.environ["WORLD_SIZE"])}
    dist.init_process_group("gloo", timeout=timedelta(seconds=60), **where)
    ranks = Ranks()
    if task == "simulate":
        found = simulate(joblib.load(folder / "fitted.joblib"), ranks)
    elif task == "disagree":
        found = disagree(ranks)
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
