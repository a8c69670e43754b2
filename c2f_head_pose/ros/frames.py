"""The camera in another frame: a robot's base or a vehicle, through TF or by parameters."""
from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..geometry import rotation_from_quaternion, rotation_from_vector
from .parameters import ParameterError, Parameters

_WAIT_S = 0.05


class FrameError(RuntimeError):
    """A transform that is not known; the text says which and what to do."""


@dataclass(frozen=True, eq=False)
class Mount:
    """Where the camera is in a target frame.

    Attributes:
        frame_id: the target frame.
        R_target_cam: (3, 3), maps the camera's optical axes to the target's.
        t_target_cam_m: (3,) the camera's origin in the target frame, metres.
    """

    frame_id: str
    R_target_cam: np.ndarray
    t_target_cam_m: np.ndarray

    def header(self, header: Any) -> Any:
        """The image's header with the target's frame; the stamp stays."""
        moved = copy(header)
        moved.frame_id = self.frame_id
        return moved


class FixedMount:
    """A mount by parameters: known at all times."""

    def __init__(self, parameters: Parameters) -> None:
        # Roll, pitch, yaw about the fixed axes x, y, z, as URDF and static_transform_publisher take them.
        roll, pitch, yaw = np.radians(parameters.mount_rotation_deg)
        R = rotation_from_vector(np.array([0, 0, yaw])) @ rotation_from_vector(np.array([0, pitch, 0])) @ rotation_from_vector(
            np.array([roll, 0, 0]))
        self._mount = Mount(parameters.target_frame, R, np.array(parameters.mount_position_m))

    def mount(self, header: Any) -> Mount:
        """The mount, whatever the image."""
        return self._mount

    def destroy(self) -> None:
        """Holds nothing."""


class TfMount:
    """A mount through TF, at each image's own stamp.

    Raises:
        ParameterError: where tf2_ros is not installed.
    """

    def __init__(self, node: Any, target_frame: str) -> None:
        try:
            import tf2_ros
        except ImportError:
            raise ParameterError(f'target_frame {target_frame!r} needs tf2_ros, which is not installed: install '
                                 'ros-$ROS_DISTRO-tf2-ros-py (apt; not in the pip wheels), or set target_frame_from to mount and '
                                 'give the mount by parameters') from None
        self._target = target_frame
        self._error = tf2_ros.TransformException
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def mount(self, header: Any) -> Mount:
        """Where the camera was at an image's stamp.

        Raises:
            FrameError: when TF does not know.
        """
        from rclpy.duration import Duration
        from rclpy.time import Time
        try:
            found = self._buffer.lookup_transform(self._target, header.frame_id, Time.from_msg(header.stamp), Duration(seconds=_WAIT_S))
        except self._error as error:
            raise FrameError(f'no transform from {header.frame_id!r} to target_frame {self._target!r} when the image was taken: {error}; '
                             'publish it (robot_state_publisher, static_transform_publisher), or set target_frame_from to mount') from None
        t, q = found.transform.translation, found.transform.rotation
        return Mount(self._target, rotation_from_quaternion(np.array([q.x, q.y, q.z, q.w])), np.array([t.x, t.y, t.z]))

    def destroy(self) -> None:
        """Stops listening to TF."""
        self._listener.unregister()


def mount_source(node: Any, parameters: Parameters) -> FixedMount | TfMount | None:
    """What the parameters ask for; None to answer in the image's own frame.

    Raises:
        ParameterError: where TF is asked for and not installed.
    """
    if not parameters.target_frame:
        return None
    return FixedMount(parameters) if parameters.target_frame_from == 'mount' else TfMount(node, parameters.target_frame)
