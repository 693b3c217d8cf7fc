"""Every solver that is built in, and some of the user's own."""

import math

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


@pytest.mark.parametrize("solver", ["dopri5", "dopri8"])
@pytest.mark.parametrize("shift", [0.0, 10.0])
def test_adaptive_steps_do_not_loosen_as_phases_grow(solver, shift):
    """The difference of two phases follows Adler's equation, whatever both turn with."""
    coupling = DenseCoupling(torch.tensor([[0.0, 0.5], [0.5, 0.0]], dtype=torch.float64))
    frequency = torch.tensor([1.5, -1.5], dtype=torch.float64) + shift
    start = torch.zeros(2, dtype=torch.float64)
    path = integrate(coupling, start, frequency=frequency, solver=solver, step_size=50.0, n_steps=2)
    beat, turn = math.sqrt(3.0**2 - 1.0), 50.0 * math.sqrt(3.0**2 - 1.0)
    # tan(x / 2) = (1 + beat tan(beat t / 2 - phase)) / 3, with x = 0 at the start.
    phase = math.atan(1.0 / beat)
    inside = turn - phase
    exact = 2.0 * math.atan((1.0 + beat * math.tan(inside)) / 3.0)
    exact += 2.0 * math.pi * round((2.0 * inside - exact) / (2.0 * math.pi))
    found = float(path.phases[-1, 0] - path.phases[-1, 1])
    assert found == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize("n_steps", [10, 100])
def test_coarse_steps_are_named(n_steps):
    coupling = DenseCoupling(torch.full((5, 5), 1e6))
    with pytest.warns(UserWarning, match=r"step_size=0.1 is too coarse.*Set step_size to 0.001"):
        integrate(coupling, torch.arange(5.0), n_steps=n_steps)
    with pytest.raises(ValueError, match=r"n_steps must be a whole number, got 10.5"):
        integrate(coupling, torch.arange(5.0), n_steps=10.5)


@pytest.mark.parametrize(("speed", "n_steps"), [(1e5, 2000), (1.0, 100_000)])
def test_phases_that_single_precision_loses_are_named(speed, n_steps):
    alone = DenseCoupling(torch.zeros(1, 1))
    with pytest.warns(UserWarning, match="Phases reach .* float32 rounds .* Use double precision"):
        integrate(alone, torch.zeros(1), frequency=torch.tensor([speed]), n_steps=n_steps)
    double = DenseCoupling(torch.zeros(1, 1, dtype=torch.float64))
    frequency = torch.tensor([speed], dtype=torch.float64)
    path = integrate(double, torch.zeros_like(frequency), frequency=frequency, n_steps=2000)
    assert float(path.phases[-1]) == pytest.approx(speed * 200.0, rel=1e-12)
