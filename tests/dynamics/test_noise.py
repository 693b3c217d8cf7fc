"""Noise: drawn from a seed alone, and differentiated along the path."""

import math
import tracemalloc

import pytest
import torch
from contracts.draws import normal

from skkuranet.coupling import DenseCoupling, FactorizedCoupling
from skkuranet.dynamics import Kuramoto, SecondOrder, Sphere, integrate

N, SIGMA = 5, 0.3


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def still(n, batch=(), dtype=torch.float64):
    return DenseCoupling(torch.zeros(*batch, n, n, dtype=dtype))


def path(seed=0, batch=(), **options):
    """States of coupled oscillators, all networks of a batch alike but for their noise."""
    K, phases = normal(N, N).expand(*batch, N, N), normal(N, seed=1).expand(*batch, N)
    options = {"noise": SIGMA, "generator": seeded(seed), "n_steps": 20} | options
    return integrate(DenseCoupling(K), phases, Kuramoto(normal(N, seed=2)), **options).states


def test_one_seed_is_one_path():
    assert torch.equal(path(), path())
    assert not torch.allclose(path(), path(seed=1))


def test_a_generator_goes_on():
    generator = seeded()
    first, second = (path(generator=generator) for _ in range(2))
    assert not torch.allclose(first, second)
    torch.random.manual_seed(0)
    before = torch.random.get_rng_state()
    path()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_networks_have_noise_of_their_own_whatever_the_batch():
    few, many = path(batch=(2,)), path(batch=(5,))
    torch.testing.assert_close(few, many[:, :2])
    torch.testing.assert_close(path(), many[:, 0])
    assert not torch.allclose(many[:, 0], many[:, 1])
    torch.testing.assert_close(path(batch=(2, 3)).flatten(1, 2)[:, :5], many)


def test_first_steps_do_not_depend_on_how_many_there_are():
    torch.testing.assert_close(path(n_steps=7), path(n_steps=20)[:8])
    torch.testing.assert_close(path(save_from=12), path()[12:])


def long_walk(noise=SIGMA, n=4000, n_steps=600):
    """Where free phases have gone after more steps than are drawn at once."""
    zeros, alone = torch.zeros(n), torch.zeros(n, 1)
    options = {"noise": noise, "generator": seeded(), "n_steps": n_steps, "save_from": n_steps}
    return integrate(FactorizedCoupling(alone, alone), zeros, **options).phases[0]


def test_noise_is_the_same_however_many_steps_are_drawn_at_once():
    """Where derivatives with respect to its strength are wanted, all steps are."""
    at_once = long_walk(noise=torch.tensor(SIGMA, requires_grad=True))
    assert torch.equal(long_walk(), at_once.detach())


def test_a_long_walk_takes_no_more_memory_than_a_short_one():
    peaks = []
    for n_steps in (600, 2400):
        tracemalloc.start()
        long_walk(n_steps=n_steps)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_single_precision_draws_the_same():
    ends = [
        integrate(
            still(N, dtype=dtype),
            torch.zeros(N, dtype=dtype),
            noise=SIGMA,
            generator=seeded(),
            n_steps=10,
        ).phases
        for dtype in (torch.float32, torch.float64)
    ]
    torch.testing.assert_close(ends[0], ends[1].float(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("step", [0.02, 0.1])
def test_the_variance_of_free_phases_is_that_of_a_random_walk(step):
    """σ² t, at any time and for any step."""
    n, sigma, n_steps = 4000, torch.tensor([0.5, 2.0], dtype=torch.float64), 50
    zeros = torch.zeros(n, 1, dtype=torch.float64)
    ends = integrate(
        # As many networks of one node as there are oscillators.
        DenseCoupling(zeros.unsqueeze(-1)),
        zeros,
        noise=sigma.repeat_interleave(n // 2).unsqueeze(-1),
        generator=seeded(),
        step_size=step,
        n_steps=n_steps,
    )
    for time, phases in zip(ends.times[[10, 50]], ends.phases[[10, 50]], strict=True):
        # Four standard errors of a variance of 2,000 draws.
        expected = sigma**2 * float(time)
        found = phases.view(2, -1).var(1)
        torch.testing.assert_close(found, expected, rtol=4 * math.sqrt(2 / 2000), atol=0)


def test_steps_are_those_of_euler_and_maruyama():
    increments = 0.1 * normal(20, N, seed=5)
    found = path(noise=increments, generator=None)
    phases, K, frequency = normal(N, seed=1), normal(N, N), normal(N, seed=2)
    for step in range(20):
        pull = (K * (phases - phases[:, None]).sin()).sum(1)
        phases = phases + 0.1 * (frequency + pull) + increments[step]
        torch.testing.assert_close(found[step + 1], phases)


@pytest.mark.parametrize("shape", [(), (N,), (2, 1), (2, N)])
def test_gradients_with_respect_to_strengths(shape):
    sigma = (0.1 + normal(*shape).abs()).requires_grad_()
    assert torch.autograd.gradcheck(lambda noise: path(batch=(2,), noise=noise, n_steps=4), sigma)


def test_gradients_with_respect_to_increments():
    increments = (0.1 * normal(4, N)).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda noise: path(noise=noise, generator=None, n_steps=4), increments
    )


def test_free_phases_move_with_their_strength():
    """Along a path that noise alone makes, the derivative with respect to σ is the path over σ."""
    sigma = torch.tensor(SIGMA, dtype=torch.float64, requires_grad=True)
    zeros = torch.zeros(1, dtype=torch.float64)
    options = {"noise": sigma, "generator": seeded(), "n_steps": 30}
    end = integrate(still(1), zeros, **options).phases[-1, 0]
    assert float(torch.autograd.grad(end, sigma)[0]) == pytest.approx(end.item() / SIGMA)


def test_noise_acts_on_velocities_of_oscillators_with_inertia():
    start = torch.zeros(2, N, dtype=torch.float64)
    first = integrate(still(N), start, SecondOrder(), noise=1.0, generator=seeded(), n_steps=1)
    phase, velocity = first.states[-1]
    assert (phase == 0).all()
    assert (velocity != 0).all()


@pytest.mark.parametrize("shape", [(), (N,), (3, N), (2, 3, N)])
def test_strengths_are_for_all_for_nodes_or_for_numbers_of_a_state(shape):
    sphere = Sphere(3)
    start = sphere.retract(normal(2, 3, N))
    options = {"generator": seeded(), "n_steps": 5}
    K = still(N, (2,))
    # A strength for each number of the states of one network is not one for each node of three.
    if shape == (3, N):
        with pytest.raises(ValueError, match="noise of shape"):
            integrate(K, start, sphere, noise=torch.ones(shape), **options)
        return
    moved = integrate(K, start, sphere, noise=torch.ones(shape), **options).states[-1] - start
    assert (moved.abs() > 1e-3).all()


def test_no_noise_is_none():
    torch.testing.assert_close(path(noise=0.0), path(noise=None))
    torch.testing.assert_close(path(noise=torch.zeros(20, N), generator=None), path(noise=None))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generator": None}, r"noise is random: pass generator=torch.Generator\(\)"),
        ({"noise": torch.ones(N + 1)}, r"noise of shape \(6,\) does not fit"),
        ({"noise": torch.ones(4, N)}, r"noise of shape \(4, 5\) must hold .* \(20, 5\)"),
        ({"noise": torch.ones(4, 20, N)}, r"noise of shape \(4, 20, 5\) does not fit"),
        ({"noise": -0.1}, "noise must be standard deviations, finite and not negative"),
        ({"noise": math.nan}, "noise must be finite"),
        ({"solver": "heun"}, "solver='heun' cannot integrate noise. Only solver='euler' does"),
        ({"solver": "rk4"}, "solver='rk4' cannot integrate noise. Only solver='euler' does"),
        ({"solver": "dopri5"}, "solver='dopri5' cannot integrate noise. Only solver='euler'"),
    ],
)
def test_what_cannot_be_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        path(**change)
