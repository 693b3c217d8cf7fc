"""What the displays share."""

from __future__ import annotations

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support


def axes_of(display, ax):
    """Return the axes to draw on and note them, with their figure, on the display.

    Parameters
    ----------
    display : object
        Gets ``ax_`` and ``figure_``.
    ax : matplotlib Axes or None
        None makes a new figure.

    Returns
    -------
    matplotlib Axes
    """
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def colours(labels):
    """Return the classes and a colour for each of them.

    Parameters
    ----------
    labels : ndarray of shape (n,)

    Returns
    -------
    classes : ndarray of shape (k,)
    palette : ndarray of shape (k, 4)
    """
    import matplotlib

    classes = np.unique(labels)
    name = "tab10" if len(classes) <= 10 else "turbo"
    cmap = matplotlib.colormaps[name]
    places = np.arange(len(classes)) if name == "tab10" else np.linspace(0, 1, len(classes))
    return classes, cmap(places)
