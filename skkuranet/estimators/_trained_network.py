"""Trained couplings, with all that moves rows under them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skkuranet._utils.tools import to_tensor
from skkuranet.coupling import (
    CouplingNetwork,
    CouplingOperator,
    Normalization,
    couple,
    couple_driven,
)
from skkuranet.coupling._build import budget_on, compact
from skkuranet.dynamics import Trajectory, integrate
from skkuranet.estimators._arrays import Table, device_for
from skkuranet.estimators._connectivity import Edges, on_device
from skkuranet.estimators._node_columns import NodeMotion
from skkuranet.estimators._reference_network import ReferenceNetwork
from skkuranet.oscillator_network import OscillatorNetwork
from skkuranet.training._sampler import start_of

#: Types in which couplings are stored while they act; None is that of the state.
PRECISIONS: dict[str, torch.dtype | None] = {"single": None, "bfloat16": torch.bfloat16}

Couple = Callable[[Table, nn.Module, torch.device], CouplingOperator]


@dataclass(frozen=True)
class TrainedNetwork:
    """Trained couplings: they couple any rows, move them, and drive others with them.

    Copies of the coupling network compute. ``device="auto"`` computes where the rows are, or on a
    CUDA device if there is one. ``precision`` is that in which couplings of all pairs are stored
    while they act.
    """

    couplings: nn.Module
    normalization: Normalization
    node_motion: NodeMotion = field(default_factory=NodeMotion)
    memory_budget: int | str = "auto"
    device: str | torch.device = "auto"
    precision: str = "single"

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision must be one of {sorted(PRECISIONS)}, got {self.precision!r}."
            )

    @property
    def storage(self) -> torch.dtype | None:
        """16-bit type in which couplings are stored while they act, if any."""
        return PRECISIONS[self.precision]

    def device_of(self, X: Table) -> torch.device:
        """Return where to compute for the rows of a table."""
        return device_for(self.device, X)

    def budget(self, X: Table) -> int:
        """Return how many bytes couplings of the rows of a table may take."""
        return budget_on(self.memory_budget, self.device_of(X))

    def on(self, device: torch.device, dtype: torch.dtype) -> nn.Module:
        """Return a copy of the couplings for computing."""
        return copy.deepcopy(self.couplings).to(device=device, dtype=dtype).eval()

    def precision_of(self, start: np.ndarray, X: Table, step_size: float, n_steps: int) -> type:
        """Return the type of numbers in which rows move from a start: its own, or a finer one.

        Raise ValueError where couplings are stored in a type that allows none that would do.
        """
        lost = self.node_motion.needs_double(X, step_size * n_steps, n_steps)
        if self.storage is not None:
            if lost:
                raise ValueError(
                    f"precision={self.precision!r} keeps phases in single precision, which cannot "
                    "tell phases apart that turn so far. Set precision='single', or subtract a "
                    "frequency that all rows have in common."
                )
            return np.float32
        return np.float64 if lost or start.dtype != np.float32 else np.float32

    def couple(
        self,
        X: Table,
        dtype: torch.dtype = torch.float32,
        *,
        edges: Edges | None = None,
        storage: torch.dtype | None = None,
    ) -> CouplingOperator:
        """Return the couplings (n, n) of rows with one another, without gradients.

        ``edges`` alone may couple. ``storage`` is a 16-bit type in which couplings are
        stored.
        """
        device = self.device_of(X)
        with torch.no_grad():
            network = self.on(device, dtype)
            x = to_tensor(X, network, device)
            self._check_reach(x, dtype)
            return couple(
                network,
                x,
                self.normalization,
                edges=None if edges is None else on_device(edges, device),
                storage=storage,
                memory_budget=self.budget(X),
            )

    def _check_reach(self, x: Tensor, dtype: torch.dtype) -> None:
        """Refuse features so far from those of fit that couplings overflow or are all rounding."""
        if not isinstance(self.couplings, CouplingNetwork):
            return
        shift, scale = self.couplings.shift.to(x.device), self.couplings.inverse_scale.to(x.device)
        distance = ((x.double() - shift) * scale).abs()
        numbers = torch.finfo(dtype)
        # Couplings are products of what is seen, and one node must not drown the sum of all.
        if bool((distance > min(numbers.max**0.25, 0.1 / numbers.eps)).any()):
            row, column = divmod(int(distance.argmax()), x.shape[-1])
            raise ValueError(
                f"X[{row}, {column}] = {float(x[row, column]):.3g} lies "
                f"{float(distance[row, column]):.1g} standard deviations from the rows of fit, "
                "where couplings are lost. Is it a mark of missing values? Impute it, or leave "
                "the row out."
            )

    def matrix(self, X: Table, Y: Table | None = None, *, edges: Any = None) -> Tensor:
        """Return couplings (n, p) of targets X to sources Y as a matrix in double precision.

        By default the rows of X couple with one another. Raise ValueError if the matrix does not
        fit the memory budget.
        """
        sources = X if Y is None else Y
        needed = 8 * len(X) * len(sources)
        if needed > self.budget(X):
            raise ValueError(
                f"A coupling matrix of {len(X)} x {len(sources)} takes {needed} bytes, more "
                f"than memory_budget={self.budget(X)}. Raise memory_budget, or pass fewer "
                "rows; simulate and predict need no matrix."
            )
        if Y is None:
            with torch.no_grad():
                return self.couple(X, torch.float64, edges=edges).dense()
        device = self.device_of(X)
        with torch.no_grad():
            network = self.on(device, torch.float64)
            found = couple_driven(
                network,
                to_tensor(X, network, device),
                to_tensor(Y, network, device),
                self.normalization,
                memory_budget=self.budget(X),
            ).dense()
        if bool(found.isnan().any()):
            raise ValueError(
                "Y: couplings to these rows are no numbers. They are in proportion to those of Y "
                "with one another: pass two rows at least, not too far from those of fit."
            )
        return found

    def integrate(
        self,
        X: Table,
        start: np.ndarray,
        *,
        step_size: float,
        n_steps: int,
        save_from: int,
        edges: Edges | None = None,
        couple: Couple | None = None,
        quiet: bool = False,
        generator: torch.Generator | None = None,
    ) -> Trajectory[Tensor]:
        """Return the motion of the network made of rows, in the floating-point type of its start.

        ``start`` is phases (n,) or states (state_shape, n). ``couple(X, network, device)`` makes
        the couplings in another way; ``quiet`` leaves noise out.
        """
        device = self.device_of(X)
        state = torch.as_tensor(start, device=device)
        with torch.no_grad():
            motion = self.node_motion.of(X, state.dtype, device)
            if quiet:
                motion.pop("noise", None)
            if "delay" in motion:
                lag = motion["delay"] / step_size
                check_delays(lag, len(X), step_size, self.budget(X))
            if couple is None:
                coupling = self.couple(X, state.dtype, edges=edges, storage=self.storage)
            else:
                coupling = couple(X, self.on(device, state.dtype), device)
            coupling = compact(coupling)
            return integrate(
                coupling,
                start_of(state, motion, n_batch_axes=0),
                **motion,
                generator=generator,
                step_size=step_size,
                n_steps=n_steps,
                save_from=save_from,
            )

    def oscillators(self, X: Table, *, edges: Edges | None = None) -> OscillatorNetwork:
        """Return the network made of rows, in double precision."""
        motion = self.node_motion.of(X, torch.float64, self.device_of(X))
        return OscillatorNetwork(
            compact(self.couple(X, torch.float64, edges=edges)),
            motion["dynamics"],
            delay=motion.get("delay"),
            noise=motion.get("noise"),
            history=motion["history"],
            memory_budget=self.memory_budget,
            as_arrays=not isinstance(X, Tensor),
        )

    def reference(self, features: Table, device: torch.device) -> ReferenceNetwork:
        """Return the network made of rows, which drives any others."""
        return ReferenceNetwork(
            self.couplings,
            self.normalization,
            features,
            budget_on(self.memory_budget, device),
            device,
        )


def check_delays(lag: Any, n_nodes: int, step_size: float, memory_budget: int) -> None:
    """Raise ValueError where delays, in steps, have a past that does not fit the memory budget."""
    longest = float(lag.max())
    # Two single-precision numbers for each node and step.
    needed = int(8 * n_nodes * (longest + 1))
    if needed > memory_budget:
        raise ValueError(
            f"The column delay of X reaches {longest * step_size:.6g} units of time; to "
            f"remember that takes {needed} bytes, more than memory_budget="
            f"{memory_budget}. Raise memory_budget or step_size, or mend the column."
        )
