"""Depth beside the images: read, paired by stamp, and done without where it stops."""

from array import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from ros_calls import depth_message, foot_m, values
from ros_graph import SENSOR, camera_info, header, image_message, noise
from sensor_msgs.msg import CameraInfo, CompressedImage

from c2f_head_pose.depth_alignment import DepthAlignment, ImageView
from c2f_head_pose.ros.depth_input import DepthInput, DepthTiming
from c2f_head_pose.ros.log import Notices

pytestmark = pytest.mark.ros


def compressed_depth(values, quantisation=(0.0, 0.0), encoding='16UC1') -> CompressedImage:
    """As compressed_depth_image_transport writes it: int32 format, two float32, PNG."""
    head = np.int32(0).tobytes() + np.float32(quantisation).tobytes()
    data = head + cv2.imencode('.png', np.asarray(values, np.uint16))[1].tobytes()
    return CompressedImage(header=header(1.0), format=f'{encoding}; compressedDepth png', data=array('B', data))


class Heard:
    """A logger that keeps what is said."""

    def __init__(self):
        self.lines = []
        self.info = self.warning = self.error = self.lines.append


@pytest.fixture
def paired():
    heard, now = Heard(), SimpleNamespace(s=0.0)
    depth = DepthInput(Notices(heard), DepthAlignment('/depth/image', '/depth/camera_info'), '/depth/image', clock=lambda: now.s)
    return SimpleNamespace(
        depth=depth,
        heard=heard.lines,
        now=now,
        get=lambda stamp_s, shape=(2, 3), wait_s=0.0: depth.depth_m(ImageView(header(stamp_s), shape), DepthTiming(0.02, wait_s, 1.0)),
    )


def test_the_depth_nearest_in_time_is_taken_within_the_tolerance(paired):
    """Depth of 1.000 and 1.031 s; the image of 1.020 is 20 ms and 11 ms from them, that of 1.060 29 ms from the later."""
    paired.depth.put(depth_message(np.full((2, 3), 1000), 1.0))
    paired.depth.put(depth_message(np.full((2, 3), 2000), 1.031))
    assert paired.get(1.02)[0, 0] == 2.0
    assert paired.get(0.99)[0, 0] == 1.0
    assert paired.get(1.06) is None
    assert paired.heard == [], 'one image without depth is no news'


def millimetres_of(depth_m) -> int:
    return round(1000 * float(depth_m[0, 0]))


@pytest.mark.parametrize('rate_hz', [60, 90])
def test_depth_of_the_same_instant_is_waited_for_although_the_one_before_is_within_the_tolerance(paired, monkeypatch, rate_hz):
    """The period of 17 or 11 ms is shorter than the tolerance of 20 ms; depth k reads 1000 + k mm and comes after its image."""
    for k in range(1, 5):
        paired.depth.put(depth_message(np.full((2, 3), 1000 + k), k / rate_hz))
    monkeypatch.setattr(paired.depth._changed, 'wait', lambda _: paired.depth.put(depth_message(np.full((2, 3), 1005), 5 / rate_hz)))
    assert millimetres_of(paired.get(5 / rate_hz, wait_s=0.02)) == 1005
    assert millimetres_of(paired.get(6 / rate_hz)) == 1005, 'where none comes in time the one before is good enough'


@pytest.mark.parametrize('apart_ms', [1, 12, -12, 20])
def test_streams_that_are_not_synchronised_cost_no_wait(paired, monkeypatch, apart_ms):
    """At 30 Hz: 20 ms after a depth image the next is 13 ms away, which is nearer but not worth the time."""
    monkeypatch.setattr(paired.depth._changed, 'wait', lambda _: pytest.fail('waited'))
    for k in range(10):
        paired.depth.put(depth_message(np.full((2, 3), 1000 + k), 1 + k / 30))
    assert millimetres_of(paired.get(1 + 9 / 30 + apart_ms / 1000, wait_s=0.02)) == 1009


def test_one_early_depth_image_is_no_reason_to_wait_for_another(paired, monkeypatch):
    """As above, but the sixth depth image came 20 ms early; by the usual period the next is still 13 ms away."""
    monkeypatch.setattr(paired.depth._changed, 'wait', lambda _: pytest.fail('waited'))
    for k in range(10):
        paired.depth.put(depth_message(np.full((2, 3), 1000 + k), 1 + k / 30 - 0.02 * (k == 5)))
    assert millimetres_of(paired.get(1 + 9 / 30 + 0.012, wait_s=0.02)) == 1009


def test_the_wait_of_the_last_image_for_depth_is_known(paired, monkeypatch):
    """For the state, which names it where images are overtaken meanwhile."""
    for k in range(5):
        paired.now.s = k / 30
        paired.depth.put(depth_message(np.full((2, 3), 1000), k / 30))
    monkeypatch.setattr(paired.depth._changed, 'wait', lambda wait_s: setattr(paired.now, 's', paired.now.s + wait_s))
    paired.get(5 / 30, wait_s=0.15)
    assert paired.depth.wait_s == pytest.approx(0.15)
    paired.get(4 / 30, wait_s=0.15)
    assert paired.depth.wait_s == 0.0


def test_of_depth_without_stamps_the_newest_is_taken(paired):
    for k in range(1, 9):
        paired.depth.put(depth_message(np.full((2, 3), 1000 * k), 0.0))
    assert millimetres_of(paired.get(0.0)) == 8000


def test_depth_is_kept_for_images_that_come_half_a_second_late_and_no_longer(paired):
    """Depth at 90 Hz; half a second is 45 of them. At 5 Hz eight are kept, as memory allows, and of a fast replay 64."""
    for k in range(90):
        paired.now.s = k / 90
        paired.depth.put(depth_message(np.full((2, 3), 1000 + k), k / 90))
    assert millimetres_of(paired.get(45 / 90)) == 1045
    assert paired.get(10 / 90) is None and 45 <= len(paired.depth._kept) <= 47
    for k in range(20):
        paired.now.s = 10 + k / 5
        paired.depth.put(depth_message(np.full((2, 3), 1000 + k), paired.now.s))
    assert len(paired.depth._kept) == 8
    for k in range(1000):
        paired.depth.put(depth_message(np.full((2, 3), 1000), 20 + k / 90))
    assert len(paired.depth._kept) == 64


def test_depth_of_another_clock_is_reported_once(paired):
    for number in range(30):
        paired.now.s = number / 30
        paired.depth.put(depth_message(np.full((2, 3), 1000), 50.0 + number))
        assert paired.get(1.0 + number) is None
    assert len(paired.heard) == 1 and 'not stamped like the images' in paired.heard[0] and 'depth_tolerance_s' in paired.heard[0]


def test_depth_that_stops_and_comes_back_is_reported_once_each(paired):
    paired.depth.put(depth_message(np.full((2, 3), 1000), 1.0))
    assert paired.get(1.0) is not None and not paired.depth.degraded
    paired.now.s = 5.0
    assert paired.get(2.0) is None and paired.get(3.0) is None
    assert paired.depth.degraded and len(paired.heard) == 1 and 'have stopped' in paired.heard[0]
    for number in range(3):
        assert paired.depth.degraded and len(paired.heard) == 1, 'one image is not enough'
        paired.depth.put(depth_message(np.full((2, 3), 1000), 4.0 + number))
        assert paired.get(4.0 + number) is not None
    assert 'good again' in paired.heard[1] and not paired.depth.degraded


@pytest.mark.parametrize('rate_hz', [2.5, 2.0, 1.0])
def test_depth_slower_than_images_is_reported_once_is_no_fault_and_is_waited_for_only_where_due(paired, monkeypatch, rate_hz):
    """Images at 30 Hz for 10 s; depth has the stamp of every 12th, 15th or 30th and comes 10 ms later, so each costs one wait.

    Before three have come the rate is not known. The first image finds no depth yet and does not wait.
    """
    waits, coming = [], [k / rate_hz for k in range(int(10 * rate_hz))]

    def wait(_):
        waits.append(paired.now.s)
        paired.now.s += 0.01
        deliver()

    def deliver():
        while coming and coming[0] + 0.01 <= paired.now.s + 1e-6:
            paired.depth.put(depth_message(np.full((2, 3), 1000), coming.pop(0)))

    monkeypatch.setattr(paired.depth._changed, 'wait', wait)
    answers = []
    for k in range(300):
        paired.now.s = max(paired.now.s, k / 30)
        deliver()
        answers.append(paired.get(k / 30, wait_s=0.02) is not None)
        assert not (any(answers) and paired.depth.degraded)
    (line,) = paired.heard
    assert f'comes at {rate_hz:.1f} Hz only' in line and sum(answers) == 10 * rate_hz - 1
    assert paired.depth.share == pytest.approx(rate_hz / 30, abs=0.01), 'of the last 100 images'
    assert len([at_s for at_s in waits if at_s > 2.5 / rate_hz]) == 10 * rate_hz - 3


@pytest.mark.parametrize(('late_s', 'wait_s'), [(0.045, '0.06'), (0.4, '0.48')])
def test_depth_that_comes_after_its_image_is_reported_with_the_wait_that_it_needs_never_with_a_larger_tolerance(paired, late_s, wait_s):
    """Both at 30 Hz with equal stamps. With a tolerance of 40 ms each image would have the depth of the one before."""
    events = sorted((k / 30 + after_s, k / 30, after_s > 0) for k in range(90) for after_s in (0.0, late_s))
    for paired.now.s, stamp_s, is_depth in events:
        if is_depth:
            paired.depth.put(depth_message(np.full((2, 3), 1000), stamp_s))
        else:
            assert paired.get(stamp_s) is None
    (line,) = paired.heard
    assert f'depth on /depth/image comes {1000 * late_s:.0f} ms after its image' in line
    assert f'raise depth_wait_s to {wait_s}' in line and 'depth_tolerance_s' not in line


@pytest.mark.parametrize('depth_hz', [30, 10])
def test_depth_that_is_unplugged_is_never_said_to_be_stamped_wrongly(paired, depth_hz):
    """Images at 30 Hz; the camera's own rate tells within a second that none came, long before stopped_s, here 1 s, at 30 Hz."""
    for k in range(90):
        paired.now.s = k / 30
        if k <= 30 and k % (30 // depth_hz) == 0:
            paired.depth.put(depth_message(np.full((2, 3), 1000), k / 30))
        paired.get(k / 30)
        if paired.heard:
            break
    assert 'depth images on /depth/image have stopped, none for 0.' in paired.heard[0] and paired.now.s <= 1.4
    for k in range(90, 300):
        paired.now.s = k / 30
        assert paired.get(k / 30) is None
    assert len(paired.heard) == 1 and 'have stopped, none for 9.0 s' in paired.depth.status


def test_depth_that_never_comes_is_reported_once_and_not_while_cameras_start(paired):
    assert paired.get(1.0) is None and paired.heard == []
    paired.now.s = 1.5
    assert paired.get(2.0) is None and paired.get(3.0) is None
    assert len(paired.heard) == 1 and 'remap depth/image' in paired.heard[0]


def test_two_reasons_that_alternate_are_logged_once_each(paired):
    """Every second depth image is of another size, the others are JPEG."""
    paired.now.s = 1.0
    for number in range(20):
        paired.depth.put(depth_message(np.full((4, 4), 1000), 2.0 * number))
        paired.depth.put(CompressedImage(header=header(2.0 * number + 1.0), format='16UC1; jpeg compressed', data=bytes(100)))
        assert paired.get(2.0 * number) is None and paired.get(2.0 * number + 1.0) is None
    assert len(paired.heard) == 2 and '4x4' in paired.heard[0] and 'cannot be read' in paired.heard[1]


def test_depth_that_cannot_be_read_is_logged_once_however_its_bytes_vary(paired):
    """JPEG of depth, as image_transport sends it: the reason names the number of bytes, which differs from image to image."""
    for number in range(20):
        paired.depth.put(CompressedImage(header=header(1.0 + number), format='16UC1; jpeg compressed', data=bytes(100 + number)))
        assert paired.get(1.0 + number) is None
    assert len(paired.heard) == 1 and 'cannot be read' in paired.heard[0]
    assert len(paired.depth._reported) == 1


def test_depth_of_float_millimetres_is_not_used_and_named_once(paired):
    for number in range(3):
        paired.depth.put(image_message(np.full((2, 3), 1200, np.float32), 1.0 + number, '32FC1'))
        assert paired.get(1.0 + number) is None
    assert len(paired.heard) == 1 and 'must be in metres, but begins at 1200' in paired.heard[0] and '16UC1' in paired.heard[0]
    for number in range(3):
        paired.depth.put(depth_message(np.full((2, 3), 1200), 5.0 + number))
        assert millimetres_of(paired.get(5.0 + number)) == 1200
    assert 'good again' in paired.heard[1]


def test_depth_of_another_size_is_refused_with_the_remedy(paired):
    """Not reported in the first second: a calibration may still come."""
    paired.depth.put(depth_message(np.full((4, 4), 1000), 1.0))
    assert paired.get(1.0) is None and paired.heard == [] and '4x4' in paired.depth.status
    paired.now.s = 1.0
    assert paired.get(1.0) is None
    assert '4x4' in paired.heard[0] and 'registered' in paired.heard[0] and '/depth/camera_info' in paired.heard[0]


def test_positions_come_from_depth_until_it_stops_mid_way(graph):
    """A face box fixed from outside at the principal point; depth says 0.8 m, its size 500 * 0.184 / 80 = 1.15 m."""
    results = graph.hear_results()
    node = graph.head_pose_node(modality='rgbd', silence_timeout_s=1.0)
    estimate = node._parts.estimator.estimate
    node._parts.estimator.estimate = lambda image, **given: estimate(image, **given | {'stamp_s': None, 'boxes': [[280, 200, 360, 280]]})
    infos = graph.probe.create_publisher(CameraInfo, '/camera_info', SENSOR)
    depths = graph.image_publisher(topic='/depth/image')
    images = graph.image_publisher()
    graph.wait_until(infos.get_subscription_count, 'a subscription of camera_info')
    infos.publish(camera_info())
    graph.wait_until(lambda: node._session.calibration.received, 'the camera_info')
    depths.publish(depth_message(np.full((480, 640), 800), 1.0))
    graph.wait_until(lambda: node._session.depth.last_s, 'the depth')
    images.publish(image_message(noise(), 1.0))
    graph.wait_until(lambda: results.poses, 'a pose')
    assert foot_m(results.poses[0].pose.pose.position, 320, 240)[2] == pytest.approx(0.8, abs=1e-6)
    graph.wait_for_state('ok')
    graph.spin_for(1.1)
    images.publish(image_message(noise(), 3.0))
    graph.wait_until(lambda: len(results.poses) == 2, 'a pose')
    assert results.poses[1].pose.pose.position.z == pytest.approx(500 * 0.184 / 80, rel=0.01)
    assert results.poses[1].pose.covariance[14] > 10 * results.poses[0].pose.covariance[14]
    graph.wait_for_log('have stopped', 'from the image alone')
    status = graph.wait_for_state('degraded: depth images on /depth/image have stopped')
    assert 'stopped' in values(status)['depth'] and values(status)['images with depth (%)'] == '50'
    for stamp_s in (4.0, 5.0, 6.0):
        depths.publish(depth_message(np.full((480, 640), 800), stamp_s))
        graph.wait_until(lambda s=stamp_s: node._session.depth._kept.newest.stamp_s == s, 'the depth')
        images.publish(image_message(noise(), stamp_s))
        graph.wait_until(lambda s=stamp_s: results.poses[-1].header.stamp.sec == s, 'a pose')
    graph.wait_for_log('is good again')


@pytest.fixture(scope='module')
def depth_model(tmp_path_factory) -> str:
    """An untrained network of modality depth, exported as training exports its own: right in form, not in what it says."""
    torch = pytest.importorskip('torch', reason='needs torch')
    from training.export import write_onnx

    class Untrained(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = torch.nn.Sequential(
                torch.nn.Conv2d(1, 4, 5, 4), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 4)
            )

        def forward(self, crops):
            logits = self.trunk(crops.float() / 255)
            frontal = torch.tensor([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
            return frontal + 0 * logits[:, :1, None], 0.1 + 0 * logits[:, :3].abs(), logits

    path = tmp_path_factory.mktemp('model') / 'untrained_depth.onnx'
    write_onnx(
        Untrained(),
        64,
        path,
        {
            'c2f_contract': '1',
            'name': 'untrained_depth',
            'version': '0',
            'modality': 'depth',
            'input_size': '64',
            'crop_margin': '1.5',
            'detector_margin': '1.15',
            'convention': 'R_cam_head REP-103/REP-155',
            'training_data': 'none',
            'licence': 'Apache-2.0',
            'depth_range_m': '0.5',
        },
    )
    return str(path)


def calibrate(graph, node, focal=575.0):
    infos = graph.probe.create_publisher(CameraInfo, '/camera_info', SENSOR)
    graph.wait_until(infos.get_subscription_count, 'a subscription of camera_info')
    infos.publish(camera_info(focal=focal))
    graph.wait_until(lambda: node._session.calibration.received, 'the camera_info')


def a_doll() -> np.ndarray:
    from depth_dolls import doll, room

    return (1000 * doll(room(), (0.1, -0.05, 1.2))).astype(np.uint16)


def test_depth_alone_is_enough_with_a_depth_model(graph, depth_model):
    """The doll's middle is at (0.1, -0.05, 1.2); the network calls every head frontal to its ray: the sellion is 9 cm nearer."""
    results = graph.hear_results()
    node = graph.head_pose_node(modality='depth', depth_model=depth_model)
    calibrate(graph, node)
    depths = graph.image_publisher(topic='/depth/image')
    for number in range(3):
        depths.publish(depth_message(a_doll(), 5.0 + number))
        graph.wait_until(lambda n=number: len(results.poses) > n, 'a pose')
    pose = results.poses[0]
    assert (pose.header.frame_id, pose.header.stamp.sec) == ('camera_optical', 5)
    position = np.array([pose.pose.pose.position.x, pose.pose.pose.position.y, pose.pose.pose.position.z])
    middle_m = np.array([0.1, -0.05, 1.2])
    np.testing.assert_allclose(position, middle_m * (1 - 0.09 / np.linalg.norm(middle_m)), atol=0.04)
    graph.wait_for_state('ok')


def test_depth_alone_of_float_millimetres_is_skipped_with_the_reason(graph, depth_model):
    results = graph.hear_results()
    node = graph.head_pose_node(modality='depth', depth_model=depth_model)
    calibrate(graph, node)
    depths = graph.image_publisher(topic='/depth/image')
    depths.publish(image_message(a_doll().astype(np.float32), 5.0, '32FC1'))
    graph.wait_for_log('must be in metres', '16UC1')
    depths.publish(depth_message(a_doll(), 6.0))
    graph.wait_until(lambda: results.poses, 'a pose')
    assert results.poses[0].header.stamp.sec == 6


def test_compressed_depth_is_answered_when_asked_for(graph, depth_model):
    results = graph.hear_results()
    node = graph.head_pose_node(modality='depth', depth_model=depth_model, depth_transport='compressedDepth')
    calibrate(graph, node)
    graph.image_publisher(CompressedImage, '/depth/image/compressedDepth').publish(compressed_depth(a_doll()))
    graph.wait_until(lambda: results.poses, 'a pose')
    assert results.poses[0].pose.pose.position.z == pytest.approx(1.2 * (1 - 0.09 / np.linalg.norm([0.1, -0.05, 1.2])), abs=0.04)


def test_depth_alone_without_camera_info_reports_why_nothing_comes(graph, depth_model):
    results = graph.hear_results()
    graph.head_pose_node(modality='depth', depth_model=depth_model)
    graph.image_publisher(topic='/depth/image').publish(depth_message(a_doll(), 5.0))
    graph.wait_for_log('image on /depth/image skipped', 'needs camera_info')
    assert results.markers == []


def test_depth_alone_is_placed_by_the_calibration_beside_it_not_by_the_colour_cameras(graph, depth_model):
    """As head_pose.launch.py depth:= starts it. The depth camera has f = 575 px; by the colour camera's 900 a head 0.1 m aside would be at
    0.06 m, and by its frame it is refused until the depth camera's has come."""
    results = graph.hear_results()
    remaps = {'depth/image': '/cam/depth/image_rect_raw', 'camera_info': '/cam/color/camera_info'}
    node = graph.head_pose_node(remaps=remaps, modality='depth', depth_model=depth_model)
    colour = graph.image_publisher(CameraInfo, '/cam/color/camera_info', SENSOR)
    own = graph.image_publisher(CameraInfo, '/cam/depth/camera_info', SENSOR)
    depths = graph.image_publisher(topic='/cam/depth/image_rect_raw')

    def send(publisher, message, frame_id='camera_depth'):
        message.header.frame_id = frame_id
        publisher.publish(message)

    send(colour, camera_info(focal=900.0), 'camera_color')
    graph.wait_until(lambda: node._session.calibration.received, 'the camera_info')
    send(depths, depth_message(a_doll(), 5.0))
    graph.wait_for_log('depth is in frame camera_depth, camera_info in camera_color', 'depth/camera_info')
    send(own, camera_info(focal=575.0))
    graph.wait_until(lambda: not node._session.calibration.borrowed, 'its own camera_info')
    send(colour, camera_info(focal=900.0), 'camera_color')
    send(depths, depth_message(a_doll(), 6.0))
    graph.wait_until(lambda: results.poses, 'a pose')
    position = results.poses[0].pose.pose.position
    middle_m = np.array([0.1, -0.05, 1.2])
    np.testing.assert_allclose([position.x, position.y, position.z], middle_m * (1 - 0.09 / np.linalg.norm(middle_m)), atol=0.04)


def test_depth_alone_whose_calibration_is_missing_names_the_topic_beside_it(graph, depth_model):
    graph.head_pose_node(remaps={'depth/image': '/cam/depth/image'}, modality='depth', depth_model=depth_model, silence_timeout_s=0.5)
    graph.image_publisher(topic='/cam/depth/image').publish(depth_message(a_doll(), 5.0))
    graph.wait_for_log('image on /cam/depth/image skipped', 'needs camera_info: no camera_info on /cam/depth/camera_info yet')
    graph.wait_for_log('no camera_info on /cam/depth/camera_info: heads are found in depth', 'remap depth/camera_info:=TOPIC')


def test_depth_alone_without_a_depth_model_is_refused_with_what_is_missing(graph):
    graph.head_pose_node(modality='depth', depth_model='nowhere.onnx')
    graph.wait_for_log('not configured', "modality 'depth' needs a depth model", "no model 'nowhere.onnx'", 'training.export')


def test_a_model_of_images_is_refused_for_depth(graph):
    graph.head_pose_node(modality='depth', depth_model='c2f_edge')
    graph.wait_for_log('not configured', "depth_model 'c2f_edge' reads images")


def test_rgbd_without_a_depth_model_states_once_that_depth_gives_positions(graph):
    graph.head_pose_node(modality='rgbd', depth_model='')
    graph.wait_for_log('depth_model is empty', 'depth gives positions')


def test_rgbd_fuses_with_the_shipped_depth_model_unless_set_otherwise(graph):
    node = graph.head_pose_node(modality='rgbd')
    assert node._parts.estimator.reads_depth


def depth_alone_after_images(graph, node, results):
    """Publishes an image, waits until images count as stopped, and has depth answered alone; returns the images' publisher."""
    depths, images = graph.image_publisher(topic='/depth/image'), graph.image_publisher()
    images.publish(image_message(noise(), 1.0))
    graph.wait_until(lambda: results.markers, 'an answer')
    graph.wait_until(lambda: node._session.silence, 'the images to have stopped')
    depths.publish(depth_message(a_doll(), 2.0))
    graph.wait_until(lambda: results.poses, 'a pose from depth')
    return images


def test_when_images_stop_heads_are_found_in_depth_alone_and_images_take_over_again(graph, depth_model):
    results = graph.hear_results()
    node = graph.head_pose_node(modality='rgbd', depth_model=depth_model, silence_timeout_s=0.5)
    calibrate(graph, node)
    images = depth_alone_after_images(graph, node, results)
    assert results.poses[0].header.stamp.sec == 2
    graph.wait_for_state('degraded: heads are found in depth alone')
    images.publish(image_message(noise(), 3.0))
    graph.wait_until(lambda: results.markers[-1].markers[0].header.stamp.sec == 3, 'an answer to the image')
    graph.wait_for_log('images arrive on /image')


def test_depth_alone_is_placed_by_its_own_calibration_where_it_is_not_the_images(graph, depth_model):
    """The depth camera has f = 575 px, the colour camera 900: read with the latter, a head 0.1 m aside would be at 0.06 m."""
    results = graph.hear_results()
    node = graph.head_pose_node(modality='rgbd', depth_model=depth_model, silence_timeout_s=0.5)
    calibrate(graph, node, focal=900.0)
    infos = graph.probe.create_publisher(CameraInfo, '/depth/camera_info', SENSOR)
    graph.wait_until(infos.get_subscription_count, 'a subscription of the depth camera_info')
    infos.publish(camera_info(focal=575.0))
    depth_alone_after_images(graph, node, results)
    position = results.poses[0].pose.pose.position
    middle_m = np.array([0.1, -0.05, 1.2])
    sellion_m = middle_m * (1 - 0.09 / np.linalg.norm(middle_m))
    np.testing.assert_allclose([position.x, position.y, position.z], sellion_m, atol=0.025)


def test_depth_of_another_frame_is_not_placed_by_the_images_calibration(graph, depth_model):
    results = graph.hear_results()
    node = graph.head_pose_node(modality='rgbd', depth_model=depth_model, silence_timeout_s=0.5)
    calibrate(graph, node)
    depths, images = graph.image_publisher(topic='/depth/image'), graph.image_publisher()
    images.publish(image_message(noise(), 1.0))
    graph.wait_until(lambda: node._session.silence, 'the images to have stopped')
    message = depth_message(a_doll(), 2.0)
    message.header.frame_id = 'camera_depth_optical_frame'
    depths.publish(message)
    graph.wait_for_log('depth is in frame camera_depth_optical_frame, camera_info in camera_optical', 'depth/camera_info')
    assert not results.poses
