"""Where one coordinate frame is in another: the newest of each transform, as a tree. Needs no ROS."""

from __future__ import annotations

import re
from typing import Any, Protocol

import numpy as np

from .geometry import rotation_from_quaternion

Transform = tuple[np.ndarray, np.ndarray]
"""(3, 3) that maps the source's axes to the target's, and (3,) the source's origin in the target, metres."""
_NOWHERE: Transform = (np.eye(3), np.zeros(3))
_OPTICAL = re.compile(r'(^|[_/])optical(_frame)?$')
_BODY = re.compile(r'(^|[_/])link(/|$)|(^|/)base_')


class FrameError(RuntimeError):
    """A transform is not known; the text names it and the remedy."""


def plain_frame(frame_id: str) -> str:
    """Returns a frame_id without ROS 1's leading slash, with which every lookup of tf2 refuses it."""
    return frame_id.lstrip('/')


def frames_differ(a: str, b: str) -> bool:
    """Whether two frame_ids are of two frames; ROS 1's leading slash makes no difference, and an empty one proves nothing."""
    return '' not in (a, b) and plain_frame(a) != plain_frame(b)


def is_optical(frame_id: str) -> bool:
    """Whether a frame is by its name one of images, x right, y down, z forward. Source: REP-103, suffix frames."""
    return bool(_OPTICAL.search(frame_id))


def is_body(frame_id: str) -> bool:
    """Whether a frame is by its name a robot's or a camera's body, x forward, y left, z up: a link of URDF, or base_*.

    Gazebo gives images the name of their link, or MODEL/LINK/SENSOR.
    """
    return 'optical' not in frame_id and bool(_BODY.search(frame_id))


def transform_from_message(message: Any) -> Transform:
    """Returns the transform of a geometry_msgs/Transform, of rclpy or of rosbags.

    Raises:
        ValueError: for a quaternion that is no rotation.
    """
    q, t = message.rotation, message.translation
    return rotation_from_quaternion(np.array([q.x, q.y, q.z, q.w])), np.array([t.x, t.y, t.z], float)


class Transforms(Protocol):
    """Looks transforms up."""

    def lookup(self, target: str, source: str) -> Transform:
        """The newest transform from one frame to another.

        Args:
            target: the frame to give the answer in.
            source: the frame that is looked for.

        Raises:
            FrameError: with the reason, where the transform is not known.
        """
        ...


class TransformTree:
    """Keeps the newest transform of each child frame."""

    def __init__(self) -> None:
        self._parents: dict[str, tuple[str, Transform]] = {}

    def add(self, message: Any) -> None:
        """Takes the transforms of a tf2_msgs/TFMessage; those without a rotation are left out."""
        for stamped in message.transforms:
            try:
                transform = transform_from_message(stamped.transform)
            except ValueError:
                continue
            child, parent = plain_frame(stamped.child_frame_id), plain_frame(stamped.header.frame_id)
            self._parents[child] = parent, transform

    def lookup(self, target: str, source: str) -> Transform:
        """See Transforms."""
        target, source = plain_frame(target), plain_frame(source)
        above_target, above_source = self._above(target), self._above(source)
        common = next((frame for frame in above_source if frame in above_target), None)
        if common is None:
            raise FrameError(f'TF does not connect them: {source} hangs below {[*above_source][-1]}, {target} below {[*above_target][-1]}')
        R_common_target, t_target_m = above_target[common]
        R_common_source, t_source_m = above_source[common]
        return R_common_target.T @ R_common_source, R_common_target.T @ (t_source_m - t_target_m)

    def _above(self, frame: str) -> dict[str, Transform]:
        """A frame and all those above it, each with where the frame is in it."""
        found = {frame: _NOWHERE}
        at, (R, t) = frame, _NOWHERE
        while at in self._parents and self._parents[at][0] not in found:
            at, (R_step, t_step) = self._parents[at]
            R, t = R_step @ R, R_step @ t + t_step
            found[at] = R, t
        return found
