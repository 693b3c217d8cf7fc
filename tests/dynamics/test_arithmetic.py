"""Steps by NumPy, which single precision on the CPU takes, are those by torch."""

import tracemalloc
from typing import ClassVar

import numpy as np
import pytest
import torch
from small_flows import DENSE, FACTORS, RANK, N, flow, leaves
from torch.utils._python_dispatch import TorchDispatchMode

from skkuranet.coupling import DenseCoupling, FactorizedCoupling, _factorized, _products
from skkuranet.coupling._plan import plan_for
from skkuranet.dynamics import _explicit, _kernel, integrate
from skkuranet.dynamics._array_ops import NumpyOps, TorchOps, ops_for


def force(monkeypatch, arithmetic, small_kernels):
    for module in (_kernel,):
        monkeypatch.setattr(module, "ops_for", lambda phases: arithmetic())
    for module in (_products, _factorized):
        monkeypatch.setattr(module, "has_small_kernels", lambda dtype: small_kernels)


@pytest.mark.parametrize("batch", [(), (2,), (2, 1)])
@pytest.mark.parametrize("shapes", [DENSE, FACTORS], ids=["dense", "factorised"])
@pytest.mark.parametrize("options", [{}, {"solver": "rk4", "save_from": 2}, {"save_from": 5}])
def test_gradients(batch, shapes, options, monkeypatch):
    force(monkeypatch, NumpyOps, True)
    # Steps of two parts, the last of which is shorter.
    monkeypatch.setattr("skkuranet.dynamics._explicit._PART_BYTES", 1)
    assert torch.autograd.gradcheck(
        lambda *given: flow(*given, n_steps=6, **options), leaves(batch, shapes)
    )


@pytest.mark.parametrize("solver", ["euler", "rk4"])
def test_gradients_where_drives_are_recalled_a_few_rows_at_a_time(solver, monkeypatch):
    force(monkeypatch, NumpyOps, True)
    # Three rows of a factor, so that a part begins with the sine of a stage.
    monkeypatch.setattr(_products, "_SMALL", 3 * N * RANK)
    products = []
    monkeypatch.setattr(
        np, "dot", lambda *given, out, dot=np.dot: products.append(len(out)) or dot(*given, out)
    )
    assert torch.autograd.gradcheck(
        lambda *given: flow(*given, n_steps=6, solver=solver), leaves((), FACTORS)
    )
    assert 3 in products


@pytest.mark.parametrize("shape", [(40_000, 2), (3, 7, 4)])
def test_transposed_copies(shape):
    z = torch.randn(shape, dtype=torch.complex64)
    kinds = (z.real.contiguous(), z.imag, z.conj().imag, torch.nn.Parameter(z.real))
    for given in (*kinds, z.real.bfloat16()):
        copied = _products.transposed(given)
        assert copied.is_contiguous()
        assert torch.equal(copied, given.mT)
        assert copied.data_ptr() != given.data_ptr()


def test_gradients_through_delays(monkeypatch):
    force(monkeypatch, NumpyOps, True)
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
    for arithmetic in (NumpyOps, TorchOps):
        for small_kernels in (False, True):
            force(monkeypatch, arithmetic, small_kernels)
            torch.testing.assert_close(list(results(given)), wanted, rtol=1e-3, atol=1e-4)


def test_cosines_and_sines_of_single_precision_are_exact_to_rounding():
    phases = torch.linspace(-300.0, 300.0, 100_001)
    phasors = torch.empty((2, len(phases)))
    arithmetic = NumpyOps()
    arithmetic.phasors(arithmetic.view(phases), arithmetic.pairs(phasors))
    exact = torch.stack((phases.double().cos(), phases.double().sin()))
    assert float((phasors - exact).abs().max()) < 2 * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("n", [400, 700, 1100])
@pytest.mark.parametrize("transposed", [False, True])
def test_products_are_the_same_by_either_library(n, transposed, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    K, x = torch.randn(n, n, generator=generator), torch.randn(2, n, generator=generator)
    K = K.mT if transposed else K
    called = []
    monkeypatch.setattr(np, "dot", lambda *given, out, dot=np.dot: called.append(dot(*given, out)))
    out = torch.empty(2, n)
    for small_kernels in (False, True):
        monkeypatch.setattr(
            _products, "has_small_kernels", lambda dtype, small=small_kernels: small
        )
        plan = plan_for(DenseCoupling(K))
        for product, wanted in ((plan.matvec, x @ K.mT), (plan.rmatvec, x @ K)):
            product(x.unsqueeze(0), out)(0)
            torch.testing.assert_close(out, wanted, rtol=1e-4, atol=1e-4)
    # Small ones by NumPy, but not the transposed ones for which it has no kernel.
    assert len(called) == {400: 2, 700: 1, 1100: 0}[n]


@pytest.mark.parametrize("solver", ["euler", "rk4"])
def test_steps_of_numpy_make_no_arrays(solver, monkeypatch):
    n = 50_000
    grown = []

    def measured(method):
        def run(*args):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            result = method(*args)
            grown.append(tracemalloc.get_traced_memory()[1] - before)
            return result

        return run

    # Forward, and back by parts.
    for name in ("_walk", "_pull_back"):
        method = getattr(_explicit._Solve, name)
        monkeypatch.setattr(_explicit._Solve, name, measured(method))
    frequency, left, right = torch.ones(n), torch.ones(n, 2) / n, torch.ones(n, 2)
    phases = torch.zeros(n, requires_grad=True)
    tracemalloc.start()
    try:
        run = {"frequency": frequency, "n_steps": 20, "solver": solver}
        integrate(FactorizedCoupling(left, right), phases, **run).phases[-1].sum().backward()
    finally:
        tracemalloc.stop()
    assert len(grown) > 2
    assert max(grown) < frequency.nbytes / 2


@pytest.mark.parametrize("small", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("contiguous", [True, False])
def test_products_go_to_memory_of_any_layout(small, batch, contiguous, monkeypatch):
    def empty(*shape):
        memory = torch.full(shape if contiguous else (*shape[:-2], shape[-1], shape[-2]), torch.nan)
        return memory if contiguous else memory.mT

    # Of the product with one factor, and of that with the other.
    monkeypatch.setattr(_products, "has_small_kernels", lambda dtype: True)
    monkeypatch.setattr(_products, "_is_small", lambda b, out: small[out.shape[-1] == N])
    left, right = torch.randn(2, *batch, N, RANK)
    coupling, K = FactorizedCoupling(left, right), left @ right.mT
    out, notes = empty(*batch, 2, N), empty(4, *batch, 2, RANK)
    plan = plan_for(coupling)
    for product, transposed in ((plan.matvec, False), (plan.rmatvec, True)):
        columns = left if transposed else right
        # Vectors of each slot, and the same ones in all.
        for x in (torch.empty(4, *batch, 2, N), torch.empty(*batch, 2, N).expand(4, *batch, 2, N)):
            write = product(x, out, notes)
            for slot in (2, 0, 3, 2):
                x[slot] = torch.randn(*batch, 2, N)
                write(slot)
                torch.testing.assert_close(out, x[slot] @ (K if transposed else K.mT))
                torch.testing.assert_close(notes[slot], x[slot] @ columns)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_that_others_add_to_count_whole(dtype):
    class Twice(FactorizedCoupling):
        def all_reduce(self, part):
            return 2.0 * part

    phases = torch.linspace(0.0, 6.0, N, dtype=dtype)
    left, right = torch.randn(2, N, RANK, dtype=dtype)

    def results(coupling):
        start = phases.clone().requires_grad_()
        path = integrate(coupling, start, n_steps=9).phases
        return path.detach(), *torch.autograd.grad(path.sin().sum(), start)

    wanted = results(FactorizedCoupling(2.0 * left, right))
    torch.testing.assert_close(results(Twice(left, right)), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("batch", [(), (2,)])
def test_autocast_does_not_round_gradients(batch, monkeypatch):
    monkeypatch.setattr("skkuranet.dynamics._explicit._PART_BYTES", 1)
    given = [leaf.detach().float().requires_grad_() for leaf in leaves(batch, FACTORS)]
    path = flow(*given, n_steps=10)
    wanted = torch.autograd.grad(path.sin().sum(), given, retain_graph=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = torch.autograd.grad(path.sin().sum(), given)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("shapes", [DENSE, FACTORS], ids=["dense", "factorised"])
@pytest.mark.parametrize("delay", [None, torch.tensor([0.0, 0.1, 0.3, 0.2, 0.4])])
def test_going_back_twice_finds_the_same(batch, shapes, delay):
    given = [leaf.detach().float().requires_grad_() for leaf in leaves(batch, shapes)]
    path = flow(*given, n_steps=20, delay=delay)
    first = torch.autograd.grad(path.sin().sum(), given, retain_graph=True)
    # This time what was kept may be overwritten.
    second = torch.autograd.grad(path.sin().sum(), given)
    torch.testing.assert_close(second, first, rtol=0, atol=0)


def test_overflow_is_no_warning():
    given = [10.0 * leaf.detach().float() for leaf in leaves((), DENSE)]
    phases = given[0].requires_grad_()
    path = flow(*given, n_steps=6)
    (1e38 * path.cos()).sum().backward()
    flow(torch.full((N,), torch.inf), *given[1:], n_steps=6)
    assert not phases.grad.isfinite().all()


def test_threads_may_change_before_going_back():
    threads = torch.get_num_threads()
    phases = torch.zeros(70_000, requires_grad=True)
    factors = torch.ones(70_000, 1) / 70_000, torch.ones(70_000, 1)
    try:
        torch.set_num_threads(2)
        path = integrate(FactorizedCoupling(*factors), phases, n_steps=3).phases
        torch.set_num_threads(3)
        path[-1].sum().backward()
    finally:
        torch.set_num_threads(threads)
    assert float(phases.grad.sum()) == pytest.approx(70_000.0, rel=1e-4)


def test_tensors_that_are_views_of_others_with_a_sign():
    z = torch.randn(N, dtype=torch.complex64)
    negative, K = z.conj().imag, torch.eye(N).to(torch.complex64).conj().imag
    assert negative.is_neg()
    assert K.is_neg()
    found = integrate(DenseCoupling(K), negative, frequency=negative, n_steps=5).phases
    plain = negative.resolve_neg()
    wanted = integrate(DenseCoupling(K.resolve_neg()), plain, frequency=plain, n_steps=5).phases
    assert torch.equal(found, wanted)


def test_operations_are_seen_by_those_who_follow_them():
    class Operations(TorchDispatchMode):
        names: ClassVar = set()

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.names.add(str(function))
            return function(*args, **(kwargs or {}))

    with Operations():
        integrate(DenseCoupling(torch.eye(N)), torch.zeros(N), n_steps=2)
    assert {"aten.cos.out", "aten.mm.out"} <= Operations.names


def test_products_that_hide_what_they_depend_on_are_told():
    class Hidden(DenseCoupling):
        def matvec(self, x):
            return strength * super().matvec(x)

    strength = torch.tensor(2.0, requires_grad=True)
    with pytest.raises(RuntimeError, match="not among its 'tensors'"):
        integrate(Hidden(torch.eye(N)), torch.zeros(N), n_steps=2)


@pytest.mark.parametrize(("threads", "library"), [(2, NumpyOps), (3, TorchOps)])
def test_who_does_the_arithmetic(threads, library, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert type(ops_for(torch.zeros(2, 1 << 15))) is NumpyOps
    assert type(ops_for(torch.zeros((1 << 16) + 1))) is library
    assert type(ops_for(torch.zeros(N).double())) is TorchOps
    assert type(ops_for(torch.zeros(N, device="meta"))) is TorchOps
