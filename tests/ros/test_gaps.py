"""Images that were sent and never came."""

import pytest

from c2f_head_pose.ros.gaps import SequenceGaps


def settled(*numbers, publishers=1) -> int:
    gaps = SequenceGaps()
    for number in numbers:
        gaps.take({'publication_sequence_number': number})
    return gaps.settle(publishers)


def test_images_missing_between_two_sequence_numbers_were_lost():
    """4, 5, 8, 12 lack 6, 7 and 9, 10, 11; what came before 4 was sent before anybody listened."""
    assert settled(4, 5, 8, 12) == 5
    assert settled(4, 5, 6) == settled(7) == settled() == 0


def test_numbers_of_two_publishers_or_of_one_that_restarted_are_no_losses():
    assert settled(500, 1, 501, 2) == 0
    assert settled(1, 900, publishers=2) == 0
    assert settled(70, 1, 2) == 0


def test_each_loss_is_reported_once_and_counting_goes_on():
    gaps = SequenceGaps()
    for first, last in ((1, 3), (5, 6), (7, 8)):
        for number in (first, last):
            gaps.take({'publication_sequence_number': number})
        assert gaps.settle(1) == (last - first - 1) + (first == 5)


def test_a_middleware_without_numbers_counts_nothing():
    gaps = SequenceGaps()
    gaps.take({'publication_sequence_number': None})
    assert gaps.settle(1) == 0


@pytest.mark.ros
def test_images_overwritten_before_the_node_took_them_are_counted_and_reported(graph):
    """One image is answered, then twelve are sent at once while nobody spins: a queue of one keeps the last; all 13 are accounted for."""
    pytest.importorskip('rclpy', reason='needs rclpy')
    from ros_calls import values
    from ros_graph import image_message, noise

    results = graph.hear_results()
    node = graph.head_pose_node()
    publisher = graph.image_publisher()
    picture = noise(48, 64)
    publisher.publish(image_message(picture, 1.0))
    graph.wait_until(lambda: results.markers, 'an answer')
    for number in range(12):
        publisher.publish(image_message(picture, 2.0 + number / 8))
    statistics = node._session.statistics
    graph.wait_until(lambda: statistics.dropped.get('not delivered', 0) + statistics.images == 13, 'every image to be accounted for')
    assert statistics.dropped['not delivered'] >= 10
    graph.wait_for_log('images on /image were sent and never came', 'config/fastdds.xml')
    graph.wait_for_state('images were sent and never came: the network connection loses them')
    graph.wait_until(lambda: results.diagnostics and 'dropped: not delivered' in values(results.diagnostics[-1].status[0]), 'the count')
