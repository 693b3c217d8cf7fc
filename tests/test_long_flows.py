"""Gradients of large networks and long trajectories, which are pulled back in parts."""

import weakref

import pytest
import torch

from skkuranet.coupling import (
    DenseCoupling,
    FactorizedCoupling,
    FactorizedNetwork,
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
