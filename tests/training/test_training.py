"""The fitting loop without an estimator."""

import pytest
import torch

from skkuranet.coupling import Balanced, FactorizedNetwork
from skkuranet.objectives import ClusterObjective
from skkuranet.training import Curriculum, train


@pytest.fixture
def problem(device):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    centres = 4.0 * torch.eye(3)[:, :2]
    x = centres[labels] + 0.3 * torch.randn(60, 2, generator=generator)
    network = FactorizedNetwork(2, (16,), rank=6, generator=generator)
    return network.to(device), x.to(device), ClusterObjective(labels.to(device), 3), generator


def settings(**changes):
    return Curriculum(**{"n_iterations": 100, "network_size": 40, "tolerance": 0.0, **changes})


def test_best_weights_are_restored(problem):
    network, x, objective, generator = problem
    kept = {}

    def ruin(iteration, loss):
        # The check of iteration 74 has kept good weights; those of the end are noise.
        if iteration == 75:
            kept.update({k: v.clone() for k, v in network.state_dict().items()})
        if iteration >= 76:
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.copy_(
                        torch.randn(parameter.shape, generator=generator).to(parameter.device)
                    )
        return False

    result = train(network, Balanced(), x, objective, settings(), generator, on_iteration=ruin)
    assert result.n_iterations == 100
    assert result.limit_loss < 0.05
    assert result.converged
    # One step away from the best weights, and with the sharpness of the finished network.
    for name, parameter in network.named_parameters():
        assert float((kept[name] - parameter).detach().abs().max()) < 0.02
    assert network.sharpness == 10.0


def test_noise_on_features_is_in_proportion_to_their_spread(problem):
    network, x, objective, generator = problem
    x = x * torch.tensor([1.0, 100.0], device=x.device)
    seen, factors = [], network.factors

    def noted(features):
        if torch.is_grad_enabled():
            seen.append(features)
        return factors(features)

    network.factors = noted
    plan = settings(n_iterations=20, feature_noise=0.2, network_size=60)
    train(network, Balanced(), x, objective, plan, generator)
    # Every network holds all 60 rows, so that their spread is that of the rows and of the noise.
    drawn = torch.cat([f.reshape(-1, 2) for f in seen])
    spread = (drawn.var(0, correction=0) / x.var(0, correction=0)).cpu()
    torch.testing.assert_close(spread, torch.full((2,), 1.0 + 0.2**2), rtol=0.02, atol=0.0)
    assert bool(((drawn.mean(0) - x.mean(0)).abs() < 0.02 * x.std(0)).all())


def test_every_network_is_drawn_from_one_pool(problem):
    network, x, objective, generator = problem
    drawn, phases = [], objective.initial_phases

    def noted(index, *args):
        drawn.append(index.cpu() >= 20)
        return phases(index, *args)

    objective.initial_phases = noted
    objective.pools = torch.arange(20), torch.arange(20, 60)
    train(network, Balanced(), x, objective, settings(n_iterations=10), generator)
    late = torch.cat(drawn)
    assert bool((late.all(-1) | ~late.any(-1)).all())
    assert 0 < int(late.all(-1).sum()) < len(late)


def test_a_pool_of_the_size_of_a_network_is_one(problem):
    """A graph of its own, for instance, whose nodes cannot be drawn one by one."""
    network, x, objective, generator = problem
    seen, phases = [], objective.initial_phases

    def noted(index, *args):
        seen.extend(index.cpu().tolist())
        return phases(index, *args)

    objective.initial_phases = noted
    objective.pools = torch.arange(60).split(20)
    plan = settings(n_iterations=5, network_size=20)
    train(network, Balanced(), x, objective, plan, generator)
    assert {tuple(nodes) for nodes in seen} == {tuple(pool.tolist()) for pool in objective.pools}


def test_callers_can_stop_it(problem):
    network, x, objective, generator = problem
    result = train(
        network,
        Balanced(),
        x,
        objective,
        settings(),
        generator,
        on_iteration=lambda iteration, loss: iteration == 4,
    )
    assert result.n_iterations == 5


def test_features_of_another_number_are_named(problem):
    network, x, objective, generator = problem
    with pytest.raises(ValueError, match=r"features must be 2 of each node, .* got 3"):
        train(network, Balanced(), x[:, [0, 1, 1]], objective, settings(), generator)


def test_patience_counts_checks_below_the_tolerance(problem):
    network, x, objective, generator = problem
    curriculum = settings(tolerance=1.0, patience=3, check_every=10)
    assert train(network, Balanced(), x, objective, curriculum, generator).n_iterations == 30


def test_horizon_and_window_follow_the_curriculum():
    plan = settings(n_steps=100)
    assert [plan.horizon(p) for p in (0.0, 0.4, 0.8, 1.0)] == [10, 55, 100, 100]
    assert plan.loss_window(0.0) == 1.0
    assert plan.loss_window(0.5) == plan.loss_window(1.0) == pytest.approx(1 / 3)
    assert (plan.seed_probability(0.0), plan.seed_probability(1.0)) == (1.0, 0.0)


def test_batches_whose_gradient_overflows_are_skipped_unless_they_go_on(problem, monkeypatch):
    network, x, objective, generator = problem
    whole, calls = torch.nn.utils.clip_grad_norm_, []

    def overflow(bad):
        def clip(parameters, max_norm):
            calls.append(1)
            norm = whole(parameters, max_norm)
            return norm * float("inf") if bad(len(calls)) else norm

        monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip)

    overflow(lambda call: call % 5 == 0)
    result = train(network, Balanced(), x, objective, settings(), generator)
    assert result.n_iterations == 100
    assert result.converged
    overflow(lambda call: True)
    with pytest.raises(FloatingPointError, match="gradient after 19 iterations is not finite"):
        train(network, Balanced(), x, objective, settings(), generator)


@pytest.mark.parametrize("unseeded", [False, True])
def test_networks_start_anywhere_while_the_limit_is_trapped(problem, unseeded):
    network, x, objective, generator = problem
    seeded, verdicts, phases = [], iter([True, False]), objective.initial_phases

    def noted(index, probability, generator):
        seeded.append(probability)
        return phases(index, probability, generator)

    objective.initial_phases, objective.is_trapped = noted, lambda *limit: next(verdicts)
    plan = settings(
        n_iterations=20, check_every=10, final_seeding=0.8, unseeded_when_trapped=unseeded
    )
    train(network, Balanced(), x, objective, plan, generator)
    of_networks_held_out, before, after = seeded[0], seeded[1:11], seeded[11:]
    assert of_networks_held_out == 0.0
    assert min(before) > 0.8
    assert (max(after) == 0.0) is unseeded
