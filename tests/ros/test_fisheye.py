"""A fisheye's CameraInfo through the node: a face far off the axis is answered in the direction in which the lens saw it."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

import cv2
from pasted_faces import face
from ros_graph import SENSOR, camera_info, image_message
from sensor_msgs.msg import CameraInfo

from c2f_head_pose.geometry import rotation_from_quaternion
from c2f_head_pose.types import SELLION_FROM_BOX_M

pytestmark = pytest.mark.ros

ANGLE = np.radians(57.0)
WIDTH, HEIGHT, CX, CY = 960, 480, 319.5, 239.5
ASIDE_PX = 300
MIDDLE, ASIDE = [280, 200, 360, 280], [580, 200, 660, 280]
"""Boxes about the principal point, which is at 320, 240 from the image's edges, and 300 px to its right."""


def fisheye(k: tuple[float, ...]) -> CameraInfo:
    """The lens that images a point at 57 degrees 300 px aside.

    An equidistant lens shows the angle t at the radius f (t + k1 t^3 + k2 t^5 + k3 t^7 + k4 t^9): with t = 0.9948 and no coefficients
    f = 301.6 px.
    """
    distorted = ANGLE + sum(k_i * ANGLE ** (3 + 2 * i) for i, k_i in enumerate(k))
    info = camera_info(WIDTH, HEIGHT, ASIDE_PX / distorted)
    info.distortion_model, info.d = 'equidistant', list(k)
    info.k[2], info.k[5] = CX, CY
    return info


@pytest.mark.parametrize('k', [(0.0, 0.0, 0.0, 0.0), (-0.02, 0.004, -0.003, 0.0004), (0.08, -0.01, 0.0, 0.0)])
def test_a_face_57_degrees_off_a_fisheyes_axis_is_answered_there(graph, k):
    """The same pixels about the axis and 300 px aside: the second answer is the first turned by 57 degrees about the image's vertical
    (y down: towards +x, so from z to x), and its position lies 57 degrees aside.
    Crops have whole pixels: half a pixel at 300 px is 0.0017."""
    results = graph.hear_results()
    node = graph.head_pose_node()
    estimate, boxes = node._parts.estimator.estimate, [MIDDLE]
    node._parts.estimator.estimate = lambda image, **rest: estimate(image, **rest | {'stamp_s': None, 'boxes': boxes})
    infos = graph.image_publisher(CameraInfo, '/camera_info', SENSOR)
    infos.publish(fisheye(k))
    graph.wait_until(lambda: node._session.calibration.received, 'the camera_info')
    images = graph.image_publisher()
    image = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    picture = cv2.resize(face(), (100, 100), interpolation=cv2.INTER_AREA)
    for x in (320, 320 + ASIDE_PX):
        image[190:290, x - 50 : x + 50] = picture
    poses = []
    for number, box in enumerate((MIDDLE, ASIDE), start=1):
        boxes[:] = [box]
        images.publish(image_message(image, float(number)))
        graph.wait_until(lambda number=number: len(results.poses) == number, 'a pose')
        pose = results.poses[-1].pose.pose
        q, t = pose.orientation, pose.position
        poses.append((rotation_from_quaternion(np.array([q.x, q.y, q.z, q.w])), np.array([t.x, t.y, t.z])))
    (R_middle, t_middle_m), (R_aside, t_aside_m) = poses
    turn = np.array([[np.cos(ANGLE), 0, np.sin(ANGLE)], [0, 1, 0], [-np.sin(ANGLE), 0, np.cos(ANGLE)]])
    np.testing.assert_allclose(R_aside @ R_middle.T, turn, atol=2e-3)
    for R, t_m, ray in ((R_middle, t_middle_m, np.array([0.0, 0, 1])), (R_aside, t_aside_m, turn[:, 2])):
        sellion_m = R @ SELLION_FROM_BOX_M
        np.testing.assert_allclose(t_m - sellion_m, ((t_m - sellion_m) @ ray) * ray, atol=1e-5)
