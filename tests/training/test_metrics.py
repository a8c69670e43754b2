"""Error measures against numbers worked out by hand."""

import numpy as np
import pytest

from c2f_head_pose import geometry
from c2f_head_pose.evaluation import metrics


def test_errors_wrap_and_unknown_angles_do_not_count():
    """Roll 179 against -179 is 2 degrees off; an unlabelled roll leaves yaw and pitch: (1 + 3) / 2."""
    truth = np.array([[10.0, 0.0, 179.0]])
    errors = metrics.angle_errors(truth, geometry.rotation_from_ypr_deg(np.array([[10.0, 0.0, -179.0]])))
    assert errors.summary()['roll'] == pytest.approx(2)
    assert errors.summary()['geodesic'] == pytest.approx(2)
    partly = metrics.angle_errors(np.array([[11.0, 3.0, np.nan]]), geometry.rotation_from_ypr_deg(np.array([[10.0, 0.0, 5.0]])))
    assert partly.summary()['mae'] == pytest.approx(2)
    assert 'roll' not in partly.summary() and 'geodesic' not in partly.summary()


def test_summary_has_mean_and_deviation_of_the_absolute_error():
    """Yaw errors 1 and 3: mean 2, standard deviation 1."""
    truth = np.array([[0.0, 0, 0], [0.0, 0, 0]])
    errors = metrics.angle_errors(truth, geometry.rotation_from_ypr_deg(np.array([[1.0, 0, 0], [-3.0, 0, 0]])))
    assert (errors.summary()['yaw'], errors.summary()['yaw_std']) == (pytest.approx(2), pytest.approx(1))
    assert errors.percentiles((50,))['yaw']['p50'] == pytest.approx(2)


def test_backward_facing_truth_counts_by_rotation_only():
    R = geometry.rotation_from_ypr_deg(np.array([[80.0, 0, 0]]))
    back = geometry.rotation_from_vector(np.array([0, np.radians(30), 0])) @ R[0]
    errors = metrics.rotation_errors(np.stack([back, R[0]]), np.stack([R[0], R[0]]))
    assert np.isnan(errors.absolute_deg[0]).all() and errors.geodesic_deg[0] == pytest.approx(30)
    assert errors.absolute_deg[1] == pytest.approx(0)


def test_labels_turned_beyond_90_degrees_count_by_rotation_only():
    """The angles of a rotation have |yaw| <= 90: those of yaw 100, pitch 5 are 80, 175. Yaw 270 is -90."""
    truth = np.array([[85.0, 5, 0], [100, 5, 0], [-120, 5, 0], [270, 5, 0], [100, 5, np.nan]])
    errors = metrics.angle_errors(truth, geometry.rotation_from_ypr_deg(np.nan_to_num(truth)))
    assert np.isnan(errors.absolute_deg).all(axis=1).tolist() == [False, True, True, False, True]
    summary = errors.summary()
    assert (summary['yaw'], summary['pitch'], summary['roll'], summary['mae'], summary['geodesic']) == pytest.approx(
        (0, 0, 0, 0, 0), abs=1e-6
    )
    tilted = metrics.angle_errors(np.array([[75.0, -91, 0]]), geometry.HEAD_AXES[None])
    assert tilted.absolute_deg[0] == pytest.approx((75, 91, 0)), 'a pitch beyond 90 counts, as in the published protocol of AFLW2000'


def test_an_estimate_just_beyond_the_profile_has_the_error_of_the_nearer_triple_of_angles():
    """Yaw 88 read as 92 is (88, 180, 180) to arcsin: errors of 0, 177, 177 degrees, where 4, 3, 3 are meant."""
    truth = np.array([[88.0, 5.0, 2.0], [10.0, 5.0, 2.0], [88.0, 5.0, np.nan]])
    R = geometry.rotation_from_ypr_deg(np.array([[92.0, 8.0, 5.0], [13.0, 4.0, 2.0], [92.0, 8.0, 5.0]]))
    first = metrics.angle_errors(truth, R)
    nearer, beyond = metrics.nearer_errors(first, truth, R)
    assert first.absolute_deg[0] == pytest.approx([0, 177, 177])
    assert nearer.absolute_deg[[0, 2]] == pytest.approx(np.array([[4, 3, 3], [4, 3, np.nan]]), nan_ok=True) and beyond == 2
    assert nearer.absolute_deg[1] == pytest.approx(first.absolute_deg[1])
    assert nearer.geodesic_deg == pytest.approx(first.geodesic_deg, nan_ok=True)


def test_bins_hold_their_lower_edge_and_the_last_both():
    rows = metrics.by_bin(np.array([0.0, 10, 20, 20]), np.array([1.0, 2, 3, 5]), np.array([0.0, 10, 20]))
    assert [(r['n'], r['mean']) for r in rows] == [(1, 1.0), (3, pytest.approx(10 / 3))]
    assert np.isnan(metrics.by_bin(np.array([5.0]), np.array([1.0]), np.array([10.0, 20]))[0]['mean'])


def test_coarse_accuracy_by_distance_from_the_border():
    """Yaw, pitch (20, 2), (20, -20), (-20, 20), guessed L2, L2, L4: wrong only 2 degrees from a border."""
    R = geometry.rotation_from_ypr_deg(np.array([[20.0, 2, 0], [20, -20, 0], [-20, 20, 0]]))
    accuracy = metrics.coarse_accuracy(R, np.eye(4)[[1, 1, 3]])
    assert accuracy['beyond_0'] == pytest.approx(2 / 3)
    assert accuracy['beyond_3'] == 1
    assert metrics.boundary_distance_deg(R) == pytest.approx([2, 20, 20])


def test_correct_deviations_have_the_calibration_of_a_gaussian():
    """Errors drawn with the stated deviations: 68.3 % and 95.4 % within one and two, root mean square ratio 1."""
    rng = np.random.default_rng(0)
    std = rng.uniform(0.01, 0.1, (4000, 3))
    true = np.array([geometry.HEAD_AXES @ geometry.rotation_from_vector(d) for d in rng.normal(size=(4000, 3)) * std])
    out = metrics.std_calibration(true, np.broadcast_to(geometry.HEAD_AXES, true.shape), std)
    assert out['within_1'] == pytest.approx(0.683, abs=0.015)
    assert out['within_2'] == pytest.approx(0.954, abs=0.01)
    assert out['rms_ratio'] == pytest.approx(1, abs=0.03)
    # twice too sure: two of their deviations are one of ours
    assert metrics.std_calibration(true, np.broadcast_to(geometry.HEAD_AXES, true.shape), std / 2)['within_2'] == pytest.approx(
        0.683, abs=0.015
    )


def test_jitter_is_the_deviation_of_independent_errors_and_a_constant_one_counts_nothing():
    """Errors of 0.5 degrees about each of three axes: root of the sum of squares 0.866."""
    rng = np.random.default_rng(1)
    steady = geometry.rotation_from_ypr_deg(np.column_stack([np.linspace(0, 30, 600), np.zeros(600), np.zeros(600)]))
    noisy = np.array([geometry.rotation_from_vector(rng.normal(size=3) * np.radians(0.5)) @ R for R in steady])
    assert metrics.jitter_deg(noisy, steady) == pytest.approx(0.866, rel=0.06)
    assert metrics.jitter_deg(noisy) == pytest.approx(0.866, rel=0.06)
    turned = geometry.rotation_from_vector(np.array([0.1, 0, 0])) @ steady
    assert metrics.jitter_deg(turned, steady) == pytest.approx(0, abs=1e-6)


def test_the_share_within_the_deviations_is_told_by_axis():
    """Rolled by 3 degrees, all of it about the head's x axis, where 1 is stated."""
    out = metrics.std_calibration(
        geometry.HEAD_AXES[None], geometry.rotation_from_ypr_deg(np.array([[0.0, 0, 3]])), np.radians([[1.0, 1, 1]])
    )
    assert [out[f'within_1_{axis}'] for axis in 'xyz'] == [0, 1, 1]
