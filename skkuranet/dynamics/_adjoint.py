"""From the adjoints of a trajectory to the gradients by what the motion depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skkuranet.dynamics._arithmetic import parts
from skkuranet.dynamics._system import KuramotoSystem


@dataclass(frozen=True)
class Stages:
    """Stages of some steps of a trajectory, m in all, and the gradients by what they do.

    Parameters
    ----------
    sources : Tensor of shape (..., m, 2, n)
        Phasors that acted.
    adjoints : Tensor of shape (..., m, n)
        Gradients by the rates, λ.
    driven : Tensor of shape (..., m, 2, n)
        λ times the phasors of the oscillators that were moved.
    moments : tuple of Tensor of shape (..., m, 2, n_moments), optional
        Where the couplings have moments, those of the sources turned by a right angle, to a phase's
        sine and minus its cosine, and those of what was driven turned back.
    """

    sources: Tensor
    adjoints: Tensor
    driven: Tensor
    moments: tuple[Tensor, Tensor] | None = None


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
        by_frequency = stages.adjoints.sum(-2)
        if rotation is not None:
            by_frequency = by_frequency + rotation
        nodes.append(by_frequency.sum_to_size(system.frequency.shape))
    if system.field is not None:
        by_field = stages.driven[..., 1, :].sum(-2)
        nodes.append(by_field.sum_to_size(system.field.shape))
    if others is not None:
        nodes = [here + elsewhere for here, elsewhere in zip(nodes, others)]
    if not any(needed[len(nodes) :]):
        return [*nodes, *(None for _ in system.coupling.tensors)]
    sources, driven = _rows(stages.sources), _rows(stages.driven)
    earlier = None if others is None else others[len(nodes) :]
    if stages.moments is None:
        cosine, sine = parts(stages.sources)
        turned = torch.stack((sine, -cosine), -2)
        grads = system.coupling.vjp(driven, _rows(turned))
        if earlier is not None:
            pairs = zip(earlier, grads, strict=True)
            grads = tuple(b if a is None or b is None else a.add_(b) for a, b in pairs)
        return [*nodes, *grads]
    # Of a pair either may be turned, one back: moments are smaller than what they are of.
    of_sources, of_driven = map(_rows, stages.moments)
    return [*nodes, *system.coupling.add_vjp(earlier, (driven, of_sources), (sources, of_driven))]


def _rows(stages: Tensor) -> Tensor:
    """(..., m, 2, n) to (..., rows, n)."""
    return stages.flatten(-3, -2)
