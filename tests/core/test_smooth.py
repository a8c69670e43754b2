"""The filter on SO(3): steady at rest, quick in turns, and safe with odd stamps."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from c2f_head_pose.estimator import EstimatorOptions, HeadPoseEstimator
from c2f_head_pose.geometry import geodesic_deg, rotation_from_vector, rotation_from_ypr_deg, ypr_deg_from_rotation
from c2f_head_pose.smooth import PoseFilter, PositionFilter, RotationFilter
from c2f_head_pose.types import Camera, HeadPose

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


def test_a_turn_at_90_degrees_a_second_lags_less_than_40_milliseconds():
    """Behind by less than 90 * 0.04 = 3.6 degrees in the middle of the turn."""
    yaw = np.clip((np.arange(90) - 20) / 30 * 90, -0.0, 90) - 45
    turn = rotation_from_ypr_deg(np.stack([yaw, 0 * yaw, 0 * yaw], 1))
    assert geodesic_deg(turn, run(turn))[30:50].max() < 3.6


@pytest.mark.parametrize('steps, most_deg', [(1, 2.5), (6, 1.5), (30, 0.5)])
def test_a_turn_of_30_degrees_that_ends_at_once_is_overshot_by_little_and_back_within_half_a_second(steps, most_deg):
    yaw = np.clip((np.arange(60) - 10) / steps, 0, 1) * 30
    smoothed = run(rotation_from_ypr_deg(np.stack([yaw, 0 * yaw, 0 * yaw], 1)))
    beyond = ypr_deg_from_rotation(smoothed)[:, 0] - 30
    assert beyond.max() < most_deg
    assert np.abs(beyond[10 + steps + 15 :]).max() < 0.3


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
def test_after_a_long_gap_the_new_estimate_replaces_the_old_one(gap_s):
    smoother = RotationFilter()
    smoother.update(np.eye(3), 0.0, CUTOFF_HZ, BETA)
    new = rotation_from_vector(np.array([0, 0.5, 0]))
    assert geodesic_deg(new, smoother.update(new, gap_s, CUTOFF_HZ, BETA)) < 1


def positions(places, fps=30):
    smoother = PositionFilter()
    return np.array(
        [
            smoother.update(t, i / fps, OPTIONS.smoothing_position_min_cutoff_hz, OPTIONS.smoothing_position_beta)
            for i, t in enumerate(places)
        ]
    )


def test_noise_of_a_still_heads_position_is_halved_at_least():
    """2 cm along the optical axis, as a box that breathes by 3 % makes of 0.7 m; a step from image to image shrinks more than that."""
    rng = np.random.default_rng(0)
    noisy = [0.1, -0.05, 0.7] + rng.normal(0, 1, (600, 3)) * [0.002, 0.002, 0.02]
    smoothed = positions(noisy)
    assert smoothed[60:, 2].std() < 0.5 * noisy[60:, 2].std()
    assert np.diff(smoothed[60:, 2]).std() < 0.25 * np.diff(noisy[60:, 2]).std()


def test_a_head_that_moves_at_half_a_metre_a_second_lags_less_than_25_milliseconds():
    """Behind by less than 0.5 * 0.025 = 0.0125 m once it moves, and never by more than 0.03 m (60 ms), in any direction."""
    travelled = np.clip((np.arange(90) - 20) / 30 * 0.5, 0, None)
    for direction in ([1, 0, 0], [0.6, 0, 0.8], [0, -0.6, -0.8]):
        places = [0, 0, 2] + travelled[:, None] * np.array(direction)
        behind = np.linalg.norm(positions(places) - places, axis=1)
        assert behind.max() < 0.03
        assert behind[60:].max() < 0.0125


def test_the_first_position_is_taken_as_it_is_and_a_stamp_that_does_not_advance_changes_nothing():
    smoother = PositionFilter()
    first = np.array([0.0, 0, 1])
    np.testing.assert_array_equal(smoother.update(first, 1.0, 1.0, 5.0), first)
    np.testing.assert_array_equal(smoother.update(np.array([0.5, 0, 1]), 1.0, 1.0, 5.0), first)


def test_a_position_follows_the_first_order_low_pass_of_its_cutoff():
    """beta 0, cutoff 1 / (20 pi) Hz, dt 10 s: the weight is 1 / (1 + 1) = 1/2, so a step of 1 m is taken by halves: 1/2, 3/4, 7/8.

    After ten seconds no movement is expected to go on.
    """
    smoother = PositionFilter()
    smoother.update(np.zeros(3), 0.0, 1 / (20 * np.pi), 0.0)
    taken = [smoother.update(np.array([1.0, 0, 0]), stamp_s, 1 / (20 * np.pi), 0.0)[0] for stamp_s in (10.0, 20.0, 30.0)]
    np.testing.assert_allclose(taken, [0.5, 0.75, 0.875], rtol=1e-12)


@pytest.mark.parametrize('value', [float('inf'), float('nan'), -1.0])
@pytest.mark.parametrize('place', ['', 'position_'])
@pytest.mark.parametrize('name', ['min_cutoff_hz', 'beta'])
def test_an_option_that_would_give_no_number_is_refused(name, place, value):
    """An infinite cutoff's weight is infinity / infinity."""
    with pytest.raises(ValueError, match=f'smoothing_{place}{name} must be .* and finite, got {value}'):
        EstimatorOptions(**{f'smoothing_{place}{name}': value})


def test_smoothing_restarts_where_the_fixed_frame_comes_or_goes():
    """A still head half a metre ahead; the room's axes are turned and its origin is a metre away, so a mixed value is far from both."""
    R_room_cam = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    pose = HeadPose(np.eye(3), np.ones(3), 'L1', np.full(4, 0.25), t_cam_head_m=np.array([0, 0, 0.5]))
    smoother = PoseFilter()
    for step, place in enumerate([None, None, (R_room_cam, np.array([1.0, 0, 1])), (R_room_cam, np.array([1.0, 0, 1])), None, None]):
        smoothed = smoother.update(pose, 1 + step / 30, EstimatorOptions(), place)
        np.testing.assert_allclose(smoothed.R_cam_head, np.eye(3), atol=1e-9)
        np.testing.assert_allclose(smoothed.t_cam_head_m, pose.t_cam_head_m, atol=1e-9)


def test_smoothing_restarts_where_a_calibration_comes_or_goes():
    """Without one the rotation is relative to the ray through the face, here 24 degrees off the axis: the mean of both is nobody's."""
    picture = cv2.imread(str(Path(__file__).parents[1] / 'data' / 'face.jpg'))
    image = np.full((480, 640, 3), 120, np.uint8)
    image[160:320, 420:580] = cv2.resize(picture, (160, 160))
    camera = Camera(640, 480, np.array([[400.0, 0, 319.5], [0, 400, 239.5], [0, 0, 1]]))
    estimator = HeadPoseEstimator.load('c2f_edge')
    seen = [None] * 3 + [camera] * 3 + [None] + [camera] * 2
    poses = [estimator.estimate(image, one, stamp_s=1 + step / 30)[0] for step, one in enumerate(seen)]
    assert {pose.track_id for pose in poses} == {1}
    for before, pose in itertools.pairwise(poses):
        if (before.t_cam_head_m is None) != (pose.t_cam_head_m is None):
            assert geodesic_deg(before.R_cam_head_unsmoothed, pose.R_cam_head_unsmoothed) > 20
            np.testing.assert_allclose(pose.R_cam_head, pose.R_cam_head_unsmoothed, atol=1e-12)


@pytest.fixture(scope='module')
def passing():
    """A still head seen by a camera that moves to its left, 8 px an image at 30 images a second: unsmoothed and smoothed positions.

    Smoothed in the camera's frame, and in that of the room, in which the camera's x is -8 z / f a step.
    """
    picture = cv2.imread(str(Path(__file__).parents[1] / 'data' / 'face.jpg'))
    face = cv2.resize(picture, (240, round(240 * picture.shape[0] / picture.shape[1])))[:400]
    camera = Camera(640, 480, np.array([[500.0, 0, 319.5], [0, 500, 239.5], [0, 0, 1]]))
    estimator, depth_m = HeadPoseEstimator.load('c2f_edge'), np.full((480, 640), 1.0, np.float32)
    found = {}
    for name in ('camera', 'room'):
        estimator.reset()
        poses = []
        for step in range(40):
            image = np.full((480, 640, 3), 120, np.uint8)
            image[40 : 40 + face.shape[0], 40 + 8 * step : 40 + 8 * step + face.shape[1]] = face
            place = np.eye(3), np.array([-8 * step / 500, 0.0, 0.0])
            poses += estimator.estimate(
                image, camera, depth_m, stamp_s=1 + step / 30, fixed_frame=(lambda place=place: place) if name == 'room' else None
            )
        assert len(poses) == 40
        found[name] = (np.array([p.t_cam_head_m_unsmoothed for p in poses]), np.array([p.t_cam_head_m for p in poses]))
    return found


def test_a_moving_camera_does_not_smear_a_still_head_that_is_smoothed_in_a_fixed_frame(passing):
    """In the camera's frame the head moves at 0.48 m/s, so the filter is 23 ms, 11 mm, behind; in the room's it does not move."""
    behind_m = {name: np.mean((raw - smoothed)[10:, 0]) for name, (raw, smoothed) in passing.items()}
    assert 0.006 < behind_m['camera'] < 0.016
    assert abs(behind_m['room']) < 0.002


def test_positions_smoothed_in_a_fixed_frame_are_as_steady_as_of_a_still_camera(passing):
    """In the room the head stands still: what varies about its mean there is less, smoothed, than as estimated."""
    steps = np.arange(40)[10:]
    raw, smoothed = (positions[10:, 0] - 8 * steps / 500 for positions in passing['room'])
    assert np.std(smoothed) < np.std(raw)


def test_each_option_smooths_its_own_part():
    """The second of two images 10 degrees and 0.1 m apart: those of rotations move the rotation alone, those of positions the position."""

    def second(**options):
        smoother = PoseFilter()
        for stamp_s, yaw_deg in ((0.0, 0.0), (1 / 30, 10.0)):
            R, t = rotation_from_ypr_deg(np.array([yaw_deg, 0, 0])), np.array([yaw_deg / 100, 0, 1])
            out = smoother.update(HeadPose(R, np.ones(3), 'L1', np.full(4, 0.25), t_cam_head_m=t), stamp_s, EstimatorOptions(**options))
        return out

    plain = second()
    for changes in ({'smoothing_min_cutoff_hz': 100.0}, {'smoothing_beta': 100.0}):
        turned = second(**changes)
        assert geodesic_deg(turned.R_cam_head, plain.R_cam_head) > 0.1 and np.array_equal(turned.t_cam_head_m, plain.t_cam_head_m)
    for changes in ({'smoothing_position_min_cutoff_hz': 100.0}, {'smoothing_position_beta': 1000.0}):
        moved = second(**changes)
        assert moved.t_cam_head_m[0] > plain.t_cam_head_m[0] + 1e-6 and np.array_equal(moved.R_cam_head, plain.R_cam_head)
