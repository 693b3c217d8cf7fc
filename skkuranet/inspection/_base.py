"""What the displays share."""

from __future__ import annotations

from sklearn.exceptions import NotFittedError
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skkuranet.dynamics import Trajectory
from skkuranet.oscillator_network import OscillatorNetwork


def asked(display, estimator, method):
    """Return the estimator that a display asks, and what takes X to where it takes it.

    ``estimator`` has the method, or is a pipeline or fitted search that ends in one that has. Raise
    NotFittedError if a search has no best estimator, TypeError if none has the method.
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
    """Return the axes to draw on, by default of a new figure, and note both on the display."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def check_network(network):
    """Raise TypeError unless a network is an OscillatorNetwork."""
    if not isinstance(network, OscillatorNetwork):
        raise TypeError(
            f"network must be an OscillatorNetwork, got {type(network).__name__}. Of an estimator, "
            "pass estimator.network(X); of couplings, OscillatorNetwork(K)."
        )


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
