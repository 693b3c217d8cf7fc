"""Analyses, measures and displays of networks on a device: as on the processor, in NumPy."""

import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_allclose

from skkuranet import OscillatorNetwork, load, phases_from_signal, save
from skkuranet.analysis import (
    basin_stability,
    critical_coupling,
    fixed_points,
    jacobian,
    lyapunov_spectrum,
    master_stability,
    sweep,
    transverse_exponents,
)
from skkuranet.coupling import DenseCoupling, FactorizedCoupling, SparseCoupling
from skkuranet.dynamics import Trajectory, integrate
from skkuranet.inspection import (
    CouplingMatrixDisplay,
    NetworkDisplay,
    PhaseDisplay,
    SpectrumDisplay,
    SweepDisplay,
    TrajectoryDisplay,
)

N = 8
rng = np.random.default_rng(0)
LEFT, RIGHT = rng.uniform(0.1, 0.4, (2, N, 3))
GRAPH = (np.arange(N)[:, None] - np.arange(N)) % 3 != 1
FREQUENCY = 0.1 * rng.normal(size=N)
RUN = {"n_steps": 60, "step_size": 0.05, "transient": 40, "random_state": 0}


def dense(device):
    return DenseCoupling(torch.tensor(LEFT @ RIGHT.T, device=device))


def sparse(device):
    targets, sources = torch.tensor(np.argwhere(GRAPH).T, device=device)
    values = torch.tensor((LEFT @ RIGHT.T)[GRAPH], device=device)
    return SparseCoupling(targets, sources, values, (N, N))


def factorized(device):
    return FactorizedCoupling(*(torch.tensor(factor, device=device) for factor in (LEFT, RIGHT)))


KINDS = {"dense": dense, "sparse": sparse, "factorized": factorized}
# Of torch, at the first sparse tensor that a test makes by itself.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse ")
every_kind = pytest.mark.parametrize("kind", KINDS)


def networks(kind, device, *dynamics, **parameters):
    """The same network on the processor and on a device."""
    parameters = {"frequency": FREQUENCY} | parameters
    return [
        OscillatorNetwork(KINDS[kind](place), *dynamics, **parameters) for place in ("cpu", device)
    ]


def are_alike(answer, given, tolerance=1e-8):
    """Make sure that a function has the same numbers of NumPy to say of both."""
    here, there = map(answer, given)
    for expected, found in zip(here, there, strict=True):
        assert not isinstance(found, torch.Tensor)
        assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@every_kind
def test_jacobians(kind, device):
    v = np.linspace(-1.0, 1.0, 2 * N)

    def answers(network):
        found = jacobian(network, np.linspace(0.0, 2.0, N))
        yield found.dense()
        yield found.matvec(v)
        yield found.rmatvec(v)
        yield found.as_linear_operator() @ v
        yield np.sort_complex(found.eigenvalues().round(9))
        yield found.is_symmetric()
        if kind == "sparse":
            yield found.sparse().toarray()
        there = torch.tensor(v, device=network.coupling.device)
        assert found.matvec(there).device == there.device
        assert found.rmatvec(torch.tensor(v)).device.type == "cpu"

    are_alike(answers, networks(kind, device, "second_order"))


@every_kind
def test_states_at_rest(kind, device):
    def answers(network):
        point, *_ = fixed_points(network, n_starts=2, random_state=0)
        assert point.stable
        # A common rotation is the same state.
        yield np.exp(1j * (point.phases - point.phases[0]))
        yield from (point.speed, np.sort_complex(point.eigenvalues.round(8)))

    given = networks(kind, device)
    are_alike(answers, given, 1e-6)
    are_alike(answers, [network.replace(as_arrays=True) for network in given], 1e-6)


@pytest.mark.parametrize("dynamics", ["second_order", "stuart_landau", "sphere"])
def test_states_at_rest_of_other_equations(dynamics, device):
    given = {} if dynamics == "second_order" else {"frequency": None}
    pair = [
        OscillatorNetwork(dense(place), dynamics, **({} if given else {"frequency": FREQUENCY}))
        for place in ("cpu", device)
    ]

    def answers(network):
        found = fixed_points(network, n_starts=1, random_state=0)
        yield len(found)
        yield from (point.eigenvalues.real.round(6) for point in found)

    are_alike(answers, pair, 1e-5)


def test_states_at_rest_of_large_networks(device):
    n = 2100
    frequency = 0.1 * np.linspace(-1.0, 1.0, n)

    def answers(network):
        (point,) = fixed_points(network, initial_states=np.zeros(n), n_eigenvalues=2)
        yield point.phases
        yield point.eigenvalues

    given = []
    for place in ("cpu", device):
        ones = torch.ones((n, 1), dtype=torch.float64, device=place)
        given.append(OscillatorNetwork(FactorizedCoupling(ones / n, ones), frequency=frequency))
    are_alike(answers, given, 1e-5)


def test_networks_that_do_not_rest(device):
    halves = np.kron(np.eye(2), np.ones((2, 2)))
    for K in (torch.tensor(halves, device=device), torch.tensor(halves, device=device).to_sparse()):
        apart = OscillatorNetwork(K, frequency=[0.0, 0.0, 1.0, 1.0])
        with pytest.warns(UserWarning, match="K falls into 2 parts"):
            assert fixed_points(apart, n_starts=1, random_state=0, max_iter=5) == []


@every_kind
def test_lyapunov_exponents(kind, device):
    def answers(network):
        found = lyapunov_spectrum(network, **RUN)
        return found.exponents, found.history, found.last_state

    are_alike(answers, networks(kind, device), 1e-6)


@every_kind
def test_few_exponents_of_more_nodes(kind, device):
    # Beyond 64 numbers of state, steps are carried out one by one.
    def larger(place):
        whole = torch.block_diag(*[dense(place).matrix] * 9)
        n = len(whole)
        if kind == "factorized":
            ones = torch.ones((n, 1), dtype=torch.float64, device=place)
            return FactorizedCoupling(ones / n, ones)
        return whole.to_sparse() if kind == "sparse" else whole

    def answers(network):
        return [lyapunov_spectrum(network, 2, **RUN | {"n_steps": 20}).exponents]

    given = [OscillatorNetwork(larger(place), as_arrays=True) for place in ("cpu", device)]
    are_alike(answers, given, 1e-6)


@pytest.mark.parametrize("dynamics", ["sphere", "stuart_landau"])
def test_exponents_of_other_equations(dynamics, device):
    given = [OscillatorNetwork(dense(place), dynamics) for place in ("cpu", device)]
    are_alike(lambda network: [lyapunov_spectrum(network, 2, **RUN).exponents], given, 1e-6)


@every_kind
def test_exponents_across_synchrony(kind, device):
    # Two clusters whose differences act on one another.
    ring = np.roll(np.eye(N), 1, 0) + np.roll(np.eye(N), -1, 0)
    labels = np.arange(N) % 2

    def couplings(place):
        K = torch.tensor(ring, device=place)
        if kind == "factorized":
            return FactorizedCoupling(K, torch.eye(N, dtype=torch.float64, device=place))
        return K.to_sparse() if kind == "sparse" else K

    def answers(network):
        run = RUN | {"initial_state": [0.3]}
        yield transverse_exponents(network, **run).exponents
        yield master_stability(network, torch.tensor([0.5, 1.0]), **run)
        apart = transverse_exponents(network, torch.tensor(labels), **RUN)
        assert len(apart.intertwined) == 1
        yield from (apart.exponents, apart.last_state)

    given = [OscillatorNetwork(couplings(place), frequency=0.2) for place in ("cpu", device)]
    are_alike(answers, given, 1e-6)


def own_measure(path):
    """A tensor of the device."""
    return (path.phases - path.times.view(-1, *[1] * (path.phases.ndim - 1))).sin().mean(-1)


def ends_low(path):
    return path.phases[-1].cos().mean(-1) < 0.0


@every_kind
def test_sweeps(kind, device):
    measures = {"own": own_measure, "whole": lambda path: path.phases[-1].cos().mean(-1)}
    measures |= {name: name for name in ("order_parameter", "locked_share", "frequency_spread")}

    def answers(network):
        values = torch.tensor([0.5, 1.0], device=network.coupling.device)
        found = sweep(
            network, "coupling_scale", values, continuation="both", measure=measures,
            n_steps=40, n_transient=20, random_state=0,
        )  # fmt: skip
        yield found.values
        for branch in (found.up, found.down):
            yield from (branch.mean(name) for name in measures)
            yield branch.states

    are_alike(answers, networks(kind, device), 1e-6)


@pytest.mark.parametrize("dynamics", ["kuramoto", "second_order", "stuart_landau"])
def test_sweeps_of_equations(dynamics, device):
    def answers(network):
        settings = {"n_steps": 40, "n_transient": 20, "n_repeats": 2, "random_state": 0}
        yield sweep(network, "noise", [0.0, 0.1], step_size=0.05, **settings).mean()

    are_alike(answers, [OscillatorNetwork(dense(place), dynamics) for place in ("cpu", device)])


@every_kind
def test_basins(kind, device):
    def answers(network):
        for wanted in ("synchrony", "locked", ends_low):
            found = basin_stability(
                network, wanted, 10, n_steps=60, n_kept=10, random_state=0, initial_states=drawn
            )
            yield from (found.share, found.reached, found.states)

    def drawn(n, source):
        return torch.tensor(source.uniform(0.0, 6.0, (n, N)))

    are_alike(answers, networks(kind, device), 1e-6)


def test_critical_couplings(device):
    def answers(place):
        def make(n, seed):
            ones = torch.ones((n, 1), dtype=torch.float64, device=place)
            frequency = np.random.default_rng(seed).normal(size=n)
            return OscillatorNetwork(FactorizedCoupling(ones / n, ones), frequency=frequency)

        values = np.linspace(1.0, 2.2, 7)
        run = {"n_samples": 2, "n_steps": 40, "n_transient": 40, "step_size": 0.2}
        for given, sizes in ((make, (20, 30, 40)), (make(20, 0), ())):
            found = critical_coupling(given, values, sizes=sizes, random_state=0, **run)
            yield from (found.value, found.error, found.squares)

    with warnings.catch_warnings():
        # So few steps of so few nodes show no clear transition.
        warnings.simplefilter("ignore", UserWarning)
        are_alike(answers, ("cpu", device), 1e-5)


def test_measures_of_trajectories(device):
    K = scipy.sparse.csr_array(LEFT @ RIGHT.T * GRAPH)
    labels = np.arange(N) % 2

    def answers(network):
        path = network.simulate(n_steps=40, random_state=0)
        place = network.coupling.device
        assert path.times.device == path.phases.device == place
        found = [
            path.order_parameter(), path.group_order(torch.tensor(labels, device=place)),
            path.local_order(K), path.local_order(K.toarray()), path.local_order(network.coupling),
            path.phase_locking(), path.effective_frequency(1.0), path.locked(), path.mean_phase(),
            own_measure(path),
        ]  # fmt: skip
        assert all(one.device == place for one in found)
        yield from (one.cpu().numpy() for one in found)
        yield path.numpy().local_order(network.coupling)
        yield path.to_dataframe().to_numpy()
        assert "40" not in repr(path).partition("at the end")[2]

    are_alike(answers, networks("dense", device))


def test_numbers_beside_tensors_go_where_these_are(device):
    state = torch.linspace(0.0, 2.0, N, dtype=torch.float64, device=device)
    settings = {"frequency": FREQUENCY, "delay": np.full(N, 0.2), "noise": 0.1, "n_steps": 5}
    K = LEFT @ RIGHT.T
    paths = [
        integrate(
            couplings, state, generator=torch.Generator().manual_seed(0), solver="euler", **settings
        ).numpy()
        for couplings in (torch.tensor(K, device=device), K, scipy.sparse.csr_array(K))
    ]
    for path in paths[1:]:
        assert_allclose(path.phases, paths[0].phases)


def test_graphs_of_the_processor_hold_for_couplings_of_a_device(device):
    K, graph = torch.tensor(LEFT @ RIGHT.T, device=device), scipy.sparse.csr_array(GRAPH)
    for given in (K, K.to_sparse(), K[0, 0]):
        network = OscillatorNetwork(given, connectivity=graph, frequency=FREQUENCY)
        assert network.coupling.device == K.device
        expected = (given if given.ndim == 0 else K).cpu().numpy() * GRAPH
        assert_allclose(network.coupling_matrix().cpu(), expected)
        network.simulate(n_steps=2, random_state=0)
    beside = OscillatorNetwork(1.0, connectivity=torch.tensor(GRAPH, device=device))
    assert beside.coupling.device == K.device


@every_kind
def test_files_of_networks(kind, device, tmp_path):
    here, there = networks(kind, device, noise=0.1)
    path = there.simulate(n_steps=5, random_state=0)
    save(there, tmp_path / "network.skk")
    path.save(tmp_path / "path.npz")
    again = load(tmp_path / "network.skk")
    assert_allclose(again.coupling_matrix(), here.coupling_matrix())
    assert_allclose(Trajectory.load(tmp_path / "path.npz").phases, path.phases.cpu())


def test_signals(device):
    wave = np.cos(2 * np.pi * np.arange(0.0, 10.0, 0.01))
    found = phases_from_signal(torch.tensor(wave, device=device), 100.0, (0.5, 2.0))
    assert_allclose(found, phases_from_signal(wave, 100.0, (0.5, 2.0)))


@every_kind
def test_displays(kind, device):
    _, network = networks(kind, device)
    path = network.simulate(n_steps=20, random_state=0)
    values = torch.tensor(FREQUENCY, device=device)
    _, axes = plt.subplots(2, 4)
    axes = iter(axes.ravel())
    NetworkDisplay.from_network(network, path, positions="circular", ax=next(axes))
    NetworkDisplay(network.coupling, values, positions="circular").plot(ax=next(axes))
    PhaseDisplay(path.phases[-1], labels=values).plot(ax=next(axes)).move(path.phases[0])
    for settings in ({"kind": "order"}, {"kind": "raster"}, {"kind": "frequency", "window": 1.0}):
        TrajectoryDisplay(path, frequency=values).plot(ax=next(axes), **settings)
    CouplingMatrixDisplay(network.coupling_matrix(), labels=values > 0).plot(ax=next(axes))
    SpectrumDisplay(torch.linalg.eigvals(network.coupling_matrix())).plot(ax=next(axes))
    SweepDisplay(values, values, values, spread=torch.stack((values, values)).abs()).plot()
    plt.close("all")
