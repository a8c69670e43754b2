from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from head_poses import HEADER, head
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from c2f_head_pose.geometry import HEAD_AXES, rotation_from_quaternion
from c2f_head_pose.parameters import Parameters
from c2f_head_pose.pose_messages import covariance
from c2f_head_pose.primary_face import PrimaryFace, choose_primary
from c2f_head_pose.ros import messages
from c2f_head_pose.ros.frame_worker import FrameWorker
from c2f_head_pose.ros.frames import Mount
from c2f_head_pose.ros.neutral import Neutral
from c2f_head_pose.types import FaceBox


def test_angles_are_roll_pitch_yaw_in_radians_with_300w_lp_signs():
    """yaw 30 (to the image's left), pitch -12 (down), roll 6 (clockwise): pi/6, -pi/15, pi/30."""
    vector = messages.head_angles(HEADER, head((30, -12, 6))).vector
    np.testing.assert_allclose([vector.x, vector.y, vector.z], [np.pi / 30, -np.pi / 15, np.pi / 6], atol=1e-12)


def test_a_frontal_face_has_the_quaternion_of_its_axes_in_the_camera_and_no_position():
    """R = [[0,1,0],[0,0,-1],[-1,0,0]] turns by 120 degrees about (1,1,-1)/sqrt 3: trace 0, so w = 1/2 and (x,y,z) = (1/2, 1/2, -1/2)."""
    message = messages.head_pose(HEADER, head())
    q, p = message.pose.pose.orientation, message.pose.pose.position
    np.testing.assert_allclose(np.abs([q.x, q.y, q.z, q.w]), 0.5)
    np.testing.assert_allclose(rotation_from_quaternion(np.array([q.x, q.y, q.z, q.w])), HEAD_AXES, atol=1e-12)
    assert (p.x, p.y, p.z) == (0.0, 0.0, 0.0)
    assert message.header == HEADER


def test_the_covariance_is_turned_into_the_headers_frame():
    """Frontal: the head's x (roll, 1 deg) lies along the camera's z, its y (pitch, 2) along x, its z (yaw, 3) along y."""
    np.testing.assert_allclose(covariance(head()), np.diag([1e6, 1e6, 1e6, *np.radians([2.0, 3.0, 1.0]) ** 2]), atol=1e-15)


def test_a_known_position_comes_with_its_own_variance():
    pose = head(t_cam_head_m=np.array([0.1, -0.2, 0.8]), t_std_m=np.array([0.01, 0.02, 0.1]))
    message = messages.head_pose(HEADER, pose)
    assert (message.pose.pose.position.x, message.pose.pose.position.y, message.pose.pose.position.z) == (0.1, -0.2, 0.8)
    np.testing.assert_allclose(np.reshape(message.pose.covariance, (6, 6)).diagonal()[:3], [1e-4, 4e-4, 1e-2])


def test_markers_show_the_axes_from_the_position_and_first_delete_the_old():
    """A frontal head 1 m away: its outward axis x points at the camera, so the red arrow ends 15 cm nearer."""
    markers = messages.markers(HEADER, [head(t_cam_head_m=np.array([0.0, 0.0, 1.0]), t_std_m=np.ones(3), track_id=4)]).markers
    assert [marker.action for marker in markers] == [Marker.DELETEALL] + 4 * [Marker.ADD]
    start, end = markers[1].points
    np.testing.assert_allclose([start.x, start.y, start.z, end.x, end.y, end.z], [0, 0, 1, 0, 0, 0.85], atol=1e-12)
    assert 'face 4' in markers[4].text and 'unknown' not in markers[4].text
    assert 'position unknown' in messages.markers(HEADER, [head()]).markers[4].text
    assert len(messages.markers(HEADER, []).markers) == 1


def test_each_faces_markers_are_its_own():
    """Frontal at 1 m, and yaw 90 at 2 m, whose outward axis points to the image's left (-x); labels float 25 cm above (-y)."""
    at = [np.array([0.0, 0.0, 1.0]), np.array([0.5, 0.0, 2.0])]
    poses = [head(ypr, t_cam_head_m=t, t_std_m=np.ones(3), track_id=i) for i, (ypr, t) in enumerate(zip(((0, 0, 0), (90, 0, 0)), at))]
    drawn = messages.markers(HEADER, poses).markers[1:]
    assert [marker.id for marker in drawn] == [0, 1, 2, 0, 3, 4, 5, 1]
    tips = [marker.points[1] for marker in (drawn[0], drawn[4])]
    np.testing.assert_allclose([[p.x, p.y, p.z] for p in tips], [[0, 0, 0.85], [0.35, 0, 2]], atol=1e-12)
    labels = [marker.pose.position for marker in (drawn[3], drawn[7])]
    np.testing.assert_allclose([[p.x, p.y, p.z] for p in labels], [[0, -0.25, 1], [0.5, -0.25, 2]], atol=1e-12)
    assert [marker.text.splitlines()[0] for marker in (drawn[3], drawn[7])] == ['face 0', 'face 1']
    assert (drawn[0].color.r, drawn[5].color.g, drawn[6].color.b) == (1.0, 1.0, 1.0)


def test_an_image_keeps_its_pixels_and_its_row_length():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    message = messages.image(HEADER, pixels[:, ::2])
    assert (message.height, message.width, message.step, message.encoding) == (2, 2, 6, 'bgr8')
    assert bytes(message.data) == pixels[:, ::2].tobytes()


@pytest.mark.parametrize('rule, chosen', [('largest', 2), ('nearest', 1), ('longest_tracked', 0)])
def test_the_primary_face_follows_the_rule(rule, chosen):
    near, far = np.array([0.0, 0, 0.5]), np.array([0.0, 0, 2.0])
    poses = [head(track_id=1, t_cam_head_m=far), head(track_id=5, t_cam_head_m=near), head(track_id=3, box=FaceBox(0, 0, 90, 90))]
    assert choose_primary(poses, rule) is poses[chosen]
    assert choose_primary([], rule) is None


@pytest.mark.parametrize('rule', ['largest', 'nearest'])
def test_the_primary_face_stays_with_one_of_two_people_side_by_side(rule):
    """Both at 1 m, with 3 % of noise in box and distance, 1000 images: the noise of both would have to add to 20 %, nearly 5 deviations."""
    rng = np.random.default_rng(0)
    before, chosen = None, set()
    for _ in range(1000):
        sizes, distances = 80 * (1 + 0.03 * rng.normal(size=2)), 1 + 0.03 * rng.normal(size=2)
        poses = [
            head(track_id=i, box=FaceBox(0, 0, size, size), t_cam_head_m=np.array([0.0, 0.0, z]))
            for i, (size, z) in enumerate(zip(sizes, distances))
        ]
        before = choose_primary(poses, rule, before=before).track_id
        chosen.add(before)
    assert len(chosen) == 1


@pytest.mark.parametrize('rule', ['largest', 'nearest'])
def test_another_face_that_is_a_fifth_larger_or_nearer_becomes_the_primary_one(rule):
    """1.19 times as wide and high, or as near, is not enough; 1.21 is. A face that is gone, or that has no id, keeps no place."""

    def at(nearness, track_id):
        box = FaceBox(0, 0, 100 * nearness, 100 * nearness)
        return head(track_id=track_id, box=box, t_cam_head_m=np.array([0.0, 0.0, 1 / nearness]))

    first, second, third = at(1.0, 1), at(1.19, 2), at(1.21, 3)
    assert choose_primary([first, second], rule, before=1) is first
    assert choose_primary([first, third], rule, before=1) is third
    assert choose_primary([second, first], rule, before=9) is second
    assert choose_primary([at(1.0, None), at(1.1, None)], rule, before=None).box.width == pytest.approx(110)
    assert choose_primary([third, first], 'longest_tracked', before=3) is first


def test_the_worker_keeps_the_primary_face_from_image_to_image():
    """Two faces whose boxes are 1 % apart, the other way round in each image, and an image without a face."""
    neutral = SimpleNamespace(update=lambda *_: (Neutral('person', np.eye(3)), None))
    monitoring = SimpleNamespace(statistics=None, notices=None, topic='image')
    parts = SimpleNamespace(estimator=SimpleNamespace(follows=lambda _: True))
    worker = FrameWorker(parts, None, neutral, monitoring, Parameters, lambda: 0.0)
    frame = SimpleNamespace(header=HEADER, size=(640, 480))
    chosen = []
    for larger in (1, 2, 1, 2, None, 2):
        poses = [] if larger is None else [head(track_id=i, box=FaceBox(0, 0, 100 + (i == larger), 100)) for i in (1, 2)]
        primary = worker._choose(frame, poses, None).primary
        chosen.append(None if primary is None else primary.track_id)
    assert chosen == [1, 1, 1, 1, None, 1]


@pytest.mark.parametrize('rule', ['largest', 'nearest', 'longest_tracked'])
def test_nobody_takes_the_primary_faces_place_while_it_is_not_seen_but_followed(rule):
    """A is 1.1 times as large and near as B. Once A is no longer followed, B has the place, and keeps it when A comes under a new id."""
    a, b = (head(track_id=i, box=FaceBox(0, 0, 10 * x, 10 * x), t_cam_head_m=np.array([0, 0, 10 / x])) for i, x in ((1, 11), (2, 10)))
    followed = {1, 2}
    primary = PrimaryFace(followed.__contains__)
    assert [primary.choose(poses, rule) for poses in ([b, a], [b], [], [b], [b, a])] == [a, None, None, None, a]
    followed.remove(1)
    assert [primary.choose(poses, rule) for poses in ([b], [b, replace(a, track_id=3)])] == [b, b]


@pytest.mark.parametrize('rule', ['largest', 'nearest'])
def test_a_face_that_is_a_fifth_larger_or_nearer_takes_the_place_of_one_that_is_not_seen_at_once(rule):
    a, b = (head(track_id=i, box=FaceBox(0, 0, 10 * x, 10 * x), t_cam_head_m=np.array([0, 0, 10 / x])) for i, x in ((1, 10), (2, 12.1)))
    primary = PrimaryFace(lambda _: True)
    assert [primary.choose(poses, rule) for poses in ([a], [b], [a, b])] == [a, b, b]


def test_only_faces_in_the_seats_part_of_the_image_are_candidates():
    """Of 100 x 100 pixels the left half is the seat: the largest face, centred at (70, 45), does not sit there."""
    poses = [head(box=FaceBox(0, 0, 20, 20)), head(box=FaceBox(10, 0, 50, 40)), head(box=FaceBox(25, 0, 115, 90))]
    assert choose_primary(poses, 'largest', (0.0, 0.0, 0.5, 1.0), (100, 100)) is poses[1]
    assert choose_primary(poses, 'largest', (0.0, 0.6, 0.5, 1.0), (100, 100)) is None
    assert choose_primary(poses, 'largest', (0.0, 0.0, 1.0, 1.0), (100, 100)) is poses[2]


@pytest.mark.skipif(messages.TFMessage is None, reason='needs tf2_msgs')
def test_the_gaze_frame_has_z_out_of_the_face_and_y_down():
    """REP-155: gaze z = face x, gaze y = -face z."""
    pose = head(track_id=7, t_cam_head_m=np.array([0.0, 0, 1]), t_std_m=np.ones(3))
    face, gaze = messages.transforms(HEADER, [pose, replace(pose, t_cam_head_m=None)]).transforms
    assert (face.header.frame_id, face.child_frame_id, gaze.header.frame_id, gaze.child_frame_id) == (
        'camera_optical',
        'face_7',
        'face_7',
        'gaze_7',
    )
    q = gaze.transform.rotation
    np.testing.assert_allclose(rotation_from_quaternion(np.array([q.x, q.y, q.z, q.w])), [[0, 0, 1], [-1, 0, 0], [0, -1, 0]], atol=1e-12)


def test_images_without_frame_have_no_transforms(monkeypatch):
    """Listeners of TF log an error for each transform without a parent. TFMessage is not in the pip wheels."""
    monkeypatch.setattr(messages, 'TFMessage', lambda: SimpleNamespace(transforms=[]))
    poses = [head(track_id=7, t_cam_head_m=np.array([0.0, 0, 1]), t_std_m=np.ones(3))]
    assert len(messages.transforms(HEADER, poses).transforms) == 2
    assert messages.transforms(Header(stamp=HEADER.stamp), poses).transforms == []


def test_the_gaze_frame_of_rep_155_looks_along_z_with_x_to_the_persons_right(monkeypatch):
    """gaze_<id> in face_<id>: z is the face's x, x its -y, y its -z."""
    monkeypatch.setattr(messages, 'TFMessage', lambda: SimpleNamespace(transforms=[]))
    face, gaze = messages.transforms(HEADER, [head(track_id=7, t_cam_head_m=np.array([0.0, 0, 1]), t_std_m=np.ones(3))]).transforms
    assert (face.child_frame_id, gaze.header.frame_id, gaze.child_frame_id) == ('face_7', 'face_7', 'gaze_7')
    q = gaze.transform.rotation
    R_face_gaze = rotation_from_quaternion(np.array([q.x, q.y, q.z, q.w]))
    np.testing.assert_allclose(R_face_gaze, [[0, 0, 1], [-1, 0, 0], [0, -1, 0]], atol=1e-12)


@pytest.mark.skipif(messages.Detection3DArray is None, reason='needs vision_msgs')
def test_detections_carry_id_category_score_and_pose_of_every_face():
    array = messages.head_poses(HEADER, [head(track_id=7, score=0.75), head()])
    assert [detection.id for detection in array.detections] == ['face_7', '']
    result = array.detections[0].results[0]
    assert (result.hypothesis.class_id, result.hypothesis.score) == ('L1', 0.75)
    assert list(result.pose.covariance) == covariance(head()).ravel().tolist()
    assert messages.head_poses(HEADER, []).detections == []


@pytest.mark.skipif(messages.Detection3DArray is None, reason='needs vision_msgs')
def test_the_box_of_a_detection_surrounds_the_head_behind_its_sellion():
    """Frontal at 1 m, the head extends from the sellion away from the camera: its middle is at 1.09 m, the box reaches from 0.99 to 1.19 m.

    In a frame whose x looks along the camera's z, at x = 2 m, that is 3.09 m. Of an unknown position the box is at 0, as the pose is.
    """
    pose = head(t_cam_head_m=np.array([0.1, -0.2, 1.0]), t_std_m=np.ones(3))
    mount = Mount('base_link', np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([2.0, 0, 0]))
    for at, where, middle in ((pose, None, (0.1, -0.2, 1.09)), (pose, mount, (3.09, -0.1, 0.2)), (head(), None, (0, 0, 0))):
        (detection,) = messages.head_poses(HEADER, [at], where).detections
        p = detection.bbox.center.position
        np.testing.assert_allclose([p.x, p.y, p.z], middle, atol=1e-12)
        assert detection.bbox.center.orientation == detection.results[0].pose.pose.orientation
        assert detection.bbox.size.x == (0.0 if at.t_cam_head_m is None else 0.2)
