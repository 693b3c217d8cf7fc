"""Public functions and methods, and parameters that make sense of each."""

import numpy as np
import torch

from skkuranet import OscillatorNetwork, analysis, datasets, metrics, signals
from skkuranet.coupling import as_coupling
from skkuranet.dynamics import integrate

RNG = np.random.RandomState(0)
PHASES = RNG.uniform(-3, 3, 6)
LABELS = np.array([0, 0, 1, 1, 2, 2])
LATER = {"phases": RNG.normal(size=(9, 6)), "labels": LABELS}
K = np.ones((6, 6)) - np.eye(6)
MASK = np.array([[0, 0, 1], [1, 2, 2]])
PAIR = {"labels_true": MASK, "labels_pred": MASK}
FEW = {"n_steps": 5, "random_state": 0}
NETWORK = OscillatorNetwork(K, frequency=RNG.normal(size=6))
ALIKE = OscillatorNetwork(K)
PATH = NETWORK.simulate(**FEW)
SIGNAL = np.sin(np.arange(200) / 3.0 + np.arange(3)[:, None]).T

CALLS = {
    "best_dice": (metrics.best_dice, {"labels_a": MASK, "labels_b": MASK, "background": None}),
    "chimera_index": (metrics.chimera_index, LATER),
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
    "metastability_index": (metrics.metastability_index, LATER),
    "order_parameter": (metrics.order_parameter, {"phases": PHASES, "harmonic": 1}),
    "phase_clusters": (metrics.phase_clusters, {"phases": PHASES, "tolerance": 0.7}),
    "probabilistic_rand_index": (
        metrics.probabilistic_rand_index,
        {"labels_true": [MASK, MASK], "labels_pred": MASK},
    ),
    "segmentation_covering": (metrics.segmentation_covering, PAIR),
    "splay_loss": (metrics.splay_loss, {"cluster_phases": PHASES}),
    "splay_order": (metrics.splay_order, {"phases": PHASES, "n_groups": 2}),
    "symmetric_best_dice": (metrics.symmetric_best_dice, {**PAIR, "background": 0}),
    "variation_of_information": (metrics.variation_of_information, PAIR),
    "winding_number": (metrics.winding_number, {"phases": PHASES, "cycle": None}),
    "as_coupling": (as_coupling, {"K": K, "connectivity": K, "dtype": None}),
    "integrate": (
        integrate,
        {
            "coupling": K,
            "state": PHASES,
            "dynamics": None,
            "frequency": PHASES,
            "field": PHASES,
            "delay": np.full(6, 0.2),
            "history": "rotation",
            "noise": 0.1,
            "generator": torch.Generator().manual_seed(0),
            "step_size": 0.1,
            "n_steps": 5,
            "save_from": 0,
            "solver": "euler",
        },
    ),
    "OscillatorNetwork": (
        OscillatorNetwork,
        {
            "K": K,
            "dynamics": "kuramoto",
            "coupling_scale": 1.0,
            "frequency": PHASES,
            "field": PHASES,
            "delay": np.full(6, 0.2),
            "noise": 0.1,
            "history": "rotation",
            "memory_budget": "auto",
        },
    ),
    "simulate": (
        NETWORK.simulate,
        {
            "step_size": 0.1,
            "initial_state": PHASES,
            "save_from": 0,
            "save_every": 1,
            "solver": "euler",
            **FEW,
        },
    ),
    "velocity": (NETWORK.velocity, {"state": PHASES}),
    "initial_state": (NETWORK.initial_state, {"random_state": 0}),
    "group_order": (PATH.group_order, {"labels": LABELS}),
    "local_order": (PATH.local_order, {"K": K}),
    "effective_frequency": (PATH.effective_frequency, {"window": 0.2}),
    "locked": (PATH.locked, {"tolerance": 0.1, "window": 0.2}),
    "sweep": (
        analysis.sweep,
        {
            "network": NETWORK,
            "parameter": "coupling_scale",
            "values": [0.5, 1.0],
            "continuation": None,
            "measure": "order_parameter",
            "n_transient": 5,
            "save_every": 1,
            "step_size": 0.1,
            "n_repeats": 1,
            "initial_state": PHASES,
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
    "critical_coupling": (
        analysis.critical_coupling,
        {
            "network": NETWORK,
            "values": [0.1, 0.2, 0.3, 0.4, 0.5],
            "parameter": "coupling_scale",
            "n_samples": 2,
            "exponents": (0.2, 0.4),
            "n_transient": 5,
            "save_every": 1,
            "step_size": 0.1,
            **FEW,
        },
    ),
    "describe_state": (
        analysis.describe_state,
        {
            "path": LATER["phases"],
            "labels": LABELS,
            "ring": True,
            "window": 3.0,
            "in_step": 0.95,
            "gap": 0.7,
            "slip": 3.0,
            "bend": 0.3,
        },
    ),
    "fixed_points": (
        analysis.fixed_points,
        {
            "network": NETWORK,
            "n_starts": 1,
            "initial_states": PHASES,
            "tol": 1e-9,
            "max_iter": 20,
            "n_eigenvalues": 2,
            "random_state": 0,
        },
    ),
    "jacobian": (analysis.jacobian, {"network": NETWORK, "state": PHASES}),
    "eigenvalues": (analysis.jacobian(NETWORK, PHASES).eigenvalues, {"k": 2}),
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
    "master_stability": (
        analysis.master_stability,
        {"network": ALIKE, "eigenvalues": [-1.0, 0.0], "step_size": 0.1, "transient": 5, **FEW},
    ),
    "transverse_exponents": (
        analysis.transverse_exponents,
        {
            "network": ALIKE,
            "labels": LABELS,
            "step_size": 0.1,
            "transient": 5,
            "initial_state": [0.0, 1.0, 2.0],
            **FEW,
        },
    ),
    "phases_from_signal": (
        signals.phases_from_signal,
        {"signal": SIGNAL, "sampling_rate": 10.0, "band": (0.2, 1.0)},
    ),
    "make_disorder": (datasets.make_disorder, {"case": "I", "n_samples": 5, "random_state": 0}),
    "make_gaussian_ring": (
        datasets.make_gaussian_ring,
        {"n_clusters": 2, "n_samples": 5, "radius": 10.0, "random_state": 0},
    ),
    "make_spirals": (datasets.make_spirals, {"n_samples": 5, "noise": 0.5, "random_state": 0}),
}
#: Where NaN is documented: ends of a filtered signal, errors of short measurements.
MAY_BE_NAN = {"phases_from_signal", "lyapunov_spectrum", "critical_coupling"}
#: Names under which errors speak of a parameter.
ALSO = {
    "network": {"OscillatorNetwork"},
    # What multiplies them.
    "eigenvalues": {"coupling_scale"},
    "state": {"phases"},
    "coupling": {"K"},
    "random_state": {"seed", "Seed"},
    "n_steps": {"n_kept"},
    "labels": {"initial_state"},
    "path": {"labels"},
}
