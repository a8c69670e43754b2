"""REP-155's topics with hri_msgs as it is, where it is installed: docs/without_apt.md builds it for the pip wheels."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')
pytest.importorskip('hri_msgs.msg', reason='needs hri_msgs')

from hri_msgs.msg import IdsList, NormalizedRegionOfInterest2D
from lifecycle_msgs.msg import Transition
from ros_calls import change
from ros_graph import LATCHED, image_message
from sensor_msgs.msg import Image

import sample
from c2f_head_pose import HeadPoseEstimator
from c2f_head_pose.crop import cut, square_about
from c2f_head_pose.images import image_from_message

pytestmark = pytest.mark.ros

TRACKED = '/humans/faces/tracked'


class Humans:
    """The node under REP-155, and what it says of the sample's one head, image by image."""

    def __init__(self, graph, **parameters):
        self.graph = graph
        self.lists = graph.hear(IdsList, TRACKED, LATCHED)
        self.node = graph.head_pose_node(hri=True, **parameters)
        self._publisher = graph.image_publisher()

    def answer(self, frame):
        """The list after this image, once it is there."""
        before = len(self.lists)
        self._publisher.publish(image_message(frame.image, frame.stamp_s))
        self.graph.wait_until(lambda: len(self.lists) > before, 'a list')
        return list(self.lists[-1].ids)

    def publishers(self, name):
        """How many publish each topic of a face."""
        return [self.graph.probe.count_publishers(f'/humans/faces/{name}/{topic}') for topic in ('roi', 'cropped', 'aligned')]


@pytest.fixture
def people(graph):
    return Humans(graph)


def test_a_face_is_announced_with_the_third_image_and_taken_back_by_deactivation(people):
    names = [people.answer(frame) for frame in sample.frames()[:4]]
    assert [len(some) for some in names] == [0, 0, 1, 1] and names[2] == names[3]
    assert people.lists[-1].header.frame_id == 'camera_optical'
    assert change(people.graph, Transition.TRANSITION_DEACTIVATE)
    people.graph.wait_until(lambda: not people.lists[-1].ids, 'the empty list')
    people.graph.wait_until(lambda: people.publishers(names[3][0]) == [0, 0, 0], 'the end of its topics')
    late = []
    people.graph.probe.create_subscription(IdsList, TRACKED, late.append, LATCHED)
    people.graph.wait_until(lambda: late, 'the list for who comes late')
    assert [list(message.ids) for message in late] == [[]]


def test_the_list_is_emptied_when_images_stop_and_filled_again_when_they_return(graph):
    people = Humans(graph, silence_timeout_s=1.0)
    names = [people.answer(frame) for frame in sample.frames()[:4]]
    assert len(names[3]) == 1
    people.graph.wait_until(lambda: not people.lists[-1].ids, 'the empty list')
    people.graph.wait_until(lambda: people.publishers(names[3][0]) == [0, 0, 0], 'the end of its topics')
    assert [len(people.answer(frame)) for frame in sample.frames()[30:34]] == [0, 0, 1, 1], 'a second later it is a new face'
    assert people.lists[-1].ids != names[3]


def test_the_region_is_the_estimators_box_and_the_crop_is_cut_about_it(people):
    """The node's estimator sees the same images under the same stamps, so finds the same boxes; float32 keeps seven digits."""
    frames, estimator = sample.frames()[:5], HeadPoseEstimator.load('c2f_edge')
    boxes = [estimator.estimate(frame.image, stamp_s=frame.stamp_s)[0].box for frame in frames]
    name = [people.answer(frame) for frame in frames[:4]][-1][0]
    regions = people.graph.hear(NormalizedRegionOfInterest2D, f'/humans/faces/{name}/roi')
    crops = people.graph.hear(Image, f'/humans/faces/{name}/cropped')
    people.graph.wait_until(lambda: people.node._parts.outputs.listeners == 3, 'the subscriptions')
    people.answer(frames[4])
    people.graph.wait_until(lambda: regions and crops, 'region and crop')
    height, width = frames[4].image.shape[:2]
    region, box = regions[0], boxes[4]
    expected = [box.x1 / width, box.y1 / height, box.x2 / width, box.y2 / height, box.score]
    assert np.allclose([region.xmin, region.ymin, region.xmax, region.ymax, region.c], expected, atol=1e-6)
    assert np.array_equal(image_from_message(crops[0]), cut(frames[4].image, square_about(box, 1.3), 128))
    assert region.header == crops[0].header == people.lists[-1].header


def test_the_executor_does_not_wait_on_a_faces_publishers(people):
    waited_on = len(list(people.node.waitables))
    assert [people.answer(frame) for frame in sample.frames()[:3]][-1]
    assert len(list(people.node.waitables)) == waited_on
