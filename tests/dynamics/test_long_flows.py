"""Gradients of large networks and long trajectories, which are pulled back in parts."""

import weakref

import pytest
import torch
from torch import is_tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from skkuranet.coupling import (
    DenseCoupling,
    FactorizedCoupling,
    FactorizedNetwork,
    InDegree,
    PairwiseNetwork,
    couple,
)
from skkuranet.dynamics import integrate

# Large enough for several parts, and for factors that are laid out as rows.
N, RANK = 1200, 30


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.fixture(params=[(), (2,)], ids=["one network", "batch"])
def network(request, device):
    generator = torch.Generator().manual_seed(0)
    batch = request.param
    leaves = {
        "left": normal(generator, *batch, N, RANK) / N,
        "right": normal(generator, *batch, N, RANK),
        "diagonal": normal(generator, *batch, N) / N,
        "phases": normal(generator, *batch, N),
        "frequency": normal(generator, *batch, N),
        "field": normal(generator, *batch, N),
    }
    return {k: v.to(device).requires_grad_() for k, v in leaves.items()}


def gradients(coupling, network, **options):
    motion = {k: network[k] for k in ("phases", "frequency", "field")}
    path = integrate(coupling, **motion, step_size=0.2, **options).phases
    weights = torch.linspace(0.5, 1.0, N, dtype=torch.float64, device=path.device)
    return torch.autograd.grad((path.cos() * weights).sum(), list(network.values()))


@pytest.mark.parametrize("solver", ["euler", "rk4"])
@pytest.mark.parametrize("save_from", [0, 17])
def test_gradients_in_parts_are_those_of_the_dense_network(network, solver, save_from):
    left, right, diagonal = (network[k] for k in ("left", "right", "diagonal"))
    options = {"n_steps": 23, "save_from": save_from, "solver": solver}
    found = gradients(FactorizedCoupling(left, right, diagonal), network, **options)
    dense = DenseCoupling(left @ right.mT - torch.diag_embed(diagonal))
    wanted = gradients(dense, network, **options)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_a_graph_that_is_kept_gives_the_same_gradients_again(network):
    factors = network["left"], network["right"]
    path = integrate(FactorizedCoupling(*factors), network["phases"], n_steps=40).phases
    first, second = (
        torch.autograd.grad(path.cos().sum(), factors, retain_graph=True) for _ in range(2)
    )
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


def test_phases_that_were_changed_since_cannot_be_differentiated(network):
    coupling = FactorizedCoupling(network["left"], network["right"])
    path = integrate(coupling, network["phases"], n_steps=3).phases
    loss = path.sum()
    with torch.no_grad():
        path.remainder_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("changed", ["left", "field", "frequency"])
def test_couplings_that_were_changed_since_cannot_be_differentiated(network, changed):
    nodes = {k: network[k] for k in ("frequency", "field")}
    coupling = FactorizedCoupling(network["left"], network["right"])
    loss = integrate(coupling, network["phases"], **nodes, n_steps=3).phases.sum()
    with torch.no_grad():
        network[changed].mul_(1.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_arrays_of_a_trajectory_can_be_changed(network):
    coupling = FactorizedCoupling(network["left"], network["right"])
    path = integrate(coupling, network["phases"], n_steps=5)
    loss = path.phases.cos().sum()
    (before,) = torch.autograd.grad(loss, network["left"], retain_graph=True)
    path.numpy().phases[:] = 0.0
    assert torch.equal(before, torch.autograd.grad(loss, network["left"])[0])


class OneFactor(FactorizedCoupling):
    """A factor with itself, whose gradient the subclass gathers."""

    @property
    def tensors(self):
        return (self.left,)

    def bilinear_derivative(self, left, right):
        by_left, by_right = super().bilinear_derivative(left, right)
        return (by_left + by_right,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_pullback_of_a_subclass_holds_for_small_factors_too(dtype, device):
    class Frozen(FactorizedCoupling):
        def bilinear_derivative(self, left, right):
            return tuple(0.0 * grad for grad in super().bilinear_derivative(left, right))

    left, right = (torch.ones((6, 2), dtype=dtype, device=device) for _ in range(2))
    phases = torch.arange(6.0, dtype=dtype, device=device)
    path = integrate(Frozen(left.requires_grad_(), right), phases, n_steps=40).phases
    path[-1].cos().sum().backward()
    assert not left.grad.any()


def test_a_subclass_with_a_pullback_of_its_own_is_asked_for_it(network):
    left, phases = network["left"], network["phases"]
    found, wanted = (
        torch.autograd.grad(integrate(K, phases, n_steps=40).phases[-1].cos().sum(), left)[0]
        for K in (OneFactor(left, left), FactorizedCoupling(left, left))
    )
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("solver", ["euler", "rk4"])
def test_frequencies_of_another_type_are_converted(device, solver):
    K, phases = torch.ones((3, 3), device=device), torch.arange(3.0, device=device)
    frequency = torch.ones(3, dtype=torch.float64, device=device, requires_grad=True)
    motion = {"frequency": frequency, "step_size": 0.1, "n_steps": 20, "save_from": 20}
    path = integrate(DenseCoupling(K.requires_grad_()), phases, **motion, solver=solver).phases
    assert path.dtype == torch.float32
    path.sum().backward()
    # As sums of single precision are.
    assert float(frequency.grad.sum()) == pytest.approx(6.0, rel=1e-5)


def test_no_nodes_are_no_error(device):
    model = PairwiseNetwork(2, (4,)).to(device)
    assert model(torch.zeros((3, 2), device=device), torch.zeros((0, 2), device=device)).shape == (
        3,
        0,
    )


@pytest.mark.parametrize("save_from", [0, 5])
def test_a_trajectory_that_nobody_needs_is_dropped(network, save_from):
    coupling = FactorizedCoupling(network["left"], network["right"])
    known = weakref.ref(coupling)
    path = integrate(coupling, network["phases"], n_steps=5, save_from=save_from).phases
    path.sum().backward()
    del path, coupling
    assert known() is None


def test_nodes_are_embedded_once(device):
    generator = torch.Generator().manual_seed(1)
    model = FactorizedNetwork(2, (8,), generator=generator).to(device)
    seen = []
    model.layers.register_forward_hook(lambda module, args, out: seen.append(len(out)))
    couple(model, torch.randn((50, 2), generator=generator).to(device))
    assert seen == [50]


@pytest.mark.parametrize("symmetric", [False, True])
def test_slices_of_pairs_have_the_gradients_of_all_at_once(symmetric, device, monkeypatch):
    generator = torch.Generator().manual_seed(2)
    model = PairwiseNetwork(2, (8, 8), symmetric=symmetric, generator=generator).double()
    model.to(device)
    x = torch.randn((2, 30, 2), generator=generator, dtype=torch.float64).to(device)
    weights = torch.rand((2, 30, 30), generator=generator, dtype=torch.float64).to(device)
    found = []
    # All pairs at once, by slices, and by slices that are computed again when they are needed.
    for tile, kept in ((1 << 30, 1 << 30), (4096, 1 << 30), (4096, 1 << 15)):
        monkeypatch.setattr("skkuranet.coupling._networks._TILE_BYTES", tile)
        monkeypatch.setattr("skkuranet.coupling._networks._SLICE_BYTES_GRAD", kept)
        loss = (model(x, x) * weights).sum()
        found.append(torch.autograd.grad(loss, list(model.parameters())))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


class Raw(DenseCoupling):
    """Couplings whose end is noted."""

    alive = weakref.WeakSet()

    def __init__(self, matrix):
        super().__init__(matrix)
        self.alive.add(self)

    def without_self_coupling(self):
        return Cleared(self.matrix.clone())


class Cleared(DenseCoupling):
    def scale(self, left, right):
        assert not Raw.alive
        return super().scale(left, right)


class Pairs(PairwiseNetwork):
    def operator(self, x, y=None):
        return Raw(self(x, y))


def test_raw_couplings_are_dropped_while_they_are_normalised(device):
    model, x = Pairs(2, (4,)).to(device), torch.rand((20, 2)).to(device)
    with torch.no_grad():
        assert isinstance(couple(model, x, InDegree(symmetrize=False)), DenseCoupling)


class Allocations(TorchDispatchMode):
    """Counts the results that are no view of, and not written into, what went in."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        results = function(*args, **(kwargs or {}))
        known = {
            t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if is_tensor(t)
        }
        found = [t for t in tree_leaves(results) if is_tensor(t)]
        self.count += sum(t.untyped_storage().data_ptr() not in known for t in found)
        return results


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_steps_reuse_their_memory(shape, dtype):
    K, start = torch.ones((*shape, 20, 20), dtype=dtype), torch.ones((*shape, 20), dtype=dtype)
    frequency, field = torch.ones((2, *shape, 20), dtype=dtype)

    def allocations(n_steps, save_from):
        run = {"step_size": 0.1, "n_steps": n_steps, "save_from": save_from}
        with Allocations() as allocations:
            integrate(DenseCoupling(K), start, frequency=frequency, field=field, **run)
        return allocations.count

    assert allocations(30, 30) == allocations(10, 10)
    assert allocations(30, 0) == allocations(10, 0)


@pytest.mark.parametrize(("kind", "n"), [("dense", 6), ("factorised", 6), ("factorised", 6000)])
def test_products_of_a_subclass_are_its_own(kind, n):
    base = {"dense": DenseCoupling, "factorised": FactorizedCoupling}[kind]

    class Twice(base):
        def matvec(self, x):
            return 2.0 * super().matvec(x)

        def rmatvec(self, x):
            return 2.0 * super().rmatvec(x)

    generator = torch.Generator().manual_seed(0)
    tensors = [normal(generator, n, 6) for _ in range(1 if kind == "dense" else 2)]
    start, run = normal(generator, n), {"step_size": 0.1 / n, "n_steps": 3}
    doubled = base(2.0 * tensors[0], *tensors[1:])
    found = []
    for coupling in (Twice(*tensors), doubled):
        phases = start.clone().requires_grad_()
        path = integrate(coupling, phases, **run).phases
        path[-1].square().sum().backward()
        found.append((path.detach(), phases.grad))
    torch.testing.assert_close(*found)
