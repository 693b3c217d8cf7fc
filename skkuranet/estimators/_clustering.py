"""Base of the estimators that learn to tell classes apart."""

from __future__ import annotations

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Integral

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions

from skkuranet._utils.messages import plain, warn_caller
from skkuranet.coupling import MembershipNetwork, Normalization
from skkuranet.estimators._arrays import on_host
from skkuranet.estimators._base import KuraNetBase
from skkuranet.estimators._fit_task import FitTask
from skkuranet.estimators._modes import Mode
from skkuranet.estimators._network_presets import CLUSTERING, CLUSTERING_NORMALIZATIONS
from skkuranet.estimators._node_columns import NodeMotion
from skkuranet.estimators._phase_clusters import (
    PhaseReadout,
    PullReadout,
    cluster_phases,
    merged_classes,
    phasors,
)
from skkuranet.estimators._simulation import LIMIT_TIME, limit_phases, steps_in
from skkuranet.estimators._trained_network import TrainedNetwork
from skkuranet.losses import cluster_synchrony_loss
from skkuranet.objectives import ClusterObjective
from skkuranet.training._schedule import ClosedForm

# Peak learning rate through trajectories, as a share of that in closed form.
_THROUGH_TRAJECTORIES = 0.3
# Iterations between looks at the limit, and at rows left out, at least.
_CHECK_EVERY, _LOOK_EVERY = 10, 25
# Networks of four classes whose limit is looked at; few hardly hold one that falls over.
_NETWORKS_OF_FOUR = 20
# Labelled rows for which regularisation is what weight_decay says, and how far it may go.
_ROWS, _DECAY, _DECAY_IN_CLOSED_FORM = 1000, (1.0, 10.0), (0.02, 5.0)
# Initial phases that are tried, and the loss at which no others are.
_STARTS, _IN_SPLAY = 3, 0.01


class ClusteringBase(KuraNetBase, ABC):
    """Base of the estimators that learn to tell classes apart."""

    _presets = CLUSTERING
    #: What such an estimator can learn, by name.
    _modes: Mapping[str, Mode]

    _parameter_constraints: dict = {
        **KuraNetBase._parameter_constraints,
        "hidden_layer_sizes": ["array-like", None],
        "normalization": [StrOptions({"auto", "balanced", "in_degree", "none"}), Normalization],
    }

    @property
    def _mode(self) -> Mode:
        """What the last fit has learned; before any, what the next one will."""
        learned = vars(self).get("_mode_of_fit")
        return self._next_mode if learned is None else self._modes[learned]

    @property
    def _next_mode(self) -> Mode:
        """What the next fit will learn; the default where it will refuse the choice."""
        return self._modes.get(self._chosen_mode, next(iter(self._modes.values())))

    @property
    @abstractmethod
    def _chosen_mode(self) -> str:
        """What parameters choose to be learned."""

    def _keep(self, learned):
        super()._keep({**learned, "_mode_of_fit": self._chosen_mode})

    @property
    def trained_network_(self) -> TrainedNetwork:
        """Trained couplings, with all that moves rows under them."""
        if not self._mode.seen:
            raise AttributeError(
                f"{type(self).__name__} has no trained_network_ with {self._mode.chosen_by}, which "
                "couples neighbours by what is seen of their edges. Call cluster."
            )
        return super().trained_network_

    @property
    def _goes_on(self) -> bool:
        if super()._goes_on and self._next_mode is not self._mode:
            raise ValueError(
                f"warm_start=True cannot go on from {self._mode.chosen_by} to "
                f"{self._next_mode.chosen_by}, whose couplings are of another kind. Set "
                "warm_start=False to start anew."
            )
        return super()._goes_on

    def _learn_classes(
        self, X, y, codes, classes, what, *, pools=None, weights=None, held_out=None, **options
    ):
        """Train on rows with a class each, or -1; return how it went.

        ``weights`` say what rows count for. Probabilities are calibrated on ``held_out``: features,
        classes and weights of other rows.
        """
        going_on = self.warm_start and hasattr(self, "classes_")
        if going_on and not np.array_equal(classes, on_host(self.classes_)):
            raise ValueError(
                f"warm_start=True goes on with the classes {plain(on_host(self.classes_))}, but "
                f"{what} has {plain(classes)}. Set warm_start=False to start anew."
            )
        normalization = self._normalization()
        return self._learn(
            FitTask(
                X,
                y,
                len(classes),
                objective=functools.partial(
                    _objective, codes, len(classes), pools, weights, self._node_motion()
                ),
                complete=functools.partial(
                    self._complete, normalization, X, codes, classes, weights, held_out
                ),
                normalization=normalization,
                n_labelled=int(np.sum(codes >= 0)),
                **options,
            )
        )

    @property
    def _in_closed_form(self):
        """Whether classes are learned before trajectories."""
        if self._goes_on:
            return isinstance(self.coupling_, MembershipNetwork)
        return isinstance(self.coupling, str) and self._presets[self.coupling].in_closed_form

    def _share_of_decay(self, n_rows):
        """Return the factor of ``weight_decay``, which falls with the number of rows."""
        limits = _DECAY_IN_CLOSED_FORM if self._in_closed_form else _DECAY
        return float(np.clip(_ROWS / n_rows, *limits))

    def _curriculum(self, task):
        plan = super()._curriculum(task)
        # Gradients of trajectories vary more than those of labels.
        rate = _THROUGH_TRAJECTORIES * self.learning_rate_init
        return dataclasses.replace(plan, learning_rate=rate)

    def _after_closed_form(self, plan, after, before, task, *, patience, stall):
        """Return a plan of ``before`` iterations in closed form and ``after`` others."""
        n_rows = plan.batch_size * plan.network_size
        if task.n_groups == 4:
            # Their halves hold the square upright, but slowly.
            plan = dataclasses.replace(plan, limit_time=LIMIT_TIME, n_held_out=_NETWORKS_OF_FOUR)
        return dataclasses.replace(
            plan,
            n_iterations=after,
            check_every=_CHECK_EVERY,
            patience=1,
            limit_resolution=0.0,
            stall=stall,
            closed_form=ClosedForm(
                before,
                n_rows,
                self.learning_rate_init,
                # A look before all rows have been gone through says little.
                check_every=max(_LOOK_EVERY, task.n_labelled // n_rows),
                patience=patience,
            ),
        )

    def _warn_of_lost_classes(self, result, missed=None):
        """Warn of classes that share a phase in the reference network, which holds them all.

        ``missed`` are the classes of which predictions name less than half of the training rows
        right; None where that is not known. Only these count as lost: classes that overlap may
        come near one another.
        """
        if result.interrupted:
            return
        classes = on_host(self.classes_)
        groups = merged_classes(on_host(self.reference_phases_), on_host(self._reference_members))
        lost = [g for g in groups if missed is None or np.isin(g, missed).any()]
        faults = [f"{plain(classes[group])} share a phase" for group in lost]
        if missed is not None and len(missed):
            faults.append(f"most rows of {plain(classes[missed])} are given another name")
        if not result.converged and not self._in_closed_form and not lost:
            faults.append("their phases are not in splay")
        if faults:
            warn_caller(
                f"Classes are merged at the limit: {'; '.join(faults)} (cluster synchrony loss "
                f"{result.limit_loss:.3f}). Look for labels that are misspelt or say the same, and "
                "whether these features tell the classes apart; add rows of rare classes, or raise "
                "class_weight, max_iter or n_init.",
                ConvergenceWarning,
            )

    def _check_number(self, name, number, n_nodes, nodes):
        whole = isinstance(number, Integral) and not isinstance(number, bool)
        if not whole or not 1 <= number <= n_nodes:
            raise ValueError(
                f"{name} must lie between 1 and the number of {nodes} {n_nodes}, got "
                f"{plain(number)}."
            )

    def _clusters(self, X, n_clusters, rng, n_steps=None):
        """Return the cluster of each row, from the limit of the mutual dynamics.

        Random phases may lead past a saddle, where clusters stay merged for long. Try others
        until some lead to the splay state, and keep those of the lowest loss.
        """
        found = []
        for _ in range(_STARTS):
            phases = limit_phases(self.trained_network_, X, rng, self.step_size, n_steps)
            labels = cluster_phases(phases, n_clusters, rng)
            names, codes = np.unique(labels, return_inverse=True)
            found.append((_synchrony_loss(phases, codes, len(names)), labels))
            if found[-1][0] < _IN_SPLAY:
                break
        return min(found, key=lambda pair: pair[0])[1]

    def _limit_loss(self, X, codes, n_classes, rng, n_steps=None):
        """Return the cluster synchrony loss of the network made of X, at the limit."""
        phases = limit_phases(self.trained_network_, X, rng, self.step_size, n_steps)
        return _synchrony_loss(phases, codes, n_classes)

    def _normalization(self) -> Normalization:
        if isinstance(self.normalization, Normalization):
            return self.normalization
        if isinstance(self.coupling, str):
            known = self._presets[self.coupling].normalizations
        else:
            known = CLUSTERING_NORMALIZATIONS
        if self.normalization not in known:
            raise ValueError(
                f"normalization={self.normalization!r} does not go with coupling="
                f"{self.coupling!r}; use one of {sorted(known)}."
            )
        return known[self.normalization]

    def _complete(self, normalization, X, codes, classes, weights, held_out, network, seed):
        """Let a network of training rows come to rest; return the fitted attributes."""
        made = {
            "coupling_": network,
            "normalization_": normalization,
            "classes_": classes,
            "_n_features_out": 2,
        }
        rng = np.random.RandomState(seed)
        chosen = _reference_rows(codes, len(classes), self.n_reference, rng)
        weights = np.ones(len(codes)) if weights is None else weights
        count = np.bincount(codes[codes >= 0], weights[codes >= 0], len(classes))
        codes, weights = codes[chosen], weights[chosen]
        # The wanted state is known here; a little noise keeps it from resting on a saddle.
        start = 2.0 * np.pi * codes / len(classes) + 0.1 * rng.standard_normal(len(codes))
        start[codes < 0] = rng.uniform(0.0, 2.0 * np.pi, np.count_nonzero(codes < 0))
        n_steps = steps_in(LIMIT_TIME, self.step_size)
        trained = self._trained(network, normalization, self._node_motion())
        path = trained.integrate(
            X[chosen], start, step_size=self.step_size, n_steps=n_steps, save_from=n_steps
        ).numpy()
        phases = path.phases[0]
        readout = PhaseReadout(phasors(phases), codes, len(classes))
        made |= {
            "reference_features_": on_host(X[chosen]),
            "reference_phases_": phases,
            "_reference_states": path.states[0],
            "cluster_centers_": readout.centers,
            "_readout": readout,
            "_reference_members": weights * (codes == np.arange(len(classes))[:, None]),
            "_pull_readout": None,
        }
        if not isinstance(network, MembershipNetwork):
            known = codes >= 0
            rows, true, counted = held_out or (X[chosen][known], codes[known], weights[known])
            reference = trained.reference(made["reference_features_"], trained.device_of(X))
            made["_pull_readout"] = PullReadout(
                reference.drive(rows, made["_reference_members"]),
                true,
                counted,
                count / count.sum(),
            )
        return made

    def _pulls_of_classes(self, X):
        """Return the pull of each class of the reference on the rows of X, (n, n_classes)."""
        return self._reference_network(X).drive(X, on_host(self._reference_members))


def _reference_rows(codes, n_classes, n_reference, rng):
    """Draw the rows of the reference network; classes share half of them evenly."""
    order = rng.permutation(len(codes))
    known = order[codes[order] >= 0]
    # Where few rows are labelled, half of the network is, as in training.
    share = n_reference if len(known) == len(codes) else n_reference // 2
    each = max(1, share // (2 * n_classes))
    rare = np.concatenate([known[codes[known] == c][:each] for c in range(n_classes)])
    rest = np.concatenate((known[: max(0, share - len(rare))], rare))
    others = order[: n_reference - min(share, len(known))]
    return np.union1d(rest, others)


def _synchrony_loss(phases, codes, n_classes):
    membership = torch.from_numpy(codes[:, None] == np.arange(n_classes))
    return float(cluster_synchrony_loss(torch.from_numpy(phases).double(), membership.double()))


def _objective(codes, n_classes, pools, weights, node_motion, device):
    plain = node_motion == NodeMotion()
    return ClusterObjective(
        torch.as_tensor(codes, device=device),
        n_classes,
        pools=pools,
        weights=None if weights is None else torch.as_tensor(weights, device=device),
        motion=None if plain else node_motion.of(codes[:, None], torch.float32, device),
    )
