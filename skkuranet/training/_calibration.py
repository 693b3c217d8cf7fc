"""Calibration of probabilities on rows not learned from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Newton's method for two numbers.
_STEPS, _SMALLEST_SCALE = 30, 1e-3
# While training goes on: the share of the loss that is not worth another step, and the logits that
# two numbers follow from.
_ROUGH, _NUMBERS = 1e-4, 1 << 17


def most_likely(
    logits: Tensor,
    prior: Tensor,
    labels: Tensor,
    weights: Tensor,
    tolerance: float = 1e-9,
) -> tuple[float, float]:
    r"""Fit scale a and share s of probabilities :math:`\propto \pi^s e^{a z}` by likelihood.

    The logits z are (n, n_classes), ``prior`` the logarithms of the shares π, ``weights`` what each
    row counts for. One more row, of any class, keeps a finite where all rows are named right
    (Laplace's rule of succession). Newton's method ends when a step gains less than ``tolerance``
    of the loss.
    """
    # Scaled to a spread of 1.
    spread = float((logits - logits.mean(-1, keepdim=True)).square().mean().sqrt()) or 1.0
    inputs = torch.stack((logits / spread, prior.expand_as(logits)), -1)
    own = inputs[torch.arange(len(labels), device=labels.device), labels]
    weights = weights.double()
    # One more row, of any class: its inputs are the mean of all.
    wanted = (weights.unsqueeze(-1) * own).sum(0) + inputs.mean((0, 1))
    n_rows = weights + 1.0 / len(labels)

    def loss_at(point: Tensor) -> Tensor:
        return (n_rows * (inputs @ point).logsumexp(-1)).sum() - wanted @ point

    # At the shares alone the loss is curved, whatever the logits are.
    point = torch.tensor([0.0, 1.0], dtype=torch.float64, device=logits.device)
    lowest = loss_at(point)
    for _ in range(_STEPS):
        probability = (inputs @ point).softmax(-1)
        mean = (probability.unsqueeze(-1) * inputs).sum(1)
        gradient = n_rows @ mean - wanted
        weighted = (n_rows.unsqueeze(-1) * probability).unsqueeze(-1)
        second = torch.einsum("nki,nkj->ij", weighted * inputs, inputs)
        second = second - (n_rows.unsqueeze(-1) * mean).mT @ mean
        second = second + 1e-9 * second.trace() * torch.eye(2).to(second)
        move = torch.linalg.solve(second, gradient)
        size = 1.0
        while size > 1e-4 and not loss_at(point - size * move) < lowest:
            size *= 0.5
        if size <= 1e-4:
            break
        point = point - size * move
        gained, lowest = lowest, loss_at(point)
        if float(gained - lowest) < tolerance * abs(float(lowest)):
            break
    scale, share = point.tolist()
    # Logits that point the wrong way count for nothing.
    scale, share = (scale, share) if scale > _SMALLEST_SCALE else (_SMALLEST_SCALE, 1.0)
    return scale / spread, share


def refined_losses(logits: Tensor, prior: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the cross-entropies (n,) of probabilities whose scale and share of the prior fit best.

    It says how well logits tell classes apart, however sure of themselves they are.
    """
    every = slice(None, None, max(1, logits.numel() // _NUMBERS))
    some = logits[every].double()
    scale, share = most_likely(some, prior, labels[every], weights[every], _ROUGH)
    prior = prior.to(logits)
    return nn.functional.cross_entropy(scale * logits + share * prior, labels, reduction="none")
