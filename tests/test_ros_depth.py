"""Depth beside the images: read, paired by stamp, and done without where it stops."""
from array import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from ros_graph import SENSOR, camera_info, header, image_message, noise
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from test_ros_node import values

from c2f_head_pose.images import ImageError
from c2f_head_pose.ros.depth_input import DepthInput, depth_from_message, depth_m_from_compressed
from c2f_head_pose.ros.notices import Notices

pytestmark = pytest.mark.ros


def depth_message(depth_mm, stamp_s=1.0) -> Image:
    return image_message(np.asarray(depth_mm, np.uint16), stamp_s, '16UC1')


def compressed_depth(values, quantisation=(0.0, 0.0), encoding='16UC1') -> CompressedImage:
    """As compressed_depth_image_transport writes it: int32 format, two float32, PNG."""
    head = np.int32(0).tobytes() + np.float32(quantisation).tobytes()
    data = head + cv2.imencode('.png', np.asarray(values, np.uint16))[1].tobytes()
    return CompressedImage(header=header(1.0), format=f'{encoding}; compressedDepth png', data=array('B', data))


def test_compressed_millimetres_are_read():
    np.testing.assert_allclose(depth_m_from_compressed(compressed_depth([[0, 1500]])), [[np.nan, 1.5]])


def test_compressed_metres_are_read_back_from_their_inverse():
    """The PNG holds A / z + B: with A = 1000 and B = 1, 2 m is stored as 501 and 4 m as 251."""
    np.testing.assert_allclose(depth_m_from_compressed(compressed_depth([[501, 251, 0]], (1000, 1), '32FC1')), [[2, 4, np.nan]], rtol=1e-6)


@pytest.mark.parametrize('changed, words', [({'format': 'jpeg'}, 'is not read'), ({'data': array('B', bytes(20))}, 'cut off'),
                                            ({'data': array('B')}, 'cut off'), ({'format': '16UC1; compressedDepth rvl'}, 'png')])
def test_other_compressed_data_is_refused_with_the_remedy(changed, words):
    message = compressed_depth([[1]])
    for name, value in changed.items():
        setattr(message, name, value)
    with pytest.raises(ImageError, match=words):
        depth_from_message(message)


class Heard:
    """A logger that keeps what is said."""

    def __init__(self):
        self.lines = []
        self.info = self.warning = self.error = self.lines.append


@pytest.fixture
def paired():
    heard, now = Heard(), SimpleNamespace(s=0.0)
    depth = DepthInput(Notices(heard), '/depth/image', clock=lambda: now.s)
    return SimpleNamespace(depth=depth, heard=heard.lines, now=now,
                           get=lambda stamp_s, shape=(2, 3): depth.depth_m(header(stamp_s), shape, 0.02, 0.0, 1.0))


def test_the_depth_nearest_in_time_is_taken_within_the_tolerance(paired):
    """Depth of 1.000 and 1.031 s; the image of 1.020 is 20 ms and 11 ms from them, that of 1.060 29 ms from the later."""
    paired.depth.put(depth_message(np.full((2, 3), 1000), 1.0))
    paired.depth.put(depth_message(np.full((2, 3), 2000), 1.031))
    assert paired.get(1.02)[0, 0] == 2.0
    assert paired.get(0.99)[0, 0] == 1.0
    assert paired.get(1.06) is None
    assert paired.heard == [], 'one image without depth is no news'


def test_depth_of_another_clock_is_said_once(paired):
    paired.depth.put(depth_message(np.full((2, 3), 1000), 50.0))
    for number in range(30):
        assert paired.get(1.0 + number) is None
    assert len(paired.heard) == 1 and 'not stamped like the images' in paired.heard[0] and 'depth_tolerance_s' in paired.heard[0]


def test_depth_that_stops_and_comes_back_is_said_once_each(paired):
    paired.depth.put(depth_message(np.full((2, 3), 1000), 1.0))
    assert paired.get(1.0) is not None and not paired.depth.degraded
    paired.now.s = 5.0
    assert paired.get(2.0) is None and paired.get(3.0) is None
    assert paired.depth.degraded and len(paired.heard) == 1 and 'have stopped' in paired.heard[0]
    paired.depth.put(depth_message(np.full((2, 3), 1000), 4.0))
    assert paired.get(4.0) is not None
    assert 'good again' in paired.heard[1]


def test_depth_of_another_size_is_refused_with_the_remedy(paired):
    paired.depth.put(depth_message(np.full((4, 4), 1000), 1.0))
    assert paired.get(1.0) is None
    assert '4x4' in paired.heard[0] and 'registered' in paired.heard[0]


def test_positions_come_from_depth_until_it_stops_mid_way(graph):
    """A face box fixed from outside at the principal point; depth says 0.8 m, its size 500 * 0.165 / 80 = 1.03 m."""
    results = graph.hear_results()
    node = graph.head_pose_node(modality='rgbd', silence_timeout_s=1.0)
    estimate = node._estimator.estimate
    node._estimator.estimate = lambda image, **given: estimate(image, **given | {'stamp_s': None, 'boxes': [[280, 200, 360, 280]]})
    infos = graph.probe.create_publisher(CameraInfo, '/camera_info', SENSOR)
    depths = graph.image_publisher(topic='/depth/image')
    images = graph.image_publisher()
    graph.wait_until(infos.get_subscription_count, 'a subscription of camera_info')
    infos.publish(camera_info())
    graph.wait_until(lambda: node._calibration.received, 'the camera_info')
    depths.publish(depth_message(np.full((480, 640), 800), 1.0))
    graph.wait_until(lambda: node._depth.last_s, 'the depth')
    images.publish(image_message(noise(), 1.0))
    graph.wait_until(lambda: results.poses, 'a pose')
    assert results.poses[0].pose.pose.position.z == pytest.approx(0.8, abs=1e-6)
    graph.wait_for_state('ok')
    graph.spin_for(1.1)
    images.publish(image_message(noise(), 3.0))
    graph.wait_until(lambda: len(results.poses) == 2, 'a pose')
    assert results.poses[1].pose.pose.position.z == pytest.approx(500 * 0.165 / 80, rel=0.01)
    assert results.poses[1].pose.covariance[14] > 10 * results.poses[0].pose.covariance[14]
    graph.wait_for_log('have stopped', 'from the image alone')
    status = graph.wait_for_state('degraded: depth images on /depth/image have stopped')
    assert 'stopped' in values(status)['depth']
    depths.publish(depth_message(np.full((480, 640), 800), 4.0))
    graph.wait_until(lambda: node._depth._kept[-1].header.stamp.sec == 4, 'the depth')
    images.publish(image_message(noise(), 4.0))
    graph.wait_for_log('is good again')
