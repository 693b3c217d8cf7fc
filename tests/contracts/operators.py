"""What every coupling operator has to hold."""

import pytest
import torch

from contracts.draws import normal
from skkuranet.coupling import CouplingOperator, product
from skkuranet.coupling._plan import Plan, plan_for

#: Batch, targets and sources: one network or more, square or not, one node, none alike.
SHAPES = [((), 5, 5), ((), 1, 1), ((), 4, 7), ((2,), 5, 5), ((3,), 6, 2), ((2, 1), 3, 3)]
SQUARE = [shape for shape in SHAPES if shape[1] == shape[2]]

every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
square = pytest.mark.parametrize("shape", SQUARE, ids=str)


class OperatorContract:
    """Tests of an operator. A subclass draws its tensors, and says what matrix they stand for.

    Attributes
    ----------
    tolerance : float
        How closely products agree with those of the matrix.
    knows_degree : tuple of int
        Orders of the degrees that it can tell.
    leaves_diagonal : bool
        Whether it can leave out self-coupling.
    has_graph : bool
        Whether autograd goes through its products.
    dtypes : tuple of torch.dtype
        Types that its tensors may have.
    """

    tolerance = 1e-10
    knows_degree = (1, 2)
    leaves_diagonal = True
    has_graph = True
    dtypes = (torch.float64, torch.float32)

    def draw(self, batch, n, p, seed=0):
        """Return the tensors of couplings of shape (*batch, n, p)."""
        raise NotImplementedError

    def make(self, tensors, batch, n, p):
        """Return the operator."""
        raise NotImplementedError

    def matrix(self, tensors, batch, n, p):
        """Return the matrix, differentiable in the tensors."""
        raise NotImplementedError

    def couplings(self, shape):
        """The operator, its tensors, which want gradients, and its matrix."""
        tensors = [t.requires_grad_() for t in self.draw(*shape)]
        return self.make(tensors, *shape), tensors, self.matrix(tensors, *shape)

    def vectors(self, shape, m=3, seed=20):
        """As rows: m for the targets, and m for the sources."""
        batch, n, p = shape
        dtype = self.make(self.draw(*shape), *shape).dtype
        left, right = normal(*batch, m, n, seed=seed), normal(*batch, m, p, seed=seed + 1)
        return left.to(dtype), right.to(dtype)

    def close(self, found, wanted):
        torch.testing.assert_close(
            found, wanted.to(found.dtype), rtol=self.tolerance, atol=self.tolerance
        )

    def pulled(self, tensors, matrix, left, right):
        """Derivatives of the bilinear form, by autograd through the matrix."""
        form = (left.to(matrix.dtype) * (right.to(matrix.dtype) @ matrix.mT)).sum()
        options = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
        return torch.autograd.grad(form, tensors, **options)

    # Products

    @every_shape
    def test_it_says_what_it_is(self, shape):
        operator, tensors, matrix = self.couplings(shape)
        batch, n, p = shape
        assert isinstance(operator, CouplingOperator)
        assert operator.shape == (*batch, n, p)
        assert len(operator.tensors) == len(tensors)
        assert operator.device == matrix.device
        assert str((*batch, n, p)) in repr(operator)

    @every_shape
    @pytest.mark.parametrize("m", [1, 2, 5])
    def test_products_are_those_of_the_matrix(self, shape, m):
        operator, _, matrix = self.couplings(shape)
        left, right = self.vectors(shape, m)
        kept = left.clone(), right.clone()
        with torch.no_grad():
            self.close(operator.matvec(right), right.to(matrix.dtype) @ matrix.mT)
            self.close(operator.rmatvec(left), left.to(matrix.dtype) @ matrix)
            self.close(operator @ right.mT, matrix @ right.mT.to(matrix.dtype))
            self.close(operator.transpose().matvec(left), left.to(matrix.dtype) @ matrix)
        assert torch.equal(left, kept[0])
        assert torch.equal(right, kept[1])

    @every_shape
    def test_it_is_differentiated_like_the_matrix(self, shape):
        operator, tensors, matrix = self.couplings(shape)
        left, right = self.vectors(shape)
        wanted = self.pulled(tensors, matrix, left, right)
        found = operator.bilinear_derivative(left, right)
        for name in range(len(tensors)):
            self.close(found[name], wanted[name])
            assert found[name].shape == tensors[name].shape
        # The same by products that autograd goes through, and with respect to the vectors.
        right.requires_grad_()
        form = (left * product(operator, right)).sum()
        *by_tensors, by_right = torch.autograd.grad(form, (*tensors, right))
        for gradient, expected in zip(by_tensors, wanted, strict=True):
            self.close(gradient, expected)
        self.close(by_right, left.to(matrix.dtype) @ matrix.detach())

    @every_shape
    def test_defaults_by_autograd_are_the_same(self, shape):
        operator, _, matrix = self.couplings(shape)
        left, right = self.vectors(shape)
        assert operator.matvec(right).requires_grad == self.has_graph
        if not self.has_graph:
            return
        self.close(
            CouplingOperator.rmatvec(operator, left).detach(),
            left.to(matrix.dtype) @ matrix.detach(),
        )
        hand = operator.bilinear_derivative(left, right)
        auto = CouplingOperator.bilinear_derivative(operator, left, right)
        for by_hand, by_autograd in zip(hand, auto, strict=True):
            self.close(by_hand, by_autograd)

    # The matrix

    @every_shape
    def test_rows_are_those_of_the_matrix(self, shape):
        operator, _, matrix = self.couplings(shape)
        self.close(operator.dense().detach(), matrix.detach())
        n = shape[1]
        some = [n - 1, 0]
        for index in (some, torch.tensor(some), slice(0, max(1, n - 1)), slice(None)):
            self.close(operator.rows(index).detach(), matrix[..., index, :].detach())
        self.close(operator.transpose().dense().detach(), matrix.mT.detach())
        self.close(operator.transpose().transpose().dense().detach(), matrix.detach())

    @every_shape
    @pytest.mark.parametrize("order", [1, 2])
    def test_degrees_are_those_of_the_matrix(self, shape, order):
        operator, _, matrix = self.couplings(shape)
        if order in self.knows_degree:
            wanted = matrix.abs().pow(order).sum(-1)
            self.close(operator.degree(order).detach(), wanted.detach())
        else:
            with pytest.raises(TypeError):
                operator.degree(order)

    # What is made of it

    @every_shape
    def test_it_is_scaled_and_added(self, shape):
        operator, tensors, matrix = self.couplings(shape)
        left, right = self.vectors(shape, m=1)
        left, right = left.squeeze(-2).requires_grad_(), right.squeeze(-2).requires_grad_()
        for one, other in ((left, right), (left, None), (None, right), (None, None)):
            wanted = matrix if one is None else one.to(matrix.dtype).unsqueeze(-1) * matrix
            wanted = wanted if other is None else wanted * other.to(matrix.dtype).unsqueeze(-2)
            scaled = operator.scale(one, other)
            self.close(scaled.dense().detach(), wanted.detach())
            inputs = [t for t in (*tensors, one, other) if t is not None]
            self._same_gradients(shape, scaled, wanted, inputs)
        both = operator.add(self.make(tensors, *shape))
        self.close(both.dense().detach(), 2.0 * matrix.detach())
        self._same_gradients(shape, both, 2.0 * matrix, tensors)

    @every_shape
    def test_couplings_of_another_shape_are_not_added(self, shape):
        batch, n, p = shape
        for other in ((batch, n + 1, p), (batch, n, p + 1), ((4, *batch), n, p)):
            larger = self.make(self.draw(*other), *other)
            with pytest.raises(ValueError, match="cannot be added"):
                self.couplings(shape)[0].add(larger)

    def _same_gradients(self, shape, operator, matrix, inputs):
        left, right = self.vectors(shape)
        form = (left * product(operator, right)).sum()
        found = torch.autograd.grad(form, inputs, retain_graph=True)
        for gradient, wanted in zip(found, self.pulled(inputs, matrix, left, right), strict=True):
            self.close(gradient, wanted)

    @square
    def test_self_coupling_is_left_out(self, shape):
        operator, _, matrix = self.couplings(shape)
        if not self.leaves_diagonal:
            with pytest.raises(TypeError, match="cannot leave out its diagonal"):
                operator.without_self_coupling()
            return
        wanted = matrix * (1.0 - torch.eye(shape[1]))
        self.close(operator.without_self_coupling().dense().detach(), wanted.detach())

    # Products of solvers

    @every_shape
    def test_its_plan_is_the_plain_one(self, shape):
        for dtype in self.dtypes:
            tensors = [t.to(dtype).requires_grad_() for t in self.draw(*shape)]
            operator = self.make(tensors, *shape)
            left, right = (t.to(operator.dtype) for t in self.vectors(shape, m=2))
            with torch.no_grad():
                plans = plan_for(operator), Plan(operator)
                results = [self._through(plan, left, right) for plan in plans]
            assert all(found.dtype == operator.dtype for found in results[0][:6])
            tolerance = self.tolerance if dtype == torch.float64 else max(self.tolerance, 1e-4)
            torch.testing.assert_close(*results, rtol=tolerance, atol=tolerance)

    def _through(self, plan, left, right):
        """Products of two slots, once more from their notes, and the derivative over both."""
        targets, sources = torch.empty_like(left), torch.empty_like(right)
        notes = [
            t.new_empty((2, *t.shape[:-1], plan.n_notes)) if plan.n_notes else None
            for t in (right, left)
        ]
        factors = (1.0, -0.5)
        rights, lefts = (torch.stack([f * x for f in factors]) for x in (right, left))
        forth = plan.matvec(rights, targets, notes[0])
        back = plan.rmatvec(lefts, sources, notes[1])
        found, total = [], None
        for slot, factor in enumerate(factors):
            forth(slot)
            back(slot)
            found += [targets.clone(), sources.clone()]
            of_right, of_left = (None if t is None else t[slot].contiguous() for t in notes)
            again = torch.empty_like(targets)
            plan.again(factor * right, of_right, again)()
            found.append(again)
            sides = (factor * left, of_left), (factor * right, of_right)
            # What it returns may be overwritten, and so must not be what others hold.
            total = plan.accumulate(total, *sides)
        return found + list(total)
