"""The Kuramoto equation of motion."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skkuranet.coupling import CouplingOperator, product
from skkuranet.dynamics._arithmetic import parts

HISTORIES = ("rotation", "constant")


@dataclass(frozen=True)
class KuramotoSystem:
    r"""Coupled phase oscillators, eq. 1 of Ricci et al. (2021).

    .. math::
        \dot\theta_i = \omega_i + \sum_j K_{ij} \sin(\theta_j(t - \tau_j) - \theta_i)
                       + b_i \sin\theta_i

    Parameters
    ----------
    coupling : CouplingOperator of shape (..., n, n)
        The couplings K.
    frequency : Tensor of shape (..., n), optional
        Natural frequencies ω, in radians per unit of time; 0 by default.
    field : Tensor of shape (..., n), optional
        External field strengths b; 0 by default.
    lag : Tensor of shape (..., n), int64, optional
        Delays τ of the sources, in steps of the solver; 0 by default.
    history : {"rotation", "constant"}, default="rotation"
        Phases before t = 0: those of free rotation at the natural frequencies, or the
        initial ones.
    """

    coupling: CouplingOperator
    frequency: Tensor | None = None
    field: Tensor | None = None
    lag: Tensor | None = None
    history: str = "rotation"

    def __post_init__(self) -> None:
        *_, n, p = self.coupling.shape
        if n != p:
            raise ValueError(f"coupling must be square, got shape {(n, p)}.")
        if self.history not in HISTORIES:
            raise ValueError(f"history must be one of {HISTORIES}, got {self.history!r}.")
        for name in ("frequency", "field", "lag"):
            value = getattr(self, name)
            if value is None:
                continue
            if value.shape[-1:] != (n,):
                raise ValueError(
                    f"{name} must have one entry for each of {n} oscillators, got shape "
                    f"{tuple(value.shape)}."
                )
            batch = self.coupling.shape[:-1]
            if len(value.shape) > len(batch) or any(
                size not in (1, whole) for size, whole in zip(value.shape[::-1], batch[::-1])
            ):
                raise ValueError(
                    f"{name} of shape {tuple(value.shape)} does not fit the couplings, which "
                    f"make networks of shape {tuple(batch)}. Repeat the couplings along the batch."
                )

    @property
    def n_oscillators(self) -> int:
        """Number of oscillators of each network."""
        return self.coupling.shape[-1]

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """Every tensor the motion depends on smoothly."""
        nodes = (p for p in (self.frequency, self.field) if p is not None)
        return (*nodes, *self.coupling.tensors)

    def velocity(self, phases: Tensor) -> Tensor:
        """Return dθ/dt, differentiable in the phases and in all parameters.

        Parameters
        ----------
        phases : Tensor of shape (..., n)
            Phases in radians.

        Returns
        -------
        Tensor of shape (..., n)
        """
        phasors = phases.cos(), phases.sin()
        drive = product(self.coupling, torch.stack(phasors, -2))
        return self.rate(phasors, self.felt(drive))

    def felt(self, drive: Tensor) -> tuple[Tensor, Tensor]:
        """Return what oscillators feel of their sources and of their external fields.

        Parameters
        ----------
        drive : Tensor of shape (..., 2, n)
            Products of the couplings with the cosines and sines of the sources.

        Returns
        -------
        tuple of Tensor of shape (..., n)
            Real and imaginary part of the sum over sources of K_ij exp(i θ_j), less the field.
        """
        real, imaginary = parts(drive)
        return (real if self.field is None else real - self.field), imaginary

    def rate(
        self,
        phasors: tuple[Tensor, Tensor],
        felt: tuple[Tensor, Tensor],
    ) -> Tensor:
        """Return dθ/dt of targets at ``phasors``.

        Parameters
        ----------
        phasors : tuple of Tensor of shape (..., n)
            Cosine and sine of the phases of the targets.
        felt : tuple of Tensor of shape (..., n)
            What they feel; see :meth:`felt`.

        Returns
        -------
        Tensor of shape (..., n)
        """
        (cosine, sine), (real, imaginary) = phasors, felt
        rate = cosine * imaginary - sine * real
        return rate if self.frequency is None else rate + self.frequency

    def stiffness(
        self,
        phasors: tuple[Tensor, Tensor],
        felt: tuple[Tensor, Tensor],
    ) -> Tensor:
        """Return by how much each oscillator's rate falls with its own phase.

        Parameters
        ----------
        phasors : tuple of Tensor of shape (..., n)
            Cosine and sine of the phases of the targets.
        felt : tuple of Tensor of shape (..., n)
            What they feel; see :meth:`felt`.

        Returns
        -------
        Tensor of shape (..., n)
            Minus the partial derivatives.
        """
        (cosine, sine), (real, imaginary) = phasors, felt
        return cosine * real + sine * imaginary
