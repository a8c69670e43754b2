"""A recording as typed frames: which topics hold the images, the calibration and the depth, and what is on them."""
from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..camera import camera_from_info
from ..images import ImageError, SignificantBits, depth_m_from_message, image_from_compressed, image_from_message
from ..types import Camera
from .bagfile import BagError, BagFile, BagMessage

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
_INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
_DEPTH_ENCODINGS = ('16UC1', '32FC1')
_DRAWN = ('annotated', 'debug', 'overlay')
_DEPTH_TOLERANCE_S = 0.025
"""Depth belongs to an image when their stamps differ by less than most of a 30 Hz period."""
_WAITING_IMAGES = 8


@dataclass(frozen=True)
class TopicChoice:
    """The topics an evaluation reads, and why, in words.

    Attributes:
        image: Image or CompressedImage.
        camera_info: None where there is none: angles are then relative to the ray through each face.
        depth: registered depth; None where there is none.
        reasons: one sentence a choice, for people.
    """

    image: str
    camera_info: str | None = None
    depth: str | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Frame:
    """An image of a recording with what belongs to it.

    Attributes:
        index: its number among the image topic's messages, from 0.
        stamp_ns: its header's stamp; the recording time where the recording has no stamps.
        log_ns: when it was recorded.
        frame_id: its header's.
        image: (H, W) gray or (H, W, 3) BGR uint8.
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
        seconds, nanoseconds = divmod(self.stamp_ns, 10**9)
        return seconds + 1e-9 * nanoseconds


@dataclass
class Notes:
    """What is odd about a recording: each kind of event once, counted.

    Attributes:
        counts: sentence to how often.
    """

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, sentence: str) -> None:
        """Counts one more of an event."""
        self.counts[sentence] = self.counts.get(sentence, 0) + 1


def choose_topics(bag: BagFile, image: str | None = None, camera_info: str | None = None, depth: str | None = None) -> TopicChoice:
    """Finds the topics by their types, contents and names.

    Args:
        bag: the recording.
        image: name; chosen when None.
        camera_info: name, 'none' for none; chosen when None.
        depth: likewise.

    Raises:
        BagError: when there is no image topic, or a named topic is missing or of another type.
    """
    reasons = []
    if image is not None:
        _require(bag, image, IMAGE_TYPES)
        reasons.append(f'images {image} (named)')
    else:
        pictures = [t.name for t in bag.topics.values() if t.type in IMAGE_TYPES and not _is_depth(bag, t.name)]
        if not pictures:
            raise BagError(f'{bag.path.name} has no image topic ({", ".join(IMAGE_TYPES)}); it holds {_contents(bag)}')
        image = min(pictures, key=lambda name: _unlikeliness(bag, name))
        others = [name for name in pictures if name != image]
        reasons.append(f'images {image}' + (f" (also there: {', '.join(others)}; name one with --image)" if others else ''))
    if camera_info != 'none':
        camera_info = _choose_beside(bag, image, camera_info, (_INFO_TYPE,), [t.name for t in bag.topics.values() if t.type == _INFO_TYPE])
        reasons.append(f'calibration {camera_info}' if camera_info else
                       'no calibration: angles are relative to the ray through each face, positions unknown')
    if depth != 'none':
        maps = [t.name for t in bag.topics.values() if t.type == IMAGE_TYPES[0] and t.name != image and _is_depth(bag, t.name)]
        depth = _choose_beside(bag, image, depth, IMAGE_TYPES[:1], maps)
        if depth:
            reasons.append(f'depth {depth}')
    return TopicChoice(image, None if camera_info == 'none' else camera_info, None if depth == 'none' else depth, tuple(reasons))


def read_frames(bag: BagFile, choice: TopicChoice, notes: Notes, rectified: bool = False) -> Iterator[Frame]:
    """The images by recording time, each with the latest calibration and the depth of its own stamp.

    Images that cannot be read are counted in `notes` and left out; their index is not used again.

    Args:
        bag: the recording.
        choice: its topics.
        notes: gets what is odd.
        rectified: the images are rectified: P without distortion instead of K and D.
    """
    reader = _FrameReader(bag, choice, notes, rectified)
    for message in bag.messages([t for t in (choice.image, choice.camera_info, choice.depth) if t]):
        yield from reader.take(message)
    yield from reader.rest()


class _FrameReader:
    """Puts images, calibration and depth together; holds a few images until their depth has come."""

    def __init__(self, bag: BagFile, choice: TopicChoice, notes: Notes, rectified: bool) -> None:
        self._bag, self._choice, self._notes, self._rectified = bag, choice, notes, rectified
        self._compressed = bag.topics[choice.image].type == IMAGE_TYPES[1]
        self._info = _first_message(bag, choice.camera_info) if choice.camera_info else None
        self._camera: Camera | None = None
        self._camera_of: Any = None
        self._bits = SignificantBits()
        self._index = 0
        self._waiting: deque[tuple[int, BagMessage, Any, Any]] = deque()
        self._depths: deque[tuple[int, Any]] = deque(maxlen=_WAITING_IMAGES)

    def take(self, message: BagMessage) -> Iterator[Frame]:
        try:
            decoded = message.decode()
        except BagError as error:
            self._notes.add(str(error))
            self._index += message.topic == self._choice.image
            return
        if message.topic == self._choice.camera_info:
            self._info = decoded
        elif message.topic == self._choice.depth:
            self._depths.append((_stamp_ns(decoded), decoded))
        else:
            self._waiting.append((self._index, message, decoded, self._info))
            self._index += 1
        newest_depth_ns = self._depths[-1][0] if self._depths else -1
        while self._waiting and (not self._choice.depth or newest_depth_ns >= _stamp_ns(self._waiting[0][2])
                                 or len(self._waiting) > _WAITING_IMAGES):
            yield from self._finish(*self._waiting.popleft())

    def rest(self) -> Iterator[Frame]:
        while self._waiting:
            yield from self._finish(*self._waiting.popleft())

    def _finish(self, index: int, message: BagMessage, decoded: Any, info: Any) -> Iterator[Frame]:
        try:
            image = (image_from_compressed if self._compressed else image_from_message)(decoded, self._bits)
        except ImageError as error:
            self._notes.add(f'{self._choice.image}: {error}')
            return
        stamp_ns = _stamp_ns(decoded)
        if stamp_ns == 0:
            self._notes.add('images without a stamp: their recording time is used')
            stamp_ns = message.log_ns
        yield Frame(index, stamp_ns, message.log_ns, decoded.header.frame_id, image, self._camera_for(info, image),
                    self._depth_for(stamp_ns, image))

    def _camera_for(self, info: Any, image: np.ndarray) -> Camera | None:
        if info is None:
            return None
        if info is not self._camera_of:
            self._camera_of, self._camera = info, None
            try:
                self._camera = camera_from_info(info, self._rectified)
                if self._camera is None:
                    self._notes.add('the camera is not calibrated (K is 0): angles are relative to the ray through each face')
            except ValueError as error:
                self._notes.add(str(error))
        camera = self._camera
        if camera is not None and (camera.height, camera.width) != image.shape[:2]:
            self._notes.add(f'images of {image.shape[1]}x{image.shape[0]} with a calibration for {camera.width}x{camera.height}: '
                            'it is not used for them')
            return None
        return camera

    def _depth_for(self, stamp_ns: int, image: np.ndarray) -> np.ndarray | None:
        if not self._choice.depth or not self._depths:
            return None
        depth_ns, message = min(self._depths, key=lambda d: abs(d[0] - stamp_ns))
        if abs(depth_ns - stamp_ns) > _DEPTH_TOLERANCE_S * 1e9:
            self._notes.add(f'images without depth within {1e3 * _DEPTH_TOLERANCE_S:.0f} ms')
            return None
        try:
            depth_m = depth_m_from_message(message)
        except ImageError as error:
            self._notes.add(f'{self._choice.depth}: {error}')
            return None
        if depth_m.shape != image.shape[:2]:
            self._notes.add(f'depth of {depth_m.shape[1]}x{depth_m.shape[0]} beside images of {image.shape[1]}x{image.shape[0]}: '
                            'it is not registered, so not used')
            return None
        return depth_m


def _stamp_ns(message: Any) -> int:
    stamp = message.header.stamp
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def _require(bag: BagFile, name: str, types: tuple[str, ...]) -> None:
    if name not in bag.topics:
        raise BagError(f'{bag.path.name} has no topic {name}; it holds {_contents(bag)}')
    if bag.topics[name].type not in types:
        raise BagError(f"{name} has type {bag.topics[name].type or '(several)'}, not {' or '.join(types)}")


def _choose_beside(bag: BagFile, image: str, named: str | None, types: tuple[str, ...], candidates: list[str]) -> str | None:
    """The named topic, else the one in the image's namespace, else the only one there is."""
    if named is not None:
        _require(bag, named, types)
        return named
    folder = _folder(image.removesuffix('/compressed'))
    beside = [name for name in candidates if _folder(name) == folder]
    return min(beside) if beside else candidates[0] if len(candidates) == 1 else None


def _folder(topic: str) -> str:
    return topic.rpartition('/')[0]


def _unlikeliness(bag: BagFile, name: str) -> tuple:
    """Sorts image topics: drawings last, raw before compressed, calibrated before not, many messages before few."""
    topic = bag.topics[name]
    folder = _folder(name.removesuffix('/compressed'))
    calibrated = f'{folder}/camera_info' in bag.topics
    return any(word in name for word in _DRAWN), not calibrated, topic.type != IMAGE_TYPES[0], -topic.count, name


def _is_depth(bag: BagFile, name: str) -> bool:
    """By its first message's encoding; by its name where it has no message that can be read."""
    if 'compressedDepth' in name:
        return True
    if bag.topics[name].type == IMAGE_TYPES[0]:
        message = _first_message(bag, name)
        if message is not None:
            return message.encoding in _DEPTH_ENCODINGS
    return 'depth' in name


def _first_message(bag: BagFile, topic: str) -> Any:
    for message in bag.messages([topic]):
        try:
            return message.decode()
        except BagError:
            return None
    return None


def _contents(bag: BagFile) -> str:
    return ', '.join(f'{t.name} ({t.type})' for t in bag.topics.values()) or 'nothing'


def folder_name(path: Path) -> str:
    """A recording's name for folders and titles: its file or folder without the suffix."""
    return path.resolve().stem if path.is_file() else path.resolve().name
