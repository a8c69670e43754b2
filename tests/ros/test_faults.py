"""Faults on the real graph: each is told to the user, and the node goes on. Those tested elsewhere: docs/faults_and_fuzz.md."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from array import array
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from builtin_interfaces.msg import Time
from lifecycle_msgs.msg import Transition
from ros_calls import change, depth_message, set_atomically, values
from ros_graph import compressed_message, image_message, noise
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage

import sample
from c2f_head_pose.images import ENCODINGS
from c2f_head_pose.models import fetch
from c2f_head_pose.models.registry import detector_path, fetched_folder

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[2]
SMALL = noise(48, 64)
CAMERA = """
import sys, time
from array import array
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
rclpy.init()
publisher = rclpy.create_node('camera').create_publisher(Image, '/image', qos_profile_sensor_data)
message = Image(height=48, width=64, encoding='mono8', step=64, data=array('B', bytes(64 * 48)))
message.header.stamp.sec = int(sys.argv[1])
while True:
    message.header.stamp.nanosec += 1_000_000
    publisher.publish(message)
    time.sleep(0.05)
"""
HANGING_NODE = """
import sys, time
from c2f_head_pose.estimator import HeadPoseEstimator
from c2f_head_pose.ros.node import main
HeadPoseEstimator.estimate = lambda *_, **__: time.sleep(1000)
sys.exit(main())
"""
SLOW_SUBSCRIBER = """
import rclpy
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray
rclpy.init()
node = rclpy.create_node('slow')
node.create_subscription(Image, '/head_pose/image_annotated', lambda _: None, 1)
node.create_subscription(MarkerArray, '/head_pose/markers', lambda _: None, 1)
rclpy.spin(node)
"""


@pytest.fixture
def processes():
    """Starts processes that end with the test."""
    with ExitStack() as stack:

        def start(*command):
            process = subprocess.Popen([*map(str, command)], cwd=ROOT, env=os.environ, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield start


def stamps(results) -> list[float]:
    return [answer.markers[0].header.stamp.sec + answer.markers[0].header.stamp.nanosec * 1e-9 for answer in results.markers]


def answered_or_late(node) -> int:
    return node._session.statistics.answered + node._session.statistics.dropped.get('late', 0)


def ask(graph, results, publisher, message) -> None:
    """Publishes one image and waits for its answer."""
    before = len(results.markers)
    publisher.publish(message)
    graph.wait_until(lambda: len(results.markers) > before, f'the answer to the image of {message.header.stamp}')


def test_a_camera_whose_process_is_killed_is_missed_and_its_successor_answered(graph, processes):
    """Killed without a word, its publisher stays in the graph for a while: that it is silent must be enough."""
    results = graph.hear_results()
    graph.head_pose_node(silence_timeout_s=1.0)
    camera = processes(sys.executable, '-c', CAMERA, 100)
    graph.wait_until(lambda: results.markers, 'an answer')
    camera.kill()
    graph.wait_for_log('no image for', '/image')
    graph.wait_for_state('images have stopped')
    processes(sys.executable, '-c', CAMERA, 200)
    graph.wait_until(lambda: stamps(results)[-1] > 200, 'an answer to the second camera')
    graph.wait_for_log('images arrive on /image')
    graph.wait_for_state('no face')


def test_stamps_that_jump_forward_and_back_again_are_reported_and_every_image_answered(graph):
    """From 50.5 to 4000 is 3949.5 s, less the moment that it took."""
    results = graph.hear_results()
    graph.head_pose_node()
    publisher = graph.image_publisher()
    sent = [50.0, 50.5, 4000.0, 4000.5, 51.0, 51.5]
    for stamp in sent:
        ask(graph, results, publisher, image_message(SMALL, stamp))
    assert stamps(results) == sent
    graph.wait_for_log('stamps jumped forward by 3949.', 'restart')
    graph.wait_for_log('stamps went back by 3949.500 s')


def test_an_image_that_is_delivered_after_its_successor_is_left_out_and_costs_nobody_their_id(graph):
    """The sixth image of the sample's one head comes after the seventh, as over a network or from a decoder of several threads."""
    node = graph.head_pose_node()
    publish, answered = node._parts.outputs.publish, []

    def heard(answer, tf):
        publish(answer, tf)
        answered.append((answer.frame.header.stamp.nanosec, [pose.track_id for pose in answer.poses]))

    node._parts.outputs.publish = heard
    images = graph.image_publisher()
    messages = [image_message(frame.image, frame.stamp_s) for frame in sample.frames()[:9]]
    for count, number in enumerate((0, 1, 2, 3, 4, 6, 5, 7, 8), 1):
        images.publish(messages[number])
        graph.wait_until(lambda n=count: answered_or_late(node) == n, 'an answer')
    assert answered == [(messages[number].header.stamp.nanosec, [1]) for number in (0, 1, 2, 3, 4, 6, 7, 8)]
    graph.wait_for_log('an image on /image came after one', 'is left out', 'two publishers')
    assert not any('went back' in line for line in graph.log)


def test_a_clock_that_is_set_back_by_half_a_second_costs_three_images(graph):
    results = graph.hear_results()
    node = graph.head_pose_node()
    publisher = graph.image_publisher()
    for count, stamp in enumerate((50.0, 49.5, 49.53125, 49.5625, 49.59375, 49.625), 1):
        publisher.publish(image_message(SMALL, stamp))
        graph.wait_until(lambda n=count: answered_or_late(node) == n, 'an answer')
    graph.wait_until(lambda: len(results.markers) == 3, 'the answers')
    assert stamps(results) == [50.0, 49.59375, 49.625]
    graph.wait_for_log('stamps went back by 0.406 s', 'restart')


def test_images_whose_stamps_stand_still_are_answered_singly_which_is_reported_and_followed_again_once_they_move(graph):
    """Eight images of the sample's one head, 0.2 s apart: the first five stamped as the first, the others with their own stamps.

    Under one stamp, smoothing would keep the first pose: each that is answered by itself is the image's own.
    """
    graph.hear_results()
    node = graph.head_pose_node()
    publish, answered = node._parts.outputs.publish, []

    def heard(answer, tf):
        publish(answer, tf)
        answered.append([(pose.track_id, bool((pose.R_cam_head == pose.R_cam_head_unsmoothed).all())) for pose in answer.poses])

    node._parts.outputs.publish = heard
    images = graph.image_publisher()
    frames = sample.frames()[:48:6]
    for number, frame in enumerate(frames):
        images.publish(image_message(frame.image, frames[0].stamp_s if number < 5 else frame.stamp_s))
        graph.wait_until(lambda n=number: len(answered) > n, 'an answer')
        if number == 4:
            graph.wait_for_log('stamps stand still', 'header.stamp')
            graph.wait_for_state('degraded: stamps stand still')
    assert [id for ((id, _),) in answered] == [1, 1, None, None, None, None, None, 1]
    assert [raw for ((_, raw),) in answered[2:7]] == 5 * [True]


def test_resolution_and_encoding_that_change_in_the_stream_are_answered_and_the_resolution_is_reported(graph):
    results = graph.hear_results()
    graph.head_pose_node()
    publisher = graph.image_publisher()
    changes = [
        (noise(), 'bgr8'),
        (noise(), 'rgb8'),
        (noise()[..., 0], 'mono8'),
        (noise(240, 320), 'bgr8'),
        (noise(240, 320)[..., :2], 'yuv422'),
        (noise(3, 5), 'bgr8'),
        (noise(1080, 1920)[..., 0], 'mono8'),
        (noise(), 'bgr8'),
    ]
    for number, (pixels, encoding) in enumerate(changes):
        ask(graph, results, publisher, image_message(np.ascontiguousarray(pixels), 1.0 + number, encoding))
    assert stamps(results) == [1.0 + number for number in range(len(changes))]
    graph.wait_for_log('the resolution changed from 640x480 to 320x240', 'restart')
    graph.wait_for_state('no face')


def test_frames_of_garbage_are_answered_in_every_encoding(graph):
    """Random bytes are an image in which nobody is."""
    results = graph.hear_results()
    graph.head_pose_node()
    publisher = graph.image_publisher()
    garbage = array('B', np.random.default_rng(3).integers(0, 256, 512 * 72, np.uint8).tobytes())
    for number, encoding in enumerate(ENCODINGS):
        ask(graph, results, publisher, image_message(SMALL, 1.0 + number, encoding, step=512, data=garbage))
    assert stamps(results) == [1.0 + number for number in range(len(ENCODINGS))]
    status = graph.wait_for_state('no face')
    assert not [name for name in values(status) if name.startswith('dropped')]


def test_truncated_jpegs_between_good_ones_cost_only_themselves(graph):
    """Cut at every tenth of its length; the good one after each is answered."""
    results = graph.hear_results()
    node = graph.head_pose_node(image_transport='compressed')
    publisher = graph.image_publisher(CompressedImage, '/image/compressed')
    whole = cv2.imencode('.jpg', noise(240, 320))[1].tobytes()
    for tenth in range(1, 10):
        publisher.publish(compressed_message(whole[: len(whole) * tenth // 10], 100.0 + tenth))
        graph.wait_until(lambda n=tenth: node._session.statistics.dropped.get('bad image') == n, f'the count of {tenth}')
        ask(graph, results, publisher, compressed_message(whole, 200.0 + tenth))
    assert stamps(results) == [200.0 + tenth for tenth in range(1, 10)]
    graph.wait_for_log('image on /image/compressed skipped', 'cut off', 'lost packets')
    graph.wait_until(lambda: values(graph.wait_for_state('no face')).get('dropped: bad image') == '9', 'the count in the diagnostics')


def test_depth_half_a_second_out_of_step_is_reported_and_answered_without_until_it_is_in_step(graph):
    results = graph.hear_results()
    node = graph.head_pose_node(modality='rgbd', silence_timeout_s=4.5)
    depths, images = graph.image_publisher(topic='/depth/image'), graph.image_publisher()

    def pair(stamp_s, depth_late_s):
        depths.publish(depth_message(np.full((48, 64), 800), stamp_s + depth_late_s))
        kept = node._session.depth._kept
        graph.wait_until(lambda: kept and kept.newest.stamp_s == stamp_s + depth_late_s, 'the depth')
        ask(graph, results, images, image_message(SMALL, stamp_s))

    for number in range(12):
        pair(1.0 + number / 32, 0.5)
    graph.spin_for(0.5)  # the depth of an image might come as late
    pair(1.0 + 12 / 32, 0.5)
    graph.wait_for_log('depth on /depth/image is not stamped like the images', 'depth_tolerance_s', 'from the image alone')
    graph.wait_for_state('degraded: depth on /depth/image')
    for number in range(3):
        pair(10.0 + number / 32, 0.0)
    graph.wait_for_log('depth on /depth/image is good again')
    assert len(results.markers) == 16


def test_a_starved_node_answers_the_newest_images_and_reports_that_it_is_too_slow(graph, processes):
    """More and more processes that only count share the node's core, two a second, since how many it takes depends on the machine.

    When they end, it keeps up again within the ten seconds it looks back on.
    """
    results = graph.hear_results()
    core = max(os.sched_getaffinity(0))
    node = processes(sys.executable, '-c', f'import os; os.sched_setaffinity(0, [{core}]); from c2f_head_pose.ros.node import main; main()')
    publisher = graph.image_publisher()
    image, sent = image_message(noise()), [0.0]

    def stream(condition, what):
        def held():
            if time.monotonic() - sent[-1] > 1 / 30:
                now = time.time()
                image.header.stamp = Time(sec=int(now), nanosec=int(now % 1 * 1e9))
                publisher.publish(image)
                sent.append(time.monotonic())
            return condition()

        graph.wait_until(held, what, 60)

    def message():
        return results.diagnostics[-1].status[0].message if results.diagnostics else ''

    stream(lambda: len(results.markers) > 5, 'answers')
    hogs, began = [], time.monotonic()

    def said_too_slow():
        while len(hogs) < min(8 + 2 * (time.monotonic() - began), 60):
            hogs.append(processes(sys.executable, '-c', f'import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass'))
        return ('overtaken by newer ones' in message() or 'sent and never came' in message()) and 'free a core' in message()

    stream(said_too_slow, 'the node to say that it is too slow')
    said = values(results.diagnostics[-1].status[0])
    assert sum(int(said.get(f'dropped: {cause}', 0)) for cause in ('newer image', 'not delivered')) > 0
    before = len(results.markers)
    stream(lambda: len(results.markers) >= before + 3, 'answers all the same')
    assert time.time() - stamps(results)[-1] < 5, 'no queue grows: the newest image is answered'
    for hog in hogs:
        hog.kill()
    stream(lambda: message() in ('no face', 'ok'), 'the node to keep up again')
    assert node.poll() is None


def test_a_network_that_hangs_is_a_failure_and_no_old_number_of_faces_is_stated(graph):
    """It hangs from the second image on; the camera goes on at 8 Hz, so that it is not its silence that is reported."""
    results = graph.hear_results()
    node = graph.head_pose_node(silence_timeout_s=1.0)
    estimate, asked, released = node._parts.estimator.estimate, [], threading.Event()

    def hanging(*given, **named):
        asked.append(None)
        assert len(asked) == 1 or released.wait(60)
        return estimate(*given, **named)

    node._parts.estimator.estimate = hanging
    publisher, stamp = graph.image_publisher(), iter(range(1, 10**6))

    def status_is(words):
        publisher.publish(image_message(SMALL, next(stamp) / 8))
        graph.spin_for(0.125)
        status = results.diagnostics[-1].status[0] if results.diagnostics else None
        return values(status) if status is not None and words in status.message else None

    try:
        said = graph.wait_until(lambda: status_is('model failed: one image has been in the network for'), 'the state')
        assert said['state'] == 'model_failed' and said['answered'] == '1' and 'faces' not in said
        graph.wait_for_log('one image has been in the network for', 'device:=cpu')
    finally:
        released.set()
    assert graph.wait_until(lambda: status_is('no face'), 'the recovery')['faces'] == '0'


def test_a_process_ends_although_its_network_hangs(graph, processes):
    results = graph.hear_results()
    node = processes(sys.executable, '-c', HANGING_NODE)
    publisher = graph.image_publisher()

    def failed():
        publisher.publish(image_message(SMALL))
        return any('model failed' in message.status[0].message for message in results.diagnostics)

    graph.wait_until(failed, 'the state')
    node.send_signal(signal.SIGTERM)
    assert node.wait(20) == 0


def test_a_damaged_face_detector_is_refused_with_a_remedy_that_works(graph, tmp_path, monkeypatch):
    good = detector_path()
    monkeypatch.setenv('C2F_HEAD_POSE_MODELS', str(tmp_path))
    assert fetched_folder() == tmp_path
    (tmp_path / good.name).write_bytes(good.read_bytes()[:50_000])
    graph.hear_results()
    graph.head_pose_node()
    graph.wait_for_log('not configured: the face detector', good.name, 'is damaged; fetch it again', 'fetch_models')
    graph.wait_for_state('could not be configured: the face detector')
    monkeypatch.setattr(fetch, '_official_bytes', lambda *_: b'')  # the download, and what it gives
    monkeypatch.setattr(fetch, 'with_free_image_size', lambda _: good.read_bytes())
    assert fetch.main([]) == 0
    assert change(graph, Transition.TRANSITION_CONFIGURE) and change(graph, Transition.TRANSITION_ACTIVATE)


@pytest.mark.skipif(importlib.util.find_spec('tensorrt_rtx') is None, reason='the GPU-less builder is not installed')
def test_a_builder_killed_in_the_middle_costs_no_image_and_is_reported(graph, monkeypatch):
    """The real builder in its own process; only the GPU, which would run what it builds, is not there."""
    psutil = pytest.importorskip('psutil')
    from c2f_head_pose import estimator
    from c2f_head_pose.engine import open_engine
    from c2f_head_pose.engine.provision import build_in_process
    from c2f_head_pose.engine.switch import SwitchingEngine

    def prepare(say):
        build_in_process(['c2f_edge', '--compute-capability', 'SM86', 'SM89', 'SM120'], say)
        raise AssertionError('it was to be killed before')

    monkeypatch.setattr(estimator, 'open_engine', lambda *_: SwitchingEngine(open_engine('c2f_edge', 'cpu'), prepare))
    results = graph.hear_results()
    graph.head_pose_node()
    publisher = graph.image_publisher()

    def builders():
        return [child for child in psutil.Process().children() if 'c2f_head_pose.engine.build' in child.cmdline()]

    builder = graph.wait_until(builders, 'the builder')[0]
    ask(graph, results, publisher, image_message(SMALL, 1.0))
    graph.wait_until(lambda: 'until the engine for cuda is ready' in values(graph.wait_for_state('no face'))['device'], 'the progress')
    builder.kill()
    graph.wait_until(
        lambda: 'because cuda failed: the builder exited with status -9' in values(graph.wait_for_state('no face'))['device'],
        'the reason in the diagnostics',
    )
    ask(graph, results, publisher, image_message(SMALL, 2.0))
    assert stamps(results) == [1.0, 2.0] and not builders()


def test_two_nodes_of_one_name_report_it_and_both_answer(graph):
    results = graph.hear_results()
    for _ in range(2):
        graph.head_pose_node()
    publisher = graph.image_publisher()
    graph.wait_until(lambda: publisher.get_subscription_count() == 2, 'both subscriptions')
    publisher.publish(image_message(SMALL, 3.0))
    graph.wait_until(lambda: len(results.markers) == 2, 'both answers')
    assert stamps(results) == [3.0, 3.0]
    graph.wait_for_log('another node is also called /head_pose', '__node:=')


def test_a_clock_that_stops_is_reported_and_images_are_answered_under_their_own_stamps(graph):
    results = graph.hear_results()
    node = graph.head_pose_node(use_sim_time=True, silence_timeout_s=0.5)
    clock = graph.probe.create_publisher(Clock, '/clock', 10)
    publisher = graph.image_publisher()

    def at(seconds):
        return lambda: (clock.publish(Clock(clock=Time(sec=seconds))), node.get_clock().now().nanoseconds == seconds * 10**9)[1]

    graph.wait_until(at(100), 'the clock')
    number = 0
    while not any('stands still' in line for line in graph.log):
        assert number < 200
        ask(graph, results, publisher, image_message(SMALL, 100 + number / 32))
        number += 1
        graph.spin_for(0.03)
    graph.wait_for_log('/clock stands still at 100.000 s while images arrive', 'use_sim_time')
    assert stamps(results) == [100 + n / 32 for n in range(number)]
    graph.wait_until(at(101), 'the clock')
    graph.wait_for_log('/clock moves again')


def test_fifty_faces_are_all_answered_and_the_limit_is_reported_where_there_is_one(graph):
    """Ten by five copies of one face, 128 pixels each."""
    results = graph.hear_results()
    graph.head_pose_node(max_faces=100)
    publisher = graph.image_publisher()
    face = cv2.resize(cv2.imread(str(ROOT / 'tests' / 'data' / 'face.jpg')), (100, 100))
    crowd = np.tile(cv2.copyMakeBorder(face, 14, 14, 14, 14, cv2.BORDER_CONSTANT, value=(90, 90, 90)), (5, 10, 1))
    ask(graph, results, publisher, image_message(np.ascontiguousarray(crowd), 1.0))
    graph.wait_until(lambda: values(graph.wait_for_state('ok'))['faces'] == '50', 'fifty faces')
    assert set_atomically(graph, max_faces=10).successful
    ask(graph, results, publisher, image_message(np.ascontiguousarray(crowd), 1.5))
    graph.wait_until(lambda: values(graph.wait_for_state('ok'))['faces'] == '10', 'ten faces')
    graph.wait_for_log('10 faces, as many as max_faces allows')


def test_a_subscriber_that_stands_still_delays_nothing(graph, processes):
    """Stopped by the system while reliable messages and pictures of 0.9 MB are owed to it: sixty images, and a deactivation."""
    results = graph.hear_results()
    node = graph.head_pose_node()
    publisher = graph.image_publisher()
    slow = processes(sys.executable, '-c', SLOW_SUBSCRIBER)
    graph.wait_until(lambda: node._parts.outputs._annotated.get_subscription_count(), 'the slow subscriber')
    ask(graph, results, publisher, image_message(noise(), 1.0))
    slow.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    for number in range(60):
        ask(graph, results, publisher, image_message(noise(), 2.0 + number / 32))
    assert time.monotonic() - start < 20
    graph.wait_until(lambda: results.diagnostics and values(results.diagnostics[-1].status[0])['answered'] == '61', 'the count')
    assert values(results.diagnostics[-1].status[0])['images'] == '61'
    start = time.monotonic()
    assert change(graph, Transition.TRANSITION_DEACTIVATE)
    assert time.monotonic() - start < 5
