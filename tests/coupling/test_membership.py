"""Couplings between soft members of classes: where their flow rests, and their gradients."""

import copy
import math
import pickle

import pytest
import torch
from torch import nn

from skkuranet.coupling import Balanced, FactorizedCoupling, MembershipNetwork, couple
from skkuranet.coupling._membership import splay_couplings
from skkuranet.dynamics import integrate
from skkuranet.losses import cluster_synchrony_loss

N_NODES, N_STARTS = 100, 32


def limit_losses(n_classes, n_parts, sizes):
    """Cluster synchrony loss at the limit, from random phases, of nodes of certain class."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.repeat_interleave(torch.arange(n_classes), sizes)
    of_class = nn.functional.one_hot(labels, n_classes).double()
    side = (torch.arange(len(labels)) % n_parts).unsqueeze(-1)
    blocks = torch.cat([of_class * (side == part) for part in range(n_parts)], -1)
    left = blocks @ splay_couplings(n_classes, n_parts).double()
    left, right = (factor.expand(N_STARTS, -1, -1) for factor in (left, blocks))
    phases = torch.rand(N_STARTS, len(labels), generator=generator, dtype=torch.float64)
    limit = integrate(
        Balanced()(FactorizedCoupling(left, right)),
        2.0 * math.pi * phases,
        step_size=1.0,
        n_steps=500,
        save_from=500,
    ).phases[-1]
    return cluster_synchrony_loss(limit, of_class.expand(N_STARTS, -1, -1))


def class_sizes(n_classes, equal):
    share = torch.ones(n_classes) if equal else torch.linspace(1.0, 4.0, n_classes)
    return (N_NODES * share / share.sum()).round().long()


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3, *range(5, 13)])
def test_classes_come_to_rest_in_splay_from_any_phases(n_classes, equal):
    assert limit_losses(n_classes, 1, class_sizes(n_classes, equal)).max() < 1e-4


@pytest.mark.parametrize("equal", [True, False])
def test_a_square_stands_upright_on_halves_alone(equal):
    sizes = class_sizes(4, equal)
    assert limit_losses(4, 2, sizes).max() < 0.01
    assert limit_losses(4, 1, sizes).mean() > 0.02


@pytest.mark.parametrize("n_classes", [2, 3, 6, 12])
def test_halves_do_no_harm_to_other_numbers_of_classes(n_classes):
    assert limit_losses(n_classes, 2, class_sizes(n_classes, False)).max() < 0.01


@pytest.mark.parametrize("n_parts", [1, 2])
@pytest.mark.parametrize("n_classes", range(2, 9))
def test_couplings_of_blocks_are_symmetric(n_classes, n_parts):
    blocks = splay_couplings(n_classes, n_parts)
    assert blocks.shape == (n_classes * n_parts,) * 2
    assert torch.equal(blocks, blocks.mT)


def small_network(n_parts=2, n_classes=3, **options):
    options = {"n_members": 2, "activation": "tanh", **options}
    generator = torch.Generator().manual_seed(0)
    network = MembershipNetwork(
        2, (4,), n_classes=n_classes, n_parts=n_parts, generator=generator, **options
    ).double()
    # As after training: neither scale, offset nor border are what they are at first.
    network.scale.fill_(1.3)
    network.offset.copy_(torch.linspace(-0.5, 0.5, n_classes))
    network.border.copy_(torch.linspace(-0.2, 0.2, n_classes))
    # Wide, so that finite differences see the border.
    network.width.fill_(60.0)
    return network


def nodes(*shape):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, 2, generator=generator, dtype=torch.float64)


class Flow(nn.Module):
    """Couplings, or the phases that they lead to, as a function of parameters and features."""

    def __init__(self, network, n_steps):
        super().__init__()
        self.network, self.n_steps = network, n_steps

    def forward(self, x):
        coupling = couple(self.network, x, Balanced())
        if not self.n_steps:
            return coupling.dense()
        start = torch.linspace(0.0, 5.0, x.shape[-2], dtype=x.dtype)
        return integrate(coupling, start, step_size=0.5, n_steps=self.n_steps).phases


@pytest.mark.parametrize("n_steps", [0, 4])
@pytest.mark.parametrize("n_parts", [1, 2])
def test_gradients_by_every_parameter_and_by_features(n_parts, n_steps):
    flow = Flow(small_network(n_parts), n_steps)
    names, parameters = zip(*flow.named_parameters(), strict=True)

    def of_leaves(x, *values):
        return torch.func.functional_call(flow, dict(zip(names, values, strict=True)), (x,))

    leaves = [value.detach().requires_grad_() for value in (nodes(5), *parameters)]
    assert {"network.interaction", "network.weights.0", "network.biases.1"} <= set(names)
    assert torch.autograd.gradcheck(of_leaves, leaves)


@pytest.mark.parametrize("n_parts", [1, 2])
def test_a_batch_of_networks_is_each_of_them(n_parts):
    network, x = small_network(n_parts), nodes(3, 7)
    together = couple(network, x, Balanced()).dense()
    for one, couplings in zip(x, together, strict=True):
        torch.testing.assert_close(couple(network, one, Balanced()).dense(), couplings)
    torch.testing.assert_close(network.log_probabilities(x)[1], network.log_probabilities(x[1]))


@pytest.mark.parametrize("n_parts", [1, 2])
def test_probabilities_and_memberships_sum_to_one(n_parts):
    network, x = small_network(n_parts), 5.0 * nodes(2, 50)
    probability = network.log_probabilities(x).exp()
    one = torch.ones(2, 50, dtype=torch.float64)
    torch.testing.assert_close(probability.sum(-1), one)
    left, membership = network.embed(x)
    assert left.shape == membership.shape == (2, 50, network.n_factors)
    torch.testing.assert_close(membership.sum(-1), one)
    assert bool((membership >= 0.0).all())
    # Both parts of a class add up to what its probability says.
    of_class = membership.unflatten(-1, (n_parts, network.n_classes)).sum(-2)
    assert torch.equal(of_class.argmax(-1), probability.argmax(-1))


def test_halves_of_a_class_weigh_alike():
    network, x = small_network(n_classes=4), nodes(400)
    generator = torch.Generator().manual_seed(2)
    # The last class has no nodes.
    labels = torch.randint(3, (400,), generator=generator)
    weights = torch.rand(400, generator=generator, dtype=torch.float64)
    seen = network.seen(x)
    network.cut(seen, nn.functional.one_hot(labels, 4) * weights.unsqueeze(-1))
    beyond = seen @ network.direction > network.border[labels]
    for label in range(3):
        own = labels == label
        share = weights[own & beyond].sum() / weights[own].sum()
        assert abs(share - 0.5) < weights[own].max() / weights[own].sum()
    assert bool(torch.isfinite(network.embed(x)[0]).all())


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))]
)
def test_copies_couple_alike(copied):
    network, x = small_network(), nodes(6)
    torch.testing.assert_close(copied(network).embed(x), network.embed(x), rtol=0, atol=0)
    single = copied(network).float()
    torch.testing.assert_close(
        couple(single, x.float(), Balanced()).dense().double(),
        couple(network, x, Balanced()).dense(),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n_parts": 3}, "n_parts must be 1 or 2, got 3"), ({"activation": "sine"}, "got 'sine'")],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        MembershipNetwork(2, n_classes=3, **options)
