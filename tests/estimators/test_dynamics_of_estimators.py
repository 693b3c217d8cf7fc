"""Synchronizers of other equations than Kuramoto's, with columns, noise and objectives."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from skkuranet import KuraNetClusterer, KuraNetSynchronizer, simulate_in_batches
from skkuranet.coupling import DenseCoupling, EqualDegree, MeanDegree
from skkuranet.dynamics import (
    DYNAMICS,
    Daido,
    Dynamics,
    Kuramoto,
    SecondOrder,
    Sphere,
    StuartLandau,
    integrate,
)
from skkuranet.objectives import SynchronyObjective

QUICK = {
    "max_iter": 20,
    "hidden_layer_sizes": (16,),
    "batch_size": 2,
    "network_size": 30,
    "n_reference": 40,
    "random_state": 0,
}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def table(n=80, n_columns=3, seed=0):
    rng = np.random.RandomState(seed)
    return np.column_stack([rng.uniform(-0.4, 0.4, n), rng.uniform(0.6, 1.4, (n, n_columns - 1))])


CASES = {
    "sakaguchi": {"columns": {"phase_lag": 1}},
    "daido": {"dynamics": Daido(second=torch.tensor(0.2))},
    "second_order": {"columns": {"inertia": 1, "damping": 2}},
    "stuart_landau": {"columns": {"growth": 1}},
}


def made(name, **settings):
    return KuraNetSynchronizer(**{"dynamics": name, **QUICK, **CASES.get(name, {}), **settings})


@pytest.fixture(scope="module", params=CASES)
def fitted(request):
    return made(request.param).fit(table())


def test_rows_are_answered_alone_and_the_same_again(fitted):
    X = table(50, seed=1)
    phases = fitted.predict(X)
    assert phases.shape == (50,)
    assert np.all(np.abs(phases) <= np.pi)
    np.testing.assert_allclose(fitted.predict(X[7:8]), phases[7:8], atol=1e-9)
    np.testing.assert_allclose(fitted.transform(X)[:, 0], np.cos(phases))
    again = clone(fitted).fit(table()).predict(X)
    np.testing.assert_array_equal(again, phases)


def test_the_reference_network_is_answered_with_its_own_phases(fitted):
    """What drives each of its nodes is what moves it there, but for its coupling to itself."""
    if not fitted.locked_.all():
        pytest.skip("a network that drifts has no phases of its own")
    own = fitted.reference_phases_ - np.angle(np.exp(1j * fitted.reference_phases_).mean())
    found = fitted.predict(fitted.reference_features_)
    assert np.abs(np.angle(np.exp(1j * (found - own)))).mean() < 0.15


def test_simulations_are_the_motion_under_the_coupling_matrix(fitted):
    X = table(12, seed=2)
    start = np.linspace(0.0, 3.0, 12)
    path = fitted.simulate(X, n_steps=30, initial_phases=start)
    K = DenseCoupling(torch.tensor(fitted.coupling_matrix(X)))
    nodes = {name: torch.tensor(X[:, column]) for name, column in fitted.columns_.items()}
    kind = fitted.dynamics
    kind = DYNAMICS[kind](**nodes) if isinstance(kind, str) else Daido(**nodes, second=kind.second)
    state = kind.from_phases(torch.tensor(start))
    wanted = integrate(K, state, kind, n_steps=30, solver=kind.solver)
    np.testing.assert_allclose(path.states, wanted.states, atol=1e-6)
    np.testing.assert_allclose(path.phases, wanted.phases, atol=1e-6)


def test_states_may_be_given_to_begin_with():
    model = made("second_order").fit(table())
    X = table(10, seed=3)
    start = np.stack([np.zeros(10), np.linspace(-1.0, 1.0, 10)])
    path = model.simulate(X, n_steps=3, initial_phases=start)
    assert path.states.shape == (4, 2, 10)
    np.testing.assert_allclose(path.states[0], start)
    with pytest.raises(ValueError, match=r"\(10,\) or \(2, 10\)"):
        model.simulate(X, initial_phases=start[:, :5])


def test_shorthands_and_columns_say_the_same():
    X = table()
    short = KuraNetSynchronizer(frequency=0, field=1, **QUICK).fit(X)
    long = KuraNetSynchronizer(frequency=None, columns={"frequency": 0, "field": 1}, **QUICK).fit(X)
    np.testing.assert_array_equal(short.predict(X), long.predict(X))


class Misspelt(Kuramoto):
    normalization = "mean"


@dataclass(frozen=True)
class Pullers(Dynamics):
    """An equation of the user's: oscillators that feel their sources by a gain of their own."""

    frequency: torch.Tensor
    gain: torch.Tensor

    def signal(self, state):
        return torch.stack((state.cos(), state.sin()), -2)

    def rate(self, state, drive):
        real, imaginary = drive.unbind(-2)
        return self.frequency + self.gain * (state.cos() * imaginary - state.sin() * real)


def test_an_equation_of_the_users_is_trained():
    X = table(150)
    settings = {**QUICK, "max_iter": 100, "columns": {"gain": 1}}
    model = KuraNetSynchronizer(dynamics=Pullers, **settings).fit(X)
    untrained = KuraNetSynchronizer(dynamics=Pullers, **{**settings, "max_iter": 1}).fit(X)
    new = table(100, seed=5)
    assert model.score(new) > max(0.9, untrained.score(new))
    assert model.predict(new).shape == (100,)


def test_noise_is_that_of_random_state_and_shows_in_the_score():
    X = table(60)
    loud = KuraNetSynchronizer(noise=0.8, **QUICK).fit(X)
    first, same, other = (
        loud.simulate(X, n_steps=20, initial_phases=np.zeros(60), random_state=seed).phases
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.1
    quiet = KuraNetSynchronizer(**QUICK).fit(X)
    assert loud.score(X) < quiet.score(X)
    each = KuraNetSynchronizer(columns={"noise": 1}, **QUICK).fit(X)
    assert each.score(X) < quiet.score(X)
    with pytest.raises(ValueError, match="noise"):
        simulate_in_batches(loud, X)


def test_frequencies_are_synchronised_at_any_phases():
    X = table(100)
    model = KuraNetSynchronizer(objective="frequency", **{**QUICK, "max_iter": 60}).fit(X)
    assert model.score(table(80, seed=4)) > 0.9
    path = model.simulate(X, n_steps=3000, save_from=2000)
    assert np.ptp(path.effective_frequency()) < 0.01


class Prevalence(SynchronyObjective):
    """Few are to be infected."""

    def initial_phases(self, index, seed_probability, generator):
        return torch.rand(index.shape, generator=generator)

    def loss(self, coupling, phases, index):
        return phases[-1].mean()

    limit_loss = None

    def is_trapped(self, phases, index):
        return False


Prevalence.limit_loss = lambda self, phases, index: phases[-1].mean()


def test_units_without_phases_are_answered_with_states():
    X = np.random.RandomState(0).uniform(0.5, 1.5, (60, 2))
    model = KuraNetSynchronizer(
        None,
        dynamics="sis",
        columns={"recovery": 0, "infectivity": 1},
        objective=Prevalence,
        average_degree=2.0,
        **{**QUICK, "max_iter": 5},
    ).fit(X)
    path = model.simulate(X, n_steps=50, initial_phases=np.full(60, 0.5))
    assert path.phases is None
    assert np.all((path.states >= 0.0) & (path.states <= 1.0))
    infected = model.predict(X)
    assert infected.shape == (60,)
    np.testing.assert_allclose(infected, model.reference_states_.mean(), atol=0.5)
    assert 0.0 <= model.score(X) <= 1.0


def epidemic(**settings):
    return KuraNetSynchronizer(
        None, dynamics="sis", columns={"recovery": 0}, objective=Prevalence, **QUICK, **settings
    )


def test_nobody_sheds_contacts_in_an_epidemic():
    X = np.random.RandomState(0).uniform(0.5, 1.5, (60, 2))
    same = epidemic(average_degree=2.0).fit(X)
    np.testing.assert_allclose(same.fan_in(X), 2.0, rtol=1e-5)
    shared = epidemic(average_degree=2.0, normalization="mean_degree").fit(X)
    assert np.ptp(shared.fan_in(X)) > 0.01
    assert shared.fan_in(X).mean() == pytest.approx(2.0)
    own = epidemic(normalization=EqualDegree(3.0)).fit(X)
    np.testing.assert_allclose(own.fan_in(X), 3.0, rtol=1e-5)
    # A graph may not allow it.
    ring = np.roll(np.eye(60), 1, axis=1)
    assert isinstance(epidemic(connectivity=ring).fit(X).normalization_, MeanDegree)
    with pytest.raises(ValueError, match="With connectivity, set normalization='mean_degree'"):
        epidemic(connectivity=ring, normalization="equal_degree").fit(X)


def test_any_dynamics_may_have_equal_degrees():
    X = table()
    assert isinstance(KuraNetSynchronizer(**QUICK).fit(X).normalization_, MeanDegree)
    model = KuraNetSynchronizer(normalization="equal_degree", average_degree=2.0, **QUICK).fit(X)
    np.testing.assert_allclose(model.coupling_matrix(X).sum(1), 2.0, atol=1e-3)
    assert model.predict(X).shape == (80,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dynamics": "kuramotto"}, "dynamics"),
        ({"dynamics": int}, "dynamics must be one of"),
        ({"columns": {"phase_lag": 1}}, "phase_lag is no parameter of dynamics='kuramoto'"),
        ({"field": 1, "columns": {"field": 2}}, "field has a column twice"),
        ({"dynamics": "second_order", "field": 1}, "field is no parameter"),
        ({"noise": -1.0}, "noise"),
        ({"frequency": None, "columns": {"noise": 0}}, "holds a negative noise"),
        ({"columns": {"field": 9}}, "field=9 is not a column"),
        ({"dynamics": "hopfield"}, "has no phases"),
        ({"objective": "order"}, "objective"),
        ({"normalization": "none"}, "normalization"),
        ({"dynamics": Misspelt}, r"Misspelt\.normalization must be one of .* got 'mean'"),
        ({"dynamics": Pullers}, "dynamics='Pullers' needs gain: name the columns"),
    ],
)
def test_what_cannot_be_is_refused_by_name(settings, message):
    with pytest.raises(ValueError, match=message):
        KuraNetSynchronizer(**QUICK, **settings).fit(table())


def test_parameters_that_all_nodes_share_change_what_is_learned():
    X = table()
    light, heavy = (
        KuraNetSynchronizer(dynamics=SecondOrder(inertia=torch.tensor(m)), **QUICK).fit(X)
        for m in (0.5, 3.0)
    )
    assert light.loss_curve_[0] != heavy.loss_curve_[0]
    assert isinstance(clone(light).dynamics, SecondOrder)


def test_every_parameter_that_changes_a_fit_changes_its_checkpoint(tmp_path, monkeypatch):
    from skkuranet.training import _run as training

    X, path = table(), tmp_path / "state"

    def killed(run, iteration):
        if iteration == 8:
            raise RuntimeError("killed")
        return step(run, iteration)

    step = training.Run.step
    settings = {**QUICK, "checkpoint": path, "checkpoint_every": 4}
    with monkeypatch.context() as patch:
        patch.setattr(training.Run, "step", killed)
        with pytest.raises(RuntimeError, match="killed"):
            KuraNetSynchronizer(**settings).fit(X)
    others = [
        {"field": 1},
        {"dynamics": "sakaguchi"},
        {"dynamics": Kuramoto(field=torch.tensor(0.1))},
        {"noise": 0.1},
        {"objective": "frequency"},
        {"frequency": 1},
        {"columns": {"noise": 1}},
    ]
    for other in others:
        with pytest.raises(ValueError, match="is of another fit"):
            KuraNetSynchronizer(**settings, **other).fit(X)
    KuraNetSynchronizer(**settings).fit(X)


def test_an_unsynchronised_network_of_another_dynamics_says_so():
    X = np.column_stack([np.linspace(-5.0, 5.0, 60), np.ones(60)])
    with pytest.warns(ConvergenceWarning):
        model = KuraNetSynchronizer(dynamics=StuartLandau, **QUICK).fit(X)
    assert not model.locked_.all()
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize(
    "dynamics",
    ["second_order", "stuart_landau", Daido(second=torch.tensor(0.1)), Sphere(n_dims=2)],
    ids=lambda d: d if isinstance(d, str) else type(d).__name__,
)
def test_classes_are_found_by_phases_of_other_dynamics(dynamics):
    X, y = make_blobs(150, centers=3, cluster_std=0.6, random_state=1)
    settings = {"step_size": 0.2, "n_steps": 60, "random_state": 0, "max_iter": 60}
    model = KuraNetClusterer(dynamics=dynamics, network_size=60, **settings).fit(X, y)
    assert model.score(X, y) > 0.95
    # A row locks where the reference network has its class.
    angles = np.arctan2(*model.transform(X).T[::-1])
    for code in range(3):
        own = model.reference_phases_[model.predict(model.reference_features_) == code]
        difference = np.angle(np.exp(1j * angles[y == code]).mean() / np.exp(1j * own).mean())
        assert abs(difference) < 0.3
    assert adjusted_rand_score(model.cluster(X, random_state=1), y) > 0.8


@pytest.mark.parametrize(
    ("dynamics", "message"),
    [
        ("sis", "dynamics='sis' has no phases"),
        (Sphere(), "dynamics='Sphere' has no phases"),
        (SecondOrder(inertia=torch.ones(4)), "inertia has 4 numbers"),
    ],
)
def test_classes_need_phases(dynamics, message):
    X, y = make_blobs(50, centers=2, random_state=1)
    with pytest.raises(ValueError, match=message):
        KuraNetClusterer(dynamics=dynamics).fit(X, y)
