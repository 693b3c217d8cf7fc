"""What the displays share."""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils._optional_dependencies import check_matplotlib_support


def asked(display, estimator, method):
    """Return the estimator that a display asks, and what is done to X before.

    Parameters
    ----------
    display : type
        The display, for errors.
    estimator : estimator instance
        One with the method, or a pipeline or fitted search that ends in one.
    method : str
        What the display asks for.

    Returns
    -------
    model : estimator instance
        The one with the method.
    before : callable
        From X as ``estimator`` takes it to X as ``model`` does.

    Raises
    ------
    NotFittedError
        If a search has no best estimator.
    TypeError
        If there is no estimator with the method.
    """
    model, pipelines = estimator, []
    while isinstance(model, (Pipeline, BaseSearchCV)):
        if isinstance(model, Pipeline):
            if len(model) > 1:
                pipelines.append(model[:-1])
            model = model[-1]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            raise NotFittedError(
                f"{display.__name__}.from_estimator shows the best estimator of a search, and "
                f"{type(model).__name__} has none yet. Fit it, with refit=True."
            )
    if not hasattr(model, method):
        last = "" if model is estimator else f" that ends in {type(model).__name__}"
        raise TypeError(
            f"{display.__name__}.from_estimator needs an estimator with {method!r}, or a pipeline "
            f"or search that ends in one, got {type(estimator).__name__}{last}."
        )

    def before(X):
        for pipeline in pipelines:
            X = pipeline.transform(X)
        return X

    return model, before


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
