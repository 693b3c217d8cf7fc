"""The derivative of the velocities of a network with respect to its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import torch
from numpy.typing import NDArray
from torch import Tensor

from skkuranet._utils.given import as_array, as_numbers
from skkuranet._utils.messages import warn_caller
from skkuranet._utils.scalars import whole_number
from skkuranet.analysis._field import Blocks, check_memory, field_of
from skkuranet.coupling import CouplingOperator, DenseCoupling, SparseCoupling
from skkuranet.oscillator_network import OscillatorNetwork

# Below so many numbers of state, all eigenvalues take seconds.
MOST_DENSE = 2000
# How many of them there are, where not all can be had.
_FEW = 6
# After so many restarts, Arnoldi's method gets no further.
_MOST_RESTARTS = 500


@dataclass(frozen=True, repr=False)
class Jacobian:
    r"""The derivative J of the velocities with respect to the state, known by its products.

    As units are treated apart, :math:`J = A + B K C`, with blocks of each unit: A of its rate by
    its own state, B of its rate by its drive, C of its signal by its state. Vectors are flat states
    of N = d n numbers: number c of unit i is entry c n + i, as in ``state.ravel()``.

    Made by :func:`jacobian`.

    Parameters
    ----------
    coupling : CouplingOperator of shape (n, n)
        The couplings K.
    blocks : object
        The blocks A, B and C.
    network : OscillatorNetwork
        The network.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import jacobian
    >>> J = jacobian(OscillatorNetwork([[0.0, 1.0], [1.0, 0.0]]), [0.0, 0.0])
    >>> J.dense()
    array([[-1.,  1.],
           [ 1., -1.]])
    >>> J.matvec(np.array([1.0, 1.0]))
    array([0., 0.])
    """

    coupling: CouplingOperator
    blocks: Blocks
    network: OscillatorNetwork

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (N, N)."""
        size = self.blocks.own.shape[-1] * self.blocks.own.shape[-2]
        return size, size

    def __repr__(self) -> str:
        return f"Jacobian(shape={self.shape}, {type(self.network.coupling).__name__})"

    def matvec(self, v: Any) -> Any:
        """Return J v.

        Parameters
        ----------
        v : array-like or Tensor of shape (N,)
            A vector.

        Returns
        -------
        ndarray or Tensor of shape (N,)
            As v came.

        Raises
        ------
        ValueError
            If it has another length.
        """
        return self.matmat(_column(v, "v"))[..., 0]

    def rmatvec(self, v: Any) -> Any:
        """Return Jᵀ v.

        Parameters
        ----------
        v : array-like or Tensor of shape (N,)
            A vector.

        Returns
        -------
        ndarray or Tensor of shape (N,)
            As v came.

        Raises
        ------
        ValueError
            If it has another length.
        """
        return self.rmatmat(_column(v, "v"))[..., 0]

    def matmat(self, V: Any) -> Any:
        """Return J V, in one product with the couplings.

        Parameters
        ----------
        V : array-like or Tensor of shape (N, k)
            Vectors, as columns.

        Returns
        -------
        ndarray or Tensor of shape (N, k)
            As V came.

        Raises
        ------
        ValueError
            If it has another length.
        """
        return self._product(V, self.blocks.apply)

    def rmatmat(self, V: Any) -> Any:
        """Return Jᵀ V, in one product with the couplings.

        Parameters
        ----------
        V : array-like or Tensor of shape (N, k)
            Vectors, as columns.

        Returns
        -------
        ndarray or Tensor of shape (N, k)
            As V came.

        Raises
        ------
        ValueError
            If it has another length.
        """
        return self._product(V, self.blocks.pull)

    def dense(self) -> NDArray[np.float64]:
        """Return J as a matrix.

        Returns
        -------
        ndarray of shape (N, N)
            All derivatives.

        Raises
        ------
        ValueError
            If it takes more memory than the network may.
        """
        check_memory(
            self.network,
            8 * self.shape[0] ** 2,
            f"A Jacobian of {self.shape[0]} numbers of state, as a matrix,",
            "Use its products or sparse(), or raise memory_budget.",
        )
        with torch.no_grad():
            return as_array(self.blocks.dense(_matrix(self.coupling)))

    def sparse(self) -> scipy.sparse.csr_array:
        """Return J as a sparse matrix, where the couplings are sparse.

        Returns
        -------
        scipy.sparse.csr_array of shape (N, N)
            Its derivatives that may differ from 0.

        Raises
        ------
        TypeError
            If the couplings are not sparse.
        """
        coupling, blocks = self.coupling, self.blocks
        if not isinstance(coupling, SparseCoupling):
            raise TypeError(
                f"{type(self.network.coupling).__name__} makes no sparse Jacobian. Use dense() or "
                "as_linear_operator(), or hand over K as a sparse matrix."
            )
        d, _, n = blocks.own.shape
        targets, sources = coupling.targets, coupling.sources
        unit = torch.arange(n, device=coupling.device)
        rows, columns, values = [], [], []
        for a in range(d):
            for c in range(d):
                weight = (blocks.by_drive[a][:, targets] * blocks.sent[:, c][:, sources]).sum(0)
                rows += [a * n + targets, a * n + unit]
                columns += [c * n + sources, c * n + unit]
                values += [weight * coupling.values.detach(), blocks.own[a, c]]
        entries, *ends = (as_array(torch.cat(parts)) for parts in (values, rows, columns))
        return scipy.sparse.coo_array((entries, tuple(ends)), shape=self.shape).tocsr()

    def as_linear_operator(self) -> scipy.sparse.linalg.LinearOperator:
        """Return J for the iterative methods of scipy.

        Returns
        -------
        scipy.sparse.linalg.LinearOperator of shape (N, N)
            Its products.
        """
        return scipy.sparse.linalg.LinearOperator(
            self.shape,
            matvec=self.matvec,
            rmatvec=self.rmatvec,
            matmat=self.matmat,
            rmatmat=self.rmatmat,
            dtype=np.float64,
        )

    def is_symmetric(self) -> bool:
        """Say whether J is symmetric, as it is for equal pulls both ways.

        Returns
        -------
        bool
            Found from products with one vector at random.
        """
        v = np.random.RandomState(0).normal(size=self.shape[0])
        there, back = self.matvec(v), self.rmatvec(v)
        size = float(np.abs(there).max())
        return bool(np.abs(there - back).max() <= 1e-12 * size)

    def eigenvalues(self, k: int | None = None) -> NDArray[Any]:
        """Return eigenvalues, those of the largest real part first.

        Of fewer than 2,000 numbers of state all are computed from the matrix, of more the first few
        by Arnoldi's method on products.

        Parameters
        ----------
        k : int, default=None
            How many; None for all of a matrix, and else for 6.

        Returns
        -------
        ndarray of shape (k,)
            In units of 1 / time; real where J is symmetric.

        Raises
        ------
        ValueError
            If k is not between 1 and N.
        RuntimeError
            If no eigenvalue was found.

        Warns
        -----
        UserWarning
            If fewer were found than asked for.
        """
        size = self.shape[0]
        k = None if k is None else whole_number(k, "k", most=size)
        symmetric = self.is_symmetric()
        # ARPACK leaves two of them out.
        if size < MOST_DENSE or (k is not None and k >= size - 1):
            matrix = self.dense()
            found = np.linalg.eigvalsh(matrix) if symmetric else np.linalg.eigvals(matrix)
        else:
            found = self._leading(_FEW if k is None else k, symmetric)
        return found[np.argsort(-found.real, kind="stable")][:k]

    def _leading(self, k: int, symmetric: bool) -> NDArray[Any]:
        operator = self.sparse() if isinstance(self.coupling, SparseCoupling) else None
        operator = self.as_linear_operator() if operator is None else operator
        arpack, which = _ARPACK[symmetric]
        start = np.random.RandomState(0).normal(size=self.shape[0])
        n_vectors = min(self.shape[0], max(2 * k + 1, 60))
        try:
            return arpack(
                operator, k, which=which, v0=start, ncv=n_vectors, tol=1e-8,
                maxiter=_MOST_RESTARTS, return_eigenvectors=False,
            )  # fmt: skip
        except scipy.sparse.linalg.ArpackNoConvergence as error:
            found = error.eigenvalues
            if not len(found):
                raise RuntimeError(
                    f"None of {k} eigenvalues converged. Ask for another number of them, or use "
                    "as_linear_operator() with a method of your choice."
                ) from error
            warn_caller(f"Only {len(found)} of {k} eigenvalues converged.", UserWarning)
            return found

    def _product(self, V: Any, multiply: Any) -> Any:
        given = V if isinstance(V, Tensor) else as_numbers(V, "V")
        d, n = self.blocks.own.shape[-2:]
        if given.ndim != 2 or len(given) != d * n:
            raise ValueError(
                f"Vectors must have {d * n} numbers, got shape {tuple(given.shape)}. Flatten "
                "states first."
            )
        with torch.no_grad():
            rows = given.to(self.blocks.own).mT.reshape(-1, d, n)
            found = multiply(self.coupling, rows).reshape(len(rows), -1).mT
        return found.to(V.device) if isinstance(V, Tensor) else as_array(found)


_ARPACK: dict[bool, tuple[Any, str]] = {
    True: (scipy.sparse.linalg.eigsh, "LA"),
    False: (scipy.sparse.linalg.eigs, "LR"),
}


def jacobian(network: OscillatorNetwork, state: Any) -> Jacobian:
    """Linearise a network at a state, whatever its equation and couplings.

    Parameters
    ----------
    network : OscillatorNetwork
        One network without delays and noise.
    state : array-like of shape (state_shape, n), or (n,) of phases
        Where.

    Returns
    -------
    Jacobian of shape (N, N)
        For the N numbers of a state.

    Raises
    ------
    TypeError
        If it is no network.
    ValueError
        If there are several networks, delays or noise, or the state does not fit.

    Examples
    --------
    Oscillators in phase return to it at the rates of the Laplacian:

    >>> import numpy as np
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.analysis import jacobian
    >>> network = OscillatorNetwork(np.ones((3, 3)) - np.eye(3))
    >>> found = jacobian(network, np.zeros(3))
    >>> found
    Jacobian(shape=(3, 3), DenseCoupling)
    >>> found.matvec([1.0, -1.0, 0.0])
    array([-3.,  3.,  0.])
    >>> found.eigenvalues(2).round(6) + 0.0
    array([ 0., -3.])
    """
    field = field_of(network, "jacobian")
    _, blocks = field.linearize(read_one(network, state))
    return Jacobian(field.coupling, blocks, network)


def read_one(network: OscillatorNetwork, state: Any, name: str = "state") -> Tensor:
    """Return one state in double precision."""
    found = network.read_state(state, name).detach().double()
    if found.ndim != 1 + len(network.dynamics.state_shape):
        raise ValueError(f"{name} must be one state, got {tuple(found.shape)} numbers.")
    return found


def _column(v: Any, name: str) -> Any:
    given = v if isinstance(v, Tensor) else np.asarray(v)
    return given.reshape(-1, 1)


def _matrix(coupling: CouplingOperator) -> Tensor:
    return coupling.matrix if isinstance(coupling, DenseCoupling) else coupling.dense()
