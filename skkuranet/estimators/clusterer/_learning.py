"""How a clusterer learns from rows."""

from __future__ import annotations

import dataclasses

import numpy as np

from skkuranet._utils.distinct import distinct_rows
from skkuranet.estimators._arrays import as_given, empty_like
from skkuranet.estimators._fit_task import FitTask
from skkuranet.estimators._labels import check_classes, check_labelled
from skkuranet.estimators._modes import Mode
from skkuranet.estimators._node_columns import check_phases
from skkuranet.estimators._unseen import learned_from_rows
from skkuranet.estimators.clusterer._readouts import RowReadouts
from skkuranet.estimators.clusterer._weights import (
    checked_weights,
    effective_number,
    last_of_each_class,
    with_class_weight,
)
from skkuranet.training._schedule import Curriculum

# Nodes of networks drawn for training, at least and for each class.
_NETWORK, _NODES_PER_CLASS = 100, 5
# Iterations of couplings that learn through trajectories alone, and of those that need them for
# how classes act on one another; looks at the limit that may be in vain.
_ITERATIONS, _TRAJECTORIES, _STALL = 600, 100, 1
# How often closed form goes through the table, and its iterations at least and at most.
_EPOCHS, _CLOSED = 120, (150, 4000)


class RowLearner(RowReadouts):
    """Learns what tells classes of rows apart, or what makes two rows alike."""

    @property
    def _chosen_mode(self):
        return self.groups

    def _learn_seen(self, X, y, sample_weight):
        """Learn which of the classes of y rows are of."""
        given = X
        check_phases(self.dynamics)
        X, y, classes, codes = check_labelled(self, X, y, reset=True, ensure_min_samples=2)
        everything = X
        if sample_weight is not None:
            sample_weight = checked_weights(sample_weight, X)
            some = np.flatnonzero(sample_weight > 0.0)
            X, y, codes, sample_weight = X[some], y[some], codes[some], sample_weight[some]
            present, codes = np.unique(codes, return_inverse=True)
            # Unlabelled rows are still -1.
            codes = codes - np.sum(present < 0)
            classes = classes[present[present >= 0]]
        check_classes(X, classes, codes, self._size_of_networks(len(classes)))
        rows, counts = distinct_rows(X, codes, sample_weight)
        X_seen, of_row = X[rows], codes[rows]
        weights = with_class_weight(counts, of_row, classes, self.class_weight)
        train, held_out = np.arange(len(rows)), None
        # Couplings that learn in closed form leave out rows by themselves.
        others = None if self._in_closed_form else last_of_each_class(of_row)
        if others is not None:
            train = np.setdiff1d(train, others)
            held_out = X_seen[others], of_row[others], weights[others]
        result = self._learn_classes(
            X_seen[train],
            y[rows[train]],
            of_row[train],
            classes,
            "y",
            like=empty_like(given),
            weights=weights[train],
            held_out=held_out,
            weight_decay=self.weight_decay
            * self._share_of_decay(effective_number(counts[of_row >= 0])),
        )
        self.labels_ = as_given(self._labels(everything), given)
        known, right = of_row >= 0, of_row == self._codes(X_seen)
        hits, all_rows = (
            np.bincount(of_row[some], counts[some], len(classes)) for some in (known & right, known)
        )
        self._warn_of_lost_classes(result, np.flatnonzero(hits < 0.5 * all_rows))

    def _learn_unseen(self, X, y, sample_weight):
        """Learn what makes two rows alike, whatever their classes are."""
        self._keep(learned_from_rows(self, X, y, sample_weight, self._sizes()))

    def _size_of_networks(self, n_classes):
        if self.network_size == "auto":
            return max(_NETWORK, _NODES_PER_CLASS * n_classes)
        return self.network_size

    def _curriculum(self, task: FitTask) -> Curriculum:
        size = self._size_of_networks(task.n_groups)
        plan = dataclasses.replace(
            super()._curriculum(task),
            network_size=size,
            n_iterations=_ITERATIONS if self.max_iter is None else self.max_iter,
        )
        if not self._in_closed_form:
            # Stopping waits for a third of the schedule, however long that is.
            return dataclasses.replace(plan, check_every=max(25, plan.n_iterations // 24))
        stops = self.early_stopping and self.tol > 0
        if self.max_iter is None:
            n_batches = np.ceil(task.n_labelled / (self.batch_size * size))
            before, after = int(np.clip(_EPOCHS * n_batches, *_CLOSED)), _TRAJECTORIES
        else:
            before = max(1, 2 * self.max_iter // 3)
            after = self.max_iter - before
        return self._after_closed_form(
            plan,
            after,
            before,
            task,
            patience=self.n_iter_no_change if stops else None,
            stall=_STALL if stops else None,
        )

    def _of_training(self, result):
        return {"validation_scores_": result.scores, "class_recall_": np.array(result.recalls)}

    _modes = {
        "seen": Mode(
            "groups='seen'",
            _learn_seen,
            RowReadouts._limit_clusters,
            RowReadouts._phasors,
            RowReadouts._labels,
        ),
        "unseen": Mode(
            "groups='unseen'",
            _learn_unseen,
            RowReadouts._groups,
            RowReadouts._unit_vectors,
            seen=False,
            named=False,
        ),
    }
