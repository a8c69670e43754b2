"""Poses in another frame than the camera's, by parameters and through TF."""

import sys
from time import sleep
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from head_poses import HEADER, head
from ros_calls import with_a_face
from ros_graph import header, image_message, noise

from c2f_head_pose.geometry import quaternion_from_rotation, ray_rotation, rotation_from_quaternion
from c2f_head_pose.parameters import ParameterError, Parameters
from c2f_head_pose.pose_messages import covariance, head_from_message
from c2f_head_pose.ros import frame_worker, messages
from c2f_head_pose.ros.frames import FixedMount, FrameError, Mount, TfMount
from c2f_head_pose.transforms import is_body, is_optical

pytestmark = pytest.mark.ros

# An optical frame that looks along the vehicle's -x, as a driver camera does: its z is -x, its x (image right) is y, its y is -z.
BACKWARDS = np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]])
BACKWARDS_RPY_DEG = (-90.0, 0.0, 90.0)


def given(**fields) -> Parameters:
    return Parameters(target_frame='base_link', target_frame_from='mount', **fields)


def test_the_mounts_angles_are_those_of_urdf():
    """Rz(90) Ry(0) Rx(-90): x -> y; y -> (under Rx -90) -z; z -> (under Rx -90) y -> (under Rz 90) -x."""
    mount = FixedMount(given(mount_rotation_deg=BACKWARDS_RPY_DEG)).mount(HEADER)
    np.testing.assert_allclose(mount.R_target_cam, BACKWARDS, atol=1e-12)


def test_a_pose_is_moved_whole_and_its_stamp_stays():
    """1 m before a camera at x = 2 m, z = 1 m that looks back: at x = 1. A frontal face looks along +x, so its axes are the vehicle's.

    Deviations along the camera's x, y, z (0.1, 0.2, 0.3) lie along the vehicle's y, z, x; roll, pitch, yaw (1, 2, 3) along x, y, z.
    """
    mount = FixedMount(given(mount_rotation_deg=BACKWARDS_RPY_DEG, mount_position_m=(2.0, 0.0, 1.0))).mount(HEADER)
    pose = head(t_cam_head_m=np.array([0.0, 0, 1.0]), t_std_m=np.array([0.1, 0.2, 0.3]), track_id=1)
    message = messages.head_pose(HEADER, pose, mount)
    assert (message.header.frame_id, message.header.stamp, HEADER.frame_id) == ('base_link', HEADER.stamp, 'camera_optical')
    p, q = message.pose.pose.position, message.pose.pose.orientation
    np.testing.assert_allclose([p.x, p.y, p.z], [1, 0, 1], atol=1e-12)
    np.testing.assert_allclose(rotation_from_quaternion(np.array([q.x, q.y, q.z, q.w])), np.eye(3), atol=1e-12)
    expected = np.diag([0.09, 0.01, 0.04, *np.radians([1.0, 2, 3]) ** 2])
    np.testing.assert_allclose(np.reshape(message.pose.covariance, (6, 6)), expected, atol=1e-12)
    arrow = messages.markers(HEADER, [pose], mount).markers[1]
    assert arrow.header.frame_id == 'base_link'
    np.testing.assert_allclose([arrow.points[1].x, arrow.points[1].z], [1.15, 1], atol=1e-12)


def test_a_position_from_a_faces_size_is_uncertain_along_its_ray_in_every_frame():
    """45 degrees to the right, 0.3 m along the ray and 0.02 m across; the target frame looks along the ray, so z is along, x and y across.

    Along the camera's x and z each variance is (0.3^2 + 0.02^2) / 2 = 0.0452; taken as independent they would be 0.0452 in the target too.
    """
    along, across = 0.3**2, 0.02**2
    mean, common = (along + across) / 2, (along - across) / 2
    cov_m2 = np.array([[mean, 0, common], [0, across, 0], [common, 0, mean]])
    pose = head(t_cam_head_m=np.array([1.0, 0, 1.0]), t_std_m=np.sqrt(np.diag(cov_m2)), t_cov_m2=cov_m2)
    assert np.reshape(messages.head_pose(HEADER, pose).pose.covariance, (6, 6))[:3, :3] == pytest.approx(cov_m2)
    mount = Mount('along_the_ray', ray_rotation(pose.t_cam_head_m).T, np.zeros(3))
    message = messages.head_pose(HEADER, pose, mount).pose
    in_target = np.reshape(message.covariance, (6, 6))[:3, :3]
    np.testing.assert_allclose(in_target, np.diag([across, across, along]), atol=1e-12)
    read = head_from_message(message.pose.orientation, message.pose.position, message.covariance)
    np.testing.assert_allclose(read.t_cov_m2, in_target)
    np.testing.assert_allclose(covariance(read), np.reshape(message.covariance, (6, 6)), atol=1e-12)


@pytest.mark.parametrize(
    'frame_id', ['camera_link', 'link', 'base_link', 'robot/base_footprint', 'robot/camera_link/front', 'head_camera_link']
)
def test_a_frame_named_like_a_body_is_one(frame_id):
    """Links of URDF, and what Gazebo calls its images' frame: the link, or model/link/sensor."""
    assert is_body(frame_id) and not is_optical(frame_id)


@pytest.mark.parametrize(
    ('frame_id', 'optical'),
    [
        ('', False),
        ('camera', False),
        ('cam0', False),
        ('usb_cam', False),
        ('default_cam', False),
        ('head_camera', False),
        ('camera_frame', False),
        ('database_camera', False),
        ('linked_camera', False),
        ('camera_optical', True),
        ('optical', True),
        ('camera_link_optical', True),
        ('base_camera_optical_frame', True),
        ('oak_rgb_camera_optical_frame', True),
        ('robot/camera_color_optical_frame', True),
        ('camera_optical_link', False),
    ],
)
def test_a_usual_frame_of_images_is_none_of_a_body(frame_id, optical):
    assert not is_body(frame_id) and is_optical(frame_id) == optical


class Buffer:
    """Stands in for tf2_ros's: knows the mount from 1 s to 10 s even when cleared, no frame nowhere, none with a slash."""

    cleared = 0
    takes_s = 0.0

    def lookup_transform(self, target, source, time, timeout):
        sleep(self.takes_s)
        if 'nowhere' in (target, source) or '/' in (target[0], source[0]):
            raise TransformError(f'"{target}" or "{source}" passed to lookupTransform does not exist')
        if time.nanoseconds > 10e9 or 0 < time.nanoseconds < 1e9:
            raise TransformError('would extrapolate')
        return TransformStamped(header=header(10.0), transform=_mount_transform())

    def clear(self):
        Buffer.cleared += 1


class TransformError(Exception):
    """As tf2_ros's."""


def _mount_transform() -> Transform:
    rotation = Quaternion(**dict(zip('xyzw', quaternion_from_rotation(BACKWARDS).tolist())))
    return Transform(translation=Vector3(x=2.0, z=1.0), rotation=rotation)


@pytest.fixture
def tf2(monkeypatch):
    """tf2_ros is not in the pip wheels: its part in this is a lookup."""
    listener = SimpleNamespace(unregister=lambda: None)
    monkeypatch.setitem(
        sys.modules,
        'tf2_ros',
        SimpleNamespace(Buffer=Buffer, TransformListener=lambda buffer, node: listener, TransformException=TransformError),
    )


def test_tf_gives_the_mount_at_the_images_stamp_or_reports_what_is_missing(tf2):
    source = TfMount(None, 'base_link')
    np.testing.assert_allclose(
        source.mount(HEADER if HEADER.stamp.sec < 10 else image_message(noise(2, 2), 5.0).header).R_target_cam, BACKWARDS, atol=1e-9
    )
    np.testing.assert_allclose(source.mount(header(5.0, '/camera_optical')).R_target_cam, BACKWARDS, atol=1e-9)
    with pytest.raises(FrameError, match=r"'camera_optical' to target_frame 'nowhere'.*does not exist.*static_transform_publisher"):
        TfMount(None, 'nowhere').mount(header(5.0))


@pytest.mark.parametrize(
    ('stamp_s', 'reason'),
    [
        (10.25, 'TF comes at least 300 ms after the image: raise target_frame_wait_s, now 0.05 s'),
        (12.0, "TF's newest is 2.0 s older than the image: its publisher has stopped, or their clocks differ"),
        (0.5, "it is 9.5 s older than TF's newest and older than what TF has kept"),
    ],
)
def test_tf_that_does_not_reach_the_image_is_told_from_a_frame_that_does_not_exist(stamp_s, reason, tf2):
    """TF ends at 10 s: after 50 ms of waiting it is 250 ms behind an image of 10.25 s; no wait of up to 1 s reaches 12 s."""
    with pytest.raises(FrameError) as raised:
        TfMount(None, 'base_link').mount(header(stamp_s), 0.05)
    assert reason in str(raised.value) and 'static_transform_publisher' not in str(raised.value)


def test_tf_that_is_not_installed_is_refused_with_both_remedies(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    with pytest.raises(ParameterError, match=r'target_frame.*tf2-ros-py.*target_frame_from'):
        TfMount(None, 'base_link')


def test_the_node_answers_in_the_target_frame_and_angles_stay_the_cameras(graph):
    results = graph.hear_results()
    _, images = with_a_face(graph, target_frame='base_link', target_frame_from='mount', mount_rotation_deg=list(BACKWARDS_RPY_DEG))
    images.publish(image_message(noise(), 3.0))
    graph.wait_until(lambda: results.poses and results.angles, 'a pose')
    assert (results.poses[0].header.frame_id, results.poses[0].header.stamp.sec) == ('base_link', 3)
    assert results.poses[0].pose.pose.position.x < -0.5, 'before a camera that looks back'
    assert results.angles[0].header.frame_id == 'camera_optical'


def test_a_recording_that_begins_again_is_answered_by_the_transforms_of_its_new_pass(graph, tf2):
    """tf2 refuses transforms of more than 10 s before its newest, unless it is cleared; 1.5 s back are no reason to."""
    results, before = graph.hear_results(), Buffer.cleared
    _, images = with_a_face(graph, target_frame='base_link')
    for number, (stamp, cleared) in enumerate(((9.0, 0), (7.5, 0), (9.9, 0), (1.0, 1), (2.0, 1))):
        images.publish(image_message(noise(), stamp))
        graph.wait_until(lambda n=number: len(results.poses) > n, 'a pose')
        assert Buffer.cleared - before == cleared


def test_without_the_transform_nothing_wrong_is_published_and_the_reason_is_reported(graph, tf2, monkeypatch):
    monkeypatch.setattr(frame_worker, '_STEADY_S', 0.0)
    results = graph.hear_results()
    _, images = with_a_face(graph, target_frame='base_link')
    images.publish(image_message(noise(), 20.0))
    graph.wait_for_log('image not answered', 'no transform', 'publisher has stopped')
    graph.wait_for_state('no transform to target_frame')
    assert results.poses == results.markers == []
    images.publish(image_message(noise(), 5.0))
    graph.wait_until(lambda: results.poses, 'a pose')
    assert results.poses[0].header.frame_id == 'base_link'
    graph.wait_for_log('the transform to target_frame is known now')


def test_a_transform_that_is_missing_now_and_then_is_logged_once_in_a_while(graph, tf2, monkeypatch):
    monkeypatch.setattr(frame_worker, '_STEADY_S', 3600.0)
    results = graph.hear_results()
    node, images = with_a_face(graph, target_frame='base_link')
    for number in range(1, 4):
        images.publish(image_message(noise(), 20.0 + number))
        graph.wait_until(lambda n=number: node._session.statistics.dropped.get('no transform') == n, 'an image without a transform')
        images.publish(image_message(noise(), 5.0 + number))
        graph.wait_until(lambda n=number: len(results.poses) == n, 'a pose')
    assert len([line for line in graph.log if 'image not answered' in line]) == 1
    assert not [line for line in graph.log if 'is known now' in line]


def test_images_that_wait_for_tf_are_not_blamed_on_the_machine(graph, tf2, monkeypatch):
    monkeypatch.setattr(Buffer, 'takes_s', 0.3)
    graph.hear_results()
    _, images = with_a_face(graph, target_frame='base_link')
    stamps = iter(range(200, 1000))

    def waits():
        images.publish(image_message(noise(), 0.01 * next(stamps)))
        return graph.heard['/diagnostics'] and 'ms for TF' in graph.heard['/diagnostics'][-1].status[0].message

    graph.wait_until(waits, 'the state')
