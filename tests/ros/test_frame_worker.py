"""The worker behind the mailbox: late images, and errors beside the estimator."""

from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from ros_graph import header, image_message, noise

from c2f_head_pose.parameters import Parameters
from c2f_head_pose.ros.frame_worker import FrameWorker


def at(stamp_s: float) -> SimpleNamespace:
    """An image of which only the stamp matters."""
    return SimpleNamespace(header=header(stamp_s))


@pytest.fixture
def idle_worker():
    """A worker whose images are not read, and what it counted and said."""
    said, dropped = [], []
    statistics = SimpleNamespace(count_drop=dropped.append)
    notices = SimpleNamespace(once=lambda key, *_: said.append(key), throttled=lambda key, *_, **__: said.append(key))
    monitoring = SimpleNamespace(statistics=statistics, notices=notices, topic='image')
    parts = SimpleNamespace(estimator=SimpleNamespace(follows=lambda _: True, reset=lambda: None), outputs=None, mount=None)
    worker = FrameWorker(parts, None, None, monitoring, Parameters, lambda: 0.0)
    worker._try = lambda message, depth_alone: worker._usable_stamp(message.header)
    worker.empty_stale_list = lambda: None
    return worker, said, dropped


def test_images_that_come_again_after_depth_was_answered_alone_are_not_blamed_on_a_second_publisher(idle_worker):
    """Depth reached 10.066 s; the first image to come again is of 10.050 s."""
    worker, said, dropped = idle_worker
    for stamp_s, depth_alone in ((10.0, False), (10.033, True), (10.066, True), (10.05, False), (10.083, False)):
        worker.answer(at(stamp_s), depth_alone)
    assert (said, dropped) == ([], ['late'])
    worker.answer(at(10.06), False)
    assert (said, dropped) == (['late'], ['late', 'late'])


@pytest.mark.ros
def test_an_error_beside_the_estimator_does_not_end_the_worker(graph, monkeypatch):
    """Neither after an image, nor where the worker is woken because no image comes."""
    failures = []

    def fail(_):
        failures.append(1)
        raise KeyError('silence_timeout_s')

    monkeypatch.setattr(FrameWorker, 'empty_stale_list', fail)
    results = graph.hear_results()
    graph.head_pose_node(silence_timeout_s=0.2)
    publisher = graph.image_publisher()
    publisher.publish(image_message(noise(48, 64), 1.0))
    graph.wait_until(lambda: len(results.markers) == 1, 'an answer')
    graph.wait_for_log('KeyError', 'silence_timeout_s', 'report it')
    graph.wait_until(lambda: len(failures) > 2, 'the worker to be woken')
    publisher.publish(image_message(noise(48, 64), 2.0))
    graph.wait_until(lambda: len(results.markers) == 2, 'another answer')
