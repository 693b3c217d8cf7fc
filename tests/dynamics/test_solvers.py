"""Every solver that is built in, and some of the user's own."""

import pytest
import torch
from contracts.draws import normal
from contracts.solvers import SolverContract

from skkuranet.coupling import DenseCoupling
from skkuranet.dynamics import EULER, HEUN, RK4, SOLVERS, Adaptive, RungeKutta, Solver, integrate


class TestEuler(SolverContract):
    order, takes_delays, takes_noise = 1, True, True

    def make(self):
        return EULER


class TestHeun(SolverContract):
    order, takes_delays = 2, True

    def make(self):
        return HEUN


class TestRK4(SolverContract):
    order = 4

    def make(self):
        return RK4


class TestMidpoint(SolverContract):
    """A tableau of the user's: states between steps are not kept, so that delays cannot be."""

    order = 2

    def make(self):
        return RungeKutta(stages=((0.5,),), weights=(0.0, 1.0), name="midpoint")


class TestThreeEighths(SolverContract):
    """Every stage takes part in all that follow."""

    order = 4

    def make(self):
        return RungeKutta(
            stages=((1 / 3,), (-1 / 3, 1.0), (1.0, -1.0, 1.0)),
            weights=(1 / 8, 3 / 8, 3 / 8, 1 / 8),
            name="three eighths",
        )


class TestDopri5(SolverContract):
    def make(self):
        return SOLVERS["dopri5"]


class TestDopri8(SolverContract):
    def make(self):
        return Adaptive("dopri8", rtol=1e-9, atol=1e-9)


class Backward(Solver):
    """Euler's implicit method, differentiated by autograd through its iterations."""

    name = "backward"

    def solve(self, problem, state, *, step_size, n_steps, save_from):
        self.check(problem, state)
        states = [state]
        for _ in range(n_steps):
            end = states[-1]
            for _ in range(30):
                end = states[-1] + step_size * problem.velocity(end)
            states.append(end)
        return torch.stack(states[save_from:])


class TestOwnSolver(SolverContract):
    order = 1

    def make(self):
        return Backward()


def test_names_are_those_of_a_table():
    with pytest.raises(ValueError, match=r"solver must be one of \['dopri5', .*, got 'leapfrog'"):
        integrate(DenseCoupling(normal(3, 3)), normal(3), solver="leapfrog")
    for name, solver in SOLVERS.items():
        assert solver.name == name
