"""Advice about topics: the one that fits is named, and following the advice works."""

from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from ros_graph import SENSOR, camera_info, image_message, noise
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from c2f_head_pose.ros.watchdog import owner_of
from c2f_head_pose.topic_names import colour_topics, depth_topics, is_depth, is_rectified

pytestmark = pytest.mark.ros

REALSENSE = [
    '/camera/camera/aligned_depth_to_color/image_raw',
    '/camera/camera/color/image_raw',
    '/camera/camera/depth/image_rect_raw',
    '/camera/camera/infra1/image_rect_raw',
]
AZURE_KINECT = ['/depth/image_raw', '/depth_to_rgb/image_raw', '/ir/image_raw', '/rgb/image_raw']
OAK = ['/oak/left/image_raw', '/oak/rgb/image_raw', '/oak/stereo/image_raw']
ZED = [
    '/zed/zed_node/confidence/confidence_map',
    '/zed/zed_node/depth/depth_registered',
    '/zed/zed_node/left/image_rect_gray',
    '/zed/zed_node/rgb/image_rect_color',
]
GAZEBO = ['/depth_camera/depth/image_raw', '/depth_camera/image_raw']


@pytest.mark.parametrize(
    'topics, colour, depth_beside, depth_alone',
    [
        (REALSENSE, REALSENSE[1], REALSENSE[0], REALSENSE[2]),
        (AZURE_KINECT, '/rgb/image_raw', '/depth_to_rgb/image_raw', '/depth/image_raw'),
        (OAK, '/oak/rgb/image_raw', '/oak/stereo/image_raw', '/oak/stereo/image_raw'),
        (ZED, ZED[3], ZED[1], ZED[1]),
        (GAZEBO, '/depth_camera/image_raw', GAZEBO[0], GAZEBO[0]),
    ],
    ids=['realsense', 'azure kinect', 'oak', 'zed', 'gazebo'],
)
def test_colour_comes_first_and_depth_never_and_aligned_depth_beside_images(topics, colour, depth_beside, depth_alone):
    assert colour_topics(topics)[0] == colour
    assert not set(colour_topics(topics)) & set(depth_topics(topics, True))
    assert depth_topics(topics, aligned_first=True)[0] == depth_beside
    assert depth_topics(topics, aligned_first=False)[0] == depth_alone


@pytest.mark.parametrize('topic', ['/rear/head_pose/image_annotated', '/yolo/debug/image', '/apriltag/detections_overlay/compressed'])
def test_a_picture_that_another_node_draws_is_no_camera(topic):
    """Neither alone nor beside a camera: its lines and texts hide the faces."""
    assert colour_topics([topic]) == []
    assert colour_topics([topic, '/cam/image_raw']) == ['/cam/image_raw']


def test_beside_another_head_pose_alone_its_drawing_is_not_advised(graph):
    graph.head_pose_node(namespace='rear', remaps={'image': '/rear/image'}, silence_timeout_s=0.3)
    start(graph, {})
    line = graph.wait_for_log('nobody publishes /image; ')
    assert 'annotated' not in line and 'start the camera driver' in line


@pytest.mark.parametrize('name, shown', [('_NODE_NAME_UNKNOWN_', 'an unnamed node'), ('driver', '/cam/driver')])
def test_a_publisher_without_a_known_node_is_called_unnamed(name, shown):
    """rmw's placeholder appears until discovery has brought the node, and stays for DDS programs that are no ROS nodes."""
    assert owner_of(SimpleNamespace(node_namespace='_NODE_NAMESPACE_UNKNOWN_' if 'UNKNOWN' in name else '/cam', node_name=name)) == shown


@pytest.mark.parametrize('topic', ['/camera/depth/image_raw/compressed', '/camera/depth_registered/image_raw', '/tof/image_depth'])
def test_depth_is_recognised_in_any_transport(topic):
    assert is_depth(topic)


@pytest.mark.parametrize(
    'topic, rectified',
    [
        ('/camera/image_rect_color', True),
        ('/camera/infra1/image_rect_raw', True),
        ('/rectified/image', True),
        ('/cam/undistorted', True),
        ('/camera/image_raw', False),
        ('/camera/image_raw/compressed', False),
        ('/image', None),
        ('/direct/image', None),
    ],
)
def test_the_name_of_a_topic_shows_rectified_images_raw_ones_or_neither(topic, rectified):
    assert is_rectified(topic) is rectified


def start(graph, remaps, **parameters):
    """The node as `ros2 run ... --ros-args -r` starts it."""
    return graph.head_pose_node(remaps=remaps, silence_timeout_s=0.3, **parameters)


@pytest.mark.parametrize('remap', ['/cam/image_raw/compressed', '/image'])
def test_compressed_images_are_found_by_the_name_without_their_suffix(graph, remap):
    """With image_transport compressed, /compressed is added to the remapped name: naming it too asks for it twice."""
    graph.stranger().create_publisher(CompressedImage, '/cam/image_raw/compressed', 1)
    start(graph, {'image': remap}, image_transport='compressed')
    graph.wait_for_log(f'nobody publishes {remap}/compressed; remap it, as in image:=/cam/image_raw (')


def test_raw_asked_of_a_compressed_topic_names_transport_and_remap_together(graph):
    graph.stranger().create_publisher(CompressedImage, '/usb_cam/image_raw/compressed', 1)
    start(graph, {'image': '/usb_cam/image_raw/compressed'})
    graph.wait_for_log('set image_transport to compressed and remap image:=/usb_cam/image_raw')


@pytest.mark.parametrize('transport, first', [('raw', 'set image_transport to compressed and remap'), ('compressed', 'remap it, as in')])
def test_a_compressed_topic_of_another_name_is_reached_as_advised(graph, transport, first):
    other = graph.stranger().create_publisher(CompressedImage, '/phone/jpeg', 1)
    start(graph, {}, image_transport=transport)
    graph.wait_for_log(f'{first} image/compressed:=/phone/jpeg')
    start(graph, {'image/compressed': '/phone/jpeg'}, namespace='again', image_transport='compressed')
    graph.wait_until(other.get_subscription_count, 'a subscription')


def test_beside_a_depth_camera_the_colour_topic_is_advised_and_alone_its_modality(graph):
    stranger = graph.stranger()
    publishers = [stranger.create_publisher(Image, topic, 1) for topic in REALSENSE]
    start(graph, {})
    line = graph.wait_for_log('nobody publishes /image; remap it, as in image:=/camera/camera/color/image_raw')
    assert 'depth' not in line
    for publisher in (publishers[1], publishers[3]):
        stranger.destroy_publisher(publisher)
    graph.wait_for_log('only depth images are published', 'modality to depth')


def test_depth_alone_is_led_to_a_depth_topic(graph):
    stranger = graph.stranger()
    for topic in AZURE_KINECT:
        stranger.create_publisher(Image, topic, 1)
    start(graph, {}, modality='depth')
    graph.wait_for_log('nobody publishes /depth/image; remap it, as in depth/image:=/depth/image_raw')


def raw_and_rectified() -> CameraInfo:
    """A wide lens: rays of K and D, and of P, differ."""
    info = camera_info(focal=500.0)
    info.d = [-0.35, 0.12, 0.0, 0.0, 0.0]
    info.p = [330.0, 0.0, 320.0, 0.0, 0.0, 330.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


@pytest.mark.parametrize(
    'topic, rectified, words',
    [
        ('/cam/image_rect', False, ('/cam/image_rect is the name of rectified images', 'set rectified to true')),
        ('/left/image_rect_color', False, ('set rectified to true',)),
        ('/cam/image_raw', True, ('/cam/image_raw is the name of raw images', 'set rectified to false')),
    ],
)
def test_a_topic_whose_name_contradicts_rectified_is_warned_of_with_the_parameter(graph, topic, rectified, words):
    node = start(graph, {'image': topic}, rectified=rectified)
    calibrated(graph, node, topic, raw_and_rectified())
    graph.wait_for_log(*words)
    assert words[-1] in node._session.calibration.status


@pytest.mark.parametrize(
    'topic, rectified, info',
    [
        ('/cam/image_rect', True, raw_and_rectified()),
        ('/cam/image_raw', False, raw_and_rectified()),
        ('/image', True, raw_and_rectified()),
        ('/infra1/image_rect_raw', False, camera_info()),
    ],
)
def test_agreement_or_a_lens_without_distortion_is_not_warned_of(graph, topic, rectified, info):
    node = start(graph, {'image': topic}, rectified=rectified)
    calibrated(graph, node, topic, info)
    assert 'set rectified' not in ' '.join(graph.log) + node._session.calibration.status


def test_a_lens_model_that_ends_within_the_image_is_warned_of(graph):
    """k1 = -0.5 at f = 500: nothing is seen beyond 272 pixels from the centre, the corners are 400 away."""
    node = start(graph, {'image': '/cam/image_raw'})
    info = camera_info(focal=500.0)
    info.d = [-0.5, 0.0, 0.0, 0.0, 0.0]
    calibrated(graph, node, '/cam/image_raw', info)
    graph.wait_for_log("does not reach the image's corners", 'Calibrate with pictures')
    assert 'does not reach' in node._session.calibration.status


def calibrated(graph, node, topic, info):
    infos = graph.probe.create_publisher(CameraInfo, '/camera_info', SENSOR)
    graph.wait_until(infos.get_subscription_count, 'a subscription of camera_info')
    infos.publish(info)
    graph.wait_until(lambda: node._session.calibration.received, 'the camera_info')
    graph.image_publisher(topic=topic).publish(image_message(noise(), 1.0))
    graph.wait_until(lambda: node._session.statistics.answered, 'an answer')
