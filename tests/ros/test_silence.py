"""Silence always has a printed reason and a remedy within five seconds."""

import threading
import time

import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from ros_graph import image_message, noise
from sensor_msgs.msg import CompressedImage, Image

pytestmark = pytest.mark.ros


def test_without_a_publisher_the_reason_comes_within_five_seconds_and_names_the_topic_to_remap(graph):
    graph.hear_results()
    graph.probe.create_publisher(Image, '/camera/image_raw', 1)
    graph.head_pose_node()
    start = time.monotonic()
    graph.wait_for_log('nobody publishes /image', 'image:=/camera/image_raw')
    assert time.monotonic() - start < 5
    graph.wait_for_state('no image yet: nobody publishes /image')


def test_a_publisher_that_sends_nothing_is_named(graph):
    graph.head_pose_node(silence_timeout_s=0.5)
    graph.probe.create_publisher(Image, '/image', 1)
    graph.wait_for_log('/probe publishes /image but nothing arrives', 'ros2 topic hz')


def test_a_publisher_of_another_type_is_distinguished(graph):
    graph.stranger().create_publisher(CompressedImage, '/image', 1)
    graph.head_pose_node(silence_timeout_s=0.5)
    graph.wait_for_log('sensor_msgs/msg/CompressedImage', 'image_transport')


def test_incompatible_qos_is_reported_with_its_remedy(graph):
    """The subscription is overridden to reliable, the publisher offers best effort."""
    graph.head_pose_node(**{'qos_overrides./image.subscription.reliability': 'reliable'})
    graph.probe.create_publisher(Image, '/image', QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT))
    graph.wait_for_log('/probe', 'incompatible QoS', 'qos_overrides./image.subscription')


def test_a_second_camera_of_incompatible_qos_is_reported_and_the_first_is_not_called_silent(graph):
    graph.hear_results()
    node = graph.head_pose_node(**{'qos_overrides./image.subscription.reliability': 'reliable'})
    publisher = graph.probe.create_publisher(Image, '/image', 1)
    graph.wait_until(lambda: publisher.get_subscription_count(), 'the subscription')
    publisher.publish(image_message(noise(48, 64), 1.0))
    graph.wait_until(lambda: node._session.statistics.answered == 1, 'an answer')
    graph.stranger().create_publisher(Image, '/image', QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT))
    graph.wait_for_log('incompatible QoS', 'qos_overrides./image.subscription')
    assert 'incompatible' not in node._session.silence
    graph.wait_until(lambda: node._session.silence.startswith('/probe still has /image open'), 'the silence of the first')


def test_a_subscriber_whose_qos_cannot_be_met_is_reported(graph):
    from ros_graph import LATCHED
    from visualization_msgs.msg import MarkerArray

    graph.head_pose_node()
    graph.hear(MarkerArray, '/head_pose/markers', LATCHED)
    graph.wait_for_log('~/markers', 'QoS', 'volatile')


def test_a_lost_camera_is_reported_and_its_return_too(graph):
    results = graph.hear_results()
    graph.head_pose_node(silence_timeout_s=1.0)
    publisher = graph.image_publisher()
    publisher.publish(image_message(noise(48, 64), 1.0))
    graph.wait_until(lambda: results.markers, 'an answer')
    graph.wait_for_log('/probe still has /image open but sends nothing more')
    assert graph.wait_for_state('images have stopped').level == b'\x02'
    graph.probe.destroy_publisher(publisher)
    graph.wait_for_log('the publisher of /image has gone')
    graph.image_publisher().publish(image_message(noise(48, 64), 2.0))
    graph.wait_for_log('images arrive on /image')


def test_results_without_a_subscriber_are_reported(graph):
    graph.head_pose_node(silence_timeout_s=1.0)
    graph.image_publisher().publish(image_message(noise(48, 64), 1.0))
    graph.wait_for_log('nobody subscribes to /head_pose/head_pose', 'ros2 topic echo')


def test_silence_is_explained_under_simulated_time_without_a_clock(graph):
    graph.head_pose_node(silence_timeout_s=0.5, use_sim_time=True)
    graph.wait_for_log('nobody publishes /image')


def test_an_unknown_parameter_is_reported_with_the_name_meant(graph):
    graph.head_pose_node(detection_treshold=0.5)
    graph.wait_for_log('detection_treshold is not known', 'did you mean detection_threshold?')


def test_an_image_that_replaces_the_wake_up_of_silence_is_not_counted_as_overtaking_one(graph):
    """The second image is in work while silence is noticed; its wake-up waits in the mailbox, and the third image takes that place."""
    node = graph.head_pose_node(silence_timeout_s=0.3)
    entered, release = threading.Event(), threading.Event()
    estimate = node._parts.estimator.estimate

    def slow(image, **given):
        entered.set()
        assert release.wait(30)
        return estimate(image, **given)

    node._parts.estimator.estimate = slow
    publisher = graph.image_publisher()
    release.set()
    publisher.publish(image_message(noise(48, 64), 1.0))
    graph.wait_until(lambda: node._session.statistics.answered == 1, 'the first answer')
    entered.clear()
    release.clear()
    publisher.publish(image_message(noise(48, 64), 2.0))
    graph.wait_until(entered.is_set, 'the second image in work')
    graph.wait_until(lambda: node._session._worker._waiting, 'the wake-up')
    publisher.publish(image_message(noise(48, 64), 3.0))
    graph.wait_until(lambda: node._session.statistics.images == 3, 'the third image')
    release.set()
    graph.wait_until(lambda: node._session.statistics.answered == 3, 'all answers')
    assert sum(node._session.statistics.dropped.values()) == 0
