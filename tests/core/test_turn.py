"""Cameras mounted sideways or upside down: turned upright for the networks, results in the camera's image and frame, and recognised."""

import cv2
import numpy as np
import pytest
from depth_dolls import doll, room
from pasted_faces import background, face, scene, tilted

import sample
from c2f_head_pose import Camera, EstimatorOptions, HeadPoseEstimator
from c2f_head_pose.depth_head_finder import find_heads
from c2f_head_pose.detect import FaceDetector
from c2f_head_pose.geometry import geodesic_deg, rotation_from_ypr_deg
from c2f_head_pose.mounting import MountingCheck
from c2f_head_pose.tiles import WHOLE_LONG_SIDE_PX
from c2f_head_pose.turn import turn_boxes_back, turn_rotation_back, turn_upright
from c2f_head_pose.types import FaceBox

TURNED = [90, 180, 270]
CAMERA = Camera(640, 480, np.array([[575.0, 0, 319.5], [0, 575.0, 239.5], [0, 0, 1]]))
"""Of the dolls."""


@pytest.fixture
def estimator():
    return HeadPoseEstimator.load('c2f_edge')


def as_mounted(image: np.ndarray, rotation_deg: int) -> np.ndarray:
    """What a camera gives whose images must be turned clockwise by `rotation_deg` to be upright."""
    return np.ascontiguousarray(np.rot90(image, rotation_deg // 90))


def test_a_turn_is_clockwise():
    """The right end of the top row goes to the bottom of the right column: [[1, 2], [3, 4]] becomes [[3, 1], [4, 2]]."""
    image = np.array([[1, 2], [3, 4]])
    assert turn_upright(image, 90).tolist() == [[3, 1], [4, 2]]
    assert turn_upright(image, 180).tolist() == [[4, 3], [2, 1]]
    assert turn_upright(image, 270).tolist() == [[2, 4], [1, 3]]


@pytest.mark.parametrize(('rotation_deg', 'upright'), [(90, [65, 10, 70, 30]), (180, [170, 65, 190, 70]), (270, [30, 170, 35, 190])])
def test_a_box_is_turned_back_to_where_it_was(rotation_deg, upright):
    """x 10 to 30, y 30 to 35 in an image of 200x100. Clockwise, x' = 100 - y and y' = x; twice, 200 - x, 100 - y; back, y, 200 - x."""
    assert turn_boxes_back(np.array([[*upright, 0.9]]), rotation_deg, 200, 100).tolist() == [[10, 30, 30, 35, 0.9]]


@pytest.mark.parametrize(('rotation_deg', 'roll_deg'), [(90, -90), (180, 180), (270, 90)])
def test_an_upright_frontal_head_is_rolled_in_the_camera(rotation_deg, roll_deg):
    """Images that must be turned clockwise by 90 show a head that is tilted counterclockwise by 90: roll -90."""
    turned = turn_rotation_back(rotation_from_ypr_deg(np.zeros(3)), rotation_deg)
    np.testing.assert_allclose(turned, rotation_from_ypr_deg(np.array([0, 0, roll_deg])), atol=1e-12)


def turned_camera(camera: Camera, rotation_deg: int) -> Camera:
    """The same pinhole mounted otherwise. Clockwise turns back: u = y', v = h' - x', so c = (cy', h' - 1 - cx') from pixels' centres."""
    (fx, _, cx), (_, fy, cy), _ = camera.K
    w, h = camera.width, camera.height
    if rotation_deg == 180:
        return Camera(w, h, np.array([[fx, 0, w - 1 - cx], [0, fy, h - 1 - cy], [0, 0, 1]]))
    c = (cy, w - 1 - cx) if rotation_deg == 90 else (h - 1 - cy, cx)
    return Camera(h, w, np.array([[fy, 0, c[0]], [0, fx, c[1]], [0, 0, 1]]))


@pytest.mark.parametrize('rotation_deg', TURNED)
@pytest.mark.parametrize('with_depth', [False, True])
def test_a_face_that_the_edge_cuts_is_completed_as_in_the_upright_camera(estimator, rotation_deg, with_depth):
    """A third of it is above the upright image. Read without the turn, nothing would be missing: 4 cm lower."""
    frame = sample.frames()[60]
    (whole,) = estimator.estimate(frame.image, frame.camera)
    top = round(whole.box.y1 + whole.box.height / 3)
    image = np.ascontiguousarray(frame.image[top:])
    camera = Camera(image.shape[1], image.shape[0], frame.camera.K - [[0, 0, 0], [0, 0, top], [0, 0, 0]])
    depth_m = np.full(image.shape[:2], whole.t_cam_head_m[2], np.float32) if with_depth else None
    (cut,) = estimator.estimate(image, camera, depth_m)
    estimator.options = EstimatorOptions(image_rotation=rotation_deg)
    mounted = [None if array is None else as_mounted(array, rotation_deg) for array in (image, depth_m)]
    (pose,) = estimator.estimate(mounted[0], turned_camera(camera, rotation_deg), mounted[1])
    np.testing.assert_allclose(pose.t_cam_head_m, turn_rotation_back(cut.t_cam_head_m, rotation_deg), atol=0.015)
    np.testing.assert_allclose(pose.t_std_m, np.abs(turn_rotation_back(cut.t_std_m, rotation_deg)), rtol=0.15)


@pytest.mark.parametrize('rotation_deg', TURNED)
@pytest.mark.parametrize('stamped', [False, True])
def test_the_poses_of_a_turned_camera_are_those_of_the_upright_camera_turned(estimator, rotation_deg, stamped):
    """The same scene off the axis: R and position turned by Rz(-rotation), the box where the face is in the image as it is given."""
    frame = sample.frames()[60]
    stamp_s = 1.0 if stamped else None
    (upright,) = estimator.estimate(frame.image, frame.camera, stamp_s=stamp_s)
    estimator.options = EstimatorOptions(image_rotation=rotation_deg)
    image, camera = as_mounted(frame.image, rotation_deg), turned_camera(frame.camera, rotation_deg)
    (pose,) = estimator.estimate(image, camera, stamp_s=None if stamp_s is None else 2.0)
    angle = np.radians(-rotation_deg)
    R_back = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    assert geodesic_deg(pose.R_cam_head, R_back @ upright.R_cam_head) < 1.5, 'pixels are grouped otherwise when shrinking'
    np.testing.assert_allclose(pose.t_cam_head_m, R_back @ upright.t_cam_head_m, atol=0.02)
    x1, y1, x2, y2 = turn_boxes_back(
        np.array([[upright.box.x1, upright.box.y1, upright.box.x2, upright.box.y2]]), rotation_deg, image.shape[1], image.shape[0]
    )[0]
    assert FaceBox(x1, y1, x2, y2).iou(pose.box) > 0.9
    assert pose.category == upright.category, 'the category is of the head as the upright crop shows it'


@pytest.mark.parametrize('rotation_deg', TURNED)
def test_boxes_from_elsewhere_are_cut_upright_too(estimator, rotation_deg):
    """A frontal face in the middle, its box given: the same angles as of the upright image, but for the roll of the camera."""
    box = [[63.8, 22.2, 226.1, 261.0]]
    (upright,) = estimator.estimate(face(), boxes=box)
    estimator.options = EstimatorOptions(image_rotation=rotation_deg)
    (pose,) = estimator.estimate(as_mounted(face(), rotation_deg), boxes=turn_boxes_back(np.array(box), rotation_deg, 300, 300))
    assert geodesic_deg(pose.R_cam_head, turn_rotation_back(upright.R_cam_head, rotation_deg)) < 1.5


@pytest.mark.parametrize('rotation_deg', TURNED)
def test_a_doll_is_found_in_the_depth_of_a_turned_camera(rotation_deg):
    """At (0.1, -0.05, 1.2) m of the upright camera: R_back takes it to where the turned camera has it."""
    depth_m = as_mounted(doll(room(), (0.1, -0.05, 1.2)), rotation_deg)
    camera = turned_camera(CAMERA, rotation_deg)
    (head,) = find_heads(depth_m, camera, rotation_deg=rotation_deg)
    expected = {90: [-0.05, -0.1, 1.2], 180: [-0.1, 0.05, 1.2], 270: [0.05, 0.1, 1.2]}[rotation_deg]
    np.testing.assert_allclose(head.centre_m, expected, atol=0.04)
    assert find_heads(depth_m, camera) == [] or rotation_deg == 180, 'a head on its side stands free on the wrong sides'


# Recognising it.


def suggestion(estimator, images, seconds=4.0, fps=30, start_s=10.0):
    """What the estimator recognises within some seconds of a stream."""
    for k in range(int(fps * seconds)):
        estimator.estimate(images[k % len(images)], stamp_s=start_s + k / fps)
    return estimator.finding.image_rotation


@pytest.mark.parametrize(('size', 'height'), [((640, 480), 160), ((1280, 720), 240)])
def test_a_camera_mounted_upside_down_is_recognised_soon(estimator, size, height):
    image, _ = scene(*size, [height], 'soft', seed=180)
    assert suggestion(estimator, [as_mounted(image, 180)]) == 180
    note = estimator.finding.notes()['image_rotation']
    assert 'set image_rotation to 180' in note
    assert 'lies down' not in note


@pytest.mark.parametrize('rotation_deg', [90, 270])
@pytest.mark.parametrize('heights', [[160, 110], [100, 90, 80]])
def test_a_camera_mounted_sideways_is_recognised_soon_by_two_people(estimator, rotation_deg, heights):
    image, _ = scene(640, 480, heights, 'soft', seed=2)
    assert suggestion(estimator, [as_mounted(image, rotation_deg)], seconds=6, fps=10) == rotation_deg
    assert f'set image_rotation to {rotation_deg}' in estimator.finding.notes()['image_rotation']


@pytest.mark.parametrize('rotation_deg', [90, 270])
def test_one_person_on_the_side_is_reported_after_half_a_minute_and_as_either(estimator, rotation_deg):
    """Four looks a second, each turn every 0.75 s: 30 s of evidence within 33 s. A person who lies down looks just the same."""
    image, _ = scene(640, 480, [160], 'soft', seed=rotation_deg)
    lying = as_mounted(image, rotation_deg)
    assert suggestion(estimator, [lying], seconds=29, fps=4) is None
    assert estimator.finding.notes() == {}
    assert suggestion(estimator, [lying], seconds=6, fps=4, start_s=39) == rotation_deg
    note = estimator.finding.notes()['image_rotation']
    assert f'if the camera is mounted that way, set image_rotation to {rotation_deg}; if not, a person lies down' in note


@pytest.mark.parametrize('rotation_deg', [90, 270])
def test_a_person_who_was_upright_and_lies_down_is_not_reported(estimator, rotation_deg):
    """A camera does not turn while it runs. Upright for 4 s, then on the side for 40 s."""
    image, _ = scene(640, 640, [160], 'soft', seed=rotation_deg)
    assert suggestion(estimator, [image], fps=10) is None
    assert suggestion(estimator, [as_mounted(image, rotation_deg)], seconds=40, fps=4, start_s=14) is None


def test_one_of_two_people_who_lies_down_is_not_reported(estimator):
    """The larger face lies, the smaller one sits: the turn that helps the one harms the other."""
    image = background(640, 480, 'gray', 0)
    image[60:300, 40:280] = as_mounted(cv2.resize(face(), (240, 240)), 90)
    image[200:350, 420:570] = cv2.resize(face(), (150, 150))
    assert len(estimator.estimate(image, stamp_s=1.0)) >= 1
    assert suggestion(estimator, [image], seconds=35, fps=4) is None


@pytest.mark.parametrize('rotation_deg', TURNED)
def test_a_moving_head_seen_by_a_turned_camera_is_recognised_too(estimator, rotation_deg):
    """It turns every way, so some looks do not show the face better when turned."""
    seconds, fps = (4, 30) if rotation_deg == 180 else (40, 7.5)
    images = [as_mounted(f.image, rotation_deg) for f in sample.frames()[: 120 : round(30 / fps)]]
    assert suggestion(estimator, images, seconds, fps) == rotation_deg


@pytest.mark.parametrize('rotation_deg', TURNED)
def test_once_the_option_is_set_nothing_is_reported(estimator, rotation_deg):
    estimator.options = EstimatorOptions(image_rotation=rotation_deg)
    assert suggestion(estimator, [as_mounted(f.image, rotation_deg) for f in sample.frames()[:60]]) is None


def test_an_upright_camera_is_never_suspected(estimator):
    """The sample's head turns every way, by up to 30 degrees; then a head tilted by 30; then nobody."""
    images = [f.image for f in sample.frames()]
    for k, image in enumerate(images):
        estimator.estimate(image, stamp_s=k / 30)
        assert estimator.finding.image_rotation is None
    tilt = cv2.getRotationMatrix2D((150, 150), 30, 1)
    tilted = background(640, 480, 'gray', 0)
    tilted[100:400, 170:470] = cv2.warpAffine(face(), tilt, (300, 300), borderValue=(120, 120, 120))
    estimator.reset()
    assert suggestion(estimator, [tilted]) is None
    estimator.reset()
    assert suggestion(estimator, [background(640, 480, 'blocks', 1)]) is None


@pytest.mark.parametrize('rotation_deg', TURNED)
def test_a_picture_that_lies_on_its_side_is_recognised_alone(estimator, rotation_deg):
    image, _ = scene(640, 480, [160], 'noise', seed=3)
    estimator.estimate(as_mounted(image, rotation_deg))
    assert estimator.finding.image_rotation == rotation_deg
    estimator.estimate(image)
    assert estimator.finding.image_rotation is None


@pytest.mark.parametrize(
    ('side', 'tilt_deg', 'expected'), [(42, 60, None), (42, 120, None), (150, 120, None), (42, 75, 90), (42, 105, 90), (150, 75, 90)]
)
def test_a_turn_that_makes_a_weak_face_out_of_a_weaker_one_is_no_evidence(side, tilt_deg, expected):
    """A place that looked a little like a face, 0.55. A turn by 90 leaves it tilted by 30, which scores 0.7, or by 15, which scores 0.9."""
    weak = FaceBox(200, 150, 200 + side, 150 + side, 0.55)
    assert MountingCheck(FaceDetector()).look_at_still(tilted(tilt_deg, side), [weak], 0) == expected


@pytest.mark.parametrize('k', [96, 99, 141])
def test_a_face_that_is_there_without_the_turn_too_is_no_evidence(k):
    """Not followed yet, so no face is given. Upside down it scores 0.85 and more in the whole image, but upright it scores 0.9."""
    image, detector = sample.frames()[k].image, FaceDetector()
    assert detector.detect(image, 0.85, WHOLE_LONG_SIDE_PX, 180)
    assert MountingCheck(detector).look_at_still(image, [], 0) is None
    assert MountingCheck(detector).look_at_still(as_mounted(image, 180), [], 0) == 180


@pytest.mark.parametrize('upright_looks', [3, 12])
def test_a_single_image_is_never_enough_evidence(upright_looks):
    """A face upside down is reported after 2 s of evidence, of which one image counts 1.5 s at most, after any pause. Every third look, the
    fourth and the thirteenth too, is at the image upside down."""
    image, (place,) = scene(640, 480, [160], 'soft', seed=180)
    upright, detector = [FaceBox(place.x - 60, place.y - 80, place.x + 60, place.y + 80, 0.95)], FaceDetector()
    check = MountingCheck(detector)
    for k in range(upright_looks):
        check.look(image, upright, 10.0 * k)
    check.look(as_mounted(image, 180), [], 10.0 * upright_looks)
    assert check.image_rotation is None
