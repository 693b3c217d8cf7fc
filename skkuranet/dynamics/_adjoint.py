"""From the adjoints of a trajectory to the gradients by what the motion depends on."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from skkuranet.dynamics._system import KuramotoSystem


def parameter_gradients(
    system: KuramotoSystem,
    targets: Tensor,
    sources: Tensor,
    adjoints: Tensor,
    needed: Sequence[bool],
    rotation: Tensor | None = None,
) -> list[Tensor | None]:
    r"""Return one gradient for each of ``system.parameters``.

    That by the couplings pulls :math:`(\Lambda \circ C)^T S - (\Lambda \circ S)^T C` back to the
    operator: one product over all steps and stages.

    Parameters
    ----------
    system : KuramotoSystem
        The equation of motion.
    targets : Tensor of shape (n_steps, n_stages, ..., 2, n)
        Phasors of the oscillators that were moved.
    sources : Tensor of shape (n_steps, n_stages, ..., 2, n)
        Phasors that acted on them.
    adjoints : Tensor of shape (n_steps, n_stages, ..., n)
        Gradients by the rates.
    needed : sequence of bool
        Which of the gradients are wanted.
    rotation : Tensor of shape (..., n), optional
        Gradient by the frequencies at which phases rotated before t = 0.

    Returns
    -------
    list of Tensor or None
        Gradients in the shapes of the parameters.
    """
    grads: list[Tensor | None] = []
    if system.frequency is not None:
        by_frequency = adjoints.sum((0, 1))
        if rotation is not None:
            by_frequency = by_frequency + rotation
        grads.append(by_frequency.sum_to_size(system.frequency.shape))
    if system.field is not None:
        by_field = (adjoints * targets[..., 1, :]).sum((0, 1))
        grads.append(by_field.sum_to_size(system.field.shape))
    if not any(needed[len(grads) :]):
        return grads + [None] * len(system.coupling.tensors)
    left = targets * adjoints.unsqueeze(-2)
    left[..., 1, :].neg_()
    return [*grads, *system.coupling.vjp(_rows(left), _rows(sources.flip(-2)))]


def _rows(stages: Tensor) -> Tensor:
    """(n_steps, n_stages, ..., 2, n) to (..., rows, n)."""
    return stages.movedim((0, 1), (-4, -3)).flatten(-4, -2)
