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

    A face from 184 to 253.5 pixels, and the image ends at 240. These are seen at 0.4 (1 - 0.5 * 0.16) = 0.368 and at 0.57511
    (1 - 0.5 * 0.33075) = 0.48: 29.9036 - 21.8014 = 8.1022 degrees, an extent of 2 tan(4.0511 deg) = 0.14165 for 56 pixels, so of 0.17579
    for 69.5, which 0.184 m have at 1.04669 m.
    """
    camera = Camera(240, 1000, K, np.array([-0.5, 0, 0, 0, 0]), 'plumb_bob')
    t_m, _ = position_from_size(FaceBox(184, 495, 253.5, 505), camera)
    assert np.linalg.norm(t_m) == pytest.approx(1.04669, abs=2e-4)


WHOLE = (450.0, 432.0, 550.0, 568.0)
"""A face of 100 x 136 pixels in the middle of CENTRED's left half."""


def window(x1: int, y1: int, x2: int, y2: int) -> Camera:
    """The camera of a part of CENTRED's image."""
    return Camera(x2 - x1, y2 - y1, CENTRED.K - [[0, 0, x1], [0, 0, y1], [0, 0, 0]])


def seen_in(part, box=WHOLE, **options):
    """Position and deviations along x, y, z of a face, of which the detector's box ends where the part of the image does."""
    x1, y1, x2, y2 = part
    box = FaceBox(max(box[0], x1) - x1, max(box[1], y1) - y1, min(box[2], x2) - x1, min(box[3], y2) - y1)
    t_m, cov_m2 = position_from_size(box, window(*part), **options)
    return t_m, np.sqrt(np.diag(cov_m2))


@pytest.mark.parametrize(
    ('part', 'hidden'),
    [
        ((0, 473, 1000, 1000), (0, 41)),
        ((0, 0, 1000, 527), (0, 41)),
        ((480, 0, 1000, 1000), (30, 0)),
        ((0, 0, 520, 1000), (30, 0)),
        ((0, 450, 1000, 550), (0, 36)),
        ((465, 0, 535, 1000), (30, 0)),
    ],
)
def test_a_face_that_an_edge_cuts_is_where_the_whole_one_is_and_less_certain_across(part, hidden):
    """41 of 136 pixels are hidden above or below, 30 of 100 on a side, or some on both: the other side tells how many.

    The whole face is 0.184 m * 500 / 136 = 0.6765 m away. The deviation of its middle, 0.05 * 0.184 = 9.2 mm, grows by half of what is
    hidden, 0.184 m / 136 = 1.353 mm a pixel: 27.7, 20.3 and 24.4 mm.
    """
    (whole_m, std_m), (cut_m, cut_std_m) = seen_in((0, 0, 1000, 1000)), seen_in(part)
    assert np.linalg.norm(whole_m) == pytest.approx(0.6765, rel=0.005) and std_m[:2] == pytest.approx(0.0092, rel=0.01)
    np.testing.assert_allclose(cut_m, whole_m, atol=0.007)
    np.testing.assert_allclose(cut_std_m[:2], np.hypot(0.0092, 0.5 * np.array(hidden) * 0.001353), rtol=0.03)


def test_depth_of_a_face_that_an_edge_cuts_is_along_the_ray_to_the_whole_one():
    """As above, 41 pixels of it above the image, at 0.6 m: its middle is straight ahead, that of the visible part 2.5 cm lower."""
    camera, box = window(0, 473, 1000, 1000), FaceBox(450, 0, 550, 95)
    t_m, cov_m2 = position_from_depth(box, camera, np.full((527, 1000), 0.6, np.float32))
    np.testing.assert_allclose(t_m, [0, 0, 0.6], atol=1e-3)
    assert np.sqrt(cov_m2[1, 1]) == pytest.approx(0.6 / 500 * np.hypot(0.05 * 136, 20.5), rel=0.02)


@pytest.mark.parametrize('rotation_deg', [90, 270])
def test_the_face_of_a_camera_on_its_side_is_broader_than_high_and_completed_so(rotation_deg):
    """136 x 100 pixels, of which 41 are left of the image; taken for upright nothing would seem to be missing."""
    box, part = (432.0, 450.0, 568.0, 550.0), (473, 0, 1000, 1000)
    whole_m, _ = seen_in((0, 0, 1000, 1000), box, rotation_deg=rotation_deg)
    np.testing.assert_allclose(seen_in(part, box, rotation_deg=rotation_deg)[0], whole_m, atol=0.007)
    assert seen_in(part, box)[0][0] > 0.02


def test_in_a_corner_neither_side_tells_the_other_so_the_deviation_covers_what_may_be_hidden():
    """A tenth is hidden above and on the left: 0.3 of each side may be, half of which, 0.15 * 0.184 = 2.8 cm, the middle may be off."""
    (t_m, std_m), (whole_m, _) = seen_in((460, 446, 1000, 1000)), seen_in((0, 0, 1000, 1000))
    assert std_m[1] == pytest.approx(0.0291, rel=0.02) and std_m[0] == pytest.approx(0.0291 * 0.8, rel=0.15)
    assert np.linalg.norm((t_m - whole_m)[:2]) < std_m[1]


@pytest.mark.parametrize('aspect', [1.25, 1.36, 1.5])
@pytest.mark.parametrize('towards', [(0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1)])
def test_a_face_that_leaves_the_image_does_not_jump(aspect, towards):
    """In steps of half a pixel, half a percent of its breadth: as it comes near the edge, touches it, and is cut down to 60 %."""
    positions = []
    for step in range(200):
        x, y = 500 + np.array(towards) * (400 + step / 2)
        box = FaceBox(max(0, x - 50), max(0, y - 50 * aspect), min(1000, x + 50), min(1000, y + 50 * aspect))
        positions.append(position_from_size(box, Camera(1000, 1000, CENTRED.K))[0])
    ranges_m = np.linalg.norm(positions, axis=1)
    assert np.abs(np.diff(np.log(ranges_m))).max() < 0.02
    assert np.linalg.norm(np.diff(positions, axis=0), axis=1).max() < 0.02 * ranges_m.max()


@pytest.mark.parametrize('aspect', [1.25, 1.36, 1.5])
@pytest.mark.parametrize('cut', [False, True])
def test_the_range_does_not_jump_where_a_near_face_passes_two_opposite_edges(aspect, cut):
    """An image of 640x360, in which the face grows from 300 to 440 pixels, or is shown as far as the image goes: it was 31 %."""
    camera, ranges_m = Camera(640, 360, np.array([[500.0, 0, 319.5], [0, 500, 179.5], [0, 0, 1]])), []
    heights = np.arange(300, 440, 0.5)
    for height in heights:
        shown = min(height, 360) if cut else height
        box = FaceBox(320 - height / aspect / 2, 180 - shown / 2, 320 + height / aspect / 2, 180 + shown / 2)
        ranges_m.append(np.linalg.norm(position_from_size(box, camera)[0]))
    assert np.abs(np.diff(np.log(ranges_m))).max() < 0.02
    np.testing.assert_allclose(ranges_m, 0.184 * 500 / heights, rtol=0.12)


def test_a_face_that_fills_the_image_is_placed_by_what_the_image_shows_of_it():
    """Whoever gives such a box says how large the face is, so there is no reason to leave it unplaced: 0.184 m * 500 / 898 = 0.102 m.

    660 x 380 pixels of an image of 640 x 360: its height is at least 1.36 * 660 = 898. Its middle may be off by a third of that.
    """
    camera = Camera(640, 360, np.array([[500.0, 0, 319.5], [0, 500, 179.5], [0, 0, 1]]))
    t_m, cov_m2 = position_from_size(FaceBox(-10, -10, 650, 370), camera)
    np.testing.assert_allclose(t_m, [0, 0, 0.102], atol=0.012)
    assert np.sqrt(cov_m2[1, 1]) > 0.05


@pytest.fixture(scope='module')
def upright():
    """The estimator, and a few frames of the sample with the boxes of the whole faces."""
    estimator = HeadPoseEstimator.load('c2f_edge', device='cpu')
    return estimator, [(frame, estimator.estimate(frame.image)[0].box) for frame in sample.frames()[::30]]


@pytest.mark.parametrize('side', ['top', 'bottom', 'left', 'right'])
def test_the_heads_of_the_sample_stay_within_what_is_stated_where_an_edge_cuts_their_faces(upright, side):
    """By 30 %. The median was 3.8, 1.0, 2.0 and 1.3 cm off across the ray, at 9 mm stated."""
    estimator, frames = upright
    sigmas, across_m = [], []
    for frame, box in frames:
        height, width = frame.image.shape[:2]
        x1 = round(box.x1 + 0.3 * box.width) if side == 'left' else 0
        x2 = round(box.x2 - 0.3 * box.width) if side == 'right' else width
        y1 = round(box.y1 + 0.3 * box.height) if side == 'top' else 0
        y2 = round(box.y2 - 0.3 * box.height) if side == 'bottom' else height
        camera = Camera(x2 - x1, y2 - y1, frame.camera.K - [[0, 0, x1], [0, 0, y1], [0, 0, 0]])
        (pose,) = estimator.estimate(np.ascontiguousarray(frame.image[y1:y2, x1:x2]), camera=camera)
        off_m = pose.t_cam_head_m - frame.t_cam_head_m
        sigmas.append(np.sqrt(off_m @ np.linalg.solve(pose.t_cov_m2, off_m)))
        ray = frame.t_cam_head_m / np.linalg.norm(frame.t_cam_head_m)
        across_m.append(np.linalg.norm(off_m - (off_m @ ray) * ray))
    assert np.median(sigmas) < 2.5 and np.median(across_m) < 0.012


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
