"""Every test that asks for a device runs on the CPU and, where there is one, on a CUDA card."""

import os

# Before scipy is imported: scikit-learn dispatches to other array libraries only with it.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import pytest
import torch

# What they assert is shown like what tests do.
pytest.register_assert_rewrite("contracts")


@pytest.fixture(
    params=[
        "cpu",
        pytest.param(
            "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
        ),
    ]
)
def device(request):
    return request.param
