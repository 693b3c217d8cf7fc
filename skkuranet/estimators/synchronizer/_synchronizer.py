"""KuraNetSynchronizer: couplings that synchronise disordered oscillators."""

from __future__ import annotations

from numbers import Real

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skkuranet.coupling import Normalization
from skkuranet.dynamics import (
    DYNAMICS,
    HISTORIES,
    Dynamics,
)
from skkuranet.estimators._base import KuraNetBase
from skkuranet.estimators._network_presets import DEGREES, SYNCHRONY
from skkuranet.estimators.synchronizer._learning import OscillatorLearner
from skkuranet.objectives import OBJECTIVES, Objective


class KuraNetSynchronizer(OscillatorLearner):
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
        self._learn_couplings(X)
        return self
