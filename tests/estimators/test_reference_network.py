"""What a reference network alone decides is computed once, and nothing else changes."""

import copy
import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from skkuranet import KuraNetClusterer, KuraNetSynchronizer, compress
from skkuranet.coupling import (
    Balanced,
    DenseCoupling,
    FactorizedNetwork,
    Identity,
    InDegree,
    MeanDegree,
    Normalization,
    PairwiseNetwork,
    PerSource,
    couple,
    couple_driven,
    driven_by,
)
from skkuranet.datasets import make_disorder, make_gaussian_ring
from skkuranet.estimators._reference_network import ReferenceNetwork

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

QUICK = {"max_iter": 20, "hidden_layer_sizes": (16,), "n_reference": 60, "random_state": 0}
M, N = 5, 7


class OfTheUser(torch.nn.Module):
    """Couplings of a module that knows nothing of operators, and what it has been asked."""

    asked = []

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layer = torch.nn.Linear(2, 3)
        self.gain = 1.0

    def forward(self, x, y):
        self.asked.append((len(x), len(y)))
        return self.gain * self.layer(x) @ self.layer(y).mT


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def networks():
    generator = torch.Generator().manual_seed(3)
    common = {"hidden_layer_sizes": (5,), "generator": generator, "activation": "tanh"}
    made = {
        "pairwise": PairwiseNetwork(2, **common),
        "symmetric": PairwiseNetwork(2, symmetric=True, **common),
        "user": OfTheUser(),
        **{
            form: FactorizedNetwork(2, rank=3, form=form, **common)
            for form in ("block", "cosine", "general", "nonnegative")
        },
    }
    return {name: network.double() for name, network in made.items()}


# Too little for two copies of the matrix, and enough for the factors.
TILED = 2 * 8 * M * N - 1
IN_DEGREES = [
    InDegree(),
    InDegree(density_exponent=0.5),
    InDegree(symmetrize=False),
    InDegree(order=2, density_exponent=0.5),
]
BY_ROOT = [
    InDegree(order=2),
    InDegree(order=2, density_exponent=0.5),
    InDegree(order=2, symmetrize=False),
]
DEGREES = [MeanDegree(), MeanDegree(2.0, 0.4)]
ANY = [Identity(), PerSource()]
CASES = [
    *[("pairwise", budget, each) for budget in (2**30, TILED) for each in (*IN_DEGREES, *ANY)],
    *[("symmetric", budget, each) for budget in (2**30, TILED) for each in DEGREES],
    *[("user", 2**30, each) for each in (*IN_DEGREES, *DEGREES, *ANY)],
    *[("general", 2**30, each) for each in (*BY_ROOT, *ANY)],
    ("cosine", 2**30, InDegree(order=2)),
    ("nonnegative", 2**30, MeanDegree()),
    ("nonnegative", 2**30, MeanDegree(2.0, 0.4)),
    ("block", 2**30, Balanced()),
]


def by_definition(normalization, network, x, reference):
    """Couplings of x to the reference network, from matrices of all pairs."""
    raw, back, among = network(x, reference), network(reference, x), network(reference, reference)
    apart = 1.0 - torch.eye(N, dtype=torch.float64)
    return DEFINITIONS[type(normalization)](normalization, network, raw, back, among, apart, x)


def in_degree(normalization, network, raw, back, among, apart, x):
    def degree(matrix):
        if normalization.order == 1:
            return matrix.abs().sum(1, keepdim=True)
        return (N * matrix.square().sum(1, keepdim=True)).sqrt()

    among, power = among * apart, -normalization.density_exponent
    own, theirs = (degree(raw) / N) ** power, (degree(among) / N) ** power
    raw, back, among = own * raw * theirs.mT, theirs * back * own.mT, theirs * among * theirs.mT
    forward = raw / degree(raw)
    return 0.5 * (forward + (back / degree(among)).mT) if normalization.symmetrize else forward


def mean_degree(normalization, network, raw, back, among, apart, x):
    if not getattr(network, "nonnegative", False):
        raw, among = raw.exp(), among.exp()
    wanted = N * normalization.average_degree
    share = wanted / (among * apart).sum()
    raw, among = share * raw, share * among * apart
    power = -normalization.density_exponent
    own, theirs = raw.sum(1, keepdim=True) ** power, among.sum(1, keepdim=True) ** power
    evened = theirs * among * theirs.mT
    return own * raw * theirs.mT * (wanted / evened.sum() if power else 1.0)


def balanced(normalization, network, raw, back, among, apart, x):
    _, membership = network.embed(normal(N, 2))
    raw = raw / (membership @ membership.mean(0))
    return raw / (N * raw.square().sum(1, keepdim=True)).sqrt()


DEFINITIONS = {
    InDegree: in_degree,
    MeanDegree: mean_degree,
    Balanced: balanced,
    Identity: lambda normalization, network, raw, *_: raw,
    PerSource: lambda normalization, network, raw, *_: raw / N,
}


@pytest.mark.parametrize(("name", "budget", "normalization"), CASES)
def test_what_is_prepared_once_is_what_the_definition_says(name, budget, normalization):
    network, x, reference = networks()[name], normal(M, 2, seed=1), normal(N, 2)
    expected = by_definition(normalization, network, x, reference)
    at_once = couple_driven(network, x, reference, normalization, memory_budget=budget)
    torch.testing.assert_close(at_once.dense(), expected)
    prepared = driven_by(network, reference, normalization, memory_budget=budget)
    assert torch.equal(prepared(x).dense(), at_once.dense())
    for i in range(M):
        torch.testing.assert_close(prepared(x[i : i + 1]).dense(), expected[i : i + 1])


@pytest.mark.parametrize("normalization", [InDegree(), MeanDegree(), PerSource(), Identity()])
def test_along_edges_pairs_without_one_do_not_count(normalization):
    network, x, reference = networks()["symmetric"], normal(M, 2, seed=1), normal(N, 2)
    generator = torch.Generator().manual_seed(0)
    edges, among = (torch.rand(n, N, generator=generator) < 0.7 for n in (M, N))
    among = (among | among.mT).fill_diagonal_(False)
    empty = -torch.inf if isinstance(normalization, MeanDegree) else 0.0

    class Masked(torch.nn.Module):
        def forward(self, a, b):
            allowed = {(M, N): edges, (N, M): edges.mT, (N, N): among}[len(a), len(b)]
            return network(a, b).masked_fill(~allowed, empty)

    found = couple_driven(
        network,
        x,
        reference,
        normalization,
        edges=edges.nonzero().mT,
        reference_edges=among.nonzero().mT,
    )
    expected = by_definition(normalization, Masked(), x, reference)
    torch.testing.assert_close(found.dense(), expected)


@dataclasses.dataclass(frozen=True)
class DrivenAlone(Normalization):
    """A normalisation of the user as it used to be: two methods."""

    factor: float = 3.0

    def __call__(self, raw):
        return raw.scale(torch.full(raw.shape[:-1], self.factor).to(raw.dtype), None)

    def driven(self, between, x, reference):
        return self(between(x, reference))


class Tripled(InDegree):
    """One that changes what it inherits, and so must not be passed by."""

    def driven(self, between, x, reference):
        return DrivenAlone()(super().driven(between, x, reference))


class TripledAt(InDegree):
    """The same by the other method."""

    def at(self, between, reference):
        driven = super().at(between, reference)
        return lambda x: DrivenAlone()(driven(x))


@pytest.mark.parametrize(
    ("normalization", "like"),
    [(DrivenAlone(), Identity()), (Tripled(), InDegree()), (TripledAt(), InDegree())],
)
@pytest.mark.parametrize("name", ["pairwise", "user"])
def test_a_normalisation_of_the_user_defines_either_method(name, normalization, like):
    network, x, reference = networks()[name], normal(M, 2, seed=1), normal(N, 2)
    expected = 3.0 * couple_driven(network, x, reference, like).dense()
    for found in (
        couple_driven(network, x, reference, normalization),
        driven_by(network, reference, normalization)(x),
    ):
        torch.testing.assert_close(found.dense(), expected)


def test_a_normalisation_without_either_is_told_what_to_define():
    class Neither(Normalization):
        def __call__(self, raw):
            return raw

    network, x = networks()["pairwise"], normal(N, 2)
    couple(network, x, Neither())
    message = r"Neither .* define at\(between, reference\) or driven"
    with pytest.raises(NotImplementedError, match=message):
        couple_driven(network, x, x, Neither())
    with pytest.raises(NotImplementedError, match=message):
        driven_by(network, x, Neither())


class Halved(FactorizedNetwork):
    """A factorised network with an operator of its own."""

    def operator(self, x, y=None):
        return DenseCoupling(0.5 * self(x, x if y is None else y))


def test_an_operator_of_the_user_is_asked():
    network, reference = Halved(2, (5,), rank=3, form="general").double(), normal(N, 2)
    x = normal(M, 2, seed=1)
    torch.testing.assert_close(
        driven_by(network, reference)(x).dense(), 0.5 * network(x, reference)
    )


@pytest.fixture(scope="module")
def ring():
    return make_gaussian_ring(3, 300, random_state=0)


COUPLINGS = {
    "factorized": lambda: "factorized",
    "pairwise": lambda: "pairwise",
    "user": lambda: OfTheUser(),
}


@pytest.fixture(scope="module", params=COUPLINGS)
def fitted(request, ring):
    return KuraNetClusterer(COUPLINGS[request.param](), **QUICK).fit(*ring)


def fresh(estimator):
    """The same estimator, with nothing computed in advance."""
    return pickle.loads(pickle.dumps(estimator))


def test_rows_alone_and_together_get_one_answer(fitted, ring):
    X = ring[0]
    together = fitted.transform(X)
    alone = np.concatenate([fitted.transform(row[None]) for row in X])
    np.testing.assert_allclose(alone, together, rtol=0.0, atol=1e-12)
    # So many bytes are a few rows at a time.
    by_parts = fresh(fitted).set_params(memory_budget=40_000).transform(X)
    np.testing.assert_allclose(by_parts, together, rtol=0.0, atol=1e-12)


def test_drive_is_the_sum_over_sources(fitted, ring, device):
    X = ring[0][:50]
    sources = np.random.RandomState(0).standard_normal((4, len(fitted.reference_features_)))
    made_from = fitted.coupling_, fitted.normalization_, fitted.reference_features_
    reference = ReferenceNetwork(*made_from, 2**30, torch.device(device))
    expected = fitted.coupling_matrix(X, fitted.reference_features_) @ sources.T
    np.testing.assert_allclose(reference.drive(X, sources), expected, atol=1e-12)
    membership = sources > 0.0
    found = reference.drive(X, torch.from_numpy(membership))
    np.testing.assert_allclose(found, reference.drive(X, membership * 1.0), atol=1e-12)


def test_one_row_looks_at_no_pairs_of_reference_oscillators(ring):
    model = KuraNetClusterer(OfTheUser(), **QUICK).fit(*ring)
    n = len(model.reference_features_)
    OfTheUser.asked.clear()
    model.predict(ring[0][:1])
    assert set(OfTheUser.asked) == {(1, n), (n, 1)}


def test_predictions_leave_pickles_and_attributes_as_they_are(fitted, ring):
    X = ring[0]
    expected, before = fitted.transform(X), dict(vars(fitted))
    assert vars(fitted) == before
    for same in (fresh(fitted), copy.deepcopy(fitted), copy.copy(fitted)):
        size = len(pickle.dumps(same))
        np.testing.assert_array_equal(same.transform(X), expected)
        assert len(pickle.dumps(same)) == size


def _weights_in_place(model):
    with torch.no_grad():
        next(model.coupling_.parameters())[0].mul_(0.5)


def _weights_unnoticed_by_autograd(model):
    next(model.coupling_.parameters()).data[0] *= 0.5


def _state_loaded(model):
    other = fresh(model)
    _weights_in_place(other)
    model.coupling_.load_state_dict(other.coupling_.state_dict())


def _another_parameter(model):
    path, weight = next(model.coupling_.named_parameters())
    halved = weight.detach().clone()
    halved[0] *= 0.5
    owner, _, name = path.rpartition(".")
    setattr(model.coupling_.get_submodule(owner), name, torch.nn.Parameter(halved))


def _another_network(model):
    model.coupling_ = copy.deepcopy(model.coupling_)
    _weights_in_place(model)


def _half_silenced(module, args, out):
    n_silent = out.shape[-1] // 2
    return torch.cat((0.0 * out[..., :n_silent], out[..., n_silent:]), -1)


def _a_hook(model):
    called = torch.nn.Linear, torch.nn.LeakyReLU
    layer = next(m for m in model.coupling_.modules() if isinstance(m, called))
    layer.register_forward_hook(_half_silenced)


def _another_normalization(model):
    model.normalization_ = InDegree(order=2, symmetrize=False)


def _other_features(model):
    model.reference_features_ = model.reference_features_[::-1].copy()


def _features_in_place(model):
    # To the other side of the ring.
    model.reference_features_[:10] *= -1.0


def _other_phases(model):
    model.reference_phases_ = model.reference_phases_ + 1.0


@pytest.mark.parametrize(
    "change",
    [
        _weights_in_place,
        _weights_unnoticed_by_autograd,
        _state_loaded,
        _another_parameter,
        _another_network,
        _a_hook,
        _another_normalization,
        _other_features,
        _features_in_place,
        _other_phases,
    ],
)
def test_changes_after_fit_are_noticed(fitted, ring, change):
    X, model = ring[0], fresh(fitted)

    def answers(model):
        # All phases of a network may lie on one line, whatever the couplings are.
        return np.column_stack((model.transform(X), model.predict_log_proba(X)))

    before = answers(model)
    change(model)
    found = answers(model)
    assert np.abs(found - before).max() > 1e-6
    np.testing.assert_array_equal(found, answers(copy.copy(model)))


def test_attributes_of_modules_and_normalisations_are_noticed(ring):
    X = ring[0]
    model = KuraNetClusterer(OfTheUser(), **QUICK).fit(*ring)
    model.normalization_ = DrivenAlone()
    before = model.transform(X)
    model.coupling_.gain = -1.0
    np.testing.assert_allclose(model.transform(X), -before, atol=1e-12)
    object.__setattr__(model.normalization_, "factor", -3.0)
    np.testing.assert_allclose(model.transform(X), before, atol=1e-12)


def test_a_refit_and_compressed_couplings_are_noticed(ring):
    X, y = ring
    model = KuraNetClusterer("pairwise", warm_start=True, **QUICK).fit(X, y)
    first = model.transform(X)
    small = compress(model, 4, X)
    np.testing.assert_array_equal(model.transform(X), first)
    np.testing.assert_array_equal(small.transform(X), fresh(small).transform(X))
    again = model.set_params(max_iter=3).fit(X[::-1], y[::-1]).transform(X)
    np.testing.assert_array_equal(again, fresh(model).transform(X))


def test_compressed_couplings_follow_their_weights(ring):
    X, y = ring
    network = compress(KuraNetClusterer("pairwise", **QUICK).fit(X, y), 4, X).coupling_
    x = torch.from_numpy(X[:9])
    single = network.embed(x)[0]
    other = copy.deepcopy(network).double()
    torch.testing.assert_close(other.embed(x)[0].float(), single, rtol=1e-3, atol=1e-3)
    halved = {name: 0.5 * value for name, value in other.network.state_dict().items()}
    other.load_state_dict(
        {f"network.{name}": value for name, value in halved.items()}, strict=False
    )
    torch.testing.assert_close(other.embed(x), pickle.loads(pickle.dumps(other)).embed(x))
    assert torch.equal(network.embed(x)[0], single)


def test_threads_share_it(fitted, ring):
    X = ring[0]
    expected, model = fitted.transform(X), fresh(fitted)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(model.transform, [X] * 16):
            np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_it_may_be_made_in_any_mode_and_used_in_others(fitted, ring, mode):
    X, model = ring[0], fresh(fitted)
    expected = fitted.transform(X)
    with mode():
        np.testing.assert_array_equal(model.transform(X), expected)
    np.testing.assert_array_equal(model.transform(X), expected)


@pytest.mark.parametrize("coupling", ["factorized", "pairwise"])
def test_a_synchronizer_keeps_it_too(coupling):
    X = make_disorder("I", 200, random_state=0)
    model = KuraNetSynchronizer(coupling=coupling, average_degree=5.0, **QUICK).fit(X)
    before, expected = dict(vars(model)), model.predict(X)
    assert vars(model) == before
    np.testing.assert_array_equal(fresh(model).predict(X), expected)
    alone = np.concatenate([model.predict(row[None]) for row in X])
    np.testing.assert_allclose(np.exp(1j * alone), np.exp(1j * expected), atol=1e-12)
    _weights_in_place(model)
    np.testing.assert_array_equal(model.predict(X), fresh(model).predict(X))
