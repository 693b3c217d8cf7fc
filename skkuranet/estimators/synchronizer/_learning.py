"""How a synchronizer learns couplings."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from skkuranet._utils.messages import plain, warn_caller
from skkuranet._utils.tools import as_tensor
from skkuranet.coupling import NodeIdentity, Normalization
from skkuranet.coupling._build import budget_on
from skkuranet.dynamics import Daido, Kuramoto, delay_in_steps
from skkuranet.dynamics._catalogue import kind_of
from skkuranet.estimators._arrays import empty_like, mean_and_scale, on_host, validated
from skkuranet.estimators._connectivity import DrawnGraph, FixedGraph, logs_of, warn_if_apart
from skkuranet.estimators._fit_task import FitTask
from skkuranet.estimators._network_presets import DEGREES
from skkuranet.estimators._node_columns import resolve_columns, roles_of
from skkuranet.estimators._schedule_presets import ANY, DELAYED, FEW, INERTIAL, PROMPT, Regime
from skkuranet.estimators._simulation import LIMIT_TIME, steps_in
from skkuranet.estimators._trained_network import check_delays
from skkuranet.estimators.synchronizer._oscillators import CPU
from skkuranet.estimators.synchronizer._reference import DrivenOscillators, objective_of
from skkuranet.training._schedule import Curriculum

# Rows that so many networks would hold are few.
_FEW_NETWORKS = 2


class OscillatorLearner(DrivenOscillators):
    """Learns couplings of rows, of all pairs or along a graph."""

    def _learn_couplings(self, X):
        """Learn couplings under which networks of rows of X synchronise."""
        given, X = X, validated(self, X, ensure_min_samples=2)
        roles = roles_of(
            self.dynamics,
            self.columns,
            frequency=self.frequency,
            field=self.field,
            delay=self.delay,
        )
        columns = resolve_columns(roles, X.shape[1], getattr(self, "feature_names_in_", None))
        motion = self._motion(X, columns)
        normalization = self._normalization(X)
        edges, graph = self._graph_of(X)
        result = self._learn(
            FitTask(
                X,
                None,
                1,
                objective=functools.partial(objective_of, self.objective, motion),
                complete=functools.partial(self._complete, normalization, columns, X, edges),
                normalization=normalization,
                weight_decay=self.weight_decay,
                edges=edges,
                graph=graph,
                edge_weights=self._weights_of(X, edges, graph),
                encoding=self._identities(X),
                like=empty_like(given),
            )
        )
        self._warn_of_drift(result)
        if edges is None:
            # Once, for all predictions. That of a graph has all its nodes, which may be too many to
            # couple before anybody asks.
            self._reference_network(X)

    def _motion(self, X, columns):
        """Return how training networks move, if the objective and memory allow it."""
        n_steps = steps_in(LIMIT_TIME, self.step_size)
        motion = self._node_motion(columns).in_single(X, CPU, LIMIT_TIME, n_steps)
        if isinstance(self.objective, str) and not motion["dynamics"].has_phases:
            raise ValueError(
                f"dynamics={plain(self.dynamics)} has no phases that could synchronise: pass an "
                "objective of your own, a subclass of skkuranet.objectives.SynchronyObjective."
            )
        if "delay" in motion:
            # Once, so that a warning of rounding comes once.
            steps = delay_in_steps(motion["delay"], self.step_size)
            size = max(self.batch_size * self.network_size, min(len(X), self.n_reference))
            check_delays(steps, size, self.step_size, budget_on(self.memory_budget, CPU))
            motion["delay"] = steps.double() * self.step_size
        return motion

    def _warn_of_drift(self, result):
        """Warn of training networks, or a reference network, that do not come to rest."""
        if not result.converged and not result.interrupted:
            warn_caller(
                "The oscillators do not synchronise (circular variance "
                f"{result.limit_loss:.3f} at the limit). Raise average_degree or max_iter.",
                ConvergenceWarning,
            )
        elif not self._reference_rests:
            locked = on_host(self.locked_)
            drifting = np.count_nonzero(~locked)
            what = (
                f"{drifting} of {len(locked)} oscillators of the reference network drift."
                if drifting
                else "The reference network turns in its field."
            )
            warn_caller(
                f"{what} predict and transform integrate new rows against its motion; their "
                "phases are those of one moment. Raise average_degree or max_iter for a network "
                "that locks.",
                ConvergenceWarning,
            )

    def _regime(self, X) -> Regime:
        if self.delay is not None or "delay" in (self.columns or {}):
            return DELAYED
        if kind_of(self.dynamics).solver != "euler":
            return INERTIAL
        if not issubclass(kind_of(self.dynamics), (Kuramoto, Daido)):
            return ANY
        few = self.connectivity is None and len(X) <= _FEW_NETWORKS * self.network_size
        return FEW if few else PROMPT

    def _normalization(self, X) -> Normalization:
        if isinstance(self.normalization, Normalization):
            return self.normalization
        name, is_graph = self.normalization, self.connectivity is not None
        if name == "auto":
            name = "mean_degree" if is_graph else kind_of(self.dynamics).normalization
        if name not in DEGREES:
            raise ValueError(
                f"{kind_of(self.dynamics).__name__}.normalization must be one of "
                f"{sorted(DEGREES)}, got {plain(name)}."
            )
        if name == "equal_degree" and is_graph:
            raise ValueError(
                "normalization='equal_degree' couples all pairs, as nodes of a graph may not be "
                "able to have one degree. With connectivity, set normalization='mean_degree'."
            )
        return DEGREES[name](self.average_degree, self._regime(X).density_exponent)

    def _curriculum(self, task: FitTask) -> Curriculum:
        curriculum = super()._curriculum(task)
        if task.edges is not None:
            # A graph of all rows has no networks within it that would be like it.
            curriculum = dataclasses.replace(curriculum, network_size=len(task.X))
        return self._regime(task.X).adapt(
            curriculum, n_rows=len(task.X), average_degree=self.average_degree
        )

    def _graph_of(self, X):
        """Return the edges of all rows, and a callable for those of drawn networks."""
        if self.connectivity is None:
            return None, None
        if callable(self.connectivity):
            return None, DrawnGraph(self.connectivity, X, self.edge_weights)
        edges = self._edges(X)
        warn_if_apart(edges, len(X))
        return edges, FixedGraph(edges)

    def _weights_of(self, X, edges, graph):
        """Return what coupling networks have to know of the weights of edges; None without."""
        if not self.edge_weights:
            return None
        if graph is None:
            raise ValueError(
                "edge_weights=True, but there is no graph: pass the weighted graph as connectivity."
            )
        if isinstance(self.coupling, nn.Module) and not hasattr(self.coupling, "along"):
            raise ValueError(
                "edge_weights=True is for coupling='factorized' and 'pairwise'; give a module of "
                "your own a method along(x, y, weights), as skkuranet.coupling.EdgeWeightNetwork "
                "has."
            )
        if edges is None:
            size = min(self.network_size, len(X))
            edges = graph.of(np.linspace(0, len(X) - 1, size).astype(int))
        return logs_of(edges)

    def _identities(self, X):
        """Return what coupling networks see the nodes of X through, if they are to know them."""
        if not self.node_identity:
            return None
        if isinstance(self.coupling, nn.Module):
            raise ValueError(
                "node_identity=True is for coupling='factorized' and 'pairwise'; give a module of "
                "your own its encoding, skkuranet.coupling.NodeIdentity."
            )
        return functools.partial(NodeIdentity, as_tensor(X, torch.float64, CPU), *mean_and_scale(X))
