"""Networks, their training and their files on a device: as on the processor, and still there."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skkuranet import (
    KuraNetClusterer,
    KuraNetSynchronizer,
    OscillatorNetwork,
    load,
    save,
)
from skkuranet.coupling import PairwiseNetwork, TiledCoupling, couple
from skkuranet.datasets import make_gaussian_ring
from skkuranet.dynamics import DYNAMICS, integrate, replayed_steps

N = 8
rng = np.random.default_rng(0)
K = rng.uniform(0.1, 0.4, (N, N))
FREQUENCY = 0.1 * rng.normal(size=N)
PARAMETERS = {
    "sakaguchi": {"phase_lag": 0.3},
    "daido": {"second": 0.2},
    "second_order": {"damping": 0.8},
    "theta_neurons": {"excitability": 0.5},
}
RUN = {"n_steps": 120, "step_size": 0.05}
QUICK = {"max_iter": 3, "hidden_layer_sizes": (8,), "batch_size": 2, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def network(device, dynamics=None, **parameters):
    names = getattr(DYNAMICS.get(dynamics), "__dataclass_fields__", {"frequency": None})
    if "frequency" in names:
        parameters["frequency"] = torch.tensor(FREQUENCY, device=device)
    return OscillatorNetwork(torch.tensor(K, device=device), dynamics, **parameters)


def both(device):
    return network("cpu"), network(device)


@pytest.mark.parametrize("dynamics", [*DYNAMICS])
def test_every_equation_moves_alike(dynamics, device):
    ends = [
        network(place, dynamics, **PARAMETERS.get(dynamics, {}))
        .simulate(random_state=0, **RUN)
        .states[-1]
        for place in ("cpu", device)
    ]
    assert ends[1].device.type == device
    torch.testing.assert_close(ends[1].cpu(), ends[0], rtol=1e-6, atol=1e-8)


def test_noise_and_delays(device):
    for given in ({"noise": 0.2}, {"delay": 0.2}):
        ends = [
            n.replace(**given).simulate(random_state=0, **RUN | {"solver": "euler"}).phases[-1]
            for n in both(device)
        ]
        torch.testing.assert_close(ends[1].cpu(), ends[0], rtol=1e-6, atol=1e-6)


def test_numbers_on_the_processor_follow_the_couplings(device):
    ours = OscillatorNetwork(torch.tensor(K, device=device), frequency=FREQUENCY)
    path = ours.simulate(initial_state=np.linspace(0.0, 1.0, N), **RUN)
    assert path.phases.device.type == device
    assert path.order_parameter().shape == (121,)
    assert path.numpy().to_dataframe().shape[0] > 0


def test_files_are_read_anywhere(device, tmp_path):
    save(network(device), tmp_path / "network.skk")
    again = load(tmp_path / "network.skk")
    assert_allclose(np.asarray(again.coupling.dense().cpu()), K)
    X, y = make_gaussian_ring(3, 60, random_state=0)
    fitted = KuraNetClusterer(device=device, **QUICK).fit(X, y)
    save(fitted, tmp_path / "model.skk")
    assert_allclose(load(tmp_path / "model.skk").predict_proba(X), fitted.predict_proba(X))


def test_equal_degrees_and_nodes_by_name(device):
    X = np.random.RandomState(0).normal(size=(24, 2))
    graph = (np.add.outer(range(24), range(24)) % 3 > 0).astype(float)
    np.fill_diagonal(graph, 0.0)
    for settings in (
        {"node_identity": True, "connectivity": graph},
        {"normalization": "equal_degree"},
        {"dynamics": "sakaguchi", "columns": {"frequency": 0, "phase_lag": 1}},
        {"dynamics": "second_order", "step_size": 0.5},
        {"noise": 0.1, "step_size": 0.5},
    ):
        matrices = [
            KuraNetSynchronizer(device=place, **QUICK | {"n_steps": 10} | settings)
            .fit(X)
            .coupling_matrix(X)
            for place in ("cpu", device)
        ]
        assert_allclose(matrices[1], matrices[0], atol=2e-4)


@pytest.mark.parametrize("coupling", ["factorized", "pairwise"])
def test_recorded_steps_train_alike(coupling, device):
    X, y = make_gaussian_ring(3, 200, random_state=0)
    recorded = KuraNetClusterer(coupling, device=device, **QUICK).fit(X, y)
    with replayed_steps(False):
        plain = KuraNetClusterer(coupling, device=device, **QUICK).fit(X, y)
    assert_allclose(recorded.loss_curve_, plain.loss_curve_, atol=1e-5)
    assert_allclose(recorded.predict_proba(X), plain.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("solver", ["euler", "rk4"])
def test_recorded_steps_lead_to_the_same_phases_and_gradients(solver, device):
    found = []
    for recorded in (False, True):
        matrix = torch.tensor(K, device=device, requires_grad=True)
        start = torch.linspace(0.0, 3.0, N, dtype=torch.float64, device=device)

        def run(matrix=matrix, start=start):
            path = integrate(matrix, start, solver=solver, n_steps=65, save_from=20)
            (gradient,) = torch.autograd.grad(path.phases.sin().sum(), matrix)
            return path.phases.detach(), gradient

        with replayed_steps(recorded):
            # Again, when nothing is new to the card.
            run()
            found.append(run())
    torch.testing.assert_close(*found)


def test_tiles_are_the_whole(device):
    generator = torch.Generator().manual_seed(0)
    pairs = PairwiseNetwork(2, (8,), generator=generator).to(device).eval()
    x = torch.randn(41, 2, generator=generator).to(device)
    vectors = torch.randn(2, 41, generator=generator).to(device)
    with torch.no_grad():
        tiled = couple(pairs, x, memory_budget=2000)
        assert isinstance(tiled, TiledCoupling)
        torch.testing.assert_close(
            tiled.matvec(vectors), couple(pairs, x).matvec(vectors), rtol=1e-4, atol=1e-5
        )
