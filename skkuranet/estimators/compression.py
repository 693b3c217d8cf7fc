"""Trained pairwise couplings in factors of low rank."""

from __future__ import annotations

import copy
from numbers import Integral

import torch
from sklearn.utils import check_scalar

from skkuranet._utils.tools import as_tensor, random_source
from skkuranet.coupling import NystromNetwork, PerSource
from skkuranet.coupling._build import budget_on
from skkuranet.estimators._arrays import checked
from skkuranet.estimators._connectivity import has_graph

# Rows of the network that the error and the losses are measured on, at most.
_HELD_OUT = 1000
# Copies of the couplings among landmarks that their eigenvectors take.
_COPIES = 7
# Two landmarks, and a few oscillators that the error is measured on.
_FEWEST_ROWS = 6


def compress(estimator, rank, X, *, n_landmarks=None, random_state=None):
    """Distil trained couplings of n² pairs into factors of low rank, for networks of any size.

    Couplings go through those to a few landmarks among the rows of X (Nyström's method, see
    :class:`skkuranet.coupling.NystromNetwork`): a network of n nodes takes n n_landmarks
    evaluations of the coupling network once, and O(n rank) operations for each step.

    Parameters
    ----------
    estimator : KuraNetClusterer or KuraNetSynchronizer
        Fitted, with ``coupling="pairwise"`` or a module.
    rank : int
        Rank of the compressed couplings, at most ``n_landmarks``.
    X : array-like of shape (n_samples, n_features)
        Node features like those of the networks wanted.
    n_landmarks : int, default=None
        Rows that are landmarks; None for 8 ``rank``, 256 at least and half of the rows at most.
    random_state : int, RandomState instance or None, default=None
        Source of the landmarks and of initial phases; None takes the estimator's.

    Returns
    -------
    estimator
        A copy with the compressed couplings and two further attributes, measured on a network of
        rows of X that are no landmarks, 1,000 at most: ``compression_error_``, the relative
        root-mean-square error of its couplings, and ``compression_loss_``, a pair of its losses at
        the limit of the same random initial phases, with exact and with compressed couplings
        (the cluster synchrony loss of predicted classes, or the circular variance).

    Raises
    ------
    ValueError
        If the couplings have factors already or are not symmetric, a number does not fit, or
        landmarks take more than the estimator's ``memory_budget``.

    See Also
    --------
    simulate_in_batches : Without any factors, with random batches.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skkuranet import KuraNetClusterer, compress
    >>> X, y = make_moons(1000, noise=0.05, random_state=0)
    >>> clusterer = KuraNetClusterer("pairwise", hidden_layer_sizes=(32, 32), random_state=0)
    >>> clusterer = clusterer.set_params(max_iter=100).fit(X, y)
    >>> small = compress(clusterer, 8, X)
    >>> small.simulate(X, n_steps=10).phases.shape
    (11, 1000)
    """
    X = checked(estimator, X, "compress")
    if not getattr(estimator.coupling_, "stores_pairs", True):
        raise ValueError(
            "estimator has factorised couplings already, of rank "
            f"{getattr(estimator.coupling_, 'rank', '?')}; there is nothing to compress."
        )
    if has_graph(estimator):
        raise ValueError("connectivity: couplings along a graph have no factors.")
    if len(X) < _FEWEST_ROWS:
        raise ValueError(
            f"X has {len(X)} rows; to compress and to measure the error takes {_FEWEST_ROWS}."
        )
    check_scalar(rank, "rank", Integral, min_val=1)
    if n_landmarks is None:
        n_landmarks = max(2, min(len(X) // 2, len(X) - 4, max(256, 8 * rank)))
    check_scalar(n_landmarks, "n_landmarks", Integral, min_val=2, max_val=len(X) - 4)
    # Eigenvectors in double precision, and what LAPACK needs for them.
    needed = 8 * _COPIES * n_landmarks**2
    budget = budget_on(estimator.memory_budget, torch.device("cpu"))
    if needed > budget:
        raise ValueError(
            f"Couplings of {n_landmarks} landmarks need {needed} bytes, more than memory_budget="
            f"{budget}. Raise memory_budget, or lower n_landmarks."
        )
    seed = estimator.random_state if random_state is None else random_state
    rng = random_source(seed)
    order = rng.permutation(len(X))
    landmarks, held_out = X[order[:n_landmarks]], X[order[n_landmarks:][:_HELD_OUT]]
    network = NystromNetwork(
        estimator.coupling_,
        estimator.normalization_,
        as_tensor(landmarks, torch.float64, torch.device("cpu")),
        rank,
    )
    small = copy.copy(estimator)
    # Factors are stored as they are.
    small.coupling_, small.normalization_, small.precision = network, PerSource(), "single"
    # An oscillator does not act on itself, whatever it is coupled to.
    exact, found = (
        each.trained_network_.matrix(held_out).fill_diagonal_(0.0) for each in (estimator, small)
    )
    start = rng.randint(2**31 - 1)
    small.compression_error_ = float((found - exact).norm() / exact.norm())
    small.compression_loss_ = tuple(
        _loss_at_limit(each, held_out, start) for each in (estimator, small)
    )
    return small


def _loss_at_limit(estimator, X, seed):
    """Cluster synchrony loss of predicted classes, or what is missing from a perfect score."""
    if hasattr(estimator, "synchrony_loss"):
        return estimator.synchrony_loss(X, estimator.predict(X), random_state=seed)
    return 1.0 - estimator.score(X, random_state=seed)
