"""From the adjoints of a trajectory to the gradients by what the motion depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skkuranet.dynamics._system import KuramotoSystem, parts


@dataclass(frozen=True)
class Stages:
    """Stages of some steps of a trajectory, and the gradients by what they do.

    Parameters
    ----------
    sources : Tensor of shape (n_steps, n_stages, ..., 2, n)
        Phasors that acted.
    adjoints : Tensor of shape (n_steps, n_stages, ..., n)
        Gradients by the rates, λ.
    driven : Tensor of shape (n_steps, n_stages, ..., 2, n)
        λ times the phasors of the oscillators that were moved.
    """

    sources: Tensor
    adjoints: Tensor
    driven: Tensor


def parameter_gradients(
    system: KuramotoSystem,
    stages: Stages,
    needed: Sequence[bool],
    *,
    rotation: Tensor | None = None,
    others: Sequence[Tensor | None] | None = None,
) -> list[Tensor | None]:
    r"""Return one gradient for each of ``system.parameters``.

    That by K_ij is the sum of :math:`\lambda_i \sin(\theta_j - \theta_i)`: one product over all
    steps and stages of what was driven and of the sources, turned back by a right angle.

    Parameters
    ----------
    system : KuramotoSystem
        The equation of motion.
    stages : Stages
        What happened.
    needed : sequence of bool
        Which of the gradients are wanted.
    rotation : Tensor of shape (..., n), optional
        Gradient by the frequencies at which phases rotated before t = 0.

    others : sequence of Tensor or None, optional
        What this function has returned for other steps. It is added, and may be overwritten.

    Returns
    -------
    list of Tensor or None
        Gradients in the shapes of the parameters.
    """
    nodes: list[Any] = []
    if system.frequency is not None:
        by_frequency = stages.adjoints.sum((0, 1))
        if rotation is not None:
            by_frequency = by_frequency + rotation
        nodes.append(by_frequency.sum_to_size(system.frequency.shape))
    if system.field is not None:
        by_field = stages.driven[..., 1, :].sum((0, 1))
        nodes.append(by_field.sum_to_size(system.field.shape))
    if others is not None:
        nodes = [here + elsewhere for here, elsewhere in zip(nodes, others)]
    if not any(needed[len(nodes) :]):
        return [*nodes, *(None for _ in system.coupling.tensors)]
    cosine, sine = parts(stages.sources)
    ends = _rows(stages.driven), _rows(torch.stack((sine, -cosine), -2))
    if others is None:
        return [*nodes, *system.coupling.vjp(*ends)]
    return [*nodes, *system.coupling.add_vjp(tuple(others[len(nodes) :]), *ends)]


def _rows(stages: Tensor) -> Tensor:
    """(n_steps, n_stages, ..., 2, n) to (..., rows, n)."""
    return stages.movedim((0, 1), (-4, -3)).flatten(-4, -2)
