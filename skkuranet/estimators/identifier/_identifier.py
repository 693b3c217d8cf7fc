"""KuraNetIdentifier: couplings found in measured phases."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skkuranet._utils.messages import naming, plain
from skkuranet._utils.surroundings import estimator_of_any_surroundings, one_thread
from skkuranet._utils.tools import random_source
from skkuranet.dynamics import DYNAMICS, Dynamics
from skkuranet.dynamics._catalogue import kind_of, needed_by
from skkuranet.estimators._node_columns import node_parameters, resolve_columns
from skkuranet.estimators._progress import Progress
from skkuranet.estimators._versions import Versioned
from skkuranet.estimators.identifier._equation import (
    Equation,
    check_fitted,
    check_phase_equation,
)
from skkuranet.estimators.identifier._forecast import forecast, increments_r2
from skkuranet.estimators.identifier._knowledge import warn_if_undetermined
from skkuranet.estimators.identifier._learners import LEARNERS
from skkuranet.estimators.identifier._recordings import (
    MIN_SAMPLES,
    Recording,
    as_table,
    as_times,
    read_recordings,
)
from skkuranet.estimators.identifier._stages import Nodes, normals, set_values, step_for
from skkuranet.oscillator_network import OscillatorNetwork


@estimator_of_any_surroundings
class KuraNetIdentifier(Versioned, BaseEstimator):
    r"""Find the couplings, and what else moves oscillators, in their measured phases.

    .. math::
        \dot\theta_i = \omega_i + \sum_j K_{ij} \sin(\theta_j - \theta_i)

    or any other equation whose states are phases. What phases do between two samples is an integral
    of the right-hand side along their smoothed paths. It is regressed on the couplings, freed of
    the correlations that the noise of measurement and of the dynamics leave in it; how much of
    each there is, and how large couplings are, is told by the evidence of the data. Paths are then
    bent to the equation, and all is done again. At last short trajectories are fitted to the
    phases as they were measured, through the exact adjoint.

    Couplings are one free matrix, or a function :math:`K_\mu(x_i, x_j)` of the features of two
    nodes, which holds for nodes that were never measured.

    Parameters
    ----------
    dynamics : str, type or Dynamics, default="kuramoto"
        The equation of motion: ``"kuramoto"``, ``"sakaguchi"``, ``"daido"``, ``"theta_neurons"``, a
        :class:`skkuranet.dynamics.Dynamics` class of your own whose states are phases, or an
        instance with the parameters that are known and that all nodes share.
    couplings : {"auto", "matrix", "pairwise"}, default="auto"
        ``"matrix"``: one coupling for each pair of nodes, which are the same in all recordings.
        ``"pairwise"``: a perceptron on the features of both. ``"auto"``: a matrix where there are
        no features, or those that are the identity matrix and tell nothing but which node it is.
    columns : dict, default=None
        Columns of X that hold known parameters of the nodes, such as ``{"frequency": 0}``.
    fit_parameters : sequence of str, default=None
        Parameters of the nodes to be found, such as ``("frequency", "phase_lag")``; None for
        the frequency, where the equation has one that is not known.
    fit_noise : bool, default=False
        Whether networks have the noise that was found.
    prior_scale : float, default=None
        Size that couplings are expected to have; None tells it from the data.
    max_gap : float, default=None
        Units of time that may pass without a measurement of a node and are bridged. At longer gaps
        recordings are cut. None for three times what nine in ten sampling intervals do not exceed.
    n_rounds : int, default=3
        Rounds of regression.
    window : float, default=None
        Length of the trajectories that are fitted at last, and over which :meth:`score` foretells,
        in units of time; None for ten sampling intervals.
    step_size : float, default=None
        Step of trajectories in units of time; None for one in which no oscillator turns far.
    max_iter : int, default=200
        Iterations of the last fit; 0 leaves it out. It is left out, too, where the noise of
        the dynamics would bend trajectories more than that of measurement blurs them.
    hidden_layer_sizes : array-like of int, default=(64, 64)
        Widths of the hidden layers of pairwise couplings.
    n_train_iter : int, default=300
        Iterations, at most, in which pairwise couplings are trained on the regression, in each
        round. They end when couplings of oscillators that were left out no longer get better.
    memory_budget : int, default=2**30
        Bytes that the normal equations of pairwise couplings may take.
    random_state : int, RandomState instance or None, default=None
        Source of the initial weights of pairwise couplings. A matrix needs none.
    verbose : bool, int or None, default=None
        As for :class:`KuraNetClusterer`.

    Attributes
    ----------
    couplings_ : ndarray of shape (n, n) or torch.nn.Module
        The matrix, or the coupling network.
    coupling_errors_ : ndarray of shape (n, n)
        Standard errors of a matrix.
    parameters_ : dict
        What was found of the nodes, by name: (n,), or a list of such, one for each recording, where
        couplings are pairwise.
    frequency_ : ndarray of shape (n,) or list of ndarray
        The frequencies among them, where they were fitted.
    noise_ : float
        Standard deviation of the noise of the dynamics, in radians per square root of time.
    measurement_noise_ : float
        Standard deviation of the noise of measurement, in radians.
    n_determined_ : float
        Of how many couplings, or sums of them, the recordings tell; a mean over oscillators.
    loss_curve_ : list of float
        Losses of pairwise couplings, then of the last fit, per measured phase.
    n_iter_ : int
        Iterations of the last fit.
    n_features_in_ : int
        Number of features seen in fit, where there were any.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had names.

    See Also
    --------
    phases_from_signal : Phases of signals.
    OscillatorNetwork : What :meth:`network` returns.

    Notes
    -----
    Phases that are locked to one another tell nothing of what locks them: fit warns of that. Record
    how they come into step, or how they return after a kick, or several such.

    Examples
    --------
    Twelve oscillators with unknown couplings, measured with noise:

    >>> import numpy as np
    >>> from skkuranet import KuraNetIdentifier, OscillatorNetwork
    >>> rng = np.random.default_rng(0)
    >>> K = rng.normal(0.0, 0.1, (12, 12)) * (1 - np.eye(12))
    >>> network = OscillatorNetwork(K, frequency=rng.normal(size=12))
    >>> path = network.simulate(n_steps=1000, random_state=0)
    >>> phases = path.phases + rng.normal(0.0, 0.03, path.phases.shape)
    >>> identifier = KuraNetIdentifier().fit(None, phases % (2 * np.pi), path.times)
    >>> bool(np.corrcoef(identifier.coupling_matrix().ravel(), K.ravel())[0, 1] > 0.99)
    True
    >>> round(identifier.measurement_noise_, 2)
    0.03
    """

    _parameter_constraints: dict = {
        "dynamics": [StrOptions(set(DYNAMICS)), type, Dynamics],
        "couplings": [StrOptions({"auto", *LEARNERS})],
        "columns": [dict, None],
        "fit_parameters": ["array-like", None],
        "fit_noise": ["boolean"],
        "prior_scale": [Interval(Real, 0, None, closed="neither"), None],
        "max_gap": [Interval(Real, 0, None, closed="neither"), None],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "window": [Interval(Real, 0, None, closed="neither"), None],
        "step_size": [Interval(Real, 0, None, closed="neither"), None],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "hidden_layer_sizes": ["array-like"],
        "n_train_iter": [Interval(Integral, 1, None, closed="left")],
        "memory_budget": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose", None],
    }

    def __init__(
        self,
        dynamics="kuramoto",
        *,
        couplings="auto",
        columns=None,
        fit_parameters=None,
        fit_noise=False,
        prior_scale=None,
        max_gap=None,
        n_rounds=3,
        window=None,
        step_size=None,
        max_iter=200,
        hidden_layer_sizes=(64, 64),
        n_train_iter=300,
        memory_budget=2**30,
        random_state=None,
        verbose=None,
    ):
        self.dynamics = dynamics
        self.couplings = couplings
        self.columns = columns
        self.fit_parameters = fit_parameters
        self.fit_noise = fit_noise
        self.prior_scale = prior_scale
        self.max_gap = max_gap
        self.n_rounds = n_rounds
        self.window = window
        self.step_size = step_size
        self.max_iter = max_iter
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_train_iter = n_train_iter
        self.memory_budget = memory_budget
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, phases, times=None):
        """Find couplings and parameters in recordings of phases.

        Parameters
        ----------
        X : array-like of shape (n, n_features), list of such, or None
            Features of the nodes; a list holds those of each recording, where they differ. None
            where nothing is known of the nodes.
        phases : array-like of shape (n_times, n), Trajectory, or list of such
            In radians; from 0 to 2π, from −π to π or continuous. NaN where nothing was measured.
            A list holds several recordings, of any lengths.
        times : array-like of shape (n_times,), or list of such, default=None
            When phases were measured, in any rhythm; None for 0, 1, 2 …, or those of trajectories.

        Returns
        -------
        KuraNetIdentifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If X, phases or times cannot be used; the message says why.
        TypeError
            If they are of no known kind.

        Warns
        -----
        ConvergenceWarning
            If the last fit was not done after ``max_iter`` iterations.
        UserWarning
            If the recordings do not determine the couplings, or were sampled too coarsely, or the
            last fit was interrupted by Ctrl+C.
        """
        recordings = read_recordings(phases, times, self.max_gap)
        tables = self._tables(X, len(recordings), reset=True)
        kind = self.couplings
        if kind == "auto":
            kind = "matrix" if all(map(_only_names, tables)) else "pairwise"
        equation, columns = self._equation()
        groups = LEARNERS[kind].group(recordings, tables)
        groups = [
            Nodes(of_nodes, self._with_known(equation, columns, table), table)
            for of_nodes, table in groups
        ]
        learner = LEARNERS[kind](self, groups, random_source(self.random_state))
        progress = Progress(self.verbose, type(self).__name__, max(1, learner.n_iterations))
        with one_thread():
            learned = learner.learn(progress)
        self._fitted_equation, self._columns = equation, columns
        self._noise, self._answer = learned.given, learned.answer
        self.noise_ = float(np.sqrt(learned.given.drift))
        self.measurement_noise_ = float(np.sqrt(learned.given.measurement))
        self.couplings_ = learned.answer.couplings
        self.n_determined_ = learned.determined
        self.loss_curve_, self.n_iter_ = learned.losses, learned.n_iterations
        for name in ("coupling_errors_", "frequency_"):
            vars(self).pop(name, None)
        if learned.errors is not None:
            self.coupling_errors_ = learned.errors
        self.parameters_ = {
            name: learner.parameter([nodes.values[k] for nodes in groups])
            for k, name in enumerate(equation.fitted)
        }
        if "frequency" in self.parameters_:
            self.frequency_ = self.parameters_["frequency"]
        self._interval = float(np.median([nodes.interval for nodes in groups]))
        self._step = min(step_for(nodes, self.step_size) for nodes in groups)
        warn_if_undetermined(groups, learned.determined, pairwise=kind == "pairwise")
        if not learned.converged:
            warnings.warn(
                f"The fit of trajectories was not done after max_iter={self.max_iter} iterations. "
                "Raise max_iter, or take what there is.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def coupling_matrix(self, X=None):
        """Return the couplings of nodes.

        Parameters
        ----------
        X : array-like of shape (n, n_features), default=None
            Features of the nodes, new ones if couplings are pairwise. A matrix needs none.

        Returns
        -------
        ndarray of shape (n, n)
            How strongly each source, in columns, acts on each target, in rows.
        """
        check_is_fitted(self, "couplings_")
        return self._answer.matrix(self._table(X))

    def network(self, X=None, phases=None, times=None):
        """Return the network of these nodes, to simulate and analyse it.

        Parameters
        ----------
        X : array-like of shape (n, n_features), default=None
            Features of the nodes, new ones if couplings are pairwise. A matrix needs none.
        phases : array-like of shape (n_times, n), default=None
            A recording of new nodes, by which fitted parameters such as frequencies are told. None
            tells them from the features.
        times : array-like of shape (n_times,), default=None
            Of the recording.

        Returns
        -------
        OscillatorNetwork
        """
        check_is_fitted(self, "couplings_")
        table = self._table(X)
        recordings = None if phases is None else read_recordings(phases, times, self.max_gap)
        nodes = None if recordings is None else self._nodes(table, recordings)
        return self._network(table, nodes)

    def predict(self, X, phases, times):
        """Forecast phases.

        Parameters
        ----------
        X : array-like of shape (n, n_features), or None
            Features of the nodes, new ones if couplings are pairwise. None for those of a matrix.
        phases : array-like of shape (n,) or (n_known, n)
            Phases at the first of the times, or a recording at the first ``n_known`` of them. Where
            couplings are pairwise, a recording of six rows or more tells parameters such as
            frequencies, too.
        times : array-like of shape (n_times,)
            Times of the recording, and then those to forecast.

        Returns
        -------
        ndarray of shape (n_times - n_known, n)
            Phases in radians, continuous.

        Raises
        ------
        ValueError
            If there is nothing to forecast, or phases do not fit the nodes.
        """
        check_is_fitted(self, "couplings_")
        table = self._table(X)
        known = np.atleast_2d(as_table(phases, "phases"))
        with naming("times"):
            times = as_times(times, np.size(times), "times")
        if known.ndim != 2 or not known.size:
            raise ValueError(f"phases must have shape (n_times, n_nodes), got {known.shape}.")
        if len(times) <= len(known):
            raise ValueError(
                f"times must go on after the {len(known)} rows of phases; there are {len(times)}."
            )
        nodes, start = None, known[-1]
        if len(known) >= MIN_SAMPLES:
            nodes = self._nodes(table, read_recordings(known, times[: len(known)], self.max_gap))
            if nodes.pieces[-1].times[-1] == times[len(known) - 1]:
                start = nodes.estimates[-1][-1]
        if not np.isfinite(start).all():
            raise ValueError(
                "phases must hold a measurement of every node in the last row, from which the "
                f"forecast begins; {plain(np.flatnonzero(~np.isfinite(start)))} have none."
            )
        network = self._network(table, nodes)
        return forecast(network, start, times[len(known) - 1 :], self._step)

    def score(self, X, phases, times=None):
        """Return R² of what phases do in windows of time, foretold from their beginnings.

        Where couplings are pairwise, parameters such as frequencies are told by these recordings,
        as is the mean speed that forecasts are compared with.

        Parameters
        ----------
        X : array-like of shape (n, n_features), list of such, or None
            As for :meth:`fit`.
        phases : array-like of shape (n_times, n), Trajectory, or list of such
            Recordings that fit has not seen.
        times : array-like of shape (n_times,), or list of such, default=None
            As for :meth:`fit`.

        Returns
        -------
        float
            1 for a perfect forecast over each ``window``, 0 for one by the mean speed of each
            oscillator. Noise of measurement is part of what is to be foretold.
        """
        check_is_fitted(self, "couplings_")
        recordings = read_recordings(phases, times, self.max_gap)
        window = 10.0 * self._interval if self.window is None else self.window
        parts = []
        for recording, table in zip(recordings, self._tables(X, len(recordings), reset=False)):
            network = self._network(table, self._nodes(table, [recording]))
            parts.append((network, recording))
        return increments_r2(parts, window, self._step)

    def _tables(self, X: Any, n_recordings: int, *, reset: bool) -> list[np.ndarray | None]:
        """Return the features of the nodes of each recording."""
        several = isinstance(X, (list, tuple)) and len(X) and np.ndim(X[0]) == 2
        if several and len(X) != n_recordings:
            raise ValueError(
                f"X must hold one table for each of the {n_recordings} recordings, got {len(X)}."
            )
        if not several:
            return [self._table(X, reset=reset)] * n_recordings
        return [self._table(x, reset=reset and k == 0) for k, x in enumerate(X)]

    def _table(self, X: Any, *, reset: bool = False) -> np.ndarray | None:
        if X is None:
            return None
        with naming("X"):
            return validate_data(self, X, reset=reset, dtype=np.float64)

    def _equation(self) -> tuple[Equation, dict[str, int]]:
        """Return the equation, and columns of X that hold its known parameters."""
        known = dict(self.columns or {})
        names = kind_of(self.dynamics).names()
        unknown = [name for name in known if name not in names]
        if unknown:
            raise ValueError(
                f"columns names {plain(unknown[0])}, but {kind_of(self.dynamics).__name__} has "
                f"{', '.join(names) or 'no parameters'}."
            )
        fitted = self.fit_parameters
        if fitted is None:
            free = "frequency" in names and "frequency" not in known
            given = isinstance(self.dynamics, Dynamics) and "frequency" in self.dynamics.parameters
            fitted = ("frequency",) if free and not given else ()
        kind = kind_of(self.dynamics)
        missing = set(needed_by(self.dynamics)) - set(fitted) - set(known)
        if missing:
            raise ValueError(
                f"{kind.__name__} needs {plain(sorted(missing))}: name them in fit_parameters or "
                "columns, or pass an instance that has them."
            )
        needed = {name: 0.0 for name in needed_by(self.dynamics)}
        dynamics = self.dynamics if isinstance(self.dynamics, Dynamics) else kind(**needed)
        check_phase_equation(dynamics)
        check_fitted(dynamics, tuple(fitted), known)
        if known and not hasattr(self, "n_features_in_"):
            raise ValueError("columns name features, but X is None.")
        if not known:
            return Equation(dynamics, tuple(fitted)), {}
        names = getattr(self, "feature_names_in_", None)
        return Equation(dynamics, tuple(fitted)), resolve_columns(known, self.n_features_in_, names)

    @staticmethod
    def _with_known(equation: Equation, columns: dict[str, int], table: Any) -> Equation:
        return equation.given(node_parameters(table, columns) if columns else {})

    def _nodes(self, table: np.ndarray | None, recordings: list[Recording]) -> Nodes:
        """Return nodes with couplings, parameters and paths of theirs."""
        matrix = self._answer.matrix(table)
        for recording in recordings:
            if recording.n_nodes != len(matrix):
                raise ValueError(
                    f"phases are those of {recording.n_nodes} nodes, but there are "
                    f"{len(matrix)} in {'the matrix' if table is None else 'X'}."
                )
        nodes = Nodes(
            recordings, self._with_known(self._fitted_equation, self._columns, table), table
        )
        nodes.couplings = matrix
        own = self._answer.own_values()
        # What is not linear in its parameters needs a second look.
        for _ in range(2):
            if own is None:
                set_values(nodes, normals(nodes, self._noise.ratio))
            else:
                nodes.values = own
            nodes.correct_paths(self._noise)
        return nodes

    def _network(self, table: np.ndarray | None, nodes: Nodes | None) -> OscillatorNetwork:
        matrix = self._answer.matrix(table)
        if nodes is not None:
            values = nodes.values
        else:
            values = self._answer.own_values()
            values = self._answer.values_of(table) if values is None else values
        equation = self._with_known(self._fitted_equation, self._columns, table)
        return OscillatorNetwork(
            matrix,
            equation.at(torch.as_tensor(values)),
            noise=self.noise_ if self.fit_noise else None,
        )


def _only_names(table: np.ndarray | None) -> bool:
    """Say whether features tell nothing but which node it is."""
    return table is None or np.array_equal(table, np.eye(len(table)))
