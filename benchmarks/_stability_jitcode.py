"""All Lyapunov exponents by JiTCODE, in an interpreter that has it: n, strength, time, step."""

import json
import resource
import sys
import time

import numpy as np
from jitcode import jitcode_lyap, y
from symengine import sin


def seconds():
    """Of this process and of the compiler."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def megabytes():
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(one).ru_maxrss for one in who) / 1e3


n, strength, total, step = int(sys.argv[1]), *map(float, sys.argv[2:5])
omega = np.random.default_rng(0).normal(size=n)
K = strength / np.sqrt(n) * np.random.default_rng(1).normal(size=(n, n))
before, begin = megabytes(), seconds()
rates = [omega[i] + sum(K[i, j] * sin(y(j) - y(i)) for j in range(n) if j != i) for i in range(n)]
ode = jitcode_lyap(rates, n_lyap=n, verbose=False)
ode.set_integrator("dopri5")
ode.set_initial_value(np.random.default_rng(2).uniform(0, 6, n), 0.0)
ode.compile_C()
compiled = seconds()
times = np.arange(2 * step, total + step, step)
local = np.array([ode.integrate(t)[1] for t in times])
print(
    json.dumps(
        {
            "seconds": seconds() - begin,
            "seconds_compiling": compiled - begin,
            "megabytes": megabytes() - before,
            "largest": float(local[len(local) // 2 :, 0].mean()),
            "sum": float(local.mean(0).sum()),
        }
    )
)
