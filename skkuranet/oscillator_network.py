"""Oscillators whose couplings are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from skkuranet._utils.given import as_array, check_finite, read_numbers, torch_generator
from skkuranet._utils.messages import plain, warn_caller
from skkuranet._utils.scalars import positive_number, whole_number
from skkuranet.coupling import CouplingOperator, DenseCoupling, SharedCoupling, product
from skkuranet.coupling._build import budget_on
from skkuranet.coupling._given import read_couplings
from skkuranet.dynamics import Dynamics, Solver, Trajectory
from skkuranet.dynamics._catalogue import kind_of, needed_by
from skkuranet.dynamics._functions import rate_of, signal_of
from skkuranet.dynamics._integrate import MOST_STEPS, read_steps
from skkuranet.dynamics._problem import check_history
from skkuranet.dynamics._trajectory import trajectory_of
from skkuranet.dynamics._walk import Walk
from skkuranet.files import save

# States that steps bring back to where they have to be may be off it by rounding.
_OFF = 1e-3
# What may be asked of parameters.
_SIGNS: dict[str, Callable[[Tensor], Tensor]] = {
    "positive": lambda value: value > 0.0,
    "not negative": lambda value: value >= 0.0,
}


class OscillatorNetwork:
    r"""Units that are coupled by a matrix of yours and follow an equation of yours.

    .. math:: \dot x_i = f(x_i, p_i, c \textstyle\sum_j K_{ij}\, g(x_j, p_j))

    Parameters
    ----------
    K : array-like, Tensor, sparse matrix, DataFrame, networkx graph, CouplingOperator or float
        Couplings, (n, n), or of a batch of networks, (..., n, n): ``K[i, j]`` is how strongly
        source j acts on target i; see :func:`skkuranet.coupling.as_coupling`. Its floating-point
        type is that of all results, and what is no tensor gives NumPy arrays.
    dynamics : str, type or Dynamics, default=None
        Equation of motion: a name in :data:`skkuranet.dynamics.DYNAMICS`, a subclass of
        :class:`skkuranet.dynamics.Dynamics` or an instance of one; None for "kuramoto".
    connectivity : array-like, sparse matrix or graph of shape (n, n), default=None
        Pairs that may couple are nonzero there.
    coupling_scale : float or array-like of shape (...), default=1.0
        Factor c of all couplings; one for each network of a batch, if it has axes.
    delay : float or array-like of shape (..., n), default=None
        Delays of the sources, in units of time.
    noise : float or array-like of shape (..., n), default=None
        Standard deviations of noise, in units of the state per square root of time.
    history : {"rotation", "constant"}, default="rotation"
        What delayed states were before t = 0; see :func:`skkuranet.dynamics.integrate`.
    memory_budget : int or "auto", default="auto"
        Bytes that a trajectory may take: "auto" is 2**30 on a processor and half of the memory of
        a card.
    as_arrays : bool, default=None
        Whether results are NumPy arrays; None for arrays unless K is a tensor or operator.
    **parameters : float, array-like, Series or str
        Parameters of the equation by name, such as ``frequency``, ``phase_lag`` or ``inertia``:
        one number for all nodes or one for each, (..., n). Leading axes are a batch of networks
        with the same couplings. A series is read in the order of the labels of K; a name is that
        of a node attribute, where K is a graph.

    Raises
    ------
    TypeError
        If couplings or numbers are of no known kind.
    ValueError
        If K is not square, something is not finite or does not fit K, or the equation does not
        have a parameter or lacks one.

    Examples
    --------
    Fifty measured oscillators:

    >>> import numpy as np
    >>> from skkuranet import OscillatorNetwork
    >>> rng = np.random.default_rng(0)
    >>> K = rng.uniform(0.0, 0.1, (50, 50))
    >>> network = OscillatorNetwork(K, frequency=rng.normal(size=50))
    >>> network
    OscillatorNetwork(50 units, Kuramoto of frequency)
    >>> path = network.simulate(n_steps=500, random_state=0)
    >>> bool(path.order_parameter()[-1] > 0.8)
    True

    The same with a phase lag, for three strengths at once:

    >>> lagging = network.replace(dynamics="sakaguchi", phase_lag=0.5)
    >>> three = lagging.replace(coupling_scale=[0.1, 0.5, 1.0])
    >>> three.simulate(n_steps=500, random_state=0).phases.shape
    (501, 3, 50)
    """

    def __init__(
        self,
        K: Any,
        dynamics: str | type[Dynamics] | Dynamics | None = None,
        *,
        connectivity: Any = None,
        coupling_scale: Any = 1.0,
        delay: Any = None,
        noise: Any = None,
        history: str = "rotation",
        memory_budget: int | str = "auto",
        as_arrays: bool | None = None,
        **parameters: Any,
    ) -> None:
        self._given = read_couplings(K, connectivity)
        if not self.n_nodes:
            raise ValueError("K has no nodes.")
        self.as_arrays = self._given.as_arrays if as_arrays is None else as_arrays
        self.history = check_history(history)
        self.memory_budget = budget_on(memory_budget, self.coupling.device)
        self.coupling_scale = self._numbers(coupling_scale, "coupling_scale")
        self.delay = None if delay is None else self._numbers(delay, "delay")
        self.noise = None if noise is None else self._numbers(noise, "noise")
        self.dynamics = self._equation(dynamics, parameters)
        self.batch = tuple(self._batch())

    @property
    def coupling(self) -> CouplingOperator:
        """The couplings as they were given, without their scale."""
        return self._given.coupling

    @property
    def names(self) -> list[Any] | None:
        """Labels of the nodes, where K had any."""
        return self._given.names

    @property
    def n_nodes(self) -> int:
        """Number of units of a network."""
        return self.coupling.shape[-1]

    @property
    def parameters(self) -> dict[str, Tensor]:
        """What can be changed and swept, by name: all but the couplings themselves."""
        others = {"coupling_scale": self.coupling_scale, "delay": self.delay, "noise": self.noise}
        given = {name: value for name, value in others.items() if value is not None}
        return {**given, **self.dynamics.parameters}

    def __repr__(self) -> str:
        lead = "".join(f"{size} x " for size in self.batch)
        known = ", ".join(n for n in self.parameters if n != "coupling_scale")
        of = f" of {known}" if known else ""
        return f"OscillatorNetwork({lead}{self.n_nodes} units, {type(self.dynamics).__name__}{of})"

    def replace(self, **changes: Any) -> OscillatorNetwork:
        """Return a network of which some things are different.

        Parameters
        ----------
        **changes
            Any parameters of the constructor but K and ``connectivity``. A parameter of the
            equation that is not named stays, as long as the equation has it; None takes it away.

        Returns
        -------
        OscillatorNetwork
        """
        kept = {
            "coupling_scale": self.coupling_scale,
            "delay": self.delay,
            "noise": self.noise,
            "history": self.history,
            "memory_budget": self.memory_budget,
            "as_arrays": self.as_arrays,
            **self.dynamics.parameters,
        }
        dynamics = changes.pop("dynamics", None)
        if dynamics is not None:
            gone = set(self.dynamics.parameters) - set(kind_of(dynamics).names())
            kept = {name: value for name, value in kept.items() if name not in gone}
        else:
            dynamics = self.dynamics
        return OscillatorNetwork(self._given, dynamics, **{**kept, **changes})

    def coupled(self, batch: Sequence[int] | None = None) -> CouplingOperator:
        """Return the couplings as they act, of every network of a batch.

        Parameters
        ----------
        batch : sequence of int, optional
            Its shape; by default that of K and the parameters.

        Returns
        -------
        CouplingOperator of shape (..., n, n)
        """
        coupling, scale = self.coupling, self.coupling_scale
        batch = torch.Size(self.batch if batch is None else batch)
        own = coupling.shape[:-2]
        if batch and not own:
            coupling = SharedCoupling(coupling, batch)
        elif own != batch:
            if not isinstance(coupling, DenseCoupling):
                raise ValueError(
                    f"K makes networks of shape {tuple(own)}, but parameters and states such of "
                    f"shape {tuple(batch)}. Give them the axes of K."
                )
            coupling = DenseCoupling(coupling.matrix.expand(*batch, *coupling.shape[-2:]))
        if scale.ndim == 0 and not scale.requires_grad and float(scale) == 1.0:
            return coupling
        return coupling.scale(scale.unsqueeze(-1).expand(*coupling.shape[:-1]), None)

    def coupling_matrix(self) -> Any:
        """Return the couplings as they act.

        Returns
        -------
        ndarray or Tensor of shape (..., n, n)
        """
        matrix = self.coupled().dense()
        return as_array(matrix) if self.as_arrays else matrix

    def initial_state(self, random_state: Any = None) -> Any:
        """Draw states at random, as :meth:`simulate` does.

        Parameters
        ----------
        random_state : int, RandomState instance or None, default=None
            Source of randomness.

        Returns
        -------
        ndarray or Tensor of shape (..., state_shape, n)
        """
        state = self._drawn(torch_generator(random_state))
        return as_array(state) if self.as_arrays else state

    def velocity(self, state: Any) -> Any:
        """Return how fast states change, without delays and noise.

        Parameters
        ----------
        state : array-like of shape (..., state_shape, n)
            States, or phases where the equation has them.

        Returns
        -------
        ndarray or Tensor of the same shape
        """
        x = self.read_state(state)
        found = rate_of(
            self.dynamics, x, product(self.coupled(self._batch_of(x)), signal_of(self.dynamics, x))
        )
        return as_array(found) if self.as_arrays else found

    def read_state(self, state: Any, name: str = "state") -> Tensor:
        """Return states, or phases, of yours as a tensor, for every network of the batch.

        Parameters
        ----------
        state : array-like of shape (..., state_shape, n), or (..., n) of phases
            As they were given.
        name : str, default="state"
            The parameter, for errors.

        Returns
        -------
        Tensor of shape (..., state_shape, n)

        Raises
        ------
        ValueError
            If it does not fit the network.
        """
        value = self._numbers(state, name)
        if not value.numel():
            raise ValueError(f"{name} must hold a state at least, got shape {tuple(value.shape)}.")
        shape = (*self.dynamics.state_shape, self.n_nodes)
        if value.shape[-1:] == shape[-1:] and value.shape[-len(shape) :] != shape:
            made = self.dynamics.from_phases(value)
            value = value if made is None else made
        lead = value.shape[: value.ndim - len(shape)]
        try:
            batch = torch.broadcast_shapes(lead, self.batch)
        except RuntimeError:
            batch = None
        if value.shape[-len(shape) :] != shape or batch is None:
            wanted = (*self.batch, *shape)
            raise ValueError(f"{name} must have shape {wanted}, got {tuple(value.shape)}.")
        with torch.no_grad():
            off = float((self.dynamics.retract(value) - value).abs().max())
        if off > _OFF:
            raise ValueError(
                f"{name} must hold states of {type(self.dynamics).__name__}, and is off them by "
                f"{off:.2g}. Pass network.dynamics.retract(states), of a tensor of them."
            )
        return value.expand(*batch, *shape)

    def save(self, path: Any) -> None:
        """Write the network to one file that holds data and no code.

        Parameters
        ----------
        path : str or path-like
            The file; :func:`skkuranet.load` reads it.
        """
        save(self, path)

    def simulate(
        self,
        *,
        n_steps: int = 1000,
        step_size: float = 0.1,
        initial_state: Any = None,
        random_state: Any = None,
        save_from: int = 0,
        save_every: int = 1,
        solver: str | Solver | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> Trajectory[Any]:
        """Integrate the network.

        Parameters
        ----------
        n_steps : int, default=1000
            Number of steps.
        step_size : float, default=0.1
            Time from one state to the next.
        initial_state : array-like of shape (..., state_shape, n), default=None
            States, or phases where the equation has them. Leading axes beyond those of the network
            are further networks like it. None draws them at random.
        random_state : int, RandomState instance or None, default=None
            Source of initial states and noise.
        save_from : int, default=0
            First step that is kept.
        save_every : int, default=1
            Steps from one that is kept to the next.
        solver : str or Solver, default=None
            As for :func:`skkuranet.dynamics.integrate`, in steps as given. None for "rk4", "heun"
            where there are delays, and "euler" where there is noise, with each step divided into as
            many as strong couplings need.
        progress : callable, default=None
            Called with the number of steps done, now and then.

        Returns
        -------
        Trajectory
            ``times`` (T,), ``states`` (T, ..., state_shape, n) and ``phases`` (T, ..., n). After
            Ctrl+C, what there was until then.

        Raises
        ------
        ValueError
            If something does not fit, or the trajectory would not fit ``memory_budget``.

        Warns
        -----
        UserWarning
            If steps are too coarse, or have to be divided into very many, if states grow beyond all
            numbers, or it was interrupted.
        """
        n_steps, save_from = read_steps(n_steps, save_from)
        save_every = whole_number(save_every, "save_every", most=MOST_STEPS)
        step_size = positive_number(step_size, "step_size")
        generator = torch_generator(random_state)
        if initial_state is None:
            state = self._drawn(generator)
        else:
            state = self.read_state(initial_state, "initial_state")
        divides = solver is None
        if solver is None:
            solver = "euler" if self.noise is not None else "rk4" if self.delay is None else "heun"
        n_kept = (n_steps - save_from) // save_every + 1
        needed = n_kept * state.numel() * state.element_size()
        if needed > self.memory_budget:
            raise ValueError(
                f"{n_kept} states of {state.numel()} numbers take {needed} bytes, more than "
                f"memory_budget={self.memory_budget}. Lower n_steps, raise save_from or save_every "
                "to keep fewer, or raise memory_budget."
            )
        walk = Walk(
            self.coupled(self._batch_of(state)),
            self.dynamics,
            solver,
            step_size,
            noise=self.noise,
            delay=self.delay,
            history=self.history,
            generator=generator,
        )
        if divides:
            walk = walk.divided(state)
        walk.check(state)
        times, states = walk.states(state, n_steps, save_from, save_every, progress)
        times = (times.double() * step_size).to(states.device)
        if not bool(states[-1].isfinite().all()):
            finite = states.flatten(1).isfinite().all(1)
            first = float(times[int(finite.long().argmin())])
            warn_caller(
                f"States grew beyond all numbers: they are not finite at t={first:g}. Lower "
                "step_size, noise or coupling_scale, or begin elsewhere.",
                UserWarning,
            )
        path = trajectory_of(self.dynamics, times, states, self.names)
        return path.numpy() if self.as_arrays else path

    def _batch_of(self, state: Tensor) -> torch.Size:
        return state.shape[: state.ndim - 1 - len(self.dynamics.state_shape)]

    def _drawn(self, generator: torch.Generator) -> Tensor:
        state = self.dynamics.draw(self.batch, self.n_nodes, generator)
        return state.to(self.coupling.device, self.coupling.dtype)

    def _numbers(self, value: Any, name: str) -> Tensor:
        if isinstance(value, str):
            if self._given.graph is None:
                raise TypeError(
                    f"{name}={value!r} is the name of a node attribute, and K is no graph."
                )
            found = {node: data.get(value) for node, data in self._given.graph.nodes(data=True)}
            missing = [node for node, number in found.items() if number is None]
            if missing:
                raise ValueError(
                    f"{len(missing)} nodes of the graph have no attribute {value!r}, such as "
                    f"{plain(missing[0])}."
                )
            value = list(found.values())
        numbers = check_finite(read_numbers(value, name, self.names), name)
        return numbers.to(self.coupling.device, self.coupling.dtype)

    def _equation(self, dynamics: Any, parameters: dict[str, Any]) -> Dynamics:
        kind = kind_of("kuramoto" if dynamics is None else dynamics)
        unknown = [name for name in parameters if name not in kind.names()]
        if unknown:
            raise ValueError(
                f"{kind.__name__} has no parameter {unknown[0]!r}; it has "
                f"{', '.join(kind.names()) or 'none'}. A network also has coupling_scale, delay "
                "and noise."
            )
        values = {
            name: None if value is None else self._numbers(value, name)
            for name, value in parameters.items()
        }
        for name, sign in kind.signs.items():
            value = values.get(name)
            if value is not None and not bool(_SIGNS[sign](value).all()):
                raise ValueError(f"{name} must be {sign}, got {plain(float(value.min()))}.")
        missing = [name for name in needed_by(dynamics or kind) if values.get(name) is None]
        if missing:
            raise ValueError(f"{kind.__name__} needs {', '.join(missing)}.")
        made = replace(dynamics, **values) if isinstance(dynamics, Dynamics) else kind(**values)
        return made.to(self.coupling.dtype, self.coupling.device)

    def _batch(self) -> torch.Size:
        """Return the shape of the batch of networks, and make sure that all fits it."""
        n = self.n_nodes
        shapes = {"K": self.coupling.shape[:-2], "coupling_scale": self.coupling_scale.shape}
        for name, value in self.parameters.items():
            if name == "coupling_scale":
                continue
            inner = tuple(self.dynamics.parameter_shapes.get(name, ()))
            if value.ndim == 0 and not inner:
                continue
            shape = value.shape[: value.ndim - 1 - len(inner)]
            if value.shape[len(shape) : -1] != inner or value.shape[-1] not in (1, n):
                wanted = ", ".join(map(str, ("...", *inner, n)))
                raise ValueError(
                    f"{name} must be one number or have shape ({wanted}), one for each of the {n} "
                    f"nodes of K, got shape {tuple(value.shape)}."
                )
            shapes[name] = shape
        try:
            return torch.broadcast_shapes(*shapes.values())
        except RuntimeError as error:
            told = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items() if shape)
            raise ValueError(
                f"The leading axes do not make one batch of networks: {told}."
            ) from error
