"""Several faces in the node `attention`, each under its id, and where the camera is that they look at.

Detections go over the topic where vision_msgs is installed (a ROS installation), and TF through tf2_ros; the pip wheels have neither,
so there the same detections are handed to the node's callback, and a lookup stands in for TF.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason="needs rclpy: source a ROS installation, or pip install '.[ros]'")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from head_poses import head
from rclpy.parameter import Parameter
from ros_graph import SENSOR, camera_info, header, image_message
from sensor_msgs.msg import CameraInfo

from c2f_head_pose.attention.looking_at import LookingAtSettings
from c2f_head_pose.geometry import HEAD_AXES, quaternion_from_rotation, rotation_from_vector
from c2f_head_pose.ros import messages
from c2f_head_pose.ros.attention import targets
from c2f_head_pose.ros.attention.node import AttentionNode, Detection3DArray
from c2f_head_pose.types import HeadPose

pytestmark = pytest.mark.ros

# An optical frame that looks along base_link's -x: its z is -x, its x (image right) is y, its y (image down) is -z.
BACKWARDS = np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]])
CAMERA_M = (2.0, 0.0, 1.0)
FACE = cv2.imread(str(Path(__file__).parents[1] / 'data' / 'face.jpg'))


def facing(frame_axis, face_id, at_m=None, R_frame=None):
    """A head whose face points along an axis of the frame, upright in it."""
    x = np.asarray(frame_axis, float)
    up = np.array([0.0, 0.0, 1.0]) if R_frame is None else R_frame
    y = np.cross(up, x)
    return HeadPose(
        np.stack([x, y, np.cross(x, y)], axis=1),
        np.full(3, 2.0),
        'L1',
        np.eye(4)[0],
        score=0.9,
        published_id=face_id,
        t_cam_head_m=None if at_m is None else np.array(at_m, float),
        t_std_m=None if at_m is None else np.full(3, 0.01),
    )


class People:
    """People before the node `attention`."""

    def __init__(self, graph, **parameters):
        self.graph = graph
        self.looking_at = graph.hear(DiagnosticArray, '/attention/looking_at')
        self.decisions = graph.hear(DiagnosticArray, '/attention/decision')
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.node = graph.add(AttentionNode(context=graph.context, parameter_overrides=overrides))
        self.poses = None if Detection3DArray is None else graph.image_publisher(Detection3DArray, '/head_poses', SENSOR)
        if self.poses is None:
            self.node._pose_publishers = lambda: {'/probe'}  # reports count only from who publishes poses
        self.reports = graph.probe.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.stamp_s = 100.0
        graph.wait_until(lambda: graph.probe.count_publishers('/attention/looking_at') and self.decisions, 'the node')

    def send(self, heads, frame_id='camera_optical'):
        """One frame of heads; returns looking_at of it."""
        self.stamp_s += 0.125
        if self.poses is not None:
            message = messages.head_poses(header(self.stamp_s, frame_id), heads)
            for detection, pose in zip(message.detections, heads):
                detection.id = pose.published_id or ''
            self.poses.publish(message)
        else:
            detections = [
                SimpleNamespace(
                    id=pose.published_id or '',
                    results=[
                        SimpleNamespace(
                            pose=messages.head_pose(header(), pose).pose, hypothesis=SimpleNamespace(class_id='L1', score=pose.score)
                        )
                    ],
                )
                for pose in heads
            ]
            self.node._on_head_poses(SimpleNamespace(header=header(self.stamp_s, frame_id), detections=detections))

        def answered():
            return next((m for m in self.looking_at[::-1] if messages.stamp_s(m.header) == self.stamp_s), None)

        message = self.graph.wait_until(answered, f'looking_at of {self.stamp_s}')
        return {status.name: {pair.key: pair.value for pair in status.values} for status in message.status}

    def watch(self, heads, frame_id='camera_optical'):
        """looking_at after a second of the same heads, in another order from frame to frame."""
        for k in range(8):
            looks = self.send(heads[:: (-1) ** k], frame_id)
        return looks

    def state_frame(self, image_frame):
        """head_pose's report that its images are in this frame."""
        values = [KeyValue(key='state', value='ok'), KeyValue(key='image_frame', value=image_frame)]
        status = DiagnosticStatus(name='probe: head pose', message='ok', values=values)
        self.graph.wait_until(
            lambda: (
                self.reports.publish(DiagnosticArray(header=header(), status=[status])) or self.node._targets.image_frames == {image_frame}
            ),
            'the report',
        )

    def face(self):
        """The id of the face taken for the driver's."""
        return {pair.key: pair.value for pair in self.decisions[-1].status[0].values}['face']


@pytest.mark.parametrize('names', [('face_abcde', 'face_kqzvt'), ('face_1', 'face_2'), ('person 7', 'anna'), ('face_²', 'face_٣')])
def test_two_named_faces_look_at_different_things_and_stay_apart(graph, names):
    """One faces the camera from 0.3 m left, the other, nearer, looks 60 degrees past it. Taken for one person, both would look the same.

    The first is the driver from the first frame on; the second, found later and larger, is not taken for him.
    """
    people = People(graph)
    towards = head(t_cam_head_m=np.array([-0.05, 0.0, 0.9]), t_std_m=np.full(3, 0.01), published_id=names[0], score=0.7)
    past = head((60, 0, 0), t_cam_head_m=np.array([0.3, 0.0, 0.5]), t_std_m=np.full(3, 0.01), published_id=names[1], score=0.9)
    people.send([towards])
    looks = people.watch([past, towards])
    assert looks == {names[0]: {'camera': 'yes'}, names[1]: {'camera': 'no'}}
    assert people.face() == names[0]
    turned = people.watch(
        [
            HeadPose(
                past.R_cam_head,
                towards.rotation_std_deg,
                'L1',
                np.eye(4)[0],
                t_cam_head_m=towards.t_cam_head_m,
                t_std_m=towards.t_std_m,
                published_id=names[0],
            ),
            past,
        ]
    )
    assert turned[names[0]] == {'camera': 'no'}


def test_of_several_faces_without_an_id_nothing_is_known_and_of_one_it_is(graph):
    """Which of two is the one of the frame before cannot be told, so neither a yes nor a no may be read from their sequence."""
    people = People(graph)
    one, other = (head(ypr, t_cam_head_m=np.array([0.0, 0.0, 0.7]), t_std_m=np.full(3, 0.01)) for ypr in ((0, 0, 0), (60, 0, 0)))
    assert people.watch([one]) == {'face': {'camera': 'yes'}}
    assert people.watch([one, other]) == {'face': {'camera': 'unknown'}}


@pytest.fixture
def camera_by_tf(graph, monkeypatch):
    """TF with the camera 2 m ahead of base_link and 1 m above it, looking back."""
    rotation = Quaternion(**dict(zip('xyzw', quaternion_from_rotation(BACKWARDS).tolist())))
    mount = TransformStamped(
        header=header(0.0, 'base_link'),
        child_frame_id='cam',
        transform=Transform(translation=Vector3(**dict(zip('xyz', CAMERA_M))), rotation=rotation),
    )
    if targets.tf2_ros is not None:
        graph.broadcaster = targets.tf2_ros.StaticTransformBroadcaster(graph.probe)
        graph.broadcaster.sendTransform(mount)
        return

    class TransformError(Exception):
        pass

    class Buffer:
        def lookup_transform(self, target, source, time):
            if (target, source) != ('base_link', 'cam'):
                raise TransformError(f'"{source}" passed to lookupTransform argument source_frame does not exist')
            return mount

    monkeypatch.setattr(
        targets, 'tf2_ros', SimpleNamespace(Buffer=Buffer, TransformListener=lambda *_: None, TransformException=TransformError)
    )


AHEAD, BACK = (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)
DOWN_AND_BACK = tuple(-np.array([1.0, 0.0, 1.0]) / np.sqrt(2))


def test_a_face_that_is_not_in_every_image_is_forgotten_after_a_second():
    """Two people look at the camera for 0.5 s. One is not seen for 1.5 s, and starts again: forget_s = 1 s. The other, seen in
    every image, goes on."""
    looks, settings = targets.Looks(), LookingAtSettings()
    place = {'camera': targets.Place(np.zeros(3), np.eye(3))}
    both = [facing((0, 0, -1), name, (0, 0, 1), R_frame=[0.0, -1.0, 0.0]) for name in ('face_1', 'face_2')]
    for k in range(21):
        said = looks.update(100 + k / 10, both[:1] if 5 < k < 20 else both, place, settings)
        if k == 5:
            assert said == {'face_1': {'camera': True}, 'face_2': {'camera': True}}
    assert said == {'face_1': {'camera': True}, 'face_2': {'camera': None}}


@pytest.mark.parametrize(
    'axis, at_m, looks',
    [
        (AHEAD, (1.0, 0.0, 1.0), 'yes'),  # straight at the camera, 1 m ahead
        (DOWN_AND_BACK, (1.0, 0.0, 1.0), 'no'),  # at the origin of base_link, where no camera is
        (AHEAD, None, 'yes'),  # without a position: against the camera's axis, which is base_link's +x
        (BACK, None, 'no'),
    ],
)
@pytest.mark.parametrize('frame_id', ['cam', '/cam'])
def test_with_a_target_frame_the_camera_is_where_tf_has_it(graph, camera_by_tf, frame_id, axis, at_m, looks):
    """Whether or not its driver still writes ROS 1's leading slash, with which tf2 refuses a frame."""
    people = People(graph)
    people.state_frame(frame_id)
    up = None if axis[2] == 0 else np.array([-1.0, 0.0, 1.0])
    person = facing(axis, 'face_abcde', at_m, None if up is None else up / np.linalg.norm(up))
    graph.wait_until(lambda: people.watch([person], 'base_link')['face_abcde']['camera'] != 'unknown', 'TF', deadline_s=20.0)
    assert people.watch([person], 'base_link') == {'face_abcde': {'camera': looks}}


def test_where_tf_does_not_have_the_camera_whether_it_is_looked_at_is_unknown(graph, camera_by_tf):
    people = People(graph)
    people.state_frame('another_camera')
    assert people.watch([facing(AHEAD, 'face_abcde', (1.0, 0.0, 1.0))], 'base_link') == {'face_abcde': {'camera': 'unknown'}}
    graph.wait_for_log("'camera' is unknown", "'another_camera'", "'base_link'")


def test_a_target_is_found_by_the_transforms_of_a_recordings_new_pass(graph, monkeypatch):
    """The stand-in keeps 10 s and refuses what is older, as tf2 does, unless it is cleared; 1.5 s back are no reason to."""

    class TransformError(Exception):
        pass

    class Buffer:
        def __init__(self):
            self.cleared, self.newest_s = 0, 0.0

        def clear(self):
            self.cleared, self.newest_s = self.cleared + 1, 0.0

        def lookup_transform(self, target, source, time):
            at_s = time.nanoseconds * 1e-9 or self.newest_s
            self.newest_s = max(self.newest_s, at_s)
            if at_s < self.newest_s - 10:
                raise TransformError('would extrapolate into the past')
            return TransformStamped(header=header(at_s), transform=Transform(rotation=Quaternion(w=1.0)))

    stand_in = SimpleNamespace(Buffer=Buffer, TransformListener=lambda *_: None, TransformException=TransformError)
    monkeypatch.setattr(targets, 'tf2_ros', stand_in)
    people = People(graph, looking_at='robot')
    person = facing(AHEAD, 'face_abcde', (-1.0, 0.0, 0.0))
    for begin_s, cleared in ((100.0, 0), (99.5, 0), (50.0, 1)):
        people.stamp_s = begin_s
        assert people.watch([person], 'base_link') == {'face_abcde': {'robot': 'yes'}}
        assert people.node._targets._buffer.cleared == cleared


@pytest.mark.parametrize(
    'frame_id, image_frame, looks',
    [
        ('webcam', 'webcam', 'yes'),
        ('', '', 'yes'),
        ('front_color_optical_frame', None, 'yes'),
        ('camera/optical', None, 'yes'),
        ('torso', None, 'unknown'),
        ('optical_bench', None, 'unknown'),
    ],
)
def test_poses_in_the_images_own_frame_have_the_camera_at_its_origin(graph, frame_id, image_frame, looks):
    """By head_pose's report, by the absence of any frame, or by REP-103's suffix for frames of images; a guess counts for nothing."""
    people = People(graph)
    if image_frame:
        people.state_frame(image_frame)
    person = HeadPose(
        HEAD_AXES,
        np.full(3, 2.0),
        'L1',
        np.eye(4)[0],
        t_cam_head_m=np.array([0.0, 0.0, 0.8]),
        t_std_m=np.full(3, 0.01),
        published_id='face_abcde',
    )
    assert people.watch([person], frame_id) == {'face_abcde': {'camera': looks}}


def test_poses_that_are_neither_in_the_vehicles_frame_nor_in_the_images_decide_nothing(graph):
    """target_frame torso beside vehicle_frame base_link: the mount's angles hold for the camera, so taken for it they would be wrong."""
    people = People(graph)
    people.state_frame('cam')
    for _ in range(3):
        people.watch([facing(AHEAD, 'face_abcde', (1.0, 0.0, 1.0))], 'torso')
    decided = {pair.key: pair.value for pair in people.decisions[-1].status[0].values}
    assert (decided['state'], decided['reason']) == ('unknown', 'blind')
    graph.wait_for_log("poses are in 'torso'", "vehicle_frame ('base_link')", 'target_frame')
    upright = rotation_from_vector(np.zeros(3))
    for _ in range(3):
        people.watch([HeadPose(upright, np.full(3, 2.0), 'L1', np.eye(4)[0], published_id='face_abcde')], 'base_link')
    assert {pair.key: pair.value for pair in people.decisions[-1].status[0].values}['state'] == 'attentive'


@pytest.mark.skipif(Detection3DArray is None, reason='needs vision_msgs: every face of an image is published with it only')
def test_behind_head_pose_with_hri_two_people_keep_their_random_names(graph):
    """The same face twice, 640 pixels apart: two ids of five random letters, the same in ~/head_poses and ~/looking_at throughout."""
    looking_at = graph.hear(DiagnosticArray, '/attention/looking_at')
    detections = graph.hear(Detection3DArray, '/head_pose/head_poses')
    graph.head_pose_node(hri=True)
    graph.add(
        AttentionNode(
            context=graph.context,
            cli_args=['--ros-args', '-r', 'head_pose:=/head_pose/head_pose', '-r', 'head_poses:=/head_pose/head_poses'],
        )
    )
    picture = np.full((720, 1280, 3), 120, np.uint8)
    for left in (200, 840):
        picture[240 : 240 + FACE.shape[0], left : left + FACE.shape[1]] = FACE
    images, infos = graph.image_publisher(), graph.image_publisher(CameraInfo, '/camera_info')
    names = []
    for k in range(8):
        infos.publish(camera_info(1280, 720, 1000.0))
        images.publish(image_message(picture, 50 + k / 8))
        graph.wait_until(
            lambda n=k: len(detections) > n and len(looking_at) > n and messages.stamp_s(looking_at[-1].header) == 50 + n / 8,
            f'image {k}',
            deadline_s=60.0,
        )
        assert {status.name for status in looking_at[-1].status} == {detection.id for detection in detections[-1].detections}
        names.append(sorted(status.name for status in looking_at[-1].status))
    assert len(names[-1]) == 2 and all(re.fullmatch('face_[a-z]{5}', name) for name in names[-1])
    assert all(found == names[-1] for found in names)
