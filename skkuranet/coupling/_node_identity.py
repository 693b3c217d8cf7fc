"""What is learned of each node of one network, beside its features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skkuranet._utils.messages import plain

# Odd, so that products with it keep apart what was apart.
_MULTIPLIER = 6364136223846793005


class NodeIdentity(nn.Module):
    """Features beside learned traits of the node that has them.

    A coupling network that sees through it learns couplings of the nodes of one network, and not of
    any nodes with such features. A table of traits does what one-hot columns would, in less memory.

    Parameters
    ----------
    rows : Tensor of shape (n_nodes, n_features)
        Features that tell the nodes apart, to single precision once they are standardised.
    mean, scale : Tensor of shape (n_features,)
        By which the coupling network standardises features.
    generator : torch.Generator, optional
        Source of the initial traits.
    n_traits : int, default=16
        Numbers that are learned of each node.

    Raises
    ------
    ValueError
        If two rows are alike.

    Examples
    --------
    >>> import torch
    >>> from skkuranet.coupling import NodeIdentity, PairwiseNetwork
    >>> rows = torch.tensor([[0.5], [-0.5], [2.0]])
    >>> identity = NodeIdentity(rows, torch.zeros(1), torch.ones(1), n_traits=4)
    >>> identity(rows).shape
    torch.Size([3, 5])
    >>> PairwiseNetwork(1, encoding=identity)(rows, rows).shape
    torch.Size([3, 3])
    """

    keys: Tensor
    nodes: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        rows: Tensor,
        mean: Tensor,
        scale: Tensor,
        generator: torch.Generator | None = None,
        *,
        n_traits: int = 16,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        keys, nodes = _keys((rows.double().cpu() - mean) * (1.0 / scale)).sort()
        alike = (keys.diff() == 0).nonzero().flatten()
        if len(alike):
            first, second = sorted(nodes[alike[0] : alike[0] + 2].tolist())
            raise ValueError(
                f"Rows {first} and {second} of X are alike, but node_identity=True knows nodes by "
                "their rows. Add a column that tells them apart, for instance their number."
            )
        self.register_buffer("keys", keys)
        self.register_buffer("nodes", nodes)
        # Nodes in columns: memory is planned by the rows of weights.
        self.traits = nn.Parameter(torch.randn((n_traits, len(rows)), generator=generator))

    @property
    def n_outputs(self) -> int:
        """Number of features that come out."""
        return len(self.mean) + len(self.traits)

    def forward(self, x: Tensor) -> Tensor:
        """Return features and traits.

        Parameters
        ----------
        x : Tensor of shape (..., n_features)
            Standardised rows.

        Returns
        -------
        Tensor of shape (..., n_outputs)

        Raises
        ------
        ValueError
            If a row is not of the network.
        """
        keys = _keys(x)
        place = torch.searchsorted(self.keys, keys).clamp_max(len(self.keys) - 1)
        unknown = self.keys[place] != keys
        if bool(unknown.any()):
            row = x[unknown][0] * self.scale + self.mean
            raise ValueError(
                f"X has a row that was not in fit, {plain(row.float())}. With node_identity=True "
                "couplings are those of the nodes of fit: pass their rows as they were, or fit "
                "with node_identity=False, or anew, for others."
            )
        return torch.cat((x, self.traits.mT[self.nodes[place]]), -1)


def _keys(rows: Tensor) -> Tensor:
    """Return a number for each row, the same for rows that are equal in single precision."""
    # Adding 0 makes −0 equal to 0.
    bits = (rows.float() + 0.0).contiguous().view(torch.int32).long()
    keys = torch.zeros_like(bits[..., 0])
    for column in bits.unbind(-1):
        keys = (keys ^ column) * _MULTIPLIER + 1
        keys = keys ^ (keys >> 29)
    return keys
