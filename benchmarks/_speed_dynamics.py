"""Gradients through every dynamics beside those through Kuramoto oscillators."""

import torch
from _common import medians, peak

from skkuranet.coupling import DenseCoupling, FactorizedCoupling
from skkuranet.dynamics import (
    SIS,
    Daido,
    Hopfield,
    Kuramoto,
    Sakaguchi,
    SecondOrder,
    Sphere,
    StuartLandau,
    ThetaNeurons,
    integrate,
)

N_STEPS, RANK = 100, 16
# Couplings, leading axes and units.
SHAPES = {
    "dense, n=1,000": ("dense", (), 1000),
    "factorised, n=10,000, r=16": ("factorised", (), 10_000),
    "dense, 4 x 100": ("dense", (4,), 100),
    "factorised, 4 x 100, r=16": ("factorised", (4,), 100),
}
# With parameters of every unit: what ``normal`` and ``positive`` draw.
DYNAMICS = {
    "Kuramoto": lambda normal, positive: Kuramoto(normal()),
    "Kuramoto, noise": lambda normal, positive: Kuramoto(normal()),
    "Sakaguchi": lambda normal, positive: Sakaguchi(normal(), phase_lag=normal()),
    "SecondOrder": lambda normal, positive: SecondOrder(normal(), positive(), positive()),
    "Daido": lambda normal, positive: Daido(normal(), second=normal()),
    "StuartLandau": lambda normal, positive: StuartLandau(normal(), normal()),
    "Sphere": lambda normal, positive: Sphere(3),
    "ThetaNeurons": lambda normal, positive: ThetaNeurons(normal()),
    "Hopfield": lambda normal, positive: Hopfield(normal(), positive()),
    "SIS": lambda normal, positive: SIS(positive()),
}


def other_dynamics(repeats):
    """Rows of seconds and memory of all dynamics, and of their ratios to those of Kuramoto's."""
    for what, shape in SHAPES.items():
        flows = {name: flow(name, *shape) for name in DYNAMICS}
        memory = {name: peak(action) for name, action in flows.items()}
        seconds = medians(flows, repeats)
        yield {
            "what": f"dynamics, {what}",
            "seconds": seconds,
            "gigabytes": memory,
            "time_ratio": {name: seconds[name] / seconds["Kuramoto"] for name in flows},
            "memory_ratio": {name: memory[name] / memory["Kuramoto"] for name in flows},
        }


def flow(name, couplings, batch, n):
    """100 Euler steps and their gradients with respect to all that they depend on."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape, scale=1.0):
        drawn = scale * torch.randn(*batch, *shape, generator=generator)
        return drawn.requires_grad_()

    def positive(*shape):
        return (1.0 + torch.rand(*batch, *shape, generator=generator)).requires_grad_()

    dynamics = DYNAMICS[name](lambda: normal(n), lambda: positive(n))
    start = normal(*dynamics.state_shape, n)
    if couplings == "dense":
        make, tensors = DenseCoupling, [normal(n, n, scale=1 / n)]
    else:
        make, tensors = FactorizedCoupling, [normal(n, RANK, scale=1 / n), normal(n, RANK)]
    leaves, noise = [start, *dynamics.parameters.values(), *tensors], {}
    if "noise" in name:
        noise["noise"] = positive(n)
        leaves.append(noise["noise"])

    def run():
        seed = {"generator": torch.Generator().manual_seed(0)} if noise else {}
        options = {"n_steps": N_STEPS, "save_from": N_STEPS, **noise, **seed}
        path = integrate(make(*tensors), start, dynamics, **options)
        if path.phases is None:
            loss = path.states[-1].square().mean()
        else:
            phases = path.phases[-1]
            loss = (1.0 - torch.hypot(phases.cos().mean(-1), phases.sin().mean(-1))).sum()
        torch.autograd.grad(loss, leaves)

    return run
