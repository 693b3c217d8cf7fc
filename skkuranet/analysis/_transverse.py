"""Whether nodes that move alike stay together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from skkuranet._utils.given import as_array, check_finite
from skkuranet._utils.messages import plain
from skkuranet._utils.scalars import positive_number
from skkuranet._utils.tools import random_source
from skkuranet.analysis._checks import read_counts
from skkuranet.analysis._field import Blocks, Field, compose, field_of, times
from skkuranet.analysis._jacobian import read_one
from skkuranet.analysis._partition import Partition, read_partition
from skkuranet.analysis._stiffness import norm_of, parts_of
from skkuranet.analysis._tangents import PLACES, WEIGHTS, Orbit, Tangents
from skkuranet.coupling import DenseCoupling
from skkuranet.oscillator_network import OscillatorNetwork

if TYPE_CHECKING:
    import pandas as pd

# Steps from one look at how much differences have grown to the next.
_EVERY = 10
# Numbers of the matrices of steps that are made ahead.
_NUMBERS_AHEAD = 1 << 20
# Couplings between differences that are so small, in units of the largest, are none.
_ROUNDING = 1e-9


@dataclass(frozen=True, repr=False)
class ClusterStability:
    """How fast differences within clusters grow, while all clusters move as wholes.

    Attributes
    ----------
    labels : ndarray of shape (q,)
        Labels of the clusters, sorted.
    exponents : ndarray of shape (q,)
        Largest transverse exponent of each cluster, per unit of time: negative where its nodes stay
        together, -inf for single nodes.
    intertwined : tuple of tuple
        Labels of clusters whose differences act on one another, and which split together; they
        share one exponent.
    eigenvalues : tuple of ndarray
        Of each cluster, eigenvalues of the couplings between differences; none where it is
        intertwined.
    growth : tuple of ndarray
        The exponent that belongs to each of these: the master stability function.
    last_state : ndarray of shape (state_shape, q)
        Where the run of the clusters ended.

    Examples
    --------
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import transverse_exponents
    >>> import networkx as nx
    >>> network = OscillatorNetwork(nx.complete_graph(4))
    >>> found = transverse_exponents(network, [0, 0, 1, 1], random_state=0)
    >>> bool((found.exponents < 0.0).all())
    True
    """

    labels: NDArray[Any]
    exponents: NDArray[np.float64]
    intertwined: tuple[tuple[Any, ...], ...]
    eigenvalues: tuple[NDArray[Any], ...]
    growth: tuple[NDArray[np.float64], ...]
    last_state: NDArray[np.float64]

    @property
    def stable(self) -> bool:
        """Whether all clusters stay together."""
        return bool(np.all(self.exponents < 0))

    def to_dataframe(self) -> pd.DataFrame:
        """Return the exponents of the clusters as a table.

        Returns
        -------
        pandas.DataFrame of shape (q, 2)
            Exponents, and whether they are negative, by label.
        """
        import pandas as pd

        columns = {"exponent": self.exponents, "stable": self.exponents < 0}
        return pd.DataFrame(columns, index=pd.Index(self.labels, name="cluster"))

    def __repr__(self) -> str:
        n = len(self.labels)
        said = "stable" if self.stable else "unstable"
        largest = f"{self.exponents.max():.4g}"
        return f"ClusterStability({n} cluster{'s' * (n > 1)}, {said}, largest exponent {largest})"


def transverse_exponents(
    network: OscillatorNetwork,
    labels: Any = None,
    *,
    n_steps: int = 1000,
    step_size: float = 0.1,
    transient: int = 1000,
    initial_state: Any = None,
    random_state: Any = None,
) -> ClusterStability:
    """Measure whether clusters of nodes that move alike stay together.

    The clusters move as a network of one unit each, along whose trajectory differences within
    clusters are carried. Those of a cluster whose differences no other cluster feels decouple
    along the eigenvalues of their couplings (Pecora and Carroll 1998); those of clusters that are
    intertwined are carried together (Pecora and others 2014).

    Parameters
    ----------
    network : OscillatorNetwork
        One network without delays and noise.
    labels : array-like of shape (n,), default=None
        Cluster of each node; None for one of all, full synchrony.
    n_steps : int, default=1000
        Steps that are counted.
    step_size : float, default=0.1
        Step in units of time; divided into as many as strong couplings need.
    transient : int, default=1000
        Steps before.
    initial_state : array-like of shape (state_shape, q), or (q,) of phases, default=None
        Where the clusters start, in the order of their sorted labels; None draws it at random.
    random_state : int, RandomState instance or None, default=None
        Source of the initial state and of the first differences.

    Returns
    -------
    ClusterStability

    Raises
    ------
    TypeError
        If it is no network.
    ValueError
        If nodes of a cluster differ in a parameter or in what they receive from a cluster, or
        something else does not fit.

    Examples
    --------
    Oscillators that pull at one another with a second harmonic, in two clusters:

    >>> import numpy as np
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import transverse_exponents
    >>> network = OscillatorNetwork(np.full((4, 4), 0.25), "daido", second=0.8)
    >>> found = transverse_exponents(network, [0, 0, 1, 1], initial_state=[0.0, np.pi])
    >>> found
    ClusterStability(2 clusters, stable, largest exponent -1.6)
    """
    field = field_of(network, "transverse_exponents")
    clusters = read_partition(network, field, labels)
    source = random_source(random_state)
    matrix = field.coupling.dense().double()
    blocks = _acting(clusters, matrix)
    strength = norm_of(field.coupling)
    run = _Run(clusters.quotient, initial_state, source, n_steps, step_size, transient, strength)
    q, strong = len(clusters.labels), float(matrix.abs().max()) or 1.0
    acts = np.zeros((q, q), bool)
    for pair, block in blocks.items():
        acts[pair] = block.numel() > 0 and float(block.abs().max()) > _ROUNDING * strong
    groups = connected_components(acts, connection="strong")[1]
    exponents = np.full(q, -np.inf)
    values = [np.zeros(0) for _ in range(q)]
    growth = [np.zeros(0) for _ in range(q)]
    intertwined = []
    for group in range(groups.max() + 1):
        (inside,) = np.nonzero(groups == group)
        if len(inside) > 1:
            intertwined.append(tuple(clusters.labels[inside].tolist()))
            exponents[inside] = _together(run, clusters, blocks, inside, source)
        elif len(clusters.members[inside[0]]) > 1:
            a = int(inside[0])
            values[a] = np.linalg.eigvals(as_array(blocks[a, a]))
            growth[a] = _along_eigenvalues(run, values[a], a, source)
            exponents[a] = growth[a].max()
    return ClusterStability(
        clusters.labels, exponents, tuple(intertwined), tuple(values), tuple(growth),
        run.last_state(),
    )  # fmt: skip


def master_stability(
    network: OscillatorNetwork,
    eigenvalues: Any,
    *,
    n_steps: int = 1000,
    step_size: float = 0.1,
    transient: int = 1000,
    initial_state: Any = None,
    random_state: Any = None,
) -> NDArray[np.float64]:
    """Return the master stability function: growth of differences, by eigenvalue of couplings.

    All units move alike, and differences along an eigenvector of the couplings grow at a rate that
    depends on its eigenvalue alone (Pecora and Carroll 1998), for any network of such units with
    the same sums of couplings.

    Parameters
    ----------
    network : OscillatorNetwork
        One network of identical units, without delays and noise, whose couplings have the same sum
        for all.
    eigenvalues : array-like, real or complex
        Of the couplings, such as a grid; the sum of couplings less one of the Laplacian.
    n_steps : int, default=1000
        Steps that are counted.
    step_size : float, default=0.1
        Step in units of time; divided into as many as strong couplings need.
    transient : int, default=1000
        Steps before.
    initial_state : array-like of shape (state_shape, 1), default=None
        Where all units start; None draws it at random.
    random_state : int, RandomState instance or None, default=None
        Source of the initial state and of the first differences.

    Returns
    -------
    ndarray of the shape of eigenvalues
        Largest exponents, per unit of time.

    Raises
    ------
    TypeError
        If it is no network.
    ValueError
        If units differ, or something else does not fit.

    Examples
    --------
    Of oscillators with a phase lag α it is cos α (ν - ν₀), with the sum of couplings ν₀:

    >>> import numpy as np
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import master_stability
    >>> network = OscillatorNetwork(np.full((4, 4), 0.25), "sakaguchi", phase_lag=np.pi / 3)
    >>> master_stability(network, [-1.0, 0.0, 1.0], random_state=0).round(3) + 0.0
    array([-1. , -0.5,  0. ])
    """
    field = field_of(network, "master_stability")
    if np.ma.is_masked(eigenvalues):
        raise ValueError("eigenvalues has masked entries. Fill them, or leave them out.")
    try:
        wanted = as_array(eigenvalues)
    except ValueError as error:
        raise ValueError("eigenvalues must have rows of one length.") from error
    if wanted.dtype.kind not in "biufc":
        raise TypeError(f"eigenvalues must be numbers, got {plain(eigenvalues)}.")
    if not wanted.size:
        raise ValueError(f"eigenvalues must be one at least, got shape {wanted.shape}.")
    check_finite(torch.as_tensor(wanted), "eigenvalues")
    clusters = read_partition(network, field, None)
    source = random_source(random_state)
    strength = max(
        float(np.abs(wanted).max(initial=0.0)),
        norm_of(field.coupling),
    )
    run = _Run(clusters.quotient, initial_state, source, n_steps, step_size, transient, strength)
    return _along_eigenvalues(run, wanted.ravel(), 0, source).reshape(wanted.shape)


class _Run:
    """The clusters' own trajectory, which can be followed from the same state again and again."""

    def __init__(
        self,
        quotient: OscillatorNetwork,
        initial_state: Any,
        source: Any,
        n_steps: int,
        step_size: float,
        transient: int,
        strength: float,
    ) -> None:
        (n_steps,) = read_counts(n_steps=n_steps)
        (transient,) = read_counts(least=0, transient=transient)
        step_size = positive_number(step_size, "step_size")
        if initial_state is None:
            initial_state = quotient.initial_state(source)
        state = read_one(quotient, initial_state, "initial_state")
        self.field: Field = field_of(quotient, "transverse_exponents")
        parts = parts_of(self.field, state, step_size, strength)
        self.n_steps, self.step_size = n_steps * parts, step_size / parts
        transient *= parts
        # Differences turn to where they grow most, before their growth is counted.
        self.n_turning = min(transient, max(1, self.n_steps // 10))
        start = Orbit(self.field, state, self.step_size)
        start.skip(transient - self.n_turning)
        self.start = start.state

    def orbit(self) -> Orbit:
        """Return the clusters where differences begin to be carried."""
        return Orbit(self.field, self.start, self.step_size)

    def last_state(self) -> NDArray[np.float64]:
        """Return where the clusters end."""
        orbit = self.orbit()
        orbit.skip(self.n_turning + self.n_steps)
        return as_array(orbit.state)


def _acting(clusters: Partition, matrix: Tensor) -> dict[tuple[int, int], Tensor]:
    """Return how differences within each cluster act on those within each other one."""
    q = range(len(clusters.labels))
    return {(a, b): clusters.transverse(matrix, a, b) for a in q for b in q}


def _together(
    run: _Run,
    clusters: Partition,
    blocks: dict[tuple[int, int], Tensor],
    inside: NDArray[np.int64],
    source: Any,
) -> float:
    """Return the largest exponent of differences within clusters that act on one another."""
    matrix = torch.cat([torch.cat([blocks[a, b] for b in inside], 1) for a in inside])
    unit = torch.cat([torch.full_like(clusters.members[a][1:], int(a)) for a in inside])
    orbit = run.orbit()
    d = orbit.state.numel() // run.field.n
    rows = torch.as_tensor(source.normal(size=(1, d, len(unit)))).to(matrix)
    tangents = Tangents(orbit, rows, _EVERY, DenseCoupling(matrix), unit)
    for _ in tangents.walk(run.n_turning):
        pass
    grown = sum(float(growth[0]) for _, growth in tangents.walk(run.n_steps))
    return grown / (run.n_steps * run.step_size)


def _along_eigenvalues(
    run: _Run, values: NDArray[Any], cluster: int, source: Any
) -> NDArray[np.float64]:
    """Return the exponent of differences within a cluster for each eigenvalue of couplings."""
    orbit = run.orbit()
    device = orbit.state.device
    factor = torch.tensor(values, dtype=torch.complex128, device=device)
    d = orbit.state.numel() // run.field.n
    draw = source.normal(size=(2, d, 1))
    v = torch.tensor(draw[0] + 1j * draw[1], device=device).expand(d, len(values))
    v = v / v.norm(dim=0)
    unit = torch.tensor([cluster], device=device)
    total = torch.zeros(len(values), dtype=torch.float64, device=device)
    ahead = _EVERY * max(1, min(10, _NUMBERS_AHEAD // (_EVERY * d * d * len(values))))
    for n_steps, counts in ((run.n_turning, False), (run.n_steps, True)):
        for begin in range(0, n_steps, ahead):
            states = orbit.path(min(ahead, n_steps - begin))
            orbit.state = states[-1]
            steps = _step_matrices(*orbit.stages(states[:-1], unit), factor, run.step_size)
            for matrices in steps.split(_EVERY):
                for matrix in matrices:
                    v = times(matrix, v.unsqueeze(0))[0]
                size = v.norm(dim=0).clamp_min(1e-300)
                v = v / size
                if counts:
                    total += size.log()
    return as_array(total / (run.n_steps * run.step_size))


def _step_matrices(
    stages: list[Blocks], projections: Tensor | None, factor: Tensor, step_size: float
) -> Tensor:
    """Return what steps multiply differences by, where couplings are a factor, (steps, d, d, k)."""
    d = stages[0].own.shape[-2]
    unit = torch.eye(d, dtype=factor.dtype, device=factor.device).unsqueeze(-1)
    point, total = unit, unit
    for stage, (blocks, weight) in enumerate(zip(stages, WEIGHTS)):
        rate = compose(blocks.own + factor * compose(blocks.by_drive, blocks.sent), point)
        total = total + step_size * weight * rate
        if stage < len(PLACES):
            point = unit + step_size * PLACES[stage] * rate
    return total if projections is None else compose(projections.to(total), total)
