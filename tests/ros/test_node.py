"""The node through the real ROS graph: images in, answers out, whatever the images are."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from head_poses import head
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from ros_calls import set_atomically, values
from ros_graph import SENSOR, camera_info, compressed_message, header, image_message, noise
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import SetBool
from visualization_msgs.msg import MarkerArray

from c2f_head_pose.images import ENCODINGS
from c2f_head_pose.ros import messages
from c2f_head_pose.ros.diagnostics import State
from c2f_head_pose.types import FaceBox

pytestmark = pytest.mark.ros

FRAMES = 30


def test_every_image_is_answered_under_its_own_stamp_and_frame(graph):
    """Thirty images of 640x480, each sent when the last was answered; stamps are multiples of 1/32 s, so exact."""
    results = graph.hear_results()
    graph.head_pose_node()
    publisher = graph.image_publisher()
    image = noise()
    for number in range(FRAMES):
        publisher.publish(image_message(image, 100 + number / 32))
        graph.wait_until(lambda n=number: len(results.markers) > n, f'the answer to image {number}')
    headers = [answer.markers[0].header for answer in results.markers]
    assert [h.stamp.sec + h.stamp.nanosec * 1e-9 for h in headers] == [100 + number / 32 for number in range(FRAMES)]
    assert {h.frame_id for h in headers} == {'camera_optical'}
    assert results.poses == results.angles == []
    graph.wait_until(lambda: results.diagnostics and values(results.diagnostics[-1].status[0])['answered'] == str(FRAMES), 'the count')
    status = graph.wait_for_state('no face')
    assert values(status)['answered'] == values(status)['images'] == str(FRAMES)
    assert status.hardware_id == 'camera_optical'


def test_two_cameras_are_two_nodes_in_their_namespaces(graph):
    answers = {}
    for number, camera in enumerate(('front', 'rear')):
        answers[camera] = graph.hear(MarkerArray, f'/{camera}/head_pose/markers')
        graph.head_pose_node(namespace=camera)
        graph.image_publisher(topic=f'/{camera}/image').publish(image_message(noise(48, 64), 1.0 + number))
    for number, camera in enumerate(answers):
        graph.wait_until(lambda c=camera: answers[c], f'an answer of the {camera} camera')
        assert [answer.markers[0].header.stamp.sec for answer in answers[camera]] == [1 + number]


def test_compressed_images_are_answered_when_asked_for(graph):
    results = graph.hear_results()
    graph.head_pose_node(image_transport='compressed')
    publisher = graph.image_publisher(CompressedImage, '/image/compressed')
    publisher.publish(compressed_message(b'\xff\xd8 no jpeg'))
    assert 'JPEG' in graph.wait_for_log('skipped')
    publisher.publish(compressed_message(cv2.imencode('.jpg', noise())[1].tobytes(), 7.5))
    graph.wait_until(lambda: results.markers, 'an answer')
    assert results.markers[0].markers[0].header.stamp.sec == 7


BAD_IMAGES = {
    'zero-sized': ({'width': 0, 'height': 0, 'step': 0, 'data': []}, 'size 0x0'),
    'unknown encoding': ({'encoding': 'xyz12'}, "encoding 'xyz12'"),
    'wrong step': ({'step': 10}, 'step 10'),
    'truncated data': ({'data': [0] * 999}, 'data has 999 bytes'),
}


@pytest.mark.parametrize('name', BAD_IMAGES)
def test_an_unreadable_image_is_counted_with_its_remedy_and_the_next_one_answered(graph, name):
    changed, words = BAD_IMAGES[name]
    results = graph.hear_results()
    graph.head_pose_node()
    publisher = graph.image_publisher()
    for _ in range(3):
        before = len([line for line in graph.log if 'skipped' in line])
        publisher.publish(image_message(noise(48, 64), **changed))
        if not before:
            graph.wait_for_log('image on /image skipped', words)
    graph.wait_until(lambda: results.diagnostics and values(results.diagnostics[-1].status[0]).get('dropped: bad image'), 'the count')
    publisher.publish(image_message(noise(), 5.0))
    graph.wait_until(lambda: results.markers, 'the answer to a good image')
    assert results.markers[0].markers[0].header.stamp.sec == 5
    assert sum('skipped' in line for line in graph.log) == 1, 'the warning is throttled'


def test_only_unreadable_images_are_a_state_of_their_own(graph):
    results = graph.hear_results()
    node = graph.head_pose_node()
    publisher = graph.image_publisher()
    for number in range(4):
        publisher.publish(image_message(noise(48, 64), encoding='xyz12'))
        graph.wait_until(lambda n=number: node._session.statistics.dropped.get('bad image', 0) > n, 'the count')
    assert "'xyz12'" in graph.wait_for_state('images cannot be read').message
    assert results.markers == []


@pytest.mark.parametrize(
    'pixels, encoding',
    [
        (np.zeros((1, 1, 3), np.uint8), 'bgr8'),
        (np.zeros((1, 1), np.uint8), 'mono8'),
        (np.full((480, 640), 40000, np.uint16), 'mono16'),
        (np.full((480, 640), 40000, np.uint16), '16UC1'),
    ],
)
def test_tiny_and_16_bit_images_are_answered(graph, pixels, encoding):
    results = graph.hear_results()
    graph.head_pose_node()
    graph.image_publisher().publish(image_message(pixels, encoding=encoding))
    graph.wait_until(lambda: results.markers, 'an answer')


def test_every_encoding_is_answered(graph):
    """64x48 pixels of random bytes in each; what they show is tested without ROS. A depth's 16UC1 is read as gray here."""
    results = graph.hear_results()
    graph.head_pose_node()
    publisher = graph.image_publisher()
    for number, encoding in enumerate(ENCODINGS):
        rows = 72 if encoding.startswith('nv') else 48
        data = np.random.default_rng(number).integers(0, 256, (rows, 64 * 8), np.uint8)  # long enough for every encoding
        publisher.publish(image_message(data, 1.0 + number, encoding, width=64, height=48))
        graph.wait_until(lambda n=number: len(results.markers) > n, f'the answer to {encoding}')
    assert [answer.markers[0].header.stamp.sec for answer in results.markers] == [1 + number for number in range(len(ENCODINGS))]


def send_with_info(graph, info):
    publisher = graph.probe.create_publisher(CameraInfo, '/camera_info', SENSOR)
    images = graph.image_publisher()
    graph.wait_until(publisher.get_subscription_count, 'a subscription of camera_info')
    publisher.publish(info)
    graph.wait_until(lambda: graph.node._session.calibration.received, 'the camera_info')
    images.publish(image_message(noise()))
    return publisher, images


@pytest.mark.parametrize(
    'info, words',
    [
        (CameraInfo(width=640, height=480), ('uncalibrated', 'K is 0', 'camera_calibration')),
        (camera_info(1280, 720), ('1280x720', '640x480')),
        (camera_info(focal=-1.0), ('focal', 'camera_calibration')),
    ],
)
def test_a_calibration_that_cannot_be_used_is_reported_and_the_image_answered_without_it(graph, info, words):
    results = graph.hear_results()
    graph.node = graph.head_pose_node()
    publisher, images = send_with_info(graph, info)
    graph.wait_until(lambda: results.markers, 'an answer')
    graph.wait_for_log(*words, 'relative to the ray')
    publisher.publish(camera_info())
    graph.wait_until(lambda: graph.node._session.calibration._info.k[0] == 500.0, 'the good camera_info')
    images.publish(image_message(noise(), 2.0))
    graph.wait_for_log('camera_info can be used now')


@pytest.mark.parametrize('frame_id, warned', [('infra1_optical', True), ('/camera_optical', False), ('', False)])
def test_a_calibration_of_another_frame_is_warned_of_and_used(graph, frame_id, warned):
    results = graph.hear_results()
    graph.node = graph.head_pose_node()
    info = camera_info()
    info.header.frame_id = frame_id
    send_with_info(graph, info)
    graph.wait_until(lambda: results.markers, 'an answer')
    status = values(graph.wait_for_state('no face'))['camera']
    doubt = 'camera_info on /camera_info is of frame infra1_optical, the images on /image of camera_optical'
    assert status == ('calibrated, plumb_bob' + (f'; {doubt}' if warned else ''))
    assert any(doubt in line and 'remap camera_info' in line for line in graph.log) == warned


def test_missing_camera_info_is_reported_once(graph):
    graph.hear_results()
    graph.head_pose_node(silence_timeout_s=1.0)
    publisher = graph.image_publisher()
    publisher.publish(image_message(noise()))
    graph.wait_for_log('no camera_info on /camera_info', 'remap')


def test_images_without_stamp_are_answered_singly_which_is_reported(graph):
    results = graph.hear_results()
    graph.head_pose_node()
    publisher = graph.image_publisher()
    publisher.publish(image_message(noise(), 0.0))
    graph.wait_until(lambda: results.markers, 'an answer')
    assert results.markers[0].markers[0].header.stamp.sec == 0
    graph.wait_for_log('no stamp', 'header.stamp')
    graph.wait_for_state('degraded: images have no stamp')


def test_images_without_frame_are_answered_in_none_which_is_reported(graph):
    results = graph.hear_results()
    graph.head_pose_node()
    message = image_message(noise(48, 64))
    message.header.frame_id = ''
    graph.image_publisher().publish(message)
    graph.wait_for_log('no frame_id', 'camera driver')
    graph.wait_until(lambda: results.markers, 'an answer')
    assert results.markers[0].markers[0].header.frame_id == ''


def test_images_in_a_frame_named_like_a_body_are_answered_and_reported_once(graph):
    results = graph.hear_results()
    graph.head_pose_node()
    publisher, message = graph.image_publisher(), image_message(noise(48, 64))
    for number in (1, 2):
        message.header.frame_id, message.header.stamp.sec = 'camera_link', number
        publisher.publish(message)
        graph.wait_until(lambda n=number: len(results.markers) == n, 'an answer')
    graph.wait_for_log("images are in 'camera_link'", 'optical_frame_id', 'camera_optical_frame')
    message.header.frame_id, message.header.stamp.sec = 'camera_optical_frame', 3
    publisher.publish(message)
    graph.wait_until(lambda: len(results.markers) == 3, 'an answer')
    assert len([line for line in graph.log if 'images are in' in line]) == 1
    assert results.markers[0].markers[0].header.frame_id == 'camera_link'


def test_an_image_that_comes_twice_sends_its_transforms_once(graph, monkeypatch):
    """tf2 would warn of repeated data. The wheels have no tf2_msgs, so a list stands in for the publisher."""
    outputs, sent = graph.head_pose_node()._parts.outputs, []
    monkeypatch.setattr(outputs, '_tf', SimpleNamespace(publish=sent.append, get_subscription_count=lambda: 1))
    monkeypatch.setattr(messages, 'transforms', lambda header, *_: SimpleNamespace(transforms=[header]))
    for stamp_s in (1.0, 1.0, 2.0):
        frame = SimpleNamespace(header=header(stamp_s))
        outputs.publish(SimpleNamespace(frame=frame, poses=[], primary=None, mount=None), tf=True)
    assert [one.transforms[0].stamp.sec for one in sent] == [1, 2]


def test_stamps_that_go_back_start_tracking_anew_and_are_reported_once(graph):
    results = graph.hear_results()
    graph.head_pose_node()
    publisher = graph.image_publisher()
    for number, stamp in enumerate((50.0, 50.5, 10.0, 10.5, 5.0)):
        publisher.publish(image_message(noise(48, 64), stamp))
        graph.wait_until(lambda n=number: len(results.markers) > n, 'an answer')
    graph.wait_for_log('stamps went back by 40.500 s')
    assert sum('stamps went back' in line for line in graph.log) == 1


def test_a_failing_estimator_is_a_state_of_its_own_and_the_node_recovers(graph):
    """The estimator is made to fail from outside: a model that fails on some image only cannot be had."""
    results = graph.hear_results()
    node = graph.head_pose_node()
    publisher = graph.image_publisher()
    estimate = node._parts.estimator.estimate

    def failing(*_, **__):
        raise RuntimeError('no memory')

    node._parts.estimator.estimate = failing
    for number in range(3):
        publisher.publish(image_message(noise(48, 64), 1.0 + number))
        graph.wait_until(lambda n=number: node._session.statistics.dropped.get('estimator failed', 0) > n, 'the count')
    assert 'no memory' in graph.wait_for_state('model failed').message
    assert sum('not answered' in line for line in graph.log) == 1
    node._parts.estimator.estimate = estimate
    publisher.publish(image_message(noise(48, 64), 9.0))
    graph.wait_until(lambda: results.markers, 'an answer')
    graph.wait_for_state('no face')


def test_a_primary_face_that_is_not_seen_but_followed_is_no_face_outside_the_region(graph):
    """Two people, then the smaller one alone for an image: `~/head_pose` is silent, and the other face is in `seat_region` all the same."""
    results = graph.hear_results()
    node = graph.head_pose_node()
    a, b = (head(track_id=i, box=FaceBox(0, 0, width, width)) for i, width in ((1, 40), (2, 38)))
    seen = iter(([a, b], [b]))
    node._parts.estimator.estimate, node._parts.estimator.follows = lambda *_, **__: next(seen), lambda _: True
    publisher = graph.image_publisher()
    for number in (1, 2):
        publisher.publish(image_message(noise(48, 64), number))
        graph.wait_until(lambda n=number: len(results.markers) == n, 'an answer')
    assert len(results.poses) == 1
    assert node._session.state() == (State.OK, '') and 'faces in seat_region' not in node._session.values()


def test_the_annotated_image_is_published_after_a_subscription(graph):
    results = graph.hear_results()
    graph.head_pose_node()
    publisher = graph.image_publisher()
    publisher.publish(image_message(noise(48, 64), 1.0))
    graph.wait_until(lambda: results.markers, 'an answer')
    seen = graph.hear(Image, '/head_pose/image_annotated', QoSProfile(depth=1, reliability=QoSReliabilityPolicy.RELIABLE))
    graph.wait_until(lambda: graph.probe.count_publishers('/head_pose/image_annotated'), 'discovery')
    graph.wait_until(lambda: (publisher.publish(image_message(noise(48, 64), 2.0)), seen)[1], 'an annotated image')
    assert (seen[0].width, seen[0].height, seen[0].encoding, seen[0].header.stamp.sec) == (64, 48, 'bgr8', 2)


def test_a_refused_parameter_change_names_the_reason_and_changes_nothing(graph):
    node = graph.head_pose_node()
    result = set_atomically(graph, max_faces=2, primary_face='tallest')
    assert not result.successful
    assert "primary_face cannot be 'tallest'" in result.reason and 'largest, nearest or longest_tracked' in result.reason
    result = set_atomically(graph, max_faces=2, model='other')
    assert not result.successful and 'model' in result.reason and 'cleanup' in result.reason
    result = set_atomically(graph, max_faces=2, detection_threshold=7.0)
    assert not result.successful and all(word in result.reason for word in ('detection_threshold', '7.0', 'Max: 0.99'))
    assert not set_atomically(graph, max_faces=2, autostart=False).successful
    assert node._parts.estimator.options.max_faces == node.get_parameter('max_faces').value == 10


def test_an_accepted_parameter_change_is_in_force_at_once(graph):
    node = graph.head_pose_node()
    assert set_atomically(graph, max_faces=2, rescan_period_s=2, smoothing=False).successful
    options = node._parts.estimator.options
    assert (options.max_faces, options.rescan_period_s, options.smoothing) == (2, 2.0, False)


def test_disabling_stops_answers_and_enabling_brings_them_back(graph):
    results = graph.hear_results()
    graph.head_pose_node()
    publisher = graph.image_publisher()
    publisher.publish(image_message(noise(48, 64), 1.0))
    graph.wait_until(lambda: results.markers, 'an answer')
    assert graph.call(SetBool, '/head_pose/enable', SetBool.Request(data=False)).success
    graph.wait_until(lambda: len(results.markers) == 2, 'the outputs to be cleared')
    graph.wait_for_state('disabled')
    assert publisher.get_subscription_count() == 0
    assert graph.call(SetBool, '/head_pose/enable', SetBool.Request(data=True)).success
    graph.wait_until(publisher.get_subscription_count, 'the subscription')
    publisher.publish(image_message(noise(48, 64), 2.0))
    graph.wait_until(lambda: len(results.markers) == 3, 'an answer')
