"""What stands in for newer parts of scikit-learn does what these do."""

import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.utils._array_api import get_namespace

from skkuranet.estimators import _sklearn


def test_arrays_move_between_libraries():
    with sklearn.config_context(array_api_dispatch=True):
        tensor = torch.tensor([[1.0, 2.0]])
        xp = get_namespace(tensor)[0]
        assert_array_equal(_sklearn._move_to(tensor, xp=np, device="cpu"), [[1.0, 2.0]])
        there = _sklearn._move_to(np.array([1.0]), xp=xp, device="cpu")
        assert isinstance(there, torch.Tensor)


def test_another_library_than_that_of_fit_is_refused():
    fitted = BaseEstimator()
    fitted.rows_ = torch.zeros(2, 2)
    with sklearn.config_context(array_api_dispatch=True):
        _sklearn._check_same_namespace(torch.ones(1, 2), fitted, attribute="rows_", method="f")
        with pytest.raises(ValueError, match=r"BaseEstimator.f\(\) must use the same namespace"):
            _sklearn._check_same_namespace(np.ones((1, 2)), fitted, attribute="rows_", method="f")


def test_without_callbacks_nothing_is_told_and_nothing_stops():
    root = _sklearn._WithoutCallbacks()._init_callback_context(max_subtasks=1)
    step = root.call_on_fit_task_begin(estimator=None).subcontext(task_name="restart", task_id=0)
    assert step.call_on_fit_task_end(estimator=None, reconstruction_attributes={}) is False
