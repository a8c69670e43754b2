"""Finds the targets of ~/looking_at, and decides which face looks at which target."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import rclpy.time
from rclpy.node import Node

from ...attention.looking_at import LookingAt, LookingAtSettings
from ...transforms import is_optical, plain_frame, transform_from_message
from ...types import HeadPose
from ..log import Notices
from ..messages import stamp_s

try:
    import tf2_ros
except ImportError:
    tf2_ros = None

CAMERA = 'camera'
"""The target that is the camera itself, whatever its frame is called."""
UNNAMED = 'face'
"""The name of a face that has no id."""
_REPEAT_S = 10.0
_STATED_S = 3.0
"""head_pose states its images' frame once a second; only a frame that is still not stated after so long is worth a line in the log."""
_FOLLOWED = 20
_REMEMBERED = 200
_LATEST_S = 0.5
"""Where TF does not reach a pose's stamp, its newest transform is taken if it is no further from the stamp; a static one always."""


@dataclass(frozen=True, eq=False)
class Place:
    """A target in the poses' frame.

    Attributes:
        t_m: (3,) its origin, metres.
        R: (3, 3) maps its axes to the poses' frame.
    """

    t_m: np.ndarray
    R: np.ndarray


_HERE = Place(np.zeros(3), np.eye(3))


class Targets:
    """Finds targets through TF.

    Attributes:
        image_frames: frames of the images from which the poses come, as far as their nodes have stated them.
    """

    def __init__(self, node: Node, notices: Notices) -> None:
        """Listens to TF where tf2_ros is installed.

        Args:
            node: subscribes.
            notices: logs targets that cannot be found.
        """
        self.image_frames: set[str] = set()
        self._notices = notices
        self._asked_s: float | None = None
        self._buffer = None
        if tf2_ros is not None:
            self._buffer = tf2_ros.Buffer()
            self._listener = tf2_ros.TransformListener(self._buffer, node)

    def forget(self) -> None:
        """Forgets the transforms that change, for stamps that begin anew; see TfLookup.forget."""
        if self._buffer is not None:
            self._buffer.clear()

    def is_images(self, frame_id: str) -> bool | None:
        """Whether poses in this frame are in their images' own; None where that is not known.

        A pose without a frame is: with `target_frame`, head_pose always states one. Where no node states the images' frame, as with
        poses from a recording, a frame with REP-103's suffix for images is taken for it.
        """
        if frame_id == '' or frame_id in self.image_frames:
            return True
        if self.image_frames:
            return False
        return True if is_optical(frame_id) else None

    def find(self, target: str, header: Any) -> Place | None:
        """Finds a target in the poses' frame at their stamp; returns None where it is unknown, and logs the reason.

        Args:
            target: 'camera' or a TF frame.
            header: the poses'.
        """
        if target != CAMERA:
            return self._find_frame(target, target, header)
        if self.is_images(header.frame_id):
            return _HERE
        if len(self.image_frames) == 1:
            return self._find_frame(target, next(iter(self.image_frames)), header)
        self._asked_s = time.monotonic() if self._asked_s is None else self._asked_s
        if time.monotonic() - self._asked_s < _STATED_S:
            return None
        known = f'images come from several: {", ".join(sorted(self.image_frames))}' if self.image_frames else 'no head_pose node states it'
        self._notices.throttled(
            'camera',
            f"looking_at target 'camera': the camera's frame is not known ({known}), and poses are in "
            f'{header.frame_id!r}; name the frame itself in looking_at',
            _REPEAT_S,
        )
        return None

    def _find_frame(self, target: str, frame: str, header: Any) -> Place | None:
        if self._buffer is None:
            self._notices.throttled(
                f'tf {target}',
                f'looking_at target {target!r} is unknown, since tf2_ros is not installed: its frame '
                f'{frame!r} cannot be found in {header.frame_id!r}, the frame of the poses; install '
                'ros-$ROS_DISTRO-tf2-ros-py (apt)',
                6 * _REPEAT_S,
            )
            return None
        try:
            found = self._look_up(frame, header)
        except tf2_ros.TransformException as error:
            self._notices.throttled(
                f'tf {target}',
                f'looking_at target {target!r} is unknown, since TF does not give {frame!r} in '
                f'{header.frame_id!r}, the frame of the poses: {error}',
                _REPEAT_S,
            )
            return None
        R, t_m = transform_from_message(found.transform)
        return Place(t_m, R)

    def _look_up(self, frame: str, header: Any) -> Any:
        assert self._buffer is not None
        frames = plain_frame(header.frame_id), plain_frame(frame)
        try:
            return self._buffer.lookup_transform(*frames, rclpy.time.Time.from_msg(header.stamp))
        except tf2_ros.TransformException:
            newest = self._buffer.lookup_transform(*frames, rclpy.time.Time())
            newest_s = stamp_s(newest.header)
            if newest_s == 0.0 or abs(newest_s - stamp_s(header)) <= _LATEST_S:
                return newest
            raise


class Looks:
    """Follows which face looks at which target."""

    def __init__(self) -> None:
        self._looks: OrderedDict[tuple[str, str], LookingAt] = OrderedDict()
        self._last: dict[str, dict[str, bool | None]] = {}

    def clear(self) -> None:
        """Deletes all decisions."""
        self._looks.clear()
        self._last = {}

    def update(
        self, stamp_s: float, heads: Sequence[HeadPose], places: Mapping[str, Place | None], settings: LookingAtSettings
    ) -> dict[str, dict[str, bool | None]]:
        """Takes a frame into account.

        Args:
            stamp_s: the frame's stamp, seconds.
            heads: its heads; only the first 20 are followed.
            places: the place of each target; None if unknown.
            settings: when a face looks at a target.

        Returns:
            For each face, by id, whether it looks at each target; None where that is unknown. Several faces without an id cannot be told
            apart from frame to frame, so nothing is known of them.
        """
        looks: dict[str, dict[str, bool | None]] = {}
        unnamed = sum(head.face_id is None for head in heads)
        for head in heads[:_FOLLOWED]:
            if head.face_id is None and unnamed > 1:
                looks[UNNAMED] = dict.fromkeys(places)
                continue
            face = head.face_id or UNNAMED
            looks[face] = {
                target: self._follow(face, target, settings).update(
                    stamp_s, head.R_cam_head, head.rotation_std_deg, _way(head, target, place)
                )
                for target, place in places.items()
            }
        for (face, _), look in self._looks.items():
            if face not in looks:
                look.update(stamp_s, None, None, None)
        while len(self._looks) > _REMEMBERED:
            self._looks.popitem(last=False)
        self._last = looks
        return looks

    def at(self, now_s: float) -> dict[str, dict[str, bool | None]]:
        """Returns, for each face of the last frame, whether it looks at each target at a time without a frame; changes nothing.

        Args:
            now_s: estimated time on the stamps' clock, seconds; see `LookingAt.at`.
        """
        unknown = LookingAt()
        return {
            face: {
                target: None if looking is None else self._looks.get((face, target), unknown).at(now_s)
                for target, looking in targets.items()
            }
            for face, targets in self._last.items()
        }

    def _follow(self, face: str, target: str, settings: LookingAtSettings) -> LookingAt:
        look = self._looks.setdefault((face, target), LookingAt(settings))
        self._looks.move_to_end((face, target))
        return look


def _way(head: HeadPose, target: str, place: Place | None) -> np.ndarray | None:
    """(3,) from the head to a target, any length; None where it is not known."""
    if place is None:
        return None
    if head.t_cam_head_m is not None:
        return place.t_m - head.t_cam_head_m
    # Without a position the rotation is relative to the ray through the face, so a head that is not turned faces the camera.
    return place.R @ [0.0, 0.0, -1.0] if target == CAMERA else None
