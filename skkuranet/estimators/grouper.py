"""KuraNetGrouper: oscillators that find groups without labels."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from skkuranet._utils.given import check_squares
from skkuranet._utils.messages import naming, plain
from skkuranet._utils.surroundings import estimator_of_any_surroundings
from skkuranet._utils.tools import random_source
from skkuranet.dynamics import Sphere, integrate
from skkuranet.estimators._versions import Versioned
from skkuranet.files import save
from skkuranet.grouping.neighbours import local_strengths
from skkuranet.grouping.network import distances_along, signed_couplings
from skkuranet.grouping.readout import hierarchy

# Part of all rows that a cluster need not be larger than.
_PARTS = 4


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
    is a cluster: mean linkage of 1 - cos along the edges, cut at ``threshold``. Nothing is learned;
    :class:`KuraNetClusterer` with ``groups="unseen"`` learns the couplings from classes.

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
    threshold : float, default=0.2
        Distance, 1 - cos, from 0 to 2, below which clusters are one.
    min_size : int, default=6
        Rows of a cluster, at least, but no more than a quarter of all rows; smaller ones join the
        nearest other that an edge leads to.
    repulsion : float, default=1.0
        Strength γ of the repulsion of all rows by one another.
    n_dims : int, default=16
        Dimensions of the space whose unit sphere rows move on; 2 is the circle.
    step_size : float, default=0.5
        Euler step, in units of time.
    n_steps : int, default=40
        Number of steps. The longer, the coarser the clusters.
    random_state : int, RandomState instance or None, default=None
        Source of the initial vectors.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each row, from 0.
    vectors_ : ndarray of shape (n_samples, n_dims)
        Where rows are on the sphere in the end.
    n_clusters_ : int
        Number of clusters found.
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
    Where clusters differ much in size or width, how many are found may differ from one
    ``random_state`` to another, and rows that form none are divided all the same. Compare several,
    or pass ``n_clusters``.

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
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_clusters=None,
        *,
        connectivity="knn",
        n_neighbors=10,
        threshold=0.2,
        min_size=6,
        repulsion=1.0,
        n_dims=16,
        step_size=0.5,
        n_steps=40,
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
        """
        with naming("X"):
            X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        check_squares(X, "X")
        if self.n_clusters is not None and self.n_clusters > len(X):
            raise ValueError(
                f"n_clusters={plain(self.n_clusters)} is more than n_samples={len(X)}. Ask for "
                "fewer."
            )
        graph, strengths = local_strengths(X, self.n_neighbors, self.connectivity)
        coupling = signed_couplings(graph, torch.from_numpy(strengths), self.repulsion)
        start = random_source(self.random_state).standard_normal((self.n_dims, len(X)))
        start /= np.linalg.norm(start, axis=0)
        path = integrate(
            coupling,
            torch.from_numpy(start),
            Sphere(self.n_dims),
            step_size=self.step_size,
            n_steps=self.n_steps,
            save_from=self.n_steps,
            check_step=False,
        )
        smallest = min(self.min_size, max(1, len(X) // _PARTS))
        found = hierarchy(graph, distances_along(graph, path.states[-1]), smallest)
        self.vectors_ = path.states[-1].mT.numpy()
        if self.n_clusters is None:
            self.labels_ = found.cut_at(self.threshold)
        else:
            self.labels_ = found.cut_into(self.n_clusters)
        self.n_clusters_ = int(self.labels_.max()) + 1
        return self

    def save(self, path):
        """Write the estimator to one file that holds data and no code.

        Parameters
        ----------
        path : str or path-like
            The file; :func:`skkuranet.load` reads it.
        """
        save(self, path)
