"""Device, randomness and tensors of the estimators."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import nn

from skkuranet.coupling import CouplingNetwork


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device that a parameter ``device`` names; raise ValueError if it is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is unknown; use 'auto', 'cpu', 'cuda' or 'cuda:i'."
        ) from error
    if resolved.type not in ("cpu", "cuda"):
        raise ValueError(f"device={device!r} is not supported; use 'auto', 'cpu' or 'cuda'.")
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device={str(device)!r} was asked for, but no CUDA device is available. Use "
            "device='auto' to compute on the CPU where there is none."
        )
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={str(device)!r} was asked for, but the cards here are 0 to "
            f"{torch.cuda.device_count() - 1}."
        )
    return resolved


def random_source(random_state: int | np.random.RandomState | None) -> np.random.RandomState:
    """Return a RandomState; unlike check_random_state, None leaves NumPy's global state alone."""
    if random_state is None:
        return np.random.RandomState()
    return check_random_state(random_state)


def to_tensor(
    X: np.ndarray | torch.Tensor, network: nn.Module, device: torch.device
) -> torch.Tensor:
    """Node features as a tensor that the network takes, on a device."""
    # Our own networks standardise in double precision before they compute in theirs.
    ours = isinstance(network, CouplingNetwork)
    dtype = torch.float64 if ours else next((p.dtype for p in network.parameters()), torch.float32)
    return as_tensor(X, dtype, device)


def as_tensor(
    X: np.ndarray | torch.Tensor, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """An array as a tensor. It is copied, as it may be a read-only memory map; tensors are not."""
    if isinstance(X, torch.Tensor):
        # One of inference mode could not be trained on.
        X = X.clone() if X.is_inference() else X
        return X.to(device=device, dtype=dtype)
    return torch.tensor(np.ascontiguousarray(X), dtype=dtype, device=device)
