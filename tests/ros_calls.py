"""Calls that tests of the nodes share: diagnostics, parameters, lifecycle changes, depth messages."""

import numpy as np
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from ros_graph import SENSOR, camera_info, image_message
from sensor_msgs.msg import CameraInfo, Image

from c2f_head_pose.camera import camera_from_info, pixel_ray


def values(status) -> dict:
    return {pair.key: pair.value for pair in status.values}


def set_atomically(graph, **changes):
    parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in changes.items()]
    request = SetParametersAtomically.Request(parameters=parameters)
    return graph.call(SetParametersAtomically, '/head_pose/set_parameters_atomically', request).result


def stamp_ns(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def depth_message(depth_mm, stamp_s=1.0) -> Image:
    return image_message(np.asarray(depth_mm, np.uint16), stamp_s, '16UC1')


def foot_m(position, x: float, y: float) -> np.ndarray:
    """(3,) where a message's position stands on the ray through pixel (x, y) of `camera_info()`: the sellion lies square to the ray through
    the middle of its box.
    """
    ray = pixel_ray(camera_from_info(camera_info()), x, y)
    return ray * (ray @ [position.x, position.y, position.z])


def change(graph, transition: int) -> bool:
    return graph.call(ChangeState, '/head_pose/change_state', ChangeState.Request(transition=Transition(id=transition))).success


def with_a_face(graph, **parameters):
    """The node with a calibrated camera and a face fixed from outside."""
    node = graph.head_pose_node(**parameters)
    estimate = node._parts.estimator.estimate
    node._parts.estimator.estimate = lambda image, **rest: estimate(image, **rest | {'stamp_s': None, 'boxes': [[280, 200, 360, 280]]})
    infos = graph.probe.create_publisher(CameraInfo, '/camera_info', SENSOR)
    graph.wait_until(infos.get_subscription_count, 'a subscription of camera_info')
    infos.publish(camera_info())
    graph.wait_until(lambda: node._session.calibration.received, 'the camera_info')
    return node, graph.image_publisher()
