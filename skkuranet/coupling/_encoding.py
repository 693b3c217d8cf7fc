"""What a perceptron needs to see to draw fine boundaries."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FourierFeatures(nn.Module):
    r"""Features beside random waves of them, :math:`(x, \cos \Omega^T x, \sin \Omega^T x)`.

    A perceptron learns smooth functions of its inputs first and sharp ones late or never; waves
    of the length of the details wanted bring those within reach (Tancik et al. 2020).

    Parameters
    ----------
    bandwidth : Tensor of shape (n_features,)
        Standard deviation of the angular frequencies Ω along each feature; 0 leaves a feature
        out of the waves.
    n_frequencies : int, default=64
        Number of waves.
    generator : torch.Generator, optional
        Source of the frequencies.

    References
    ----------
    M. Tancik et al., "Fourier features let networks learn high frequency functions in low
    dimensional domains", arXiv:2006.10739, 2020.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import FourierFeatures
    >>> waves = FourierFeatures(torch.tensor([3.0, 3.0]), n_frequencies=16)
    >>> waves(torch.rand(5, 2)).shape
    torch.Size([5, 34])
    """

    frequencies: Tensor

    def __init__(
        self,
        bandwidth: Tensor,
        n_frequencies: int = 64,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        directions = torch.randn((len(bandwidth), n_frequencies), generator=generator)
        self.register_buffer("frequencies", bandwidth.float().unsqueeze(-1) * directions)

    @property
    def n_outputs(self) -> int:
        """Number of features that come out."""
        n_features, n_frequencies = self.frequencies.shape
        return n_features + 2 * n_frequencies

    def forward(self, x: Tensor) -> Tensor:
        """Return features and waves, (..., n_outputs), of features (..., n_features)."""
        angle = x @ self.frequencies
        return torch.cat((x, angle.cos(), angle.sin()), -1)
