"""Rows driven by the reference network of a fitted synchronizer."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skkuranet._utils.surroundings import silenced
from skkuranet.coupling import product
from skkuranet.dynamics import (
    Dynamics,
    delay_in_steps,
    follow,
    wrap,
)
from skkuranet.estimators._arrays import (
    as_given,
    checked,
    on_host,
)
from skkuranet.estimators._connectivity import warn_if_apart
from skkuranet.estimators._phase_clusters import phasors
from skkuranet.estimators._settling import WATCHED_TIME, settled
from skkuranet.estimators._simulation import LIMIT_TIME, steps_in
from skkuranet.estimators.synchronizer._oscillators import CPU, OscillatorBase
from skkuranet.losses import mean_field
from skkuranet.objectives import OBJECTIVES, Objective

# Spread of the initial phases of the reference network, which starts close to synchrony.
_NOISE = 0.1


class DrivenOscillators(ClassNamePrefixFeaturesOutMixin, TransformerMixin, OscillatorBase):
    """Phases at which rows lock to the reference network."""

    def predict(self, X):
        r"""Return the phases at which rows lock to the reference network.

        In closed form, :math:`\arg Z + \arcsin((\omega - \Omega) / |Z|)` with
        :math:`Z = \sum_j K(x, x_j) e^{i(\theta_j - \Omega\tau_j)} - b`, where the reference
        network is locked; else by integrating each row against its motion for 100 units
        of time. A row that cannot lock gets the phase at which it is slowest.

        A graph says nothing about new rows: with ``connectivity`` they are coupled to all of the
        reference network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Oscillators; each row's answer depends on that row alone.

        Returns
        -------
        ndarray of shape (n_samples,)
            Phases relative to the mean field, in (−π, π].
        """
        return as_given(self._lock(checked(self, X, "predict")), X)

    def transform(self, X):
        """Return the phasors (cos θ, sin θ) of the phases that ``predict`` returns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Oscillators.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Points of the unit circle.
        """
        return as_given(phasors(self._lock(checked(self, X, "transform"))), X)

    def _complete(self, normalization, columns, X, edges, network, seed):
        """Let a network of training rows settle, and watch how it turns."""
        rng = np.random.RandomState(seed)
        chosen = np.arange(len(X))
        if edges is None:
            chosen = np.sort(rng.permutation(len(X))[: self.n_reference])
        made = {
            "coupling_": network,
            "normalization_": normalization,
            "columns_": columns,
            "_n_features_out": 2,
        }
        if edges is None and self.connectivity is not None:
            edges = self._edges(X[chosen])
            warn_if_apart(edges, len(chosen))
        start = _NOISE * rng.standard_normal(len(chosen))
        moving = self._node_motion(columns)
        trained = self._trained(network, normalization, moving)
        motion = moving.of(X[chosen], torch.float64, CPU)
        dynamics, delay = motion["dynamics"], motion.get("delay", torch.zeros(len(chosen)))
        if not dynamics.has_phases:
            index = torch.arange(len(chosen)).unsqueeze(0)
            generator = torch.Generator().manual_seed(seed)
            start = self._objective_of(motion).initial_phases(index, 1.0, generator)[0].numpy()
        # fit has said so already.
        with silenced(message="Delays are rounded"):
            lag = delay_in_steps(delay, self.step_size).numpy()
            kept = steps_in(WATCHED_TIME, self.step_size) + int(lag.max())
            last = max(kept, steps_in(LIMIT_TIME, self.step_size))
            path = trained.integrate(
                X[chosen],
                start,
                step_size=self.step_size,
                n_steps=last,
                save_from=last - kept,
                edges=edges,
                quiet=True,
            ).numpy()
        made |= {
            "reference_features_": on_host(X[chosen]),
            "_reference_delay": lag * self.step_size,
            "_acting_step": self.step_size,
        }
        return made | settled(
            path,
            lag,
            turns=dynamics.rotating(0.0) is not None,
            answers=type(dynamics).respond is not Dynamics.respond,
        )

    def _rest(self, coupling, X):
        """Phases of rows driven by the reference network, relative to its mean field.

        States, where there are no phases.
        """
        device = coupling.device

        def double(value):
            return torch.tensor(on_host(value), dtype=torch.float64, device=device)

        nodes, sources = (
            self._node_motion().of(rows, torch.float64, device)["dynamics"]
            for rows in (X, on_host(self.reference_features_))
        )
        if self._acting_states is not None:
            acting, step = double(self._acting_states), self._acting_step
            states = follow(coupling, acting, step_size=step, dynamics=nodes, sources=sources)
        else:
            # As delays were rounded when the network was integrated.
            turned = self.reference_frequency_ * double(self._reference_delay)
            reference = double(self.reference_states_)
            acting = reference - turned if reference.ndim == 1 else reference
            if self.reference_frequency_:
                nodes = nodes.rotating(self.reference_frequency_)
            states, _ = nodes.respond(product(coupling, sources.signal(acting)))
        phases = nodes.phases(states)
        if phases is None:
            return states.movedim(-1, 0)
        return wrap(phases - mean_field(double(self.reference_phases_)).angle())

    def _objective_of(self, motion):
        """Return the objective for nodes that move so."""
        return objective_of(self.objective, motion, CPU)


def objective_of(kind, motion, device):
    """Return an objective, for nodes that move so."""
    if isinstance(kind, Objective):
        return kind
    made = OBJECTIVES[kind] if isinstance(kind, str) else kind

    def single(value):
        moved = isinstance(value, torch.Tensor)
        return value.to(device, torch.float32) if moved else value

    options = {name: single(value) for name, value in motion.items() if name != "dynamics"}
    return made(dynamics=motion["dynamics"].to(torch.float32, device), **options)
