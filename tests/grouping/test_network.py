"""Couplings of neighbours, and how they are trained."""

import numpy as np
import torch

from skkuranet.grouping.graph import Graph, episode_of
from skkuranet.grouping.network import new_network, signed_couplings
from skkuranet.grouping.training import Plan, loss_through, train


class Silent:
    def tell(self, n_done, loss):
        pass


def rings(seed, size=8):
    """Two rings with some edges between them; the feature of an edge says whether it is one."""
    rng = np.random.RandomState(seed)
    n = 2 * size
    labels = np.repeat([0, 1], size)
    own = [(a, b) for k in (0, size) for a in range(k, k + size) for b in range(k, a)]
    between = [(a, a + size) for a in range(size)]
    edges = np.sort(np.array(own + between).T, axis=0)
    apart = labels[edges[0]] != labels[edges[1]]
    features = apart[:, None] + rng.normal(0, 0.1, (edges.shape[1], 1))
    graph = Graph(n, edges, features, rng.normal(size=(n, 3)), np.ones(edges.shape[1]))
    return episode_of(graph, labels[None], 200, rng), labels


def test_couplings_have_an_in_degree_of_one_and_repulsion_of_all():
    graph = rings(0)[0].graph
    strengths = torch.linspace(-1, 1, graph.edges.shape[1], dtype=torch.float64)
    plain = signed_couplings(graph, strengths, 0.0).dense().numpy()
    np.testing.assert_allclose(np.abs(plain).sum(1), 1.0)
    first, second = graph.edges
    np.testing.assert_array_equal(np.sign(plain[first, second]), np.sign(strengths.numpy()))
    away = signed_couplings(graph, strengths, 0.5).dense().numpy() - plain
    np.testing.assert_allclose(away.sum(1), -0.5)
    assert (away < 0).all()


def test_gradients_go_through_the_dynamics():
    """The adjoint of the dynamics agrees with finite differences in double precision."""
    episode = rings(0)[0]
    network = new_network(
        episode.graph, (4,), n_dims=3, rng=np.random.RandomState(0), repulsion=0.5, n_steps=5
    ).double()

    def loss(bias):
        with torch.no_grad():
            network.of_edge[0].bias.copy_(bias)
        return loss_through(network, episode)

    bias = network.of_edge[0].bias.detach().clone()
    loss(bias).backward()
    step = 1e-5 * torch.eye(len(bias), dtype=bias.dtype)
    expected = [(loss(bias + e) - loss(bias - e)).item() / 2e-5 for e in step]
    np.testing.assert_allclose(network.of_edge[0].bias.grad, expected, atol=1e-6)


def test_training_learns_what_parts_groups_of_other_networks():
    episodes = [rings(seed)[0] for seed in range(6)]
    rng = np.random.RandomState(0)
    network = new_network(episodes[0].graph, (8,), n_dims=4, rng=rng, n_steps=10)
    losses = train(network, episodes, Plan(100, 5, edge_rate=1e-2), rng, lambda n: Silent())
    assert losses[-1] < losses[0]
    episode, labels = rings(100)
    states, logits = network.settle(episode.graph)
    first, second = episode.graph.edges
    np.testing.assert_array_equal(logits.detach().numpy() > 0, labels[first] == labels[second])
    likeness = (states.mT @ states).detach().numpy()
    together = labels[:, None] == labels
    assert likeness[together].mean() > likeness[~together].mean() + 0.5


def test_what_nobody_knows_counts_for_nothing():
    episode, labels = rings(0)
    known = np.where(np.arange(len(labels)) < 12, labels, -1)
    half = episode_of(episode.graph, known[None], 200, np.random.RandomState(0))
    two = np.stack((labels, np.zeros_like(labels)))
    both = episode_of(episode.graph, two, 200, np.random.RandomState(0))
    first, second = episode.graph.edges
    unknown = (known[first] < 0) | (known[second] < 0)
    np.testing.assert_array_equal(half.weights == 0, unknown)
    apart = labels[first] != labels[second]
    np.testing.assert_array_equal(both.targets, np.where(apart, 0.5, 1.0))


def test_dropout_draws_from_the_seed_alone_and_ends_with_training():
    episode = rings(0)[0]
    found = []
    for global_seed in (0, 1):
        torch.manual_seed(global_seed)
        rng = np.random.RandomState(0)
        network = new_network(episode.graph, (8,), n_dims=3, rng=rng, dropout=0.5)
        before = torch.get_rng_state()
        train(network, [episode], Plan(edge_epochs=2, epochs=2), rng, lambda n_steps: Silent())
        assert torch.equal(torch.get_rng_state(), before)
        found += [network.logits(episode.graph).detach() for _ in range(2)]
    for other in found[1:]:
        assert torch.equal(found[0], other)
