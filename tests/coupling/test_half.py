"""Couplings evaluated and stored in 16 bits."""

import numpy as np
import pytest
import torch

from skkuranet import KuraNetClusterer, KuraNetSynchronizer, compress, simulate_in_batches
from skkuranet.coupling import (
    FactorizedNetwork,
    HalfCoupling,
    Identity,
    InDegree,
    MeanDegree,
    PairwiseNetwork,
    couple,
)
from skkuranet.datasets import make_disorder, make_gaussian_ring
from skkuranet.dynamics import integrate

NORMALIZATIONS = [
    Identity(),
    InDegree(),
    InDegree(2, 0.5),
    InDegree(1, 0.5, symmetrize=False),
    MeanDegree(),
    MeanDegree(2.0, 0.4),
]


@pytest.fixture
def pairs(device):
    generator = torch.Generator().manual_seed(0)
    network = PairwiseNetwork(2, (32, 32), generator=generator).to(device).eval()
    return network, torch.randn((200, 2), generator=generator).to(device)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_couplings_are_those_of_single_precision_but_for_a_few_roundings(pairs, normalization):
    with torch.no_grad():
        half = couple(*pairs, normalization, storage=torch.bfloat16)
        single = couple(*pairs, normalization)
    # Eight bits are rounded to one part in 256.
    assert half.dtype == torch.float32
    assert half.tensors[0].dtype == torch.bfloat16
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randn((2, 200), generator=generator).to(single.device)
    strength = single.dense().abs()
    # Terms of a product may cancel, but not their errors.
    for ours, exact, scale in (
        (half.dense(), single.dense(), strength),
        (half.matvec(vectors), single.matvec(vectors), vectors.abs() @ strength.mT),
        (half.rmatvec(vectors), single.rmatvec(vectors), vectors.abs() @ strength),
        (half.degree(2), single.degree(2), single.degree(2)),
    ):
        assert (ours - exact).norm() < 5 * 2.0**-8 * scale.norm()


def test_phases_stay_in_single_precision(pairs):
    start = torch.linspace(0.0, 6.0, 200, device=pairs[1].device)
    with torch.no_grad():
        paths = [
            integrate(couple(*pairs, InDegree(), storage=storage), start, n_steps=200).phases
            for storage in (None, torch.bfloat16)
        ]
    assert paths[1].dtype == torch.float32
    assert 0.0 < (paths[0] - paths[1]).abs().max() < 0.1


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["clusterer", "synchronizer"])
def test_estimators_simulate_with_it(kind):
    options = {"coupling": "pairwise", "hidden_layer_sizes": (16, 16), "random_state": 0}
    if kind == "clusterer":
        X, y = make_gaussian_ring(3, 300, random_state=0)
        trained = KuraNetClusterer(max_iter=100, **options).fit(X, y)
    else:
        X = make_disorder("II", 300, random_state=0)
        trained = KuraNetSynchronizer(frequency=0, field=1, max_iter=60, **options).fit(X)
    exact, half = (
        np.exp(1j * trained.set_params(precision=each).simulate(X, n_steps=300).phases[-1])
        for each in ("single", "bfloat16")
    )
    turned = np.angle(half / exact)
    assert np.abs(np.angle(half / exact / np.exp(1j * np.median(turned)))).mean() < 0.05
    start = np.zeros(len(X))
    assert trained.simulate(X, n_steps=1, initial_phases=start).phases.dtype == np.float32
    batches = {"n_steps": 5, "batch_size": 100, "initial_phases": start + 0.1 * np.arange(len(X))}
    assert np.isfinite(simulate_in_batches(trained, X, **batches).phases).all()
    # Factors are stored as they are.
    assert compress(trained, 4, X, random_state=0).precision == "single"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_cannot_be_stored_so_is_refused(pairs):
    network, x = pairs
    factors = FactorizedNetwork(2, (8,)).to(x.device)
    with pytest.raises(ValueError, match=r"not stored in torch\.bfloat16; use single precision"):
        couple(factors, x, storage=torch.bfloat16)
    with pytest.raises(ValueError, match=r"need 160000 bytes in torch\.bfloat16"):
        couple(network, x, storage=torch.bfloat16, memory_budget=100_000)
    with pytest.raises(ValueError, match=r"matrix must be a tensor of bfloat16"):
        HalfCoupling(torch.zeros(3, 3))
    with pytest.raises(ValueError, match=r"storage must be torch\.bfloat16 or"):
        couple(network, x, storage=torch.float64)
    with pytest.raises(ValueError, match="have no gradients"):
        couple(network, x, storage=torch.bfloat16)
    X, y = make_gaussian_ring(3, 100, random_state=0)
    trained = KuraNetClusterer("pairwise", max_iter=2, hidden_layer_sizes=(4,)).fit(X, y)
    with pytest.raises(ValueError, match=r"precision must be one of \['bfloat16', 'single'\]"):
        trained.set_params(precision="half").simulate(X)
    with pytest.raises(ValueError, match="'precision' parameter"):
        trained.fit(X, y)
