"""What may be turned before or after is the same: random networks, batches and angles."""

import math

import pytest
import torch
from contracts.draws import normal, uniform

from skkuranet.coupling import DenseCoupling
from skkuranet.dynamics import (
    Daido,
    Kuramoto,
    Sakaguchi,
    SecondOrder,
    Sphere,
    StuartLandau,
    integrate,
)


def phases_turned(state, angle):
    return state + angle


def first_row_turned(state, angle):
    phase, velocity = state.unbind(-2)
    return torch.stack((phase + angle, velocity), -2)


def plane_turned(state, angle):
    (x, y), cosine, sine = state.unbind(-2), math.cos(angle), math.sin(angle)
    return torch.stack((cosine * x - sine * y, sine * x + cosine * y), -2)


def space_turned(state, angle):
    rotation = torch.linalg.matrix_exp(angle * (normal(3, 3) - normal(3, 3).mT))
    return rotation @ state


#: Units of some frequencies w and another number a, and how all their states are turned.
TURNED = {
    "kuramoto": (lambda w, a: Kuramoto(w), phases_turned),
    "sakaguchi": (lambda w, a: Sakaguchi(w, phase_lag=a), phases_turned),
    "daido": (lambda w, a: Daido(w, a), phases_turned),
    "second order": (lambda w, a: SecondOrder(w, 1.0 + a.square()), first_row_turned),
    "stuart-landau": (lambda w, a: StuartLandau(a, w), plane_turned),
    "sphere": (lambda w, a: Sphere(3), space_turned),
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", TURNED)
def test_a_common_rotation_commutes_with_the_flow(name, seed):
    make, turned = TURNED[name]
    generator = torch.Generator().manual_seed(seed)
    n, size = (int(torch.randint(1, 7, (), generator=generator)) for _ in range(2))
    batch = ((), (size,), (2, size))[seed % 3]
    dynamics = make(normal(n, seed=seed), normal(*batch, n, seed=seed + 1))
    K = DenseCoupling(normal(*batch, n, n, seed=seed + 2))
    start = dynamics.retract(normal(*batch, *dynamics.state_shape, n, seed=seed + 3))
    angle = float(uniform(low=-math.pi, high=math.pi, seed=seed))
    options = {"n_steps": 30, "step_size": 0.05}
    if seed % 2:
        options["delay"] = 0.05 * torch.randint(4, (n,), generator=generator)
    for solver in ("euler", "heun"):
        path = integrate(K, start, dynamics, solver=solver, **options)
        other = integrate(K, turned(start, angle), dynamics, solver=solver, **options)
        torch.testing.assert_close(other.states, turned(path.states, angle), rtol=1e-8, atol=1e-8)
        if path.phases is not None:
            torch.testing.assert_close(other.order_parameter(), path.order_parameter())
