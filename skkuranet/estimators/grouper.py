"""KuraNetGrouper: oscillators that find groups without labels."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from skkuranet._utils.given import check_squares
from skkuranet._utils.messages import naming, plain, warn_caller
from skkuranet._utils.surroundings import estimator_of_any_surroundings
from skkuranet._utils.tools import random_source
from skkuranet.dynamics import Sphere, integrate
from skkuranet.estimators._arrays import check_kind
from skkuranet.estimators._versions import Versioned
from skkuranet.files import save
from skkuranet.grouping.neighbours import neighbours_of
from skkuranet.grouping.network import distances_along, signed_couplings
from skkuranet.grouping.readout import agreement, hierarchy

# Part of all rows that a cluster need not be larger than.
_PARTS = 4
# Agreement of starts below which rows may have no groups.
_AGREED = 0.65


@estimator_of_any_surroundings
class KuraNetGrouper(Versioned, ClusterMixin, BaseEstimator):
    r"""Cluster rows by oscillators that attract their neighbours, without labels.

    Every row of X is a unit vector :math:`v_i` on a sphere. Neighbours attract one another, the
    more the nearer they are for how far the neighbours of both are, and all rows repel all others
    weakly:

    .. math:: \dot v_i = P_i \sum_j K_{ij} v_j, \qquad
              K_{ij} = \frac{w_{ij}}{k_i} - \gamma \frac{k_j}{\sum_l k_l}, \qquad
              k_i = \sum_j |w_{ij}|,

    with :math:`P_i` the projection to the tangent at :math:`v_i`. What comes to point the same way
    from most of ``n_init`` random starts is a cluster: mean linkage, along the edges, of 1 - cos,
    mean of all starts, cut at ``threshold``. Nothing is learned; :class:`KuraNetClusterer` with
    ``groups="unseen"`` learns the couplings from classes.

    Parameters
    ----------
    n_clusters : int, default=None
        Number of clusters; None finds it.
    connectivity : "knn", callable, array-like or sparse matrix, default="knn"
        Which rows are neighbours: the nearest ``n_neighbors`` of each, or those with an edge in a
        matrix (n_samples, n_samples), whose values count for couplings, which may be negative; or a
        callable that makes such a matrix of X.
    n_neighbors : int, default=10
        Neighbours of a row, where ``connectivity="knn"``; fewer if there are fewer rows.
    threshold : float, default=0.25
        Distance, 1 - cos, from 0 to 2, below which clusters are one.
    min_size : int, default=6
        Rows of a cluster, at least, but no more than a quarter of all rows; smaller ones join the
        nearest other that an edge leads to. Where ``connectivity="knn"``, rows that are the same
        count once.
    repulsion : float, default=1.0
        Strength γ of the repulsion of all rows by one another.
    n_dims : int, default=16
        Dimensions of the space whose unit sphere rows move on; 2 is the circle.
    step_size : float, default=0.5
        Euler step, in units of time.
    n_steps : int, default=40
        Number of steps. The longer, the coarser the clusters.
    n_init : int, default=8
        Number of random starts. What they disagree about depends on chance.
    random_state : int, RandomState instance or None, default=None
        Source of the initial vectors.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each row, from 0.
    vectors_ : ndarray of shape (n_samples, n_init * n_dims)
        Where rows are in the end, of all starts, as unit vectors: their product is the mean cosine.
    n_clusters_ : int
        Number of clusters found.
    agreement_ : float
        Mean adjusted Rand index of the clusters that two starts alone lead to: 1 where all find the
        same, about 0 where chance decides. NaN with ``n_init=1``.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had names.

    See Also
    --------
    KuraNetClusterer : Learns from classes what makes rows alike.
    sklearn.cluster.SpectralClustering : Eigenvectors of the same graph, for a number of clusters.
    sklearn.cluster.HDBSCAN : Clusters of any density, without their number.

    Notes
    -----
    Where no border is, as in noise, chance parts rows in another way from each start, and the mean
    over starts parts them less. If several clusters are left all the same, ``agreement_`` is low.

    References
    ----------
    L. Zelnik-Manor and P. Perona, "Self-Tuning Spectral Clustering", NIPS 17, 2004.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklearn.metrics import adjusted_rand_score
    >>> from skkuranet import KuraNetGrouper
    >>> X, y = make_moons(200, noise=0.05, random_state=0)
    >>> labels = KuraNetGrouper(n_clusters=2, random_state=0).fit_predict(X)
    >>> float(adjusted_rand_score(y, labels))
    1.0
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "connectivity": [StrOptions({"knn"}), callable, "array-like", "sparse matrix"],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "threshold": [Interval(Real, 0, 2, closed="both")],
        "min_size": [Interval(Integral, 1, None, closed="left")],
        "repulsion": [Interval(Real, 0, None, closed="left")],
        "n_dims": [Interval(Integral, 2, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="neither")],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_clusters=None,
        *,
        connectivity="knn",
        n_neighbors=10,
        threshold=0.25,
        min_size=6,
        repulsion=1.0,
        n_dims=16,
        step_size=0.5,
        n_steps=40,
        n_init=8,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.connectivity = connectivity
        self.n_neighbors = n_neighbors
        self.threshold = threshold
        self.min_size = min_size
        self.repulsion = repulsion
        self.n_dims = n_dims
        self.step_size = step_size
        self.n_steps = n_steps
        self.n_init = n_init
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Find the clusters of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Two rows or more.
        y : None
            Ignored.

        Returns
        -------
        KuraNetGrouper
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or ``connectivity`` cannot be used, or there are fewer rows than clusters.

        Warns
        -----
        ConvergenceWarning
            If starts do not agree on the clusters, as where there are none; or if there are fewer
            distinct rows than clusters.
        """
        check_kind(X, "X")
        with naming("X"):
            X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        check_squares(X, "X")
        if self.n_clusters is not None and self.n_clusters > len(X):
            raise ValueError(
                f"n_clusters={plain(self.n_clusters)} is more than n_samples={len(X)}. Ask for "
                "fewer."
            )
        rows = np.arange(len(X))
        if isinstance(self.connectivity, str):
            # Many rows that are the same would have no other neighbours.
            X, rows = np.unique(X, axis=0, return_inverse=True)
        starts = self._starts(len(X))
        if len(X) == 1:
            # Nothing moves it.
            states, labels, self.agreement_ = starts, np.zeros(1, dtype=np.int64), 1.0
        else:
            known = neighbours_of(X, self.n_neighbors, self.connectivity)
            states = self._settled(known, starts)
            labels, self.agreement_ = self._clusters(known.followed, states)
        self.labels_ = labels[rows]
        self.vectors_ = torch.cat(states).mT.numpy()[rows] / np.sqrt(self.n_init)
        self.n_clusters_ = int(labels.max()) + 1
        self._warn()
        return self

    def _starts(self, n_rows):
        """Draw where rows start, (n_dims, n_rows) of each start."""
        rng = random_source(self.random_state)
        drawn = rng.standard_normal((self.n_init, self.n_dims, n_rows))
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        return list(torch.from_numpy(drawn))

    def _settled(self, known, starts):
        """Return where rows are after the last step from each start."""
        coupling = signed_couplings(known.graph, torch.from_numpy(known.strengths), self.repulsion)
        sphere = Sphere(self.n_dims)
        return [
            integrate(
                coupling,
                start,
                sphere,
                step_size=self.step_size,
                n_steps=self.n_steps,
                save_from=self.n_steps,
                check_step=False,
            ).states[-1]
            for start in starts
        ]

    def _clusters(self, graph, states):
        """Return the cluster of each row by all starts, and how far single ones agree."""
        smallest = min(self.min_size, max(1, graph.n_nodes // _PARTS))

        def cut(distances):
            found = hierarchy(graph, distances, smallest)
            if self.n_clusters is None:
                return found.cut_at(self.threshold)
            return found.cut_into(self.n_clusters)

        distances = [distances_along(graph, state) for state in states]
        return cut(np.mean(distances, axis=0)), agreement([cut(one) for one in distances])

    def _warn(self):
        """Warn if clusters are the work of chance, or fewer than were asked for."""
        if self.n_clusters_ < (self.n_clusters or 1):
            warn_caller(
                f"X holds {self.n_clusters_} distinct rows only, fewer than "
                f"n_clusters={plain(self.n_clusters)}. Ask for fewer.",
                ConvergenceWarning,
            )
        elif self.n_clusters_ > 1 and self.agreement_ < _AGREED:
            warn_caller(
                f"The {self.n_clusters_} clusters that KuraNetGrouper found differ from start to "
                f"start: mean adjusted Rand index {self.agreement_:.2f}. The rows may have no "
                "groups. Standardise X, leave out columns that say nothing, or pass another "
                "n_neighbors or n_clusters.",
                ConvergenceWarning,
            )

    def save(self, path):
        """Write the estimator to one file that holds data and no code.

        Parameters
        ----------
        path : str or path-like
            The file; :func:`skkuranet.load` reads it.
        """
        save(self, path)
