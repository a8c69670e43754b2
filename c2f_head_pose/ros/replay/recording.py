"""Recordings as ROS messages in time order: what evaluate_bag reads, by the same topic rules. Needs no apt ROS."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ...images import ImageError, SignificantBits, image_from_compressed
from ...recordings.bagfile import BagError, BagFile, BagMessage
from ...recordings.pictures import PICTURE_RATE_HZ
from ...recordings.reader import Notes
from ...recordings.topics import COMPRESSED, Wording, choose_topics
from .. import messages

_POSE_TYPES = {'geometry_msgs/msg/PoseStamped': PoseStamped, 'geometry_msgs/msg/PoseWithCovarianceStamped': PoseWithCovarianceStamped}
_TYPES = {
    'sensor_msgs/msg/Image': Image,
    'sensor_msgs/msg/CompressedImage': CompressedImage,
    'sensor_msgs/msg/CameraInfo': CameraInfo,
    **_POSE_TYPES,
}
_WORDING = Wording('the parameter image_topic')


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


class Recording:
    """One image topic of a recording with its calibration and depth, and the poses beside it.

    Attributes:
        topics: name to publish under, and ROS type.
        output: name of the image topic among them.
        image_topic: its name in the recording.
        length_s: from the recording's first message to its last.
        reasons: which topics were chosen, one sentence each.
        notes: what is unusual about a recording that is whole.

    Args:
        path: what evaluate_bag reads: a rosbag2 folder, a file, a folder of pictures.
        image_topic: the topic in the recording; '' to have it found.
        decode: turn CompressedImage into Image, under the topic without `/compressed`.
        plain_names: publish as `image`, `camera_info` and `depth/image`, whatever the recorded names.
        picture_rate_hz: pictures a second, for a folder of pictures.

    Raises:
        BagError: naming the path, what is wrong and the remedy.
    """

    def __init__(
        self, path: Path, image_topic: str = '', decode: bool = True, plain_names: bool = False, picture_rate_hz: float = PICTURE_RATE_HZ
    ) -> None:
        self._bag = BagFile(path, picture_rate_hz)
        choice = choose_topics(self._bag, image_topic or None, wording=_WORDING)
        self.image_topic, self.reasons, self.notes = choice.image, choice.reasons, self._bag.notes
        self.length_s = ((self._bag.end_ns or 0) - (self._bag.start_ns or 0)) * 1e-9
        recorded = {topic.name: topic.type for topic in self._bag.topics.values() if topic.decodable}
        self._decodes = decode and recorded[choice.image].endswith('CompressedImage')
        names = {choice.image: choice.image.removesuffix(COMPRESSED) if self._decodes else choice.image}
        if plain_names:
            names[choice.image] = 'image' if self._decodes or not choice.image.endswith(COMPRESSED) else f'image{COMPRESSED}'
        for topic, plain in ((choice.camera_info, 'camera_info'), (choice.depth, 'depth/image')):
            if topic:
                names[topic] = plain if plain_names else topic
        names |= {topic: topic for topic, type_ in recorded.items() if type_ in _POSE_TYPES}
        self._names = names
        self._types = {topic: _TYPES[recorded[topic]] for topic in names}
        self.output = names[choice.image]
        self.topics = {name: self._types[topic] for topic, name in names.items()} | ({self.output: Image} if self._decodes else {})

    @property
    def damage(self) -> str | None:
        """What is wrong with the recording; None while nothing was noticed. Look at it again after reading."""
        return self._bag.damage

    def close(self) -> None:
        """Closes the recording's files."""
        self._bag.close()

    def entries(self, from_s: float = 0.0, skipped: Notes | None = None) -> Iterator[Entry]:
        """The messages in the order they were recorded; those that cannot be read are left out.

        Args:
            from_s: leaves out what comes earlier, in seconds since the recording's first entry.
            skipped: counts the messages that are left out because they cannot be read.
        """
        skipped = Notes() if skipped is None else skipped
        bits = SignificantBits()
        start_ns = next((message.log_ns for message in self._bag.messages(self._names)), 0)
        for message in self._bag.messages(self._names, start_ns + round(from_s * 1e9)):
            try:
                published = self._to_publish(message, bits)
            except (BagError, ImageError) as error:
                kind = 'images' if message.topic == self.image_topic else 'messages'
                skipped.add(f'{kind} on {message.topic} that cannot be read are left out', str(error))
                continue
            yield Entry((message.log_ns - start_ns) * 1e-9, message.log_ns, self._names[message.topic], published)

    def _to_publish(self, message: BagMessage, bits: SignificantBits) -> Any:
        decoded = message.decode()
        if message.topic == self.image_topic and self._decodes:
            return messages.image(to_ros(Header, decoded.header), image_from_compressed(decoded, bits))
        return to_ros(self._types[message.topic], decoded)


def to_ros(message_type: Any, source: Any) -> Any:
    """A ROS message with the fields of a like-named object, such as rosbags reads them (ROS 1's capitals too).

    Raises:
        BagError: for a source that lacks a field.
    """
    target = message_type()
    for name in message_type.get_fields_and_field_types():
        try:
            value, present = getattr(source, name if hasattr(source, name) else name.upper()), getattr(target, name)
        except AttributeError as error:
            raise BagError(f'{message_type.__name__} was recorded without its field {name}') from error
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
