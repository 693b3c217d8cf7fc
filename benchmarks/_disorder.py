"""Frequencies with phase lags, and with noise: what the estimator makes of one more column."""

import math

import numpy as np
import torch
from global_synchrony import by, uniform

from skkuranet import KuraNetSynchronizer
from skkuranet.coupling import FactorizedNetwork
from skkuranet.dynamics import Kuramoto, Sakaguchi, integrate
from skkuranet.losses import circular_variance

N_TRAIN, N_TEST, SIZES = 5000, 2000, (100, 1000)
STEP, N_STEPS, N_SCORED = 0.1, 3000, 1000


def lags(n, rng):
    """The phase lag of each node."""
    return rng.uniform(-1.0, 1.0, n)


def strengths(n, rng):
    """Half of the nodes are quiet and half are loud."""
    return rng.permutation(np.where(np.arange(n) % 2, 0.8, 0.1))


# Of each problem what the second column holds, what tells the estimator so, and how nodes move.
PROBLEMS = {
    "phase lags": (
        lags,
        {"dynamics": "sakaguchi", "columns": {"phase_lag": 1}},
        lambda x, generator: {"dynamics": Sakaguchi(x[..., 0], phase_lag=x[..., 1])},
    ),
    "noise": (
        strengths,
        {"columns": {"noise": 1}},
        lambda x, generator: {
            "dynamics": Kuramoto(x[..., 0]),
            "noise": x[..., 1],
            "generator": generator,
        },
    ),
}


def variance(coupled, x, motion, generator):
    """V of networks of nodes, (B, n, 2), under the couplings that ``coupled`` makes of them."""
    start = 2.0 * math.pi * torch.rand(x.shape[:-1], generator=generator)
    with torch.no_grad():
        path = integrate(
            coupled(x),
            start,
            **motion(x.float(), generator),
            step_size=STEP,
            n_steps=N_STEPS,
            save_from=N_STEPS - N_SCORED,
        )
    return float(circular_variance(path.phases).mean())


def run(problem, seed):
    """Rows of one seed."""
    column, told, motion = PROBLEMS[problem]
    rng = np.random.RandomState(seed)

    def draw(n):
        return np.column_stack((rng.uniform(-0.5, 0.5, n), column(n, rng)))

    train = draw(N_TRAIN)
    trained = KuraNetSynchronizer(random_state=seed, verbose=0, **told).fit(train)
    blind = KuraNetSynchronizer(random_state=seed, verbose=0).fit(train)
    generator = torch.Generator().manual_seed(seed)
    untrained = FactorizedNetwork(2, rank=32, form="nonnegative", generator=generator)
    untrained.standardize(*(torch.as_tensor(f(train, axis=0)) for f in (np.mean, np.std)))
    rivals = {
        "uniform": uniform,
        "untrained": by(untrained, trained.normalization_),
        f"trained without {problem}": by(blind.coupling_, blind.normalization_),
        "learned": by(trained.coupling_, trained.normalization_),
    }
    rows = []
    for n in SIZES:
        # All see the same nodes, start alike and have the same noise.
        test = torch.as_tensor(draw(N_TEST)).view(-1, n, 2)
        for name, coupled in rivals.items():
            generator.manual_seed(seed + 1000)
            found = variance(coupled, test, motion, generator)
            rows.append({"n": n, "couplings": name, "variance": found})
    return rows
