"""Scores of segmentations against those of people.

Segmentations are arrays of labels of one shape. All scores compare segments, whatever their
labels are. Pixels that are masked, in an array of :mod:`numpy.ma`, do not count.
"""

from __future__ import annotations

import numpy as np
from skimage import metrics as of_skimage
from sklearn.metrics import rand_score
from sklearn.metrics.cluster import contingency_matrix

from skkuranet._utils.messages import plain
from skkuranet.metrics._inputs import read_segmentation


def best_dice(labels_a, labels_b, *, background=None):
    r"""Mean over the segments of a of their best Dice score with a segment of b.

    .. math::
        \mathrm{BD}(a, b) = \frac{1}{|a|} \sum_{s \in a} \max_{t \in b}
                            \frac{2 |s \cap t|}{|s| + |t|}

    Every segment counts alike, whatever its size (Scharr et al. 2016).

    Parameters
    ----------
    labels_a, labels_b : array-like of int
        Segmentations of one shape.
    background : int, "lowest" or None, default=None
        Label that is not a segment, in either; ``"lowest"`` takes the lowest label of each, as
        the public code of the leaf segmentation challenge does. None counts every label.

    Returns
    -------
    float
        From 0 to 1. Two segmentations without any segment agree (1), one without and one with
        segments do not (0).

    Raises
    ------
    ValueError
        If the shapes differ, there are no pixels, labels are not whole numbers or
        ``background`` is unknown.

    References
    ----------
    H. Scharr et al., "Leaf segmentation in plant phenotyping: a collation study", Machine
    Vision and Applications 27, 2016.

    Examples
    --------
    >>> from skkuranet.metrics import best_dice
    >>> best_dice([1, 1, 1, 2], [1, 1, 2, 2])
    0.733...
    >>> best_dice([0, 0, 1, 1], [0, 0, 0, 1], background=0)
    0.666...
    """
    return _mean_of_best(*_dice(*_pair(labels_a, labels_b, "labels_a", "labels_b"), background))


def symmetric_best_dice(labels_true, labels_pred, *, background=None):
    """Symmetric best Dice (SBD): the smaller of the :func:`best_dice` of either by the other.

    Parameters
    ----------
    labels_true, labels_pred : array-like of int
        Segmentations of one shape.
    background : int, "lowest" or None, default=None
        Label that is not a segment; see :func:`best_dice`.

    Returns
    -------
    float
        1 for the same segments, whatever their labels; near 0 where none matches.

    Raises
    ------
    ValueError
        As :func:`best_dice` does.

    References
    ----------
    H. Scharr et al., "Leaf segmentation in plant phenotyping: a collation study", Machine
    Vision and Applications 27, 2016.

    Examples
    --------
    >>> from skkuranet.metrics import symmetric_best_dice
    >>> symmetric_best_dice([0, 0, 1, 1], [7, 7, 3, 3])
    1.0
    >>> symmetric_best_dice([0, 0, 0, 0], [0, 0, 1, 2])
    0.488...
    """
    dice = _dice(*_pair(labels_true, labels_pred, "labels_true", "labels_pred"), background)
    return min(_mean_of_best(*dice), _mean_of_best(*dice[::-1]))


def segmentation_covering(labels_true, labels_pred):
    r"""Covering of the true segments by the predicted ones (Arbeláez et al. 2011).

    .. math::
        C = \frac1N \sum_{s} |s| \max_{t} \frac{|s \cap t|}{|s \cup t|}

    Parameters
    ----------
    labels_true : array-like of int
        True segmentation.
    labels_pred : array-like of int
        Segmentation of the same shape.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        If the shapes differ, there are no pixels or labels are not whole numbers.

    References
    ----------
    P. Arbeláez et al., "Contour detection and hierarchical image segmentation", IEEE
    Transactions on Pattern Analysis and Machine Intelligence 33, 2011.

    Examples
    --------
    >>> from skkuranet.metrics import segmentation_covering
    >>> segmentation_covering([0, 0, 1, 1], [0, 0, 0, 1])
    0.583...
    """
    pair = _pair(labels_true, labels_pred, "labels_true", "labels_pred")
    (i, j), shared, (true, predicted) = _shared(*pair)
    overlap = shared / (true[i] + predicted[j] - shared)
    return float(_largest(overlap, i, len(true)) @ true / true.sum())


def variation_of_information(labels_true, labels_pred):
    """Information that one segmentation lacks about the other, both ways, in bits.

    The sum of both parts of :func:`skimage.metrics.variation_of_information`.

    Parameters
    ----------
    labels_true, labels_pred : array-like of int
        Segmentations of one shape.

    Returns
    -------
    float
        0 for the same segments.

    Raises
    ------
    ValueError
        If the shapes differ, there are no pixels or labels are not whole numbers.

    Examples
    --------
    >>> from skkuranet.metrics import variation_of_information
    >>> variation_of_information([0, 0, 0, 0], [0, 0, 1, 1])
    1.0
    """
    # Its labels are indices into a table.
    pair = (
        np.unique(labels, return_inverse=True)[1]
        for labels in _pair(labels_true, labels_pred, "labels_true", "labels_pred")
    )
    return float(np.sum(of_skimage.variation_of_information(*pair)))


def probabilistic_rand_index(labels_true, labels_pred):
    """Mean Rand index over several true segmentations (Unnikrishnan et al. 2007).

    Parameters
    ----------
    labels_true : array-like of int or list of them
        True segmentations, of several people for instance.
    labels_pred : array-like of int
        Segmentation of the same shape as each.

    Returns
    -------
    float
        From 0 to 1: share of the pairs of pixels that are together, or apart, in both.

    Raises
    ------
    ValueError
        If the shapes differ, there are no pixels or labels are not whole numbers.

    References
    ----------
    R. Unnikrishnan et al., "Toward objective evaluation of image segmentation algorithms",
    IEEE Transactions on Pattern Analysis and Machine Intelligence 29, 2007.

    Examples
    --------
    >>> from skkuranet.metrics import probabilistic_rand_index
    >>> probabilistic_rand_index([[0, 0, 1], [0, 1, 1]], [0, 0, 1])
    0.666...
    """
    n_axes = read_segmentation(labels_pred, "labels_pred").ndim
    try:
        truths = list(labels_true)
    except TypeError as error:
        raise TypeError(
            "labels_true must be a segmentation or a list of them, got "
            f"{type(labels_true).__name__} {plain(labels_true)[:60]}."
        ) from error
    if not truths:
        raise ValueError("labels_true has no pixels.")
    if read_segmentation(truths[0], "labels_true").ndim < n_axes:
        truths = [labels_true]
    pairs = [_pair(one, labels_pred, "labels_true", "labels_pred") for one in truths]
    return float(np.mean([rand_score(*pair) for pair in pairs]))


def _pair(a, b, name_a, name_b):
    masks = [np.ma.getmask(labels) for labels in (a, b) if np.ma.is_masked(labels)]
    a, b = read_segmentation(a, name_a), read_segmentation(b, name_b)
    if a.shape != b.shape:
        raise ValueError(
            f"{name_a} and {name_b} must be segmentations of one image, got the shapes {a.shape} "
            f"and {b.shape}."
        )
    if masks:
        known = ~np.any(masks, axis=0)
        if not known.any():
            raise ValueError(f"{name_a} and {name_b} have no pixels that are not masked in either.")
        a, b = a[known], b[known]
    return a.ravel(), b.ravel()


def _dice(a, b, background):
    """Best Dice score of each segment of a with one of b, and of each of b with one of a."""
    names = np.unique(a), np.unique(b)
    if background is None:
        dropped = (None, None)
    elif isinstance(background, str) and background == "lowest":
        dropped = names[0][0], names[1][0]
    elif isinstance(background, (int, np.integer)):
        dropped = (background, background)
    else:
        raise ValueError(f"background must be a label, 'lowest' or None, got {plain(background)}.")
    kept = [found != drop for found, drop in zip(names, dropped, strict=True)]
    (i, j), shared, (of_a, of_b) = _shared(a, b)
    dice = 2.0 * shared / (of_a[i] + of_b[j]) * (kept[0][i] & kept[1][j])
    return tuple(
        _largest(dice, at, len(segments))[segments]
        for at, segments in zip((i, j), kept, strict=True)
    )


def _shared(a, b):
    """Pairs of segments that share pixels, how many, and the sizes of all segments.

    A dense table of all pairs would not fit where there are many small segments.
    """
    shared = contingency_matrix(a, b, sparse=True, dtype=np.int64).tocoo()
    sizes = (np.asarray(shared.sum(axis=axis)).ravel() for axis in (1, 0))
    return (shared.row, shared.col), shared.data, tuple(sizes)


def _largest(values, at, n):
    """Largest value of each of n segments, and 0 where there is none."""
    found = np.zeros(n)
    np.maximum.at(found, at, values)
    return found


def _mean_of_best(best, other):
    if not len(best) or not len(other):
        # No segments in either is agreement.
        return float(len(best) == len(other))
    return float(best.mean())
