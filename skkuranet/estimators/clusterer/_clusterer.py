"""KuraNetClusterer: oscillators that learn to synchronise into the classes."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skkuranet.dynamics import DYNAMICS, Dynamics
from skkuranet.estimators._clustering import ClusteringBase
from skkuranet.estimators._unseen import GROUPS, check_parameters
from skkuranet.estimators.clusterer._learning import RowLearner


class KuraNetClusterer(RowLearner):
    r"""Classify data by oscillators that learn to synchronise into clusters.

    Every row of X is an oscillator. A neural network maps the features of two rows to
    their coupling; it is trained so that, whatever the initial phases, the flow

    .. math:: \dot\theta_i = \sum_j K_\mu(x_i, x_j) \sin(\theta_j - \theta_i)

    ends with the rows of each class in phase and the classes spread evenly around the
    circle (Ricci et al. 2021, section III.B).

    Predictions are exact and in closed form: a new row is driven by a reference network
    of training rows, comes to rest at the angle of the field that they exert, and gets
    the label of the class whose rows pull it most. Each row's answer
    depends on that row alone. :meth:`simulate` and :meth:`cluster` run the mutual
    dynamics of new rows among themselves instead.

    To scikit-learn it is a classifier; ``skkuranet.KuraNetClassifier`` is the same class.

    Parameters
    ----------
    coupling : {"factorized", "pairwise"} or torch.nn.Module, default="factorized"
        The coupling network. ``"factorized"``: learned soft blocks and couplings between
        them, linear in the number of oscillators. ``"pairwise"``: the paper's
        perceptron on both rows, quadratic. Or a module; see
        :class:`skkuranet.coupling.CouplingNetwork` for what it must provide.
    hidden_layer_sizes : array-like of int, default=None
        Widths of the hidden layers. None is (64, 64) for each of the four perceptrons of factorised
        couplings, and (128, 128) for pairwise ones.
    rank : int, default=None
        Number of blocks of the factorised network, at most: twice the number of classes or more
        for two blocks in each class, else one. None makes two for four classes, where one does not
        do.
    normalization : {"auto", "balanced", "in_degree", "none"} or Normalization, default="auto"
        How couplings are made independent of the number of oscillators. ``"auto"`` is
        ``"balanced"`` for factorised couplings, which alone can have it, and
        ``"in_degree"`` for modules. That is the paper's absolute in-degree of 1, for
        factorised couplings an upper bound of it; with ``"auto"``, pairwise couplings are
        divided by a root of the node density before.
    readout : {"pulls", "kmeans"}, default="pulls"
        What names a row. ``"pulls"``: the class whose labelled rows pull it most, weighed with how
        frequent classes are. ``"kmeans"``: the nearest of the k-means centres of the phases, as in
        the paper; more than a few classes are then hard to tell apart on one circle.
    class_weight : dict, "balanced" or None, default=None
        What the rows of each class count for. ``"balanced"`` makes all classes count alike.
    groups : {"seen", "unseen"}, default="seen"
        What is learned. ``"seen"``: which of the classes of fit a row is of. ``"unseen"``: what
        makes two rows alike, so that :meth:`cluster` finds groups of classes that were never
        there, and how many; :meth:`transform` shows where rows come to rest, as unit vectors, and
        methods that name classes are refused. It runs on the processor; besides what follows,
        ``hidden_layer_sizes``, ``unlabeled``, ``random_state`` and ``verbose`` count, and all else
        has to stay at its default.
    connectivity : "knn", callable, array-like or sparse matrix, default="knn"
        With ``groups="unseen"``, which rows are neighbours: the nearest in each of several
        metrics, or those with an edge in a matrix (n_samples, n_samples), which a callable makes
        of any X.
    threshold : float or "auto", default="auto"
        With ``groups="unseen"``, the distance 1 - cos, from 0 to 2, below which groups are one.
        ``"auto"`` is what is best for networks of training.
    dynamics : str, type or Dynamics, default="kuramoto"
        The equation of motion of the phases: a name in :data:`skkuranet.dynamics.DYNAMICS`, a class
        or an instance with parameters that all rows share. It moves training networks, the
        reference network and what :meth:`simulate`, :meth:`cluster` and :meth:`transform` show.
    network_size : int or "auto", default="auto"
        Oscillators in each network drawn for training, of each class one at least. ``"auto"`` is
        100, or five for each class if that is more.
    batch_size : int, default=4
        Networks drawn for each iteration.
    max_iter : int, default=None
        Iterations of training at most; its whole schedule scales with it. None follows the size
        of the table for factorised couplings, whose classes are learned in closed form before
        trajectories, and is 600 for others.
    learning_rate_init : float, default=1e-2
        Peak learning rate of Adam in closed form; through trajectories it is three tenths of it.
    weight_decay : float, default=1.0
        Decoupled weight decay, the regularisation, for 1,000 labelled rows. It is divided by their
        number in thousands, as a prior counts for more where there is less data: down to a
        fiftieth and up to fivefold for factorised couplings, and up to tenfold for others.
    step_size : float, default=1.0
        Euler step, in units of time.
    n_steps : int, default=100
        Steps of the longest trajectories of training.
    tol : float, default=1e-4
        Trajectories stop early when the loss at the limit is below it. Couplings that are not
        factorised must be so in eight checks, ``max(25, max_iter // 24)`` iterations apart. 0
        never stops early.
    early_stopping : bool, default=True
        Whether closed form ends when the loss on rows that were left out no longer falls, and
        trajectories when that at the limit no longer does.
    n_iter_no_change : int, default=6
        Looks at the rows left out, 25 iterations or all rows apart, without progress before the
        learning rate falls.
    n_init : int, default=1
        Number of networks trained; the best is kept. A module passed as ``coupling``
        starts every one of them with its own weights.
    n_jobs : int, default=None
        Number of jobs for ``n_init``. It does not change results.
    warm_start : bool, default=False
        Start from the couplings of the last fit, whatever ``coupling``, ``hidden_layer_sizes``
        and ``rank`` say by now. The schedule of training begins anew, but the old couplings
        stay unless new ones do better at the limit.
    unlabeled : object, default=None
        Value in y of rows whose class is not known, for instance -1, "" or NaN, which stands for
        None and the NA of pandas too. They take part in the dynamics and not in the loss.
        In a table, every row has a label unless ``unlabeled`` says which value means none; in the
        masks of :class:`KuraNetSegmenter` -1 does, and 0 as painting tools save it.
    n_reference : int, default=1000
        Number of training rows in the reference network, at most; each class has at
        least one.
    memory_budget : int or "auto", default="auto"
        Bytes that stored couplings may take; "auto" is 2**30 on a processor and half of the memory
        of a card. A larger network is simulated in tiles that are never stored; batches of
        training beyond it are refused.
    precision : {"single", "bfloat16"}, default="single"
        In which pairwise couplings are stored when networks are simulated. ``"bfloat16"`` takes
        half the memory and, on processors and cards that compute in it, less time. It rounds what
        the network says by some tenths of a percent, and keeps phases in single precision.
    device : str or torch.device, default="auto"
        "auto" uses a CUDA device where there is one, and that of X if X is a tensor. Fitted
        attributes are arrays, or tensors where X is, if scikit-learn dispatches; the coupling
        network is on the CPU.
    random_state : int, RandomState instance or None, default=None
        Source of initial weights, networks and phases.
    verbose : bool, int or None, default=None
        Print the loss every 50 iterations. None says how far a fit is, every ten seconds from the
        tenth on; 0 is silent.
    checkpoint : str or path-like, default=None
        File, by the number of its restart, in which fit keeps the state of training. A fit that
        was killed and is called again with the same data, parameters and ``random_state``, a
        number, goes on from there and ends as if nothing had happened; then the file is deleted.
    checkpoint_every : int, default=100
        Iterations between states.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    labels_ : ndarray of shape (n_samples,)
        Predicted label of each training row.
    cluster_centers_ : ndarray of shape (n_classes, 2)
        k-means centres of the reference phasors, in the order of ``classes_``.
    coupling_ : torch.nn.Module
        The trained coupling network, on the CPU.
    normalization_ : Normalization
        The normalisation that it was trained with.
    reference_features_ : ndarray of shape (n_reference, n_features)
        Rows of the reference network.
    reference_phases_ : ndarray of shape (n_reference,)
        Their phases at the limit, in radians.
    loss_curve_ : list of float
        Training loss of every iteration.
    limit_loss_ : float
        Cluster synchrony loss, from 0 to 1, of training networks at the limit.
    validation_scores_ : list of float
        Accuracy on rows that were left out, which count for what they do in training, each time
        that closed form looked at them.
    class_recall_ : ndarray of shape (n_classes,)
        Share of each class that is named right, of rows that were left out; empty where couplings
        do not learn in closed form.
    n_iter_ : int
        Number of iterations done.
    grouping_ : RowGroups
        What makes rows alike, and its ``threshold``; with ``groups="unseen"`` alone, as
        ``labels_`` are then groups of the training rows, from 0.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had names.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : Perceptron without oscillators.

    References
    ----------
    M. Ricci et al., "KuraNet: Systems of Coupled Oscillators that Learn to Synchronize",
    arXiv:2105.02838, 2021.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skkuranet import KuraNetClusterer
    >>> X, y = make_moons(300, noise=0.05, random_state=0)
    >>> clusterer = KuraNetClusterer(max_iter=100, random_state=0).fit(X, y)
    >>> bool(clusterer.score(X, y) > 0.95)
    True
    """

    _parameter_constraints: dict = {
        **ClusteringBase._parameter_constraints,
        "readout": [StrOptions({"pulls", "kmeans"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "groups": [StrOptions(GROUPS)],
        "connectivity": [StrOptions({"knn"}), callable, "array-like", "sparse matrix"],
        "threshold": [StrOptions({"auto"}), Interval(Real, 0, 2, closed="both")],
        "dynamics": [StrOptions(set(DYNAMICS)), type, Dynamics],
        "network_size": [StrOptions({"auto"}), Interval(Integral, 2, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "unlabeled": "no_validation",
    }

    def __init__(
        self,
        coupling="factorized",
        *,
        hidden_layer_sizes=None,
        rank=None,
        normalization="auto",
        readout="pulls",
        class_weight=None,
        groups="seen",
        connectivity="knn",
        threshold="auto",
        dynamics="kuramoto",
        network_size="auto",
        batch_size=4,
        max_iter=None,
        learning_rate_init=1e-2,
        weight_decay=1.0,
        step_size=1.0,
        n_steps=100,
        tol=1e-4,
        early_stopping=True,
        n_iter_no_change=6,
        n_init=1,
        n_jobs=None,
        warm_start=False,
        unlabeled=None,
        n_reference=1000,
        memory_budget="auto",
        precision="single",
        device="auto",
        random_state=None,
        verbose=None,
        checkpoint=None,
        checkpoint_every=100,
    ):
        self.coupling = coupling
        self.hidden_layer_sizes = hidden_layer_sizes
        self.rank = rank
        self.normalization = normalization
        self.readout = readout
        self.class_weight = class_weight
        self.groups = groups
        self.connectivity = connectivity
        self.threshold = threshold
        self.dynamics = dynamics
        self.network_size = network_size
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.learning_rate_init = learning_rate_init
        self.weight_decay = weight_decay
        self.step_size = step_size
        self.n_steps = n_steps
        self.tol = tol
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.n_init = n_init
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.unlabeled = unlabeled
        self.n_reference = n_reference
        self.memory_budget = memory_budget
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Learn couplings under which the rows of each class synchronise.

        Neither the order of the rows nor repetitions of one show in the result: rows that are
        repeated count more.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.
        y : array-like of shape (n_samples,)
            Class of each row, or ``unlabeled``.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts for, beside ``class_weight``. Rows of weight 0 are left out.

        Returns
        -------
        KuraNetClusterer
            The fitted estimator.

        Raises
        ------
        ValueError
            If X, y or weights cannot be used; the message says why.
        FloatingPointError
            If the loss is not finite.
        """
        check_parameters(self)
        self._next_mode.learn(self, X, y, sample_weight)
        return self

    def fit_predict(self, X, y):
        """Fit, and return the predicted labels of the training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.
        y : array-like of shape (n_samples,)
            Class of each row, or ``unlabeled``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of ``classes_``.
        """
        return self.fit(X, y).labels_
