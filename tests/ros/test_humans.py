"""REP-155's topics: announced after some images, dropped after some misses, taken back at the end.

hri_msgs is not in the pip wheels, so its two messages are stood in for by classes with their fields; test_ros_humans_graph.py has the
real ones.
"""

import random
import re
import threading
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from head_poses import HEADER, head
from ros_calls import depth_message
from ros_graph import image_message, noise
from std_msgs.msg import Header

import sample
from c2f_head_pose.images import image_from_message
from c2f_head_pose.ros import humans
from c2f_head_pose.ros.humans import FaceNames, HumansOutput
from c2f_head_pose.ros.outputs import Outputs
from c2f_head_pose.types import FaceBox

pytestmark = pytest.mark.ros


@dataclass
class IdsList:
    header: Any
    ids: list


@dataclass
class Region:
    header: Any
    xmin: float
    ymin: float
    xmax: float
    ymax: float
    c: float


@dataclass
class Publisher:
    topic: str
    event_callbacks: Any = None
    sent: list = field(default_factory=list)
    acknowledged: list = field(default_factory=list)

    def publish(self, message):
        self.sent.append(message)

    def wait_for_all_acked(self, timeout):
        self.acknowledged = list(self.sent)

    def on_activate(self, _):
        pass

    def get_subscription_count(self):
        return 1


class Node:
    """Keeps the publishers that are open."""

    def __init__(self):
        self.open = {}

    def create_lifecycle_publisher(self, _, topic, qos, event_callbacks=None):
        return self.open.setdefault(topic, Publisher(topic, event_callbacks))

    def destroy_lifecycle_publisher(self, publisher):
        del self.open[publisher.topic]


def names_after(names, *images):
    for track_ids in images:
        names.update(track_ids)
    return names.announced


def test_a_face_is_announced_after_three_images_and_dropped_after_two_misses():
    names = FaceNames(3, 2)
    assert names_after(names, [1], [1]) == {}
    assert list(names_after(names, [1, 2])) == [1]
    name = names.announced[1]
    assert names_after(names, [2])[1] == name, 'one miss is forgiven, under the same name'
    assert list(names_after(names, [1, 2])) == [1, 2]
    assert list(names_after(names, [2], [2])) == [2]


def test_a_face_missed_before_it_is_announced_starts_anew_under_the_name_that_tf_has_shown():
    names = FaceNames(3, 5)
    names.update([1])
    name = names.names[1]
    assert names_after(names, [1], [], [1], [1]) == {} and names.names == {1: name}
    assert names_after(names, [1]) == {1: name}


def test_the_names_that_are_remembered_do_not_grow_without_end(monkeypatch):
    monkeypatch.setattr(humans, '_NAMES_KEPT', 50)
    names = FaceNames(3, 1)
    given = [names_after(names, [i]) or names.names[i] for i in range(200)]
    assert len(set(given)) == 200 and len(names._used) == 50


def test_a_face_never_announced_is_forgotten_with_its_track():
    followed = {1}
    names = FaceNames(3, 5, followed=followed.__contains__)
    names.update([1])
    followed.clear()
    assert names_after(names, []) == {} and names.names == {}


def test_a_face_whose_track_cannot_come_back_is_dropped_at_once():
    """Forgiven five misses, but its track timed out, or time jumped: whoever is seen now has a track of their own."""
    followed = {1}
    names = FaceNames(1, 5, followed=followed.__contains__)
    assert list(names_after(names, [1], [])) == [1]
    followed.clear()
    assert list(names_after(names, [2])) == [2]


def test_a_recording_that_starts_again_keeps_no_face_of_before(graph):
    """The one head of the sample, six images long, twice: seen from the seventh on it is a new face, and the only one."""
    node = graph.head_pose_node(hri=True)
    publisher = graph.image_publisher()
    announced = []
    passes = [(frame.image, frame.stamp_s + later_s) for later_s in (10.0, 0.0) for frame in sample.frames()[:6]]
    for count, (image, stamp_s) in enumerate(passes, 1):
        publisher.publish(image_message(image, stamp_s))
        graph.wait_until(lambda n=count: node._session.statistics.answered == n, 'the answer')
        announced.append(list(node._parts.outputs._names.announced.values()))
    assert [len(names) for names in announced] == 2 * [0, 0, 1, 1, 1, 1]
    assert announced[5] != announced[11]


@pytest.fixture
def emptied(monkeypatch):
    """Has an entry for each request to empty REP-155's list."""
    times = []
    monkeypatch.setattr(Outputs, 'nobody_tracked', lambda outputs: times.append(outputs))
    return times


def test_when_images_stop_the_list_is_emptied_and_again_after_others_came(graph, emptied):
    node = graph.head_pose_node(hri=True, silence_timeout_s=0.5)
    publisher = graph.image_publisher()
    for count, frame in enumerate(sample.frames()[:2], 1):
        publisher.publish(image_message(frame.image, frame.stamp_s))
        graph.wait_until(lambda n=count: node._session.statistics.answered == n, 'the answer')
        emptied.clear()
        graph.wait_until(lambda: emptied, 'the emptied list')


def cannot_be_read(graph, node, images):
    return lambda stamp_s: images.publish(image_message(noise(48, 64), stamp_s, step=7))


def model_fails(graph, node, images):
    def failing(*_, **__):
        raise RuntimeError('no memory')

    node._parts.estimator.estimate = failing
    return lambda stamp_s: images.publish(image_message(noise(48, 64), stamp_s))


def nobody_subscribes(graph, node, images):
    for subscription in [one for one in graph.probe.subscriptions if one.topic_name.startswith('/head_pose/')]:
        graph.probe.destroy_subscription(subscription)
    graph.wait_until(lambda: not node._parts.outputs.listeners, 'the last subscriber to leave')
    return lambda stamp_s: images.publish(image_message(noise(48, 64), stamp_s))


def both_streams_stop(graph, node, images):
    return lambda stamp_s: None


@pytest.mark.parametrize(
    'parameters, fault, state',
    [
        ({}, cannot_be_read, 'images cannot be read'),
        ({}, model_fails, 'model failed'),
        ({'lazy': True}, nobody_subscribes, 'idle'),
        ({'modality': 'rgbd'}, both_streams_stop, 'images have stopped'),
    ],
)
def test_the_list_is_emptied_whatever_the_reason_that_nothing_is_answered(graph, emptied, parameters, fault, state):
    """It is latched: who subscribes later would take whoever was in view before for present. The state names the reason at once, so of
    depth that has stopped too it does not say for another ten seconds that heads are found in it."""
    results = graph.hear_results()
    node = graph.head_pose_node(hri=True, silence_timeout_s=0.5, **parameters)
    images = graph.image_publisher()
    graph.wait_until(lambda: node._parts.outputs.listeners, 'a subscriber')
    if parameters.get('modality') == 'rgbd':
        graph.image_publisher(topic='/depth/image').publish(depth_message(np.full((48, 64), 800), 1.0))
        graph.wait_until(lambda: node._session.depth.last_s, 'the depth')
    images.publish(image_message(noise(48, 64), 1.0))
    graph.wait_until(lambda: node._session.statistics.answered == 1, 'the answer')
    graph.spin_for(0.1)
    assert not emptied
    send = fault(graph, node, images)
    for number in range(20):
        send(2.0 + number / 32)
        graph.spin_for(0.1)
    assert emptied
    assert results.diagnostics[-1].status[0].message.startswith(state)


def test_names_are_short_random_and_never_used_again():
    names, seen = FaceNames(1, 1, random.Random(1)), []
    for track_id in range(50):
        seen.append(names_after(names, [track_id])[track_id])
    assert len(set(seen)) == 50
    assert all(re.fullmatch('[a-z]{5}', name) for name in seen), 'a part of a topic name must not begin with a digit'


@pytest.fixture
def output(monkeypatch):
    monkeypatch.setattr(humans, 'IdsList', IdsList)
    monkeypatch.setattr(humans, 'NormalizedRegionOfInterest2D', Region)
    node, names = Node(), FaceNames(1, 1)
    made = HumansOutput(node, names)
    made.node, made.names = node, names
    return made


def publish(output, *poses):
    output.names.update([pose.track_id for pose in poses])
    output.publish(HEADER, poses, (64, 48), lambda: noise(48, 64))


def pictures_of(output, pose, picture, rotation_deg=0):
    """The pictures of the topics cropped and aligned, (128, 128, 3)."""
    output.names.update([pose.track_id])
    output.publish(HEADER, [pose], picture.shape[1::-1], lambda: picture, rotation_deg)
    topics = (output.node.open[f'/humans/faces/{output.names.announced[pose.track_id]}/{name}'] for name in ('cropped', 'aligned'))
    return [image_from_message(topic.sent[-1]).astype(float) for topic in topics]


@pytest.mark.parametrize('roll_deg', [0, 30, -60, 150])
def test_the_eyes_of_an_aligned_picture_are_level_whatever_the_roll(output, roll_deg):
    """Eyes 20 pixels to either side of (100, 100) and a forehead 20 above, turned clockwise: a box of 80 about them is cut with 104 pixels
    to 128, so 20 become 24.6 about the middle, 63.5.
    """
    picture = np.zeros((200, 200, 3), np.uint8)
    c, s = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
    for x, y, channel in ((-20, 0, 0), (20, 0, 1), (0, -20, 2)):
        disc = np.zeros((200, 200), np.uint8)
        cv2.circle(disc, (round(16 * (100 + c * x - s * y)), round(16 * (100 + s * x + c * y))), 16 * 4, 255, -1, shift=4)
        picture[..., channel] = disc
    _, aligned = pictures_of(output, head((0, 0, roll_deg), track_id=4, box=FaceBox(60, 60, 140, 140)), picture)
    rows, columns = np.mgrid[:128, :128]
    found = [(np.average(columns, weights=aligned[..., i]), np.average(rows, weights=aligned[..., i])) for i in range(3)]
    assert np.allclose(found, [(63.5 - 24.6, 63.5), (63.5 + 24.6, 63.5), (63.5, 63.5 - 24.6)], atol=1)


@pytest.mark.parametrize('rotation_deg', [90, 180, 270])
def test_a_turned_cameras_pictures_are_upright(output, rotation_deg):
    """The camera's image is the upright one turned back; a head in it is rolled by as much."""
    upright = cv2.GaussianBlur(noise(128, 128), (0, 0), 4)
    box = FaceBox(24, 24, 104, 104)
    cropped, aligned = pictures_of(output, head(track_id=4, box=box), upright)
    turned_back = np.ascontiguousarray(np.rot90(upright, rotation_deg // 90))
    roll_deg = (-rotation_deg + 180) % 360 - 180
    pictures = pictures_of(output, head((0, 0, roll_deg), track_id=4, box=box), turned_back, rotation_deg)
    assert np.abs(pictures[0] - cropped).mean() < 1
    assert np.abs(pictures[1] - aligned).mean() < 2


def test_each_face_has_its_region_and_a_picture_of_128_pixels(output):
    """A box from (16, 12) to (48, 60) of 64 x 48 pixels reaches beyond the bottom: 0.25, 0.25, 0.75, 1."""
    publish(output, head(track_id=4, score=0.75, box=FaceBox(16, 12, 48, 60)))
    name = output.names.announced[4]
    region = output.node.open[f'/humans/faces/{name}/roi'].sent[0]
    assert (region.xmin, region.ymin, region.xmax, region.ymax, region.c, region.header) == (0.25, 0.25, 0.75, 1.0, 0.75, HEADER)
    picture = output.node.open[f'/humans/faces/{name}/cropped'].sent[0]
    assert (picture.width, picture.height, picture.encoding, picture.header) == (128, 128, 'bgr8', HEADER)
    assert output.node.open['/humans/faces/tracked'].sent[-1].ids == [name]


def test_an_annotated_image_without_subscribers_is_not_drawn(output, monkeypatch):
    """Of depth alone a picture has to be made first; its region is known without."""
    monkeypatch.setattr(Publisher, 'get_subscription_count', lambda _: 0)
    output.names.update([4])
    output.publish(HEADER, [head(track_id=4)], (64, 48), lambda: pytest.fail('a picture was made'))
    name = output.names.announced[4]
    assert len(output.node.open[f'/humans/faces/{name}/roi'].sent) == 1
    assert output.node.open[f'/humans/faces/{name}/cropped'].sent == []


def test_the_picture_is_made_once_for_all_faces_and_topics(output):
    made = []
    output.names.update([4, 5])
    output.publish(HEADER, [head(track_id=4), head(track_id=5)], (64, 48), lambda: made.append(1) or noise(48, 64))
    assert made == [1] and sum(bool(publisher.sent) for publisher in output.node.open.values()) == 7


def test_the_topics_of_a_lost_face_are_removed_and_deactivation_clears_the_list(output):
    publish(output, head(track_id=4))
    publish(output)
    tracked = output.node.open['/humans/faces/tracked']
    assert list(output.node.open) == ['/humans/faces/tracked'] and tracked.sent[-1].ids == []
    publish(output, head(track_id=5))
    output.clear()
    assert list(output.node.open) == ['/humans/faces/tracked'] and tracked.sent[-1].ids == []
    before = len(tracked.sent)
    output.clear()
    assert len(tracked.sent) == before, 'once is enough'
    assert tracked.acknowledged == tracked.sent, 'a process that ends now must not take the last list along'
    output.destroy()
    assert output.node.open == {}


def test_publishers_of_faces_have_no_event_callbacks(output):
    """Faces leave in the worker's thread: an executor that waits on their publishers' events then ends with InvalidHandle."""
    publish(output, head(track_id=4))
    faces = [publisher for topic, publisher in output.node.open.items() if topic != '/humans/faces/tracked']
    assert len(faces) == 3 and not any(publisher.event_callbacks.use_default_callbacks for publisher in faces)


def test_subscribers_can_be_counted_while_a_face_is_removed(output, monkeypatch):
    """The list and three topics for each of two faces; none of them may go between the first that is asked and the last."""
    publish(output, head(track_id=4), head(track_id=5))
    leaving = threading.Thread(target=publish, args=(output,))

    def count(publisher):
        if leaving.ident is None:
            leaving.start()
            leaving.join(0.2)
        return int(publisher.topic in output.node.open)

    monkeypatch.setattr(Publisher, 'get_subscription_count', count)
    assert output.listeners == 7
    leaving.join()
    assert output.listeners == 1


def test_another_publisher_of_the_list_of_faces_is_reported_unless_the_own_list_is_elsewhere(graph, monkeypatch):
    """Nothing is answered, so that any type does for the list, also where hri_msgs is not installed."""
    monkeypatch.setattr(humans, 'IdsList', Header)
    graph.head_pose_node('/rear', {'/humans/faces/tracked': '/rear/faces/tracked'}, hri=True)
    graph.head_pose_node(hri=True)
    graph.spin_for(1.0)
    assert not [line for line in graph.log if '/humans/faces/tracked too' in line]
    other = graph.stranger()
    publisher = other.create_publisher(Header, '/humans/faces/tracked', 1)
    graph.wait_for_log('publishes /humans/faces/tracked too', 'hri')
    other.destroy_publisher(publisher)
    graph.wait_for_log('nobody else publishes /humans/faces/tracked any more')
    assert len([line for line in graph.log if 'tracked too' in line]) == 1


@pytest.mark.skipif(humans.IdsList is not None, reason='hri_msgs is installed')
def test_without_hri_msgs_the_node_states_once_which_output_is_missing(graph):
    graph.head_pose_node(hri=True)
    graph.wait_for_log('hri_msgs is not installed', '/humans/faces', 'ros-$ROS_DISTRO-hri-msgs')
