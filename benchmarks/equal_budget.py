"""Loss at the limit against seconds of training: the defaults beside the published recipe, as JSON.

All train on the same core, one thread and 2,000 nodes; what the published recipe takes in the
authors' own code is about twice as long (see speed.py). Weights are noted every few iterations and
scored afterwards, by 20 networks of 100 test nodes after 500 units of time.

    OMP_NUM_THREADS=1 python benchmarks/equal_budget.py [--seeds 0 1 2] [--seconds 60]
"""

import argparse
import copy
import sys
import time
from pathlib import Path

import numpy as np
import torch
from _common import MIXTURES, write

from skkuranet.coupling import Balanced, FactorizedNetwork, InDegree, PairwiseNetwork, couple
from skkuranet.dynamics import integrate
from skkuranet.objectives import ClusterObjective
from skkuranet.training import Curriculum, train

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
from paper_settings import (
    PAPER_NORMALIZATION,
    PaperCurriculum,
    paper_network,
    paper_objective,
)

N_TRAIN, N_NETWORKS, SIZE, LIMIT = 2000, 20, 100, 500.0

# Network, normalisation, objective and curriculum of each recipe.
RECIPES = {
    "published recipe": lambda k, g: (
        paper_network(2, g),
        PAPER_NORMALIZATION,
        lambda labels: paper_objective(labels, k),
        PaperCurriculum(n_iterations=10_000),
    ),
    "pairwise": lambda k, g: (
        PairwiseNetwork(2, generator=g),
        InDegree(density_exponent=0.5),
        lambda labels: ClusterObjective(labels, k),
        Curriculum(tolerance=0.0),
    ),
    "factorised": lambda k, g: (
        FactorizedNetwork(2, rank=max(16, 2 * k), generator=g),
        Balanced(),
        lambda labels: ClusterObjective(labels, k),
        Curriculum(tolerance=0.0),
    ),
}


def limit_loss(network, normalization, objective, X, step_size):
    """Cluster synchrony loss of networks of test nodes."""
    index = torch.arange(N_NETWORKS * SIZE).view(N_NETWORKS, SIZE)
    start = objective.initial_phases(index, 0.0, torch.Generator().manual_seed(1))
    n_steps = round(LIMIT / step_size)
    with torch.no_grad():
        coupling = couple(network, X[index], normalization)
        path = integrate(coupling, start, step_size=step_size, n_steps=n_steps, save_from=n_steps)
        return float(objective.limit_loss(path.phases, index))


def curve(recipe, name, seed, budget, every):
    rng = np.random.RandomState(seed)
    (X, y), (X_test, y_test) = (MIXTURES[name](rng) for _ in range(2))
    X, X_test = (torch.tensor(a) for a in (X[:N_TRAIN], X_test[: N_NETWORKS * SIZE]))
    y, y_test = (torch.tensor(a) for a in (y[:N_TRAIN], y_test[: N_NETWORKS * SIZE]))
    k = int(y.max()) + 1
    generator = torch.Generator().manual_seed(seed)
    network, normalization, wanted, plan = RECIPES[recipe](k, generator)
    network.standardize(X.mean(0), X.std(0))
    noted, seconds = [], []
    began, spent = time.perf_counter(), 0.0

    def note(iteration, loss):
        nonlocal spent
        now = time.perf_counter()
        if iteration % every == 0:
            seconds.append(now - began - spent)
            noted.append(copy.deepcopy(network.state_dict()))
        # What noting takes is not training.
        spent += time.perf_counter() - now
        return now - began - spent > budget

    train(network, normalization, X, wanted(y), plan, generator, on_iteration=note)
    losses = []
    for state in noted:
        network.load_state_dict(state)
        network.anneal(1.0)
        losses.append(limit_loss(network, normalization, wanted(y_test), X_test, plan.step_size))
    return {"recipe": recipe, "data_set": name, "seed": seed, "seconds": seconds, "loss": losses}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=["Moons", "GMM5"], choices=[*MIXTURES])
    parser.add_argument("--seconds", type=float, default=60.0, help="of training, at most")
    parser.add_argument("--every", type=int, default=20, help="iterations between scores")
    options = parser.parse_args()
    rows = []
    for name in options.sets:
        for seed in options.seeds:
            for recipe in RECIPES:
                made = curve(recipe, name, seed, options.seconds, options.every)
                rows.append(made)
                end = f"{made['seconds'][-1]:.1f} s, loss {made['loss'][-1]:.4f}"
                print(f"{name:8s}{seed:3d}  {recipe:18s} {end}", flush=True)
    write("equal_budget", {"rows": rows})


if __name__ == "__main__":
    main()
