"""KuraNetClusterer: oscillators that learn to synchronise into the classes."""

from __future__ import annotations

import dataclasses

import numpy as np
from sklearn.base import (
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils.validation import check_is_fitted

from skkuranet._arrays import as_given, check_library, empty_like, on_host
from skkuranet._base import Lesson
from skkuranet._clustering import ClusteringBase
from skkuranet._curriculum import Curriculum
from skkuranet._readout import phasors
from skkuranet._targets import check_classes, check_labelled
from skkuranet._tools import random_source

# Labelled rows from which on regularisation is what weight_decay says.
_ROWS = 1000


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
    the label of the nearest k-means centre of the reference phases. Each row's answer
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
    hidden_layer_sizes : array-like of int, default=(128, 128)
        Widths of the hidden layers.
    rank : int, default=None
        Number of blocks of the factorised network; None for max(16, 2 n_classes).
    normalization : {"auto", "balanced", "in_degree", "none"} or Normalization, default="auto"
        How couplings are made independent of the number of oscillators. ``"auto"`` is
        ``"balanced"`` for factorised couplings, which alone can have it, and
        ``"in_degree"`` for modules. That is the paper's absolute in-degree of 1, for
        factorised couplings an upper bound of it; with ``"auto"``, pairwise couplings are
        divided by a root of the node density before.
    network_size : int, default=100
        Oscillators in each network drawn for training.
    batch_size : int, default=4
        Networks drawn for each iteration.
    max_iter : int, default=600
        Iterations of training; its whole schedule scales with it.
    learning_rate_init : float, default=3e-3
        Peak learning rate of Adam.
    weight_decay : float, default=1.0
        Decoupled weight decay, the regularisation, for 1,000 labelled rows or more. For
        fewer it grows in proportion, up to tenfold: a prior counts for more where there is less
        data.
    step_size : float, default=1.0
        Euler step, in units of time.
    n_steps : int, default=100
        Steps of the longest trajectories of training.
    tol : float, default=1e-4
        Training stops early when the loss at the limit stays below it for eight checks,
        ``max(25, max_iter // 24)`` iterations apart; 0 never stops early.
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
        In a table, every row has a label unless ``unlabeled`` says which value means none; in a
        mask, -1 means none unless ``unlabeled`` says another value.
    n_reference : int, default=1000
        Number of training rows in the reference network, at most; each class has at
        least one.
    memory_budget : int, default=2**30
        Bytes that stored couplings may take. A larger network is simulated in tiles that
        are never stored; batches of training beyond it are refused.
    device : str or torch.device, default="auto"
        "auto" uses a CUDA device where there is one, and that of X if X is a tensor. Fitted
        attributes are arrays, or tensors where X is, if scikit-learn dispatches; the coupling
        network is on the CPU.
    random_state : int, RandomState instance or None, default=None
        Source of initial weights, networks and phases.
    verbose : bool or int, default=0
        Print the loss every 50 iterations.
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
    n_iter_ : int
        Number of iterations done.
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
        "unlabeled": "no_validation",
    }

    def __init__(
        self,
        coupling="factorized",
        *,
        hidden_layer_sizes=(128, 128),
        rank=None,
        normalization="auto",
        network_size=100,
        batch_size=4,
        max_iter=600,
        learning_rate_init=3e-3,
        weight_decay=1.0,
        step_size=1.0,
        n_steps=100,
        tol=1e-4,
        n_init=1,
        n_jobs=None,
        warm_start=False,
        unlabeled=None,
        n_reference=1000,
        memory_budget=2**30,
        device="auto",
        random_state=None,
        verbose=0,
        checkpoint=None,
        checkpoint_every=100,
    ):
        self.coupling = coupling
        self.hidden_layer_sizes = hidden_layer_sizes
        self.rank = rank
        self.normalization = normalization
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
        self.unlabeled = unlabeled
        self.n_reference = n_reference
        self.memory_budget = memory_budget
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Learn couplings under which the rows of each class synchronise.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.
        y : array-like of shape (n_samples,)
            Class of each row, or ``unlabeled``.

        Returns
        -------
        KuraNetClusterer
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or y cannot be used; the message says why.
        FloatingPointError
            If the loss is not finite.
        """
        given = X
        X, y, classes, codes = check_labelled(self, X, y, reset=True, ensure_min_samples=2)
        check_classes(X, classes, codes, self.network_size)
        self._learn_classes(
            X,
            y,
            codes,
            classes,
            "y",
            like=empty_like(given),
            # Few rows cannot outweigh a prior as many do.
            weight_decay=self.weight_decay * np.clip(_ROWS / np.sum(codes >= 0), 1.0, 10.0),
        )
        self.labels_ = as_given(self._labels(X), given)
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

    def predict(self, X):
        """Return the label of the cluster that each row locks to.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of ``classes_``.
        """
        return as_given(self._labels(self._check(X, "predict")), X)

    def predict_proba(self, X):
        r"""Return class probabilities from the distance to the cluster centres.

        The probability of class l is proportional to :math:`e^{-\beta d_l^2}`, with d the
        distance of the phasor to the centre and β fitted by maximum likelihood on the
        training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        points = phasors(self._lock(self._check(X, "predict_proba")))
        return as_given(self._readout.probabilities(points), X)

    def transform(self, X):
        """Return the phasors (cos θ, sin θ) at which the rows lock.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Points of the unit circle.
        """
        return as_given(phasors(self._lock(self._check(X, "transform"))), X)

    def cluster(self, X, n_clusters=None, random_state=None):
        """Cluster rows by the limit of their mutual dynamics.

        This needs no classes, so it can be asked for clusters never seen in training; how
        well those are told apart depends on what the couplings learned of the features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features; one network is made of all rows.
        n_clusters : int, default=None
            Number of clusters; None for the number of classes in fit.
        random_state : int, RandomState instance or None, default=None
            Source of initial phases and of k-means; None takes the estimator's. Up to three draws
            of phases are tried, as clusters may stay merged for long on the way from one.

        Returns
        -------
        ndarray of shape (n_samples,), int
            Cluster of each row, from 0.
        """
        given, X = X, self._check(X, "cluster")
        n_clusters = len(self.classes_) if n_clusters is None else n_clusters
        self._check_number("n_clusters", n_clusters, len(X), "rows")
        seed = self.random_state if random_state is None else random_state
        return as_given(self._clusters(X, n_clusters, random_source(seed)), given)

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
        seed = self.random_state if random_state is None else random_state
        return self._limit_loss(X, codes, len(classes), random_source(seed))

    def _curriculum(self, lesson: Lesson) -> Curriculum:
        # Stopping waits for a third of the schedule, however long that is.
        check_every = max(25, self.max_iter // 24)
        return dataclasses.replace(super()._curriculum(lesson), check_every=check_every)

    def _loss_at_limit(self, X, seed):
        codes = np.searchsorted(on_host(self.classes_), self._labels(X))
        return self._limit_loss(X, codes, len(self.classes_), random_source(seed))

    def _labels(self, X):
        return on_host(self.classes_)[self._readout.codes(phasors(self._lock(X)))]
