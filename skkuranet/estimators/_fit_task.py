"""All that training must know of one fit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from skkuranet._utils.surroundings import SinglePrecision
from skkuranet.coupling import CouplingNetwork, Normalization, WeightedEdges
from skkuranet.estimators._arrays import Table, as_given, mean_and_scale
from skkuranet.estimators._connectivity import Edges
from skkuranet.estimators._network_presets import NetworkPreset, NetworkRequest
from skkuranet.objectives import Objective
from skkuranet.training._checkpoint import Checkpoint
from skkuranet.training._schedule import Curriculum


@dataclass(frozen=True)
class FitTask:
    """What to learn from one training set, and how.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or None
        Targets, for callbacks.
    n_groups : int
        Number of groups of phases that are wanted.
    objective : callable
        ``objective(device)`` returns the objective.
    complete : callable
        ``complete(network, seed)`` returns all fitted attributes that follow from a network.
    n_labelled : int
        Number of rows whose class is known.
    n_telling : float or None
        How many rows would say as much if none was like another; None where that is not known.
    weight_decay, feature_noise : float
        Of the coupling network; on the features of drawn nodes, in standard deviations.
    edges : ndarray of shape (2, n_edges), WeightedEdges or None
        Of the network of all rows, where there is but one.
    graph : callable or None
        From the nodes of drawn networks to their edges; None couples all pairs.
    edge_weights : tuple of float or None
        Mean and standard deviation of the logarithms of weights, if couplings are to see them.
    encoding : callable or None
        ``encoding(generator)`` returns what coupling networks see features through.
    attributes : mapping
        Further fitted attributes, which do not depend on the network.
    like : array or None
        Of the library, and on the device, that fitted arrays are wanted in; None for NumPy.
    begin : Beginning or None
        What networks are before training.
    checkpoint_path : str or None
        What the names of the files begin with that hold the state of each restart.
    part : str
        Added to that, for one of several tasks of a fit.
    settings : mapping
        Parameters that tell this fit from others.
    """

    X: Table
    y: np.ndarray | None
    n_groups: int
    objective: Callable[[torch.device], Objective]
    complete: Callable[[nn.Module, int], dict]
    normalization: Normalization
    n_labelled: int = 0
    n_telling: float | None = None
    weight_decay: float = 0.0
    feature_noise: float = 0.0
    edges: Edges | None = None
    graph: Callable[[Tensor], Tensor | WeightedEdges] | None = None
    edge_weights: tuple[float, float] | None = None
    encoding: Callable[[torch.Generator], nn.Module] | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)
    like: object = None
    plan: Curriculum = field(default_factory=Curriculum)
    begin: Beginning | None = None
    memory_budget: int = 2**30
    checkpoint_path: str | None = None
    part: str = ""
    checkpoint_every: int = 100
    settings: Mapping[str, object] = field(default_factory=dict)

    def completed(self, network: nn.Module, seed: int, **others: object) -> dict:
        """Return all fitted attributes: those of a trained network, and others."""
        made = {**self.attributes, **self.complete(network, seed), **others}
        return {
            name: as_given(value, self.like) if isinstance(value, np.ndarray) else value
            for name, value in made.items()
        }

    def new_network(self, seed: int) -> nn.Module:
        """Return a network as it is before training."""
        assert self.begin is not None
        return self.begin.network(self.X, seed)

    def checkpoint(self, restart: int) -> Checkpoint | None:
        """Return where the state of a restart is kept, if anywhere."""
        if self.checkpoint_path is None:
            return None
        return Checkpoint(f"{self.checkpoint_path}{self.part}.{restart}", self.checkpoint_every)


@dataclass(frozen=True)
class Beginning:
    """What networks are before training: copies of a module, or made by a preset for a request.

    ``going_on`` says whether a module has been trained before, and its weights are kept unless
    others do better.
    """

    source: nn.Module | NetworkPreset
    request: NetworkRequest | None = None
    going_on: bool = False

    def network(self, X: Table, seed: int) -> nn.Module:
        """Return a network for the rows of a table."""
        if isinstance(self.source, nn.Module):
            if self.going_on:
                before = getattr(self.source, "n_features", X.shape[1])
                if before != X.shape[1]:
                    raise ValueError(
                        f"warm_start=True goes on with couplings of {before} features, but X has "
                        f"{X.shape[1]}."
                    )
            return copy.deepcopy(self.source).float()
        assert self.request is not None
        with SinglePrecision():
            network = self.source.make(self.request, torch.Generator().manual_seed(seed)).float()
        if isinstance(network, CouplingNetwork):
            network.standardize(*mean_and_scale(X))
        return network
