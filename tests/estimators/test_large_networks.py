"""Trained couplings where all pairs are too many: factors of low rank, and random batches."""

import copy
import os
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from skkuranet import KuraNetClusterer, KuraNetSynchronizer, compress, simulate_in_batches
from skkuranet.coupling import InDegree, NystromNetwork, PairwiseNetwork, PerSource, couple
from skkuranet.coupling._build import budget_on
from skkuranet.datasets import make_disorder, make_gaussian_ring

QUICK = {"max_iter": 150, "hidden_layer_sizes": (32, 32), "random_state": 0}


@pytest.fixture(scope="module")
def clusterer():
    X, y = make_gaussian_ring(3, 2000, random_state=0)
    return KuraNetClusterer("pairwise", **QUICK).fit(X, y), X


@pytest.fixture(scope="module")
def synchronizer():
    X = make_disorder("II", 2000, random_state=0)
    # Long enough that all lock, however a machine rounds.
    settings = {**QUICK, "max_iter": 400, "batch_size": 8}
    return KuraNetSynchronizer(0, field=1, coupling="pairwise", **settings).fit(X), X


def apart(a, b):
    """Root-mean-square difference of phases, up to a common rotation."""
    difference = np.exp(1j * (a - b))
    return np.sqrt(np.mean(np.angle(difference / difference.mean()) ** 2))


def test_factors_of_full_rank_are_the_couplings_themselves(device):
    generator = torch.Generator().manual_seed(0)
    network = PairwiseNetwork(2, (16,), symmetric=True, generator=generator).double().to(device)
    x = torch.randn((60, 2), generator=generator, dtype=torch.float64).to(device)
    found = couple(NystromNetwork(network, InDegree(), x, 60).double(), x, PerSource()).dense()
    raw = network(x, x)
    degree = raw.abs().sum(-1)
    # Landmarks couple to themselves as to others.
    expected = 0.5 * (raw / degree[:, None] + raw / degree)
    assert (found - expected).norm() < 0.02 * expected.norm()


@pytest.mark.parametrize("kind", ["clusterer", "synchronizer"])
def test_compressed_couplings_do_what_the_trained_ones_do(kind, request):
    trained, X = request.getfixturevalue(kind)
    found = [compress(trained, rank, X) for rank in (2, 16)]
    errors = [small.compression_error_ for small in found]
    assert errors == sorted(errors, reverse=True)
    small = found[-1]
    exact, compressed = small.compression_loss_
    assert errors[-1] < 0.15
    assert compressed < exact + 0.02
    chosen = X[:300]
    np.testing.assert_allclose(small.transform(chosen), trained.transform(chosen), atol=0.15)
    assert not hasattr(trained, "compression_error_")
    again = pickle.loads(pickle.dumps(small))
    np.testing.assert_array_equal(again.transform(chosen), small.transform(chosen))
    # A network whose couplings would take terabytes.
    many = np.concatenate([X] * 50)
    assert small.simulate(many, n_steps=2, save_from=2).phases.shape == (1, len(many))


def test_more_landmarks_leave_a_smaller_error(clusterer):
    trained, X = clusterer
    few, many = (compress(trained, 8, X, n_landmarks=n).compression_error_ for n in (50, 1000))
    assert many < 0.7 * few


@pytest.mark.filterwarnings("ignore:step_size=1 is too coarse")
def test_what_cannot_be_compressed_says_why(clusterer):
    trained, X = clusterer
    factorised = KuraNetClusterer(**QUICK | {"max_iter": 100}).fit(X, trained.predict(X))
    with pytest.raises(ValueError, match="factorised couplings already"):
        compress(factorised, 4, X)
    with pytest.raises(ValueError, match="rank must lie between"):
        compress(trained, 40, X, n_landmarks=30)
    with pytest.raises(ValueError, match="n_landmarks"):
        compress(trained, 4, X, n_landmarks=len(X))
    with pytest.raises(ValueError, match="lower n_landmarks"):
        compress(copy.copy(trained).set_params(memory_budget=10**6), 4, X)
    with pytest.raises(ValueError, match="X has 5 rows"):
        compress(trained, 1, X[:5])
    assert np.isfinite(compress(trained, 1, X[:6]).compression_error_)
    one_way = InDegree(symmetrize=False)
    plain = KuraNetClusterer("pairwise", normalization=one_way, **QUICK | {"max_iter": 10})
    with pytest.warns(ConvergenceWarning):
        plain.fit(X, trained.predict(X))
    with pytest.raises(ValueError, match="only symmetric ones"):
        compress(plain, 4, X)


@pytest.mark.parametrize("kind", ["clusterer", "synchronizer"])
def test_random_batches_know_their_error(kind, device, request):
    trained, X = request.getfixturevalue(kind)
    trained, X = copy.copy(trained).set_params(device=device), X[:600]
    start = np.random.RandomState(1).uniform(0.0, 2.0 * np.pi, len(X))
    run = {"n_steps": 200, "step_size": 0.5, "initial_phases": start}
    exact = trained.simulate(X, save_from=200, **run).phases[0]
    order = abs(np.exp(1j * exact).mean())
    errors = {}
    for batch_size in (50, 200):
        drawn = [
            simulate_in_batches(trained, X, batch_size=batch_size, random_state=seed, **run)
            for seed in range(3)
        ]
        found = [apart(each.phases, exact) for each in drawn]
        for each in drawn:
            assert abs(each.order_parameter - order) < 2.0 * each.order_error + 0.01
            assert each.order_error < 0.05
        # An oscillator near a saddle may slip in one draw, or one estimate, and not in others.
        estimates = [each.phase_error for each in drawn]
        assert 0.5 * np.median(found) < np.median(estimates) < 3.0 * np.median(found)
        errors[batch_size] = np.median(found)
    assert errors[200] < 0.7 * errors[50]


def test_one_batch_is_the_network_itself(clusterer):
    trained, X = clusterer
    X, run = X[:101], {"n_steps": 5, "random_state": 0}
    whole = trained.simulate(X, **run).phases
    found = simulate_in_batches(trained, X, batch_size=101, initial_phases=whole[0], **run)
    np.testing.assert_allclose(found.phases, whole[-1], atol=1e-4)


def test_few_rows_are_one_batch(clusterer):
    trained, X = clusterer
    assert simulate_in_batches(trained, X[:30], n_steps=2).phases.shape == (30,)
    with pytest.raises(ValueError, match="X has 3 rows"):
        simulate_in_batches(trained, X[:3])


class Dropping(torch.nn.Module):
    """Symmetric couplings of the user, some of which are dropped in training."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 4)
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, x, y):
        factors = (self.dropout(self.layer(v.to(self.layer.weight.dtype))) for v in (x, y))
        return next(factors) @ next(factors).mT


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_modules_of_the_user_are_left_as_they_are_used():
    X, y = make_gaussian_ring(3, 300, random_state=0)
    trained = KuraNetClusterer(Dropping(), max_iter=5, random_state=0).fit(X, y)
    assert not trained.coupling_.training
    assert compress(trained, 4, X).compression_error_ < 0.2


def test_batches_that_make_no_sense_are_refused(clusterer):
    trained, X = clusterer
    for wrong in ({"batch_size": 3}, {"batch_size": 10**6}, {"n_steps": 0}, {"step_size": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            simulate_in_batches(trained, X, **wrong)
    with pytest.raises(ValueError, match="initial_phases"):
        simulate_in_batches(trained, X, initial_phases=[0.0])
    X = make_disorder("III", 200, random_state=0)
    quick = QUICK | {"max_iter": 2}
    with pytest.warns(ConvergenceWarning):
        delayed = KuraNetSynchronizer(frequency=0, delay=1, **quick).fit(X)
    with pytest.raises(ValueError, match="delay"):
        simulate_in_batches(delayed, X)


def test_what_would_not_fit_into_memory_is_refused_with_the_figure(clusterer):
    trained, X = clusterer
    X, run = X[:100], {"n_steps": 99}
    model = KuraNetClusterer(**QUICK | {"max_iter": 100}).fit(X, trained.predict(X))
    model.set_params(memory_budget=39_999)
    with pytest.raises(ValueError, match=r"100 steps of 100 phases take 40000 bytes.*save_from"):
        model.simulate(X, **run)
    assert model.simulate(X, save_from=99, **run).phases.shape == (1, 100)
    # Three copies of two factors of a number for each of three classes.
    model.set_params(memory_budget=7_199)
    with pytest.raises(ValueError, match=r"100 x 100 couplings need 7200 bytes"):
        model.simulate(X, n_steps=1)
    # All pairs are computed block by block instead.
    trained.set_params(memory_budget=25_599)
    tiled = trained.simulate(X, n_steps=5, random_state=0).phases
    trained.set_params(memory_budget=2**30)
    whole = trained.simulate(X, n_steps=5, random_state=0).phases
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


WITHIN_BUDGET = """
import sys
from types import SimpleNamespace
from pathlib import Path

import torch

from skkuranet.coupling import Balanced, FactorizedNetwork, InDegree, couple
from skkuranet.dynamics import integrate

def peak():
    # Of this program alone; the largest size that the system reports counts its parent.
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

normalization = eval(sys.argv[1])
network, x = FactorizedNetwork(2, rank=16).eval(), torch.randn(1_000_000, 2)
budget = normalization.factor_copies * len(x) * 2 * 16 * 4
torch.eye(300).inverse()
before = peak()
with torch.no_grad():
    coupling = couple(network, x, normalization, memory_budget=budget)
    integrate(coupling, x[:, 0], step_size=0.1, n_steps=3, save_from=3)
print(peak() - before, budget)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("normalization", ["Balanced()", "InDegree(order=2)"])
def test_factors_stay_within_the_budget_that_they_are_granted(normalization):
    command = [sys.executable, "-c", WITHIN_BUDGET, normalization]
    # Every thread would have buffers of its own.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    used, budget = map(int, done.stdout.split())
    assert 0.3 * budget < used < budget


def test_a_card_says_how_much_it_holds(monkeypatch):
    small = SimpleNamespace(total_memory=16 << 30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: small)
    assert budget_on("auto", torch.device("cuda", 0)) == 8 << 30
    assert budget_on("auto", torch.device("cpu")) == 1 << 30
    assert budget_on(1000, torch.device("cuda", 0)) == 1000
    with pytest.raises(ValueError, match="memory_budget"):
        KuraNetClusterer(memory_budget="all").fit([[0.0], [1.0]], [0, 1])
