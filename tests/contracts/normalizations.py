"""What every normalisation has to hold."""

import pytest
import torch

from contracts.draws import normal
from skkuranet.coupling import FactorizedNetwork, Normalization, PairwiseNetwork, couple, driven_by

N, M = 5, 4
BUDGETS = {"dense": 2**30, "factorised": 2**30, "tiled": 2 * 8 * M * N - 1}


class NormalizationContract:
    """Tests of a normalisation. A subclass makes it, and says which couplings it is for.

    Attributes
    ----------
    kinds : tuple of str
        Of "dense", "factorised" and "tiled".
    form : str
        Form of the factorised network that it takes.
    symmetric : bool
        Whether it takes pairwise couplings that are symmetric only.
    is_independent_of_size : bool
        Whether what drives a node of a large network does not depend on how large it is.
    """

    kinds = ("dense", "factorised", "tiled")
    form = "general"
    symmetric = False
    is_independent_of_size = True

    def make(self):
        """Return the normalisation."""
        raise NotImplementedError

    def network(self, kind):
        options = {"hidden_layer_sizes": (3,), "activation": "tanh"}
        options["generator"] = torch.Generator().manual_seed(3)
        if kind == "factorised":
            return FactorizedNetwork(2, rank=3, form=self.form, **options).double()
        return PairwiseNetwork(2, symmetric=self.symmetric, **options).double()

    def couplings(self, kind, x):
        return couple(self.network(kind), x, self.make(), memory_budget=BUDGETS[kind])

    def pytest_generate_tests(self, metafunc):
        if "kind" in metafunc.fixturenames:
            metafunc.parametrize("kind", self.kinds)

    def test_it_is_a_normalisation(self):
        assert isinstance(self.make(), Normalization)
        assert self.make().factor_copies >= 1

    def test_networks_of_a_batch_do_not_see_one_another(self, kind):
        x = normal(3, N, 2)
        together = self.couplings(kind, x)
        assert together.shape == (3, N, N)
        for place, own in enumerate(x):
            torch.testing.assert_close(together.dense()[place], self.couplings(kind, own).dense())

    def test_the_order_of_nodes_does_not_matter(self, kind):
        x, order = normal(N, 2), torch.tensor([4, 1, 0, 3, 2])
        matrix, mixed = (self.couplings(kind, rows).dense() for rows in (x, x[order]))
        torch.testing.assert_close(mixed, matrix[order][:, order])

    def test_gradients(self, kind):
        network, vectors = self.network(kind), normal(2, N, seed=2)
        parameters = [p for p in network.parameters() if p.requires_grad]

        def drive(x, *_):
            return couple(network, x, self.make(), memory_budget=BUDGETS[kind]) @ vectors.mT

        inputs = (normal(N, 2).requires_grad_(), *parameters)
        # Tiles are slow where they are small.
        assert torch.autograd.gradcheck(drive, inputs, fast_mode=kind == "tiled")

    def test_rows_are_driven_by_a_network_one_by_one(self, kind):
        x, reference = normal(M, 2, seed=1), normal(N, 2)
        prepared = driven_by(
            self.network(kind), reference, self.make(), memory_budget=BUDGETS[kind]
        )
        together = prepared(x).dense()
        assert together.shape == (M, N)
        for i in range(M):
            torch.testing.assert_close(prepared(x[i : i + 1]).dense(), together[i : i + 1])

    def test_what_drives_a_node_does_not_depend_on_the_size(self, kind):
        """Every node of a large network in duplicate: only couplings to oneself tell them apart."""
        if not self.is_independent_of_size or kind == "tiled":
            pytest.skip("strengths are those of the network, or the matrix is one that is stored")
        x, vectors = normal(300, 2), normal(1, 300, seed=2)
        with torch.no_grad():
            few = self.couplings(kind, x).matvec(vectors)
            many = self.couplings(kind, x.repeat(2, 1)).matvec(vectors.repeat(1, 2))
        torch.testing.assert_close(many[:, :300], few, rtol=0.0, atol=0.15 * float(few.abs().max()))
