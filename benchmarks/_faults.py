"""Oscillators with inertia on power grids: are they at rest, and what if a line is cut?"""

import numpy as np
import torch
from _examples import power_grids

from skkuranet.coupling import MeanDegree
from skkuranet.training import train

BUDGET, N_TRAIN = 8.0, 1000
# Nodes, grids and cuts of each.
SIZES = ((50, 20, 8), (500, 6, 10))
# Largest velocities of what counts as rest, long after the start and some time after a cut.
AT_REST, BACK_AT_REST = 0.02, 0.05


def figures(grids, network, n_cuts, seed):
    """Means over grids, and over the lines that were cut."""
    generator = torch.Generator().manual_seed(seed)
    coupling, path = power_grids.settle(grids, network, BUDGET, generator)
    before = path.states[..., 1, :].abs().amax((0, -1))
    largest, back = [], []
    for which in range(n_cuts):
        after = power_grids.after_a_cut(grids, coupling, path.states[-1], which, time=40.0)
        velocity = after.states[..., 1, :].abs().amax(-1)
        largest.append(velocity.amax(0))
        back.append(velocity[-round(5.0 / power_grids.STEP) :].amax(0) < BACK_AT_REST)
    return {
        "order_parameter": float(path.order_parameter().mean()),
        "at_rest": float((before < AT_REST).double().mean()),
        "largest_deviation": float(torch.stack(largest).mean()),
        "back_at_rest": float(torch.stack(back).double().mean()),
    }


def run(problem, seed):
    """Rows of one seed."""
    rng, generator = np.random.RandomState(seed), torch.Generator().manual_seed(seed)
    grids = power_grids.Grids(N_TRAIN, SIZES[0][0], rng)
    learned = power_grids.LineNetwork(torch.Generator().manual_seed(seed))
    train(
        learned,
        MeanDegree(BUDGET),
        grids.features,
        power_grids.Rest(grids),
        power_grids.PLAN,
        generator,
        graph=grids.edges,
    )
    rivals = {
        "uniform": power_grids.uniform,
        "untrained": power_grids.LineNetwork(torch.Generator().manual_seed(seed)),
        "by hand": power_grids.by_hand,
        "learned": learned,
    }
    rows = []
    for n, n_grids, n_cuts in SIZES:
        test = power_grids.Grids(n_grids, n, rng)
        for name, network in rivals.items():
            found = figures(test, network, n_cuts, seed)
            rows.append({"n": n, "couplings": name, **found})
    return rows
