"""Scores of phases for NumPy users."""

import numpy as np
import pytest

from skkuranet.metrics import (
    circular_variance,
    cluster_synchrony_loss,
    feature_correlation,
    order_parameter,
    splay_loss,
)


def test_order_parameter_of_known_states():
    theta = 2 * np.pi * np.arange(12) / 12
    assert order_parameter(np.full(5, 0.7)) == pytest.approx(1.0)
    assert order_parameter(theta) == pytest.approx(0.0, abs=1e-12)
    assert order_parameter([0.0, np.pi / 2]) == pytest.approx(np.sqrt(0.5))
    batch = order_parameter(np.stack((theta, np.zeros(12))))
    np.testing.assert_allclose(batch, [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(circular_variance(np.stack((theta, 0 * theta))), 1 - batch)


@pytest.mark.parametrize("k", range(2, 11))
def test_splay_states_of_any_rotation_cost_nothing(k):
    assert splay_loss(0.3 + 2 * np.pi * np.arange(k) / k) == pytest.approx(0.0, abs=1e-12)


def test_cluster_loss_of_table_ii():
    names = np.array(["a", "b", "c", "d"]).repeat(5)
    splay = (np.pi / 2 * np.arange(4)).repeat(5)
    assert cluster_synchrony_loss(splay, names) == pytest.approx(0.0, abs=1e-12)
    # The paper's two-class controls of .5: all in phase.
    assert cluster_synchrony_loss(np.zeros(20), np.arange(20) % 2) == pytest.approx(0.5)
    shuffled = np.random.RandomState(0).permutation(20)
    assert cluster_synchrony_loss(splay[shuffled], names[shuffled]) == pytest.approx(0.0, abs=1e-12)


def test_feature_correlation_of_known_couplings():
    X = np.array([[-1.0, 2.0], [-1.0, 2.0], [1.0, -2.0], [1.0, -2.0]])
    same = np.kron(np.eye(2), np.ones((2, 2)))
    assert feature_correlation(same, X) == pytest.approx(1.0)
    assert feature_correlation(1.0 - same, X + 5.0) == pytest.approx(-1.0)
    assert feature_correlation(np.ones((4, 4)), X) == pytest.approx(0.0)


def test_masked_oscillators_do_not_count():
    # What a mask hides may be anything.
    phases = np.ma.masked_invalid([[0.0, 0.0, np.nan], [0.0, np.pi / 2, np.nan]])
    assert order_parameter(np.ma.masked_array([0, 0, np.pi], [0, 0, 1])) == pytest.approx(1.0)
    np.testing.assert_allclose(order_parameter(phases), [1.0, np.sqrt(0.5)])
    # Each state has what is known of it.
    phases[1, 1] = np.ma.masked
    np.testing.assert_allclose(circular_variance(phases), [0.0, 0.0], atol=1e-12)
    assert splay_loss(np.ma.masked_array([0, np.pi, 1], [0, 0, 1])) == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ValueError, match="everything is masked"):
        order_parameter(np.ma.masked_all(3))


def test_masked_phases_and_labels_leave_clusters_alone():
    theta, names = np.array([0.0, 0.0, np.pi, np.pi, 1.0]), np.array([*"aabbb"])
    gone = np.array([0, 0, 0, 0, 1])
    expected = cluster_synchrony_loss(theta[:4], names[:4])
    assert cluster_synchrony_loss(np.ma.masked_array(theta, gone), names) == expected
    assert cluster_synchrony_loss(theta, np.ma.masked_array(names, gone)) == expected
    two = np.ma.masked_array([theta, theta], [gone, 0 * gone])
    scores = cluster_synchrony_loss(two, names)
    np.testing.assert_allclose(scores, [expected, cluster_synchrony_loss(theta, names)])


def test_masked_couplings_and_features_are_left_out():
    X = np.array([[-1.0, 2.0], [-1.0, 2.0], [1.0, -2.0], [1.0, -2.0]])
    same = np.kron(np.eye(2), np.ones((2, 2)))
    hidden = np.ma.masked_array(np.where(same, 1.0, np.nan), same == 0)
    assert feature_correlation(hidden, X) == pytest.approx(1.0)
    features = np.ma.masked_array(X + np.array([[0.0], [0.0], [0.0], [50.0]]), np.zeros_like(X))
    features[3, 0] = np.ma.masked
    expected = feature_correlation(same[:3, :3], X[:3])
    assert feature_correlation(same, features) == pytest.approx(expected)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="do not fit the 3 oscillators"):
        feature_correlation(np.eye(2), np.ones((3, 1)))
    with pytest.raises(ValueError, match="phases must be finite; 1 of its 2 values"):
        order_parameter([0.0, np.nan])
    with pytest.raises(ValueError, match="phases has no phases"):
        circular_variance([])
    with pytest.raises(ValueError, match="one label for each of the 2 units"):
        cluster_synchrony_loss([0.0, 1.0], [0, 1, 1])
