"""Networks of one's own: what may be brought, what comes back, and what is refused."""

import contextlib
import re

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from scipy.integrate import solve_ivp

from skkuranet import KuraNetClusterer, KuraNetSynchronizer, OscillatorNetwork
from skkuranet.coupling import DenseCoupling, FactorizedCoupling, SharedCoupling, as_coupling
from skkuranet.dynamics import Sakaguchi, Trajectory, integrate

N = 12
rng = np.random.default_rng(0)
K = rng.uniform(0.0, 0.3, (N, N)) * (rng.uniform(size=(N, N)) < 0.5)
FREQUENCY, START = rng.normal(size=N), rng.uniform(0.0, 6.0, N)


def kuramoto(_, x, lag=0.0):
    return FREQUENCY + (K * np.sin(x[None] - x[:, None] - lag)).sum(1)


def digraph():
    graph = nx.DiGraph()
    graph.add_nodes_from(range(N))
    # An edge (source, target) lets the source act on the target.
    graph.add_weighted_edges_from((j, i, K[i, j]) for i in range(N) for j in range(N) if K[i, j])
    nx.set_node_attributes(graph, dict(enumerate(FREQUENCY)), "omega")
    return graph


# Of torch, at the first sparse tensor that a test makes by itself.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse ")

KINDS = {
    "array": lambda: K,
    "list": lambda: K.tolist(),
    "tensor": lambda: torch.tensor(K),
    "sparse tensor": lambda: torch.tensor(K).to_sparse(),
    "csr": lambda: sp.csr_array(K),
    "coo matrix": lambda: sp.coo_matrix(K),
    "frame": lambda: pd.DataFrame(K),
    "graph": digraph,
    "operator": lambda: DenseCoupling(torch.tensor(K)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_couplings_of_any_kind_move_alike(kind):
    given = KINDS[kind]()
    path = OscillatorNetwork(given, frequency=FREQUENCY).simulate(
        initial_state=START, step_size=0.01, n_steps=500
    )
    exact = solve_ivp(kuramoto, (0.0, 5.0), START, rtol=1e-11, atol=1e-11).y[:, -1]
    tensors = isinstance(given, torch.Tensor) or kind == "operator"
    assert isinstance(path.phases, torch.Tensor if tensors else np.ndarray)
    np.testing.assert_allclose(np.asarray(path.phases[-1]), exact, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_integrate_takes_arrays(kind):
    path = integrate(KINDS[kind](), START, frequency=FREQUENCY, n_steps=20)
    assert isinstance(path.phases, np.ndarray)
    same = integrate(
        DenseCoupling(torch.tensor(K)),
        torch.tensor(START),
        frequency=torch.tensor(FREQUENCY),
        n_steps=20,
    )
    np.testing.assert_allclose(path.phases, same.phases, atol=1e-12)


def test_the_type_of_numbers_is_that_of_the_couplings():
    single = OscillatorNetwork(K.astype(np.float32), frequency=FREQUENCY)
    assert single.simulate(n_steps=3, random_state=0).phases.dtype == np.float32
    whole = OscillatorNetwork((K > 0).astype(int))
    assert whole.simulate(n_steps=3, random_state=0).phases.dtype == np.float64


def test_gradients_go_through_tensors():
    strengths = torch.tensor(K, requires_grad=True)
    network = OscillatorNetwork(strengths, Sakaguchi(torch.tensor(FREQUENCY), phase_lag=0.3))
    network.simulate(n_steps=20, random_state=0).order_parameter()[-1].backward()
    assert strengths.grad.abs().sum() > 0


def test_parameters_are_found_by_their_labels():
    names = [f"node {i}" for i in range(N)]
    frame = pd.DataFrame(K, index=names, columns=names)
    shuffled = frame[names[::-1]]
    series = pd.Series(FREQUENCY, index=names).iloc[::-1]
    network = OscillatorNetwork(shuffled, frequency=series)
    path = network.simulate(initial_state=START, n_steps=10)
    plain = OscillatorNetwork(K, frequency=FREQUENCY).simulate(initial_state=START, n_steps=10)
    np.testing.assert_array_equal(path.phases, plain.phases)
    assert list(path.to_dataframe().columns) == names
    with pytest.raises(ValueError, match="frequency has no entry for 1 of the 12 nodes of K"):
        OscillatorNetwork(frame, frequency=series.iloc[1:])


def test_node_attributes_are_parameters():
    network = OscillatorNetwork(digraph(), frequency="omega")
    np.testing.assert_array_equal(network.dynamics.frequency, FREQUENCY)
    with pytest.raises(ValueError, match="12 nodes of the graph have no attribute 'power'"):
        OscillatorNetwork(digraph(), frequency="power")


def test_connectivity_restricts_couplings():
    graph = nx.path_graph(N)
    pattern = nx.to_numpy_array(graph)
    for given in (K, sp.csr_array(K)):
        found = as_coupling(given, graph).dense().numpy()
        np.testing.assert_array_equal(found, K * pattern)
    np.testing.assert_array_equal(as_coupling(2.0, pattern).dense(), 2.0 * pattern)


def test_a_batch_is_as_many_networks():
    scales = np.array([0.5, 1.0, 2.0])
    lags = np.array([[0.1], [0.2], [0.3]])
    network = OscillatorNetwork(
        K, "sakaguchi", frequency=FREQUENCY, phase_lag=lags, coupling_scale=scales
    )
    start = rng.uniform(0.0, 6.0, (3, N))
    path = network.simulate(initial_state=start, n_steps=50)
    for b in range(3):
        alone = OscillatorNetwork(
            scales[b] * K, "sakaguchi", frequency=FREQUENCY, phase_lag=lags[b, 0]
        ).simulate(initial_state=start[b], n_steps=50)
        np.testing.assert_allclose(path.phases[:, b], alone.phases, atol=1e-10)
    stacked = OscillatorNetwork(
        scales[:, None, None] * K, "sakaguchi", frequency=FREQUENCY, phase_lag=lags
    ).simulate(initial_state=start, n_steps=50)
    np.testing.assert_allclose(path.phases, stacked.phases, atol=1e-10)


def test_many_starts_are_many_networks():
    network = OscillatorNetwork(K, frequency=FREQUENCY)
    starts = rng.uniform(0.0, 6.0, (4, N))
    path = network.simulate(initial_state=starts, n_steps=20)
    assert path.phases.shape == (21, 4, N)
    alone = network.simulate(initial_state=starts[2], n_steps=20)
    np.testing.assert_allclose(path.phases[:, 2], alone.phases, atol=1e-12)


def test_shared_couplings_have_the_derivatives_of_one_network():
    base = torch.tensor(K, requires_grad=True)
    shared = SharedCoupling(DenseCoupling(base), (3,))
    left, right = torch.randn(2, 3, 2, N, dtype=torch.float64)
    (found,) = shared.bilinear_derivative(left, right)
    torch.testing.assert_close(found, (left.mT @ right).sum(0))
    torch.testing.assert_close(shared.rmatvec(left), left @ base)
    assert shared.dense().shape == (3, N, N)


def test_what_is_kept_is_what_was_asked_for():
    network = OscillatorNetwork(K, frequency=FREQUENCY)
    whole = network.simulate(initial_state=START, n_steps=1203)
    part = network.simulate(initial_state=START, n_steps=1203, save_from=3, save_every=400)
    np.testing.assert_array_equal(part.phases, whole.phases[3::400])
    np.testing.assert_array_equal(part.times, whole.times[3::400])
    delayed = OscillatorNetwork(K, frequency=FREQUENCY, delay=0.2)
    part = delayed.simulate(initial_state=START, n_steps=20, save_from=4, save_every=8)
    # Times are exact, whatever the precision of the states.
    np.testing.assert_allclose(part.times, [0.4, 1.2, 2.0], rtol=1e-12)


def test_noise_depends_on_the_seed_and_not_on_the_length():
    network = OscillatorNetwork(K, frequency=FREQUENCY, noise=0.5)
    long = network.simulate(n_steps=1100, random_state=3).phases
    np.testing.assert_array_equal(long[:701], network.simulate(n_steps=700, random_state=3).phases)
    assert np.any(long != network.simulate(n_steps=1100, random_state=4).phases)


@pytest.mark.parametrize("dynamics", ["sis", "hopfield", "stuart_landau", "sphere", "second_order"])
def test_every_equation_has_a_start_of_its_own(dynamics):
    network = OscillatorNetwork(K, dynamics)
    path = network.simulate(n_steps=5, random_state=0)
    assert path.states.shape == (6, *network.dynamics.state_shape, N)
    again = network.simulate(n_steps=5, initial_state=network.initial_state(0))
    np.testing.assert_array_equal(path.states, again.states)


def test_velocity_is_the_right_hand_side():
    network = OscillatorNetwork(K, "sakaguchi", frequency=FREQUENCY, phase_lag=0.4)
    np.testing.assert_allclose(network.velocity(START), kuramoto(0, START, 0.4), atol=1e-12)


def test_replace_leaves_the_rest():
    network = OscillatorNetwork(K, "sakaguchi", frequency=FREQUENCY, phase_lag=0.4, noise=0.1)
    other = network.replace(dynamics="kuramoto", noise=None, coupling_scale=2.0)
    assert other.dynamics.names() == ["frequency", "field"]
    assert other.noise is None
    np.testing.assert_array_equal(other.dynamics.frequency, FREQUENCY)
    np.testing.assert_allclose(other.coupling_matrix(), 2.0 * K)
    assert float(network.dynamics.phase_lag) == 0.4


def test_an_interrupted_run_keeps_what_it_has():
    network = OscillatorNetwork(K, frequency=FREQUENCY)

    def interrupt(done):
        if done >= 1000:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted at step 1000 of 5000"):
        path = network.simulate(initial_state=START, n_steps=5000, progress=interrupt)
    assert len(path.times) == 1001


def test_steps_are_divided_as_strong_couplings_need():
    network = OscillatorNetwork(K, frequency=FREQUENCY, coupling_scale=100.0)
    start, run = np.linspace(0.0, 3.0, N), {"n_steps": 6, "save_from": 2, "save_every": 2}
    fine = network.simulate(
        initial_state=start, n_steps=6000, step_size=0.0001, save_from=2000, save_every=2000
    )
    found = network.simulate(initial_state=start, **run)
    np.testing.assert_allclose(found.times, [0.2, 0.4, 0.6])
    np.testing.assert_allclose(found.phases, fine.phases, atol=1e-3)
    with pytest.warns(UserWarning, match=r"step_size=0.1 is too coarse.*Set step_size to"):
        network.simulate(initial_state=start, solver="rk4", **run)
    with pytest.warns(UserWarning, match="is divided into 256, which takes 256 times as long"):
        network.replace(coupling_scale=5000.0).simulate(initial_state=start, n_steps=1)
    # Near to rest steps tell nothing about what is stiff.
    rest = network.simulate(initial_state=np.zeros(N), n_steps=300)
    assert np.abs(np.diff(rest.phases[-1])).max() < 1.0
    noisy = network.replace(noise=0.1).simulate(random_state=0, n_steps=300, save_from=100)
    assert noisy.order_parameter().min() > 0.9
    delayed = network.replace(delay=0.05, coupling_scale=20.0)
    assert delayed.simulate(random_state=0, n_steps=50).phases.shape == (51, N)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: OscillatorNetwork(K[:3]), ValueError, "K must be square"),
        (lambda: OscillatorNetwork(sp.csr_array(K[:3])), ValueError, "K must be square"),
        (lambda: OscillatorNetwork(K[0]), ValueError, "K must be square"),
        (lambda: OscillatorNetwork("K"), TypeError, "K must be a square array"),
        (lambda: OscillatorNetwork(3.0), TypeError, "K must be a square array"),
        (lambda: OscillatorNetwork([[1.0], [1.0, 2.0]]), TypeError, "K must hold real numbers"),
        (lambda: OscillatorNetwork([["a"]]), TypeError, "K must hold real numbers"),
        (lambda: OscillatorNetwork(K * 1j), TypeError, "K must hold real numbers"),
        (lambda: OscillatorNetwork(np.where(K, K, np.nan)), ValueError, "K must be finite"),
        (lambda: OscillatorNetwork(sp.csr_array(K / 0.0)), ValueError, "K must be finite"),
        (
            lambda: OscillatorNetwork(np.ma.masked_less(K, 0.1)),
            ValueError,
            "K has masked entries",
        ),
        (
            lambda: OscillatorNetwork(pd.DataFrame(K, columns=list("abcdefghijkl"))),
            ValueError,
            "must name the same nodes",
        ),
        (
            lambda: OscillatorNetwork(K, connectivity=K[:3, :3]),
            ValueError,
            "connectivity has shape",
        ),
        (lambda: OscillatorNetwork(K, "swing"), ValueError, "dynamics must be one of"),
        (lambda: OscillatorNetwork(K, inertia=1.0), ValueError, "no parameter 'inertia'; it has"),
        (lambda: OscillatorNetwork(K, frequency=K[:, :3]), ValueError, "frequency must be one"),
        (lambda: OscillatorNetwork(K, frequency=np.inf), ValueError, "frequency must be finite"),
        (lambda: OscillatorNetwork(K, frequency="omega"), TypeError, "and K is no graph"),
        (
            lambda: OscillatorNetwork(K, frequency=K[:2], coupling_scale=[1.0, 2.0, 3.0]),
            ValueError,
            "leading axes do not make one batch",
        ),
        (lambda: OscillatorNetwork(K[:0, :0]), ValueError, "K has no nodes"),
        (
            lambda: OscillatorNetwork(K, "second_order", inertia=0.0),
            ValueError,
            "inertia must be positive, got 0.0",
        ),
        (
            lambda: OscillatorNetwork(K, "hopfield", time_constant=-1.0),
            ValueError,
            "time_constant must be positive",
        ),
        (
            lambda: OscillatorNetwork(K, "sis", recovery=1.0).replace(recovery=-FREQUENCY),
            ValueError,
            "recovery must be not negative",
        ),
    ],
)
def test_what_cannot_be_a_network_is_named(make, error, message):
    with np.errstate(all="ignore"), pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_steps": 0}, "(n_steps|save_every) must be at least 1"),
        ({"save_every": 0}, "(n_steps|save_every) must be at least 1"),
        ({"initial_state": START[:3]}, "initial_state must have shape"),
        ({"initial_state": np.zeros((0, len(START)))}, "initial_state must hold a state at least"),
        ({"initial_state": START * np.nan}, "initial_state must be finite"),
        ({"random_state": "seed"}, "random_state must be a whole number"),
        ({"solver": "magic"}, "solver must be one of"),
        ({"n_steps": 10**8}, "take 9600000096 bytes, more than memory_budget"),
    ],
)
def test_what_cannot_be_simulated_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        OscillatorNetwork(K, frequency=FREQUENCY).simulate(**settings)


def test_vectors_off_their_sphere_are_refused():
    network = OscillatorNetwork(K, "sphere")
    vectors = network.initial_state(0)
    for use in (network.velocity, lambda state: network.simulate(initial_state=state)):
        with pytest.raises(ValueError, match="must hold states of Sphere"):
            use(3.0 * vectors)
    network.velocity(vectors * (1.0 + 1e-6))


def test_states_beyond_all_numbers_are_told():
    """Noise drives probabilities below 0, where they fall without end."""
    network = OscillatorNetwork(K, "sis", noise=1.0)
    with pytest.warns(UserWarning, match=r"States grew beyond all numbers.*not finite at t=\d"):
        network.simulate(n_steps=200, random_state=0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_learned_couplings_are_a_network():
    X = rng.normal(size=(60, 2))
    estimator = KuraNetSynchronizer(frequency=0, max_iter=3, random_state=0).fit(X)
    network = estimator.network(X[:20])
    np.testing.assert_allclose(
        network.coupling_matrix() * (1 - np.eye(20)), estimator.coupling_matrix(X[:20]), atol=1e-12
    )
    start = rng.uniform(0.0, 6.0, 20)
    mine = network.simulate(initial_state=start, n_steps=30, solver="euler").phases
    theirs = estimator.simulate(X[:20], initial_phases=start, n_steps=30, step_size=0.1).phases
    np.testing.assert_allclose(mine, theirs, atol=1e-8)
    classes = KuraNetClusterer(max_iter=3, random_state=0).fit(X, X[:, 0] > 0)
    assert classes.network(X).n_nodes == 60


def test_a_million_nodes_are_a_network():
    factors = torch.ones(10**5, 1) / 10**5
    network = OscillatorNetwork(FactorizedCoupling(factors, torch.ones(10**5, 1)), frequency=0.1)
    assert network.simulate(n_steps=2, random_state=0).phases.shape == (3, 10**5)


@contextlib.contextmanager
def named(file):
    """Errors name a file; others than ValueError fail the test."""
    try:
        yield
    except ValueError as error:
        message = str(error)
        if not re.match(rf"{re.escape(str(file))} (is damaged|holds no)", message):
            pytest.fail(message)
        raise


class TestTrajectory:
    path = OscillatorNetwork(K, frequency=FREQUENCY).simulate(initial_state=START, n_steps=200)

    def test_files_keep_everything(self, tmp_path):
        states = OscillatorNetwork(K, "second_order").simulate(n_steps=3, random_state=0)
        units = OscillatorNetwork(K, "sis").simulate(n_steps=3, random_state=0)
        named = OscillatorNetwork(digraph()).simulate(n_steps=3, random_state=0)
        for number, path in enumerate((self.path, states, units, named)):
            path.save(tmp_path / f"{number}.npz")
            again = Trajectory.load(tmp_path / f"{number}.npz")
            np.testing.assert_array_equal(again.states, path.states)
            assert again.names == path.names
            assert repr(again) == repr(path)
        assert len(list(tmp_path.iterdir())) == 4

    def test_other_files_are_refused(self, tmp_path):
        np.savez(tmp_path / "other.npz", times=np.ones(3))
        (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 nothing")
        np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
        for name in ("other.npz", "broken.npz", "pickle.npy"):
            with pytest.raises(ValueError, match=name.split(".")[0]):
                Trajectory.load(tmp_path / name)

    def test_damage_anywhere_is_named(self, tmp_path):
        file = tmp_path / "path.npz"
        self.path.save(file)
        content, rng = file.read_bytes(), np.random.default_rng(0)
        # Beside random places the magic bytes, and flags and method of the first member.
        for place in (0, 6, 8, *rng.integers(len(content), size=200)):
            broken = bytearray(content)
            broken[place] ^= 1 << rng.integers(8)
            file.write_bytes(broken)
            # Some bytes of an archive mean nothing.
            with contextlib.suppress(ValueError), named(file):
                found = Trajectory.load(file)
                np.testing.assert_array_equal(found.states, self.path.states)

    def test_tables_have_names(self):
        frame = self.path.to_dataframe()
        assert frame.shape == (201, N)
        assert frame.index.name == "time"
        batch = OscillatorNetwork(K, coupling_scale=[1.0, 2.0]).simulate(n_steps=3, random_state=0)
        assert batch.to_dataframe().columns.nlevels == 2

    def test_order_of_groups_and_neighbours(self):
        labels = np.arange(N) % 3
        order = self.path.group_order(labels)
        theirs = np.abs(np.exp(1j * self.path.phases[:, labels == 1]).mean(1))
        np.testing.assert_allclose(order[:, 1], theirs)
        local = self.path.local_order(K)
        theirs = np.abs(np.exp(1j * self.path.phases) @ K.T) / K.sum(1)
        np.testing.assert_allclose(local, theirs)
        with pytest.raises(ValueError, match="labels must have shape"):
            self.path.group_order(labels[1:])

    def test_phase_locking_values(self):
        found = self.path.phase_locking()
        difference = self.path.phases[:, :, None] - self.path.phases[:, None]
        np.testing.assert_allclose(found, np.abs(np.exp(1j * difference).mean(0)), atol=1e-12)

    def test_frequencies_of_a_window(self):
        found = self.path.effective_frequency(window=5.0)
        turned = self.path.phases[-1] - self.path.phases[-51]
        np.testing.assert_allclose(found, turned / 5.0)
        with pytest.raises(ValueError, match="must hold two times"):
            self.path.effective_frequency(window=0.01)
