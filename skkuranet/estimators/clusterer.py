"""KuraNetClusterer: oscillators that learn to synchronise into the classes."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import (
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from skkuranet._utils.distinct import distinct_rows
from skkuranet._utils.messages import naming, plain
from skkuranet.coupling import MembershipNetwork
from skkuranet.coupling._build import budget_on
from skkuranet.dynamics import DYNAMICS, Dynamics
from skkuranet.estimators._arrays import (
    as_given,
    check_library,
    checked,
    device_for,
    empty_like,
    on_host,
)
from skkuranet.estimators._clustering import ClusteringBase
from skkuranet.estimators._fit_task import FitTask
from skkuranet.estimators._labels import check_classes, check_labelled
from skkuranet.estimators._node_columns import NodeMotion, check_phases
from skkuranet.estimators._phase_clusters import phasors
from skkuranet.estimators._simulation import settled_under
from skkuranet.estimators._unseen import GROUPS, check_parameters, learned_from_rows, of_seen_groups
from skkuranet.files._onnx import to_onnx
from skkuranet.training._schedule import Curriculum

# Nodes of networks drawn for training, at least and for each class.
_NETWORK, _NODES_PER_CLASS = 100, 5
# Iterations of couplings that learn through trajectories alone, and of those that need them for
# how classes act on one another; looks at the limit that may be in vain.
_ITERATIONS, _TRAJECTORIES, _STALL = 600, 100, 1
# How often closed form goes through the table, and its iterations at least and at most.
_EPOCHS, _CLOSED = 120, (150, 4000)
# Labelled rows from which on a tenth is held out to calibrate probabilities.
_CALIBRATED = 40
# Copies of probabilities on the way to a name, and rows of a part: a multiple of what couplings
# compute at once, so that parts change no answer.
_COPIES, _ROWS_OF_A_PART = 8, 1 << 11


class KuraNetClusterer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClassifierMixin, ClusteringBase
):
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
        if self.groups == "unseen":
            self._keep(learned_from_rows(self, X, y, sample_weight, self._sizes()))
            return self
        given = X
        check_phases(self.dynamics)
        X, y, classes, codes = check_labelled(self, X, y, reset=True, ensure_min_samples=2)
        everything = X
        if sample_weight is not None:
            with naming("sample_weight"):
                sample_weight = _check_sample_weight(
                    on_host(sample_weight), on_host(X), dtype=float, ensure_non_negative=True
                )
            some = np.flatnonzero(sample_weight > 0.0)
            X, y, codes, sample_weight = X[some], y[some], codes[some], sample_weight[some]
            # Scaled so that sums of them and of their squares do not overflow; by a power of two,
            # which rounds nothing.
            sample_weight = np.ldexp(sample_weight, -np.frexp(sample_weight.max(initial=0.0))[1])
            present, codes = np.unique(codes, return_inverse=True)
            # Unlabelled rows are still -1.
            codes = codes - np.sum(present < 0)
            classes = classes[present[present >= 0]]
        check_classes(X, classes, codes, self._size_of_networks(len(classes)))
        rows, counts = distinct_rows(X, codes, sample_weight)
        of_row = codes[rows]
        weights = self._weights(counts, of_row, classes)
        train, others = self._split(of_row)
        held_out = None if others is None else (X[rows[others]], of_row[others], weights[others])
        result = self._learn_classes(
            X[rows[train]],
            y[rows[train]],
            of_row[train],
            classes,
            "y",
            like=empty_like(given),
            weights=weights[train],
            held_out=held_out,
            weight_decay=self.weight_decay * self._decay(counts[of_row >= 0]),
        )
        found = self._codes(X[rows])
        self.labels_ = as_given(self._labels(everything), given)
        known = of_row >= 0
        hits = known & (found == of_row)
        right, all_rows = (
            np.bincount(of_row[some], counts[some], len(classes)) for some in (hits, known)
        )
        self._warn_of_lost_classes(result, np.flatnonzero(right < 0.5 * all_rows))
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

    @of_seen_groups("cluster(X)")
    def predict(self, X):
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of ``classes_``.
        """
        return as_given(self._labels(checked(self, X, "predict")), X)

    @of_seen_groups("cluster(X)")
    def predict_proba(self, X):
        r"""Return class probabilities.

        With ``readout="pulls"``, they follow from the coupling of a row to each class, and are
        calibrated on rows that were left out of training. With ``readout="kmeans"``, the
        probability of class l is proportional to :math:`e^{-\beta d_l^2}`, with d the distance of
        the phasor to the centre and β of maximum likelihood on the reference network; classes that
        have one centre in common share it out as they share its rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        found = self._log_probabilities(checked(self, X, "predict_proba"))
        return as_given(np.exp(found), X)

    @of_seen_groups("cluster(X)")
    def predict_log_proba(self, X):
        """Return the logarithms of the class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return as_given(self._log_probabilities(checked(self, X, "predict_log_proba")), X)

    def transform(self, X):
        """Return the phasors (cos θ, sin θ) at which the rows lock.

        With ``groups="unseen"``, the unit vectors at which one network of all rows comes to rest.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Points of the unit circle; (n_samples, 16) with ``groups="unseen"``.
        """
        seen = checked(self, X, "transform")
        if self.groups == "unseen":
            return as_given(self.grouping_.vectors(on_host(seen)), X)
        return as_given(phasors(self._lock(seen)), X)

    @of_seen_groups("cluster(X)")
    def simulate(
        self,
        X,
        *,
        n_steps=None,
        save_from=0,
        step_size=None,
        initial_phases=None,
        random_state=None,
    ):
        """Integrate the mutual dynamics of these rows alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features; one network is made of all rows.
        n_steps : int, default=None
            Number of steps; None for 500 units of time.
        save_from : int, default=0
            First step that is kept; ``n_steps`` keeps the limit alone.
        step_size : float, default=None
            Euler step in units of time; None takes the estimator's.
        initial_phases : array-like of shape (n_samples,), default=None
            In radians, and integrated in their own precision; None draws them at random, in
            single precision.
        random_state : int, RandomState instance or None, default=None
            Source of the initial phases; None takes the estimator's.

        Returns
        -------
        Trajectory
            ``times`` (T,) and ``phases`` (T, n_samples); tensors, on the same device, where X
            is one and scikit-learn dispatches.
        """
        return self._simulated(
            checked(self, X, "simulate"),
            n_steps=n_steps,
            save_from=save_from,
            step_size=step_size,
            initial_phases=initial_phases,
            random_state=random_state,
        )

    @of_seen_groups("cluster(X)")
    def network(self, X):
        """Return the network made of these rows, for analysis.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples; one network is made of all rows.

        Returns
        -------
        OscillatorNetwork
            With the learned couplings, in double precision; :mod:`skkuranet.analysis` finds where
            it locks and how stable it is.
        """
        return self.trained_network_.oscillators(checked(self, X, "network"))

    @of_seen_groups("cluster(X)")
    def coupling_matrix(self, X, Y=None):
        """Return couplings as a matrix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features of the targets.
        Y : array-like of shape (n_sources, n_features), default=None
            Node features of a network that drives the rows of X and on which they do not
            act back; None couples the rows of X with one another.

        Returns
        -------
        ndarray of shape (n_samples, n_samples) or (n_samples, n_sources)
            K[i, j] is the strength with which source j acts on target i.
        """
        sources = None if Y is None else checked(self, Y, "coupling_matrix", "Y")
        targets = checked(self, X, "coupling_matrix")
        return as_given(self.trained_network_.matrix(targets, sources), X)

    def cluster(self, X, n_clusters=None, random_state=None):
        """Cluster rows by the limit of their mutual dynamics.

        This needs no classes, so it can be asked for clusters never seen in training; how
        well those are told apart depends on what the couplings learned of the features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features; one network is made of all rows.
        n_clusters : int, default=None
            Number of clusters; None for the number of classes in fit. With ``groups="unseen"``,
            None finds it.
        random_state : int, RandomState instance or None, default=None
            Source of initial phases and of k-means; None takes the estimator's. Up to three draws
            of phases are tried, as clusters may stay merged for long on the way from one.

        Returns
        -------
        ndarray of shape (n_samples,), int
            Cluster of each row, from 0.
        """
        given, X = X, checked(self, X, "cluster")
        if self.groups == "unseen":
            if n_clusters is not None:
                self._check_number("n_clusters", n_clusters, len(X), "rows")
            return as_given(self.grouping_.cluster(on_host(X), n_clusters), given)
        n_clusters = len(self.classes_) if n_clusters is None else n_clusters
        self._check_number("n_clusters", n_clusters, len(X), "rows")
        return as_given(self._clusters(X, n_clusters, self._rng(random_state)), given)

    @of_seen_groups("cluster(X)")
    def synchrony_loss(self, X, y, *, random_state=None):
        """Return the cluster synchrony loss of the mutual dynamics at the limit (Table II).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features; one network is made of all rows.
        y : array-like of shape (n_samples,)
            True classes, or ``unlabeled``; classes not seen in fit are welcome.
        random_state : int, RandomState instance or None, default=None
            Source of the initial phases; None takes the estimator's.

        Returns
        -------
        float
            0 for clusters in phase and splay among each other, 1 for the opposite.
        """
        check_is_fitted(self)
        check_library(X, self, "synchrony_loss")
        X, _, classes, codes = check_labelled(self, X, y, reset=False)
        return self._limit_loss(X, codes, len(classes), self._rng(random_state))

    def to_onnx(self, path=None, *, dtype=np.float64):
        """Return ``predict`` and ``predict_proba`` as an ONNX model, for other runtimes.

        Parameters
        ----------
        path : str or path-like, default=None
            File to write it to as well.
        dtype : {float32, float64}, default=float64
            Type of the rows that it takes. It computes in single precision, as this does.

        Returns
        -------
        onnx.ModelProto
            From ``X`` of shape (n, n_features) to ``label`` of shape (n,) and ``probabilities`` of
            shape (n, n_classes).

        Raises
        ------
        ImportError
            If onnx is not installed.
        ValueError
            If classes were not learned in closed form: with couplings of pairs, a module of your
            own, or ``readout="kmeans"``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skkuranet import KuraNetClusterer
        >>> X, y = load_iris(return_X_y=True)
        >>> model = KuraNetClusterer(random_state=0).fit(X, y)
        >>> onnx_model = model.to_onnx()  # doctest: +SKIP
        """
        check_is_fitted(self)
        closed = isinstance(self.coupling_, MembershipNetwork) and self._pull_readout is None
        if not closed or self.readout != "pulls":
            raise ValueError(
                "to_onnx is for classes that were learned in closed form: set "
                "coupling='factorized' and readout='pulls'."
            )
        model = to_onnx(self.coupling_, on_host(self.classes_), dtype)
        if path is not None:
            with open(path, "wb") as file:
                file.write(model.SerializeToString())
        return model

    def _node_motion(self):
        return NodeMotion(self.dynamics)

    def _rest(self, coupling, X):
        if self._node_motion() == NodeMotion():
            return super()._rest(coupling, X)
        dynamics = self._node_motion().of(X, torch.float64, coupling.device)["dynamics"]
        states = torch.tensor(self._reference_states, dtype=torch.float64, device=coupling.device)
        return settled_under(dynamics, coupling, states, self.step_size)

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

    def _split(self, codes):
        """Divide rows into those to train on and those to calibrate on; None for no others.

        Couplings that learn in closed form leave out rows by themselves.
        """
        every = np.arange(len(codes))
        if self._in_closed_form or np.sum(codes >= 0) < _CALIBRATED:
            return every, None
        counts = np.bincount(codes[codes >= 0])
        # Of each class the last tenth: the order of rows says nothing.
        first = np.concatenate(([0], np.cumsum(counts)))
        last = [np.arange(b - (b - a) // 10, b) for a, b in pairwise(first)]
        held_out = np.flatnonzero(codes >= 0)[np.concatenate(last)]
        return np.setdiff1d(every, held_out), held_out

    def _weights(self, weights, codes, classes):
        """Return what rows count for, with the weight of their class."""
        known = codes >= 0
        if self.class_weight is None or not known.any():
            return weights
        of_class = compute_class_weight(
            self.class_weight,
            classes=classes,
            y=classes[codes[known]],
            sample_weight=weights[known],
        )
        bad = np.flatnonzero(~(np.isfinite(of_class) & (of_class > 0.0)))
        if len(bad):
            raise ValueError(
                f"class_weight must be positive for each class in y, got {plain(of_class[bad[0]])} "
                f"for {plain(classes[bad[0]])}. Set sample_weight=0 for rows that do not count."
            )
        return weights * np.where(known, of_class[codes.clip(0)], 1.0)

    def _decay(self, weights):
        """Return the factor of ``weight_decay`` for rows that count for so much."""
        # Kish's number of rows that would say as much if all counted alike.
        return self._share_of_decay(weights.sum() ** 2 / np.sum(weights**2))

    def _log_probabilities(self, X):
        return self._READOUTS[self.readout](self, X)

    def _by_pulls(self, X):
        if self._pull_readout is None:
            return self._reference_network(X).says(X, MembershipNetwork.log_probabilities)
        return self._pull_readout.log_probabilities(self._pulls_of_classes(X))

    def _by_kmeans(self, X):
        return self._readout.log_probabilities(phasors(self._lock(X)))

    _READOUTS = {"pulls": _by_pulls, "kmeans": _by_kmeans}

    def _codes(self, X):
        """Return the number of the most probable class of each row."""
        # So many rows at a time that their probabilities stay small beside the budget.
        budget = budget_on(self.memory_budget, device_for(self.device, X))
        rows = budget // (_COPIES * 8 * self.classes_.shape[0])
        rows = max(1, rows // _ROWS_OF_A_PART) * _ROWS_OF_A_PART
        parts = (X[first : first + rows] for first in range(0, X.shape[0], rows))
        return np.concatenate([self._log_probabilities(part).argmax(axis=1) for part in parts])

    def _labels(self, X):
        return on_host(self.classes_)[self._codes(X)]
