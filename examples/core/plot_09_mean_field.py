r"""
Kuramoto's transition beside theory
===================================

Couplings that are all alike, :math:`K_{ij} = \varepsilon / n`: Kuramoto's own model. Above
:math:`\varepsilon_c = 2 / (\pi g(0))` it begins to synchronise, and theory has the order parameter
in closed form. This checks the dynamics, for four distributions of natural frequencies.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats
from scipy.integrate import trapezoid
from scipy.optimize import brentq

from skkuranet.coupling import FactorizedCoupling
from skkuranet.dynamics import integrate

# %%
# A bimodal distribution is a mixture; the other three come from SciPy. Frequencies at the quantiles
# of each distribution keep the fluctuations of a finite network small.
n = 2000
levels = (np.arange(n) + 0.5) / n
halves = [stats.norm(loc=m, scale=0.3) for m in (-0.5, 0.5)]
half = (np.arange(n // 2) + 0.5) / (n // 2)
bimodal = np.concatenate([h.ppf(half) for h in halves])
families = {
    "uniform": (stats.uniform(-1, 2).pdf, stats.uniform(-1, 2).ppf(levels)),
    "Gaussian": (stats.norm(scale=0.5).pdf, stats.norm(scale=0.5).ppf(levels)),
    "Lorentzian": (stats.cauchy(scale=0.3).pdf, stats.cauchy(scale=0.3).ppf(levels)),
    "bimodal": (lambda w: np.mean([h.pdf(w) for h in halves], axis=0), bimodal),
}

# %%
# Locked oscillators carry the order parameter, so that, over half a turn,
# :math:`1 = \varepsilon \int \cos^2\theta\, g(\varepsilon R \sin\theta)\, d\theta`.
angles = np.linspace(-np.pi / 2, np.pi / 2, 2001)


def theory(density, strength):
    """The largest order parameter that is consistent with itself."""

    def excess(order):
        weight = np.cos(angles) ** 2 * density(strength * order * np.sin(angles))
        return strength * trapezoid(weight, angles) - 1.0

    orders = np.linspace(1e-6, 1.0, 101)
    above = np.flatnonzero([excess(order) > 0 for order in orders])
    return brentq(excess, *orders[above[-1] : above[-1] + 2]) if len(above) else 0.0


# %%
# All strengths are integrated at once, as a batch of networks of rank 1.
generator = torch.Generator().manual_seed(0)
figure, axes = plt.subplots(1, 4, figsize=(14, 3.4), layout="constrained", sharey=True)
for ax, (name, (density, frequency)) in zip(axes, families.items(), strict=True):
    critical = 2.0 / (np.pi * float(density(0.0)))
    ratios = np.array([0.5, 0.8, 0.95, 1.05, 1.1, 1.2, 1.4, 1.7, 2.0])
    strengths = torch.as_tensor(critical * ratios)
    coupling = FactorizedCoupling(
        (strengths / n)[:, None, None].expand(-1, n, 1), torch.ones(len(ratios), n, 1).double()
    )
    # Far tails turn too fast for any step, and do not lock at any strength that is shown.
    omega = torch.as_tensor(np.clip(frequency, -20, 20))
    start = 2 * np.pi * torch.rand(n, generator=generator, dtype=torch.float64)
    path = integrate(
        coupling,
        0.3 * start.expand(len(ratios), n),
        frequency=omega,
        step_size=0.05,
        n_steps=4000,
        save_from=2000,
    )
    measured = path.order_parameter().mean(0)
    grid = np.linspace(0.5, 2.0, 151)
    ax.plot(grid, [theory(density, critical * r) for r in grid], label="self-consistency")
    ax.plot(ratios, measured, "o", label=f"{n} oscillators")
    ax.set(title=name, xlabel="ε / ε_c", ylim=(0, 1))
axes[0].set(ylabel="order parameter R")
axes[0].legend()
plt.show()

# %%
# With two humps the locked branch begins below :math:`\varepsilon_c`, where incoherence is stable
# as well: the transition is abrupt, and what happens depends on the start, here near synchrony.
