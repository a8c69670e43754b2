"""Recordings made here with rosbags, replayed through the real graph."""
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from geometry_msgs.msg import PoseStamped
from rclpy.parameter import Parameter
from ros_graph import noise
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from c2f_head_pose.ros.recording import RecordingError, open_recording
from c2f_head_pose.ros.replay_node import ReplayNode

pytestmark = pytest.mark.ros

FRAMES = 6
PICTURE = noise(48, 64)
JPEG = cv2.imencode('.jpg', PICTURE)[1].ravel()


def stamp_ns(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


EXPECTED_NS = [(100 + number) * 10**9 + 250 for number in range(FRAMES)]


def record(path: Path, kind: str, compressed: bool = True) -> Path:
    """Six images with camera_info and true pose; recorded 50 ms apart, stamped 1 s apart from 100.00000025 s."""
    store = get_typestore(Stores.ROS1_NOETIC if kind == 'bag' else Stores.ROS2_JAZZY)
    types = store.types
    image_type = 'sensor_msgs/msg/CompressedImage' if compressed else 'sensor_msgs/msg/Image'
    image_topic = '/camera/image' + ('/compressed' if compressed else '')
    topics = {image_topic: image_type, '/camera/camera_info': 'sensor_msgs/msg/CameraInfo',
              '/truth/head_pose': 'geometry_msgs/msg/PoseStamped'}
    if kind == 'bag':
        path = path / 'recorded.bag'
        writer = Writer1(path)
    else:
        path = path / 'recorded'
        writer = Writer2(path, version=9, storage_plugin=StoragePlugin.MCAP if kind == 'mcap' else StoragePlugin.SQLITE3)
    roi = types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
    K, P = np.array([500.0, 0, 32, 0, 500, 24, 0, 0, 1]), np.array([500.0, 0, 32, 0, 0, 500, 24, 0, 0, 0, 1, 0])
    with writer:
        connections = {topic: writer.add_connection(topic, type_, typestore=store) for topic, type_ in topics.items()}
        for number, stamp in enumerate(EXPECTED_NS):
            sequence = [number] if kind == 'bag' else []
            header = types['std_msgs/msg/Header'](
                *sequence, stamp=types['builtin_interfaces/msg/Time'](stamp // 10**9, stamp % 10**9), frame_id='optical')
            messages = {
                image_topic: types[image_type](header, 'jpeg', JPEG) if compressed else types[image_type](
                    header, 48, 64, 'bgr8', 0, 192, PICTURE.ravel()),
                '/camera/camera_info': types['sensor_msgs/msg/CameraInfo'](
                    header, 48, 64, 'plumb_bob', np.zeros(5), K, np.eye(3).ravel(), P, 0, 0, roi),
                '/truth/head_pose': types['geometry_msgs/msg/PoseStamped'](header, types['geometry_msgs/msg/Pose'](
                    types['geometry_msgs/msg/Point'](0.0, 0.0, 0.75), types['geometry_msgs/msg/Quaternion'](0.5, 0.5, -0.5, 0.5)))}
            for topic, message in messages.items():
                raw = store.serialize_ros1(message, topics[topic]) if kind == 'bag' else store.serialize_cdr(message, topics[topic])
                writer.write(connections[topic], 10**9 + number * 50_000_000, raw)
    return path


def replay(graph, path, **parameters) -> ReplayNode:
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = graph.add(ReplayNode(str(path), context=graph.context, parameter_overrides=overrides))
    node.start()
    return node


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3', 'bag'])
def test_a_bag_comes_out_whole_in_real_time_with_its_stamps(graph, tmp_path, kind):
    """Six images 50 ms apart take 250 ms."""
    images, infos, truths = (graph.hear(type_, topic) for type_, topic in (
        (Image, '/camera/image'), (CameraInfo, '/camera/camera_info'), (PoseStamped, '/truth/head_pose')))
    node = replay(graph, record(tmp_path, kind))
    graph.wait_until(lambda: node.finished and len(images) == len(infos) == len(truths) == FRAMES, 'all messages')
    assert [stamp_ns(image) for image in images] == [stamp_ns(info) for info in infos] == [stamp_ns(pose) for pose in truths] == EXPECTED_NS
    assert (images[0].encoding, images[0].width, images[0].height, images[0].header.frame_id) == ('bgr8', 64, 48, 'optical')
    np.testing.assert_array_equal(np.reshape(images[0].data, (48, 64, 3)), cv2.imdecode(JPEG, cv2.IMREAD_COLOR))
    assert list(infos[0].k[:3]) == [500.0, 0.0, 32.0] and list(infos[0].p[3:6]) == [0.0, 0.0, 500.0]
    assert infos[0].distortion_model == 'plumb_bob'
    assert (truths[0].pose.position.z, truths[0].pose.orientation.z) == (0.75, -0.5)
    seconds = float(graph.wait_for_log('played 6 images').split(' in ')[1].split()[0])
    assert 0.2 <= seconds < 2
    assert node.exit_status == 0


def test_stamps_of_now_keep_their_distances(graph, tmp_path):
    images, infos = graph.hear(Image, '/image'), graph.hear(CameraInfo, '/camera_info')
    before = graph.probe.get_clock().now().nanoseconds
    node = replay(graph, record(tmp_path, 'mcap', compressed=False), stamps='now', topics='plain', rate=2.0)
    graph.wait_until(lambda: node.finished and len(images) == len(infos) == FRAMES, 'all messages')
    stamps = [stamp_ns(image) for image in images]
    assert before <= stamps[0] <= graph.probe.get_clock().now().nanoseconds
    assert np.diff(stamps).tolist() == (FRAMES - 1) * [500_000_000]
    assert stamps == [stamp_ns(info) for info in infos]


def test_compressed_pictures_can_be_passed_on_as_they_are(graph, tmp_path):
    images = graph.hear(CompressedImage, '/image/compressed')
    replay(graph, record(tmp_path, 'mcap'), transport='recorded', topics='plain')
    graph.wait_until(lambda: len(images) == FRAMES, 'all images')
    assert bytes(images[0].data) == JPEG.tobytes()


def test_a_folder_of_pictures_is_played_in_natural_order_and_again_when_looping(graph, tmp_path):
    for number in (1, 2, 10):
        cv2.imwrite(str(tmp_path / f'{number}.png'), np.full((4, 6, 3), number, np.uint8))
    images = graph.hear(Image, '/image')
    replay(graph, tmp_path, picture_rate_hz=50.0, loop=True)
    graph.wait_until(lambda: len(images) > 6, 'the second round')
    assert [image.data[0] for image in images[:7]] == [1, 2, 10, 1, 2, 10, 1]
    assert [stamp_ns(image) for image in images[:3]] == [10**9, 10**9 + 20_000_000, 10**9 + 40_000_000]


def test_the_node_answers_a_replayed_recording(graph, tmp_path):
    """At 2 Hz, so that even a busy machine answers one image before the next comes."""
    results = graph.hear_results()
    node = graph.head_pose_node()
    replay(graph, record(tmp_path, 'mcap'), topics='plain', rate=0.1)
    graph.wait_until(lambda: len(results.markers) == FRAMES, 'all answers')
    assert [stamp_ns(answer.markers[0]) for answer in results.markers] == EXPECTED_NS
    assert node._calibration.status.startswith('calibrated')


@pytest.mark.parametrize('make, words', [
    (lambda path: path / 'nowhere', 'there is no recording'),
    (lambda path: path, 'holds no pictures'),
    (lambda path: (path / 'x.bag').write_bytes(b'no bag') and path / 'x.bag', 'is no bag that can be read')])
def test_what_cannot_be_replayed_is_refused_with_the_remedy(tmp_path, make, words):
    with pytest.raises(RecordingError, match=words):
        open_recording(make(tmp_path))


def test_a_wrong_image_topic_is_refused_with_the_right_ones(tmp_path):
    with pytest.raises(RecordingError, match=r"no image topic '/front'; it has /camera/image/compressed"):
        open_recording(record(tmp_path, 'mcap'), '/front')
    assert open_recording(tmp_path / 'recorded', '/camera/image').image_topic == '/camera/image/compressed'


RECORDED_NS = [10**9 + number * 50_000_000 for number in range(FRAMES)]


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3', 'bag'])
def test_a_bag_is_read_from_an_offset_on(tmp_path, kind):
    """Three messages at 0, 50, ... 250 ms."""
    recording = open_recording(record(tmp_path, kind))
    entries = list(recording.entries(0.12))
    assert [entry.time_ns for entry in entries[::3]] == RECORDED_NS[3:] and len(entries) == 9
    assert [stamp_ns(entry.message) for entry in entries[::3]] == EXPECTED_NS[3:]
    assert entries[0].at_s == pytest.approx(0.15)
    assert len(list(recording.entries(0.05))) == 15 and len(list(recording.entries())) == 18
    assert recording.length_s == pytest.approx(0.25)


def start_process(*arguments) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, '-m', 'c2f_head_pose.ros.replay_node', *map(str, arguments)], cwd=Path(__file__).parents[1],
                            env=os.environ, stderr=subprocess.PIPE, text=True)


def test_the_process_ends_with_0_at_the_end_and_with_1_and_the_reason_for_a_missing_bag(graph, tmp_path):
    images = graph.hear(Image, '/camera/image')
    child = start_process(record(tmp_path, 'mcap'))
    graph.wait_until(lambda: child.poll() is not None, 'the end')
    graph.wait_until(lambda: len(images) == FRAMES, 'all images')
    assert child.returncode == 0, child.communicate()[1]
    child = start_process(tmp_path / 'nowhere')
    _, errors = child.communicate(timeout=20)
    assert child.returncode == 1 and 'error: there is no recording' in errors and 'Traceback' not in errors


def test_the_process_ends_at_once_on_sigint(graph, tmp_path):
    images = graph.hear(Image, '/camera/image')
    child = start_process(record(tmp_path, 'mcap'), '--ros-args', '-p', 'loop:=true')
    graph.wait_until(lambda: images, 'an image')
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=10)
    assert child.returncode == 0 and 'Traceback' not in errors
