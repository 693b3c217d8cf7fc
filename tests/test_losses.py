"""Losses against their closed forms and the values of Table II's controls."""

import math

import pytest
import torch

from skkuranet.losses import (
    circular_variance,
    cluster_synchrony_loss,
    splay_loss,
    splay_maximum,
)


def splay_state(k):
    return 2 * math.pi * torch.arange(k, dtype=torch.float64) / k


@pytest.mark.parametrize("k", range(2, 11))
def test_splay_loss_vanishes_at_splay_and_is_largest_in_phase(k):
    assert float(splay_loss(splay_state(k))) == pytest.approx(0, abs=1e-12)
    in_phase = splay_loss(torch.zeros(k, dtype=torch.float64))
    assert float(in_phase) == pytest.approx(splay_maximum(k) - 1)


@pytest.mark.parametrize(("k", "value"), [(2, 0.5), (3, 0.0667), (6, 0.1475)])
def test_cluster_loss_of_the_known_traps(k, value):
    """Two classes in phase (the paper's control), more of them at two opposite phases."""
    membership = torch.eye(k, dtype=torch.float64).repeat_interleave(5, 0)
    trap = torch.zeros(k) if k == 2 else math.pi * (torch.arange(k) % 2)
    phases = trap.double().repeat_interleave(5)
    assert float(cluster_synchrony_loss(phases, membership)) == pytest.approx(value, abs=5e-5)


def test_cluster_loss_is_one_at_its_worst_and_leaves_unlabelled_nodes_out():
    membership = torch.eye(2, dtype=torch.float64).repeat_interleave(2, 0)
    assert float(cluster_synchrony_loss(splay_state(2).repeat_interleave(2), membership)) < 1e-12
    unlabelled = torch.cat((membership, torch.zeros(3, 2, dtype=torch.float64)))
    phases = torch.cat((splay_state(2).repeat_interleave(2), torch.rand(3).double()))
    assert float(cluster_synchrony_loss(phases, unlabelled)) < 1e-12


def test_absent_classes_do_not_count():
    membership = torch.eye(3, dtype=torch.float64)[[0, 0, 2, 2]]
    phases = torch.tensor([0, 0, math.pi, math.pi], dtype=torch.float64)
    assert float(cluster_synchrony_loss(phases, membership)) < 1e-12


def test_circular_variance():
    assert float(circular_variance(torch.zeros(5))) == pytest.approx(0, abs=1e-6)
    assert float(circular_variance(splay_state(4))) == pytest.approx(1, abs=1e-6)


def test_losses_are_differentiable(device):
    phases = torch.rand(2, 6, dtype=torch.float64, device=device, requires_grad=True)
    membership = torch.eye(3, dtype=torch.float64, device=device).repeat(2, 1)
    assert torch.autograd.gradcheck(lambda p: cluster_synchrony_loss(p, membership), phases)
    assert torch.autograd.gradcheck(circular_variance, phases)
