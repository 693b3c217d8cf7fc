"""What scikit-learn asks of every estimator."""

import numpy as np
import pytest
from sklearn.utils import estimator_checks as checks
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skkuranet import KuraNetClusterer, KuraNetGrouper, KuraNetSegmenter, KuraNetSynchronizer

pytestmark = [
    # Many checks fit random labels, two points, or frequencies that no coupling holds together.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:These classes in y:UserWarning"),
    pytest.mark.filterwarnings("ignore:All features in X:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API"),
]


@parametrize_with_checks(
    [
        KuraNetClusterer(),
        KuraNetClusterer(
            "pairwise",
            hidden_layer_sizes=(32,),
            network_size=30,
            batch_size=2,
            n_steps=10,
            max_iter=100,
        ),
        KuraNetGrouper(),
        KuraNetGrouper(n_clusters=2, n_dims=2),
        KuraNetSynchronizer(),
        KuraNetSynchronizer(
            coupling="pairwise", hidden_layer_sizes=(8,), max_iter=5, batch_size=2, n_reference=20
        ),
    ]
)
def test_estimators_of_tables(estimator, check):
    check(estimator)


class OfRows(KuraNetSegmenter):
    """Segments tables: images one pixel high, whose channels are the columns."""

    def fit(self, X, y):
        return super().fit(np.asarray(X)[None], np.asarray(y)[None])

    def predict(self, X):
        return super().predict(np.asarray(X)[None])[0]

    def predict_proba(self, X):
        return super().predict_proba(np.asarray(X)[None])[0]

    def transform(self, X):
        return super().transform(np.asarray(X)[None])[0]


@pytest.mark.parametrize(
    "check",
    [
        checks.check_do_not_raise_errors_in_init_or_set_params,
        checks.check_estimator_cloneable,
        checks.check_estimator_repr,
        checks.check_estimator_tags_renamed,
        checks.check_estimators_unfitted,
        checks.check_get_params_invariance,
        checks.check_mixin_order,
        checks.check_no_attributes_set_in_init,
        checks.check_param_validation,
        checks.check_parameters_default_constructible,
        checks.check_set_params,
        checks.check_valid_tag_types,
    ],
)
def test_an_estimator_of_images(check):
    check("KuraNetSegmenter", KuraNetSegmenter())


# Those that ask for features without order or place, for one message or another about the shape of
# tables, or for methods that take tables only, make no sense for images.
@pytest.mark.parametrize(
    "check",
    [
        checks.check_classifier_data_not_an_array,
        checks.check_dict_unchanged,
        checks.check_dont_overwrite_parameters,
        checks.check_estimators_dtypes,
        checks.check_estimators_fit_returns_self,
        checks.check_estimators_nan_inf,
        checks.check_estimators_overwrite_params,
        checks.check_estimators_pickle,
        checks.check_f_contiguous_array_estimator,
        checks.check_fit2d_1feature,
        checks.check_fit_check_is_fitted,
        checks.check_fit_idempotent,
        checks.check_inplace_ensure_writeable,
        checks.check_non_transformer_estimators_n_iter,
        checks.check_positive_only_tag_during_fit,
        checks.check_readonly_memmap_input,
    ],
)
def test_an_estimator_of_images_fitted(check):
    check("KuraNetSegmenter", OfRows())


@pytest.mark.parametrize(
    "kind", [KuraNetClusterer, KuraNetGrouper, KuraNetSynchronizer, KuraNetSegmenter]
)
def test_estimators_show_themselves_in_notebooks(kind):
    shown = kind(random_state=12345)._repr_html_()
    assert kind.__name__ in shown
    assert "12345" in shown


def test_tags_say_what_is_taken():
    images, table = get_tags(KuraNetSegmenter()), get_tags(KuraNetSynchronizer())
    assert images.input_tags.three_d_array
    assert not images.input_tags.two_d_array
    assert images.target_tags.required
    assert table.input_tags.two_d_array
    assert not table.target_tags.required
