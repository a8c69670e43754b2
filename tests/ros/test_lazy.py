"""Nothing computed that nobody reads; memory given back."""

import gc
import weakref

import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from lifecycle_msgs.msg import Transition
from ros_calls import change
from ros_graph import image_message, noise
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

pytestmark = pytest.mark.ros


def test_a_lazy_node_answers_only_while_somebody_subscribes(graph):
    from diagnostic_msgs.msg import DiagnosticArray

    graph.hear(DiagnosticArray, '/diagnostics')
    node = graph.head_pose_node(lazy=True)
    publisher = graph.image_publisher()
    for number in range(3):
        publisher.publish(image_message(noise(48, 64), 1.0 + number))
        graph.wait_until(lambda n=number: node._session.statistics.images > n, 'the image')
    graph.wait_for_state('idle, nobody subscribes')
    assert node._session.statistics.answered == 0
    answers = graph.hear(MarkerArray, '/head_pose/markers')
    graph.wait_until(lambda: node._parts.outputs.listeners, 'the subscription')
    publisher.publish(image_message(noise(48, 64), 9.0))
    graph.wait_until(lambda: answers, 'an answer')
    assert answers[0].markers[0].header.stamp.sec == 9


def test_cleanup_frees_the_memory(graph):
    """Each cleanup frees what the model takes, the weights alone are some megabytes; the libraries stay, and nothing adds up."""
    psutil = pytest.importorskip('psutil', reason='needs psutil')
    graph.head_pose_node(autostart=False)

    def resident_mb():
        return psutil.Process().memory_info().rss / 1e6

    def cycle():
        assert change(graph, Transition.TRANSITION_CONFIGURE)
        configured_mb = resident_mb()
        assert change(graph, Transition.TRANSITION_CLEANUP)
        return configured_mb, resident_mb()

    cycles = [cycle() for _ in range(8)]
    print('resident memory configured and cleaned up, MB:', cycles)
    assert all(configured - cleaned > 4 for configured, cleaned in cycles[3:])
    assert cycles[-1][1] - cycles[3][1] < 4


@pytest.mark.parametrize('modality', ['rgb', 'rgbd'])
def test_what_ends_is_freed_at_once_not_when_the_collector_passes(graph, modality):
    """With Python's collector off, whatever is in a circle of references stays: deactivating must leave nothing of the session, cleaning
    up nothing of the parts. Session and subscriptions once held each other, and with them the models of every cleanup."""
    annotated = graph.hear(Image, '/head_pose/image_annotated')
    node = graph.head_pose_node(modality=modality)
    publisher = graph.image_publisher()
    gc.collect()
    gc.disable()
    try:
        for _ in range(2):
            graph.wait_until(lambda: publisher.get_subscription_count() and node._parts.outputs.listeners, 'both subscriptions')
            publisher.publish(image_message(noise(48, 64)))
            graph.wait_until(lambda: annotated, 'an annotated image')
            annotated.clear()
            session, parts = node._session, node._parts
            of_session = [weakref.ref(part) for part in (session, session.statistics, session.calibration, session.images_in)]
            of_parts = [weakref.ref(part) for part in (parts, parts.estimator, parts.outputs)]
            del session, parts
            assert change(graph, Transition.TRANSITION_DEACTIVATE)
            assert [ref() for ref in of_session] == [None] * 4
            assert change(graph, Transition.TRANSITION_CLEANUP)
            assert [ref() for ref in of_parts] == [None] * 3
            assert change(graph, Transition.TRANSITION_CONFIGURE) and change(graph, Transition.TRANSITION_ACTIVATE)
    finally:
        gc.enable()
