"""How low the circular variance can get: limits for Table I.

Case I: for given phases, the least budget of couplings K >= 0 that holds them is a linear
program; of the phases c (w + p w^3 + q w^5), those that a mean degree of 1 can hold and that
vary least are searched for. All cases: a free matrix K is optimised for one realisation of 100
oscillators, from the couplings that KuraNet has learned, and verified over 5,000 steps.

    python benchmarks/synchrony_limits.py
"""

import math

import numpy as np
import scipy.sparse as sp
import torch
from _common import NETWORK, write
from global_synchrony import ROLES, by, final_variance, nodes_of
from scipy.optimize import brentq, linprog, minimize

from skkuranet import KuraNetSynchronizer
from skkuranet.coupling import DenseCoupling, MeanDegree
from skkuranet.datasets import make_disorder
from skkuranet.dynamics import integrate
from skkuranet.losses import circular_variance

N_QUANTILES, N_SHAPES = 160, 60
N_ITERATIONS, RATE, N_STARTS, VERIFY_EVERY = 600, 0.03, 4, 50


def budget(frequency, phases):
    """Least mean degree of symmetric couplings K >= 0 that hold these phases."""
    n = len(frequency)
    i, j = np.triu_indices(n, 1)
    pull = np.sin(phases[j] - phases[i])
    pairs = np.arange(len(i))
    entries = np.concatenate((pull, -pull)), (np.concatenate((i, j)), np.concatenate((pairs,) * 2))
    balance = sp.coo_array(entries, shape=(n, len(i))).tocsr()
    found = linprog(np.full(len(i), 2.0 / n), A_eq=balance, b_eq=-frequency, method="highs")
    return found.fun if found.success else math.inf


def lowest_of_case_one():
    """Least V found of n oscillators at the quantiles of U(-1, 1)."""
    frequency = (2.0 * np.arange(N_QUANTILES) + 1.0) / N_QUANTILES - 1.0

    def held(powers):
        """The smallest multiple of a shape that a mean degree of 1 holds."""
        shape = frequency + powers[0] * frequency**3 + powers[1] * frequency**5
        return shape, brentq(lambda c: budget(frequency, c * shape) - 1.0, 0.1, 1.0, xtol=1e-4)

    def variance(powers):
        shape, scale = held(powers)
        return 1.0 - np.cos(scale * shape).mean()

    found = minimize(variance, (0.0, 0.0), method="Nelder-Mead", options={"maxfev": N_SHAPES})
    print(f"case I, phases w + {found.x[0]:.3f} w^3 + {found.x[1]:.3f} w^5: V = {found.fun:.5f}")
    return {"powers": found.x.tolist(), "scale": held(found.x)[1], "variance": found.fun}


def optimised(case, seed=0):
    """V of a learned and of an optimised K for one realisation."""
    train = make_disorder(case, 10_000, random_state=seed)
    model = KuraNetSynchronizer(random_state=seed, **ROLES[case]).fit(train)
    x = torch.as_tensor(make_disorder(case, NETWORK, random_state=seed + 100)).unsqueeze(0)
    generator = torch.Generator().manual_seed(seed)
    learned = by(model.coupling_, model.normalization_)(x)
    logits = learned.dense().clamp_min(1e-6).log().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=RATE)
    many = x.expand(N_STARTS, -1, -1)
    step, horizon = (0.1, 300) if case == "III" else (0.5, 120)

    def coupled(n):
        matrix = 0.5 * (logits + logits.mT)
        return MeanDegree()(DenseCoupling(matrix.expand(n, -1, -1)))

    found = []
    for iteration in range(N_ITERATIONS):
        cosine = 0.5 * (1.0 + math.cos(math.pi * iteration / N_ITERATIONS))
        optimizer.param_groups[0]["lr"] = RATE * cosine
        common = 2.0 * math.pi * torch.rand((N_STARTS, 1), generator=generator)
        start = common + 0.3 * torch.randn((N_STARTS, NETWORK), generator=generator)
        phases = integrate(
            coupled(N_STARTS),
            start,
            **nodes_of(case, many),
            step_size=step,
            n_steps=horizon,
            save_from=horizon // 2,
        ).phases
        optimizer.zero_grad()
        circular_variance(phases).mean().backward()
        torch.nn.utils.clip_grad_norm_([logits], 0.01)
        optimizer.step()
        if (iteration + 1) % VERIFY_EVERY == 0:
            with torch.no_grad():
                found.append(float(final_variance(case, coupled(1), x, generator)))
    return {
        "case": case,
        "learned": float(final_variance(case, learned, x, generator)),
        # The lowest of those that were verified from random phases.
        "free": min(found),
    }


def main():
    rows = {"case_one": lowest_of_case_one(), "free": []}
    for case in ("I", "II", "III"):
        rows["free"].append(optimised(case))
        found = rows["free"][-1]
        print(
            f"case {case}, one network of {NETWORK}: V = {found['learned']:.4f} learned, "
            f"{found['free']:.4f} with a free K",
            flush=True,
        )
    write("synchrony_limits", rows)


if __name__ == "__main__":
    main()
