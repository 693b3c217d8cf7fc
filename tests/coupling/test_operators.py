"""Every kind of couplings that is built in, and some of the user's own."""

import warnings

import pytest
import torch
from contracts.couplings import OwnCoupling
from contracts.draws import normal, uniform
from contracts.operators import OperatorContract

from skkuranet.coupling import (
    DenseCoupling,
    FactorizedCoupling,
    HalfCoupling,
    SparseCoupling,
    TiledCoupling,
    product,
)

RANK = 3


class TestDense(OperatorContract):
    def draw(self, batch, n, p, seed=0):
        return [normal(*batch, n, p, seed=seed)]

    def make(self, tensors, batch, n, p):
        return DenseCoupling(*tensors)

    def matrix(self, tensors, batch, n, p):
        return tensors[0] * 1.0


class TestHalf(OperatorContract):
    # Vectors and products are rounded to about three digits.
    tolerance = 0.06
    dtypes = (torch.bfloat16, torch.float16)

    def draw(self, batch, n, p, seed=0):
        return [normal(*batch, n, p, seed=seed).bfloat16()]

    def make(self, tensors, batch, n, p):
        return HalfCoupling(*tensors)

    def matrix(self, tensors, batch, n, p):
        return tensors[0].float()


class TestFactorized(OperatorContract):
    knows_degree = (2,)

    def draw(self, batch, n, p, seed=0):
        return [normal(*batch, size, RANK, seed=seed + i) for i, size in enumerate((n, p))]

    def make(self, tensors, batch, n, p):
        return FactorizedCoupling(*tensors)

    def matrix(self, tensors, batch, n, p):
        left, right, *diagonal = tensors
        whole = left @ right.mT
        return whole - diagonal[0].diag_embed() if diagonal else whole


class TestFactorizedWithDiagonal(TestFactorized):
    def draw(self, batch, n, p, seed=0):
        factors = super().draw(batch, n, p, seed)
        return [*factors, normal(*batch, n, seed=seed + 2)] if n == p else factors


class TestSparse(OperatorContract):
    has_graph = False

    def ends(self, batch, n, p):
        """Some pairs of nodes; those of a batch are counted through."""
        edges = uniform(torch.Size(batch).numel() * n, p) < 0.6
        targets, sources = edges.nonzero().T
        return targets, sources + p * (targets // n)

    def draw(self, batch, n, p, seed=0):
        return [normal(len(self.ends(batch, n, p)[0]), seed=seed)]

    def make(self, tensors, batch, n, p):
        return SparseCoupling(*self.ends(batch, n, p), *tensors, (*batch, n, p))

    def matrix(self, tensors, batch, n, p):
        targets, sources = self.ends(batch, n, p)
        whole = tensors[0].new_zeros(torch.Size((*batch, n, p)).numel())
        return whole.index_put((targets * p + sources % p,), tensors[0]).view(*batch, n, p)


class TestTiled(OperatorContract):
    has_graph = False

    def draw(self, batch, n, p, seed=0):
        return [normal(*batch, n, 2, seed=seed), normal(*batch, p, 2, seed=seed + 1)]

    def make(self, tensors, batch, n, p):
        leaves = [t.detach().requires_grad_(t.requires_grad) for t in tensors]

        def block(rows, columns):
            return self.matrix([leaves[0][..., rows, :], leaves[1][..., columns, :]], batch, n, p)

        return TiledCoupling(block, tuple(tensors), (*batch, n, p), 2, tuple(leaves))

    def matrix(self, tensors, batch, n, p):
        return (tensors[0] @ tensors[1].mT).tanh()


class TestOwn(OperatorContract):
    """Shape, tensors and products: all else is autograd's."""

    leaves_diagonal = False

    def draw(self, batch, n, p, seed=0):
        return [normal(*batch, n, p, seed=seed)]

    def make(self, tensors, batch, n, p):
        return OwnCoupling(*tensors)

    def matrix(self, tensors, batch, n, p):
        return tensors[0] * 1.0


class TestTransposed(TestOwn):
    has_graph = False

    def draw(self, batch, n, p, seed=0):
        return [normal(*batch, p, n, seed=seed)]

    def make(self, tensors, batch, n, p):
        return OwnCoupling(*tensors).transpose()

    def matrix(self, tensors, batch, n, p):
        return tensors[0].mT


class TestScaled(TestOwn):
    def draw(self, batch, n, p, seed=0):
        left, right = (normal(*batch, size, seed=seed + size) for size in (n, p))
        return [*super().draw(batch, n, p, seed), left, right]

    def make(self, tensors, batch, n, p):
        return OwnCoupling(tensors[0]).scale(*tensors[1:])

    def matrix(self, tensors, batch, n, p):
        return tensors[1].unsqueeze(-1) * tensors[0] * tensors[2].unsqueeze(-2)


class TestSum(TestOwn):
    """Of couplings of different kinds."""

    def draw(self, batch, n, p, seed=0):
        return [*super().draw(batch, n, p, seed), *TestFactorized().draw(batch, n, p, seed + 5)]

    def make(self, tensors, batch, n, p):
        return DenseCoupling(tensors[0]).add(FactorizedCoupling(*tensors[1:]))

    def matrix(self, tensors, batch, n, p):
        return tensors[0] + tensors[1] @ tensors[2].mT


@pytest.mark.parametrize("seed", range(20))
def test_kinds_agree_where_they_are_one_matrix(seed):
    """Random shapes, batches and numbers of vectors."""
    generator = torch.Generator().manual_seed(seed)
    n, p, rank, m, size = (int(torch.randint(1, 8, (), generator=generator)) for _ in range(5))
    batch = ((), (size,), (2, size))[seed % 3]
    left, right = normal(*batch, n, rank, seed=seed), normal(*batch, p, rank, seed=seed + 1)
    matrix = left @ right.mT
    n_networks = torch.Size(batch).numel()
    targets, sources = torch.ones(n_networks * n, p).nonzero().T
    sources = sources + p * (targets // n)
    kinds = {
        "dense": DenseCoupling(matrix),
        "factorised": FactorizedCoupling(left, right),
        "sparse": SparseCoupling(targets, sources, matrix.flatten(), matrix.shape),
        "tiled": TiledCoupling(
            lambda i, j: matrix[..., i, j], (matrix,), matrix.shape, 1 + seed % 3
        ),
        "own": OwnCoupling(matrix),
    }
    forth, back = normal(*batch, m, p, seed=2), normal(*batch, m, n, seed=3)
    for name, operator in kinds.items():
        torch.testing.assert_close(operator.dense(), matrix, msg=name)
        torch.testing.assert_close(product(operator, forth), forth @ matrix.mT, msg=name)
        torch.testing.assert_close(operator.rmatvec(back), back @ matrix, msg=name)


@pytest.mark.parametrize(
    "note", ["Sparse CSR tensor support is in beta", "Sparse invariant checks are implicitly"]
)
def test_what_torch_notes_of_sparse_tensors_is_not_for_users(note, monkeypatch):
    make = torch.sparse_csr_tensor

    def noted(*args, **kwargs):
        warnings.warn(f"{note} ...", UserWarning, stacklevel=2)
        return make(*args, **kwargs)

    monkeypatch.setattr(torch, "sparse_csr_tensor", noted)
    ends = torch.tensor([0, 1]), torch.tensor([1, 0])
    coupling = SparseCoupling(*ends, torch.ones(2), (2, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(coupling.dense(), torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
