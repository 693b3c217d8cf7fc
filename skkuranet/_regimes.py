"""How networks of oscillators with and without delays are trained."""

from __future__ import annotations

import dataclasses

from skkuranet._curriculum import Curriculum

# Oscillators of the networks that the best weights are chosen by; few networks hardly hold one
# that fails.
_HELD_OUT = 6400
# Largest step of training, times the mean degree, that is longer than the estimator's.
_STABLE = 0.5


@dataclasses.dataclass(frozen=True)
class Regime:
    """What differs between oscillators with and without delays.

    Parameters
    ----------
    stride : int
        Step of training in steps of the estimator, at most.
    n_steps : int
        Steps of the longest trajectories.
    burn_in : int
        Steps before them, at most.
    limit_time : float
        Time after which phases count as the limit in checks.
    density_exponent : float
        Of :class:`skkuranet.coupling.MeanDegree`.
    """

    stride: int
    n_steps: int
    burn_in: int
    limit_time: float
    density_exponent: float

    def adapt(
        self, curriculum: Curriculum, *, n_steps: int | None, average_degree: float
    ) -> Curriculum:
        """Return a curriculum as this regime wants it.

        Parameters
        ----------
        curriculum : Curriculum
            What the parameters of the estimator say.
        n_steps : int or None
            Steps of the longest trajectories; None for those of the regime.
        average_degree : float
            Mean degree of the couplings.

        Returns
        -------
        Curriculum
            The one to train with.
        """
        # Strong couplings are stable at small steps only.
        stable = _STABLE / (curriculum.step_size * max(1.0, average_degree))
        stride = max(1, min(self.stride, int(stable + 1e-9)))
        return dataclasses.replace(
            curriculum,
            step_size=stride * curriculum.step_size,
            n_steps=n_steps or self.n_steps,
            burn_in=self.burn_in,
            limit_time=self.limit_time,
            n_held_out=max(1, _HELD_OUT // curriculum.network_size),
            check_every=max(25, curriculum.n_iterations // 20),
            # The few networks that turn or fail have gradients that would drown all others.
            max_norm=0.1,
            # Some networks start near synchrony to the end: it must stay where it has been found.
            final_seeding=0.8,
        )


# What synchronises at coarse steps does so at fine ones. Degrees are evened out, as oscillators
# of a small network have more or fewer partners than they would have in a large one.
PROMPT = Regime(stride=5, n_steps=60, burn_in=300, limit_time=500.0, density_exponent=0.5)
# Delays need the fine steps, and a few oscillators that all others listen to.
DELAYED = Regime(stride=1, n_steps=150, burn_in=0, limit_time=200.0, density_exponent=0.0)
