"""Recordings as ROS messages in time order: rosbag2 (mcap, sqlite3), rosbag1, or a folder of pictures. Needs no apt ROS."""
from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ...images import PICTURE_SUFFIXES, ImageError, image_from_compressed
from .. import messages

_TYPES = {'sensor_msgs/msg/Image': Image, 'sensor_msgs/msg/CompressedImage': CompressedImage, 'sensor_msgs/msg/CameraInfo': CameraInfo,
          'geometry_msgs/msg/PoseStamped': PoseStamped, 'geometry_msgs/msg/PoseWithCovarianceStamped': PoseWithCovarianceStamped}
_COMPRESSED = '/compressed'


class RecordingError(ValueError):
    """A recording that cannot be replayed; the text names it and the remedy."""


@dataclass(frozen=True)
class Entry:
    """One message of a recording.

    Attributes:
        at_s: when, in seconds since the recording's first entry.
        time_ns: when, on the clock it was recorded with.
        topic: where to.
        message: the ROS message, with its recorded stamp.
    """

    at_s: float
    time_ns: int
    topic: str
    message: Any


class Bag:
    """One image topic of a bag with the camera_info and the poses beside it.

    Attributes:
        length_s: from the bag's first message to its last.
    """

    def __init__(self, path: Path, image_topic: str = '', decode: bool = True, plain_names: bool = False) -> None:
        """Finds the topics; reads no message yet.

        Args:
            path: rosbag2 folder or a file in it, or a .bag file.
            image_topic: the topic in the bag; '' for the only one.
            decode: turn CompressedImage into Image, under the topic without `/compressed`.
            plain_names: publish as `image` and `camera_info`, whatever the recorded names.

        Raises:
            RecordingError: for a path that is no bag, or an image topic that is missing or ambiguous.
        """
        self.path = path.parent if path.suffix in ('.mcap', '.db3') and (path.parent / 'metadata.yaml').is_file() else path
        with _opened(self.path) as reader:
            recorded = {connection.topic: connection.msgtype for connection in reader.connections if connection.msgtype in _TYPES}
            self.length_s = max(reader.duration, 0) * 1e-9
        self.image_topic = _choose_image(recorded, image_topic, path)
        info_topic = _beside(self.image_topic, 'camera_info', recorded)
        self._decodes = decode and recorded[self.image_topic].endswith('CompressedImage')
        names = {self.image_topic: self.image_topic.removesuffix(_COMPRESSED) if self._decodes else self.image_topic}
        if plain_names:
            names[self.image_topic] = 'image' if self._decodes or not self.image_topic.endswith(_COMPRESSED) else f'image{_COMPRESSED}'
        if info_topic:
            names[info_topic] = 'camera_info' if plain_names else info_topic
        names |= {topic: topic for topic, type_ in recorded.items() if 'Pose' in type_}
        self._names = names
        self._recorded = recorded
        self.topics = {name: _TYPES[recorded[topic]] for topic, name in names.items()}
        if self._decodes:
            self.topics[names[self.image_topic]] = Image
        self.output = names[self.image_topic]

    def entries(self, from_s: float = 0.0) -> Iterator[Entry]:
        """The messages in the order they were recorded.

        Args:
            from_s: leaves out what comes earlier, in seconds since the recording's first entry.

        Raises:
            RecordingError: for a compressed picture that cannot be decoded.
        """
        with _opened(self.path) as reader:
            wanted = [connection for connection in reader.connections if connection.topic in self._names]
            start_ns = next((time_ns for _, time_ns, _ in reader.messages(connections=wanted)), 0)
            for connection, time_ns, raw in reader.messages(connections=wanted, start=start_ns + round(from_s * 1e9)):
                recorded = reader.deserialize(raw, connection.msgtype)
                if connection.topic == self.image_topic and self._decodes:
                    message = _decoded(recorded, self.path)
                else:
                    message = to_ros(_TYPES[connection.msgtype], recorded)
                yield Entry((time_ns - start_ns) * 1e-9, time_ns, self._names[connection.topic], message)


class Pictures:
    """A folder of pictures as an image topic, in natural order of their names.

    Attributes:
        length_s: from the first picture to the last.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        """Lists the pictures.

        Args:
            path: the folder.
            rate_hz: pictures a second; stamps count from 1 s.

        Raises:
            RecordingError: for a folder without pictures.
        """
        self._files = sorted((file for file in path.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES),
                             key=lambda file: [int(part) if part.isdigit() else part for part in re.split(r'(\d+)', file.name)])
        if not self._files:
            raise RecordingError(f'{path} holds no pictures ({", ".join(PICTURE_SUFFIXES)}) and no metadata.yaml of a rosbag2')
        self._period_s = 1 / rate_hz
        self.length_s = (len(self._files) - 1) * self._period_s
        self.output = 'image'
        self.topics = {'image': Image}

    def entries(self, from_s: float = 0.0) -> Iterator[Entry]:
        """The pictures one after another.

        Args:
            from_s: leaves out what comes earlier, in seconds since the first picture.

        Raises:
            RecordingError: for a file that is no picture.
        """
        first = math.ceil(from_s / self._period_s - 1e-6)  # rounding must not skip a picture
        for number, file in enumerate(self._files[first:], first):
            pixels = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if pixels is None:
                raise RecordingError(f'{file} is no picture that OpenCV reads; take it out of the folder')
            at_s = number * self._period_s
            nanoseconds = round((1 + at_s) * 1e9)
            header = Header(stamp=Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9), frame_id='camera')
            yield Entry(at_s, nanoseconds, 'image', messages.image(header, pixels))


def open_recording(path: Path, image_topic: str = '', decode: bool = True, plain_names: bool = False,
                   picture_rate_hz: float = 10.0) -> Bag | Pictures:
    """A bag or a folder of pictures, ready to be replayed.

    Raises:
        RecordingError: naming the path and the remedy.
    """
    if not path.exists():
        raise RecordingError(f'there is no recording {path}; give a rosbag2 folder, a .bag file or a folder of pictures')
    if path.is_dir() and not (path / 'metadata.yaml').is_file():
        return Pictures(path, picture_rate_hz)
    return Bag(path, image_topic, decode, plain_names)


def to_ros(message_type: Any, source: Any) -> Any:
    """A ROS message with the fields of a like-named object, such as rosbags reads them (ROS 1's capitals too)."""
    target = message_type()
    for name in message_type.get_fields_and_field_types():
        value, present = getattr(source, name if hasattr(source, name) else name.upper()), getattr(target, name)
        if hasattr(present, 'get_fields_and_field_types'):
            setattr(target, name, to_ros(type(present), value))
        elif isinstance(value, np.ndarray) and value.dtype == np.uint8:
            data = array('B')
            data.frombytes(value.tobytes())
            setattr(target, name, data)
        elif isinstance(value, np.ndarray):
            setattr(target, name, value.tolist())
        else:
            setattr(target, name, value)
    return target


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.highlevel.anyreader import AnyReaderError
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise RecordingError(f'reading {path} needs rosbags ({error}); pip install rosbags') from error
    try:
        with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
            yield reader
    except (AnyReaderError, OSError) as error:
        raise RecordingError(f'{path} is no bag that can be read: {error}; give the folder with metadata.yaml (ros2 bag reindex makes one) '
                             'or a .bag file') from error


def _choose_image(recorded: dict[str, str], asked: str, path: Path) -> str:
    images = sorted(topic for topic, type_ in recorded.items() if type_.endswith('Image') and 'compressedDepth' not in topic)
    if asked:
        for topic in (asked, asked + _COMPRESSED):
            if topic in images:
                return topic
        raise RecordingError(f'{path} has no image topic {asked!r}; it has {", ".join(images) or "none"}')
    if not images:
        raise RecordingError(f'{path} has no image topic; record sensor_msgs/Image or CompressedImage')
    cameras = {topic.removesuffix(_COMPRESSED) for topic in images}
    if len(cameras) > 1:
        raise RecordingError(f'{path} has several image topics; set image_topic to one of {", ".join(images)}')
    return images[0]  # the raw one sorts before its /compressed


def _beside(image_topic: str, name: str, recorded: dict[str, str]) -> str | None:
    """The camera_info in the image's namespace, else the only one of the bag."""
    infos = [topic for topic, type_ in recorded.items() if type_.endswith('CameraInfo')]
    sibling = f'{image_topic.removesuffix(_COMPRESSED).rsplit("/", 1)[0]}/{name}'
    return sibling if sibling in infos else infos[0] if len(infos) == 1 else None


def _decoded(recorded: Any, path: Path) -> Image:
    try:
        pixels = image_from_compressed(recorded)
    except ImageError as error:
        raise RecordingError(f'a picture in {path} cannot be decoded: {error}') from error
    return messages.image(to_ros(Header, recorded.header), pixels)
