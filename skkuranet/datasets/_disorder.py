"""Disordered oscillators (section III.A of the paper)."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from skkuranet._utils.messages import plain
from skkuranet._utils.scalars import whole_number

#: Most samples of a data set that is drawn.
MOST_SAMPLES = 10**9
# Delays in Case III are counted in steps of this many units of time.
_STEP = 0.1


def make_disorder(case="I", n_samples=100, *, random_state=None):
    r"""Draw oscillators of the paper's three cases.

    ======  ============================================================================
    case    columns
    ======  ============================================================================
    "I"     ω ~ U(−1, 1)
    "II"    ω ~ U(−1, 1), b ~ U(−1, 1)
    "III"   ω ~ U(2, 4), τ ~ NB(r=15, p=0.5) steps of 0.1 units of time, not truncated
    ======  ============================================================================

    Parameters
    ----------
    case : {"I", "II", "III"}, default="I"
        Which parameters are disordered.
    n_samples : int, default=100
        Number of oscillators.
    random_state : int, RandomState instance or None, default=None
        Source of the parameters.

    Returns
    -------
    ndarray of shape (n_samples, 1) or (n_samples, 2)
        Natural frequencies ω and, where there are any, fields b or delays τ.

    Raises
    ------
    ValueError
        If the case is unknown, or ``n_samples`` is below 1 or above a thousand million.

    Examples
    --------
    >>> from skkuranet.datasets import make_disorder
    >>> make_disorder("III", 5, random_state=0).shape
    (5, 2)
    """
    if not isinstance(case, str) or case not in _CASES:
        raise ValueError(f"case must be one of {[*_CASES]}, got {plain(case)}.")
    n_samples = whole_number(n_samples, "n_samples", most=MOST_SAMPLES)
    rng = check_random_state(random_state)
    return np.column_stack([draw(rng, n_samples) for draw in _CASES[case]])


def _symmetric(rng, n):
    return rng.uniform(-1.0, 1.0, n)


def _fast(rng, n):
    return rng.uniform(2.0, 4.0, n)


def _delay(rng, n):
    return _STEP * rng.negative_binomial(15, 0.5, n)


_CASES = {"I": (_symmetric,), "II": (_symmetric, _symmetric), "III": (_fast, _delay)}
