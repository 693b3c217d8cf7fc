"""Couplings as a free matrix, or as a function of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from skkuranet.estimators._progress import Progress
from skkuranet.estimators.identifier._evidence import Hyperparameters
from skkuranet.estimators.identifier._explained import explained_by_fit, explained_by_matrix
from skkuranet.estimators.identifier._pairs import (
    Target,
    couplings_of,
    new_network,
    target_of,
    train_pairs,
)
from skkuranet.estimators.identifier._parameters import ParameterModel
from skkuranet.estimators.identifier._recordings import Recording
from skkuranet.estimators.identifier._stages import (
    Nodes,
    normals,
    regress,
    set_values,
    shoot,
    tell_noise,
)

# Weights of a network move by so much, in units of the prior, in the last fit.
_WEIGHT_SCALE = 0.01
_SAME = 1e-9


@dataclass(frozen=True)
class Learned:
    """What a fit has found.

    ``determined`` is of how many couplings of each oscillator recordings tell, and ``explained``
    R² of steps beside constant frequencies.
    """

    answer: Any
    given: Hyperparameters
    errors: np.ndarray | None
    determined: np.ndarray
    explained: float
    losses: list[float]
    n_iterations: int
    converged: bool


@dataclass(frozen=True)
class MatrixAnswer:
    """Couplings (n, n) and parameters (F, n) of the nodes of fit, and their features."""

    couplings: np.ndarray
    values: np.ndarray
    features: np.ndarray | None

    def matrix(self, features: np.ndarray | None) -> np.ndarray:
        """Return the couplings, of the same nodes."""
        mine = self.features
        if features is not None and (
            mine is None
            or features.shape != mine.shape
            or not np.allclose(features, mine, rtol=_SAME, atol=0.0)
        ):
            raise ValueError(
                "A matrix of couplings is that of the nodes of fit. Pass X=None or the same X, or "
                "fit with couplings='pairwise' to have couplings of new nodes."
            )
        return self.couplings.copy()

    def own_values(self) -> np.ndarray:
        """Return parameters of the same nodes."""
        return self.values


@dataclass(frozen=True)
class PairwiseAnswer:
    """A coupling network, and what tells parameters from features."""

    couplings: torch.nn.Module
    parameters: ParameterModel

    def matrix(self, features: np.ndarray | None) -> np.ndarray:
        """Return the couplings of nodes."""
        if features is None:
            raise ValueError("Pairwise couplings are those of features; pass X.")
        return couplings_of(self.couplings, features)

    def own_values(self) -> None:
        """Nodes are not known by name."""

    def values_of(self, features: np.ndarray) -> np.ndarray:
        """Return parameters as their features tell them."""
        return self.parameters.predict(features)


class MatrixLearner:
    """One coupling for each pair of nodes."""

    def __init__(self, settings: Any, groups: list[Nodes], random: np.random.RandomState) -> None:
        self.settings, (self.nodes,) = settings, groups
        self.n_iterations = settings.max_iter

    @staticmethod
    def group(
        recordings: list[Recording], tables: list[np.ndarray | None]
    ) -> list[tuple[list[Recording], np.ndarray | None]]:
        """Return all recordings as those of the same nodes."""
        sizes = {recording.n_nodes for recording in recordings}
        alike = all(table is tables[0] or np.array_equal(table, tables[0]) for table in tables)
        if len(sizes) > 1 or not alike:
            raise ValueError(
                "A matrix of couplings needs the same nodes in all recordings, with NaN where a "
                "node was not measured. Pass their features and couplings='pairwise' for others."
            )
        check_rows(recordings, tables)
        return [(recordings, tables[0])]

    @staticmethod
    def parameter(values: list[np.ndarray]) -> np.ndarray:
        """Return a parameter of all nodes."""
        return values[0]

    def learn(self, progress: Progress) -> Learned:
        """Alternate regression and paths, and then fit trajectories."""
        nodes, settings = self.nodes, self.settings
        for _ in range(settings.n_rounds):
            given = tell_noise([nodes], settings.prior_scale)
            errors, determined = regress(nodes, given)
            nodes.correct_paths(given)
        explained = explained_by_matrix(nodes, given)
        answered = None
        if settings.max_iter:
            apart = ~torch.eye(nodes.n_nodes, dtype=torch.bool)
            answered = shoot(
                [nodes],
                [nodes.couplings],
                [np.where(errors > 0, np.minimum(errors, np.sqrt(given.prior)), 1.0)],
                lambda leaves, _: leaves[0] * apart,
                lambda leaves: leaves[0].square().sum() / (2.0 * given.prior),
                given,
                settings.window,
                settings.step_size,
                settings.max_iter,
                progress.tell,
            )
        losses, converged = [], True
        if answered is not None:
            (couplings,), losses, converged = answered
            np.fill_diagonal(couplings, 0.0)
            nodes.couplings = couplings
        answer = MatrixAnswer(nodes.couplings, nodes.values, nodes.features)
        return Learned(answer, given, errors, determined, explained, losses, len(losses), converged)


class PairwiseLearner:
    """A function of the features of two nodes."""

    def __init__(self, settings: Any, groups: list[Nodes], random: np.random.RandomState) -> None:
        self.settings, self.groups = settings, groups
        seed = int(random.randint(2**31 - 1))
        self.generator = torch.Generator().manual_seed(seed)
        self.n_iterations = settings.n_rounds * settings.n_train_iter + settings.max_iter
        needed = sum(8 * 3 * nodes.n_nodes**3 for nodes in groups)
        if needed > settings.memory_budget:
            raise ValueError(
                f"The normal equations of all nodes take about {needed} bytes, more than "
                f"memory_budget={settings.memory_budget}. Raise it, or fit to recordings of fewer "
                "nodes: couplings carry over to larger networks."
            )

    @staticmethod
    def group(
        recordings: list[Recording], tables: list[np.ndarray | None]
    ) -> list[tuple[list[Recording], np.ndarray | None]]:
        """Return recordings of the same table together."""
        if any(table is None for table in tables):
            raise ValueError("couplings='pairwise' needs features of the nodes; pass X.")
        check_rows(recordings, tables)
        found: list[tuple[list[Recording], np.ndarray | None]] = []
        for recording, table in zip(recordings, tables):
            for of_nodes, known in found:
                if known is table:
                    of_nodes.append(recording)
                    break
            else:
                found.append(([recording], table))
        return found

    @staticmethod
    def parameter(values: list[np.ndarray]) -> list[np.ndarray] | np.ndarray:
        """Return a parameter of all nodes."""
        return values if len(values) > 1 else values[0]

    def learn(self, progress: Progress) -> Learned:
        """Alternate training and paths, and then fit trajectories."""
        settings, groups = self.settings, self.groups
        features = np.concatenate([nodes.features for nodes in groups])
        sizes = tuple(int(size) for size in settings.hidden_layer_sizes)
        network = new_network(features, sizes, self.generator)
        losses: list[float] = []
        for _ in range(settings.n_rounds):
            given = tell_noise(groups, settings.prior_scale)
            equations = [normals(nodes, given.ratio) for nodes in groups]
            targets = [target_of(n.features, e) for n, e in zip(groups, equations)]
            network, curve = train_pairs(
                network,
                targets,
                given,
                settings.n_train_iter,
                progress.tell,
                len(losses),
            )
            losses += curve
            for nodes, own in zip(groups, equations):
                nodes.couplings = couplings_of(network, nodes.features)
                set_values(nodes, own)
                nodes.correct_paths(given)
        n_iterations, converged = 0, True
        if settings.max_iter:
            answered = self._shoot(network, given, progress, len(losses))
            if answered is not None:
                network, curve, converged = answered
                n_iterations = len(curve)
                losses += curve
        values = np.concatenate([nodes.values for nodes in groups], -1)
        answer = PairwiseAnswer(network, ParameterModel.fit(features, values))
        determined, explained = determined_by(targets, given), explained_by_fit(groups)
        return Learned(answer, given, None, determined, explained, losses, n_iterations, converged)

    def _shoot(
        self, network: torch.nn.Module, given: Hyperparameters, progress: Progress, done: int
    ) -> tuple[torch.nn.Module, list[float], bool] | None:
        names = [name for name, _ in network.named_parameters()]
        leaves = [p.detach().numpy().copy() for p in network.parameters()]
        tables = [torch.as_tensor(nodes.features) for nodes in self.groups]

        def couplings(parts: Sequence[Tensor], number: int) -> Tensor:
            x = tables[number]
            found = functional_call(network, dict(zip(names, parts)), (x, x)).double()
            return found * ~torch.eye(len(x), dtype=torch.bool)

        answered = shoot(
            self.groups, leaves, [_WEIGHT_SCALE] * len(leaves), couplings,
            lambda parts: torch.zeros((), dtype=torch.float64), given, self.settings.window,
            self.settings.step_size, self.settings.max_iter,
            progress.tell, done,
        )  # fmt: skip
        if answered is None:
            return None
        found, curve, converged = answered
        with torch.no_grad():
            for parameter, value in zip(network.parameters(), found):
                parameter.copy_(torch.as_tensor(value))
        for nodes in self.groups:
            nodes.couplings = couplings_of(network, nodes.features)
        return network, curve, converged


#: Kinds of couplings by name.
LEARNERS = {"matrix": MatrixLearner, "pairwise": PairwiseLearner}


def check_rows(recordings: list[Recording], tables: list[np.ndarray | None]) -> None:
    """Raise ValueError unless tables have a row for each node."""
    for number, (recording, table) in enumerate(zip(recordings, tables)):
        if table is not None and len(table) != recording.n_nodes:
            raise ValueError(
                f"X must have one row for each node, but has {len(table)}, and recording {number} "
                f"of phases has {recording.n_nodes} columns."
            )


def determined_by(targets: Sequence[Target], given: Hyperparameters) -> np.ndarray:
    """Return how many couplings of each oscillator are told by its own increments."""
    shrinkage = given.measurement / given.prior
    strengths = [torch.linalg.eigvalsh(target.gram).clamp_min(0.0) for target in targets]
    found = [(s / (s + shrinkage)).sum(-1) for s in strengths]
    return torch.cat(found).numpy()
