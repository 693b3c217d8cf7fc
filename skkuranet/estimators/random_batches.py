"""Simulation of very large networks by random batches."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_scalar

from skkuranet._utils.given import real_array
from skkuranet._utils.tools import random_source, to_tensor
from skkuranet.coupling import couple
from skkuranet.dynamics import integrate
from skkuranet.dynamics._dynamics import picked
from skkuranet.dynamics._integrate import MOST_STEPS
from skkuranet.estimators._arrays import as_given, checked, on_host
from skkuranet.estimators._connectivity import has_graph
from skkuranet.estimators._simulation import LIMIT_TIME, steps_in
from skkuranet.training._sampler import start_of


@dataclass(frozen=True)
class BatchedSimulation:
    """Limit phases of a simulation in random batches, and how far they may be off.

    Parameters
    ----------
    phases : ndarray of shape (n_samples,)
        Phases after the last step, in radians.
    phase_error : float
        Root-mean-square difference, in radians and up to a common rotation, to the same
        simulation in batches of half the size.
    order_parameter : float
        Order parameter R of the phases.
    order_error : float
        Difference of R between the two simulations.

    Examples
    --------
    >>> from skkuranet import KuraNetClusterer, simulate_in_batches
    >>> from skkuranet.datasets import make_gaussian_ring
    >>> X, y = make_gaussian_ring(2, 100, random_state=0)
    >>> clusterer = KuraNetClusterer("pairwise", max_iter=5, network_size=50, random_state=0)
    >>> clusterer = clusterer.fit(X, y)
    >>> found = simulate_in_batches(clusterer, X, batch_size=50, n_steps=5, random_state=0)
    >>> found.phases.shape
    (100,)
    >>> bool(found.order_error >= 0.0)
    True
    """

    phases: np.ndarray
    phase_error: float
    order_parameter: float
    order_error: float


def simulate_in_batches(
    estimator,
    X,
    *,
    batch_size=None,
    n_steps=None,
    step_size=None,
    initial_phases=None,
    random_state=None,
):
    """Integrate a network by random batches, for couplings that have no factors.

    At every step the oscillators are divided at random into batches that couple among themselves
    as networks of their own, which costs n ``batch_size`` evaluations of the coupling network
    instead of n² (Jin, Li & Liu 2020). The error of one step averages out over many; it falls
    with the step and with the size of the batches. A second simulation in batches of half the
    size, for half the price, tells about how large it is.

    Parameters
    ----------
    estimator : KuraNetClusterer or KuraNetSynchronizer
        Fitted; without delays and graphs, which need all oscillators at once.
    X : array-like of shape (n_samples, n_features)
        Node features; one network is made of all rows.
    batch_size : int, default=None
        Oscillators in a batch; None for 500, or for all rows where they are fewer. Those of
        training, ``network_size``, are the least that couplings were learned for.
    n_steps : int, default=None
        Number of steps; None for 500 units of time.
    step_size : float, default=None
        Euler step in units of time; None takes the estimator's.
    initial_phases : array-like of shape (n_samples,), default=None
        In radians; None draws them at random.
    random_state : int, RandomState instance or None, default=None
        Source of initial phases and batches; None takes the estimator's.

    Returns
    -------
    BatchedSimulation
        Phases at the end and their error.

    Raises
    ------
    ValueError
        If the estimator has delays or a graph, or a setting does not fit.

    See Also
    --------
    compress : Couplings in factors, for exact simulations of networks of any size.

    References
    ----------
    S. Jin, L. Li and J.-G. Liu, "Random batch methods (RBM) for interacting particle systems",
    Journal of Computational Physics 400, 2020.

    Examples
    --------
    >>> from skkuranet import KuraNetClusterer, simulate_in_batches
    >>> from skkuranet.datasets import make_gaussian_ring
    >>> X, y = make_gaussian_ring(3, 2000, random_state=0)
    >>> clusterer = KuraNetClusterer("pairwise", hidden_layer_sizes=(32, 32), random_state=0)
    >>> clusterer = clusterer.set_params(max_iter=100).fit(X, y)
    >>> simulate_in_batches(clusterer, X, n_steps=20, batch_size=200).phases.shape
    (2000,)
    """
    given, X = X, checked(estimator, X, "simulate_in_batches")
    trained = estimator.trained_network_
    if trained.node_motion.is_noisy:
        raise ValueError("noise: random batches take none. Use the estimator's simulate.")
    if trained.node_motion.is_delayed or has_graph(estimator):
        raise ValueError(
            "delay and connectivity need all oscillators at once; use the estimator's simulate, or "
            "compress."
        )
    if len(X) < 4:
        raise ValueError(f"X has {len(X)} rows; two batches of two oscillators take four.")
    batch_size = min(500, len(X)) if batch_size is None else batch_size
    check_scalar(batch_size, "batch_size", Integral, min_val=4, max_val=len(X))
    step_size = estimator.step_size if step_size is None else step_size
    check_scalar(step_size, "step_size", Real, min_val=0.0, include_boundaries="neither")
    n_steps = steps_in(LIMIT_TIME, step_size) if n_steps is None else n_steps
    check_scalar(n_steps, "n_steps", Integral, min_val=1, max_val=MOST_STEPS)
    rng = random_source(estimator.random_state if random_state is None else random_state)
    if initial_phases is None:
        initial_phases = rng.uniform(0.0, 2.0 * np.pi, len(X))
    start = real_array(on_host(initial_phases), "initial_phases").astype(np.float32)
    if start.shape != (len(X),) or not np.all(np.isfinite(start)):
        raise ValueError(f"initial_phases must be {len(X)} finite numbers, one for each row of X.")
    seed = int(rng.randint(2**31 - 1))
    phases, halved = (
        _run(trained, X, start, size, step_size, n_steps, seed)
        for size in (batch_size, batch_size // 2)
    )
    if not np.isfinite(phases).all() or not np.isfinite(halved).all():
        raise ValueError(f"step_size={step_size:g} is too large: phases grow beyond all numbers.")
    difference = np.exp(1j * (phases.astype(float) - halved))
    turned = np.angle(difference * np.exp(-1j * np.angle(difference.mean())))
    order, of_halved = (
        float(abs(np.exp(1j * each.astype(float)).mean())) for each in (phases, halved)
    )
    return BatchedSimulation(
        as_given(phases, given), float(np.sqrt(np.mean(turned**2))), order, abs(order - of_halved)
    )


def _run(trained, X, start, size, step_size, n_steps, seed):
    """Phases after the last step, in batches of about ``size``."""
    device = trained.device_of(X)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        network = trained.on(device, torch.float32)
        features = to_tensor(X, network, device)
        motion = trained.node_motion.of(X, torch.float32, device)
        dynamics = motion.pop("dynamics")
        state = start_of(torch.as_tensor(start, device=device).clone(), {"dynamics": dynamics}, 0)
        budget = trained.budget(X)
        # As many batches at once as two copies of their couplings fit.
        at_once = max(1, budget // (8 * size * size))
        n_batches = max(1, len(X) // size)
        for _ in range(n_steps):
            moved = state.clone()
            for group in _divided(len(X), n_batches, generator):
                for index in group.to(device).split(at_once):
                    coupling = couple(
                        network,
                        features[index],
                        trained.normalization,
                        storage=trained.storage,
                        memory_budget=budget,
                    )
                    ends = integrate(
                        coupling,
                        picked(state, index),
                        dynamics.at(index),
                        **motion,
                        step_size=step_size,
                        n_steps=1,
                        save_from=1,
                    ).states[0]
                    moved[..., index] = ends.movedim(0, -2)
            state = moved
    return dynamics.phases(state).cpu().numpy()


def _divided(n, n_batches, generator):
    """Divide n oscillators at random into batches whose sizes differ by one at most."""
    order = torch.randperm(n, generator=generator)
    n_larger = n % n_batches
    even = order[: n - n_larger].view(n_batches, -1)
    larger = torch.cat((even[:n_larger], order[n - n_larger :, None]), -1)
    return [group for group in (larger, even[n_larger:]) if len(group)]
