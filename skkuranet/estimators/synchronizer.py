"""KuraNetSynchronizer: couplings that synchronise disordered oscillators."""

from __future__ import annotations

import dataclasses
import functools
from numbers import Real

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from skkuranet._utils.messages import plain, warn_caller
from skkuranet._utils.surroundings import silenced
from skkuranet.coupling import Normalization, product
from skkuranet.coupling._build import budget_on
from skkuranet.dynamics import (
    DYNAMICS,
    HISTORIES,
    Daido,
    Dynamics,
    Kuramoto,
    delay_in_steps,
    follow,
    wrap,
)
from skkuranet.dynamics._catalogue import kind_of
from skkuranet.estimators._arrays import as_given, checked, empty_like, on_host, validated
from skkuranet.estimators._base import KuraNetBase
from skkuranet.estimators._connectivity import warn_if_apart
from skkuranet.estimators._fit_task import FitTask
from skkuranet.estimators._network_presets import DEGREES, SYNCHRONY
from skkuranet.estimators._node_columns import resolve_columns, roles_of
from skkuranet.estimators._oscillators import CPU, OscillatorBase
from skkuranet.estimators._phase_clusters import phasors
from skkuranet.estimators._schedule_presets import ANY, DELAYED, FEW, INERTIAL, PROMPT, Regime
from skkuranet.estimators._settling import WATCHED_TIME, settled
from skkuranet.estimators._simulation import LIMIT_TIME, steps_in
from skkuranet.estimators._trained_network import check_delays
from skkuranet.losses import mean_field
from skkuranet.objectives import OBJECTIVES, Objective
from skkuranet.training._schedule import Curriculum

# Spread of the initial phases of the reference network, which starts close to synchrony.
_NOISE = 0.1
# Rows that so many networks would hold are few.
_FEW_NETWORKS = 2


class KuraNetSynchronizer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, OscillatorBase):
    r"""Learn the couplings under which disordered oscillators synchronise.

    Every row of X is an oscillator; some columns are its natural frequency ω, the strength
    b of an external field and its transmission delay τ. A neural network maps the rows of two
    oscillators to their coupling; it is trained so that, under

    .. math::
        \dot\theta_i = \omega_i + \sum_j K_\mu(x_i, x_j) \sin(\theta_j(t - \tau_j) - \theta_i)
                       + b_i \sin\theta_i ,

    all phases come together (Ricci et al. 2021, section III.A). Couplings are symmetric,
    not negative, and a scarce resource: their mean degree
    :math:`\langle d \rangle = \frac1n \sum_{ij} K_{ij}` is fixed, at any number of
    oscillators.

    :meth:`simulate` and :meth:`score` run the mutual dynamics of the rows they are given.
    :meth:`predict` and :meth:`transform` answer for each row alone: where it comes to rest
    when it is driven by a *reference network* of training rows.

    Parameters
    ----------
    frequency : int, str or None, default=0
        Column of the natural frequencies ω, in radians per unit of time; None for 0.
    field : int, str or None, default=None
        Column of the external field strengths b; None for no field.
    delay : int, str or None, default=None
        Column of the delays τ, in units of time; each is that of the oscillator as a source
        and is rounded to steps. None for no delays.
    dynamics : str, type or Dynamics, default="kuramoto"
        The equation of motion: ``"kuramoto"``, ``"sakaguchi"``, ``"second_order"`` or another name
        in :data:`skkuranet.dynamics.DYNAMICS`, a :class:`skkuranet.dynamics.Dynamics` class of your
        own, or an instance with the parameters that all nodes share.
    columns : dict, default=None
        Columns of further node parameters of the dynamics, for instance
        ``{"phase_lag": 1}`` or ``{"inertia": "m", "damping": "d"}``; ``frequency``, ``field`` and
        ``delay`` are short for the same. ``"noise"`` names the column of standard deviations.
    noise : float, default=None
        Standard deviation of the noise that acts on all nodes, in radians per square root of time;
        None for no noise. Training, :meth:`simulate` and :meth:`score` have it; :meth:`predict` and
        :meth:`transform` tell where nodes would rest without.
    objective : {"synchrony", "frequency"}, type or Objective, default="synchrony"
        What is wanted: ``"synchrony"`` of phases, a small circular variance; ``"frequency"``, that
        all nodes turn alike; a subclass of :class:`skkuranet.objectives.SynchronyObjective`, or an
        objective that has been made for these rows.
    average_degree : float, default=1.0
        Mean degree :math:`\langle d \rangle` of the couplings.
    normalization : {"auto", "mean_degree", "equal_degree"} or Normalization, default="auto"
        How degrees are fixed. ``"mean_degree"``: oscillators share the mean out among themselves.
        ``"equal_degree"``: all have the same, and only learn with whom to couple. ``"auto"`` is
        what suits the dynamics, ``"equal_degree"`` for ``"sis"`` unless there is a
        ``connectivity``, and ``"mean_degree"`` for all others that are built in.
    coupling : {"factorized", "pairwise"} or torch.nn.Module, default="factorized"
        The coupling network. ``"factorized"``: :math:`a(x_i)^T b(x_j) + b(x_i)^T a(x_j)`, linear
        in the number of oscillators. ``"pairwise"``: the paper's perceptron on both rows,
        quadratic. Or a module whose outputs are the logarithms of couplings, symmetric if the
        couplings are to be; see :class:`skkuranet.coupling.CouplingNetwork`.
    connectivity : array-like, sparse matrix, networkx graph or callable, default=None
        Graph whose edges alone may couple: a matrix (n_samples, n_samples) that is nonzero
        where two rows may, or a callable from rows to such a matrix, for instance
        ``functools.partial(kneighbors_graph, n_neighbors=5)``. It is made symmetric. Training
        draws networks of ``network_size`` rows and calls it for each; with a matrix it trains
        on the one network of all rows. None couples all pairs.
    edge_weights : bool, default=False
        Whether couplings begin with the weights of ``connectivity``, which are positive, and the
        coupling network sees them beside the features of nodes. Else its pattern alone counts.
        Where :meth:`predict` couples new rows, they have the geometric mean of the weights.
    node_identity : bool, default=False
        Whether to learn the couplings of the very nodes of X, say of one graph, and not of any
        nodes with such features: the coupling network also sees which node it looks at. That
        allows more than features do, but rows that were not in fit have no couplings then, and are
        refused. Nodes are known by their rows, which have to differ. With a callable
        ``connectivity`` that leaves out lines at random, and networks of all rows, it designs what
        withstands such faults.
    hidden_layer_sizes : array-like of int, default=(128, 128)
        Widths of the hidden layers.
    rank : int, default=None
        Length of the vectors a and b of the factorised network; None for 32.
    history : {"rotation", "constant"}, default="rotation"
        Phases before t = 0, which delays reach back to: those of free rotation at the natural
        frequencies, or the initial ones.
    network_size : int, default=100
        Oscillators in each network drawn for training.
    batch_size : int, default=16
        Networks drawn for each iteration.
    max_iter : int, default=None
        Iterations of training; its whole schedule scales with it. None for 1000. Few rows, up to
        twice ``network_size`` without delays and ``connectivity``, take 4 for each, 200 at least
        and 400 at most.
    learning_rate_init : float, default=None
        Peak learning rate of Adam; None for 3e-3, or 1e-2 for few rows.
    weight_decay : float, default=0.0
        Decoupled weight decay.
    step_size : float, default=0.1
        Euler step, in units of time; delays should be multiples of it. It should be small against
        1 / ω, 1 / b and 1 / ⟨d⟩. Without delays, training takes up to five times this step.
    n_steps : int, default=None
        Steps of the longest trajectories of training; None for 60 without delays and 150
        with them.
    tol : float, default=0.0
        Training stops early when the circular variance at the limit stays below it for eight
        checks, 25 iterations apart or a twentieth of all; 0 never stops early.
    n_init : int, default=1
        Number of networks trained; the best is kept. A module passed as ``coupling``
        starts every one of them with its own weights.
    n_jobs : int, default=None
        Number of jobs for ``n_init``. It does not change results.
    warm_start : bool, default=False
        Start from the couplings of the last fit, whatever ``coupling``, ``hidden_layer_sizes``
        and ``rank`` say by now. The schedule of training begins anew, but the old couplings
        stay unless new ones do better at the limit.
    n_reference : int, default=1000
        Number of training rows in the reference network, at most. With a connectivity
        matrix it is the network of all rows. One that does not lock is remembered in motion,
        100 units of time at 4 bytes for each oscillator and step.
    memory_budget : int or "auto", default="auto"
        Bytes that two copies of stored couplings may take; "auto" is 2**30 on a processor and half
        of the memory of a card. A larger network is simulated in tiles that are never stored;
        batches of training beyond it are refused.
    precision : {"single", "bfloat16"}, default="single"
        In which pairwise couplings are stored when networks are simulated. ``"bfloat16"`` takes
        half the memory and, on processors and cards that compute in it, less time. It rounds what
        the network says by some tenths of a percent, and thus strong couplings by some percent. It
        keeps phases in single precision.
    device : str or torch.device, default="auto"
        "auto" uses a CUDA device where there is one, and that of X if X is a tensor. Fitted
        attributes are arrays, or tensors where X is, if scikit-learn dispatches; the coupling
        network is on the CPU.
    random_state : int, RandomState instance or None, default=None
        Source of initial weights, networks and phases.
    verbose : bool, int or None, default=None
        Print the loss every 50 iterations. None says how far a fit is, every ten
        seconds from the tenth on; 0 is silent.
    checkpoint : str or path-like, default=None
        File, by the number of its restart, in which fit keeps the state of training. A fit that
        was killed and is called again with the same data, parameters and ``random_state``, a
        number, goes on from there and ends as if nothing had happened; then the file is deleted.
    checkpoint_every : int, default=100
        Iterations between states.

    Attributes
    ----------
    coupling_ : torch.nn.Module
        The trained coupling network, on the CPU.
    normalization_ : Normalization
        What fixes the degrees.
    columns_ : dict
        Index of the column of X that is the frequency, field and delay, where there is one.
    reference_features_ : ndarray of shape (n_reference, n_features)
        Rows of the reference network.
    reference_phases_ : ndarray of shape (n_reference,)
        Their phases at the limit, in radians.
    reference_frequency_ : float
        Frequency Ω of their mean field.
    effective_frequencies_ : ndarray of shape (n_reference,)
        Mean dθ/dt of each of them at the limit.
    locked_ : ndarray of shape (n_reference,), bool
        Which of them turn with the mean field; the others drift.
    loss_curve_ : list of float
        Training loss of every iteration.
    limit_loss_ : float
        Circular variance of training networks at the limit.
    n_iter_ : int
        Number of iterations done.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had names.

    See Also
    --------
    KuraNetClusterer : Oscillators that synchronise into classes.
    skkuranet.dynamics.integrate : The dynamics alone, with couplings of your own.

    References
    ----------
    M. Ricci et al., "KuraNet: Systems of Coupled Oscillators that Learn to Synchronize",
    arXiv:2105.02838, 2021.

    Examples
    --------
    >>> from skkuranet import KuraNetSynchronizer
    >>> from skkuranet.datasets import make_disorder
    >>> X = make_disorder("I", 500, random_state=0)
    >>> synchronizer = KuraNetSynchronizer(max_iter=100, random_state=0).fit(X)
    >>> new = make_disorder("I", 2000, random_state=1)
    >>> bool(synchronizer.score(new) > 0.9)
    True
    """

    _presets = SYNCHRONY

    _parameter_constraints: dict = {
        **KuraNetBase._parameter_constraints,
        "frequency": "no_validation",
        "field": "no_validation",
        "delay": "no_validation",
        "dynamics": [StrOptions(set(DYNAMICS)), type, Dynamics],
        "columns": [dict, None],
        "noise": [Interval(Real, 0, None, closed="left"), None],
        "objective": [StrOptions(set(OBJECTIVES)), type, Objective],
        "average_degree": [Interval(Real, 0, None, closed="neither")],
        "normalization": [StrOptions({"auto", *DEGREES}), Normalization],
        "connectivity": ["array-like", "sparse matrix", callable, None],
        "edge_weights": ["boolean"],
        "node_identity": ["boolean"],
        "history": [StrOptions(set(HISTORIES))],
        **{
            name: [*KuraNetBase._parameter_constraints[name], None]
            for name in ("max_iter", "learning_rate_init", "n_steps")
        },
    }

    def __init__(
        self,
        frequency=0,
        *,
        field=None,
        delay=None,
        dynamics="kuramoto",
        columns=None,
        noise=None,
        objective="synchrony",
        average_degree=1.0,
        normalization="auto",
        coupling="factorized",
        connectivity=None,
        edge_weights=False,
        node_identity=False,
        hidden_layer_sizes=(128, 128),
        rank=None,
        history="rotation",
        network_size=100,
        batch_size=16,
        max_iter=None,
        learning_rate_init=None,
        weight_decay=0.0,
        step_size=0.1,
        n_steps=None,
        tol=0.0,
        n_init=1,
        n_jobs=None,
        warm_start=False,
        n_reference=1000,
        memory_budget="auto",
        precision="single",
        device="auto",
        random_state=None,
        verbose=None,
        checkpoint=None,
        checkpoint_every=100,
    ):
        self.frequency = frequency
        self.field = field
        self.delay = delay
        self.dynamics = dynamics
        self.columns = columns
        self.noise = noise
        self.objective = objective
        self.average_degree = average_degree
        self.normalization = normalization
        self.coupling = coupling
        self.connectivity = connectivity
        self.edge_weights = edge_weights
        self.node_identity = node_identity
        self.hidden_layer_sizes = hidden_layer_sizes
        self.rank = rank
        self.history = history
        self.network_size = network_size
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.learning_rate_init = learning_rate_init
        self.weight_decay = weight_decay
        self.step_size = step_size
        self.n_steps = n_steps
        self.tol = tol
        self.n_init = n_init
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.n_reference = n_reference
        self.memory_budget = memory_budget
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn couplings under which networks of rows of X synchronise.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Oscillators: natural frequencies, fields, delays and whatever else tells them
            apart.
        y : None
            Not used.

        Returns
        -------
        KuraNetSynchronizer
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or a parameter cannot be used; the message says why.
        FloatingPointError
            If the loss is not finite.

        Warns
        -----
        ConvergenceWarning
            If training networks do not synchronise, or if oscillators of the reference network
            drift.
        """
        given = X
        X = validated(self, X, ensure_min_samples=2)
        names = getattr(self, "feature_names_in_", None)
        roles = roles_of(
            self.dynamics,
            self.columns,
            frequency=self.frequency,
            field=self.field,
            delay=self.delay,
        )
        columns = resolve_columns(roles, X.shape[1], names)
        moving = self._node_motion(columns)
        n_steps = steps_in(LIMIT_TIME, self.step_size)
        motion = moving.in_single(X, CPU, LIMIT_TIME, n_steps)
        has_phases = motion["dynamics"].from_phases(torch.zeros(1)) is not None
        if isinstance(self.objective, str) and not has_phases:
            raise ValueError(
                f"dynamics={plain(self.dynamics)} has no phases that could synchronise: pass an "
                "objective of your own, a subclass of skkuranet.objectives.SynchronyObjective."
            )
        if "delay" in motion:
            # Once, so that a warning of rounding comes once.
            steps = delay_in_steps(motion["delay"], self.step_size)
            size = max(self.batch_size * self.network_size, min(len(X), self.n_reference))
            check_delays(steps, size, self.step_size, budget_on(self.memory_budget, CPU))
            motion["delay"] = steps.double() * self.step_size
        normalization = self._normalization(X)
        edges, graph = self._graph_of(X)
        result = self._learn(
            FitTask(
                X,
                None,
                1,
                objective=functools.partial(_objective, self.objective, motion),
                complete=functools.partial(self._complete, normalization, columns, X, edges),
                normalization=normalization,
                weight_decay=self.weight_decay,
                edges=edges,
                graph=graph,
                edge_weights=self._weights_of(X, edges, graph),
                encoding=self._identities(X),
                like=empty_like(given),
            )
        )
        if not result.converged and not result.interrupted:
            warn_caller(
                "The oscillators do not synchronise (circular variance "
                f"{result.limit_loss:.3f} at the limit). Raise average_degree or max_iter.",
                ConvergenceWarning,
            )
        elif not self._reference_rests:
            locked = on_host(self.locked_)
            drifting = np.count_nonzero(~locked)
            what = (
                f"{drifting} of {len(locked)} oscillators of the reference network drift."
                if drifting
                else "The reference network turns in its field."
            )
            warn_caller(
                f"{what} predict and transform integrate new rows against its motion; their "
                "phases are those of one moment. Raise average_degree or max_iter for a network "
                "that locks.",
                ConvergenceWarning,
            )
        if edges is None:
            # Once, for all predictions. That of a graph has all its nodes, which may be too many to
            # couple before anybody asks.
            self._reference_network(X)
        return self

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

    def _regime(self, X) -> Regime:
        if self.delay is not None or "delay" in (self.columns or {}):
            return DELAYED
        if kind_of(self.dynamics).solver != "euler":
            return INERTIAL
        if not issubclass(kind_of(self.dynamics), (Kuramoto, Daido)):
            return ANY
        few = self.connectivity is None and len(X) <= _FEW_NETWORKS * self.network_size
        return FEW if few else PROMPT

    def _normalization(self, X) -> Normalization:
        if isinstance(self.normalization, Normalization):
            return self.normalization
        name, is_graph = self.normalization, self.connectivity is not None
        if name == "auto":
            name = "mean_degree" if is_graph else kind_of(self.dynamics).normalization
        if name not in DEGREES:
            raise ValueError(
                f"{kind_of(self.dynamics).__name__}.normalization must be one of "
                f"{sorted(DEGREES)}, got {plain(name)}."
            )
        if name == "equal_degree" and is_graph:
            raise ValueError(
                "normalization='equal_degree' couples all pairs, as nodes of a graph may not be "
                "able to have one degree. With connectivity, set normalization='mean_degree'."
            )
        return DEGREES[name](self.average_degree, self._regime(X).density_exponent)

    def _curriculum(self, task: FitTask) -> Curriculum:
        curriculum = super()._curriculum(task)
        if task.edges is not None:
            # A graph of all rows has no networks within it that would be like it.
            curriculum = dataclasses.replace(curriculum, network_size=len(task.X))
        return self._regime(task.X).adapt(
            curriculum, n_rows=len(task.X), average_degree=self.average_degree
        )

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
        if dynamics.from_phases(torch.zeros(1)) is None:
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
        return _objective(self.objective, motion, CPU)


def _objective(kind, motion, device):
    if isinstance(kind, Objective):
        return kind
    made = OBJECTIVES[kind] if isinstance(kind, str) else kind

    def single(value):
        moved = isinstance(value, torch.Tensor)
        return value.to(device, torch.float32) if moved else value

    options = {name: single(value) for name, value in motion.items() if name != "dynamics"}
    return made(dynamics=motion["dynamics"].to(torch.float32, device), **options)
