"""What stands in for newer parts of scikit-learn."""

import pytest

from skkuranet.estimators import _sklearn


def test_tensors_are_refused_where_scikit_learn_cannot_take_them():
    with pytest.raises(ValueError, match=r"need scikit-learn 1\.9 or newer"):
        _sklearn._refuse(object())


def test_without_callbacks_nothing_is_told_and_nothing_stops():
    root = _sklearn._WithoutCallbacks()._init_callback_context(max_subtasks=1)
    step = root.call_on_fit_task_begin(estimator=None).subcontext(task_name="restart", task_id=0)
    assert step.call_on_fit_task_end(estimator=None, reconstruction_attributes={}) is False
