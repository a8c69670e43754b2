"""Where the camera is in another frame, a robot's base or a vehicle: from TF, or from parameters."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..geometry import rotation_from_vector
from ..parameters import LONGEST_TF_WAIT_S, ParameterError, Parameters
from ..transforms import FrameError, Transform, plain_frame, transform_from_message

TF_REFUSES_S = 5.0
"""Once stamps go back by more, TF must forget: tf2 keeps 10 s, and may be some seconds ahead of the images."""
_NEVER_S = 1e8


class TfLookup:
    """Listens to TF."""

    def __init__(self, node: Any) -> None:
        """Subscribes, in the thread that spins the node.

        Raises:
            ImportError: where tf2_ros is not installed.
        """
        import tf2_ros

        self._error = tf2_ros.TransformException
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def lookup(self, target: str, source: str, stamp: Any = None, wait_s: float = 0.0) -> Transform:
        """Where one frame is in another.

        Args:
            target: the frame to give the answer in.
            source: the frame that is looked for.
            stamp: when; None for the newest transform, which is right where the two frames do not move against each other.
            wait_s: longest wait for a transform that is late, seconds.

        Returns:
            (3, 3) that maps the source's axes to the target's, and (3,) the source's origin in the target, metres.

        Raises:
            FrameError: with the reason, where TF has no such transform.
        """
        return transform_from_message(self._find(target, source, stamp, wait_s).transform)

    def behind_s(self, target: str, source: str, stamp: Any) -> float | None:
        """How long before a stamp TF's newest transform is, seconds, negative if after it; None where TF does not connect the frames.

        Args:
            target: one frame.
            source: the other.
            stamp: builtin_interfaces/Time.
        """
        try:
            newest = self._find(target, source, None, 0.0).header.stamp
        except FrameError:
            return None
        return (stamp.sec - newest.sec) + 1e-9 * (stamp.nanosec - newest.nanosec)

    def _find(self, target: str, source: str, stamp: Any, wait_s: float) -> Any:
        """See lookup; returns the geometry_msgs/TransformStamped."""
        from rclpy.duration import Duration
        from rclpy.time import Time

        when = Time() if stamp is None else Time.from_msg(stamp)
        try:
            return self._buffer.lookup_transform(plain_frame(target), plain_frame(source), when, Duration(seconds=wait_s))
        except self._error as error:
            raise FrameError(str(error)) from None

    def forget(self) -> None:
        """Forgets the transforms that change: tf2 refuses those of a time that is 10 s before the newest that it has."""
        self._buffer.clear()

    def destroy(self) -> None:
        """Stops listening."""
        self._listener.unregister()


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

    @property
    def camera(self) -> tuple[np.ndarray, np.ndarray]:
        """R_target_cam and t_target_cam_m."""
        return self.R_target_cam, self.t_target_cam_m

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
        R = (
            rotation_from_vector(np.array([0, 0, yaw]))
            @ rotation_from_vector(np.array([0, pitch, 0]))
            @ rotation_from_vector(np.array([roll, 0, 0]))
        )
        self._mount = Mount(parameters.target_frame, R, np.array(parameters.mount_position_m))

    def mount(self, header: Any, wait_s: float = 0.0) -> Mount:
        """The mount, whatever the image."""
        return self._mount

    def forget(self) -> None:
        """Does nothing: a fixed mount is the same at all times."""

    def destroy(self) -> None:
        """Does nothing: a fixed mount holds no subscriptions."""


class TfMount:
    """A mount from TF, at each image's own stamp.

    Attributes:
        tf: may be used by others too.

    Raises:
        ParameterError: where tf2_ros is not installed.
    """

    def __init__(self, node: Any, target_frame: str) -> None:
        try:
            self.tf = TfLookup(node)
        except ImportError:
            raise ParameterError(
                f'target_frame {target_frame!r} needs tf2_ros, which is not installed: install '
                'ros-$ROS_DISTRO-tf2-ros-py (apt; not in the pip wheels), or set target_frame_from to mount and '
                'give the mount by parameters'
            ) from None
        self._target = target_frame

    def mount(self, header: Any, wait_s: float = 0.0) -> Mount:
        """Where the camera was at an image's stamp.

        Args:
            header: the image's.
            wait_s: longest wait for TF that comes after the image, seconds.

        Raises:
            FrameError: where TF has no such transform, with the reason and the remedy.
        """
        try:
            R_target_cam, t_target_cam_m = self.tf.lookup(self._target, header.frame_id, header.stamp, wait_s)
        except FrameError as error:
            reason = self._reason(header, wait_s) or (
                f'{error}; publish it (robot_state_publisher, static_transform_publisher), or set target_frame_from to mount'
            )
            raise FrameError(
                f'no transform from {header.frame_id!r} to target_frame {self._target!r} when the image was taken: {reason}'
            ) from None
        return Mount(self._target, R_target_cam, t_target_cam_m)

    def _reason(self, header: Any, wait_s: float) -> str:
        """Why TF, which connects the frames, does not reach the image's stamp; empty where it does not connect them."""
        behind_s = self.tf.behind_s(self._target, header.frame_id, header.stamp)
        if behind_s is None or behind_s > _NEVER_S:  # a transform that never changes has no stamp; it has just come
            return ''
        if behind_s < -LONGEST_TF_WAIT_S:
            return f"it is {-behind_s:.1f} s older than TF's newest and older than what TF has kept; if that goes on, compare their clocks"
        if (late_s := wait_s + max(0.0, behind_s)) < LONGEST_TF_WAIT_S:  # below 0 where TF came after it was looked up
            return f'TF comes at least {1000 * late_s:.0f} ms after the image: raise target_frame_wait_s, now {wait_s:g} s, well above that'
        return f"TF's newest is {behind_s:.1f} s older than the image: its publisher has stopped, or their clocks differ"

    def forget(self) -> None:
        """Forgets what TF has said of other times, for stamps that begin anew."""
        self.tf.forget()

    def destroy(self) -> None:
        """Stops listening to TF."""
        self.tf.destroy()


def mount_source(node: Any, parameters: Parameters) -> FixedMount | TfMount | None:
    """The mount that the parameters ask for; None to answer in the image's own frame.

    Raises:
        ParameterError: where TF is asked for and not installed.
    """
    if not parameters.target_frame:
        return None
    return FixedMount(parameters) if parameters.target_frame_from == 'mount' else TfMount(node, parameters.target_frame)
