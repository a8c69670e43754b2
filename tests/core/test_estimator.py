"""The pipeline with the shipped network: the ray correction, parity of inputs, refusals."""

import numpy as np
import pytest

from c2f_head_pose import Camera, EstimatorOptions, HeadPoseEstimator, ModelError
from c2f_head_pose.camera import pixel_ray
from c2f_head_pose.crop import cut, square_about
from c2f_head_pose.engine import open_engine
from c2f_head_pose.geometry import geodesic_deg, rotation_from_ypr_deg, ypr_deg_from_rotation
from c2f_head_pose.types import CATEGORIES, FaceBox


@pytest.fixture(scope='module')
def estimator():
    return HeadPoseEstimator.load('c2f_edge')


@pytest.fixture(scope='module')
def image():
    return np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)


def box_about(x, y):
    """A box whose crop is 92 pixels wide, an even number, so that the crop's centre is exactly (x, y)."""
    half = 46 / open_engine('c2f_edge', 'cpu').contract.detector_margin
    return [[x - half, y - half, x + half, y + half]]


def camera(focal=320.0):
    return Camera(640, 480, np.array([[focal, 0, 319.5], [0, focal, 239.5], [0, 0, 1]]))


def foot_m(t_m, x, y):
    """(3,) where a position stands on the ray through a pixel."""
    ray = pixel_ray(camera(), x, y)
    return ray * (ray @ t_m)


def test_a_face_at_the_edge_is_corrected_by_its_ray(estimator, image):
    """The crop's centre (640, 240) is 320 pixels right of the principal point at f = 320: its ray stands 45 degrees to the right.

    The smallest rotation from the optical axis to it turns 45 degrees about the camera's y (down) axis:
    R_ray = [[c, 0, s], [0, 1, 0], [-s, 0, c]] with c = s = sqrt(1/2). So the same crop at the edge means a head turned by that much.
    """
    c = np.sqrt(0.5)
    R_ray = np.array([[c, 0, c], [0, 1, 0], [-c, 0, c]])
    box = box_about(640, 240)
    (uncorrected,) = estimator.estimate(image, boxes=box)
    (corrected,) = estimator.estimate(image, camera(), boxes=box)
    np.testing.assert_allclose(corrected.R_cam_head, R_ray @ uncorrected.R_cam_head, atol=1e-9)


def test_a_head_facing_an_edge_camera_reads_as_turned_away_from_its_axis():
    """A crop of a frontal face 45 degrees right of the axis looks at the camera, so it faces the image's left: yaw +45."""
    c = np.sqrt(0.5)
    R = np.array([[c, 0, c], [0, 1, 0], [-c, 0, c]]) @ rotation_from_ypr_deg(np.zeros(3))
    # The frontal crop's nose points along -ray = (-c, 0, -c): to the image's left, which 300W-LP calls yaw > 0.
    np.testing.assert_allclose(ypr_deg_from_rotation(R), [45, 0, 0], atol=1e-9)


def test_a_face_at_the_principal_point_is_not_turned(estimator, image):
    box = box_about(320, 240)
    (a,) = estimator.estimate(image, boxes=box)
    (b,) = estimator.estimate(image, camera(), boxes=box)
    assert geodesic_deg(a.R_cam_head, b.R_cam_head) < 1e-6


def test_an_image_and_its_ready_cut_crop_give_the_same_pose(estimator, image):
    box = FaceBox(100, 100, 260, 300)
    (from_image,) = estimator.estimate(image, boxes=[[100, 100, 260, 300]])
    square = square_about(box, open_engine('c2f_edge', 'cpu').contract.detector_margin)
    (from_crop,) = estimator.estimate_crops([cut(image, square, square.side)])
    assert geodesic_deg(from_image.R_cam_head, from_crop.R_cam_head) < 0.01
    assert from_image.category == from_crop.category


def test_gray_and_colour_of_the_same_gray_agree(estimator, image):
    gray = image[..., 0]
    boxes = [[100, 100, 260, 300], [300, 50, 420, 190]]
    for a, b in zip(estimator.estimate(gray, boxes=boxes), estimator.estimate(np.dstack([gray] * 3), boxes=boxes)):
        assert geodesic_deg(a.R_cam_head, b.R_cam_head) < 0.01


@pytest.mark.parametrize('shape', [(90, 80), (90, 80, 3), (90, 80, 1), (90, 80, 4)])
def test_one_crop_without_a_list_is_refused_with_the_remedy(estimator, shape):
    """Its rows would be read as crops: 90 poses of nobody."""
    with pytest.raises(ValueError, match=r'got one array of shape \(90, 80.*give a list: \[crop\]'):
        estimator.estimate_crops(np.zeros(shape, np.uint8))


def test_crops_may_come_as_a_list_an_array_or_one_after_another(estimator, image):
    for several in (image[None, :90, :90, 0], image[:64, :128].reshape(2, 64, 64, 3)):
        expected = estimator.estimate_crops(list(several))
        for crops in (several, (crop for crop in several)):
            poses = estimator.estimate_crops(crops)
            assert len(poses) == len(expected) == len(several)
            assert max(geodesic_deg(pose.R_cam_head, other.R_cam_head) for pose, other in zip(poses, expected)) < 1e-6


def test_five_faces_together_give_what_each_gives_alone(estimator, image):
    boxes = np.array([[x, y, x + 90, y + 110] for x, y in ((0, 0), (100, 200), (300, 40), (500, 300), (-20, 380))], float)
    together = estimator.estimate(image, boxes=boxes)
    assert len(together) == 5
    for box, pose in zip(boxes, together):
        (alone,) = estimator.estimate(image, boxes=[box])
        assert geodesic_deg(alone.R_cam_head, pose.R_cam_head) < 0.01
        assert (pose.box.x1, pose.box.y1, pose.box.x2, pose.box.y2) == tuple(box), 'the box is the face, never the widened crop'


def test_a_pose_has_the_documented_fields_and_ranges(estimator, image):
    (pose,) = estimator.estimate(image, camera(), boxes=[[280, 200, 360, 280]])
    np.testing.assert_allclose(pose.R_cam_head @ pose.R_cam_head.T, np.eye(3), atol=1e-9)
    assert pose.category in CATEGORIES
    assert pose.category == CATEGORIES[int(np.argmax(pose.category_probabilities))]
    assert pose.category_probabilities.sum() == pytest.approx(1)
    assert (pose.rotation_std_deg > 0).all()
    assert pose.track_id is None
    assert pose.t_cam_head_m[2] > 0
    assert (pose.t_std_m > 0).all()
    np.testing.assert_allclose(np.square(pose.t_std_m), np.diag(pose.t_cov_m2))


def test_position_comes_from_depth_where_there_is_depth(estimator, image):
    """A face at the principal point, depth 0.8 m everywhere: the head is 0.8 m straight ahead, its sellion square to that."""
    depth_m = np.full((480, 640), 0.8, np.float32)
    (pose,) = estimator.estimate(image, camera(), depth_m, boxes=[[280, 200, 360, 280]])
    np.testing.assert_allclose(foot_m(pose.t_cam_head_m, 320, 240), [0, 0, 0.8], atol=1e-6)
    (unknown,) = estimator.estimate(image, camera(), np.full((480, 640), np.nan, np.float32), boxes=[[280, 200, 360, 280]])
    assert unknown.t_std_m[2] > 3 * pose.t_std_m[2], 'without depth the position is a guess from size, and says so'


@pytest.mark.parametrize('sky', [np.nan, 1000, 65504])
def test_depth_of_a_head_before_a_far_landscape_is_taken_for_metres(estimator, image, sky):
    """Half of the image is sky, which some simulators give a distance, a fifth at 300 m; the head and the room are at 0.8 m."""
    depth_m = np.full((480, 640), 0.8, np.float32)
    depth_m[:240], depth_m[-100:] = sky, 300
    (pose,) = estimator.estimate(image, camera(), depth_m, boxes=[[280, 250, 360, 330]])
    assert foot_m(pose.t_cam_head_m, 320, 290)[2] == pytest.approx(0.8, abs=1e-6)


def test_options_that_change_during_an_image_hold_from_the_next(image):
    """A replaced rotation must not turn a pose back by another angle than its crop was turned by."""
    estimator = HeadPoseEstimator.load('c2f_edge', device='cpu')
    box = box_about(320, 240)
    (before,) = estimator.estimate(image, boxes=box)
    infer = estimator._infer

    def infer_while_options_change(crops, engines):
        estimator.options = EstimatorOptions(image_rotation=180)
        return infer(crops, engines)

    estimator._infer = infer_while_options_change
    (during,) = estimator.estimate(image, boxes=box)
    (after,) = estimator.estimate(image, boxes=box)
    np.testing.assert_array_equal(during.R_cam_head, before.R_cam_head)
    assert geodesic_deg(after.R_cam_head, before.R_cam_head) > 5


def test_without_a_camera_the_position_is_unknown(estimator, image):
    (pose,) = estimator.estimate(image, boxes=[[280, 200, 360, 280]])
    assert pose.t_cam_head_m is None
    assert pose.t_std_m is None and pose.t_cov_m2 is None


def test_an_image_without_faces_gives_an_empty_list(estimator):
    blank = np.full((120, 160, 3), 128, np.uint8)
    assert estimator.estimate(blank) == []
    assert estimator.estimate(blank, stamp_s=0.0) == []
    assert estimator.estimate(blank, boxes=[]) == []
    assert estimator.estimate_crops([]) == []


def test_boxes_of_an_earlier_estimate_are_taken_with_their_scores(estimator, image):
    box = FaceBox(280, 200, 360, 280, score=0.7)
    (pose,) = estimator.estimate(image, boxes=[box])
    (same,) = estimator.estimate(image, boxes=[[280, 200, 360, 280]])
    np.testing.assert_array_equal(pose.R_cam_head, same.R_cam_head)
    assert (pose.box, pose.score, same.box, same.score) == (box, 0.7, FaceBox(280, 200, 360, 280), 1.0)


@pytest.mark.parametrize(
    'given', [iter, lambda rows: map(tuple, rows), lambda rows: zip(*zip(*rows)), lambda rows: (FaceBox(*row) for row in rows)]
)
def test_boxes_that_can_be_read_only_once_are_all_answered(estimator, image, given):
    rows = [[280, 200, 360, 280], [100, 100, 260, 300]]
    assert [pose.box for pose in estimator.estimate(image, boxes=given(rows))] == [FaceBox(*row) for row in rows]
    assert estimator.estimate(image, boxes=iter([])) == []


@pytest.mark.parametrize('shape', [(1, 1), (1, 1, 3), (1, 2000), (2000, 1, 3), (3, 2)])
def test_the_smallest_and_the_thinnest_images_are_answered(estimator, shape):
    assert estimator.estimate(np.zeros(shape, np.uint8)) == []
    assert len(estimator.estimate_crops([np.zeros(shape, np.uint8)])) == 1


@pytest.mark.parametrize(
    ('image', 'options', 'named'),
    [
        (np.zeros((0, 640, 3), np.uint8), {}, 'must have pixels'),
        (np.zeros((480, 640), np.uint16), {}, 'uint8'),
        (np.zeros((480, 640, 4), np.uint8), {}, 'BGR'),
        (None, {}, 'uint8'),
        (np.zeros((100, 100), np.uint8), dict(camera=camera()), 'calibrated for 640x480'),
        (np.zeros((100, 100), np.uint8), dict(depth_m=np.zeros((50, 50))), 'registered'),
        (np.zeros((100, 100), np.uint8), dict(depth_m=np.zeros((100, 100), np.uint16)), 'divide millimetres by 1000'),
        (np.zeros((100, 100), np.uint8), dict(depth_m=np.full((100, 100), 1200, np.float32)), 'begins at 1200; divide millimetres by 1000'),
        (np.zeros((100, 100), np.uint8), dict(depth_m=[[0.8]]), 'array of float metres, got list'),
        (np.zeros((100, 100), np.uint8), dict(boxes=[[1, 2, 3]]), r'\(N, 4\)'),
        (np.zeros((100, 100), np.uint8), dict(boxes=[[50, 50, 10, 60]]), 'x2 > x1'),
        (np.zeros((100, 100), np.uint8), dict(boxes=[[0, 0, np.nan, 10]]), 'finite'),
        (np.zeros((100, 100), np.uint8), dict(boxes=[[-2e5, 0, 2e5, 50]]), r'boxes\[0\] .* 4 times as large as the image of 100x100'),
        (np.zeros((100, 100), np.uint8), dict(boxes=[[0.36, 0.25, 0.58, 0.58]]), r'boxes\[0\] .* multiply normalised boxes'),
        (np.zeros((100, 100), np.uint8), dict(boxes=[[-500, -500, -300, -300]]), r'boxes\[0\] .* outside the image of 100x100'),
        (np.zeros((100, 200), np.uint8), dict(boxes=[[10, 10, 50, 50], [10, 100, 50, 150]]), r'boxes\[1\] .* outside the image of 200x100'),
        (np.zeros((100, 200), np.uint8), dict(boxes=[[200, 10, 240, 50]]), r'boxes\[0\]'),
        (np.zeros((100, 100), np.uint8), dict(stamp_s=np.nan), 'stamp_s'),
    ],
)
def test_a_wrong_argument_is_refused_by_name(estimator, image, options, named):
    with pytest.raises(ValueError, match=named):
        estimator.estimate(image, **options)


@pytest.mark.parametrize(
    'options',
    [
        dict(detection_threshold=0.0),
        dict(max_faces=0),
        dict(max_faces=2.0),
        dict(max_faces=np.inf),
        dict(max_faces='3'),
        dict(min_face_px=np.inf),
        dict(min_face_px=20.5),
        dict(seat_region=(0.5, 0.0, 0.5, 1.0)),
        dict(seat_region=(0.0, 0.0, 1.5, 1.0)),
        dict(seat_region=(0.0, 0.0, 1.0)),
        dict(smoothing_min_cutoff_hz=0.0),
        dict(smoothing_beta=-1.0),
        dict(track_timeout_s=np.nan),
        dict(image_rotation=45),
        dict(image_rotation=-90),
        dict(smoothing_position_min_cutoff_hz=0.0),
    ],
)
def test_an_option_that_cannot_work_is_refused_by_name(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        EstimatorOptions(**options)


def test_whole_options_may_be_numpys():
    assert EstimatorOptions(max_faces=np.int64(2), min_face_px=np.uint8(20)) == EstimatorOptions(max_faces=2, min_face_px=20)


def test_a_box_that_reaches_beyond_the_image_is_answered(estimator, image):
    """A face cut by the image's edge; only a box without any pixel of the image is refused."""
    assert len(estimator.estimate(image, boxes=[[-50, -50, 20, 30], [600, 440, 700, 560]])) == 2


def test_a_box_of_four_pixels_is_answered(estimator, image):
    assert len(estimator.estimate(image, boxes=[[100, 100, 103, 104]])) == 1


def test_a_missing_model_is_refused():
    with pytest.raises(ModelError, match='no model'):
        HeadPoseEstimator.load('nothing')


@pytest.mark.parametrize('stamp_s', [None, 1.0])
def test_an_estimator_without_a_detector_asks_for_boxes_and_answers_those(image, stamp_s):
    estimator = HeadPoseEstimator(open_engine('c2f_edge', 'cpu'), None)
    with pytest.raises(ValueError, match='give boxes'):
        estimator.estimate(image, stamp_s=stamp_s)
    assert len(estimator.estimate(image, stamp_s=stamp_s, boxes=[[280, 200, 360, 280]])) == 1


def test_a_second_model_beside_one_that_reads_depth_is_refused():
    """It would have no effect."""
    with pytest.raises(ModelError, match='leave out depth_model'):
        HeadPoseEstimator.load('c2f_depth', depth_model='c2f_depth')
