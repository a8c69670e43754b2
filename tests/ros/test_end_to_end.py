"""The sample recording through head_pose on the real graph: a rendered person looks around."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from geometry_msgs.msg import PoseStamped
from ros_calls import stamp_ns
from ros_graph import LATCHED
from sensor_msgs.msg import CameraInfo, Image

from c2f_head_pose.geometry import faces_camera, geodesic_deg, rotation_from_quaternion, rotation_from_ypr_deg
from c2f_head_pose.ros.replay.recording import Recording

SAMPLE = Path(__file__).parents[2] / 'sample' / 'head_motion'
pytestmark = [pytest.mark.ros, pytest.mark.skipif(not SAMPLE.exists(), reason='needs the sample recording: python sample/make.py')]


def rotation(pose) -> np.ndarray:
    return rotation_from_quaternion(np.array([pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w]))


def play(graph, node, answers: list) -> tuple[list[int], list]:
    """Publishes the sample, each image once the one before is answered: none is dropped, however busy the machine is.

    Returns:
        The images' stamps, and the true poses.
    """
    bag = Recording(SAMPLE, plain_names=True)
    info = next(entry.message for entry in bag.entries() if isinstance(entry.message, CameraInfo))  # it is the same all along
    graph.image_publisher(CameraInfo, '/camera_info', LATCHED).publish(info)
    images = graph.image_publisher()
    graph.wait_until(lambda: node._session.calibration.received, 'the calibration')
    sent, truths = [], []
    for entry in bag.entries():
        if isinstance(entry.message, Image):
            images.publish(entry.message)
            sent.append(stamp_ns(entry.message))
            graph.wait_until(lambda: len(answers) == len(sent), f'the answer to image {len(sent)}')
        elif isinstance(entry.message, PoseStamped):
            truths.append(entry.message)
    return sent, truths


def test_the_head_of_the_sample_is_followed_and_each_answer_is_whole(graph):
    """Every image has one face and so one of each answer, under its own stamp; angles and pose tell the same; the truth is near."""
    results = graph.hear_results()
    pictures = graph.hear(Image, '/head_pose/image_annotated')
    node = graph.head_pose_node()
    graph.wait_until(
        lambda: all(publisher.get_subscription_count() for publisher in node.publishers if publisher.topic_name in graph.heard),
        'a subscription of every topic that is heard',
    )
    sent, truths = play(graph, node, pictures)  # the picture is the last of an image's answers to be published

    assert len(sent) == 300
    for messages in (results.poses, results.angles, results.markers):
        graph.wait_until(lambda m=messages: len(m) == len(sent), 'the last answer')
        assert [stamp_ns(message.markers[0] if messages is results.markers else message) for message in messages] == sent
    assert [stamp_ns(picture) for picture in pictures] == sent
    assert {pose.header.frame_id for pose in results.poses} == {truths[0].header.frame_id}

    angles = {stamp_ns(message): message.vector for message in results.angles}
    truth = {stamp_ns(message): message.pose for message in truths}
    errors_deg = []
    for message in results.poses:
        R_cam_head, vector = rotation(message.pose.pose), angles[stamp_ns(message)]
        errors_deg.append(float(geodesic_deg(rotation(truth[stamp_ns(message)]), R_cam_head)))
        if faces_camera(R_cam_head):
            told = rotation_from_ypr_deg(np.degrees([vector.z, vector.y, vector.x]))
            np.testing.assert_allclose(told, R_cam_head, atol=1e-6)
        covariance = np.reshape(message.pose.covariance, (6, 6))
        np.testing.assert_allclose(covariance, covariance.T)
        assert (np.linalg.eigvalsh(covariance) > 0).all()
        assert message.pose.pose.position.z > 0
    assert np.median(errors_deg) < 20, 'wrong axes or signs give tens of degrees; the accuracy itself is measured elsewhere'
