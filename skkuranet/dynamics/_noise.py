"""Noise that adds up along a trajectory."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from skkuranet.dynamics._dynamics import Dynamics


def increments_of(
    noise: Tensor,
    dynamics: Dynamics,
    state: Tensor,
    *,
    step_size: float,
    n_steps: int,
    generator: torch.Generator | None,
) -> Tensor:
    r"""Return what noise adds to the state in each step, :math:`\sigma \sqrt{h}\, \xi`.

    ``noise`` holds the standard deviations σ, in units of the state per square root of time: (),
    (..., n) or (..., state_shape, n), or the increments themselves, (n_steps, ..., state_shape, n),
    which need no generator. Draws are those of double precision, for one network after another and
    one step after another: they depend neither on the other networks of a batch, nor on how many
    steps there are, nor on the type of the state.
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
    batch, unit = state.shape[:axis], state.shape[axis:]
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
        strength = strength * strength.new_tensor(dynamics.noisy).unsqueeze(-1)
    seed = int(torch.randint(1 << 62, (1,), generator=generator, device=generator.device))
    drawn = [
        torch.from_numpy(np.random.default_rng((seed, network)).standard_normal((n_steps, *unit)))
        for network in range(batch.numel())
    ]
    ups = torch.stack(drawn, 1).view(n_steps, *batch, *unit).to(state)
    return math.sqrt(step_size) * strength * ups
