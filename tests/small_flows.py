"""Flows of five oscillators, as functions of all that they depend on."""

import torch

from skkuranet.coupling import DenseCoupling, FactorizedCoupling
from skkuranet.dynamics import integrate

N, RANK = 5, 3
NODES = ("phases", "frequency", "field")
DENSE = [(N, N)]
FACTORS = [(N, RANK), (N, RANK), (N,)]


def leaves(batch, shapes):
    generator = torch.Generator().manual_seed(0)
    every = [(N,)] * len(NODES) + shapes
    return [
        torch.randn((*batch, *shape), generator=generator, dtype=torch.float64).requires_grad_()
        for shape in every
    ]


def flow(phases, frequency, field, *tensors, **options):
    coupling = (DenseCoupling if len(tensors) == 1 else FactorizedCoupling)(*tensors)
    motion = {"frequency": frequency, "field": field, "step_size": 0.1}
    return integrate(coupling, phases, **motion, **options).phases
