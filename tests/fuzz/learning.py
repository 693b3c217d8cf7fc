"""Losses, objectives, training and what processes share, and parameters that make sense of each."""

import numpy as np
import torch
import torch.distributed as dist
from estimators import TINY, X, Y
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._testing import ignore_warnings

from skkuranet import KuraNetClusterer, distributed, losses, objectives
from skkuranet.coupling import Balanced, DenseCoupling, FactorizedNetwork
from skkuranet.training import ClosedForm, Curriculum, train

PHASES = torch.linspace(-3.0, 3.0, 6)
LABELS = torch.tensor([0, 0, 1, 1, 2, 2])
FEATURES = torch.linspace(-1.0, 1.0, 12).reshape(6, 2)
NUMBERS = torch.linspace(0.1, 0.6, 6)


def network():
    """Return new couplings."""
    return FactorizedNetwork(2, (4,), rank=2, generator=torch.Generator().manual_seed(0))


def trained(**given):
    """Train new couplings; what is not given is as good as anything."""
    good = {
        "network": network(),
        "normalization": Balanced(),
        "features": FEATURES,
        "objective": objectives.ClusterObjective(LABELS, 3),
        "curriculum": Curriculum(**SHORT),
        "generator": torch.Generator().manual_seed(0),
    }
    return train(**{**good, **given}).loss_curve


SHORT = {
    "n_iterations": 1,
    "batch_size": 1,
    "network_size": 6,
    "step_size": 1.0,
    "n_steps": 3,
    "learning_rate": 3e-3,
    "weight_decay": 1.0,
    "max_norm": 1.0,
    "tolerance": 1e-4,
    "patience": 8,
    "check_every": 25,
    "limit_time": 5.0,
    "limit_resolution": 1e-3,
    "n_held_out": 1,
    "final_seeding": 0.0,
    "burn_in": 0,
    "feature_noise": 0.0,
    "stall": 1,
    "closed_form": None,
}


@ignore_warnings(category=(ConvergenceWarning, UserWarning))
def calls():
    """Return a function of each, and good parameters."""
    clusterer = KuraNetClusterer(**TINY).fit(X, Y)
    return {
        "mean_field": (losses.mean_field, {"phases": PHASES}),
        "circular_variance": (losses.circular_variance, {"phases": PHASES}),
        "splay_maximum": (losses.splay_maximum, {"n_clusters": 3}),
        "splay_loss": (losses.splay_loss, {"cluster_phases": PHASES}),
        "cluster_synchrony_loss": (
            losses.cluster_synchrony_loss,
            {"phases": PHASES, "membership": torch.eye(3).repeat_interleave(2, 0)},
        ),
        "feature_correlation": (
            losses.feature_correlation,
            {"coupling": DenseCoupling(torch.ones(6, 6)), "features": FEATURES},
        ),
        "ClusterObjective": (
            objectives.ClusterObjective,
            {
                "labels": LABELS,
                "n_classes": 3,
                "locking": 0.3,
                "evidence": 1.0,
                "pools": [torch.arange(6)],
                "weights": NUMBERS,
            },
        ),
        "PairObjective": (
            objectives.PairObjective,
            {"labels": LABELS, "synchrony": 0.1, "pools": [torch.arange(6)]},
        ),
        "SynchronyObjective": (
            objectives.SynchronyObjective,
            {
                "frequency": NUMBERS,
                "field": NUMBERS,
                "delay": NUMBERS,
                "history": "rotation",
                "noise": NUMBERS,
                "solver": "euler",
            },
        ),
        "train": (
            trained,
            {
                "network": network(),
                "normalization": Balanced(),
                "features": FEATURES,
                "objective": objectives.ClusterObjective(LABELS, 3),
                "curriculum": Curriculum(**SHORT),
                "generator": torch.Generator().manual_seed(0),
                "memory_budget": 1 << 20,
            },
        ),
        "Curriculum": (lambda **given: Curriculum(**given).read(), SHORT),
        "ClosedForm": (
            lambda **given: Curriculum(closed_form=ClosedForm(**given)).read(),
            {
                "n_iterations": 5,
                "n_rows": 6,
                "learning_rate": 1e-2,
                "check_every": 5,
                "patience": None,
                "cooling": 0.5,
                "least_cooling": 1,
            },
        ),
        "Ranks": (distributed.Ranks, {"group": None}),
        "local_rows": (distributed.local_rows, {"n": 6, "group": None}),
        "distributed.simulate": (
            distributed.simulate,
            {
                "estimator": clusterer,
                "X": X,
                "n_steps": 3,
                "save_from": 0,
                "step_size": 0.1,
                "initial_phases": np.zeros(12),
                "random_state": 0,
                "group": None,
            },
        ),
        "distributed.fit": (
            lambda estimator, X, y, group: distributed.fit(estimator, X, y, group=group),
            {"estimator": KuraNetClusterer(**TINY), "X": X, "y": Y, "group": None},
        ),
        "couple_sharded": (
            lambda **given: distributed.couple_sharded(ranks=distributed.Ranks(), **given),
            {
                "network": network(),
                "x": FEATURES,
                "normalization": Balanced(),
                "memory_budget": 1 << 20,
            },
        ),
    }


def begin_group():
    """Make this process a group of its own."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)


CALLS = calls()
#: Names under which errors speak of a parameter.
ALSO = {
    "X": {"inconsistent numbers of samples"},
    "y": {"X", "inconsistent numbers of samples"},
    "random_state": {"seed", "Seed"},
    "labels": {"weights", "n_classes", "pools"},
    "n_classes": {"labels"},
    "phases": {"membership"},
    "coupling": {"features"},
    "limit_time": {"step_size"},
    "step_size": {"limit_time"},
    "features": {"labels"},
}
