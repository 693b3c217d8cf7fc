"""A trajectory: order through time, a raster of phases, frequencies."""

from __future__ import annotations

import numpy as np

from skkuranet._utils.scalars import positive_number
from skkuranet.dynamics import Trajectory
from skkuranet.estimators._arrays import on_host
from skkuranet.inspection._base import axes_of, check_network, read_trajectory
from skkuranet.inspection._colours import (
    PHASE_COLOURS,
    are_numbers,
    colours,
    name_classes,
    phase_bar,
    scatter,
    wrapped,
)
from skkuranet.inspection._given import check_option, is_true, labels_of, numbers
from skkuranet.inspection._rows import ORDERS, edges, name_rows, thinned

# Angle in radians that a locked oscillator may have moved against the mean field, which drifting
# ones shake.
_WOBBLE = 1.0


class TrajectoryDisplay:
    """A network through time: its order, the phases of all oscillators, or their frequencies.

    Make one with :meth:`from_network`, or from a trajectory of your own.

    Parameters
    ----------
    trajectory : Trajectory
        What was simulated or measured; phases of yours are ``Trajectory(times, phases)``.
    frequency : array-like of shape (n,), default=None
        Natural frequency of each oscillator, in radians per unit of time.
    labels : array-like of shape (n,), default=None
        Group of each oscillator.

    Attributes
    ----------
    artists_ : list of matplotlib Artist
        Lines, points or the raster of the last plot.
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the last plot.
    legend_ : matplotlib Legend, Colorbar or None
        What explains the colours of the last plot.
    order_ : ndarray of shape (n_rows,) or None
        Oscillators in the rows of the last raster, from the bottom.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.inspection import TrajectoryDisplay
    >>> frequency = 2.0 * np.linspace(-1.0, 1.0, 30) ** 3
    >>> network = OscillatorNetwork(np.full((30, 30), 0.04), frequency=frequency)
    >>> path = network.simulate(n_steps=200, random_state=0)
    >>> display = TrajectoryDisplay(path, frequency=frequency)
    >>> order, raster = display.plot(), display.plot(kind="raster")
    >>> [line.get_label() for line in display.plot(kind="frequency").artists_]
    ['uncoupled', 'locked', 'drifting']
    """

    def __init__(self, trajectory, *, frequency=None, labels=None):
        self.trajectory = trajectory
        self.frequency = frequency
        self.labels = labels

    @classmethod
    def from_network(
        cls,
        network,
        *,
        kind="order",
        labels=None,
        n_steps=1000,
        step_size=0.1,
        initial_state=None,
        random_state=None,
        ax=None,
        **options,
    ):
        """Simulate a network and plot what it does.

        Parameters
        ----------
        network : OscillatorNetwork
            Yours, or that of an estimator: ``estimator.network(X)``.
        kind : {"order", "raster", "frequency"}, default="order"
            What to plot; see :meth:`plot`.
        labels : array-like of shape (n,), default=None
            Group of each oscillator.
        n_steps : int, default=1000
            Number of steps.
        step_size : float, default=0.1
            Step in units of time.
        initial_state : array-like, default=None
            As for :meth:`skkuranet.OscillatorNetwork.simulate`; None draws it at random.
        random_state : int, RandomState instance or None, default=None
            Source of initial states and noise.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **options : dict
            Passed to :meth:`plot`.

        Returns
        -------
        TrajectoryDisplay
            The display, plotted.
        """
        check_network(network)
        path = network.simulate(
            n_steps=n_steps,
            step_size=step_size,
            initial_state=initial_state,
            random_state=random_state,
        )
        frequency = network.parameters.get("frequency")
        if frequency is not None:
            frequency = np.broadcast_to(on_host(frequency), (*network.batch, network.n_nodes))
        return cls(path, frequency=frequency, labels=labels).plot(kind=kind, ax=ax, **options)

    def plot(
        self,
        *,
        kind="order",
        sort="auto",
        comoving=False,
        window=None,
        legend=True,
        ax=None,
        **artist_kwargs,
    ):
        """Plot the trajectory.

        Parameters
        ----------
        kind : {"order", "raster", "frequency"}, default="order"
            "order" is the order parameter through time, of each network of a batch, and of each
            group if there are labels; "raster" the phase of every oscillator through time, or its
            state if it has no phase; "frequency" its effective frequency against its natural one,
            and whether it is locked: moves by less than a radian against the mean field.
        sort : {"auto", "frequency", "label", "phase", "none"}, default="auto"
            Order of the rows of a raster, from the bottom; "phase" is that at the end. "auto" sorts
            by labels if there are any, else by frequency if it is known.
        comoving : bool, default=False
            Whether a raster shows phases against that of the mean field.
        window : float, default=None
            Units of time at the end over which frequencies are averaged; None for the second half.
        legend : bool, default=True
            Whether colours are explained.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **artist_kwargs : dict
            Passed to ``Axes.plot`` for an order, ``Axes.pcolormesh`` for a raster, and
            ``Axes.scatter`` for frequencies.

        Returns
        -------
        TrajectoryDisplay
            The display itself.

        Raises
        ------
        TypeError
            If there is no trajectory, or its units lack the phases that this kind needs.
        ValueError
            If an option is unknown, what it needs was not given, or there are several networks
            where one is shown.
        """
        check_option(kind, "kind", _KINDS)
        check_option(sort, "sort", ("auto", *ORDERS))
        path = read_trajectory(self.trajectory, single=kind != "order" or self.labels is not None)
        ax = axes_of(self, ax)
        self.order_, self.legend_ = None, None
        options = {
            "sort": sort,
            "comoving": is_true(comoving, "comoving"),
            "window": window,
            "legend": legend,
        }
        _KINDS[kind](self, ax, path, options, artist_kwargs)
        return self

    def _of_nodes(self, name, n):
        """Return frequencies or labels as an array, or None; make sure that there are n."""
        value = getattr(self, name)
        if value is None:
            return None
        read = {"frequency": _frequencies, "labels": labels_of}[name]
        return read(value, name, n, "one for each oscillator")


def _frequencies(value, name, n, what):
    return numbers(value, name, (n,), what)


def _plot_order(display, ax, path, options, settings):
    """Draw the order parameter of all oscillators, or networks, and of each group."""
    whole = path.order_parameter().reshape(len(path.times), -1)
    labels = display._of_nodes("labels", path.phases.shape[-1])
    if labels is None or are_numbers(labels):
        display.artists_ = ax.plot(path.times, whole, **settings)
    else:
        display.artists_ = []
        classes, palette = colours(labels)
        for order, label, colour in zip(path.group_order(labels).T, classes, palette, strict=True):
            own = {"color": colour, "label": str(label), **settings}
            display.artists_ += ax.plot(path.times, order, **own)
        display.artists_ += ax.plot(path.times, whole, **{"color": "k", "label": "all", **settings})
        if options["legend"]:
            display.legend_ = name_classes(ax, classes, palette)
    ax.set(xlabel="time", ylabel="order parameter R", ylim=(0.0, 1.02))
    ax.margins(x=0.0)


def _plot_raster(display, ax, path, options, settings):
    """Draw the phase of every oscillator through time, in rows that are sorted."""
    has_phases = path.phases is not None
    values = path.phases if has_phases else path.states
    n_times, n = values.shape
    if n_times < 2:
        raise ValueError(f"A raster needs two times, and the trajectory holds {n_times}.")
    frequency, labels = (display._of_nodes(name, n) for name in ("frequency", "labels"))
    if options["comoving"]:
        values = values - path.mean_phase()[:, None]
    sort = options["sort"]
    if sort == "auto":
        sort = "label" if labels is not None else "none" if frequency is None else "frequency"
    rows, name = ORDERS[sort](values, frequency, labels)
    times, kept = (thinned(size) for size in (n_times, n))
    display.order_ = rows[kept]
    shown = values[np.ix_(times, display.order_)].T
    look = PHASE_COLOURS if has_phases else {"cmap": "viridis"}
    mesh = ax.pcolormesh(
        edges(path.times[times]),
        edges(kept),
        wrapped(shown) if has_phases else shown,
        **{"rasterized": True, **look, **settings},
    )
    display.artists_ = [mesh]
    ax.set(xlabel="time", ylabel=name)
    if sort == "label" and not are_numbers(labels):
        name_rows(ax, labels[rows])
    if options["legend"]:
        bar = phase_bar(ax, mesh) if has_phases else ax.figure.colorbar(mesh, ax=ax, label="state")
        if options["comoving"]:
            bar.set_label("phase against the mean field")
        display.legend_ = bar


def _plot_frequencies(display, ax, path, options, settings):
    """Draw effective against natural frequencies, and the line on which both are alike."""
    n_times, n = path.phases.shape if path.phases is not None else path.states.shape
    natural = display._of_nodes("frequency", n)
    if natural is None:
        raise ValueError("kind='frequency' needs natural frequencies; set frequency.")
    window = options["window"]
    if window is None:
        window = path.times[-1] - path.times[(n_times - 1) // 2]
    else:
        window = positive_number(window, "window")
    effective = path.effective_frequency(window)
    # Rounding may put the first time of the window just before it.
    recent = path.times >= path.times[-1] - window * (1.0 + 1e-9)
    locked = Trajectory(path.times[recent], path.phases[recent]).locked(_WOBBLE)
    ends = natural.min(), natural.max()
    line = ax.plot(ends, ends, color="0.7", linewidth=1.0, zorder=0, label="uncoupled")
    labels = display._of_nodes("labels", n)
    look = {"s": 12, "linewidths": 0, **settings}
    if labels is None:
        groups = (locked, "locked", "tab:blue"), (~locked, "drifting", "tab:red")
        points = [
            ax.scatter(natural[own], effective[own], **{"color": colour, "label": name, **look})
            for own, name, colour in groups
            if own.any()
        ]
        display.legend_ = ax.legend() if options["legend"] else None
    else:
        given = {"named": options["legend"], **look}
        points, _, display.legend_ = scatter(ax, natural, effective, display.labels, **given)
    display.artists_ = [*line, *points]
    ax.set(xlabel="natural frequency", ylabel="effective frequency")


_KINDS = {"order": _plot_order, "raster": _plot_raster, "frequency": _plot_frequencies}
