"""What every fitted estimator can do with its couplings: couple, integrate and lock new rows."""

from __future__ import annotations

import copy
from functools import partial
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skkuranet._arrays import (
    Table,
    as_given,
    check_library,
    device_for,
    on_host,
    validated,
)
from skkuranet._reference_network import ReferenceNetwork
from skkuranet._tools import random_source, resolve_storage, to_tensor
from skkuranet.coupling import CouplingOperator, couple, couple_driven
from skkuranet.coupling._build import compact
from skkuranet.dynamics import Trajectory, integrate, lock
from skkuranet.training import start_of

LIMIT_TIME = 500.0


def steps_in(time: float, step_size: float) -> int:
    """Number of steps that a time takes, one at least.

    Parameters
    ----------
    time : float
        For instance ``LIMIT_TIME``, after which phases count as the limit.
    step_size : float
        In the same units.

    Returns
    -------
    int
    """
    return max(1, round(time / step_size))


class SimulationMixin:
    """Dynamics of networks made of new rows, under the couplings that fit has learned."""

    #: Axes of the state of a node; () for a phase.
    _state_shape: tuple[int, ...] = ()
    #: Whether there is noise, which has to be drawn.
    _is_noisy = False

    def simulate(
        self,
        X,
        *,
        n_steps=None,
        save_from=0,
        step_size=None,
        initial_phases=None,
        storage=None,
        random_state=None,
    ):
        """Integrate the mutual dynamics of these rows alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features; one network is made of all rows.
        n_steps : int, default=None
            Number of steps; None for 500 units of time.
        save_from : int, default=0
            First step that is kept; ``n_steps`` keeps the limit alone.
        step_size : float, default=None
            Euler step in units of time; None takes the estimator's.
        initial_phases : array-like of shape (n_samples,), default=None
            In radians, and integrated in their own precision; None draws them at random, in
            single precision.
        storage : {None, "bfloat16"}, default=None
            16-bit type in which pairwise couplings are evaluated and stored: half the memory and,
            on processors and cards that compute in it, less time. What the network says is then
            rounded by some tenths of a percent, and strong couplings that are exponentials of it
            by some percent. Phases are in single precision.
        random_state : int, RandomState instance or None, default=None
            Source of the initial phases; None takes the estimator's.

        Returns
        -------
        Trajectory
            ``times`` (T,) and ``phases`` (T, n_samples); tensors, on the same device, where X
            is one and scikit-learn dispatches.
        """
        return self._simulate(
            self._check(X, "simulate"),
            n_steps=n_steps,
            save_from=save_from,
            step_size=step_size,
            initial_phases=initial_phases,
            storage=storage,
            random_state=random_state,
        )

    def _simulate(
        self,
        X,
        *,
        n_steps,
        save_from,
        step_size,
        initial_phases,
        random_state,
        storage=None,
        edges=None,
        **options,
    ) -> Trajectory:
        step_size = self.step_size if step_size is None else step_size
        check_scalar(step_size, "step_size", Real, min_val=0.0, include_boundaries="neither")
        rng = random_source(self.random_state if random_state is None else random_state)
        if initial_phases is None:
            initial_phases = rng.uniform(0.0, 2.0 * np.pi, len(X)).astype(np.float32)
        if self._is_noisy:
            seed = int(rng.randint(2**31 - 1))
            options["generator"] = torch.Generator().manual_seed(seed)
        initial_phases = np.asarray(on_host(initial_phases))
        if storage is not None:
            options["couple"] = partial(self._couple, storage=resolve_storage(storage))
            initial_phases = initial_phases.astype(np.float32)
        if initial_phases.dtype != np.float32:
            initial_phases = initial_phases.astype(np.float64)
        wanted = [(len(X),)]
        if self._state_shape:
            wanted.append((*self._state_shape, len(X)))
        if initial_phases.shape not in wanted:
            raise ValueError(
                f"initial_phases must have shape {' or '.join(map(str, wanted))}, one phase or "
                f"state for each row of X, got {initial_phases.shape}."
            )
        if not np.all(np.isfinite(initial_phases)):
            raise ValueError("initial_phases must be finite.")
        n_steps = steps_in(LIMIT_TIME, step_size) if n_steps is None else n_steps
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        check_scalar(save_from, "save_from", Integral, min_val=0, max_val=n_steps)
        n_kept = n_steps - save_from + 1
        needed = n_kept * initial_phases.nbytes
        if needed > self.memory_budget:
            raise ValueError(
                f"{n_kept} steps of {len(X)} phases take {needed} bytes, more than memory_budget="
                f"{self.memory_budget}. Raise save_from to keep fewer, or memory_budget."
            )
        path = self._integrate(X, initial_phases, n_steps, save_from, step_size, edges, **options)
        if not isinstance(X, torch.Tensor):
            return path.numpy()
        return path.to(X.device)

    def coupling_matrix(self, X, Y=None):
        """Return couplings as a matrix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Node features of the targets.
        Y : array-like of shape (n_sources, n_features), default=None
            Node features of a network that drives the rows of X and on which they do not
            act back; None couples the rows of X with one another.

        Returns
        -------
        ndarray of shape (n_samples, n_samples) or (n_samples, n_sources)
            K[i, j] is the strength with which source j acts on target i.
        """
        sources = None if Y is None else self._check(Y, "coupling_matrix")
        return as_given(self._coupling_matrix(self._check(X, "coupling_matrix"), sources), X)

    def _coupling_matrix(self, X, Y, edges=None) -> torch.Tensor:
        sources = X if Y is None else Y
        needed = 8 * len(X) * len(sources)
        if needed > self.memory_budget:
            raise ValueError(
                f"A coupling matrix of {len(X)} x {len(sources)} takes {needed} bytes, more "
                f"than memory_budget={self.memory_budget}. Raise memory_budget, or pass fewer "
                "rows; simulate and predict need no matrix."
            )
        device = device_for(self.device, X)
        with torch.no_grad():
            network = self._network_on(device, torch.float64)
            if Y is None:
                operator = self._couple(X, network, device, edges)
            else:
                operator = self._couple_driven(X, sources, network, device)
            return operator.dense()

    def _check(self, X, method) -> Table:
        """Features given to a method, as they are computed with."""
        check_is_fitted(self)
        check_library(X, self, method)
        return validated(self, X, reset=False)

    def _limit(self, X, rng, n_steps=None):
        """Phases of the mutual dynamics at the limit of random initial phases."""
        n_steps = steps_in(LIMIT_TIME, self.step_size) if n_steps is None else n_steps
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        start = rng.uniform(0.0, 2.0 * np.pi, len(X)).astype(np.float32)
        return self._integrate(X, start, n_steps, n_steps).numpy().phases[0]

    def _check_step(self, coupling: CouplingOperator, step_size: float) -> None:
        """Hook to warn of couplings that are too strong for the step."""

    def _motion(self, X: Table, dtype: torch.dtype, device: torch.device) -> dict:
        """What rows bring into the dynamics besides couplings, for :func:`integrate`."""
        return {}

    def _integrate(
        self,
        X,
        start,
        n_steps,
        save_from,
        step_size=None,
        edges=None,
        couple=None,
        quiet=False,
        **options,
    ) -> Trajectory:
        """Integrate the network made of X, in the floating-point type of ``start``.

        ``couple`` makes the couplings in another way than ``_couple``; ``quiet`` leaves noise out.
        """
        device = device_for(self.device, X)
        step_size = self.step_size if step_size is None else step_size
        phases = torch.as_tensor(start, device=device)
        with torch.no_grad():
            network = self._network_on(device, phases.dtype)
            motion = self._motion(X, phases.dtype, device)
            if quiet:
                motion.pop("noise", None)
            coupling = compact((couple or self._couple)(X, network, device, edges))
            self._check_step(coupling, step_size)
            return integrate(
                coupling,
                start_of(phases, motion, n_batch_axes=0),
                **motion,
                **options,
                step_size=step_size,
                n_steps=n_steps,
                save_from=save_from,
            )

    def _lock(self, X) -> np.ndarray:
        """Phases at which the rows of X lock to the reference network, (n,)."""
        return self._reference_network(X).answers(X, self._rest)

    def _reference_network(self, X: Table) -> ReferenceNetwork:
        """The reference network where X is; made anew if this estimator has changed."""
        made_from = (
            self.coupling_,
            self.normalization_,
            self.reference_features_,
            self.memory_budget,
            device_for(self.device, X),
        )
        reference = vars(self).get("_reference")
        if reference is None or not reference.is_made_from(*made_from):
            reference = self._reference = ReferenceNetwork(*made_from)
        return reference

    def __getstate__(self):
        # The reference network follows from the rest; pickles and copies stay small without.
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_reference"}

    def _rest(self, coupling: CouplingOperator, X: Table) -> torch.Tensor:
        """Phases at which the rows of X come to rest under their couplings to the reference."""
        phases = torch.as_tensor(
            on_host(self.reference_phases_), dtype=torch.float64, device=coupling.device
        )
        return lock(coupling, phases).phases

    def _couple(
        self,
        X: Table,
        network: nn.Module,
        device: torch.device,
        edges: np.ndarray | None = None,
        storage: torch.dtype | None = None,
    ) -> CouplingOperator:
        return couple(
            network,
            to_tensor(X, network, device),
            self.normalization_,
            edges=None if edges is None else torch.as_tensor(edges, device=device),
            storage=storage,
            memory_budget=self.memory_budget,
        )

    def _couple_driven(
        self, X: Table, reference: Table, network: nn.Module, device: torch.device
    ) -> CouplingOperator:
        return couple_driven(
            network,
            to_tensor(X, network, device),
            to_tensor(reference, network, device),
            self.normalization_,
            memory_budget=self.memory_budget,
        )

    def _network_on(self, device: torch.device, dtype: torch.dtype) -> nn.Module:
        """A copy of the fitted network for computing; the fitted one stays as it is."""
        return copy.deepcopy(self.coupling_).to(device=device, dtype=dtype).eval()
