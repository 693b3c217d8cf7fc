"""One trajectory of every dynamics, with its gradients: ``python tests/golden/dynamics.py`` writes.

The file holds what goes in, too, so that it does not change with random numbers of another version.
Write it again only where an equation is meant to change, and say so in the changelog.
"""

from pathlib import Path

import numpy as np
import torch

from skkuranet.coupling import DenseCoupling
from skkuranet.dynamics import DYNAMICS, integrate

PATH = Path(__file__).with_suffix(".npz")
N, STEP, N_STEPS = 5, 0.05, 20
LAG = torch.tensor([0, 2, 1, 0, 3])

#: Parameters of each dynamics, and the lowest and the highest number that they are drawn from.
PARAMETERS = {
    "kuramoto": {"frequency": (-1, 1), "field": (-1, 1)},
    "sakaguchi": {"frequency": (-1, 1), "field": (-1, 1), "phase_lag": (-1, 1)},
    "daido": {"frequency": (-1, 1), "second": (0, 1)},
    "second_order": {"frequency": (-1, 1), "inertia": (0.5, 2), "damping": (0.5, 1)},
    "stuart_landau": {"growth": (0.5, 2), "frequency": (-3, 3)},
    "sphere": {"rotation": (-1, 1)},
    "theta_neurons": {"excitability": (-1, 1)},
    "hopfield": {"current": (-1, 1), "time_constant": (0.5, 2)},
    "sis": {"recovery": (0.5, 2), "susceptibility": (0.5, 2), "infectivity": (0.5, 2)},
}


def drawn(name):
    """Return couplings, an initial state and parameters, by name."""
    generator = np.random.default_rng(0)
    kind = DYNAMICS[name]()
    state = generator.uniform(0, 1, (*kind.state_shape, N))
    given = {
        "K": generator.uniform(0, 1, (N, N)),
        "state": kind.retract(torch.from_numpy(state)).numpy(),
    }
    for parameter, (low, high) in PARAMETERS[name].items():
        shape = kind.parameter_shapes.get(parameter, ())
        given[parameter] = generator.uniform(low, high, (*shape, N))
    return given


def run(name, given):
    """Return every fourth state of Heun's method with delays, and gradients of their squares."""
    leaves = {key: torch.from_numpy(value).requires_grad_() for key, value in given.items()}
    parameters = {key: leaves[key] for key in PARAMETERS[name]}
    states = integrate(
        DenseCoupling(leaves["K"]),
        leaves["state"],
        DYNAMICS[name](**parameters),
        delay=STEP * LAG,
        step_size=STEP,
        n_steps=N_STEPS,
        solver="heun",
    ).states[::4]
    states.square().sum().backward()
    gradients = {f"by {key}": leaf.grad.numpy() for key, leaf in leaves.items()}
    return {"states": states.detach().numpy(), **gradients}


def main():
    """Write all of them."""
    found = {}
    for name in DYNAMICS:
        given = drawn(name)
        for key, value in (given | run(name, given)).items():
            found[f"{name}/{key}"] = value
    np.savez_compressed(PATH, **found)


if __name__ == "__main__":
    main()
