"""Reads a recording as typed frames: each image with its calibration and depth."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..camera import camera_from_info, depth_is_rectified
from ..depth_alignment import DepthError, ImageView
from ..depth_pairing import RecentDepth, belongs
from ..draw import depth_picture
from ..files import seconds_from_ns, stamp_ns
from ..images import ImageError, SignificantBits, depth_from_message, image_from_compressed, image_from_message
from ..parameters import Parameters
from ..types import Camera
from .bagfile import BagFile, BagMessage
from .choice import COMPRESSED_TYPE, TopicChoice, first_message
from .recorded_depth import RecordedDepth
from .storage import BagError

_WAITING_IMAGES = 8
"""So many images wait for depth that was recorded after them."""


@dataclass(frozen=True, eq=False)
class Frame:
    """An image of a recording with its calibration and depth.

    Attributes:
        index: its number among the image topic's messages, from 0.
        stamp_ns: its header's stamp; the recording time where the recording has no stamps.
        log_ns: when it was recorded.
        frame_id: its header's.
        image: (H, W) gray or (H, W, 3) BGR uint8; of depth alone a picture of it.
        camera: None where not calibrated.
        depth_m: (H, W) float32 metres; None without.
    """

    index: int
    stamp_ns: int
    log_ns: int
    frame_id: str
    image: np.ndarray
    camera: Camera | None
    depth_m: np.ndarray | None

    @property
    def stamp_s(self) -> float:
        """The stamp in seconds, computed as the node does."""
        return seconds_from_ns(self.stamp_ns)


@dataclass(frozen=True)
class UnreadableImage:
    """An image of a recording that cannot be read.

    Attributes:
        index: its number among the image topic's messages, from 0.
        stamp_ns: its header's stamp; the recording time where the header cannot be read or has none.
        log_ns: when it was recorded.
    """

    index: int
    stamp_ns: int
    log_ns: int

    @property
    def stamp_s(self) -> float:
        """The stamp in seconds, computed as the node does."""
        return seconds_from_ns(self.stamp_ns)


class Notes:
    """Counts odd events of a recording by kind; keeps the details of the first of each kind."""

    def __init__(self) -> None:
        self._events: dict[str, tuple[str, int]] = {}

    def add(self, kind: str, detail: str = '') -> None:
        """Counts one more event.

        Args:
            kind: one sentence for all events of this kind.
            detail: the detail in which they differ; the first one's is kept.
        """
        first, count = self._events.get(kind, (detail, 0))
        self._events[kind] = first, count + 1

    @property
    def counts(self) -> dict[str, int]:
        """Sentences, and how often each holds."""
        return {
            kind + (f' ({"the first: " if count > 1 else ""}{detail})' if detail else ''): count
            for kind, (detail, count) in self._events.items()
        }


def read_frames(
    bag: BagFile, choice: TopicChoice, notes: Notes, rectified: bool = False, depth_tolerance_s: float = Parameters.depth_tolerance_s
) -> Iterator[Frame | UnreadableImage]:
    """The images by recording time, each with the latest calibration and the depth of its own stamp.

    Args:
        bag: the recording.
        choice: its topics.
        notes: odd events are added to it.
        rectified: the images are rectified: P without distortion instead of K and D.
        depth_tolerance_s: depth belongs to an image if their stamps differ by no more, seconds.
    """
    reader = _FrameReader(bag, choice, notes, rectified, depth_tolerance_s)
    for message in bag.messages([t for t in (choice.image, choice.camera_info, choice.depth, choice.depth_info, *choice.transforms) if t]):
        yield from reader.take(message)
    yield from reader.rest()


def first_camera(bag: BagFile, choice: TopicChoice, rectified: bool = False) -> Camera | None:
    """The camera of the first calibration; None without one that can be used, which `read_frames` notes. Arguments as of `read_frames`."""
    info = first_message(bag, choice.camera_info) if choice.camera_info else None
    try:
        return None if info is None else camera_from_info(info, _reads_rectified(choice, info, rectified))
    except ValueError:
        return None


def _reads_rectified(choice: TopicChoice, info: Any, rectified: bool) -> bool:
    """Whether P of a calibration describes the images; of depth alone also by the topic's name, as the node reads it."""
    return rectified or (choice.depth_alone and depth_is_rectified(info, choice.image))


def _time_ns(message: BagMessage, decoded: Any) -> int:
    """The header's stamp, or the recording time where there is none; `decoded` is None for a message that cannot be decoded."""
    return (0 if decoded is None else stamp_ns(decoded)) or message.log_ns


@dataclass(frozen=True, eq=False)
class _Waiting:
    """An image that waits for its depth; `decoded` is None for a message that cannot be decoded."""

    index: int
    message: BagMessage
    decoded: Any
    info: Any

    @property
    def stamp_ns(self) -> int:
        """The header's stamp, or the recording time where there is none."""
        return _time_ns(self.message, self.decoded)


class _FrameReader:
    """Joins images, calibration and depth; holds a few images until their depth has been read."""

    def __init__(self, bag: BagFile, choice: TopicChoice, notes: Notes, rectified: bool, depth_tolerance_s: float) -> None:
        self._choice, self._notes = choice, notes
        self._rectified, self._depth_tolerance_s = rectified, depth_tolerance_s
        self._compressed = bag.topics[choice.image].type == COMPRESSED_TYPE
        self._info = first_message(bag, choice.camera_info) if choice.camera_info else None
        self._camera: Camera | None = None
        self._camera_of: Any = None
        self._bits = SignificantBits()
        self._index = 0
        self._waiting: deque[_Waiting] = deque()
        self._depths = RecentDepth()
        self._depth = RecordedDepth(bag, choice) if choice.depth else None

    def take(self, message: BagMessage) -> Iterator[Frame | UnreadableImage]:
        try:
            decoded = message.decode()
        except BagError as error:
            decoded = None
            if message.topic != self._choice.image:
                self._notes.add(f'messages on {message.topic} that cannot be decoded are left out', str(error))
                return
            self._note_unreadable(error)
        if self._depth is not None and self._depth.take(message.topic, decoded) and message.topic != self._choice.camera_info:
            return
        if message.topic == self._choice.image:
            self._waiting.append(_Waiting(self._index, message, decoded, self._info))
            self._index += 1
        elif message.topic == self._choice.depth:
            self._depths.put(decoded, seconds_from_ns(_time_ns(message, decoded)), seconds_from_ns(message.log_ns))
        else:
            self._info = decoded
        while self._waiting and (not self._choice.depth or self._depth_has_come() or len(self._waiting) > _WAITING_IMAGES):
            yield self._finish(self._waiting.popleft())

    def _depth_has_come(self) -> bool:
        """Whether depth of the first waiting image's stamp has been read, if there is any."""
        newest = self._depths.newest
        return newest is not None and newest.stamp_s >= seconds_from_ns(self._waiting[0].stamp_ns)

    def rest(self) -> Iterator[Frame | UnreadableImage]:
        while self._waiting:
            yield self._finish(self._waiting.popleft())

    def _finish(self, waiting: _Waiting) -> Frame | UnreadableImage:
        message, decoded = waiting.message, waiting.decoded
        unreadable = UnreadableImage(waiting.index, waiting.stamp_ns, message.log_ns)
        if decoded is None:
            return unreadable
        try:
            image, depth_m = self._pixels(decoded)
        except ImageError as error:
            self._note_unreadable(error)
            return unreadable
        if stamp_ns(decoded) == 0:
            self._notes.add('images without a stamp: their recording time is used')
        camera = self._camera_for(waiting.info, image)
        if self._choice.depth_alone:
            if camera is None:
                self._notes.add('depth without a calibration is left out: heads are found in it by their size in metres')
                return unreadable
            return Frame(waiting.index, waiting.stamp_ns, message.log_ns, decoded.header.frame_id, image, camera, depth_m)
        view = ImageView(decoded.header, (image.shape[0], image.shape[1]), camera, self._rectified)
        depth_m = self._depth_for(seconds_from_ns(waiting.stamp_ns), view)
        return Frame(waiting.index, waiting.stamp_ns, message.log_ns, decoded.header.frame_id, image, camera, depth_m)

    def _pixels(self, decoded: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """The picture of a message, and the depth where it is depth alone."""
        if self._choice.depth_alone:
            depth_m = depth_from_message(decoded)
            return depth_picture(depth_m), depth_m
        return (image_from_compressed if self._compressed else image_from_message)(decoded, self._bits), None

    def _note_unreadable(self, error: Exception) -> None:
        self._notes.add(f'images on {self._choice.image} that cannot be read are left out', str(error))

    def _camera_for(self, info: Any, image: np.ndarray) -> Camera | None:
        if info is None:
            return None
        if info is not self._camera_of:
            self._camera_of, self._camera = info, None
            try:
                self._camera = camera_from_info(info, _reads_rectified(self._choice, info, self._rectified))
                if self._camera is None:
                    self._notes.add('the camera is not calibrated (K is 0): angles are relative to the ray through each face')
            except ValueError as error:
                self._notes.add('a calibration that cannot be used: angles are relative to the ray through each face', str(error))
        camera = self._camera
        if camera is not None and (camera.height, camera.width) != image.shape[:2]:
            self._notes.add(
                'images of another size than their calibration, which is not used for them',
                f'images of {image.shape[1]}x{image.shape[0]} with a calibration for {camera.width}x{camera.height}',
            )
            return None
        return camera

    def _depth_for(self, image_s: float, view: ImageView) -> np.ndarray | None:
        nearest = self._depths.nearest(image_s)
        if self._depth is None or nearest is None:
            return None
        if not belongs(nearest, image_s, self._depth_tolerance_s):
            self._notes.add(f'images without depth within {1e3 * self._depth_tolerance_s:.0f} ms (depth_tolerance_s)')
            return None
        try:
            return self._depth.align(nearest.message, view)
        except ImageError as error:
            self._notes.add(f'depth on {self._choice.depth} that cannot be read', str(error))
        except DepthError as error:
            self._notes.add('depth that is not registered to its image is not used', str(error))
        return None


def folder_name(path: Path) -> str:
    """A recording's name for folders and titles: its file or folder without the suffix."""
    return path.resolve().stem if path.is_file() else path.resolve().name
