"""A network on a layout."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.sparse import coo_array, triu

from skkuranet._utils.messages import naming, plain
from skkuranet._utils.scalars import whole_number
from skkuranet.coupling import SparseCoupling
from skkuranet.coupling._given import read_couplings
from skkuranet.estimators._arrays import on_host
from skkuranet.inspection._base import axes_of, check_network, read_trajectory
from skkuranet.inspection._colours import KINDS, scatter
from skkuranet.inspection._given import check_option, labels_of, numbers

# Widths of the weakest and strongest line between large nodes, in points, and opacities of both;
# of many lines all are paler, down to a share.
_WIDTHS, _ALPHAS, _MANY, _PALEST = (0.5, 2.0), (0.3, 0.8), 150, 0.15
_POSITIVE, _NEGATIVE = "0.35", "tab:red"
# Area of all nodes together, and the smallest and largest of one, in square points.
_NODE_AREA, _NODE_SIZES = 3000.0, (8.0, 80.0)


class NetworkDisplay:
    """Nodes in the plane, in the colours of their values, and lines between those that couple.

    A line is as wide as the mean of the couplings both ways is strong; it is red where that is
    negative.

    Make one with :meth:`from_network`, or from couplings of your own.

    Parameters
    ----------
    K : array-like, sparse matrix, DataFrame, networkx graph or CouplingOperator of shape (n, n)
        Couplings, as :func:`skkuranet.coupling.as_coupling` takes them.
    values : array-like of shape (n,), default=None
        Phase, frequency, class or any other number of each node; None draws all alike. The name of
        a pandas series is that of the colour bar.
    kind : {"auto", "phase", "number", "class"}, default="auto"
        What the values are: phases in radians have cyclic colours, numbers a continuous scale and
        classes a colour each; "auto" tells numbers from classes as :class:`PhaseDisplay` does.
    positions : {"spring", "circular"}, mapping or array-like of shape (n, 2), default="spring"
        Layout by name, or places of yours: a mapping from node to place, or places in
        the order of the nodes.
    names : sequence of length n, default=None
        Names of the nodes; None for those of K, if it has any.
    random_state : int, default=0
        Seed of the layout "spring".

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the last plot.
    legend_ : matplotlib Legend, Colorbar or None
        What explains the colours of the last plot.
    lines_ : matplotlib LineCollection
        Lines of the last plot, the weakest first.
    points_ : list of matplotlib PathCollection
        Nodes of the last plot, of each class if there are classes.
    positions_ : ndarray of shape (n, 2)
        Places of the nodes in the last plot.

    Examples
    --------
    >>> import networkx as nx
    >>> from skkuranet.inspection import NetworkDisplay
    >>> ring = nx.cycle_graph(6)
    >>> display = NetworkDisplay(ring, [0, 1, 2, 3, 4, 5], kind="phase", positions="circular")
    >>> len(display.plot().lines_.get_segments())
    6
    """

    def __init__(
        self, K, values=None, *, kind="auto", positions="spring", names=None, random_state=0
    ):
        self.K = K
        self.values = values
        self.kind = kind
        self.positions = positions
        self.names = names
        self.random_state = random_state

    @classmethod
    def from_network(
        cls,
        network,
        trajectory=None,
        *,
        values=None,
        kind="auto",
        positions="spring",
        random_state=0,
        ax=None,
        **plot_kwargs,
    ):
        """Plot a network, in the phases at the end of a trajectory.

        Parameters
        ----------
        network : OscillatorNetwork
            Yours, or that of an estimator: ``estimator.network(X)``.
        trajectory : Trajectory, default=None
            What the network did; None colours by natural frequency, where there is one.
        values : array-like of shape (n,), default=None
            Values of the nodes; None for the last phases of the trajectory, or its last states
            where units have no phase.
        kind : {"auto", "phase", "number", "class"}, default="auto"
            What the values are.
        positions : {"spring", "circular"}, mapping or array-like of shape (n, 2), default="spring"
            Where nodes are.
        random_state : int, default=0
            Seed of the layout "spring".
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **plot_kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        NetworkDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If it is a batch of networks.
        """
        check_network(network)
        if trajectory is not None:
            trajectory = read_trajectory(trajectory, single=True)
        if network.batch:
            raise ValueError(
                f"One network can be shown, and this is a batch of shape {tuple(network.batch)}. "
                "Replace its parameters by those of one network."
            )
        name = None
        if values is None and trajectory is not None:
            if trajectory.phases is None:
                values, kind, name = trajectory.states[-1], "number", "state"
            else:
                values, kind = trajectory.phases[-1], "phase"
        elif values is None:
            values, name = network.parameters.get("frequency"), "natural frequency"
            if values is not None:
                values, kind = np.broadcast_to(on_host(values), network.n_nodes), "number"
        display = cls(
            network.coupled(),
            values,
            kind=kind,
            positions=positions,
            names=network.names,
            random_state=random_state,
        ).plot(ax=ax, **plot_kwargs)
        if name is not None and display.legend_ is not None:
            display.legend_.set_label(name)
        return display

    def plot(self, *, legend=True, show_names=False, max_lines=3000, ax=None, **scatter_kwargs):
        """Plot the network.

        Parameters
        ----------
        legend : bool, default=True
            Whether colours of nodes are explained.
        show_names : bool, default=False
            Whether the names of nodes are written beside them; numbers if there are none.
        max_lines : int, default=3000
            Lines that are drawn at most; the strongest, if there are more pairs.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        **scatter_kwargs : dict
            Passed to ``Axes.scatter`` for the nodes.

        Returns
        -------
        NetworkDisplay
            The display itself.

        Raises
        ------
        ValueError
            If K is a batch of networks, or values or positions do not fit it.
        """
        given = read_couplings(self.K)
        if len(given.coupling.shape) != 2:
            raise ValueError(
                f"K must be one network, (n, n), got shape {tuple(given.coupling.shape)}. Pick one."
            )
        n = given.coupling.shape[0]
        if not n:
            raise ValueError("K must have a node at least.")
        names = given.names
        if self.names is not None:
            with naming("names"):
                names = list(self.names)
            if len(names) != n:
                raise ValueError(f"names must be {n}, one for each node, got {len(names)}.")
        max_lines = whole_number(max_lines, "max_lines", least=0)
        check_option(self.kind, "kind", ("auto", *KINDS))
        values = self.values
        if values is not None:
            read = labels_of if self.kind in ("auto", "class") else _values
            read(values, "values", n, "one for each node of K")
        pairs, strengths = _pairs(given.coupling)
        self.positions_ = self._places(n, names, pairs, strengths)
        ax = axes_of(self, ax)
        size = np.clip(_NODE_AREA / n, *_NODE_SIZES)
        first = max(0, len(pairs) - max_lines)
        thickness = (size / _NODE_SIZES[1]) ** 0.5
        self.lines_ = _draw_lines(ax, self.positions_, pairs[first:], strengths[first:], thickness)
        look = {"s": size, "edgecolors": "0.3", "linewidths": 0.5, "zorder": 2, **scatter_kwargs}
        self.points_, _, self.legend_ = scatter(
            ax, *self.positions_.T, values, kind=self.kind, named=legend, **look
        )
        if show_names:
            for place, name in zip(self.positions_, names or range(n), strict=True):
                away = {"xytext": (0, size**0.5 / 2 + 1), "textcoords": "offset points"}
                ax.annotate(str(name), place, ha="center", va="bottom", fontsize="small", **away)
        ax.set(aspect="equal", xticks=[], yticks=[])
        ax.margins(0.1)
        for spine in ax.spines.values():
            spine.set_visible(False)
        return self

    def _places(self, n, names, pairs, strengths):
        """Return the places of the nodes, (n, 2)."""
        if isinstance(self.positions, str):
            if self.positions not in _LAYOUTS:
                raise ValueError(
                    f"positions must be one of {[*_LAYOUTS]}, a mapping or an array, got "
                    f"{plain(self.positions)}."
                )
            return _LAYOUTS[self.positions](n, pairs, strengths, self.random_state)
        places = self.positions
        if isinstance(places, Mapping):
            nodes = range(n) if names is None else names
            missing = [node for node in nodes if node not in places]
            if missing:
                raise ValueError(
                    f"positions has no place for {len(missing)} of the {n} nodes, such as "
                    f"{plain(missing[0])}."
                )
            places = [places[node] for node in nodes]
        return numbers(places, "positions", (n, 2), "a place for each node")


def _values(value, name, n, what):
    return numbers(value, name, (n,), what, holes=True)


def _pairs(coupling):
    """Return pairs of nodes that couple, (m, 2), and the mean of both ways, the weakest first."""
    n = coupling.shape[0]
    if isinstance(coupling, SparseCoupling):
        entries = on_host(coupling.values), (on_host(coupling.targets), on_host(coupling.sources))
        K = coo_array(entries, shape=(n, n))
    else:
        K = coo_array(on_host(coupling.dense()))
    both = triu((K + K.T) / 2, k=1).tocoo()
    kept = both.data != 0
    order = np.argsort(np.abs(both.data[kept]), kind="stable")
    pairs = np.column_stack((both.row, both.col))[kept][order]
    return pairs, both.data[kept][order]


def _draw_lines(ax, places, pairs, strengths, thickness):
    """Draw pairs as lines, and return them."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba_array

    share = np.abs(strengths) / np.abs(strengths).max(initial=np.finfo(float).tiny)
    colour = to_rgba_array(np.where(strengths < 0, _NEGATIVE, _POSITIVE))
    if len(colour):
        colour[:, 3] = _ALPHAS[0] + (_ALPHAS[1] - _ALPHAS[0]) * share
        colour[:, 3] *= np.clip(_MANY / len(colour), _PALEST, 1.0)
    widths = thickness * (_WIDTHS[0] + (_WIDTHS[1] - _WIDTHS[0]) * share)
    lines = LineCollection(places[pairs], linewidths=widths, colors=colour, zorder=1)
    return ax.add_collection(lines)


def _spring(n, pairs, strengths, seed):
    import networkx

    graph = networkx.empty_graph(n)
    edges = zip(*pairs.T.tolist(), np.abs(strengths).tolist(), strict=True)
    graph.add_weighted_edges_from(edges)
    with naming("random_state"):
        places = networkx.spring_layout(graph, seed=seed)
    return np.array([places[node] for node in range(n)]).reshape(n, 2)


def _circular(n, pairs, strengths, seed):
    angle = 2.0 * np.pi * np.arange(n) / n
    return np.column_stack((np.cos(angle), np.sin(angle)))


_LAYOUTS = {"spring": _spring, "circular": _circular}
