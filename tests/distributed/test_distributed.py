"""One network and one fit on several processes: as in one, whatever their number."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
import torch
from distributed_worker import NETWORKS, learned, moved, tensors

from skkuranet import KuraNetClusterer, KuraNetSynchronizer, distributed
from skkuranet.coupling import InDegree, couple
from skkuranet.datasets import make_disorder, make_gaussian_ring
from skkuranet.objectives import ClusterObjective
from skkuranet.training import Curriculum, train
from skkuranet.training._checkpoint import Checkpoint
from skkuranet.training._process_group import Ranks

WORKER = Path(__file__).with_name("distributed_worker.py")
QUICK = {"max_iter": 8, "hidden_layer_sizes": (16,), "random_state": 0, "batch_size": 4}

pytestmark = [
    pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="needs gloo"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def torchrun(n_processes, *args):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={n_processes}", str(WORKER), *map(str, args)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, timeout=300)


@pytest.fixture(scope="module")
def fitted():
    X, y = make_gaussian_ring(3, 203, random_state=0)
    oscillators = make_disorder("III", 101, random_state=0)
    columns = {"frequency": 0, "delay": 1}
    return {
        "factorised": (KuraNetClusterer(**QUICK).fit(X, y), X),
        "pairwise": (KuraNetClusterer("pairwise", **QUICK).fit(X, y), X),
        "tiled": (
            KuraNetClusterer("pairwise", **QUICK).fit(X, y).set_params(memory_budget=100_000),
            X,
        ),
        "delays": (KuraNetSynchronizer(**columns, **QUICK).fit(oscillators), oscillators),
        "delays, pairwise": (
            KuraNetSynchronizer(coupling="pairwise", **columns, **QUICK).fit(oscillators),
            oscillators,
        ),
    }


@pytest.mark.parametrize("n_processes", [2, 4])
def test_a_network_that_processes_share_moves_as_in_one(n_processes, fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "fitted.joblib")
    torchrun(n_processes, "simulate", tmp_path)
    found = np.load(tmp_path / "simulate.npz")
    for name, (estimator, X) in fitted.items():
        single = estimator.simulate(X, n_steps=1).phases
        np.testing.assert_allclose(found[name], single, atol=1e-6, err_msg=name)
        # Rounding grows where a network is repelled by a saddle, so that long runs are double.
        double = estimator.simulate(X, n_steps=60, initial_phases=single[0].astype(float)).phases
        np.testing.assert_allclose(found[f"{name}, double"], double, atol=1e-10, err_msg=name)
    for name, (_, normalization) in NETWORKS.items():
        network, x, start = tensors(name)
        with torch.no_grad():
            coupling = couple(network, x, normalization)
        begin, end = moved(coupling, start)
        (grad,) = torch.autograd.grad(end.square().sum(), begin)
        np.testing.assert_allclose(found[f"{name} phases"], end.detach(), atol=1e-12)
        np.testing.assert_allclose(found[f"{name} gradient"], grad, atol=1e-12)
        weights = learned(network, couple(network, x, normalization), start)
        for i, grad in enumerate(weights):
            np.testing.assert_allclose(found[f"{name} weights {i}"], grad, rtol=1e-9, atol=1e-12)


def run_pair(folder, *args):
    """Two processes without torchrun, which would end the one that is left."""
    (folder / "meeting").unlink(missing_ok=True)
    environment = os.environ | {"WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    environment.pop("MASTER_ADDR", None)
    running = [
        subprocess.Popen(
            [sys.executable, str(WORKER), "fit", str(folder), *map(str, args)],
            env=environment | {"RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=300)[1] for process in running]
    return [process.returncode for process in running], errors


def test_a_shared_fit_learns_what_one_process_learns_even_if_one_dies(tmp_path):
    X, y = make_gaussian_ring(3, 400, random_state=0)
    settings = QUICK | {"checkpoint": tmp_path / "state", "checkpoint_every": 2}
    estimator = KuraNetClusterer(**settings)
    joblib.dump((estimator, (X, y)), tmp_path / "task.joblib")
    assert run_pair(tmp_path)[0] == [0, 0]
    whole = dict(np.load(tmp_path / "fit.npz"))
    alone = estimator.set_params(checkpoint=None).fit(X, y)
    np.testing.assert_allclose(whole["loss_curve"], alone.loss_curve_, atol=1e-5)
    np.testing.assert_allclose(whole["phases"], alone.reference_phases_, atol=1e-2)

    codes, errors = run_pair(tmp_path, 7)
    assert codes == [1, 1]
    assert "ConnectionError" in errors[0]
    assert "start the same command again" in errors[0]
    assert Checkpoint(tmp_path / "state.0", 1).last()["iteration"] == 6
    assert run_pair(tmp_path)[0] == [0, 0]
    for name, resumed in np.load(tmp_path / "fit.npz").items():
        np.testing.assert_array_equal(resumed, whole[name])


def test_processes_that_differ_are_all_told(tmp_path):
    torchrun(2, "disagree", tmp_path)


def test_what_cannot_be_shared_out_says_why(fitted, monkeypatch):
    X, y = make_gaussian_ring(3, 100, random_state=0)
    with pytest.raises(RuntimeError, match="torchrun"):
        distributed.fit(KuraNetClusterer(**QUICK), X, y)
    eight = SimpleNamespace(size=8, each=lambda work: work())
    monkeypatch.setattr("skkuranet.distributed._run.Ranks", lambda group: eight)
    for wrong in ({"random_state": None}, {"batch_size": 4}, {"batch_size": 8, "n_jobs": 2}):
        with pytest.raises(ValueError, match=list(wrong)[-1]):
            distributed.fit(KuraNetClusterer(**QUICK | wrong), X, y)
    ring = KuraNetSynchronizer(connectivity=np.ones)
    with pytest.raises(ValueError, match="connectivity"):
        distributed.simulate(ring, X)
    with pytest.raises(ValueError, match="groups='unseen'"):
        distributed.fit(KuraNetClusterer(groups="unseen", random_state=0, batch_size=8), X, y)
    rounded = copy.copy(fitted["pairwise"][0]).set_params(precision="bfloat16")
    with pytest.raises(ValueError, match="Set precision='single'"):
        distributed.simulate(rounded, X)


@pytest.fixture
def alone(tmp_path):
    """The only process of a group."""
    place = f"file://{tmp_path / 'meeting'}"
    torch.distributed.init_process_group("gloo", init_method=place, rank=0, world_size=1)
    yield Ranks()
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("name", NETWORKS)
def test_shared_couplings_have_no_rows(name, alone):
    network, x, _ = tensors(name)
    coupling = distributed.couple_sharded(network, x, ranks=alone)
    with pytest.raises(TypeError, match="have no rows"):
        coupling.rows([0])


def test_an_interrupt_ends_a_shared_fit(alone):
    network, x, _ = tensors("factorised")
    objective = ClusterObjective(torch.arange(len(x)) % 3, 3)

    def interrupt(iteration, loss):
        raise KeyboardInterrupt

    run = network.float(), InDegree(2), x.float(), objective, Curriculum(n_iterations=9)
    with pytest.raises(KeyboardInterrupt):
        train(*run, torch.Generator().manual_seed(0), on_iteration=interrupt, ranks=alone)


def test_estimators_that_differ_are_named(alone, fitted, monkeypatch):
    estimator, X = fitted["factorised"]
    monkeypatch.setattr(Ranks, "from_all", lambda self, value: [value, "of another estimator"])
    with pytest.raises(ValueError, match="processes differ"):
        distributed.simulate(estimator, X, n_steps=1)


def test_errors_of_ones_own_are_not_blamed_on_others(alone, monkeypatch):
    def wrong(*args, **kwargs):
        raise RuntimeError("Tensors must be on a card")

    monkeypatch.setattr(torch.distributed, "all_reduce", wrong)
    with pytest.raises(RuntimeError, match="on a card"):
        alone.all_reduce(torch.zeros(1))
