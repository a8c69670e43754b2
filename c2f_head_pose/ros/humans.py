"""Publishes the tracked faces on /humans/faces, as REP-155 defines."""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from rclpy.duration import Duration
from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import Image

from ..crop import cut, square_about
from ..turn import turn_upright
from ..types import FaceBox, HeadPose
from . import messages

try:
    from rclpy.event_handler import PublisherEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks
try:
    from hri_msgs.msg import IdsList, NormalizedRegionOfInterest2D
except ImportError:
    IdsList = NormalizedRegionOfInterest2D = None

Picture = Callable[[], np.ndarray]
"""Makes the picture on demand: for depth alone it has to be drawn."""

TRACKED = '/humans/faces/tracked'
_ACKNOWLEDGED_S = 0.5
_CROP_SIZE = 128
_CROP_MARGIN = 1.3
_ROOM = 1.5
"""Side of the square that an aligned picture is turned in, over the picture's own: at least the square root of 2."""
_LETTERS = 'abcdefghijklmnopqrstuvwxyz'
_NAMES_KEPT = 10_000
"""Names that are not given again; one in a thousand of all."""


@dataclass
class _Face:
    name: str
    seen: int = 0
    missed: int = 0


class FaceNames:
    """Names faces and decides which are announced.

    A name is five random letters: REP-155 requires ids that are not persistent, and random ones make that visible.
    """

    def __init__(
        self,
        announce_after: int,
        drop_after: int,
        rng: random.Random | None = None,
        followed: Callable[[int], bool] = lambda track_id: True,
    ) -> None:
        """Begins without faces.

        Args:
            announce_after: number of consecutive images with a face until it is announced.
            drop_after: number of consecutive images without an announced face until it is dropped.
            rng: random generator for the names.
            followed: whether a track may still be seen again; a face whose track cannot is dropped at once. Otherwise somebody who
                comes back under a new track, or whom a time jump gave one, would stand twice in the list.
        """
        self._announce_after = announce_after
        self._drop_after = drop_after
        self._followed = followed
        self._rng = rng or random.SystemRandom()
        self._faces: dict[int, _Face] = {}
        self._used: dict[str, None] = {}
        """The last names, oldest first."""

    def update(self, track_ids: Sequence[int]) -> None:
        """Takes the tracks seen in an image."""
        for track_id in track_ids:
            face = self._faces.setdefault(track_id, _Face(''))
            face.name = face.name or self._new_name()
            face.seen, face.missed = face.seen + 1, 0
        for track_id in [i for i in self._faces if i not in track_ids]:
            face = self._faces[track_id]
            face.missed += 1
            announced = face.seen >= self._announce_after
            if not self._followed(track_id) or (announced and face.missed >= self._drop_after):
                del self._faces[track_id]
            elif not announced:
                face.seen = 0  # the name stays: TF and ~/head_poses have shown it

    @property
    def names(self) -> dict[int, str]:
        """Name of every face known, by track."""
        return {track_id: face.name for track_id, face in self._faces.items()}

    @property
    def announced(self) -> dict[int, str]:
        """Name of every face announced, by track."""
        return {track_id: face.name for track_id, face in self._faces.items() if face.seen >= self._announce_after}

    def forget(self) -> None:
        """Forgets everybody; the last names are not used again."""
        self._faces = {}

    def _new_name(self) -> str:
        while True:
            name = ''.join(self._rng.choice(_LETTERS) for _ in range(5))
            if name not in self._used:
                self._used[name] = None
                if len(self._used) > _NAMES_KEPT:
                    del self._used[next(iter(self._used))]
                return name


class HumansOutput:
    """Publishes /humans/faces/tracked and, of each face announced, its region and its pictures, cropped and aligned. Needs hri_msgs."""

    def __init__(self, node: Any, names: FaceNames) -> None:
        self._node = node
        self._names = names
        self._last_header: Any = None
        # Faces appear and leave in the worker's thread while the node's own thread counts subscriptions.
        self._lock = threading.Lock()
        # Transient local: a late subscriber gets the list at once.
        self._tracked = node.create_lifecycle_publisher(IdsList, TRACKED, _qos(1, latched=True))
        self._faces: dict[str, tuple[Any, Any, Any]] = {}

    @property
    def listeners(self) -> int:
        """Number of subscriptions to all topics; may be called in any thread."""
        with self._lock:
            return self._tracked.get_subscription_count() + sum(
                p.get_subscription_count() for topics in self._faces.values() for p in topics
            )

    def publish(self, header: Any, poses: Sequence[HeadPose], size: tuple[int, int], picture: Picture, rotation_deg: int = 0) -> None:
        """Publishes the list of faces and, for each, its region and its pictures.

        Args:
            header: the image's.
            poses: all faces of the image; `FaceNames.update` has seen them.
            size: width and height of the image, pixels.
            picture: makes its (H, W) or (H, W, 3) pixels; called only where a crop has a subscriber, and once.
            rotation_deg: clockwise rotation that makes the image upright, and so the cropped pictures: 0, 90, 180 or 270.
        """
        self._last_header = header
        announced, picture = self._names.announced, functools.cache(picture)
        for name in [name for name in self._faces if name not in announced.values()]:
            self._remove(name)
        for pose in poses:
            if pose.track_id in announced and pose.box is not None:
                self._publish_face(header, announced[pose.track_id], pose, pose.box, size, picture, rotation_deg)
        self._tracked.publish(IdsList(header=header, ids=sorted(announced.values())))

    def clear(self) -> None:
        """Publishes that nobody is tracked any more, unless that is what was published last."""
        for name in list(self._faces):
            self._remove(name)
        if self._last_header is not None:
            self._tracked.publish(IdsList(header=self._last_header, ids=[]))
            # DDS drops what it has not delivered when the process ends, so wait for the subscribers.
            self._tracked.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGED_S))
        self._last_header = None

    def destroy(self) -> None:
        """Removes the topics."""
        for name in list(self._faces):
            self._remove(name)
        self._node.destroy_lifecycle_publisher(self._tracked)

    def _publish_face(
        self, header: Any, name: str, pose: HeadPose, box: FaceBox, size: tuple[int, int], picture: Picture, rotation_deg: int
    ) -> None:
        if name not in self._faces:
            topics = (
                self._active(NormalizedRegionOfInterest2D, f'/humans/faces/{name}/roi'),
                self._active(Image, f'/humans/faces/{name}/cropped'),
                self._active(Image, f'/humans/faces/{name}/aligned'),
            )
            with self._lock:
                self._faces[name] = topics
        region, cropped, aligned = self._faces[name]
        width, height = size
        x1, x2 = (float(np.clip(x / width, 0, 1)) for x in (box.x1, box.x2))
        y1, y2 = (float(np.clip(y / height, 0, 1)) for y in (box.y1, box.y2))
        region.publish(NormalizedRegionOfInterest2D(header=header, xmin=x1, ymin=y1, xmax=x2, ymax=y2, c=float(pose.score)))
        if cropped.get_subscription_count():
            crop = cut(picture(), square_about(box, _CROP_MARGIN), _CROP_SIZE)
            cropped.publish(messages.image(header, _coloured(turn_upright(crop, rotation_deg))))
        if aligned.get_subscription_count():
            aligned.publish(messages.image(header, _coloured(_aligned(picture(), box, pose.R_cam_head))))

    def _active(self, message_type: Any, topic: str) -> Any:
        # Without event callbacks: the executor would wait on them too, and a publisher destroyed meanwhile raises InvalidHandle there.
        publisher = self._node.create_lifecycle_publisher(
            message_type, topic, _qos(1), event_callbacks=PublisherEventCallbacks(use_default_callbacks=False)
        )
        publisher.on_activate(None)  # created while the node is already active
        return publisher

    def _remove(self, name: str) -> None:
        with self._lock:
            topics = self._faces.pop(name)
        for publisher in topics:
            self._node.destroy_lifecycle_publisher(publisher)


def _aligned(picture: np.ndarray, box: FaceBox, R_cam_head: np.ndarray) -> np.ndarray:
    """The face as in `cropped`, turned in the image so that its eyes are level and its forehead is up."""
    towards_left_eye, up = R_cam_head[:, 1], R_cam_head[:, 2]
    # Level by the eyes and by the forehead: in profile nothing is seen of the former, from above nothing of the latter.
    clockwise_deg = np.degrees(np.arctan2(towards_left_eye[1] + up[0], towards_left_eye[0] - up[1]))
    side = round(_CROP_SIZE * _ROOM)
    crop = cut(picture, square_about(box, _CROP_MARGIN * _ROOM), side)
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), clockwise_deg, 1.0)
    turn[:, 2] = turn[:, 2] - (side - _CROP_SIZE) / 2
    return cv2.warpAffine(crop, turn, (_CROP_SIZE, _CROP_SIZE))


def _coloured(picture: np.ndarray) -> np.ndarray:
    return picture if picture.ndim == 3 else cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_GRAY2BGR)


def _qos(depth: int, latched: bool = False) -> QoSProfile:
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=QoSReliabilityPolicy.RELIABLE,
        durability=QoSDurabilityPolicy.TRANSIENT_LOCAL if latched else QoSDurabilityPolicy.VOLATILE,
    )
