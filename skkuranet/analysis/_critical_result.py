"""What is known of a transition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Array = NDArray[Any]


@dataclass(frozen=True, repr=False)
class CriticalCoupling:
    """Where a network begins to synchronise.

    Parameters
    ----------
    value : float
        Estimate.
    error : float
        Its standard error; infinite where the transition lies at an end of the values.
    values : ndarray of shape (V,)
        Values of the parameter that were simulated.
    sizes : ndarray of shape (n_sizes,)
        Sizes of the networks.
    squares : ndarray of shape (n_sizes, n_samples, V)
        Means through time of the squared order parameter, of each sample or repeat.
    misfit : float
        Mean squared distance of the curves of all sizes from one, in units of their errors; NaN
        for one size.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import critical_coupling
    >>> def make(n, random_state):
    ...     frequency = np.random.default_rng(random_state).normal(size=n)
    ...     return OscillatorNetwork(np.full((n, n), 1.0 / n), frequency=frequency)
    >>> values, motion = np.linspace(1.0, 2.4, 8), {"n_steps": 100, "n_transient": 100}
    >>> motion |= {"sizes": (20, 40, 80), "n_samples": 4}
    >>> found = critical_coupling(make, values, random_state=0, **motion)
    >>> found.sizes
    array([20, 40, 80])
    >>> bool(1.0 < found.value < 2.4)
    True
    """

    value: float
    error: float
    values: Array
    sizes: Array
    squares: Array
    misfit: float

    def __repr__(self) -> str:
        _, n_samples, n_values = self.squares.shape
        of = f"n={self.sizes[0]}"
        if len(self.sizes) > 1:
            of += f" to {self.sizes[-1]}"
        return (
            f"CriticalCoupling({self.value:.4g} +- {self.error:.2g}, {of}, {n_samples} samples of "
            f"{n_values} values)"
        )

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return an interval of confidence.

        Parameters
        ----------
        confidence : float, default=0.95
            Share of such intervals that hold the truth.

        Returns
        -------
        tuple of float
        """
        half = float(norm.ppf(0.5 + confidence / 2.0)) * self.error
        return self.value - half, self.value + half

    def to_dataframe(self) -> Any:
        """Return one row for each size, sample and value.

        Returns
        -------
        DataFrame
            Columns "n", "sample", "value" and "square".
        """
        import pandas as pd

        size, sample, value = (axis.ravel() for axis in np.indices(self.squares.shape))
        return pd.DataFrame(
            {
                "n": self.sizes[size],
                "sample": sample,
                "value": self.values[value],
                "square": self.squares.ravel(),
            }
        )
