"""Every normalisation that is built in."""

import numpy as np
import pytest
import torch
from contracts.draws import normal
from contracts.normalizations import NormalizationContract

from skkuranet.coupling import (
    Balanced,
    DenseCoupling,
    EqualDegree,
    Identity,
    InDegree,
    MeanDegree,
    PerSource,
    SparseCoupling,
    driven_by,
)


class TestInDegree(NormalizationContract):
    kinds = ("dense", "tiled")

    def make(self):
        return InDegree(density_exponent=0.5)


class TestInDegreeOfFactors(NormalizationContract):
    def make(self):
        return InDegree(order=2)


class TestBalanced(NormalizationContract):
    kinds = ("factorised",)
    form = "block"

    def make(self):
        return Balanced()


class TestMeanDegree(NormalizationContract):
    form, symmetric = "nonnegative", True

    def make(self):
        return MeanDegree(2.0, density_exponent=0.5)


class TestPerSource(NormalizationContract):
    def make(self):
        return PerSource()


class TestIdentity(NormalizationContract):
    is_independent_of_size = False

    def make(self):
        return Identity()


class TestEqualDegree(NormalizationContract):
    form, symmetric = "nonnegative", True
    degree = 2.0

    def make(self):
        return EqualDegree(self.degree)

    @pytest.mark.parametrize("n", [2, 3, 20])
    def test_all_have_the_same_degree(self, kind, n):
        matrix = self.couplings(kind, normal(n, 2)).dense()
        torch.testing.assert_close(matrix.sum(-1), torch.full((n,), self.degree).double())
        torch.testing.assert_close(matrix, matrix.mT)
        assert matrix.min() > -1e-12
        assert matrix.diagonal().max() < 1e-4 * self.degree

    def test_so_have_nodes_that_are_driven(self, kind):
        prepared = driven_by(self.network(kind), normal(20, 2), self.make())
        sums = prepared(normal(7, 2, seed=1)).dense().sum(-1)
        torch.testing.assert_close(sums, torch.full((7,), self.degree).double())


def symmetric(n, scale=1.0):
    raw = scale * normal(n, n)
    return raw + raw.mT


def test_equal_degrees_are_exponentials_times_factors_of_both_nodes():
    raw = symmetric(8)
    found = EqualDegree(3.0)(DenseCoupling(raw)).dense()
    ratio = found.log() - raw
    # Of a sum of two terms, double differences are 0.
    rows = ratio[0, 2:] - ratio[1, 2:]
    torch.testing.assert_close(rows, rows.mean().expand(6), atol=0.05, rtol=0.0)


@pytest.mark.parametrize("n_rounds", [1, 30])
@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_equal_degrees_are_exact_however_sharp_couplings_are(scale, n_rounds):
    raw = symmetric(20, scale).requires_grad_()
    matrix = EqualDegree(n_rounds=n_rounds)(DenseCoupling(raw)).dense()
    torch.testing.assert_close(matrix.sum(-1), torch.ones(20).double())
    (gradient,) = torch.autograd.grad((matrix * normal(20, 20)).sum(), raw)
    assert gradient.isfinite().all()


def test_a_node_that_keeps_away_meets_the_others_by_chance():
    raw = torch.zeros(5, 5, dtype=torch.float64)
    raw[2] = raw[:, 2] = -100.0
    matrix = EqualDegree()(DenseCoupling(raw)).dense()
    wanted = torch.tensor([0.25, 0.25, 0.0, 0.25, 0.25], dtype=torch.float64)
    torch.testing.assert_close(matrix[2], wanted, atol=1e-4, rtol=0.0)


def test_a_lone_node_has_no_couplings():
    assert EqualDegree()(DenseCoupling(torch.ones(1, 1))).dense() == 0.0


def test_a_graph_and_bad_numbers_are_refused():
    edges = torch.tensor([0, 1]), torch.tensor([1, 0])
    with pytest.raises(ValueError, match="Use MeanDegree for couplings along edges"):
        EqualDegree()(SparseCoupling(*edges, torch.ones(2), (2, 2)))
    with pytest.raises(ValueError, match=r"degree must be positive, got 0\.0"):
        EqualDegree(np.float64(0.0))
    with pytest.raises(ValueError, match="n_rounds must be at least 1, got 0"):
        EqualDegree(n_rounds=0)
