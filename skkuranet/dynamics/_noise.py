"""Noise that adds up along a trajectory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from skkuranet.dynamics._dynamics import Dynamics

# Bytes of the draws that are there at once.
_BLOCK_BYTES = 1 << 23


@dataclass(frozen=True)
class Draws:
    r"""What noise adds to the state in each step, drawn a few steps at a time.

    Draws are those of double precision, for one network after another and one step after another:
    they depend neither on the other networks of a batch, nor on how many steps there are or are
    drawn at once, nor on the type of the state. Every iteration begins anew.

    Parameters
    ----------
    strength : Tensor of shape (..., state_shape, n)
        Standard deviation in one step, :math:`\sigma \sqrt{h}`.
    n_batch_axes : int
        How many of its axes count networks.
    seed : int
        Of all draws.
    n_steps : int
        Number of steps.
    """

    strength: Tensor
    n_batch_axes: int
    seed: int
    n_steps: int

    def __iter__(self) -> Iterator[Tensor]:
        """Go through the steps: tensors of shape (..., state_shape, n)."""
        n_bytes = np.dtype(np.float64).itemsize * self.strength.numel()
        for block in self.blocks(max(1, _BLOCK_BYTES // max(1, n_bytes))):
            yield from block

    def blocks(self, length: int) -> Iterator[Tensor]:
        """Go through the steps, so many at a time.

        Parameters
        ----------
        length : int
            Steps of a block; the last may be shorter.

        Yields
        ------
        Tensor of shape (length, ..., state_shape, n)
        """
        shape = self.strength.shape
        batch, unit = shape[: self.n_batch_axes], shape[self.n_batch_axes :]
        sources = [np.random.default_rng((self.seed, k)) for k in range(batch.numel())]
        for first in range(0, self.n_steps, length):
            size = (min(length, self.n_steps - first), *unit)
            drawn = [torch.from_numpy(source.standard_normal(size)) for source in sources]
            ups = torch.stack(drawn, 1).view(len(drawn[0]), *shape).to(self.strength)
            yield self.strength * ups


def increments_of(
    noise: Tensor,
    dynamics: Dynamics,
    state: Tensor,
    *,
    step_size: float,
    n_steps: int,
    generator: torch.Generator | None,
) -> Tensor | Draws:
    r"""Return what noise adds to the state in each step, :math:`\sigma \sqrt{h}\, \xi`.

    ``noise`` holds the standard deviations σ, in units of the state per square root of time: (),
    (..., n) or (..., state_shape, n), or the increments themselves, (n_steps, ..., state_shape, n),
    which need no generator. Draws are those of double precision, for one network after another and
    one step after another: they depend neither on the other networks of a batch, nor on how many
    steps there are, nor on the type of the state. Where no derivatives with respect to standard
    deviations are wanted, what draws them is returned.
    """
    noise = noise.to(state)
    if noise.ndim == state.ndim + 1:
        if noise.shape != (n_steps, *state.shape):
            raise ValueError(
                f"noise of shape {tuple(noise.shape)} must hold the increments of all steps, "
                f"{(n_steps, *state.shape)}, or a standard deviation for each node."
            )
        return noise
    axis = state.ndim - 1 - len(dynamics.state_shape)
    each = noise
    if each.ndim and each.ndim <= axis + 1:
        # One number for each node: all components of its state have the same.
        for _ in dynamics.state_shape:
            each = each.unsqueeze(-2)
    try:
        strength = each.expand(state.shape)
    except RuntimeError as error:
        raise ValueError(
            f"noise of shape {tuple(noise.shape)} does not fit states of shape "
            f"{tuple(state.shape)}; give a standard deviation for each node."
        ) from error
    if bool((noise < 0).any()) or not bool(torch.isfinite(noise).all()):
        raise ValueError("noise must be standard deviations, finite and not negative.")
    if generator is None:
        raise ValueError("noise is random: pass generator=torch.Generator().manual_seed(...).")
    if dynamics.noisy is not None:
        share = torch.tensor(dynamics.noisy, dtype=strength.dtype, device=strength.device)
        strength = strength * share.unsqueeze(-1)
    seed = int(torch.randint(1 << 62, (1,), generator=generator, device=generator.device))
    draws = Draws(math.sqrt(step_size) * strength, axis, seed, n_steps)
    wanted = torch.is_grad_enabled() and noise.requires_grad
    if wanted or forward_ad.unpack_dual(noise).tangent is not None:
        (increments,) = draws.blocks(n_steps)
        return increments
    return draws
