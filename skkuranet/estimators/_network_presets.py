"""Coupling networks and their normalisations by name, for each estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from skkuranet.coupling import (
    Balanced,
    EdgeWeightNetwork,
    EqualDegree,
    FactorizedNetwork,
    Identity,
    InDegree,
    MeanDegree,
    MembershipNetwork,
    Normalization,
    PairwiseNetwork,
)
from skkuranet.coupling._edge_weights import BesideWeight


@dataclass(frozen=True)
class NetworkRequest:
    """Data and sizes that a coupling network is made for; None for those of the preset.

    ``encoding(generator)`` returns what the network sees features through. ``edge_weights`` are the
    mean and standard deviation of the logarithms of weights that it is to see; None for none.
    """

    n_features: int
    sizes: tuple[int, ...] | None
    rank: int | None
    n_groups: int
    encoding: Callable[[torch.Generator], nn.Module] | None = None
    edge_weights: tuple[float, float] | None = None


@dataclass(frozen=True)
class NetworkPreset:
    """Kind of coupling network, with its normalisations by name where the user has a choice.

    ``build(request, sizes, generator)`` returns the network. ``in_closed_form`` says whether it
    learns classes before any trajectory.
    """

    build: Callable[[NetworkRequest, tuple[int, ...], torch.Generator], nn.Module]
    normalizations: Mapping[str, Normalization] = field(default_factory=dict)
    in_closed_form: bool = False
    sizes: tuple[int, ...] = (128, 128)

    def make(self, request: NetworkRequest, generator: torch.Generator) -> nn.Module:
        """Return a network with fresh weights."""
        sizes = request.sizes or self.sizes
        if request.edge_weights is None:
            return self.build(request, sizes, generator)
        wider = replace(request, n_features=request.n_features + 1)
        return EdgeWeightNetwork(self.build(wider, sizes, generator), *request.edge_weights)


def _options(request: NetworkRequest, generator: torch.Generator) -> dict[str, Any]:
    """Return the source of weights, and the encoding."""
    encoding = None if request.encoding is None else request.encoding(generator)
    if encoding is not None and request.edge_weights is not None:
        encoding = BesideWeight(encoding)
    return {"generator": generator, "encoding": encoding}


def _members(
    request: NetworkRequest, sizes: tuple[int, ...], generator: torch.Generator
) -> nn.Module:
    k = request.n_groups
    # A square of four whole classes is not stable.
    halves = k == 4 if request.rank is None else request.rank >= 2 * k
    options = {"n_classes": k, "n_parts": 2 if halves else 1, **_options(request, generator)}
    return MembershipNetwork(request.n_features, sizes, **options)


def _factorized(
    form: str,
    rank: int,
    request: NetworkRequest,
    sizes: tuple[int, ...],
    generator: torch.Generator,
) -> nn.Module:
    options = _options(request, generator)
    return FactorizedNetwork(
        request.n_features, sizes, rank=request.rank or rank, form=form, **options
    )


def _pairwise(
    symmetric: bool, request: NetworkRequest, sizes: tuple[int, ...], generator: torch.Generator
) -> nn.Module:
    options = _options(request, generator)
    return PairwiseNetwork(request.n_features, sizes, symmetric=symmetric, **options)


_LIKENESS = partial(_factorized, "cosine", 16)
_NONNEGATIVE = partial(_factorized, "nonnegative", 32)
_ANY_PAIRS, _SYMMETRIC_PAIRS = partial(_pairwise, False), partial(_pairwise, True)

_IN_DEGREE = {"in_degree": InDegree(), "none": Identity()}

_LOW_RANK = {
    "auto": Balanced(),
    "balanced": Balanced(),
    "in_degree": InDegree(order=2),
    "none": Identity(),
}
_COMMITTEE = NetworkPreset(_members, _LOW_RANK, in_closed_form=True, sizes=(64, 64))
_PAIRS = NetworkPreset(_ANY_PAIRS, {"auto": InDegree(density_exponent=0.5), **_IN_DEGREE})

CLUSTERING = {"factorized": _COMMITTEE, "pairwise": _PAIRS}

# These learn whether two nodes belong together.
GROUPING = {
    "factorized": NetworkPreset(
        _LIKENESS, {"auto": InDegree(order=2), "in_degree": InDegree(order=2), "none": Identity()}
    ),
    "pairwise": NetworkPreset(_SYMMETRIC_PAIRS, {"auto": InDegree(), **_IN_DEGREE}),
}

# For modules of the user.
CLUSTERING_NORMALIZATIONS = {"auto": InDegree(), **_IN_DEGREE}

SYNCHRONY = {"factorized": NetworkPreset(_NONNEGATIVE), "pairwise": NetworkPreset(_SYMMETRIC_PAIRS)}

# Made with the mean degree, and the power by which degrees are evened out.
DEGREES: dict[str, Callable[[float, float], Normalization]] = {
    "mean_degree": MeanDegree,
    "equal_degree": lambda degree, _: EqualDegree(degree),
}
