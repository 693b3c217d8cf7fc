"""The coupling matrix, sorted by class."""

from __future__ import annotations

import numpy as np

from skkuranet.inspection._base import asked, axes_of
from skkuranet.inspection._given import check_fits, check_rows, is_true, labels_of, numbers

# Percentile of the strengths of couplings at which robust colours end.
_STRONG = 90


class CouplingMatrixDisplay:
    """Couplings as an image, rows and columns sorted by class (Fig. 3B of the paper).

    Make one with :meth:`from_estimator`.

    Parameters
    ----------
    coupling : ndarray of shape (n_targets, n_sources)
        K[i, j] is the strength with which oscillator j acts on oscillator i.
    labels : ndarray of shape (n_targets,), default=None
        Class of each oscillator; None leaves the order as it is.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the last plot.
    image_ : matplotlib AxesImage
        Image of the last plot.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.inspection import CouplingMatrixDisplay
    >>> display = CouplingMatrixDisplay(np.eye(4), labels=[0, 1, 0, 1]).plot()
    """

    def __init__(self, coupling, *, labels=None):
        self.coupling = coupling
        self.labels = labels

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, robust=True, ax=None, **imshow_kwargs):
        """Plot the couplings that a fitted estimator gives to the rows of X.

        Parameters
        ----------
        estimator : estimator instance
            A fitted estimator with ``coupling_matrix``, or a pipeline or search that ends in one.
        X : array-like of shape (n_samples, n_features)
            Node features.
        y : array-like of shape (n_samples,), default=None
            Classes to sort by; None leaves the rows as they are.
        robust : bool, default=True
            Whether the strongest tenth of the couplings has one colour, so that weak ones are seen
            where there are many classes; False gives all of their range.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **imshow_kwargs : dict
            Passed to ``Axes.imshow``.

        Returns
        -------
        CouplingMatrixDisplay
            The display, plotted.
        """
        model, before = asked(cls, estimator, "coupling_matrix")
        coupling = model.coupling_matrix(before(X))
        check_rows(y, len(coupling))
        return cls(coupling, labels=y).plot(robust=robust, ax=ax, **imshow_kwargs)

    def plot(self, *, robust=True, ax=None, **imshow_kwargs):
        """Plot the couplings.

        Parameters
        ----------
        robust : bool, default=True
            Whether the strongest tenth of the couplings has one colour, so that weak ones are seen
            where there are many classes; False gives all of their range.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **imshow_kwargs : dict
            Passed to ``Axes.imshow``.

        Returns
        -------
        CouplingMatrixDisplay
            The display itself.
        """
        coupling = numbers(self.coupling, "coupling", (None, None), "targets by sources")
        if not coupling.size:
            raise ValueError("coupling must have an entry at least.")
        if self.labels is not None:
            n = len(coupling)
            check_fits(coupling, "coupling", (n, n), "which labels sort")
            order = np.argsort(
                labels_of(self.labels, "labels", n, "one for each row of coupling"), kind="stable"
            )
            coupling = coupling[np.ix_(order, order)]
        ax = axes_of(self, ax)
        strengths = np.abs(coupling)
        # Pairs that are not coupled say nothing about those that are.
        acting = strengths[strengths > 0.0]
        bound = (
            np.percentile(acting, _STRONG if is_true(robust, "robust") else 100)
            if acting.size
            else 1.0
        )
        settings = {"cmap": "RdBu_r", "vmin": -bound, "vmax": bound, **imshow_kwargs}
        self.image_ = ax.imshow(coupling, **settings)
        ax.set(xlabel="source j", ylabel="target i", xticks=[], yticks=[])
        beyond = "both" if self.image_.norm.vmax < strengths.max() else "neither"
        ax.figure.colorbar(self.image_, ax=ax, label="coupling $K_{ij}$", extend=beyond)
        return self
