"""Steps by NumPy, which single precision on the CPU takes, are those by torch."""

import pytest
import torch

from skkuranet.coupling import DenseCoupling, FactorizedCoupling, _factorized, _products
from skkuranet.dynamics import _delayed, _motion, integrate
from skkuranet.dynamics._arithmetic import NumpyArithmetic, TorchArithmetic

N, RANK = 5, 3
NODES = ("phases", "frequency", "field")
DENSE = [(N, N)]
FACTORS = [(N, RANK), (N, RANK), (N,)]


def force(monkeypatch, arithmetic, small_kernels):
    for module in (_motion, _delayed):
        monkeypatch.setattr(module, "arithmetic_for", lambda phases: arithmetic())
    for module in (_products, _factorized):
        monkeypatch.setattr(module, "has_small_kernels", lambda dtype: small_kernels)


def leaves(batch, shapes):
    generator = torch.Generator().manual_seed(0)
    every = [(N,)] * len(NODES) + shapes
    return [
        torch.randn((*batch, *shape), generator=generator, dtype=torch.float64).requires_grad_()
        for shape in every
    ]


def flow(phases, frequency, field, *tensors, **options):
    coupling = (DenseCoupling if len(tensors) == 1 else FactorizedCoupling)(*tensors)
    motion = {"frequency": frequency, "field": field, "step_size": 0.1}
    return integrate(coupling, phases, **motion, **options).phases


@pytest.mark.parametrize("batch", [(), (2,), (2, 1)])
@pytest.mark.parametrize("shapes", [DENSE, FACTORS], ids=["dense", "factorised"])
@pytest.mark.parametrize("options", [{}, {"solver": "rk4", "save_from": 2}, {"save_from": 5}])
def test_gradients(batch, shapes, options, monkeypatch):
    force(monkeypatch, NumpyArithmetic, True)
    # Steps of two parts, the last of which is shorter.
    monkeypatch.setattr("skkuranet.dynamics._runge_kutta._PART_BYTES", 1)
    assert torch.autograd.gradcheck(
        lambda *given: flow(*given, n_steps=6, **options), leaves(batch, shapes)
    )


def test_gradients_through_delays(monkeypatch):
    force(monkeypatch, NumpyArithmetic, True)
    delay = torch.tensor([0.0, 0.1, 0.3, 0.2, 0.4])
    assert torch.autograd.gradcheck(
        lambda *given: flow(*given, n_steps=6, delay=delay), leaves((), DENSE)
    )


@pytest.mark.parametrize("solver", ["euler", "rk4"])
@pytest.mark.parametrize("shapes", [DENSE, FACTORS], ids=["dense", "factorised"])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_single_precision_is_the_same_to_rounding(batch, shapes, solver, monkeypatch):
    options = {"n_steps": 50, "save_from": 40, "solver": solver}

    def results(given):
        path = flow(*given, **options)
        return path.detach(), *torch.autograd.grad(path.sin().square().sum(), given)

    exact = leaves(batch, shapes)
    given = [leaf.detach().float().requires_grad_() for leaf in exact]
    wanted = [result.float() for result in results(exact)]
    torch.testing.assert_close(list(results(given)), wanted, rtol=1e-3, atol=1e-4)
    for arithmetic in (NumpyArithmetic, TorchArithmetic):
        for small_kernels in (False, True):
            force(monkeypatch, arithmetic, small_kernels)
            torch.testing.assert_close(list(results(given)), wanted, rtol=1e-3, atol=1e-4)


def test_cosines_and_sines_of_single_precision_are_exact_to_rounding():
    phases = torch.linspace(-300.0, 300.0, 100_001)
    phasors = torch.empty((2, len(phases)))
    arithmetic = NumpyArithmetic()
    arithmetic.phasors(arithmetic.view(phases), arithmetic.pairs(phasors))
    exact = torch.stack((phases.double().cos(), phases.double().sin()))
    assert float((phasors - exact).abs().max()) < 2 * torch.finfo(torch.float32).eps


def test_products_of_many_oscillators_are_those_of_few(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    K, x = torch.randn(400, 300, generator=generator), torch.randn(2, 300, generator=generator)
    out = torch.empty(2, 400)
    for small_kernels in (False, True):
        monkeypatch.setattr(
            _products, "has_small_kernels", lambda dtype, small=small_kernels: small
        )
        DenseCoupling(K).bound_matvec(out)(x)
        torch.testing.assert_close(out, x @ K.mT, rtol=1e-4, atol=1e-4)


def test_overflow_is_no_warning():
    given = [10.0 * leaf.detach().float() for leaf in leaves((), DENSE)]
    phases = given[0].requires_grad_()
    path = flow(*given, n_steps=6)
    (1e38 * path.cos()).sum().backward()
    flow(torch.full((N,), torch.inf), *given[1:], n_steps=6)
    assert not phases.grad.isfinite().all()
