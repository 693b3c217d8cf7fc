"""Whatever is passed, there is a right answer, or an error that names what was wrong."""

import inspect
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wrong_inputs import ANY_NUMBER, ANYTHING

from skkuranet import OscillatorNetwork, analysis, metrics, signals
from skkuranet.coupling import as_coupling
from skkuranet.dynamics import integrate

settings.register_profile("default", max_examples=25, deadline=None, derandomize=True)
settings.register_profile("long", max_examples=2000, deadline=None)
settings.load_profile("default")

RNG = np.random.RandomState(0)
PHASES = RNG.uniform(-3, 3, 6)
LABELS = np.array([0, 0, 1, 1, 2, 2])
K = np.ones((6, 6)) - np.eye(6)
MASK = np.array([[0, 0, 1], [1, 2, 2]])
FEW = {"n_steps": 5, "random_state": 0}
NETWORK = OscillatorNetwork(K, frequency=RNG.normal(size=6))
SIGNAL = np.sin(np.arange(200) / 3.0 + np.arange(3)[:, None]).T

#: Functions, and what they make sense of.
CALLS = {
    "best_dice": (metrics.best_dice, {"labels_a": MASK, "labels_b": MASK}),
    "chimera_index": (metrics.chimera_index, {"phases": RNG.normal(size=(9, 6)), "labels": LABELS}),
    "circular_variance": (metrics.circular_variance, {"phases": PHASES}),
    "cluster_synchrony_loss": (
        metrics.cluster_synchrony_loss,
        {"phases": PHASES, "labels": LABELS},
    ),
    "coherent_share": (metrics.coherent_share, {"phases": PHASES, "cycle": None, "tolerance": 0.3}),
    "feature_correlation": (
        metrics.feature_correlation,
        {"couplings": K, "X": RNG.normal(size=(6, 2))},
    ),
    "metastability_index": (
        metrics.metastability_index,
        {"phases": RNG.normal(size=(9, 6)), "labels": LABELS},
    ),
    "order_parameter": (metrics.order_parameter, {"phases": PHASES, "harmonic": 1}),
    "phase_clusters": (metrics.phase_clusters, {"phases": PHASES, "tolerance": 0.7}),
    "probabilistic_rand_index": (
        metrics.probabilistic_rand_index,
        {"labels_true": [MASK, MASK], "labels_pred": MASK},
    ),
    "segmentation_covering": (
        metrics.segmentation_covering,
        {"labels_true": MASK, "labels_pred": MASK},
    ),
    "splay_loss": (metrics.splay_loss, {"cluster_phases": PHASES}),
    "splay_order": (metrics.splay_order, {"phases": PHASES, "n_groups": 2}),
    "symmetric_best_dice": (
        metrics.symmetric_best_dice,
        {"labels_true": MASK, "labels_pred": MASK},
    ),
    "variation_of_information": (
        metrics.variation_of_information,
        {"labels_true": MASK, "labels_pred": MASK},
    ),
    "winding_number": (metrics.winding_number, {"phases": PHASES}),
    "as_coupling": (as_coupling, {"K": K, "connectivity": K}),
    "integrate": (
        integrate,
        {
            "coupling": K,
            "state": PHASES,
            "frequency": PHASES,
            "field": PHASES,
            "delay": np.full(6, 0.2),
            "noise": 0.1,
            "step_size": 0.1,
            "n_steps": 5,
            "save_from": 0,
            "solver": "euler",
        },
    ),
    "OscillatorNetwork": (
        OscillatorNetwork,
        {"K": K, "frequency": PHASES, "field": PHASES, "delay": np.full(6, 0.2)},
    ),
    "simulate": (
        NETWORK.simulate,
        {"n_steps": 5, "step_size": 0.1, "initial_state": PHASES, "random_state": 0},
    ),
    "sweep": (
        analysis.sweep,
        {
            "network": NETWORK,
            "parameter": "coupling_scale",
            "values": [0.5, 1.0],
            "n_transient": 5,
            "save_every": 1,
            "n_repeats": 1,
            **FEW,
        },
    ),
    "basin_stability": (
        analysis.basin_stability,
        {
            "network": NETWORK,
            "is_wanted": "synchrony",
            "n_samples": 4,
            "confidence": 0.95,
            "n_kept": 2,
            "step_size": 0.1,
            **FEW,
        },
    ),
    "fixed_points": (
        analysis.fixed_points,
        {"network": NETWORK, "n_starts": 2, "tol": 1e-9, "max_iter": 20, "random_state": 0},
    ),
    "jacobian": (analysis.jacobian, {"network": NETWORK, "state": PHASES}),
    "lyapunov_spectrum": (
        analysis.lyapunov_spectrum,
        {
            "network": NETWORK,
            "n_exponents": 2,
            "step_size": 0.1,
            "transient": 5,
            "qr_every": 5,
            "initial_state": PHASES,
            **FEW,
        },
    ),
    "phases_from_signal": (
        signals.phases_from_signal,
        {"signal": SIGNAL, "sampling_rate": 10.0, "band": (0.2, 1.0)},
    ),
}
# Seeds of any kind are NumPy's to judge.
JUDGED_ELSEWHERE = {"random_state"}
#: Names under which errors speak of a parameter.
ALSO = {"network": {"OscillatorNetwork"}, "state": {"phases"}, "coupling": {"K"}, "K": {"coupling"}}


def numbers_in(found):
    """All numbers of a result."""
    if isinstance(found, (float, np.floating, np.ndarray)):
        yield np.asarray(found)
    elif isinstance(found, (tuple, list)):
        for part in found:
            yield from numbers_in(part)


def parameters():
    """One case for each parameter of each function."""
    for name, (function, good) in CALLS.items():
        for parameter in good:
            if parameter not in JUDGED_ELSEWHERE:
                yield pytest.param(function, good, parameter, id=f"{name}-{parameter}")


@pytest.mark.parametrize("name", CALLS)
def test_what_makes_sense_is_answered(name):
    function, good = CALLS[name]
    assert set(good) <= set(inspect.signature(function).parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in numbers_in(function(**good)):
            assert np.isfinite(part).all()


@pytest.mark.parametrize(("function", "good", "parameter"), list(parameters()))
def test_whatever_is_wrong_is_named(function, good, parameter):
    takes_a_number = np.ndim(good[parameter]) == 0 and not isinstance(good[parameter], str)
    wrong = st.one_of(ANY_NUMBER, ANYTHING) if takes_a_number else ANYTHING

    @given(wrong)
    @settings(suppress_health_check=list(HealthCheck))
    def check(value):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = function(**{**good, parameter: value})
            except (ValueError, TypeError) as error:
                names = {parameter, *ALSO.get(parameter, ())}
                assert any(name in str(error) for name in names), f"{error!r} names none of {names}"
                return
            for part in numbers_in(found):
                assert not np.isnan(np.asarray(part, dtype=complex)).any()

    check()


def test_sparse_couplings_of_any_kind_are_taken():
    for kind in (sp.csr_array, sp.coo_matrix, sp.lil_array):
        assert as_coupling(kind(K)).shape == (6, 6)
