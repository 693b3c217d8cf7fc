"""All state moves to a card and nothing is mixed: what can be seen without one.

The tests that ask for a device run on a CUDA card where there is one.
"""

import inspect

import numpy as np
import pytest
import sklearn
import test_device_analysis
import test_devices
import torch
from numpy.testing import assert_allclose
from pretend_card import CARD, OnCard, PretendCard, install
from small_flows import DENSE, FACTORS, N, flow, leaves
from small_images import scene, scribbled

from skkuranet import (
    KuraNetClusterer,
    KuraNetSegmenter,
    KuraNetSynchronizer,
    compress,
    simulate_in_batches,
)
from skkuranet.coupling import (
    DenseCoupling,
    EqualDegree,
    FactorizedCoupling,
    HalfCoupling,
    Identity,
    InDegree,
    MeanDegree,
    PairwiseNetwork,
    _factorized,
    _half,
    _products,
    couple,
)
from skkuranet.datasets import make_disorder, make_gaussian_ring
from skkuranet.dynamics import integrate
from skkuranet.metrics import order_parameter

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API"),
    # Of torch, at the first sparse tensor that a test makes by itself.
    pytest.mark.filterwarnings("ignore:Sparse "),
]

QUICK = {"max_iter": 2, "hidden_layer_sizes": (8,), "batch_size": 2, "n_steps": 10}
QUICK |= {"n_reference": 20, "random_state": 0}


@pytest.fixture(autouse=True)
def card(monkeypatch):
    install(monkeypatch)
    with PretendCard():
        yield CARD


def test_it_refuses_to_mix_and_to_hand_over():
    here, there = torch.ones(3), torch.ones(3).to(CARD)
    assert isinstance(there + there, OnCard)
    assert isinstance(there.cpu(), torch.Tensor)
    assert not isinstance(there.cpu(), OnCard)
    assert float((2.0 * there).sum()) == 6.0
    for mix in (
        lambda: here + there,
        lambda: there.add_(here),
        lambda: torch.add(here, here, out=there),
        lambda: torch.stack((here, there)),
        lambda: torch.stack((here[0], there[0])),
        lambda: integrate(DenseCoupling(torch.eye(3).to(CARD)), here, n_steps=1),
    ):
        with pytest.raises(RuntimeError, match="of the card and of the processor"):
            mix()
    with pytest.raises((RuntimeError, TypeError), match="numpy"):
        there.numpy()


@pytest.mark.parametrize("solver", ["euler", "rk4"])
@pytest.mark.parametrize("shapes", [DENSE, FACTORS], ids=["dense", "factorised"])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_flows_and_gradients(batch, shapes, solver):
    options = {"n_steps": 12, "save_from": 3, "solver": solver}

    def results(given):
        path = flow(*given, **options)
        return path.detach(), *torch.autograd.grad(path.sin().sum(), given)

    expected = results(leaves(batch, shapes))
    found = results([leaf.detach().to(CARD).requires_grad_() for leaf in leaves(batch, shapes)])
    assert all(isinstance(tensor, OnCard) for tensor in found)
    torch.testing.assert_close([tensor.cpu() for tensor in found], list(expected))


@pytest.mark.parametrize("solver", ["euler", "dopri5"])
def test_delays_and_steps_that_are_chosen(solver):
    K, phases = torch.randn(N, N, dtype=torch.float64), torch.arange(N, dtype=torch.float64)
    delay = torch.tensor([0.0, 0.1, 0.3, 0.2, 0.4]) if solver == "euler" else None
    options = {"n_steps": 8, "solver": solver}
    expected = integrate(DenseCoupling(K), phases, delay=delay, **options).phases
    on_card = [t if t is None else t.to(CARD) for t in (K, phases, delay)]
    found = integrate(DenseCoupling(on_card[0]), on_card[1], delay=on_card[2], **options).phases
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-6, atol=1e-6)


def test_noise_is_the_same_as_elsewhere():
    K, phases = torch.randn(N, N, dtype=torch.float64), torch.arange(N, dtype=torch.float64)
    here, there = (
        integrate(DenseCoupling(k), p, noise=0.3, generator=torch.Generator().manual_seed(0)).phases
        for k, p in ((K, phases), (K.to(CARD), phases.to(CARD)))
    )
    torch.testing.assert_close(there.cpu(), here, rtol=1e-6, atol=1e-6)


def test_equal_degrees():
    left, right = torch.rand(2, N, 3, dtype=torch.float64), torch.rand(2, N, 3, dtype=torch.float64)
    raw = left @ right.mT
    both = torch.cat((left, right), -1), torch.cat((right, left), -1)
    for kind, tensors in ((DenseCoupling, (raw + raw.mT,)), (FactorizedCoupling, both)):
        here, there = (
            EqualDegree()(kind(*(t.to(place) for t in tensors))).dense() for place in ("cpu", CARD)
        )
        torch.testing.assert_close(there.cpu(), here)


@pytest.mark.parametrize("coupling", ["factorized", "pairwise"])
def test_a_clusterer(coupling):
    X, y = make_gaussian_ring(3, 60, random_state=0)
    here = KuraNetClusterer(coupling, device="cpu", **QUICK).fit(X, y)
    there = KuraNetClusterer(coupling, device=CARD.type, **QUICK).fit(X, y)
    assert_allclose(there.loss_curve_, here.loss_curve_, atol=1e-5)
    for method in ("predict_proba", "transform", "coupling_matrix"):
        assert_allclose(getattr(there, method)(X), getattr(here, method)(X), atol=1e-4)
    # What is fitted is loaded where there is no card.
    assert not any(isinstance(p, OnCard) for p in there.coupling_.parameters())
    if coupling == "pairwise":
        small = [compress(model, 4, X, random_state=0) for model in (here, there)]
        assert_allclose(*(model.coupling_matrix(X) for model in small), atol=1e-3)
        runs = [simulate_in_batches(model, X, batch_size=20, n_steps=3, random_state=0)
                for model in (here, there)]  # fmt: skip
        assert_allclose(*(run.phases for run in runs), atol=1e-4)


@pytest.mark.parametrize("case", ["I", "II", "III"])
def test_a_synchronizer(case):
    X = make_disorder(case, 60, random_state=0)
    settings = QUICK | {"I": {}, "II": {"field": 1}, "III": {"delay": 1}}[case]
    here = KuraNetSynchronizer(device="cpu", **settings).fit(X)
    there = KuraNetSynchronizer(device=CARD.type, **settings).fit(X)
    assert_allclose(there.loss_curve_, here.loss_curve_, atol=1e-5)
    assert_allclose(there.coupling_matrix(X), here.coupling_matrix(X), atol=1e-5)
    run = {"n_steps": 10, "random_state": 0}
    assert_allclose(*(m.simulate(X, **run).phases for m in (here, there)), atol=1e-4)


def test_a_segmenter():
    image, mask = scene(16, 20)
    labels = scribbled(mask, 20)
    settings = {"max_iter": 2, "hidden_layer_sizes": (8,), "random_state": 0}
    here = KuraNetSegmenter(device="cpu", **settings).fit(image, labels)
    there = KuraNetSegmenter(device=CARD.type, **settings).fit(image, labels)
    assert_allclose(there.loss_curve_, here.loss_curve_, atol=1e-5)
    assert np.mean(there.predict(image) != here.predict(image)) < 0.02


def test_features_on_the_card_stay_there():
    pytest.importorskip("sklearn.callback", reason="tensors need scikit-learn 1.9")
    arrays = make_gaussian_ring(3, 60, random_state=0)
    expected = KuraNetClusterer(device="cpu", **QUICK).fit(*arrays)
    with sklearn.config_context(array_api_dispatch=True):
        X, y = (torch.tensor(a, device=CARD) for a in arrays)
        model = KuraNetClusterer(**QUICK).fit(X, y)
        found = [model.predict_proba(X), model.transform(X), model.coupling_matrix(X)]
        found += [model.simulate(X, n_steps=2).phases, model.reference_phases_]
        assert all(isinstance(answer, OnCard) for answer in found)
        assert 0.0 <= order_parameter(found[3])[-1] <= 1.0
    assert_allclose(found[0].cpu().numpy(), expected.predict_proba(arrays[0]), atol=1e-4)


ON_DEVICES = {
    name: test
    for module in (test_devices, test_device_analysis)
    for name, test in vars(module).items()
    if name.startswith("test_")
}


@pytest.mark.parametrize("name", ON_DEVICES)
def test_what_moves_to_a_device_moves_to_the_card(name, tmp_path):
    test = ON_DEVICES[name]
    (mark,) = [m for m in getattr(test, "pytestmark", []) if m.name == "parametrize"] or [None]
    names = set(inspect.signature(test).parameters)
    given = {"device": CARD.type} | ({"tmp_path": tmp_path} if "tmp_path" in names else {})
    for value in [None] if mark is None else mark.args[1]:
        test(**given | ({} if mark is None else {mark.args[0]: value}))


@pytest.mark.parametrize("normalization", [InDegree(), MeanDegree(), Identity()])
def test_large_couplings_of_16_bits_have_room(normalization, monkeypatch):
    monkeypatch.setattr(_half, "_LARGE", 1)
    network = PairwiseNetwork(2, (8,), generator=torch.Generator().manual_seed(0)).eval()
    x, vectors = torch.linspace(-1, 1, 46).view(23, 2), torch.linspace(0, 1, 46).view(2, 23)
    with torch.no_grad():
        found = []
        for place in ("cpu", CARD):
            here = HalfCoupling(couple(network, x, storage=torch.bfloat16).matrix.to(place))
            acting = normalization(here)
            found.append([acting.matvec(vectors.to(place)), acting.rmatvec(vectors.to(place))])
    torch.testing.assert_close([t.cpu() for t in found[1]], found[0], rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("solver", ["euler", "rk4"])
def test_large_factors_lie_as_rows(solver, monkeypatch):
    monkeypatch.setattr(_factorized, "_LARGE_OF_CARD", 1)
    monkeypatch.setattr(_products, "_TALL", 1)
    options = {"n_steps": 12, "save_from": 3, "solver": solver}

    def results(given):
        path = flow(*given, **options)
        return path.detach(), *torch.autograd.grad(path.sin().sum(), given)

    expected = results(leaves((), FACTORS))
    found = results([leaf.detach().to(CARD).requires_grad_() for leaf in leaves((), FACTORS)])
    torch.testing.assert_close([tensor.cpu() for tensor in found], list(expected))
