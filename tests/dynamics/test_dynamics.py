"""Gradients, convergence, invariants and closed forms of the torch core."""

import itertools
import math

import pytest
import torch

from skkuranet.coupling import (
    Balanced,
    CouplingOperator,
    DenseCoupling,
    FactorizedCoupling,
    FactorizedNetwork,
    Identity,
    InDegree,
    MeanDegree,
    PairwiseNetwork,
    SparseCoupling,
    TiledCoupling,
    couple,
    couple_driven,
    product,
)
from skkuranet.coupling._build import compact, repeated
from skkuranet.dynamics import RungeKutta, follow, integrate, lock, wrap

N = 6
DEVICE = "cpu"


@pytest.fixture(autouse=True)
def _on_every_device(device, monkeypatch):
    monkeypatch.setitem(globals(), "DEVICE", device)


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(DEVICE)


def networks():
    generator = torch.Generator().manual_seed(3)
    common = {"hidden_layer_sizes": (5,), "generator": generator, "activation": "tanh"}
    made = {
        "pairwise": PairwiseNetwork(2, **common),
        "pairwise symmetric": PairwiseNetwork(2, symmetric=True, **common),
        **{
            form: FactorizedNetwork(2, rank=3, form=form, **common)
            for form in ("block", "symmetric", "cosine", "general", "nonnegative")
        },
    }
    return {name: network.to(device=DEVICE, dtype=torch.float64) for name, network in made.items()}


EDGES = torch.tensor([[0, 1, 2, 3, 4, 5, 0, 2], [1, 0, 3, 2, 5, 4, 2, 0]])

CASES = [
    ("pairwise", "dense", Identity()),
    ("pairwise", "dense", InDegree()),
    ("pairwise", "dense", InDegree(order=2, density_exponent=0.5)),
    ("pairwise symmetric", "dense", MeanDegree()),
    ("pairwise", "tiled", Identity()),
    ("pairwise", "tiled", InDegree()),
    ("pairwise", "tiled", InDegree(order=2, density_exponent=0.5)),
    ("pairwise symmetric", "tiled", MeanDegree()),
    ("pairwise", "sparse", Identity()),
    ("pairwise", "sparse", InDegree()),
    ("pairwise symmetric", "sparse", MeanDegree()),
    ("block", "factorised", Balanced()),
    ("symmetric", "factorised", InDegree(order=2, density_exponent=0.5)),
    ("cosine", "factorised", InDegree(order=2)),
    ("general", "factorised", Identity()),
    ("general", "factorised", InDegree(order=2)),
    ("nonnegative", "factorised", MeanDegree(2.0)),
    ("nonnegative", "factorised", MeanDegree(2.0, 0.4)),
    ("nonnegative", "sparse", MeanDegree(1.0, 0.4)),
    ("pairwise symmetric", "dense", MeanDegree(1.0, 0.4)),
    ("pairwise symmetric", "tiled", MeanDegree(1.0, 0.4)),
]


def build(network, kind, x, normalization):
    edges = EDGES.to(DEVICE) if kind == "sparse" else None
    # Too little for two copies of the matrix, and for more than a few pairs at once.
    budget = 2 * 8 * N * N - 1 if kind == "tiled" else 1 << 20
    return couple(network, x, normalization, edges=edges, memory_budget=budget)


OPERATORS = {
    "dense": DenseCoupling,
    "factorised": FactorizedCoupling,
    "sparse": SparseCoupling,
    "tiled": object,
}


@pytest.mark.parametrize("solver", ["euler", "rk4"])
@pytest.mark.parametrize(("name", "kind", "normalization"), CASES)
def test_gradients_of_every_operator_solver_and_normalisation(name, kind, normalization, solver):
    network, x = networks()[name], normal(N, 2)
    parameters = [p for p in network.parameters() if p.requires_grad]
    assert isinstance(build(network, kind, x, normalization), OPERATORS[kind])

    def flow(phases, frequency, field, *_):
        return integrate(
            build(network, kind, x, normalization),
            phases,
            frequency=frequency,
            field=field,
            step_size=0.2,
            n_steps=2,
            save_from=1,
            solver=solver,
        ).phases

    inputs = [normal(N, seed=s).requires_grad_() for s in (1, 2, 3)]
    assert torch.autograd.gradcheck(flow, (*inputs, *parameters))


class OfTheUser(CouplingOperator):
    """The least that a user's operator can be: what is abstract, and no self-coupling."""

    def __init__(self, matrix):
        self.matrix = matrix

    @property
    def shape(self):
        return self.matrix.shape

    @property
    def tensors(self):
        return (self.matrix,)

    def matvec(self, x):
        return x @ self.matrix.mT

    def rmatvec(self, x):
        return x @ self.matrix

    def bilinear_derivative(self, left, right):
        return (left.mT @ right,)

    def without_self_coupling(self):
        return OfTheUser(self.matrix * (1.0 - torch.eye(N).to(self.matrix)))


@pytest.mark.parametrize("normalization", [InDegree(), InDegree(order=2, density_exponent=0.5)])
def test_operators_of_the_user_are_normalised_and_integrated_like_ours(normalization):
    matrix, start = normal(N, N).requires_grad_(), normal(N, seed=1).requires_grad_()

    def flow(phases, entries):
        options = {"step_size": 0.2, "n_steps": 3}
        return integrate(normalization(OfTheUser(entries)), phases, **options).phases

    assert torch.autograd.gradcheck(flow, (start, matrix))
    theirs, ours = normalization(OfTheUser(matrix)), normalization(DenseCoupling(matrix))
    torch.testing.assert_close(theirs.dense(), ours.dense())
    torch.testing.assert_close(theirs.rows([2, 0]), ours.dense()[[2, 0]])
    columns = normal(N, 2, seed=2)
    torch.testing.assert_close(theirs @ columns, ours.dense() @ columns)


def test_pairwise_tiles_equal_whole_evaluation():
    network, x, y = networks()["pairwise"], normal(700, 2), normal(300, 2, seed=1)
    whole = network._pairs(network.target(x), network.source(y))
    with torch.no_grad():
        tiles = network(x, y)
    torch.testing.assert_close(tiles, whole, rtol=1e-12, atol=1e-12)


def test_tiles_smaller_than_the_network_are_used():
    operator = build(networks()["pairwise"], "tiled", normal(N, 2), Identity())
    assert isinstance(operator, TiledCoupling)
    assert len(operator._spans(0)) > 1


@pytest.mark.parametrize("normalization", [Identity(), InDegree(), InDegree(2, 0.5), MeanDegree()])
def test_tiled_equals_dense(normalization):
    network, x = networks()["pairwise symmetric"], normal(N, 2)
    dense = build(network, "dense", x, normalization)
    tiled = build(network, "tiled", x, normalization)
    torch.testing.assert_close(tiled.dense(), dense.dense(), rtol=1e-10, atol=1e-12)
    v = normal(2, N)
    torch.testing.assert_close(tiled.matvec(v), v @ dense.dense().mT)
    torch.testing.assert_close(tiled.rmatvec(v), v @ dense.dense())


@pytest.mark.parametrize("normalization", [Identity(), InDegree(2), InDegree(2, 0.5)])
def test_factorised_equals_dense(normalization):
    network, x = networks()["symmetric"], normal(N, 2)
    factorised = couple(network, x, normalization)
    dense = normalization(DenseCoupling(network(x, x)))
    torch.testing.assert_close(factorised.dense(), dense.dense(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("diagonal", [False, True])
def test_factors_larger_than_their_matrix_give_way_to_it(diagonal):
    left, right = (normal(3, 7, 4, seed=seed).requires_grad_() for seed in (0, 1))
    factors = FactorizedCoupling(left, right)
    factors = factors.without_self_coupling() if diagonal else factors
    matrix = compact(factors)
    assert isinstance(matrix, DenseCoupling)
    x = normal(3, 2, 7, seed=2)
    torch.testing.assert_close(matrix.matvec(x), factors.matvec(x))
    gradients = [
        torch.autograd.grad(product(coupling, x).square().sum(), (left, right), retain_graph=True)
        for coupling in (matrix, factors)
    ]
    torch.testing.assert_close(*gradients)
    large = FactorizedCoupling(left[..., :3], right[..., :3])
    assert compact(large) is large


def test_large_dense_couplings_multiply_like_small_ones():
    matrix, x = normal(2100, 2100), normal(2, 2100, seed=1)
    expected = torch.cat([x @ rows.mT for rows in matrix.split(100)], 1)
    torch.testing.assert_close(DenseCoupling(matrix).matvec(x), expected)
    torch.testing.assert_close(DenseCoupling(matrix.mT).matvec(x), x @ matrix)


def test_in_degree_and_mean_degree_are_what_they_say():
    x = normal(N, 2)
    row_normalised = couple(networks()["pairwise"], x, InDegree(symmetrize=False)).dense()
    torch.testing.assert_close(row_normalised.abs().sum(1), torch.ones_like(x[:, 0]))
    names = ("pairwise symmetric", "nonnegative")
    for name, exponent in itertools.product(names, (0.0, 0.4)):
        matrix = couple(networks()[name], x, MeanDegree(1.5, exponent)).dense().detach()
        assert (matrix >= -1e-12).all()
        assert torch.allclose(matrix, matrix.mT)
        assert float(matrix.sum() / N) == pytest.approx(1.5)
        assert matrix.diagonal().abs().max() < 1e-12


def test_sums_of_sparse_couplings_have_the_degree_of_the_sum():
    targets, sources = torch.tensor([[0, 1], [1, 0]], device=DEVICE)
    first = SparseCoupling(targets, sources, normal(2), (N, N))
    second = SparseCoupling(targets, sources, -first.values, (N, N))
    total = first.add(second)
    torch.testing.assert_close(total.degree(1), total.dense().abs().sum(1))
    torch.testing.assert_close(total.dense(), torch.zeros_like(total.dense()))


@pytest.mark.parametrize(
    ("name", "kind", "normalization"),
    [
        ("pairwise", "sparse", InDegree()),
        ("pairwise symmetric", "sparse", MeanDegree()),
        ("nonnegative", "sparse", MeanDegree()),
        ("pairwise", "tiled", InDegree(2, 0.5)),
        ("pairwise symmetric", "tiled", MeanDegree()),
    ],
)
def test_operators_of_a_batch_equal_those_of_its_networks(name, kind, normalization):
    network, x, v = networks()[name], normal(2, N, 2), normal(2, 3, N, seed=1)
    edges = EDGES.to(DEVICE)
    both = torch.cat((edges, edges[:, :6] + N), 1)
    if kind == "sparse":
        together = couple(network, x, normalization, edges=both)
    else:
        together = couple(network, x, normalization, memory_budget=16 * N * N - 1)
    assert isinstance(together, OPERATORS[kind])
    cotangent = normal(2, 3, N, seed=2)
    sums = [0] * len(list(network.parameters()))
    for i in range(2):
        alone = couple(
            network,
            x[i],
            normalization,
            edges=[edges, edges[:, :6]][i] if kind == "sparse" else None,
            memory_budget=1 << 20,
        )
        dense = alone.dense().detach()
        torch.testing.assert_close(together.dense()[i], dense)
        torch.testing.assert_close(together.matvec(v)[i], v[i] @ dense.mT)
        torch.testing.assert_close(together.rmatvec(v)[i], v[i] @ dense)
        torch.testing.assert_close(together.rows([2, 0])[i], dense[[2, 0]])
        pulled = torch.autograd.grad(
            (product(alone, v[i]) * cotangent[i]).sum(), network.parameters()
        )
        sums = [total + grad for total, grad in zip(sums, pulled)]
    pulled = torch.autograd.grad((product(together, v) * cotangent).sum(), network.parameters())
    for total, grad in zip(sums, pulled, strict=True):
        torch.testing.assert_close(total, grad)


@pytest.mark.parametrize("name", ["nonnegative", "pairwise symmetric"])
def test_a_complete_graph_couples_as_no_graph_does(name):
    network, x = networks()[name], normal(N, 2)
    complete = (torch.ones(N, N) - torch.eye(N)).nonzero().mT.to(DEVICE)
    along = couple(network, x, MeanDegree(), edges=complete)
    torch.testing.assert_close(along.dense(), couple(network, x, MeanDegree()).dense())


@pytest.mark.parametrize("normalization", [MeanDegree(), MeanDegree(2.0, 0.4)])
def test_a_row_of_the_network_is_driven_as_it_is_coupled(normalization):
    network, x = networks()["nonnegative"], normal(N, 2)
    driven = couple_driven(network, x, x, normalization).dense()
    inside = couple(network, x, normalization).dense()
    apart = ~torch.eye(N, dtype=torch.bool, device=DEVICE)
    if normalization.density_exponent == 0.0:
        torch.testing.assert_close(driven[apart], inside[apart])
    # A row alone counts itself among its partners.
    own = (driven / inside)[apart].view(N, N - 1)
    torch.testing.assert_close(own, own[:, :1].expand_as(own))


def test_test_oscillators_are_coupled_along_edges():
    network, reference, x = networks()["pairwise symmetric"], normal(N, 2), normal(2, 2, seed=1)
    edges = torch.tensor([[0, 0, 1], [3, 4, 5]], device=DEVICE)
    for normalization in (MeanDegree(), InDegree()):
        driven = couple_driven(
            network, x, reference, normalization, edges=edges, reference_edges=EDGES.to(DEVICE)
        ).dense()
        assert {tuple(i) for i in driven.nonzero().tolist()} == {(0, 3), (0, 4), (1, 5)}


def test_edges_between_networks_of_a_batch_are_named():
    ends = torch.tensor([0]), torch.tensor([N])
    with pytest.raises(ValueError, match="must belong to one network"):
        SparseCoupling(*ends, torch.ones(1), (2, N, N))


def test_mean_degree_refuses_signed_factors():
    with pytest.raises(ValueError, match="of form 'nonnegative'"):
        couple(networks()["general"], normal(N, 2), MeanDegree())


def test_balanced_couplings_do_not_see_class_counts():
    network = networks()["block"]
    few, many = normal(1, 2, seed=1), normal(1, 2, seed=2)
    with torch.no_grad():
        network.layers[-1].weight.mul_(200)
        network.layers[-1].bias.mul_(200)
    x = torch.cat((few.expand(2, 2), many.expand(18, 2)))
    matrix = couple(network, x, Balanced()).dense().detach()
    assert (matrix.abs().sum(1) <= 1 + 1e-9).all()
    pull_of_few, pull_of_many = matrix[0, :2].sum(), matrix[0, 2:].sum()
    raw = network(x[:1], x)[0].detach()
    assert float(pull_of_few / pull_of_many) == pytest.approx(float(raw[0] / raw[-1]), rel=1e-6)


def test_stages_that_stay_where_a_step_begins():
    method = RungeKutta(stages=((0.0,),), weights=(0.5, 0.5))

    def gradients(solver):
        K, phases = normal(N, N).requires_grad_(), normal(N, seed=1).requires_grad_()
        path = integrate(DenseCoupling(K), phases, n_steps=5, solver=solver).phases
        return path, *torch.autograd.grad(path[-1].sin().sum(), (K, phases))

    torch.testing.assert_close(gradients(method), gradients("euler"))


def test_locking_in_closed_form_equals_a_long_simulation():
    reference, x = normal(N, 2), normal(3, 2, seed=1)
    network = networks()["block"]
    phases = normal(N, seed=2)
    driven = couple_driven(network, x, reference, Balanced())
    frequency = 0.3 * driven.dense().abs().sum(1) * torch.tensor([0.0, 0.2, -0.2]).to(phases)
    locking = lock(driven, phases, frequency=frequency)
    assert locking.locked.all()
    # The whole system: a frozen reference network and three test oscillators.
    K = phases.new_zeros(N + 3, N + 3)
    K[N:, :N] = driven.dense()
    start = torch.cat((phases, locking.phases + 0.5))
    full = torch.cat((torch.zeros_like(phases), frequency))
    end = integrate(
        DenseCoupling(K), start, frequency=full, step_size=0.5, n_steps=20000, save_from=20000
    ).phases[0, N:]
    turns = (end - locking.phases) / (2 * math.pi)
    assert (turns - turns.round()).abs().max() < 1e-6


def test_locking_to_a_rotating_network_with_delays_is_where_it_is_followed_to():
    network, reference, x = networks()["nonnegative"], normal(N, 2), normal(3, 2, seed=1)
    driven = couple_driven(network, x, reference, MeanDegree(4.0))
    phases, turning, step = 0.1 * normal(N, seed=2), 0.4, 0.01
    delay = 0.1 * torch.arange(N, device=DEVICE, dtype=torch.float64)
    frequency = turning + 0.2 * normal(3, seed=3)
    locking = lock(
        driven,
        phases,
        frequency=frequency,
        reference_frequency=turning,
        reference_delay=delay,
    )
    assert locking.locked.all()
    times = step * torch.arange(20_000, device=DEVICE, dtype=torch.float64)
    acting = phases + turning * (times[:, None] - delay)
    end = follow(driven, acting, step_size=step, frequency=frequency)
    apart = wrap(end - turning * step * len(times) - locking.phases)
    # Euler's steps lag behind a rotating network by a share of a step.
    assert apart.abs().max() < turning * step


def test_wrapped_phases_are_in_the_half_open_turn():
    phases = torch.tensor([-math.pi, math.pi, 3 * math.pi, 0.5, -7.0], dtype=torch.float64)
    wrapped = wrap(phases)
    assert ((wrapped > -math.pi) & (wrapped <= math.pi)).all()
    torch.testing.assert_close(wrapped.cos(), phases.cos())


def test_batched_networks_equal_single_ones():
    network, x, start = networks()["block"], normal(2, N, 2), normal(2, N, seed=1)
    together = integrate(couple(network, x, Balanced()), start, n_steps=5).phases
    for i in range(2):
        alone = integrate(couple(network, x[i], Balanced()), start[i], n_steps=5).phases
        torch.testing.assert_close(together[:, i], alone)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"solver": "leapfrog"}, "solver must be one of"),
        ({"step_size": 0.0}, "step_size must be positive and finite"),
        ({"n_steps": 0}, "n_steps must be at least 1"),
        ({"frequency": torch.zeros(2).double()}, "frequency must have one entry"),
        ({"delay": torch.zeros(N, N).double()}, "one entry for each unit, not for each pair"),
        ({"frequency": torch.zeros(3, N).double()}, "Repeat the couplings along the batch"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        integrate(DenseCoupling(normal(N, N)), normal(N), **change)


def test_mismatched_phases_are_named():
    with pytest.raises(ValueError, match="phases must have shape"):
        integrate(DenseCoupling(normal(N, N)), normal(N + 1))
    with pytest.raises(ValueError, match="phases are"):
        integrate(DenseCoupling(normal(N, N)), normal(N).float())


@pytest.mark.parametrize("diagonal", [False, True])
def test_networks_alike_share_their_couplings(diagonal):
    left, right = (normal(1, 7, 2, seed=seed).requires_grad_() for seed in (0, 1))
    factors = FactorizedCoupling(left, right)
    factors = factors.without_self_coupling() if diagonal else factors
    phases = normal(3, 7, seed=2)
    losses = []
    for one in (factors, DenseCoupling(factors.dense())):
        many = repeated(one, 3)
        assert many.shape == (3, 7, 7)
        end = integrate(many, phases, n_steps=5, save_from=5).phases[0]
        losses.append(torch.autograd.grad(end.sin().sum(), (left, right), retain_graph=True))
        for own, start in zip(end, phases, strict=True):
            alone = integrate(one, start.unsqueeze(0), n_steps=5, save_from=5).phases[0, 0]
            torch.testing.assert_close(own, alone)
    torch.testing.assert_close(*losses)
    assert repeated(factors.transpose().add(DenseCoupling(factors.dense())), 3) is None
