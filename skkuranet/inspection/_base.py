"""What the displays share."""

from __future__ import annotations

from sklearn.exceptions import NotFittedError
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skkuranet.dynamics import Trajectory


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


def read_trajectory(trajectory, *, single):
    """Return a trajectory in NumPy arrays.

    Parameters
    ----------
    trajectory : Trajectory
    single : bool
        Whether it must be of one network.

    Returns
    -------
    Trajectory

    Raises
    ------
    TypeError
        If it is none.
    ValueError
        If it is of several networks, or units have states of several numbers and no phase.
    """
    if not isinstance(trajectory, Trajectory):
        raise TypeError(
            "trajectory must be a skkuranet.dynamics.Trajectory, got "
            f"{type(trajectory).__name__}. Pass Trajectory(times, phases)."
        )
    path = trajectory.numpy()
    shape = (path.states if path.phases is None else path.phases).shape[1:]
    if single and len(shape) != 1:
        raise ValueError(
            "One number for each unit can be shown, and the trajectory holds an array of shape "
            f"{shape} for each time. Pick one network: "
            "Trajectory(path.times, path.phases[:, 0])."
        )
    return path
