"""Recordings made here with rosbags, replayed through the real graph."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

import rclpy
from bag_making import START_NS, Scene, info_message, pose_message, scene_recording, write_bag
from bag_making import Recording as Bag
from bag_making import image_message as recorded_image
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, TransformStamped
from rclpy.parameter import Parameter
from rclpy.time import Time
from ros_calls import stamp_ns
from ros_graph import header, noise
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import SetBool

from c2f_head_pose.recordings.bagfile import BagError
from c2f_head_pose.ros.replay.node import ReplayNode
from c2f_head_pose.ros.replay.now_stamps import NowStamps
from c2f_head_pose.ros.replay.playhead import Playhead
from c2f_head_pose.ros.replay.recording import Entry, Recording
from c2f_head_pose.types import Camera

pytestmark = pytest.mark.ros

FRAMES = 6
PICTURE = noise(48, 64)
INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
POSE_TYPE = 'geometry_msgs/msg/PoseWithCovarianceStamped'
JPEG = cv2.imencode('.jpg', PICTURE)[1].ravel()


EXPECTED_NS = [(100 + number) * 10**9 + 250 for number in range(FRAMES)]


def record(path: Path, kind: str, compressed: bool = True) -> Path:
    """Six images with camera_info and true pose; recorded 50 ms apart, stamped 1 s apart from 100.00000025 s."""
    store = get_typestore(Stores.ROS1_NOETIC if kind == 'bag' else Stores.ROS2_JAZZY)
    types = store.types
    image_type = 'sensor_msgs/msg/CompressedImage' if compressed else 'sensor_msgs/msg/Image'
    image_topic = '/camera/image' + ('/compressed' if compressed else '')
    topics = {
        image_topic: image_type,
        '/camera/camera_info': 'sensor_msgs/msg/CameraInfo',
        '/truth/head_pose': 'geometry_msgs/msg/PoseStamped',
    }
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
                *sequence, stamp=types['builtin_interfaces/msg/Time'](stamp // 10**9, stamp % 10**9), frame_id='optical'
            )
            messages = {
                image_topic: types[image_type](header, 'jpeg', JPEG)
                if compressed
                else types[image_type](header, 48, 64, 'bgr8', 0, 192, PICTURE.ravel()),
                '/camera/camera_info': types['sensor_msgs/msg/CameraInfo'](
                    header, 48, 64, 'plumb_bob', np.zeros(5), K, np.eye(3).ravel(), P, 0, 0, roi
                ),
                '/truth/head_pose': types['geometry_msgs/msg/PoseStamped'](
                    header,
                    types['geometry_msgs/msg/Pose'](
                        types['geometry_msgs/msg/Point'](0.0, 0.0, 0.75), types['geometry_msgs/msg/Quaternion'](0.5, 0.5, -0.5, 0.5)
                    ),
                ),
            }
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
def test_a_bag_is_published_completely_in_real_time_with_its_stamps(graph, tmp_path, kind):
    """Six images 50 ms apart take 250 ms."""
    images, infos, truths = (
        graph.hear(type_, topic)
        for type_, topic in ((Image, '/camera/image'), (CameraInfo, '/camera/camera_info'), (PoseStamped, '/truth/head_pose'))
    )
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


@pytest.mark.parametrize('stamped', [True, False])
def test_stamps_of_now_begin_with_the_first_image_whatever_was_recorded_before_it_and_need_no_stamps(graph, tmp_path, stamped):
    """A calibration latched ten minutes before, at the recording's first moment; four images 50 ms apart, 4 ms late, or without a stamp."""
    recording = Bag()
    recording.add('/camera_info', INFO_TYPE, START_NS, lambda store: info_message(store, Camera(64, 48, np.eye(3)), START_NS - 600 * 10**9))
    for log_ns in range(START_NS + 5_000_000, START_NS + 200_000_000, 50_000_000):
        stamp = log_ns - 4_000_000 if stamped else 0
        recording.add('/image', 'sensor_msgs/msg/Image', log_ns, lambda store, n=stamp: recorded_image(store, PICTURE, n))
    images, infos = graph.hear(Image, '/image'), graph.hear(CameraInfo, '/camera_info')
    before = graph.probe.get_clock().now().nanoseconds
    node = replay(graph, write_bag(tmp_path / 'bag', recording), stamps='now')
    graph.wait_until(lambda: node.finished and len(images) == 4 and infos, 'all messages')
    stamps = [stamp_ns(image) for image in images]
    assert before <= stamp_ns(infos[0]) == stamps[0] - 5_000_000 <= graph.probe.get_clock().now().nanoseconds
    assert np.diff(stamps).tolist() == 3 * [50_000_000]


def test_images_whose_clock_is_set_while_they_are_recorded_go_on_from_their_time_of_recording():
    """Stamped 100 and 101 s after the camera's start until its clock is set; a calibration still has the old clock then."""
    second = 10**9
    stamps, placed = NowStamps(100 * second, START_NS), []
    for stamp, log_s in ((100 * second, 0), (101 * second, 1), (START_NS + 2 * second, 2), (START_NS + 3 * second, 3)):
        stamps.take_image(stamp, START_NS + log_s * second)
        placed.append(stamps.place(stamp, START_NS + log_s * second) - START_NS)
    assert placed == [0, second, 2 * second, 3 * second]
    assert stamps.place(103 * second, START_NS + 4 * second) == START_NS + 4 * second


def test_the_stamp_of_tf_is_its_transforms_not_the_time_of_recording():
    """Simulated time of 100 s, recorded in 2023: the images are stamped 100 s too. A transform that never changes can have the stamp 0."""
    transforms = [TransformStamped(header=header(stamp_s)) for stamp_s in (0.0, 100.0)]
    entry = Entry(0.0, 1_700_000_000 * 10**9, '/tf', SimpleNamespace(transforms=transforms))
    assert entry.stamp_ns == 100 * 10**9
    assert Entry(0.0, 7, '/tf', SimpleNamespace(transforms=[])).stamp_ns == 7


def test_compressed_pictures_can_be_passed_on_as_they_are(graph, tmp_path):
    images = graph.hear(CompressedImage, '/image/compressed')
    replay(graph, record(tmp_path, 'mcap'), transport='recorded', topics='plain')
    graph.wait_until(lambda: len(images) == FRAMES, 'all images')
    assert bytes(images[0].data) == JPEG.tobytes()


def recorded_beside(pose_topic: str, tmp_path: Path) -> Path:
    """A second of images with poses on a topic."""
    recording = scene_recording(Scene(duration_s=1.0, rate_hz=5.0), truth='none')
    for _, _, log_ns, _ in recording.messages[:]:
        recording.add(pose_topic, POSE_TYPE, log_ns, lambda store, ns=log_ns: covariance_pose(store, ns))
    return write_bag(tmp_path / 'bag', recording)


def covariance_pose(store, stamp: int):
    pose = pose_message(store, np.eye(3), stamp)
    with_covariance = store.types['geometry_msgs/msg/PoseWithCovariance'](pose=pose.pose, covariance=np.zeros(36))
    return store.types[POSE_TYPE](header=pose.header, pose=with_covariance)


@pytest.mark.parametrize('topic', ['/head_pose/head_pose', '/front/head_pose/head_pose'])
def test_recorded_answers_of_a_head_pose_node_are_not_published_beside_those_of_the_running_one(tmp_path, topic):
    """Both would have the images' stamps, so whoever listens could not tell them apart."""
    recording = Recording(recorded_beside(topic, tmp_path), plain_names=True)
    assert sorted(recording.topics) == ['camera_info', 'image']
    assert recording.notes == [f'{topic} holds answers of an earlier head_pose node and is not published']


def test_other_poses_are_published_with_a_warning_where_another_node_publishes_them_too(graph, tmp_path):
    path = recorded_beside('/dms/pose', tmp_path)
    assert Recording(path).notes == []
    graph.probe.create_publisher(PoseWithCovarianceStamped, '/dms/pose', 10)
    graph.hear(Image, '/image')
    poses = graph.hear(PoseWithCovarianceStamped, '/dms/pose')
    replay(graph, path, topics='plain')
    graph.wait_for_log('another node publishes /dms/pose too')
    graph.wait_until(lambda: poses, 'a recorded pose')
    assert len([line for line in graph.log if 'another node publishes' in line]) == 1


def test_a_folder_of_pictures_is_played_in_natural_order_and_again_when_looping(graph, tmp_path):
    for number in (1, 2, 10):
        cv2.imwrite(str(tmp_path / f'{number}.png'), np.full((4, 6, 3), number, np.uint8))
    images = graph.hear(Image, '/image')
    replay(graph, tmp_path, picture_rate_hz=50.0, loop=True)
    graph.wait_until(lambda: len(images) > 6, 'the second round')
    assert [image.data[0] for image in images[:7]] == [1, 2, 10, 1, 2, 10, 1]
    assert [stamp_ns(image) for image in images[:3]] == [10**9, 10**9 + 20_000_000, 10**9 + 40_000_000]


def test_pictures_in_a_loop_are_one_period_apart_over_its_end_too_even_a_single_one(graph, tmp_path):
    """At 20 pictures a second each round of one picture takes 50 ms, of which the stamps of now tell; one line tells of them all."""
    images = graph.hear(Image, '/image')
    replay(graph, pictures(tmp_path, 1), picture_rate_hz=20.0, loop=True, stamps='now')
    graph.wait_until(lambda: len(images) > 5, 'the sixth round')
    assert min(np.diff([stamp_ns(image) for image in images])) > 49_000_000
    assert len([line for line in graph.log if 'played 1 image' in line]) == 1


def test_every_image_of_a_short_recording_in_a_loop_is_answered_in_each_round(graph, tmp_path):
    """Three pictures stamped 0.1 s apart, played one a second, so that even a busy machine answers one before the next comes."""
    results = graph.hear_results()
    node = graph.head_pose_node()
    replay(graph, pictures(tmp_path, 3), picture_rate_hz=10.0, rate=0.1, loop=True, topics='plain')
    graph.wait_until(lambda: len(results.markers) > 6, 'the third round')
    assert [stamp_ns(answer.markers[0]) for answer in results.markers[:7]] == [10**9, 11 * 10**8, 12 * 10**8] * 2 + [10**9]
    assert 'late' not in node._session.statistics.dropped


def test_a_recording_without_a_readable_image_ends_with_the_reason_when_looping(graph, tmp_path):
    """Pictures that are none take no time, so to play them again and again would fill the log and a processor."""
    for number in range(3):
        (tmp_path / f'{number}.jpg').write_bytes(b'no picture')
    node = replay(graph, tmp_path, loop=True, wait_for_subscriber_s=0.0)
    graph.wait_for_log('no image on', 'could be read')
    graph.wait_until(lambda: node.finished, 'the end', deadline_s=5.0)
    assert node.exit_status == 1


def test_the_node_answers_a_replayed_recording(graph, tmp_path):
    """At 2 Hz, so that even a busy machine answers one image before the next comes."""
    results = graph.hear_results()
    node = graph.head_pose_node()
    replay(graph, record(tmp_path, 'mcap'), topics='plain', rate=0.1)
    graph.wait_until(lambda: len(results.markers) == FRAMES, 'all answers')
    assert [stamp_ns(answer.markers[0]) for answer in results.markers] == EXPECTED_NS
    assert node._session.calibration.status.startswith('calibrated')


@pytest.mark.parametrize(
    'make, words',
    [
        (lambda path: path / 'nowhere', 'there is no recording'),
        (lambda path: path, 'holds no recording'),
        (lambda path: (path / 'x.bag').write_bytes(b'no bag') and path / 'x.bag', 'nothing in it can be read'),
    ],
)
def test_a_recording_that_cannot_be_replayed_is_refused_with_the_remedy(tmp_path, make, words):
    with pytest.raises(BagError, match=words):
        Recording(make(tmp_path))


def test_a_recording_in_an_unknown_home_folder_is_refused_with_the_remedy(graph):
    with pytest.raises(BagError, match='the home folder of ~nobody_of_this_name/bag; name the recording by a path without ~'):
        ReplayNode('~nobody_of_this_name/bag', context=graph.context)


def test_a_wrong_image_topic_is_refused_with_the_right_ones(tmp_path):
    with pytest.raises(BagError, match=r'no topic /front; it holds .*/camera/image/compressed'):
        Recording(record(tmp_path, 'mcap'), '/front')
    assert Recording(tmp_path / 'recorded', '/camera/image').image_topic == '/camera/image/compressed'


RECORDED_NS = [10**9 + number * 50_000_000 for number in range(FRAMES)]


def pictures(path: Path, count: int) -> Path:
    """Each of one colour, its number."""
    for number in range(count):
        cv2.imwrite(str(path / f'{number}.png'), np.full((4, 6, 3), number, np.uint8))
    return path


def pause(graph, paused: bool) -> str:
    answer = graph.call(SetBool, '/replay/pause', SetBool.Request(data=paused))
    assert answer.success
    return answer.message


def clock_ns(clocks) -> list[int]:
    return [Time.from_msg(clock.clock).nanoseconds for clock in clocks]


def numbers(images) -> list[int]:
    return [image.data[0] for image in images]


def test_the_clock_goes_by_the_recordings_time_whatever_the_stamps_and_nodes_follow_it(graph, tmp_path):
    """Recorded 50 ms apart from 1 s on: 0.25 s in all, at a quarter of the rate 1 s. So 100 come from the timer on an idle machine.

    18 more come before the 18 messages; to be robust, the timer need give no more than every eighth.
    """
    follower = graph.add(rclpy.create_node('follower', context=graph.context, parameter_overrides=[Parameter('use_sim_time', value=True)]))
    clocks, images = graph.hear(Clock, '/clock'), graph.hear(Image, '/camera/image')
    node = replay(graph, record(tmp_path, 'mcap'), clock=True, rate=0.25)
    graph.wait_until(lambda: node.finished and len(images) == FRAMES, 'all images')
    graph.wait_until(lambda: clock_ns(clocks)[-1] >= RECORDED_NS[-1], 'the last time')
    heard = clock_ns(clocks)
    assert RECORDED_NS[0] <= heard[0] < RECORDED_NS[1] and heard == sorted(heard)
    assert len(heard) > 30
    assert heard[-1] < RECORDED_NS[-1] + 10**9
    graph.wait_until(lambda: RECORDED_NS[0] < follower.get_clock().now().nanoseconds < RECORDED_NS[-1] + 10**9, 'the follower')


def test_without_clock_there_is_none(graph, tmp_path):
    graph.add(ReplayNode(str(pictures(tmp_path, 1)), context=graph.context))
    assert graph.probe.count_publishers('/clock') == 0


@pytest.mark.parametrize('stamps', ['recorded', 'now'])
def test_a_paused_replay_publishes_nothing_and_goes_on_where_it_was(graph, tmp_path, stamps):
    """Pictures 50 ms apart: up to position p come the first p / 50 ms + 1; after it picture k comes no earlier than k 50 ms - p.

    A schedule that did not shift would send 6 at once after a pause of 300 ms.
    """
    images, clocks = graph.hear(Image, '/image'), graph.hear(Clock, '/clock')
    replay(graph, pictures(tmp_path, 200), picture_rate_hz=20.0, clock=True, stamps=stamps)
    graph.wait_until(lambda: images and clocks, 'an image')
    answer = pause(graph, True)
    paused_s = float(answer.removeprefix('paused at ').split()[0])
    assert answer.endswith('of 9.950 s')
    graph.spin_for(0.3)
    before = len(images)
    assert before <= paused_s / 0.05 + 1.02
    assert stamps == 'now' or clock_ns(clocks)[-1] <= 10**9 + paused_s * 1e9 + 10**6
    resumed = time.monotonic()
    assert pause(graph, False).startswith('playing at ')
    graph.wait_until(lambda: len(images) >= before + 5, 'the next ones')
    after = len(images)
    assert time.monotonic() - resumed >= 0.05 * (after - 1) - paused_s - 0.002
    assert numbers(images) == list(range(after))
    assert clock_ns(clocks) == sorted(clock_ns(clocks))
    gap_s = (stamp_ns(images[-1]) - stamp_ns(images[0])) * 1e-9 - 0.05 * (after - 1)
    assert abs(gap_s) < 1e-6 if stamps == 'recorded' else gap_s >= 0.3


def test_a_replay_paused_before_it_begins_waits_with_the_first_image(graph, tmp_path):
    node = graph.add(
        ReplayNode(str(pictures(tmp_path, 2)), context=graph.context, parameter_overrides=[Parameter('wait_for_subscriber_s', value=0.0)])
    )
    images = graph.hear(Image, '/image')
    assert pause(graph, True) == 'paused, as soon as it begins'
    graph.wait_until(lambda: graph.probe.count_publishers('/image') and node._outputs['image'].get_subscription_count(), 'the subscription')
    node.start()
    graph.wait_until(lambda: node._playhead.at_s is not None, 'its beginning')
    assert node._playhead.at_s == 0.0 and not images
    pause(graph, False)
    graph.wait_until(lambda: len(images) == 2, 'both images')


def test_a_replay_that_starts_paused_begins_on_request(graph, tmp_path):
    images = graph.hear(Image, '/image')
    node = replay(graph, pictures(tmp_path, 2), start_paused=True)
    graph.wait_until(lambda: node._playhead.at_s is not None, 'its beginning')
    graph.spin_for(0.2)
    assert not images
    assert pause(graph, False) == 'playing at 0.000 s of 0.100 s'
    graph.wait_until(lambda: len(images) == 2, 'both images')


def test_a_pause_shifts_the_schedule_by_its_length():
    """At half the rate: 2 s after it began at 1 s it is at 2 s, after a pause of 100 s still, and 4 s later at 4 s."""
    now_s, calls = [50.0], []
    playhead = Playhead(0.5, lambda: now_s[0])
    playhead.while_playing(lambda: calls.append('too early'))
    assert playhead.at_s is None
    playhead.begin(1.0)
    now_s[0] = 52.0
    assert playhead.at_s == 2.0 and playhead.reach(2.0, lambda: calls.append('reached'))
    playhead.pause(True)
    now_s[0] = 102.0
    playhead.pause(True)
    now_s[0] = 152.0
    playhead.while_playing(lambda: calls.append('paused'))
    assert playhead.at_s == 2.0
    playhead.pause(False)
    playhead.pause(False)
    assert (playhead.at_s, playhead.paused_s) == (2.0, 100.0)
    now_s[0] = 156.0
    assert playhead.at_s == 4.0 and playhead.reach(4.0, lambda: calls.append('reached'))
    playhead.stop()
    assert not playhead.reach(4.0, lambda: calls.append('stopped'))
    assert calls == ['reached', 'reached']


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3', 'bag'])
def test_a_bag_is_read_from_an_offset_on(tmp_path, kind):
    """Three messages at 0, 50, ... 250 ms."""
    recording = Recording(record(tmp_path, kind))
    entries = list(recording.entries(0.12))
    assert [entry.time_ns for entry in entries[::3]] == RECORDED_NS[3:] and len(entries) == 9
    assert [stamp_ns(entry.message) for entry in entries[::3]] == EXPECTED_NS[3:]
    assert entries[0].at_s == pytest.approx(0.15)
    assert len(list(recording.entries(0.05))) == 15 and len(list(recording.entries())) == 18
    assert recording.length_s == pytest.approx(0.25)


def calibrated_at(tmp_path: Path, kind: str, *at_s: float) -> Path:
    """Two seconds of images, 0.2 s apart, with camera_info of another focal length (100, 200, ...) at each of these times."""
    recording = scene_recording(Scene(duration_s=2.0, rate_hz=5.0), truth='none')
    recording.messages = [message for message in recording.messages if not message[1].endswith('CameraInfo')]
    for number, seconds in enumerate(at_s, 1):
        ns, camera = START_NS + round(seconds * 1e9), Camera(640, 480, np.diag([100.0 * number, 100.0 * number, 1.0]))
        recording.add('/camera/camera_info', INFO_TYPE, ns, lambda store, ns=ns, camera=camera: info_message(store, camera, ns))
    return write_bag(tmp_path / 'calibrated', recording, kind)


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3', 'rosbag1'])
def test_a_calibration_that_was_latched_before_an_offset_comes_first(tmp_path, kind):
    """Images at 0, 0.2, ... 1.8 s: seven of them from 0.5 s on, with the newer of the two calibrations, which are never sent again."""
    entries = list(Recording(calibrated_at(tmp_path, kind, 0.0, 0.1), plain_names=True).entries(0.5))
    assert [entry.topic for entry in entries] == ['camera_info'] + 7 * ['image']
    assert entries[0].message.k[0] == 200.0
    assert (entries[0].at_s, entries[0].time_ns, entries[0].stamp_ns) == (entries[1].at_s, entries[1].time_ns, entries[1].stamp_ns)
    assert [stamp_ns(entry.message) for entry in entries[1:]] == [START_NS + k * 200_000_000 for k in range(3, 10)]


@pytest.mark.parametrize(('next_s', 'focals'), [(0.9, [200.0]), (1.7, [100.0, 200.0])])
def test_a_calibration_before_an_offset_is_left_out_where_the_next_one_comes_within_a_second(tmp_path, next_s, focals):
    entries = Recording(calibrated_at(tmp_path, 'mcap', 0.0, next_s), plain_names=True).entries(0.5)
    assert [entry.message.k[0] for entry in entries if entry.topic == 'camera_info'] == focals


def test_a_latched_calibration_is_published_after_an_offset_in_each_round(graph, tmp_path):
    infos, images = graph.hear(CameraInfo, '/camera_info'), graph.hear(Image, '/image')
    replay(graph, calibrated_at(tmp_path, 'mcap', 0.0), topics='plain', start_offset_s=1.7, loop=True, stamps='now')
    graph.wait_until(lambda: len(images) > 2 and len(infos) > 2, 'three rounds')
    assert stamp_ns(infos[0]) == stamp_ns(images[0])


def test_an_offset_skips_what_is_before_it_and_loop_and_clock_go_back_to_it(graph, tmp_path):
    """Picture 2 is due at 20 ms, stamped 1.02 s; so is the clock."""
    images, clocks = graph.hear(Image, '/image'), graph.hear(Clock, '/clock')
    replay(graph, pictures(tmp_path, 4), picture_rate_hz=100.0, start_offset_s=0.02, loop=True, clock=True)
    graph.wait_until(lambda: len(images) > 4, 'the third round')
    assert numbers(images)[:5] == [2, 3, 2, 3, 2]
    assert stamp_ns(images[0]) == 1_020_000_000 <= min(clock_ns(clocks))
    graph.wait_until(lambda: clock_ns(clocks) != sorted(clock_ns(clocks)), 'the clock to go back')


@pytest.mark.parametrize(
    'offset_s, words',
    [
        (-1.0, r'start_offset_s cannot be -1\.0: use a number, 0 to'),
        (float('nan'), 'cannot be nan: use a number, 0 to'),
        (0.26, r'start_offset_s cannot be 0\.26: .*recorded is 0\.25 s long'),
        (float('inf'), r'cannot be inf: .*0\.25 s long'),
    ],
)
def test_an_offset_that_is_not_in_the_recording_is_refused_with_its_length(graph, tmp_path, offset_s, words):
    with pytest.raises(ValueError, match=words):
        replay(graph, record(tmp_path, 'mcap'), start_offset_s=offset_s)


def test_a_whole_number_is_taken_for_a_parameter_that_is_a_number(graph, tmp_path):
    """As `-p rate:=2` gives it. Pictures 1, 2 and 3 are recorded 1 s apart, which takes 1 s at twice the rate."""
    images = graph.hear(Image, '/image')
    node = replay(graph, pictures(tmp_path, 4), rate=2, picture_rate_hz=1, start_offset_s=1, wait_for_subscriber_s=5)
    graph.wait_until(lambda: node.finished and len(images) == 3, 'the images')
    assert numbers(images) == [1, 2, 3] and node.get_parameter('rate').value == 2
    assert 0.9 < float(graph.wait_for_log('played 3 images').split(' in ')[1].split()[0]) < 1.5


@pytest.mark.parametrize(
    'name, value, words',
    [
        ('rate', 0.0, r'rate cannot be 0\.0: use a number, 0\.01 to 1000'),
        ('rate', 'fast', "rate cannot be 'fast'"),
        ('wait_for_subscriber_s', -1.0, 'use a number, 0 to'),
        ('topics', 'short', 'use recorded or plain'),
        ('loop', 1, 'use true or false'),
        ('image_topic', 7, 'use a string'),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_it_may_be(graph, tmp_path, name, value, words):
    with pytest.raises(ValueError, match=words):
        replay(graph, pictures(tmp_path, 1), **{name: value})


def test_a_misspelt_parameter_is_warned_of(graph, tmp_path):
    replay(graph, pictures(tmp_path, 1), start_ofset_s=0.0)
    graph.wait_for_log('start_ofset_s is not known', 'did you mean start_offset_s?')


def start_process(*arguments) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, '-m', 'c2f_head_pose.ros.replay_node', *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        env=os.environ,
        stderr=subprocess.PIPE,
        text=True,
    )


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
