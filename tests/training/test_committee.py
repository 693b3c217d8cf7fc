"""Learning in closed form: steps, rows that are left out, and how sure a committee may be."""

import copy

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.datasets import make_blobs

from skkuranet.coupling import MembershipNetwork
from skkuranet.training._adamw import AdamW
from skkuranet.training._calibration import most_likely
from skkuranet.training._committee import Committee
from skkuranet.training._row_space import row_space
from skkuranet.training._schedule import ClosedForm

SHAPES, DECAY = [(3, 2), (5,), (), (2, 1, 4)], [0.5, 0.0, 1.0, 0.1]


def random_tensors(seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in SHAPES]


def gradients(step):
    """Of very different sizes."""
    return [10.0 ** (place - 3) * g for place, g in enumerate(random_tensors(100 + step))]


def test_adamw_is_that_of_torch():
    ours, theirs = random_tensors(0), random_tensors(0)
    optimizer = AdamW(ours, DECAY)
    groups = [{"params": [p], "weight_decay": d} for p, d in zip(theirs, DECAY, strict=True)]
    reference = torch.optim.AdamW(groups)
    for step in range(50):
        rate = 0.1 / (1.0 + step)
        optimizer.step(gradients(step), rate)
        for group, gradient in zip(reference.param_groups, gradients(step), strict=True):
            group["lr"], group["params"][0].grad = rate, gradient
        reference.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0.0, atol=1e-12)


def test_adamw_goes_on_from_its_state():
    parameters = random_tensors(0)
    optimizer = AdamW(parameters, DECAY)
    for step in range(10):
        optimizer.step(gradients(step), 0.1)
    others, state = copy.deepcopy(parameters), copy.deepcopy(optimizer.state_dict())
    again = AdamW(others, DECAY)
    again.load_state_dict(state)
    for step in range(10, 20):
        optimizer.step(gradients(step), 0.1)
        again.step(gradients(step), 0.1)
    for a, b in zip(parameters, others, strict=True):
        assert torch.equal(a, b)


def test_no_gradient_is_a_gradient_of_zero():
    ours, theirs = random_tensors(0), random_tensors(0)
    some, zeros = AdamW(ours, DECAY), AdamW(theirs, DECAY)
    for step in range(5):
        first, *rest = gradients(step)
        some.step([None if step % 2 else first, *rest], 0.1)
        zeros.step([torch.zeros_like(first) if step % 2 else first, *rest], 0.1)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a, b)


SHARES = np.array([0.7, 0.25, 0.05])


def drawn(n_rows, scale, share, seed=0):
    """Logits, and labels that they and the shares of classes make likely."""
    rng = np.random.RandomState(seed)
    logits = rng.standard_normal((n_rows, 3))
    chances = SHARES**share * np.exp(scale * logits)
    chances /= chances.sum(axis=1, keepdims=True)
    return logits, (chances.cumsum(axis=1) < rng.rand(n_rows, 1)).sum(axis=1).clip(0, 2)


def calibrated(logits, labels, shares=SHARES, weights=None):
    weights = np.ones(len(labels)) if weights is None else weights
    arrays = logits, np.log(shares), labels, weights
    return most_likely(*map(torch.from_numpy, arrays))


def mean_loss(logits, labels, scale, share, shares=SHARES):
    found = torch.from_numpy(scale * logits + share * np.log(shares))
    return float(torch.nn.functional.cross_entropy(found, torch.from_numpy(labels)))


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize(("scale", "share"), [(0.5, 1.0), (2.5, 0.7), (8.0, 0.0)])
def test_scale_and_share_are_recovered_in_any_unit(scale, share, unit):
    logits, labels = drawn(50_000, scale, share)
    found = calibrated(unit * logits, labels)
    assert unit * found[0] == pytest.approx(scale, rel=0.05)
    assert found[1] == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("n_rows", [20, 1000])
def test_calibration_is_of_maximum_likelihood(n_rows):
    logits, labels = drawn(n_rows, 1.5, 0.8)
    weights = np.random.RandomState(1).exponential(size=n_rows)

    def loss(point):
        found = point[0] * logits + point[1] * np.log(SHARES)
        log_sum = np.logaddexp.reduce(found, axis=1)
        # And one row of any class.
        rows = weights * (log_sum - found[np.arange(n_rows), labels])
        return rows.sum() + log_sum.mean() - found.mean()

    best = minimize(loss, [1.0, 1.0], tol=1e-10)
    assert calibrated(logits, labels, weights=weights) == pytest.approx(best.x, rel=1e-3)


@pytest.mark.parametrize("margin", [1e-3, 1.0, 1e3])
def test_rows_that_are_all_named_right_make_nobody_quite_sure(margin):
    labels = np.arange(90) % 3
    scale, share = calibrated(margin * np.eye(3)[labels], labels)
    assert np.isfinite([scale, share]).all()
    # About one mistake in as many rows is what they allow for.
    assert 1e-3 < mean_loss(margin * np.eye(3)[labels], labels, scale, share) < 0.1


def test_logits_that_say_nothing_leave_the_shares_of_classes():
    excess = []
    for seed in range(20):
        logits, labels = drawn(6000, 0.0, 1.0, seed)
        # Noise, and then what is so the wrong way round.
        for learned in (logits, logits - 3.0 * np.eye(3)[labels]):
            scale, share = calibrated(learned[:1000], labels[:1000])
            new = mean_loss(logits[1000:], labels[1000:], scale, share)
            excess.append(new - mean_loss(logits[1000:], labels[1000:], 0.0, 1.0))
    assert max(excess) < 0.01
    assert np.mean(excess) < 0.002


def test_the_order_of_classes_does_not_matter():
    logits, labels = drawn(500, 1.5, 0.8)
    order = np.array([2, 0, 1])
    turned = calibrated(logits[:, order], order.argsort()[labels], SHARES[order])
    assert turned == pytest.approx(calibrated(logits, labels))


def committee(features, labels, n_iterations=40, **plan):
    """A committee whose randomness is always the same."""
    n_classes = int(labels.max()) + 1
    network = MembershipNetwork(
        2, (8,), n_classes=n_classes, generator=torch.Generator().manual_seed(0)
    )
    plan = ClosedForm(n_iterations, **{"n_rows": 16, "patience": None, "check_every": 5, **plan})
    weights = torch.ones(len(labels))
    generator = torch.Generator().manual_seed(1)
    return Committee(network, features, labels, weights, plan, 1.0, generator)


def blobs(sizes):
    X, y = make_blobs(sizes, centers=[[-2, 0], [2, 0], [0, 3]][: len(sizes)], random_state=0)
    return torch.from_numpy(X).float(), torch.from_numpy(y)


def trained(made):
    while not made.done:
        made.step()
    return made.finish()


@pytest.mark.parametrize("changed", ["features", "label", "weight"])
def test_a_member_knows_nothing_of_the_rows_that_it_leaves_out(changed):
    X, y = blobs([40, 40, 40])
    row = 7
    plain = committee(X, y)
    member = int(plain.turn[row])
    if changed == "features":
        moved = X.clone()
        moved[row] = torch.tensor([9.0, -9.0])
        other = committee(moved, y)
    else:
        other = committee(X, y)
    if changed == "label":
        other.labels[row] = (y[row] + 1) % 3
    if changed == "weight":
        other.weights[row] = 50.0
    assert torch.equal(plain.turn, other.turn)
    trained(plain)
    trained(other)
    before, after = plain.network.logits(X), other.network.logits(X)
    assert torch.equal(before[member], after[member])
    for i in {*range(4)} - {member}:
        assert not torch.equal(before[i], after[i])


def test_every_member_leaves_out_its_share_of_every_class():
    X, y = blobs([41, 80, 8])
    turn = committee(X, y).turn
    for label, count in enumerate((41, 80, 8)):
        dealt = torch.bincount(turn[y == label], minlength=4)
        assert dealt.min() >= count // 4
        assert dealt.max() <= -(-count // 4)


def test_rows_of_equal_features_are_left_out_by_one_member():
    X, _ = blobs([40, 40])
    made = committee(torch.cat((X, X.flip(0))), torch.arange(160) // 80)
    assert torch.equal(made.turn[:80], made.turn[80:].flip(0))
    assert set(made.turn.tolist()) == {0, 1, 2, 3}


def test_rows_that_it_is_tried_on_stand_for_all():
    X, y = blobs([6000, 3000, 9])
    made = committee(X, y)
    rows, share = made.tried.flatten(), made.tried_share.flatten()
    counted = torch.zeros(3).index_add_(0, y[rows], share)
    torch.testing.assert_close(counted, torch.tensor([6000.0, 3000.0, 9.0]) / 9009.0)
    for member, own in enumerate(made.tried):
        assert set(made.turn[own[made.tried_share[member] > 0.0]].tolist()) == {member}


def test_few_rows_are_all_learned_from():
    X, y = blobs([3, 4])
    made = committee(X, y, patience=4)
    assert torch.equal(made.turn, torch.full_like(y, -1))
    assert torch.equal(trained(made), y)
    assert made.recalls(y) == [1.0, 1.0]
    assert made.scores == []


def test_what_does_not_carry_over_is_not_kept():
    X, y = blobs([60, 60])
    y_random = torch.randint(2, y.shape, generator=torch.Generator().manual_seed(0))
    made = committee(X, y_random)
    made.plan = ClosedForm(400, n_rows=60, patience=2, check_every=5, least_cooling=10)
    made.cooling = made.end = 400
    trained(made)
    # Labels at random are learned by heart, if nothing stops it.
    assert made.n_done == made.end < 400
    names = made.network.logits(X).mean(0).argmax(-1)
    assert (names == y_random).float().mean() < 0.8


def wide(n_rows=40, n_columns=300):
    generator = torch.Generator().manual_seed(3)
    X = torch.randn(n_rows, n_columns, generator=generator)
    y = torch.arange(n_rows) % 2
    X[:, :20] += 2.0 * y.unsqueeze(-1) - 1.0
    return X, y


def test_rows_have_orthonormal_coordinates_of_their_own():
    X = wide()[0].double()
    basis = row_space(X)
    torch.testing.assert_close(basis.mT @ basis, torch.eye(40, dtype=torch.float64))
    torch.testing.assert_close(X @ basis @ basis.mT, X)
    torch.testing.assert_close(row_space(X.flip(0)), basis.flip(1))
    # No others are closer.
    turn, _ = torch.linalg.qr(torch.randn(40, 40, dtype=torch.float64))
    assert (X.mT - basis).norm() < (X.mT - basis @ turn).norm()


def test_rows_that_depend_on_others_have_coordinates_too():
    X = wide()[0].double()
    X = torch.cat((X, X[:5], torch.zeros(1, 300, dtype=torch.float64)))
    basis = row_space(X)
    torch.testing.assert_close(X @ basis @ basis.mT, X)
    assert int((torch.linalg.svdvals(basis) > 0.5).sum()) == 40


def wide_committee(X, y):
    network = MembershipNetwork(
        X.shape[1], (8,), n_classes=2, generator=torch.Generator().manual_seed(0)
    )
    plan = ClosedForm(60, n_rows=16, patience=None, check_every=5)
    generator = torch.Generator().manual_seed(1)
    return Committee(network, X, y, torch.ones(len(y)), plan, 1.0, generator)


def test_wide_tables_are_learned_in_the_space_of_their_rows():
    X, y = wide()
    made = wide_committee(X, y)
    assert made.parameters[0].shape == (4, 40, 8)
    found = trained(made)
    assert (found == y).float().mean() > 0.9
    # What was learned there holds for all columns, and rows that are new.
    inside = made.network.logits(made.seen, made.parameters[0])
    torch.testing.assert_close(made.network.logits(X), inside, rtol=1e-4, atol=1e-4)
    new, labels = wide(200)
    named = made.network.logits(new).mean(0).argmax(-1)
    assert (named == labels).float().mean() > 0.9


def test_wide_tables_go_on_from_a_state():
    X, y = wide()
    whole, first, second = (wide_committee(X, y) for _ in range(3))
    for _ in range(30):
        first.step()
    first.calibrate()
    second.network.load_state_dict(first.network.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    second.generator.set_state(first.generator.get_state())
    assert torch.equal(trained(second), trained(whole))
    for a, b in zip(second.parameters, whole.parameters, strict=True):
        assert torch.equal(a, b)
