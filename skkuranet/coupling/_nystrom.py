"""Trained couplings of any kind in factors of low rank."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from skkuranet.coupling._build import driven_by
from skkuranet.coupling._low_rank import LowRankNetwork
from skkuranet.coupling._networks import CouplingNetwork
from skkuranet.coupling._normalization import Driven, Normalization


class NystromNetwork(LowRankNetwork):
    r"""Normalised couplings of a trained network, through those to m landmarks.

    With :math:`\kappa(x, y)` the symmetric coupling that acts between two nodes, times the
    number of sources, Z the landmarks and :math:`\kappa(Z, Z) = U \Lambda U^T`,

    .. math:: \kappa(x, y) \approx \kappa(x, Z)\, U_r \Lambda_r^{-1} U_r^T\, \kappa(Z, y)

    keeps the r eigenvalues that are largest in magnitude (Williams & Seeger 2001). The
    normalisation is that of the landmarks' network, so that outputs need no other but
    :class:`PerSource`.

    Parameters
    ----------
    network : CouplingNetwork or Module
        Trained; it is evaluated for n m pairs of a network of n nodes, and not for n².
    normalization : Normalization
        Under which it was trained.
    landmarks : Tensor of shape (m, n_features), float64
        Nodes like those that are to be coupled.
    rank : int
        Number r of eigenvalues kept, at most m.

    Raises
    ------
    ValueError
        If the normalised couplings are not symmetric, or rank does not fit.

    References
    ----------
    C. Williams and M. Seeger, "Using the Nyström method to speed up kernel machines", Advances in
    Neural Information Processing Systems 13, 2001.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import InDegree, NystromNetwork, PairwiseNetwork, couple
    >>> generator = torch.Generator().manual_seed(0)
    >>> network = PairwiseNetwork(2, (8,), symmetric=True, generator=generator)
    >>> landmarks = torch.randn(50, 2, generator=generator)
    >>> small = NystromNetwork(network, InDegree(), landmarks, rank=8)
    >>> couple(small, torch.randn(10_000, 2, generator=generator)).shape
    torch.Size([10000, 10000])
    """

    landmarks: Tensor
    left: Tensor
    right: Tensor

    def __init__(
        self, network: nn.Module, normalization: Normalization, landmarks: Tensor, rank: int
    ) -> None:
        super().__init__(landmarks.shape[-1])
        if not 1 <= rank <= len(landmarks):
            raise ValueError(
                f"rank must lie between 1 and the number of landmarks {len(landmarks)}, got {rank}."
            )
        self.network, self.normalization = copy.deepcopy(network).eval(), normalization
        # What the landmarks alone decide, once it is needed.
        self._to_landmarks: Driven | None = None
        self.register_buffer("landmarks", landmarks.clone())
        self.requires_grad_(False)
        with torch.no_grad():
            exact = copy.deepcopy(self.network).double()
            among = len(landmarks) * _driven(exact, normalization, landmarks)(landmarks).dense()
        # Landmarks couple to themselves here, which shifts their degrees a little.
        if (among - among.mT).norm() > (0.02 + 2.0 / len(landmarks)) * among.norm():
            raise ValueError(
                "normalization leaves these couplings unsymmetric, and only symmetric ones can be "
                "compressed. Train with a normalization that symmetrizes them."
            )
        values, vectors = torch.linalg.eigh(0.5 * (among + among.mT))
        kept = values.abs().argsort(descending=True)[:rank]
        # A vanishing eigenvalue says nothing but would be divided by.
        kept = kept[values[kept].abs() > 1e-10 * values.abs().max()]
        root = vectors[:, kept] / values[kept].abs().sqrt()
        self.register_buffer("left", (root * values[kept].sign()).float())
        self.register_buffer("right", root.float())

    @property
    def n_factors(self) -> int:
        """Numbers that the factor of a node has."""
        return self.left.shape[1]

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the left and right factors of nodes, through their couplings to landmarks."""
        if self._to_landmarks is None:
            self._to_landmarks = _driven(self.network, self.normalization, self.landmarks)
        couplings = (len(self.landmarks) * self._to_landmarks(x).dense()).to(self.left.dtype)
        return couplings @ self.left, couplings @ self.right

    def __getstate__(self) -> dict[str, object]:
        # A copy has weights of its own.
        return {**vars(self), "_to_landmarks": None}

    def _load_from_state_dict(self, *args: object, **options: object) -> None:
        super()._load_from_state_dict(*args, **options)
        self._to_landmarks = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> NystromNetwork:
        exact = self.landmarks
        super()._apply(fn, recurse)
        self._to_landmarks = None
        self.landmarks = exact.to(self.landmarks.device)
        return self


def _driven(network: nn.Module, normalization: Normalization, landmarks: Tensor) -> Driven:
    """From nodes to their couplings to landmarks that drive them."""
    if isinstance(network, CouplingNetwork):
        return driven_by(network, landmarks, normalization)
    # Ours see features in double precision, others in that of their weights.
    dtype = next((p.dtype for p in network.parameters()), torch.float32)
    driven = driven_by(network, landmarks.to(dtype), normalization)
    return lambda x: driven(x.to(dtype))
