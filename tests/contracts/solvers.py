"""What every solver has to hold."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch.autograd import forward_ad

from contracts.draws import normal
from skkuranet.coupling import DenseCoupling
from skkuranet.dynamics import Kuramoto, SecondOrder, Solver, integrate

N = 4


class SolverContract:
    """Tests of a solver. A subclass says how to make one.

    Attributes
    ----------
    order : int or None
        Its order of convergence; None if it chooses its steps.
    takes_delays, takes_noise : bool
        What it can do.
    """

    order: int | None = None
    takes_delays = False
    takes_noise = False

    def make(self):
        """Return the solver."""
        raise NotImplementedError

    def states(self, *inputs, dynamics=Kuramoto, **options):
        """States under couplings, from an initial state on, of units with these parameters."""
        K, state, *values = inputs or self.inputs()
        options = {"step_size": 0.1, "n_steps": 6, "solver": self.make()} | options
        return integrate(DenseCoupling(K), state, dynamics(*values), **options).states

    def inputs(self, batch=()):
        shapes = ((N, N), (N,), (N,), (N,))
        return [normal(*batch, *shape, seed=seed) for seed, shape in enumerate(shapes)]

    def test_it_is_a_solver(self):
        solver = self.make()
        assert isinstance(solver, Solver)
        assert (solver.supports_delays, solver.supports_noise) == (
            self.takes_delays,
            self.takes_noise,
        )

    @pytest.mark.parametrize("batch", [(), (2,)])
    @pytest.mark.parametrize("save_from", [0, 2, 6])
    def test_gradients(self, batch, save_from):
        inputs = [t.requires_grad_() for t in self.inputs(batch)]
        # Steps that a solver chooses change with what they are chosen for.
        tolerances = {} if self.order else {"atol": 1e-3, "rtol": 1e-3}
        assert torch.autograd.gradcheck(
            lambda *given: self.states(*given, save_from=save_from),
            inputs,
            fast_mode=True,
            **tolerances,
        )

    def test_it_converges_to_the_solution(self):
        K, state, frequency, field = (t.numpy() for t in self.inputs())

        def rate(_, x):
            return frequency + (K * np.sin(x - x[:, None])).sum(1) + field * np.sin(x)

        tight = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-12}
        truth = solve_ivp(rate, (0, 1), state, **tight).y[:, -1]

        def error(n_steps):
            end = self.states(n_steps=n_steps, step_size=1 / n_steps)[-1]
            return np.abs(end.numpy() - truth).max()

        if self.order is None:
            assert error(10) < 1e-5
        else:
            assert math.log2(error(32) / error(64)) == pytest.approx(self.order, abs=0.2)

    def test_states_are_those_after_each_step(self):
        whole = self.states()
        assert whole.shape == (7, N)
        assert torch.equal(whole[0], self.inputs()[1])
        for save_from in (1, 4, 6):
            torch.testing.assert_close(self.states(save_from=save_from), whole[save_from:])
        # Nothing but the state goes from one step to the next.
        if self.order is not None:
            K, _, *values = self.inputs()
            torch.testing.assert_close(self.states(K, whole[2], *values, n_steps=4), whole[2:])

    def test_a_batch_is_its_networks(self):
        # Those that choose their steps choose them for all networks at once.
        tolerances = {} if self.order else {"rtol": 1e-4, "atol": 1e-4}
        batch = self.inputs((2, 1))
        together = self.states(*batch)
        for network in range(2):
            alone = self.states(*(t[network, 0] for t in batch))
            torch.testing.assert_close(together[:, network, 0], alone, **tolerances)

    def test_inputs_stay_as_they_are(self):
        inputs = self.inputs()
        kept = [t.clone() for t in inputs]
        self.states(*(t.requires_grad_() for t in inputs))[-1].sum().backward()
        assert all(map(torch.equal, inputs, kept))

    def test_parameters_of_another_type_follow_the_state(self):
        K, state, frequency, field = self.inputs()
        whole = frequency.float().requires_grad_()
        path = self.states(K, state, whole, field.float())
        assert path.dtype == torch.float64
        path[-1].sum().backward()
        assert whole.grad.dtype == torch.float32

    def test_noise_is_taken_or_refused_by_name(self):
        self._taken_or_refused("noise", self.takes_noise, 0.1)

    def test_delays_are_taken_or_refused_by_name(self):
        self._taken_or_refused("delays", self.takes_delays, torch.full((N,), 0.2))

    def _taken_or_refused(self, what, taken, given):
        option = {"delays": "delay", "noise": "noise"}[what]
        options = {option: given, "generator": torch.Generator().manual_seed(0)}
        calls = []

        class Counted(Kuramoto):
            def rate(self, state, drive):
                calls.append(state)
                return super().rate(state, drive)

        if taken:
            plain = self.states(dynamics=Counted)
            assert not torch.allclose(self.states(dynamics=Counted, **options), plain)
            return
        name = self.make().name
        with pytest.raises(ValueError, match=f"solver='{name}' cannot integrate {what}"):
            self.states(dynamics=Counted, **options)
        assert not calls

    # torch makes use of what it has deprecated.
    @pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
    @pytest.mark.parametrize("which", range(4))
    def test_forward_mode_is_refused(self, which):
        with forward_ad.dual_level():
            inputs = self.inputs()
            inputs[which] = forward_ad.make_dual(inputs[which], torch.ones_like(inputs[which]))
            variants = [{}]
            if self.takes_delays:
                variants.append({"delay": torch.full((N,), 0.2)})
            if self.takes_noise:
                variants.append({"noise": 0.1, "generator": torch.Generator().manual_seed(0)})
            for options in variants:
                with pytest.raises(NotImplementedError, match="no forward-mode derivatives"):
                    self.states(*inputs, **options)

    @pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
    def test_tangents_of_delays_and_noise_are_refused(self):
        with forward_ad.dual_level():
            given = forward_ad.make_dual(torch.full((N,), 0.2), torch.ones(N))
            generator = torch.Generator().manual_seed(0)
            if self.takes_delays:
                with pytest.raises(NotImplementedError, match="delay is rounded to steps"):
                    self.states(delay=given)
            if self.takes_noise:
                with pytest.raises(NotImplementedError, match="no forward-mode derivatives"):
                    self.states(noise=given, generator=generator)

    def test_states_of_two_numbers_are_integrated(self):
        K, *_, frequency = self.inputs()
        start = normal(2, N, seed=7)
        path = self.states(K, start, frequency, dynamics=SecondOrder)
        assert path.shape == (7, 2, N)

    def test_one_node_turns_at_its_frequency(self):
        one = torch.ones(1, dtype=torch.float64)
        path = self.states(one.unsqueeze(0), 0.0 * one, 2.0 * one, n_steps=10)
        torch.testing.assert_close(path[-1], 2.0 * one)
