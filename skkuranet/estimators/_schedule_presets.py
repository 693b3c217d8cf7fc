"""Schedules of training for networks of disordered oscillators."""

from __future__ import annotations

import dataclasses

from skkuranet.training._schedule import Curriculum

# Largest step of training, times the mean degree, that is longer than the estimator's.
_STABLE = 0.5
# Iterations that the fewest rows take.
_FEWEST = 200


@dataclasses.dataclass(frozen=True)
class Regime:
    """Schedule for many rows or few, with delays or without.

    Parameters
    ----------
    n_iterations, learning_rate : int, float
        Of the curriculum, where the user leaves them open.
    n_held_out : int
        Oscillators of the networks that the best weights are chosen by.
    stride : int
        Step of training in steps of the estimator, at most.
    density_exponent : float
        Of :class:`skkuranet.coupling.MeanDegree`.
    per_row : int or None
        Iterations for each row, 200 in all at least; None always takes ``n_iterations``.
    """

    n_iterations: int
    learning_rate: float
    n_held_out: int
    unseeded_when_trapped: bool
    stride: int
    n_steps: int
    burn_in: int
    limit_time: float
    density_exponent: float
    per_row: int | None = None

    def adapt(self, curriculum: Curriculum, *, n_rows: int, average_degree: float) -> Curriculum:
        """Return a curriculum with what this regime decides.

        Where the given one, which says what the estimator's parameters say, has None for
        iterations, learning rate or steps, they are those of the regime.
        """
        # Strong couplings are stable at small steps only.
        stable = _STABLE / (curriculum.step_size * max(1.0, average_degree))
        stride = max(1, min(self.stride, int(stable + 1e-9)))
        n_iterations = curriculum.n_iterations or self._iterations(n_rows)
        return dataclasses.replace(
            curriculum,
            n_iterations=n_iterations,
            learning_rate=curriculum.learning_rate or self.learning_rate,
            step_size=stride * curriculum.step_size,
            n_steps=curriculum.n_steps or self.n_steps,
            burn_in=self.burn_in,
            limit_time=self.limit_time,
            n_held_out=max(1, self.n_held_out // curriculum.network_size),
            check_every=max(25, n_iterations // 20),
            # The few networks that turn or fail have gradients that would drown all others.
            max_norm=0.1,
            # Some networks start near synchrony to the end: it must stay where it has been found.
            final_seeding=0.8,
            unseeded_when_trapped=self.unseeded_when_trapped,
        )

    def _iterations(self, n_rows: int) -> int:
        if self.per_row is None:
            return self.n_iterations
        return min(self.n_iterations, max(_FEWEST, self.per_row * n_rows))


# What synchronises at coarse steps does so at fine ones. Degrees are evened out, as oscillators
# of a small network have more or fewer partners than they would have in a large one. Few held out
# hardly hold a network that fails.
PROMPT = Regime(
    n_iterations=1000,
    learning_rate=3e-3,
    n_held_out=6400,
    unseeded_when_trapped=True,
    stride=5,
    n_steps=60,
    burn_in=300,
    limit_time=500.0,
    density_exponent=0.5,
)
# Batches hardly differ where a network holds most rows.
FEW = dataclasses.replace(PROMPT, n_iterations=400, per_row=4, learning_rate=1e-2, n_held_out=3200)
# Nodes with inertia swing for a while, and need steps that are short against the swing.
INERTIAL = dataclasses.replace(
    PROMPT, stride=2, n_steps=100, burn_in=150, limit_time=200.0, unseeded_when_trapped=False
)
# An equation that nothing is known of takes the steps that were asked for.
ANY = dataclasses.replace(PROMPT, stride=1, n_steps=150, limit_time=200.0)
# Delays need fine steps, and a few oscillators that drive all others: degrees stay uneven.
DELAYED = Regime(
    n_iterations=1000,
    learning_rate=3e-3,
    n_held_out=6400,
    unseeded_when_trapped=False,
    stride=1,
    n_steps=150,
    burn_in=0,
    limit_time=200.0,
    density_exponent=0.0,
)
