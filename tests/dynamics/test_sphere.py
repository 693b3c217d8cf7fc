"""Oscillators on a sphere: the contract, and what is known of them."""

import math

import numpy as np
import pytest
import torch
from contracts.draws import normal
from contracts.dynamics import DynamicsContract

from skkuranet.coupling import DenseCoupling
from skkuranet.dynamics import Dynamics, Kuramoto, Sphere, integrate


class TestSphere(DynamicsContract):
    n_dims = 3

    def make(self, n, batch=()):
        return Sphere(self.n_dims, normal(*batch, self.n_dims, self.n_dims, n, seed=1))

    def state(self, n, batch=(), seed=9):
        return self.make(n).retract(super().state(n, batch, seed))

    def equation(self, x, K, rotation):
        turning = 0.5 * np.einsum("dei,ei->di", rotation - rotation.swapaxes(0, 1), x)
        pull = np.einsum("ij,dj->di", K, x)
        return turning + pull - (pull * x).sum(0) * x


class TestCircle(TestSphere):
    n_dims = 2


class TestStillSphere(TestSphere):
    """Without rotations a unit rests along its drive."""

    n_dims = 4
    responds = True

    def make(self, n, batch=()):
        return Sphere(self.n_dims)

    def equation(self, x, K):
        return super().equation(x, K, np.zeros((self.n_dims, self.n_dims, x.shape[-1])))


class ByAutograd(Sphere):
    pull_signal, pull_rate = Dynamics.pull_signal, Dynamics.pull_rate


class TestSphereByAutograd(TestSphere):
    """More numbers than derivatives of all stages at once are made of."""

    n_dims = 4

    def make(self, n, batch=()):
        return ByAutograd(self.n_dims, normal(*batch, self.n_dims, self.n_dims, n, seed=1))


def test_two_dimensions_are_kuramoto():
    K, phases, frequency = normal(6, 6), normal(6, seed=1), normal(6, seed=2)
    spin = torch.zeros(2, 2, 6, dtype=torch.float64)
    spin[0, 1], spin[1, 0] = -frequency, frequency
    options = {"step_size": 0.01, "n_steps": 200, "solver": "rk4"}
    expected = integrate(DenseCoupling(K), phases, Kuramoto(frequency), **options).phases
    start = torch.stack((phases.cos(), phases.sin()))
    path = integrate(DenseCoupling(K), start, Sphere(2, spin), **options)
    # From (−π, π] on they go through whole turns.
    turned = path.phases - path.phases[0]
    torch.testing.assert_close(turned, expected - expected[0], rtol=0, atol=1e-6)


def test_rings_always_synchronise_on_a_sphere_and_may_twist_on_a_circle():
    """Markdahl, Thunberg and Gonçalves (2018)."""
    n, n_starts = 20, 40
    ring = torch.eye(n, dtype=torch.float64).roll(1, 0)
    K = DenseCoupling((ring + ring.mT).expand(n_starts, n, n))
    orders = []
    for n_dims in (2, 3):
        sphere = Sphere(n_dims)
        start = sphere.retract(normal(n_starts, n_dims, n, seed=n_dims))
        options = {"step_size": 0.5, "n_steps": 800, "save_from": 800, "solver": "rk4"}
        end = integrate(K, start, sphere, **options).states[0]
        orders.append(end.mean(-1).norm(dim=-1))
    twisted, synchronised = (orders[0] < 1e-3).double().mean(), orders[1]
    assert 0.2 < float(twisted) < 0.8
    assert ((orders[0] < 1e-3) | (orders[0] > 1 - 1e-3)).all()
    assert (synchronised > 1 - 1e-3).all()


def test_some_units_have_some_of_the_rotations():
    rotation, index = normal(3, 3, 7), torch.tensor([[0, 6, 2], [5, 5, 1]])
    picked = Sphere(3, rotation).at(index).rotation
    assert picked.shape == (2, 3, 3, 3)
    assert torch.equal(picked[1, :, :, 2], rotation[..., 1])


def test_rotations_of_another_shape_are_named():
    start = torch.nn.functional.normalize(normal(3, 5), dim=0)
    for rotation in (torch.zeros(2, 2, 5), torch.zeros(3, 3), torch.zeros(4, 3, 3, 5)):
        with pytest.raises(ValueError, match="rotation"):
            integrate(DenseCoupling(normal(5, 5)), start, Sphere(3, rotation))


def test_a_unit_alone_turns_at_its_rotation():
    spin = torch.zeros(3, 3, 1, dtype=torch.float64)
    spin[0, 1], spin[1, 0] = -1.0, 1.0
    start = torch.tensor([[1.0], [0.0], [0.0]], dtype=torch.float64)
    K = DenseCoupling(torch.zeros(1, 1, dtype=torch.float64))
    options = {"step_size": math.pi / 200, "n_steps": 100, "solver": "rk4"}
    end = integrate(K, start, Sphere(3, spin), **options).states[-1, :, 0]
    torch.testing.assert_close(end, start.roll(1, 0)[:, 0], rtol=0, atol=1e-8)
