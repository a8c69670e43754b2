import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import GetState
from rclpy.parameter import Parameter
from ros_calls import change, set_atomically, values
from ros_graph import image_message, noise

from c2f_head_pose.ros.components import Parts

pytestmark = pytest.mark.ros


def state(graph) -> str:
    return graph.call(GetState, '/head_pose/get_state', GetState.Request()).current_state.label


def test_each_transition_by_service(graph):
    """Nothing is subscribed or published before activation; deactivation clears the outputs; cleanup frees the model; all of it twice."""
    results = graph.hear_results()
    node = graph.head_pose_node(autostart=False)
    assert state(graph) == 'unconfigured'
    publisher = graph.image_publisher(matched=False)
    for stamp in (1.0, 2.0):
        results.markers.clear()
        assert change(graph, Transition.TRANSITION_CONFIGURE) and state(graph) == 'inactive'
        assert publisher.get_subscription_count() == 0
        graph.wait_for_state('inactive')
        assert change(graph, Transition.TRANSITION_ACTIVATE) and state(graph) == 'active'
        graph.wait_until(publisher.get_subscription_count, 'the subscription')
        publisher.publish(image_message(noise(48, 64), stamp))
        graph.wait_until(lambda: results.markers, 'an answer')
        assert change(graph, Transition.TRANSITION_DEACTIVATE) and state(graph) == 'inactive'
        graph.wait_until(lambda: len(results.markers) == 2, 'the outputs to be cleared')
        assert len(results.markers[1].markers) == 1
        graph.wait_until(lambda: not publisher.get_subscription_count(), 'the subscription to end')
        assert change(graph, Transition.TRANSITION_CLEANUP) and state(graph) == 'unconfigured'
        assert node._parts is None and node.count_publishers('/head_pose/markers') == 0
    assert change(graph, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN) and state(graph) == 'finalized'


@pytest.mark.parametrize(
    'activated, transition', [(False, Transition.TRANSITION_INACTIVE_SHUTDOWN), (True, Transition.TRANSITION_ACTIVE_SHUTDOWN)]
)
def test_a_shutdown_from_any_state_takes_back_the_outputs_and_frees_the_model(graph, activated, transition):
    results = graph.hear_results()
    node = graph.head_pose_node(autostart=False)
    assert change(graph, Transition.TRANSITION_CONFIGURE)
    if activated:
        assert change(graph, Transition.TRANSITION_ACTIVATE)
        graph.image_publisher().publish(image_message(noise(48, 64)))
        graph.wait_until(lambda: results.markers, 'an answer')
        results.markers.clear()
    assert change(graph, transition) and state(graph) == 'finalized'
    assert node._parts is None and node._session is None
    status = graph.wait_for_state('shut down: it cannot be configured any more; end the process and start it again')
    assert values(status)['state'] == 'finalized'
    if activated:
        graph.wait_until(lambda: results.markers, 'the outputs to be cleared')
        assert len(results.markers[0].markers) == 1


def test_an_error_in_a_transition_leaves_a_node_that_can_be_configured_again(graph, monkeypatch):
    """The publishers are made to fail once when they are removed, as a middleware might: error processing ends unconfigured."""
    node = graph.head_pose_node()
    assert change(graph, Transition.TRANSITION_DEACTIVATE)
    destroy, failed = Parts.destroy, []

    def failing(parts):
        destroy(parts)
        if not failed:
            failed.append(True)
            raise RuntimeError('the middleware is gone')

    monkeypatch.setattr(Parts, 'destroy', failing)
    change(graph, Transition.TRANSITION_CLEANUP)
    assert failed and state(graph) == 'unconfigured' and not node._shut_down
    assert change(graph, Transition.TRANSITION_CONFIGURE) and change(graph, Transition.TRANSITION_ACTIVATE)
    assert state(graph) == 'active'


def test_a_missing_model_leaves_the_node_unconfigured_until_the_parameter_is_right(graph):
    graph.hear_results()
    graph.head_pose_node(model='no_such_model')
    graph.wait_for_log("not configured: no model 'no_such_model'", 'c2f_edge')
    assert state(graph) == 'unconfigured'
    assert graph.wait_for_state("could not be configured: no model 'no_such_model'").level == b'\x02'
    assert not change(graph, Transition.TRANSITION_CONFIGURE)
    assert set_atomically(graph, model='c2f_edge').successful
    assert change(graph, Transition.TRANSITION_CONFIGURE) and change(graph, Transition.TRANSITION_ACTIVATE)
    assert state(graph) == 'active'


def test_a_damaged_model_file_leaves_the_node_unconfigured(graph, tmp_path):
    path = tmp_path / 'damaged.onnx'
    path.write_bytes(b'no network')
    graph.head_pose_node(model=str(path))
    graph.wait_for_log('not configured', str(path))
    assert state(graph) == 'unconfigured'


def test_wrong_parameters_at_start_are_all_named_and_can_be_corrected(graph):
    graph.head_pose_node(detection_threshold=3.0, threads='many')
    graph.wait_for_log('not configured', 'detection_threshold cannot be 3.0: use a number, 0.01 to 0.99', "threads cannot be 'many'")
    assert state(graph) == 'unconfigured'
    assert set_atomically(graph, detection_threshold=0.5, threads=1).successful
    assert change(graph, Transition.TRANSITION_CONFIGURE)


def test_a_failed_activation_is_reported_and_can_be_tried_again(graph):
    """Two subscriptions of one topic with different types cannot be in one participant; the probe's keeps the node from subscribing."""
    from sensor_msgs.msg import CompressedImage

    blocking = graph.probe.create_subscription(CompressedImage, '/image', lambda _: None, 1)
    graph.head_pose_node()
    graph.wait_for_log('cannot subscribe to /image')
    assert state(graph) == 'inactive'
    graph.probe.destroy_subscription(blocking)
    assert change(graph, Transition.TRANSITION_ACTIVATE) and state(graph) == 'active'


@pytest.mark.parametrize('end', [signal.SIGINT, signal.SIGTERM])
def test_the_process_takes_back_its_output_and_exits_with_0_on_a_signal(graph, end):
    """The child is started from Python: a shell would let its background jobs ignore SIGINT."""
    results = graph.hear_results()
    child = subprocess.Popen(
        [sys.executable, '-m', 'c2f_head_pose.ros.node'], cwd=Path(__file__).parents[2], env=os.environ, stderr=subprocess.PIPE, text=True
    )
    try:
        publisher = graph.image_publisher()
        graph.wait_until(lambda: (publisher.publish(image_message(noise(48, 64))), results.markers)[1], 'an answer')
        graph.spin_for(0.2)
        results.markers.clear()
        child.send_signal(end)
        graph.wait_until(lambda: results.markers, 'the outputs to be cleared')
        assert child.wait(10) == 0
        assert 'Traceback' not in child.stderr.read()
    finally:
        child.kill()
        child.communicate()


def test_opencv_has_as_many_threads_as_the_networks(graph):
    """Its own default, a thread for each core, costs up to twice the processor time."""
    before = cv2.getNumThreads()
    try:
        for threads in (2, 1):
            graph.head_pose_node(f'with_{threads}', threads=threads)
            assert cv2.getNumThreads() == threads
    finally:
        cv2.setNumThreads(before)


def test_parameters_can_be_set_in_any_state(graph):
    node = graph.head_pose_node(autostart=False)
    assert node.set_parameters([Parameter('model', value='other')])[0].successful
    assert node.set_parameters([Parameter('max_faces', value=3)])[0].successful
    assert node._declared.parameters.max_faces == 3
