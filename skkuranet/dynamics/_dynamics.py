"""What one unit is: its state, what it sends, how it answers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor

from skkuranet._utils.given import as_numbers
from skkuranet.dynamics._functions import pulled

if TYPE_CHECKING:
    from skkuranet.dynamics._array_ops import TorchOps
    from skkuranet.dynamics._kernel import Kernel


@dataclass(frozen=True)
class Dynamics(ABC):
    r"""An equation of motion of units that differ in their parameters only.

    .. math:: \dot x_i = f(x_i, p_i, \textstyle\sum_j K_{ij}\, g(x_j, p_j))

    A subclass is a frozen dataclass with :meth:`signal`, g, and :meth:`rate`, f. Its fields that
    are tensors, or are made so of arrays and numbers, are the parameters p: one number for each
    unit, (..., n), or one for all. Everything
    is differentiated with respect to them, to the initial state and to the couplings; what is not
    written by hand, autograd does.

    States have the shape (..., state_shape, n), with the axes of one unit in the middle, signals
    and drives (..., m, n): units are last. Both functions must treat units apart: the rate of a
    unit may depend on no other's state but through its drive.

    Attributes
    ----------
    state_shape : tuple of int
        Axes of the state of one unit; () for a phase.
    parameter_shapes : mapping of str to tuple of int
        Axes of those parameters of which a unit has more than one number, (..., \*shape, n).
    signs : mapping of str to str
        Which parameters of a network have to be "positive" or "not negative".
    noisy : tuple of float or None
        Where states have one axis, which of its components noise acts on, by 1 and 0; None for all.
    wraps : bool
        Whether :meth:`phases` are angles in (−π, π], which trajectories make continuous.
    solver : str
        The solver that suits it, for estimators to take where there are neither delays nor noise.
    normalization : {"mean_degree", "equal_degree"}
        The couplings that suit it, for estimators to take: nodes share out a mean degree among
        themselves, or all have the same.

    Examples
    --------
    Rotators that pull at one another the more, the faster they turn:

    >>> from dataclasses import dataclass
    >>> import torch
    >>> from skkuranet.coupling import DenseCoupling
    >>> from skkuranet.dynamics import Dynamics, integrate
    >>> @dataclass(frozen=True)
    ... class Rotators(Dynamics):
    ...     frequency: torch.Tensor
    ...     def signal(self, state):
    ...         return torch.stack((state.cos(), state.sin()), -2)
    ...     def rate(self, state, drive):
    ...         real, imaginary = drive.unbind(-2)
    ...         torque = state.cos() * imaginary - state.sin() * real
    ...         return self.frequency + self.frequency.abs() * torque
    >>> K = torch.full((3, 3), 0.5, requires_grad=True)
    >>> dynamics = Rotators(torch.tensor([0.9, 1.0, 1.1], requires_grad=True))
    >>> path = integrate(DenseCoupling(K), torch.tensor([0.0, 1.0, 2.0]), dynamics, n_steps=50)
    >>> path.order_parameter()[-1].backward()
    >>> dynamics.frequency.grad.shape
    torch.Size([3])
    """

    state_shape: ClassVar[tuple[int, ...]] = ()
    parameter_shapes: ClassVar[Mapping[str, tuple[int, ...]]] = MappingProxyType({})
    signs: ClassVar[Mapping[str, str]] = MappingProxyType({})
    noisy: ClassVar[tuple[float, ...] | None] = None
    wraps: ClassVar[bool] = False
    solver: ClassVar[str] = "euler"
    normalization: ClassVar[str] = "mean_degree"

    def __post_init__(self) -> None:
        # Numbers and arrays are as good as tensors.
        for name in self.names():
            value = getattr(self, name)
            if value is not None and not isinstance(value, Tensor):
                object.__setattr__(self, name, as_numbers(value, name))

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the parameters, whether they are given or not.

        Returns
        -------
        list of str
        """
        return [f.name for f in fields(cls) if "Tensor" in str(f.type)]

    @property
    def parameters(self) -> dict[str, Tensor]:
        """The fields that are tensors of floating-point numbers, by name."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: v for k, v in found.items() if isinstance(v, Tensor) and v.is_floating_point()}

    def at(self, index: Tensor) -> Self:
        """Return the same dynamics for some of the units.

        Parameters
        ----------
        index : Tensor of int64, any shape (..., n)
            Units.

        Returns
        -------
        Dynamics
            Parameters of these units; those that all units share stay.
        """
        each = {k: v for k, v in self.parameters.items() if v.ndim and v.shape[-1] > 1}
        return replace(self, **{name: picked(value, index) for name, value in each.items()})

    def to(self, dtype: torch.dtype, device: torch.device | None = None) -> Self:
        """Return the same dynamics with parameters of another type or on another device.

        Parameters
        ----------
        dtype : torch.dtype
            Of all parameters.
        device : torch.device, optional
            By default they stay where they are.

        Returns
        -------
        Dynamics
        """
        moved = {name: value.to(device, dtype) for name, value in self.parameters.items()}
        return replace(self, **moved)

    @abstractmethod
    def signal(self, state: Tensor) -> Tensor:
        """Return what units send.

        Parameters
        ----------
        state : Tensor of shape (..., state_shape, n)
            States.

        Returns
        -------
        Tensor of shape (..., m, n)
            Of each unit m numbers.
        """

    @abstractmethod
    def rate(self, state: Tensor, drive: Tensor) -> Tensor:
        """Return how fast states change.

        Parameters
        ----------
        state : Tensor of shape (..., state_shape, n)
            States.
        drive : Tensor of shape (..., m, n)
            What units receive: products of the couplings with the signals.

        Returns
        -------
        Tensor of shape (..., state_shape, n)
            Per unit of time.
        """

    def before(self, state: Tensor, ago: float) -> Tensor:
        """Return the state before t = 0, which delayed signals come from; here the initial one.

        Parameters
        ----------
        state : Tensor of shape (..., state_shape, n)
            At t = 0.
        ago : float
            Units of time before.

        Returns
        -------
        Tensor of shape (..., state_shape, n)
        """
        return state

    def retract(self, state: Tensor) -> Tensor:
        """Bring states back to where they have to be, after each step; here they are.

        Parameters
        ----------
        state : Tensor of shape (..., state_shape, n)
            At the end of a step.

        Returns
        -------
        Tensor of shape (..., state_shape, n)
        """
        return state

    def phases(self, state: Tensor) -> Tensor | None:
        """Return the phases of units, for losses, order parameters and displays.

        Here the state, where it is one number, and else None.

        Parameters
        ----------
        state : Tensor of shape (..., state_shape, n)
            States.

        Returns
        -------
        Tensor of shape (..., n) or None
            In radians; None where units have no phase.
        """
        return None if self.state_shape else state

    def from_phases(self, phases: Tensor) -> Tensor | None:
        """Return states in which units have given phases and no other motion.

        Here the phases, where a state is one number, and else None.

        Parameters
        ----------
        phases : Tensor of shape (..., n)
            In radians.

        Returns
        -------
        Tensor of shape (..., state_shape, n) or None
            None where units have no phase.
        """
        return None if self.state_shape else phases

    @property
    def has_phases(self) -> bool:
        """Whether states can be made of phases."""
        return self.from_phases(torch.zeros(1)) is not None

    def draw(self, batch: Sequence[int], n: int, generator: torch.Generator) -> Tensor:
        """Draw states at random: phases in [0, 2π), and normal numbers where there are none.

        Parameters
        ----------
        batch : sequence of int
            Shape of a batch of networks.
        n : int
            Units of a network.
        generator : torch.Generator
            Source of randomness.

        Returns
        -------
        Tensor of shape (..., state_shape, n)
            In double precision.
        """
        uniform = torch.rand((*batch, n), generator=generator, dtype=torch.float64)
        state = self.from_phases(2.0 * math.pi * uniform)
        if state is not None:
            return state
        shape = (*batch, *self.state_shape, n)
        return self.retract(torch.randn(shape, generator=generator, dtype=torch.float64))

    def rotating(self, speed: float) -> Self | None:
        """Return the same dynamics as seen from a frame that turns.

        A subclass with another :meth:`rate` than its base needs another of these, too.

        Parameters
        ----------
        speed : float
            Of the frame, in radians per unit of time.

        Returns
        -------
        Dynamics or None
            None where it is not known, or what is seen would not be at rest.
        """
        return None

    def from_frame(self, state: Tensor, speed: float) -> Tensor:
        """Return states seen from a frame that turns as they are; here the same.

        A subclass whose states hold velocities needs another of these.

        Parameters
        ----------
        state : Tensor of shape (..., state_shape, n)
            As :meth:`rotating` sees them.
        speed : float
            Of the frame, in radians per unit of time.

        Returns
        -------
        Tensor of shape (..., state_shape, n)
        """
        return state

    def respond(self, drive: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return where units come to rest under a drive that does not change.

        A subclass with another :meth:`rate` than its base needs another of these, too.

        Parameters
        ----------
        drive : Tensor of shape (..., m, n)
            What units receive.

        Returns
        -------
        tuple of Tensor or None
            States (..., state_shape, n), and whether there is rest, (..., n); None if it is not
            known in closed form.
        """
        return None

    def pull_signal(self, state: Tensor, grad: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Pull a gradient with respect to signals back to states and parameters.

        Write it by hand only where that pays.

        Parameters
        ----------
        state : Tensor of shape (..., state_shape, n)
            States.
        grad : Tensor of shape (..., m, n)
            Gradient with respect to the signals.

        Returns
        -------
        by_state : Tensor of shape (..., state_shape, n)
        by_parameters : sequence of Tensor
            In the shapes and the order of :attr:`parameters`.
        """

        def signal(state: Tensor, *values: Tensor) -> Tensor:
            return self.with_values(values).signal(state)

        by_state, *rest = pulled(signal, (state, *self.parameters.values()), grad)
        return by_state, rest

    def pull_rate(
        self, state: Tensor, drive: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """Pull a gradient with respect to rates back to states, drives and parameters.

        Write it by hand only where that pays.

        Parameters
        ----------
        state : Tensor of shape (..., state_shape, n)
            States.
        drive : Tensor of shape (..., m, n)
            What units receive.
        grad : Tensor of shape (..., state_shape, n)
            Gradient with respect to the rates.

        Returns
        -------
        by_state : Tensor of shape (..., state_shape, n)
        by_drive : Tensor of shape (..., m, n)
        by_parameters : sequence of Tensor
            In the shapes and the order of :attr:`parameters`.
        """

        def rate(state: Tensor, drive: Tensor, *values: Tensor) -> Tensor:
            return self.with_values(values).rate(state, drive)

        inputs = (state, drive, *self.parameters.values())
        by_state, by_drive, *rest = pulled(rate, inputs, grad)
        return by_state, by_drive, rest

    def with_values(self, values: Sequence[Tensor]) -> Self:
        """Return the same dynamics with other values of :attr:`parameters`.

        Parameters
        ----------
        values : sequence of Tensor
            In their order.

        Returns
        -------
        Dynamics
        """
        return replace(self, **dict(zip(self.parameters, values, strict=True)))

    def kernel(self, ops: TorchOps, like: Tensor) -> Kernel | None:
        """Return the equation in memory that is handed over; None for the functions above.

        Parameters
        ----------
        ops : TorchOps
            What is done to arrays.
        like : Tensor of shape (..., state_shape, n)
            A state.

        Returns
        -------
        Kernel or None
        """
        return None


def picked(value: Tensor, index: Tensor) -> Tensor:
    """Return the entries (..., *inner, n) of a value (*inner, N) of units ``index`` (..., n)."""
    n_inner, n_batch = value.ndim - 1, index.ndim - 1
    inner = list(range(n_inner))
    return value[..., index].movedim(inner, [n_batch + axis for axis in inner])


def slower(dynamics: Any, speed: float) -> Any:
    """Return the same dynamics with a lower ``frequency``, where none is 0."""
    frequency = torch.tensor(0.0) if dynamics.frequency is None else dynamics.frequency
    return replace(dynamics, frequency=frequency - speed)
