"""The filter on SO(3): steady at rest, quick in turns, and safe with odd stamps."""
import numpy as np
import pytest

from c2f_head_pose.estimator import EstimatorOptions
from c2f_head_pose.geometry import geodesic_deg, rotation_from_vector, rotation_from_ypr_deg
from c2f_head_pose.smooth import RotationFilter

OPTIONS = EstimatorOptions()
CUTOFF_HZ, BETA = OPTIONS.smoothing_min_cutoff_hz, OPTIONS.smoothing_beta


def run(rotations, fps=30):
    smoother = RotationFilter()
    return np.array([smoother.update(R, i / fps, CUTOFF_HZ, BETA) for i, R in enumerate(rotations)])


def test_noise_of_a_still_head_is_halved_at_least():
    rng = np.random.default_rng(0)
    still = rotation_from_ypr_deg(np.array([20.0, -10, 5]))
    noisy = [still @ rotation_from_vector(np.radians(rng.normal(0, 1, 3))) for _ in range(600)]
    raw, smoothed = geodesic_deg(still, np.array(noisy)), geodesic_deg(still, run(noisy))
    assert smoothed[60:].mean() < 0.5 * raw[60:].mean()


def test_a_turn_at_90_degrees_a_second_lags_less_than_60_milliseconds():
    """Behind by less than 90 * 0.06 = 5.4 degrees in the middle of the turn."""
    yaw = np.clip((np.arange(90) - 20) / 30 * 90, -0.0, 90) - 45
    turn = rotation_from_ypr_deg(np.stack([yaw, 0 * yaw, 0 * yaw], 1))
    assert geodesic_deg(turn, run(turn))[30:50].max() < 5.4


def test_smoothing_crosses_gimbal_lock_and_half_a_turn_without_a_jump():
    yaw = np.linspace(60, 300, 120)
    turn = np.array([rotation_from_vector(np.array([0, np.radians(a), 0])) for a in yaw])
    smoothed = run(turn)
    assert geodesic_deg(smoothed[1:], smoothed[:-1]).max() < 4


def test_a_stamp_that_does_not_advance_changes_nothing():
    smoother = RotationFilter()
    first = rotation_from_ypr_deg(np.array([0.0, 0, 0]))
    smoother.update(first, 1.0, CUTOFF_HZ, BETA)
    np.testing.assert_array_equal(smoother.update(rotation_from_ypr_deg(np.array([50.0, 0, 0])), 1.0, CUTOFF_HZ, BETA), first)


@pytest.mark.parametrize('gap_s', [10.0, 1e6])
def test_after_a_long_gap_the_new_estimate_is_believed(gap_s):
    smoother = RotationFilter()
    smoother.update(np.eye(3), 0.0, CUTOFF_HZ, BETA)
    new = rotation_from_vector(np.array([0, 0.5, 0]))
    assert geodesic_deg(new, smoother.update(new, gap_s, CUTOFF_HZ, BETA)) < 1
