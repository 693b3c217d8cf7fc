"""What every dynamics has to hold."""

import itertools
import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from contracts.couplings import KINDS
from contracts.draws import normal
from skkuranet.coupling import DenseCoupling, FactorizedCoupling, product
from skkuranet.dynamics import SOLVERS, Dynamics, integrate

STEP = 0.1
#: Every solver of fixed steps with all that it can do, under every kind of couplings.
CASES = [
    (solver, kind, delayed, noisy)
    for solver, kind, delayed, noisy in itertools.product(
        ("euler", "heun", "rk4"), KINDS, (False, True), (False, True)
    )
    if (SOLVERS[solver].supports_delays or not delayed)
    and (SOLVERS[solver].supports_noise or not noisy)
]
#: In turn: one network, networks that share their parameters, networks with their own.
BATCHES = [((), ()), ((2,), ()), ((2,), (2,))]


class DynamicsContract:
    """Tests of a dynamics. A subclass says how to make one, and its equation in NumPy.

    Attributes
    ----------
    responds : bool
        Whether it knows where a constant drive leaves a unit.
    drifts : bool
        Whether there are drives under which a unit does not rest.
    turns : bool
        Whether it knows what a frame that turns sees.
    """

    responds = False
    drifts = False
    turns = False

    def make(self, n, batch=()):
        """Return a dynamics with a parameter of every kind, (*batch, n)."""
        raise NotImplementedError

    def equation(self, x, K, **parameters):
        """Return the rates of states x of shape (*state_shape, n), by NumPy alone."""
        raise NotImplementedError

    def state(self, n, batch=(), seed=9):
        """Return a state where it may be."""
        return normal(*batch, *self.make(n).state_shape, n, seed=seed)

    def couplings(self, n, batch=()):
        """Return a matrix of couplings of size 1 in sum."""
        return normal(*batch, n, n, seed=8) / math.sqrt(n)

    # Derivatives

    @pytest.mark.parametrize(("solver", "kind", "delayed", "noisy"), CASES)
    def test_gradients(self, solver, kind, delayed, noisy):
        turn = CASES.index((solver, kind, delayed, noisy))
        n, (batch, own) = 3, BATCHES[turn % len(BATCHES)]
        dynamics = self.make(n, own)
        tensors = KINDS[kind].draw(n, batch)
        strengths = [0.1 + normal(n).abs()] if noisy else []

        def flow(state, *given):
            n_values = len(dynamics.parameters)
            values, given = given[:n_values], given[n_values:]
            coupling = KINDS[kind].make(n, batch, *given[: len(tensors)])
            return integrate(
                coupling,
                state,
                dynamics.with_values(values),
                delay=STEP * torch.tensor([0, 2, 1]) if delayed else None,
                noise=given[-1] if noisy else None,
                generator=torch.Generator().manual_seed(0),
                step_size=STEP,
                n_steps=4,
                save_from=turn % 4,
                solver=solver,
            ).states

        inputs = (self.state(n, batch), *dynamics.parameters.values(), *tensors, *strengths)
        inputs = [t.clone().requires_grad_() for t in inputs]
        assert torch.autograd.gradcheck(flow, inputs, fast_mode=True)

    @pytest.mark.parametrize("solver", ["euler", "rk4"])
    def test_gradients_of_a_number_for_all(self, solver):
        dynamics, n = self.make(4), 4
        shared = [value.mean(-1, keepdim=value.ndim > 1) for value in dynamics.parameters.values()]
        K, state = self.couplings(n), self.state(n)

        def flow(state, K, *values):
            common = dynamics.with_values(values)
            return integrate(DenseCoupling(K), state, common, n_steps=3, solver=solver).states

        inputs = [t.clone().requires_grad_() for t in (state, K, *shared)]
        assert torch.autograd.gradcheck(flow, inputs, fast_mode=True)

    def test_pullbacks_are_those_of_autograd(self):
        dynamics, state, drive = self.moment(5, batch=(2,))
        for by_hand, by_autograd in (
            (
                dynamics.pull_signal(state, torch.ones_like(drive)),
                Dynamics.pull_signal(dynamics, state, torch.ones_like(drive)),
            ),
            (
                dynamics.pull_rate(state, drive, torch.ones_like(state)),
                Dynamics.pull_rate(dynamics, state, drive, torch.ones_like(state)),
            ),
        ):
            *found, by_parameters = by_hand
            *wanted, expected = by_autograd
            torch.testing.assert_close(found, wanted)
            torch.testing.assert_close(list(by_parameters), list(expected))
            shapes = [value.shape for value in dynamics.parameters.values()]
            assert [gradient.shape for gradient in by_parameters] == shapes

    def test_a_network_of_many_parts_has_the_gradients_of_the_whole(self):
        """Where products leave notes, few steps at a time are pulled back, and else all at once."""
        n = 2000
        dynamics, state = self.make(n), self.state(n)
        left, right = normal(n, 2, seed=1) / n, normal(n, 2, seed=2)

        def gradients(coupling):
            inputs = [t.clone().requires_grad_() for t in (state, *dynamics.parameters.values())]
            units = dynamics.with_values(inputs[1:])
            path = integrate(coupling, inputs[0], units, n_steps=11).states
            return torch.autograd.grad(path.square().sum(), inputs)

        torch.testing.assert_close(
            gradients(FactorizedCoupling(left, right)), gradients(_Plainly(left, right))
        )

    # The equation

    def test_agrees_with_scipy(self):
        np.testing.assert_allclose(self.end("rk4", 128), self.truth(), rtol=0, atol=1e-8)

    @pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
    def test_order_of_convergence(self, solver, order):
        truth = self.truth()
        coarse, fine = (np.abs(self.end(solver, n) - truth).max() for n in (32, 64))
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.3)

    def test_heun_with_delays_is_of_second_order(self):
        delay = torch.tensor([0.0, 0.25, 0.5, 0.125, 0.0])
        exact = self.end("heun", 1024, delay=delay)
        errors = (np.abs(self.end("heun", n, delay=delay) - exact).max() for n in (32, 64))
        coarse, fine = errors
        assert math.log2(coarse / fine) == pytest.approx(2, abs=0.3)

    def test_adaptive_steps_lead_to_the_same(self):
        K, state, dynamics = DenseCoupling(self.couplings(5)), self.state(5), self.make(5)
        options = {"step_size": 0.02, "n_steps": 50, "save_from": 45}
        paths = [
            integrate(K, state, dynamics, solver=name, **options).states
            for name in ("rk4", "dopri5")
        ]
        torch.testing.assert_close(*paths, rtol=1e-5, atol=1e-5)

    def truth(self):
        """State of five units at t = 1, by SciPy."""
        K, state, dynamics = self.couplings(5).numpy(), self.state(5).numpy(), self.make(5)
        parameters = {name: value.numpy() for name, value in dynamics.parameters.items()}

        def rate(_, x):
            return self.equation(x.reshape(state.shape), K, **parameters).ravel()

        tight = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-12}
        return solve_ivp(rate, (0, 1), state.ravel(), **tight).y[:, -1].reshape(state.shape)

    def end(self, solver, n_steps, **options):
        """The same, by a solver of ours."""
        options |= {"n_steps": n_steps, "save_from": n_steps, "step_size": 1 / n_steps}
        K = DenseCoupling(self.couplings(5))
        path = integrate(K, self.state(5), self.make(5), solver=solver, **options)
        return path.states[0].numpy()

    # Units

    def moment(self, n, batch=()):
        """Units, their states and what drives them."""
        dynamics, state = self.make(n, batch), self.state(n, batch)
        return (
            dynamics,
            state,
            product(DenseCoupling(self.couplings(n, batch)), dynamics.signal(state)),
        )

    def test_units_depend_on_one_another_by_their_drives_alone(self):
        dynamics, state, drive = self.moment(5)
        other, _, other_drive = self.state(5, seed=10), *self.moment(5)[1:]
        changed, changed_drive = state.clone(), drive.clone()
        changed[..., 2], changed_drive[..., 2] = other[..., 2], other_drive[..., 2] + 1.0
        others = torch.tensor([0, 1, 3, 4])
        for before, after in (
            (dynamics.rate(state, drive), dynamics.rate(changed, changed_drive)),
            (dynamics.signal(state), dynamics.signal(changed)),
            (dynamics.retract(state), dynamics.retract(changed)),
        ):
            assert torch.equal(before[..., others], after[..., others])

    @pytest.mark.parametrize("shape", [(3,), (2, 4)])
    def test_some_of_the_units_move_as_they_do_among_all(self, shape):
        dynamics, state, drive = self.moment(6)
        index = torch.randint(6, shape, generator=torch.Generator().manual_seed(0))
        some = dynamics.at(index)

        def picked(each):
            return each[..., index].movedim(
                list(range(-len(shape), -1)), list(range(len(shape) - 1))
            )

        torch.testing.assert_close(
            some.rate(picked(state), picked(drive)), picked(dynamics.rate(state, drive))
        )
        torch.testing.assert_close(some.signal(picked(state)), picked(dynamics.signal(state)))

    @pytest.mark.parametrize("seed", range(5))
    def test_permuted_units_have_permuted_trajectories(self, seed):
        generator = torch.Generator().manual_seed(seed)
        n = int(torch.randint(1, 9, (), generator=generator))
        order = torch.randperm(n, generator=generator)
        K, state, dynamics = self.couplings(n), self.state(n, seed=seed), self.make(n)
        delay = STEP * torch.randint(4, (n,), generator=generator)
        options = {"n_steps": 10, "solver": "heun"}
        path = integrate(DenseCoupling(K), state, dynamics, delay=delay, **options).states
        permuted = integrate(
            DenseCoupling(K[order][:, order]),
            state[..., order],
            dynamics.at(order),
            delay=delay[order],
            **options,
        ).states
        torch.testing.assert_close(permuted, path[..., order])

    @pytest.mark.parametrize("solver", ["euler", "heun", "rk4"])
    def test_a_batch_is_its_networks(self, solver):
        K, state, dynamics = self.couplings(4, (2,)), self.state(4, (2,)), self.make(4, (2,))
        options = {"n_steps": 8, "solver": solver}
        if SOLVERS[solver].supports_delays:
            options["delay"] = torch.tensor([0.1, 0.0, 0.3, 0.2])
        together = integrate(DenseCoupling(K), state, dynamics, **options).states
        for network in range(2):
            values = [value[network] for value in dynamics.parameters.values()]
            units = dynamics.with_values(values)
            alone = integrate(DenseCoupling(K[network]), state[network], units, **options).states
            torch.testing.assert_close(together[:, network], alone)

    # Arithmetic

    @pytest.mark.parametrize("solver", ["euler", "heun", "rk4"])
    @pytest.mark.parametrize("batch", [(), (3,)])
    def test_single_precision_stays_and_is_the_same_to_rounding(self, solver, batch):
        def results(dtype, kind):
            inputs = (
                self.couplings(4, batch),
                self.state(4, batch),
                *self.make(4).parameters.values(),
            )
            K, state, *values = [t.to(dtype).requires_grad_() for t in inputs]
            dynamics = kind(self.make(4)).with_values(values)
            options = {"n_steps": 20, "save_from": 5, "solver": solver}
            path = integrate(DenseCoupling(K), state, dynamics, **options).states
            assert path.dtype == dtype
            return path.detach(), *torch.autograd.grad(path.sin().sum(), (K, state, *values))

        wanted = [t.float() for t in results(torch.float64, _without_kernel)]
        for kind in (_without_kernel, lambda dynamics: dynamics):
            torch.testing.assert_close(
                list(results(torch.float32, kind)), wanted, rtol=1e-3, atol=1e-4
            )
        # In double precision the twin in place is the same to the last digits.
        found = results(torch.float64, lambda dynamics: dynamics)
        torch.testing.assert_close(found, results(torch.float64, _without_kernel))

    def test_on_every_device(self, device):
        def path(device):
            dynamics = self.make(4).to(torch.float32, torch.device(device))
            K, state = (t.float().to(device) for t in (self.couplings(4), self.state(4)))
            start = state.requires_grad_()
            path = integrate(DenseCoupling(K), start, dynamics, n_steps=10).states
            return path.detach().cpu(), torch.autograd.grad(path.sum(), start)[0].cpu()

        torch.testing.assert_close(path(device), path("cpu"), rtol=1e-3, atol=1e-4)

    # What else it tells

    def test_states_stay_where_they_may_be(self):
        dynamics, state = self.make(6), self.state(6)
        torch.testing.assert_close(dynamics.retract(state), state)
        noise = {"noise": 0.1, "generator": torch.Generator().manual_seed(0)}
        for options in (noise, {"solver": "rk4"}, {"solver": "dopri5"}):
            K = DenseCoupling(self.couplings(6))
            path = integrate(K, state, dynamics, n_steps=20, step_size=0.05, **options).states
            torch.testing.assert_close(dynamics.retract(path), path)

    def test_phases_are_of_units(self):
        dynamics, state = self.make(6, (2,)), self.state(6, (2,))
        phases = dynamics.phases(state)
        path = integrate(DenseCoupling(self.couplings(6, (2,))), state, dynamics, n_steps=3)
        if phases is None:
            assert path.phases is None
            with pytest.raises(TypeError, match="no phases"):
                path.order_parameter()
        else:
            assert phases.shape == (2, 6)
            torch.testing.assert_close(path.phases[0], phases)
            assert path.order_parameter().shape == (4, 2)

    def test_units_have_the_phases_that_they_are_given(self):
        dynamics, phases = self.make(6, (2,)), 2.0 * normal(2, 6)
        state = dynamics.from_phases(phases)
        assert (state is None) == (dynamics.phases(self.state(6, (2,))) is None)
        if state is None:
            return
        assert state.shape == (2, *dynamics.state_shape, 6)
        torch.testing.assert_close(dynamics.retract(state), state)
        found = dynamics.phases(state)
        if dynamics.wraps:
            assert (found.abs() <= math.pi).all()
        torch.testing.assert_close(found.cos(), phases.cos())
        torch.testing.assert_close(found.sin(), phases.sin())

    def test_a_frame_that_turns_sees_slower_phases(self):
        speed, step, n_steps = 0.7, 0.02, 60
        dynamics = self.frameless(5)
        turning = dynamics.rotating(speed)
        assert (turning is not None) == self.turns
        if turning is None:
            return
        K, start = DenseCoupling(self.couplings(5)), self.state(5)
        options = {"step_size": step, "n_steps": n_steps, "solver": "rk4"}
        path = integrate(K, start, dynamics, **options).phases
        slower = integrate(K, self.seen(start, speed), turning, **options).phases
        turned = speed * step * torch.arange(n_steps + 1, dtype=torch.float64).unsqueeze(-1)
        torch.testing.assert_close(path - path[0], slower - slower[0] + turned, rtol=0, atol=1e-5)

    def frameless(self, n):
        """Units that no frame is marked out for."""
        return self.make(n)

    def seen(self, state, speed):
        """A state as a frame that turns sees it at its beginning."""
        return state

    def test_the_past_leads_to_the_present(self):
        dynamics, state = self.make(6), self.state(6)
        torch.testing.assert_close(dynamics.before(state, 0.0), state)
        before = dynamics.before(state, 0.3)
        torch.testing.assert_close(dynamics.retract(before), before)

    @pytest.mark.parametrize("history", ["rotation", "constant"])
    def test_delayed_signals_of_the_first_step_are_of_the_past(self, history):
        dynamics, state = self.make(4), self.state(4)
        K, lag = self.couplings(4), [0, 3, 1, 2]
        sent = [
            dynamics.signal(dynamics.before(state, STEP * ago) if history == "rotation" else state)
            for ago in lag
        ]
        acting = torch.stack([signal[..., j] for j, signal in enumerate(sent)], -1)
        drive = acting @ K.mT
        wanted = dynamics.retract(state + STEP * dynamics.rate(state, drive))
        options = {"delay": STEP * torch.tensor(lag), "history": history, "n_steps": 1}
        path = integrate(DenseCoupling(K), state, dynamics, step_size=STEP, **options).states
        torch.testing.assert_close(path[1], wanted)

    @pytest.mark.parametrize("solver", ["euler", "heun"])
    def test_delays_of_nothing_change_nothing(self, solver):
        inputs = (self.couplings(4), self.state(4), *self.make(4).parameters.values())
        inputs = [t.clone().requires_grad_() for t in inputs]

        def results(delay):
            K, state, *values = inputs
            units = self.make(4).with_values(values)
            options = {"solver": solver, "n_steps": 5, "delay": delay}
            path = integrate(DenseCoupling(K), state, units, **options).states
            return path.detach(), *torch.autograd.grad(path.square().sum(), inputs)

        torch.testing.assert_close(results(torch.zeros(4)), results(None))

    def test_units_rest_where_a_constant_drive_leaves_them(self):
        dynamics, state, drive = self.moment(30)
        found = dynamics.respond(drive)
        assert (found is not None) == self.responds
        if found is None:
            return
        rest, rests = found
        assert rests.dtype == torch.bool
        assert rests.any()
        for _ in range(3000):
            state = dynamics.retract(state + 0.1 * dynamics.rate(state, drive))
        # Signals are the same after whole turns of a phase.
        end, expected = dynamics.signal(state), dynamics.signal(rest)
        torch.testing.assert_close(end[..., rests], expected[..., rests], rtol=1e-6, atol=1e-6)
        rate = dynamics.rate(rest, drive)[..., rests]
        torch.testing.assert_close(rate, torch.zeros_like(rate), rtol=0, atol=1e-6)
        moving = dynamics.rate(state, drive)[..., ~rests]
        assert bool(moving.numel()) == self.drifts
        assert (
            (moving.abs().flatten(0, -2) if moving.ndim > 1 else moving.abs()[None])
            .sum(0)
            .gt(1e-3)
            .all()
        )

    def test_parameters_keep_their_names_and_graphs(self):
        dynamics = self.make(4)
        values = [value.clone().requires_grad_() for value in dynamics.parameters.values()]
        given = dynamics.with_values(values)
        assert list(given.parameters) == list(dynamics.parameters)
        single = given.to(torch.float32)
        assert all(value.dtype == torch.float32 for value in single.parameters.values())
        for value in (
            *single.parameters.values(),
            *given.at(torch.tensor([1])).parameters.values(),
        ):
            value.sum().backward()
        assert all(value.grad is not None for value in values)


def _without_kernel(dynamics):
    """The same units by their functions alone."""
    kind = type("Plain", (type(dynamics),), {"kernel": Dynamics.kernel})
    return kind(**{f.name: getattr(dynamics, f.name) for f in fields(dynamics)})


class _Plainly(FactorizedCoupling):
    """Factors without a plan of their own: plans are looked up by exact type."""
