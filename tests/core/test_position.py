"""Positions of heads from the size of their faces and from depth: on the axis and off it, for every kind of lens."""

import numpy as np
import pytest

import sample
from c2f_head_pose import Camera, EstimatorOptions, HeadPoseEstimator
from c2f_head_pose.depth import DistanceRatio, position_from_depth, position_from_size, sellion_from_box
from c2f_head_pose.geometry import ray_rotation, rotation_from_ypr_deg
from c2f_head_pose.types import FACE_EXTENT_M, FaceBox

K = np.array([[500.0, 0, -0.5], [0, 500, 499.5], [0, 0, 1]])
"""The principal point is in the middle of the image's left edge, so pixel (x, 500) is (x / 500, 0) in the normalised image."""
PINHOLE = Camera(1000, 1000, K)
CENTRED = Camera(2000, 1000, np.array([[500.0, 0, 499.5], [0, 500, 499.5], [0, 0, 1]]))
FISHEYE = Camera(2000, 1000, CENTRED.K, np.zeros(4), 'equidistant')
BARREL = Camera(1000, 1000, K, np.array([-0.1, 0, 0, 0, 0]), 'plumb_bob')


def test_the_size_of_an_adults_face_is_that_of_the_expected_numbers():
    assert FACE_EXTENT_M == 0.184


def test_the_distance_of_a_face_on_the_axis_follows_from_its_size():
    """184 pixels at f = 500 for 0.184 m: 0.5 m, straight ahead."""
    t_m, _ = position_from_size(FaceBox(408, 408, 592, 592), CENTRED)
    np.testing.assert_allclose(t_m, [0, 0, 0.5], atol=1e-9)


def test_a_pinholes_face_off_the_axis_is_at_the_range_of_its_angle():
    """Edges at 0.9 and 1.1: atan(1.1) - atan(0.9) = 47.7263 - 41.9872 = 5.7391 degrees, so 0.092 / tan(2.86955 deg) = 1.8354 m.

    The centre, 1.0, lies 45 degrees to the right: 1.8354 * sqrt(1/2) = 1.2978 m right and ahead. Read as a tangent, 0.2, it would be
    0.184 / 0.2 = 0.92 m ahead.
    """
    t_m, _ = position_from_size(FaceBox(450, 490, 550, 510), PINHOLE)
    np.testing.assert_allclose(t_m, [1.2978, 0, 1.2978], atol=2e-4)


@pytest.mark.parametrize('degrees', [0, 30, 45, 60, 100])
def test_a_fisheyes_face_is_at_the_same_range_wherever_it_is_seen(degrees):
    """Equidistant: 0.2 rad are 100 pixels at f = 500 in the radius' direction anywhere: 0.092 / tan(0.1) = 0.91693 m.

    Across the radius the box is thinner than that here, so the radius' direction decides. Beyond 90 degrees the head is behind the
    image plane.
    """
    angle = np.radians(degrees)
    x = 500 + 500 * angle
    t_m, _ = position_from_size(FaceBox(x - 50, 490, x + 50, 510), FISHEYE)
    np.testing.assert_allclose(t_m, 0.91693 * np.array([np.sin(angle), 0, np.cos(angle)]), atol=1e-4)


def test_a_barrels_face_off_the_axis_is_at_the_range_of_its_angle():
    """k1 = -0.1: a point at 0.9 is seen at 0.9 (1 - 0.1 * 0.81) = 0.8271, one at 1.1 at 1.1 (1 - 0.1 * 1.21) = 0.9669.

    A box with these edges, 413.55 and 483.45 pixels, subtends what 0.9 to 1.1 do in a pinhole: 5.7391 degrees, 1.8354 m.
    """
    t_m, _ = position_from_size(FaceBox(413.55, 490, 483.45, 510), BARREL)
    assert np.linalg.norm(t_m) == pytest.approx(1.8354, abs=2e-4)


def test_the_larger_of_a_boxs_two_angles_decides():
    """A tall box on the axis: 184 pixels high, 100 wide."""
    t_m, _ = position_from_size(FaceBox(450, 408, 550, 592), CENTRED)
    np.testing.assert_allclose(t_m, [0, 0, 0.5], atol=1e-9)


def test_the_calibration_is_not_evaluated_at_an_edge_beyond_the_image():
    """k1 = -0.5 turns back at a radius of sqrt(1 / 1.5) = 0.816, seen at 0.544: nothing is ever seen beyond 272 pixels.

    A face whose right edge lies there: twice the angle from the centre at 0.5 (1 - 0.5 * 0.25) = 0.4375 to the left edge at
    0.4 (1 - 0.5 * 0.16) = 0.368, that is 2 (atan(0.5) - atan(0.4)) = 2 * (26.5651 - 21.8014) = 9.5274 degrees: 0.092 / tan(4.7637 deg)
    = 1.10396 m. The pixels: 218.75 and 184, so the right edge is at 253.5, and the image ends at 240.
    """
    camera = Camera(240, 1000, K, np.array([-0.5, 0, 0, 0, 0]), 'plumb_bob')
    t_m, _ = position_from_size(FaceBox(184, 495, 253.5, 505), camera)
    assert np.linalg.norm(t_m) == pytest.approx(1.10396, abs=2e-4)


def test_the_sellion_is_above_the_middle_of_the_box_and_before_it_where_the_head_is_turned():
    """At (0, 0, 2) m: 2.6 cm up for a frontal head, and with 30 degrees of yaw, to the image's left, 5.5 sin 30 = 2.75 cm to the left.

    A child's head of 0.8 has 0.8 of it, and what depth tells of a wall, at ten times the distance, at most 1.5 times.
    """
    placed, frontal = (np.array([0.0, 0, 2]), np.eye(3)), rotation_from_ypr_deg(np.zeros(3))
    np.testing.assert_allclose(sellion_from_box(placed, placed, frontal)[0], [0, -0.026, 2], atol=1e-12)
    turned = rotation_from_ypr_deg(np.array([30.0, 0, 0]))
    np.testing.assert_allclose(sellion_from_box(placed, None, turned)[0], [-0.0275, -0.026, 2], atol=1e-12)
    for by_size_m, size in ((2.5, 0.8), (0.2, 1.5)):
        moved, _ = sellion_from_box(placed, (np.array([0.0, 0, by_size_m]), np.eye(3)), frontal)
        np.testing.assert_allclose(moved, [0, -0.026 * size, 2], atol=1e-12)


@pytest.fixture(scope='module')
def placed():
    """Every twelfth frame of the sample, and its head as it is placed in the image alone."""
    estimator = HeadPoseEstimator.load('c2f_edge', device='cpu')
    return [(frame, *estimator.estimate(frame.image, camera=frame.camera)) for frame in sample.frames()[::12]]


def test_the_heads_of_the_sample_are_placed_on_the_ray_through_the_sellion(placed):
    """Across the ray the error is 5 mm on average; through the middle of the box it was 2.8 cm."""
    off_m = []
    for frame, pose in placed:
        ray = pose.t_cam_head_m / np.linalg.norm(pose.t_cam_head_m)
        off_m.append(np.linalg.norm(frame.t_cam_head_m - (frame.t_cam_head_m @ ray) * ray))
    assert len(off_m) > 10 and np.mean(off_m) < 0.01 and max(off_m) < 0.02


def test_the_heads_of_the_sample_are_as_far_as_the_size_of_their_faces_tells(placed):
    """The person of the sample, on whom nothing was fitted, is 1 % too near on the mean; with a face of 0.165 m it was 11 %."""
    ratios = [np.linalg.norm(pose.t_cam_head_m) / np.linalg.norm(frame.t_cam_head_m) for frame, pose in placed]
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)


def test_the_deviation_of_a_range_from_size_lies_along_the_ray():
    """45 degrees to the right at 1.8354 m: 15 % along the ray is 0.27531 m, across it 5 % of 0.184 m.

    x and z take half of each variance, (0.27531^2 + 0.0092^2) / 2 = 0.037941, and have half the difference, 0.037856, in common; y is
    across: 0.00008464. In a frame that looks along the ray x and y are across, z is along.
    """
    t_m, cov_m2 = position_from_size(FaceBox(450, 490, 550, 510), PINHOLE)
    np.testing.assert_allclose(cov_m2, [[0.037941, 0, 0.037856], [0, 0.00008464, 0], [0.037856, 0, 0.037941]], atol=1e-5)
    R_cam_ray = ray_rotation(t_m)
    np.testing.assert_allclose(R_cam_ray.T @ cov_m2 @ R_cam_ray, np.diag([0.0092, 0.0092, 0.27531]) ** 2, atol=1e-5)


def test_the_deviation_of_depth_moves_the_head_along_the_ray_and_that_of_the_box_across_the_optical_axis():
    """45 degrees to the right at z = 0.6 m: 0.03 m of depth move x and z alike. The box is 80 pixels high at 500 sqrt(2) pixels' distance.

    So the face's extent is 80 / (500 sqrt(2)) = 0.11314 of its range of 0.84853 m, a twentieth of which is 0.0048 m in x and y.
    """
    _, cov_m2 = position_from_depth(FaceBox(950, 460, 1050, 540), CENTRED, np.full((1000, 2000), 0.6, np.float32))
    depth, centre = 0.03**2, 0.0048**2
    np.testing.assert_allclose(cov_m2, [[depth + centre, 0, depth], [0, centre, 0], [depth, 0, depth]], atol=1e-7)


def test_depth_is_measured_along_the_optical_axis_for_every_lens():
    """Depth 0.6 m, 45 degrees to the right: x = z = 0.6 m. In the fisheye that is 500 * pi / 4 = 392.7 pixels right of the middle."""
    depth_m = np.full((1000, 2000), 0.6, np.float32)
    for camera, x in ((CENTRED, 1000.0), (FISHEYE, 892.699)):
        t_m, _ = position_from_depth(FaceBox(x - 50, 460, x + 50, 540), camera, depth_m)
        np.testing.assert_allclose(t_m, [0.6, 0, 0.6], atol=1e-4)


def test_depth_of_a_pixel_beyond_90_degrees_gives_no_position():
    x = 500 + 500 * np.radians(95)
    assert position_from_depth(FaceBox(x - 50, 450, x + 50, 550), FISHEYE, np.full((1000, 2000), 0.6)) is None


def test_positions_are_smoothed_where_there_are_stamps_and_a_camera():
    """The sample's face breathes in its box by 2 % from image to image; its distance moves by a third of that at most once smoothed."""
    estimator = HeadPoseEstimator.load('c2f_edge')

    def distances(**options):
        estimator.reset()
        estimator.options = EstimatorOptions(**options)
        poses = [estimator.estimate(f.image, f.camera, stamp_s=f.stamp_s)[0] for f in sample.frames()[:40]]
        return [np.array([getattr(pose, name)[2] for pose in poses]) for name in ('t_cam_head_m', 't_cam_head_m_unsmoothed')]

    smoothed, own = distances()
    assert np.diff(smoothed).std() < 0.4 * np.diff(own).std()
    for off in (dict(smoothing=False), dict(smoothing_position=False)):
        unsmoothed, own_again = distances(**off)
        np.testing.assert_array_equal(unsmoothed, own_again)
        np.testing.assert_array_equal(unsmoothed, own)


@pytest.mark.parametrize('unknown', [np.nan, 0.0])
def test_unknown_depth_is_left_out_of_the_median_however_it_is_written(unknown):
    """Two thirds of the box are holes, as a sensor leaves beside a near face."""
    depth_m = np.full((1000, 2000), unknown, np.float32)
    depth_m[:, 480:500] = 0.8
    t_m, _ = position_from_depth(FaceBox(460, 460, 540, 540), CENTRED, depth_m)
    assert t_m[2] == pytest.approx(0.8)


def test_a_box_whose_middle_lies_left_of_the_image_has_no_depth():
    """Columns -63 to -13 are its middle half: not the row's other end, at 4 m."""
    depth_m = np.full((1000, 2000), 4.0, np.float32)
    assert position_from_depth(FaceBox(-88, 450, 12, 550), CENTRED, depth_m) is None
    assert position_from_depth(FaceBox(450, -88, 550, 12), CENTRED, depth_m) is None


def test_a_lens_of_impossible_strength_gives_no_position_from_size():
    camera = Camera(1000, 1000, K, np.array([1e200, 0, 0, 0, 0]), 'plumb_bob')
    assert position_from_size(FaceBox(408, 408, 592, 592), camera) is None


def test_between_depth_a_face_is_placed_by_its_size_and_the_ratio_that_depth_told():
    """184 pixels at f = 500 are 0.5 m from size, depth says 0.4 m +- 0.03 m: the ratio is 0.8 +- 7.5 %. At half the size it gives 0.8 m.

    Along the ray that is +- 0.06 m at once; a size alone would give 15 %, 0.12 m. After 5 s, 1/e of what depth told is left:
    sqrt(0.12^2 - (0.12^2 - 0.06^2) / e) = 0.10211. Across it stays 0.8 of 0.0092 m.
    """
    distance = DistanceRatio()
    near, far = FaceBox(408, 408, 592, 592), FaceBox(454, 454, 546, 546)
    by_size = position_from_size(far, CENTRED)
    assert distance.place(None, by_size, 0.0) is by_size, 'no depth yet'
    measured = position_from_depth(near, CENTRED, np.full((1000, 2000), 0.4, np.float32))
    assert distance.place(measured, position_from_size(near, CENTRED), 1.0) is measured
    for stamp_s, along_m in ((1.0, 0.06), (6.0, 0.10211), (1000.0, 0.12)):
        t_m, cov_m2 = distance.place(None, by_size, stamp_s)
        np.testing.assert_allclose(t_m, [0, 0, 0.8], atol=1e-3)
        np.testing.assert_allclose(np.sqrt(np.diag(cov_m2)), [0.00736, 0.00736, along_m], atol=1e-4)


@pytest.mark.parametrize('depth_m', [4.0, 0.2])
def test_a_wall_seen_through_holes_or_a_hand_before_the_face_is_not_remembered(depth_m):
    """A face of 0.5 m by its size; eight times as far, and 0.4 times."""
    distance, box = DistanceRatio(), FaceBox(408, 408, 592, 592)
    by_size = position_from_size(box, CENTRED)
    wrong = position_from_depth(box, CENTRED, np.full((1000, 2000), depth_m, np.float32))
    assert distance.place(wrong, by_size, 1.0) is wrong
    assert distance.place(None, by_size, 1.1) is by_size


@pytest.mark.parametrize('every', [2, 6])
def test_a_tracked_face_does_not_jump_where_only_some_images_have_depth(every):
    """A child's face 15 % nearer than its size says, 30 images a second; the jumps were 11 mm from image to image."""
    frame = sample.frames()[0]
    estimator = HeadPoseEstimator.load('c2f_edge', device='cpu')
    (still,) = estimator.estimate(frame.image, frame.camera)
    true_z_m = 0.85 * still.t_cam_head_m[2]
    depth_m = np.full(frame.image.shape[:2], true_z_m, np.float32)

    def stream(number):
        return estimator.estimate(frame.image, frame.camera, depth_m if number % every == 0 else None, stamp_s=100 + number / 30)[0]

    poses = [stream(number) for number in range(36)][18:]  # smoothing has settled
    np.testing.assert_allclose([pose.t_cam_head_m[2] for pose in poses], true_z_m, atol=0.003)
    assert max(pose.t_std_m[2] for pose in poses) < 0.04
    (again,) = estimator.estimate(frame.image, frame.camera)
    np.testing.assert_array_equal(again.t_cam_head_m, still.t_cam_head_m)
