"""Coupling networks and their normalisations by name, for each estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from skkuranet.coupling import (
    Balanced,
    FactorizedNetwork,
    Identity,
    InDegree,
    MembershipNetwork,
    Normalization,
    PairwiseNetwork,
)

if TYPE_CHECKING:
    from skkuranet._base import KuraNetBase, Lesson


@dataclass(frozen=True)
class CouplingRecipe:
    """A kind of coupling network and the normalisations that it can have, by name.

    Parameters
    ----------
    build : callable
        ``build(estimator, lesson, generator)`` returns the network.
    normalizations : mapping, optional
        Where the user has a choice.
    in_closed_form : bool, default=False
        Whether the network learns classes before any trajectory.
    sizes : tuple of int, default=(128, 128)
        Widths of its hidden layers, where the user says nothing.
    """

    build: Callable[[KuraNetBase, Lesson, torch.Generator], nn.Module]
    normalizations: Mapping[str, Normalization] = field(default_factory=dict)
    in_closed_form: bool = False
    sizes: tuple[int, ...] = (128, 128)


def _shape(
    estimator: KuraNetBase, lesson: Lesson, generator: torch.Generator
) -> tuple[tuple[int, tuple[int, ...]], dict[str, Any]]:
    """Number of features and hidden widths, and where weights and encoding come from."""
    encoding = None if lesson.encoding is None else lesson.encoding(generator)
    positional = lesson.X.shape[1], estimator._sizes()
    return positional, {"generator": generator, "encoding": encoding}


def _members(estimator: KuraNetBase, lesson: Lesson, generator: torch.Generator) -> nn.Module:
    k = lesson.n_groups
    # A square of four whole classes is not stable.
    halves = k == 4 if estimator.rank is None else estimator.rank >= 2 * k
    (n_features, sizes), options = _shape(estimator, lesson, generator)
    return MembershipNetwork(n_features, sizes, n_classes=k, n_parts=2 if halves else 1, **options)


def _likeness(estimator: KuraNetBase, lesson: Lesson, generator: torch.Generator) -> nn.Module:
    rank = 16 if estimator.rank is None else estimator.rank
    shape, options = _shape(estimator, lesson, generator)
    return FactorizedNetwork(*shape, rank=rank, form="cosine", **options)


def _pairwise(estimator: KuraNetBase, lesson: Lesson, generator: torch.Generator) -> nn.Module:
    shape, options = _shape(estimator, lesson, generator)
    return PairwiseNetwork(*shape, **options)


def _nonnegative(estimator: KuraNetBase, lesson: Lesson, generator: torch.Generator) -> nn.Module:
    rank = 32 if estimator.rank is None else estimator.rank
    shape, options = _shape(estimator, lesson, generator)
    return FactorizedNetwork(*shape, rank=rank, form="nonnegative", **options)


def _symmetric_pairwise(
    estimator: KuraNetBase, lesson: Lesson, generator: torch.Generator
) -> nn.Module:
    shape, options = _shape(estimator, lesson, generator)
    return PairwiseNetwork(*shape, symmetric=True, **options)


_IN_DEGREE = {"in_degree": InDegree(), "none": Identity()}

_LOW_RANK = {
    "auto": Balanced(),
    "balanced": Balanced(),
    "in_degree": InDegree(order=2),
    "none": Identity(),
}
_COMMITTEE = CouplingRecipe(_members, _LOW_RANK, in_closed_form=True, sizes=(64, 64))
_PAIRS = CouplingRecipe(_pairwise, {"auto": InDegree(density_exponent=0.5), **_IN_DEGREE})

CLUSTERING = {
    "factorized": _COMMITTEE,
    "pairwise": _PAIRS,
}

# Classes of the pixels of images.
LABELLING = {
    "factorized": _COMMITTEE,
    "pairwise": _PAIRS,
}

# Whether two nodes belong together, whatever they belong to.
GROUPING = {
    "factorized": CouplingRecipe(
        _likeness, {"auto": InDegree(order=2), "in_degree": InDegree(order=2), "none": Identity()}
    ),
    "pairwise": CouplingRecipe(_symmetric_pairwise, {"auto": InDegree(), **_IN_DEGREE}),
}

# For modules of the user.
CLUSTERING_NORMALIZATIONS = {"auto": InDegree(), **_IN_DEGREE}

SYNCHRONY = {
    "factorized": CouplingRecipe(_nonnegative),
    "pairwise": CouplingRecipe(_symmetric_pairwise),
}
