"""Coupling networks and their normalisations by name, for each estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from sklearn.base import BaseEstimator
from torch import nn

from skkuranet.coupling import (
    Balanced,
    FactorizedNetwork,
    Identity,
    InDegree,
    Normalization,
    PairwiseNetwork,
)


@dataclass(frozen=True)
class CouplingRecipe:
    """A kind of coupling network and the normalisations that it can have, by name.

    Parameters
    ----------
    build : callable
        ``build(estimator, n_features, n_groups, generator)`` returns the network.
    normalizations : mapping, optional
        Where the user has a choice.
    """

    build: Callable[[BaseEstimator, int, int, torch.Generator], nn.Module]
    normalizations: Mapping[str, Normalization] = field(default_factory=dict)


def _blocks(
    estimator: BaseEstimator, n_features: int, n_groups: int, generator: torch.Generator
) -> nn.Module:
    rank = max(16, 2 * n_groups) if estimator.rank is None else estimator.rank
    return FactorizedNetwork(n_features, estimator._sizes(), rank=rank, generator=generator)


def _pairwise(
    estimator: BaseEstimator, n_features: int, n_groups: int, generator: torch.Generator
) -> nn.Module:
    return PairwiseNetwork(n_features, estimator._sizes(), generator=generator)


def _nonnegative(
    estimator: BaseEstimator, n_features: int, n_groups: int, generator: torch.Generator
) -> nn.Module:
    rank = 32 if estimator.rank is None else estimator.rank
    return FactorizedNetwork(
        n_features, estimator._sizes(), rank=rank, form="nonnegative", generator=generator
    )


def _symmetric_pairwise(
    estimator: BaseEstimator, n_features: int, n_groups: int, generator: torch.Generator
) -> nn.Module:
    return PairwiseNetwork(n_features, estimator._sizes(), symmetric=True, generator=generator)


_IN_DEGREE = {"in_degree": InDegree(), "none": Identity()}

CLUSTERING = {
    "factorized": CouplingRecipe(
        _blocks,
        {
            "auto": Balanced(),
            "balanced": Balanced(),
            "in_degree": InDegree(order=2),
            "none": Identity(),
        },
    ),
    "pairwise": CouplingRecipe(_pairwise, {"auto": InDegree(density_exponent=0.5), **_IN_DEGREE}),
}

# For modules of the user.
CLUSTERING_NORMALIZATIONS = {"auto": InDegree(), **_IN_DEGREE}

SYNCHRONY = {
    "factorized": CouplingRecipe(_nonnegative),
    "pairwise": CouplingRecipe(_symmetric_pairwise),
}
