"""The node takes the QoS of whoever publishes."""

import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

import rclpy
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from ros_graph import LATCHED, SENSOR, camera_info
from sensor_msgs.msg import CameraInfo, Image

from c2f_head_pose.ros.inputs import Inputs

pytestmark = pytest.mark.ros
RELIABLE, BEST_EFFORT = QoSReliabilityPolicy.RELIABLE, QoSReliabilityPolicy.BEST_EFFORT


def test_a_calibration_latched_before_the_node_came_is_received(graph):
    graph.probe.create_publisher(CameraInfo, '/camera_info', LATCHED).publish(camera_info())
    node = graph.head_pose_node()
    graph.wait_until(lambda: node._session.calibration.received, 'the latched calibration')


def test_the_subscription_follows_the_publishers(graph):
    """Nobody: best effort. One reliable publisher: reliable. A best-effort one beside it: best effort, which matches both."""
    node = graph.head_pose_node()
    assert node._session.images_in.qos.reliability == BEST_EFFORT
    graph.probe.create_publisher(Image, '/image', QoSProfile(depth=1, reliability=RELIABLE))
    graph.wait_until(lambda: node._session.images_in.qos.reliability == RELIABLE, 'a reliable subscription')
    assert node._session.images_in.qos.durability == QoSDurabilityPolicy.VOLATILE
    graph.probe.create_publisher(Image, '/image', SENSOR)
    graph.wait_until(lambda: node._session.images_in.qos.reliability == BEST_EFFORT, 'a best-effort subscription')


def test_an_override_stays_as_the_user_set_it(graph):
    node = graph.head_pose_node(**{'qos_overrides./image.subscription.reliability': 'best_effort'})
    graph.image_publisher(qos=QoSProfile(depth=1, reliability=RELIABLE))
    graph.spin_for(0.6)
    assert node._session.images_in.qos.reliability == BEST_EFFORT


def test_a_publisher_that_is_met_half_way_is_no_news(graph):
    """A best-effort publisher beside a reliable one does not match the node's reliable subscription for a moment only."""
    node = graph.head_pose_node()
    graph.probe.create_publisher(Image, '/image', QoSProfile(depth=1, reliability=RELIABLE))
    graph.wait_until(lambda: node._session.images_in.qos.reliability == RELIABLE, 'a reliable subscription')
    graph.probe.create_publisher(Image, '/image', SENSOR)
    graph.wait_until(lambda: node._session.images_in.qos.reliability == BEST_EFFORT, 'a best-effort subscription')
    graph.spin_for(0.5)
    said = [message.msg for message in graph.heard['/rosout'] if message.name == 'head_pose']
    assert [line for line in said if 'incompatible' in line or 'no image' in line] == []


def test_a_calibration_of_incompatible_qos_is_distinguished_from_silence(graph):
    """The override asks camera_info to be reliable, its publisher offers best effort; images are not the matter."""
    graph.head_pose_node(**{'qos_overrides./camera_info.subscription.reliability': 'reliable'})
    graph.probe.create_publisher(CameraInfo, '/camera_info', SENSOR)
    graph.wait_for_log('/probe publishes /camera_info with incompatible QoS', 'qos_overrides./camera_info.subscription')
    assert [line for line in graph.log if 'no image' in line] == []


class WithoutPrivateNames:
    """A real node seen without rclpy's private attributes, which another version may name otherwise."""

    def __init__(self, node):
        self._real = node

    def __getattr__(self, name):
        if name.startswith('_'):
            raise AttributeError(name)
        return getattr(self._real, name)


@pytest.mark.parametrize('policy, value', [('reliability', 'reliable'), ('durability', 'transient_local'), ('depth', 7)])
def test_an_override_holds_whatever_rclpy_calls_its_private_attributes(graph, policy, value):
    override = Parameter(f'qos_overrides./camera/image.subscription.{policy}', value=value)
    node = graph.add(rclpy.create_node('listener', context=graph.context, parameter_overrides=[override]))
    inputs = Inputs(WithoutPrivateNames(node), lambda one: None)
    overridden = inputs.add(Image, '/camera/image', lambda message: None)
    other = inputs.add(Image, '/other/image', lambda message: None)
    assert (overridden.overridden, other.overridden) == (True, False)
    assert node.get_parameter(f'qos_overrides./camera/image.subscription.{policy}').value == value, 'rclpy applied it'
    if policy != 'depth':  # discovery does not tell the depth
        assert getattr(node.get_subscriptions_info_by_topic('/camera/image')[0].qos_profile, policy).name.lower() == value
