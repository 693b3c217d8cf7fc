"""KuraNetIdentifier: couplings found in measured phases."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from skkuranet._utils.surroundings import estimator_of_any_surroundings, one_thread
from skkuranet._utils.tools import random_source
from skkuranet.dynamics import DYNAMICS, Dynamics
from skkuranet.estimators._progress import Progress
from skkuranet.estimators.identifier._equation import equation_of, with_known
from skkuranet.estimators.identifier._fitted import FittedIdentifier
from skkuranet.estimators.identifier._knowledge import warn_if_unknown
from skkuranet.estimators.identifier._learners import LEARNERS
from skkuranet.estimators.identifier._recordings import read_recordings
from skkuranet.estimators.identifier._stages import Nodes, step_for
from skkuranet.estimators.identifier._suspicions import check_enough, check_nodes


@estimator_of_any_surroundings
class KuraNetIdentifier(FittedIdentifier):
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
        Standard errors of a matrix: large where recordings do not tell a coupling.
    determined_ : ndarray of shape (n, n)
        How far recordings tell each coupling of a matrix: 1 where its variance is nothing beside
        that before they were seen, 0 where it is the same.
    explained_ : float
        R² of what phases do in ten steps of time, foretold from the paths: 0 is that of constant
        frequencies, below it couplings are worse than none. A matrix foretells each half of the
        recordings by the other, pairwise couplings those they are learned from. NaN where
        recordings are too short to be cut in halves.
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
    Phases that are locked to one another tell nothing of what locks them: fit warns of that,
    ``determined_`` tells where, and ``coupling_errors_`` how much is unknown. Record how they
    come into step, or how they return after a kick, or several such.

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
            If the recordings do not determine the couplings, or couplings explain nothing of them;
            if they are sampled too coarsely, seem to be in another unit, stand still or hold a node
            twice; or if the last fit was interrupted by Ctrl+C.
        """
        recordings = read_recordings(phases, times, self.max_gap)
        tables = self._tables(X, len(recordings), reset=True)
        kind = self.couplings
        if kind == "auto":
            kind = "matrix" if all(map(_only_names, tables)) else "pairwise"
        equation, columns = equation_of(
            self.dynamics,
            self.columns,
            self.fit_parameters,
            getattr(self, "n_features_in_", None),
            getattr(self, "feature_names_in_", None),
        )
        if kind == "matrix":
            n_steps = sum(recording.n_steps for recording in recordings)
            check_enough(n_steps, recordings[0].n_nodes)
        groups = LEARNERS[kind].group(recordings, tables)
        for of_nodes, _ in groups:
            check_nodes(np.concatenate([p.phases for r in of_nodes for p in r.pieces]))
        groups = [
            Nodes(of_nodes, with_known(equation, columns, table), table)
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
        self.n_determined_ = float(learned.determined.mean())
        self.explained_ = learned.explained
        self.loss_curve_, self.n_iter_ = learned.losses, learned.n_iterations
        for name in ("coupling_errors_", "determined_", "frequency_"):
            vars(self).pop(name, None)
        if learned.errors is not None:
            self.coupling_errors_ = learned.errors
            self.determined_ = np.clip(1.0 - learned.errors**2 / learned.given.prior, 0.0, 1.0)
            np.fill_diagonal(self.determined_, 0.0)
        self.parameters_ = {
            name: learner.parameter([nodes.values[k] for nodes in groups])
            for k, name in enumerate(equation.fitted)
        }
        if "frequency" in self.parameters_:
            self.frequency_ = self.parameters_["frequency"]
        self._interval = float(np.median([nodes.interval for nodes in groups]))
        self._step = min(step_for(nodes, self.step_size) for nodes in groups)
        warn_if_unknown(groups, learned.determined, learned.explained, pairwise=kind == "pairwise")
        if not learned.converged:
            warnings.warn(
                f"The fit of trajectories was not done after max_iter={self.max_iter} iterations. "
                "Raise max_iter, or take what there is.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self


def _only_names(table: np.ndarray | None) -> bool:
    """Say whether features tell nothing but which node it is."""
    return table is None or np.array_equal(table, np.eye(len(table)))
