"""Recordings as ROS messages in time order: what evaluate_bag reads, by the same topic rules. Needs no apt ROS."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, TransformStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ...files import stamp_ns
from ...images import ImageError, SignificantBits, depth_from_compressed, image_from_compressed
from ...recordings.bagfile import BagError, BagFile, BagMessage
from ...recordings.choice import TF_TYPES, TopicChoice, Wording, raw_name
from ...recordings.pictures import PICTURE_RATE_HZ
from ...recordings.reader import Notes
from ...recordings.topics import choose_topics
from .. import messages

try:
    from tf2_msgs.msg import TFMessage
except ImportError:  # not in the pip wheels
    TFMessage = None

_POSE_TYPES = {'geometry_msgs/msg/PoseStamped': PoseStamped, 'geometry_msgs/msg/PoseWithCovarianceStamped': PoseWithCovarianceStamped}
_TYPES = {
    'sensor_msgs/msg/Image': Image,
    'sensor_msgs/msg/CompressedImage': CompressedImage,
    'sensor_msgs/msg/CameraInfo': CameraInfo,
    **_POSE_TYPES,
    **dict.fromkeys(TF_TYPES, TFMessage),
}
_STATIC = 'tf_static'
_ANSWERS = '/head_pose/head_pose'
"""Ending of the topic on which a node head_pose answers, in any namespace."""
_SOON_NS = 10**9
_WORDING = Wording('the parameter image_topic')


@dataclass(frozen=True)
class Entry:
    """One message of a recording.

    Attributes:
        at_s: when, in seconds since the recording's first entry.
        time_ns: when, on the clock it was recorded with.
        topic: the topic to publish on.
        message: the ROS message, with its recorded stamp.
    """

    at_s: float
    time_ns: int
    topic: str
    message: Any

    @property
    def stamped(self) -> Sequence[Any]:
        """The parts with a header: the message itself, or each of TF's transforms."""
        return [self.message] if hasattr(self.message, 'header') else self.message.transforms

    @property
    def stamp_ns(self) -> int:
        """The stamp of its header; for TF that of the newest transform, and when it was recorded if there is none."""
        return max((stamp_ns(part) for part in self.stamped), default=self.time_ns)


class Recording:
    """One image topic of a recording with its calibration and depth, and the poses beside it, except those that a node head_pose answered.

    Attributes:
        topics: name to publish under, and ROS type.
        output: name of the image topic among them.
        image_topic: its name in the recording.
        length_s: time between the recording's first message and its last, seconds.
        static_transforms: tf2_msgs/TFMessage to publish once, which depth needs to be registered; None where it needs none.
        reasons: which topics were chosen, one sentence each.
        notes: oddities of a complete recording.

    Args:
        path: anything that evaluate_bag reads: a rosbag2 folder, a file, a folder of pictures.
        image_topic: the topic in the recording; '' to have it found.
        decode: turn CompressedImage into Image, under the topic without `/compressed` or `/compressedDepth`.
        plain_names: publish as `image`, `camera_info`, `depth/image` and `depth/camera_info`, whatever the recorded names.
        picture_rate_hz: pictures a second, for a folder of pictures.

    Raises:
        BagError: naming the path, what is wrong and the remedy.
    """

    def __init__(
        self, path: Path, image_topic: str = '', decode: bool = True, plain_names: bool = False, picture_rate_hz: float = PICTURE_RATE_HZ
    ) -> None:
        self._bag = BagFile(path, picture_rate_hz)
        choice = choose_topics(self._bag, image_topic or None, wording=_WORDING)
        self.image_topic, self.reasons, self.notes = choice.image, choice.reasons, list(self._bag.notes)
        self.length_s = ((self._bag.end_ns or 0) - (self._bag.start_ns or 0)) * 1e-9
        recorded = {topic.name: topic.type for topic in self._bag.topics.values() if topic.decodable}
        pictures = [topic for topic in (choice.image, choice.depth) if topic]
        self._decoded = [topic for topic in pictures if decode and recorded[topic].endswith('CompressedImage')]
        self._depth_topic = choice.depth
        self._calibrations = [topic for topic in (choice.camera_info, choice.depth_info) if topic]
        self._names = self._output_names(choice, plain_names)
        poses = [topic for topic, type_ in recorded.items() if type_ in _POSE_TYPES]
        answers = [topic for topic in poses if topic.endswith(_ANSWERS)]
        self._names |= {topic: topic for topic in poses if topic not in answers}
        self.notes += [f'{topic} holds answers of an earlier head_pose node and is not published' for topic in answers]
        self.static_transforms = None
        if choice.transforms and TFMessage is None:
            self.notes.append('TF, which depth needs to be registered, is not published: install ros-$ROS_DISTRO-tf2-msgs (apt)')
        elif choice.transforms:
            self.static_transforms = self._read_static_transforms(choice.transforms)
            self._names |= {topic: '/tf' for topic in choice.transforms if not topic.endswith(_STATIC)}
        self._types = {topic: _TYPES[recorded[topic]] for topic in self._names}
        self.output = self._names[choice.image]
        self.topics = {name: Image if topic in self._decoded else self._types[topic] for topic, name in self._names.items()}

    def _output_names(self, choice: TopicChoice, plain: bool) -> dict[str, str]:
        """The names of the recorded topics of images, depth and their calibrations to publish under."""
        names = {}
        for topic, plain_name in ((choice.image, 'image'), (choice.depth, 'depth/image')):
            if topic:
                ending = '' if topic in self._decoded else topic.removeprefix(raw_name(topic))
                names[topic] = (plain_name if plain else raw_name(topic)) + ending
        for topic, plain_name in ((choice.depth_info, 'depth/camera_info'), (choice.camera_info, 'camera_info')):
            if topic:
                names[topic] = plain_name if plain else topic
        return names

    def _read_static_transforms(self, topics: Collection[str]) -> Any:
        """All transforms that never change, the newest of each."""
        newest: dict[str, Any] = {}
        for message in self._bag.messages([topic for topic in topics if topic.endswith(_STATIC)]):
            with suppress(BagError):
                newest |= {one.child_frame_id: to_ros(TransformStamped, one) for one in message.decode().transforms}
        return TFMessage(transforms=list(newest.values()))

    @property
    def damage(self) -> str | None:
        """What is wrong with the recording; None while nothing was noticed. Look at it again after reading."""
        return self._bag.damage

    def close(self) -> None:
        """Closes the recording's files."""
        self._bag.close()

    def entries(self, from_s: float = 0.0, skipped: Notes | None = None) -> Iterator[Entry]:
        """Yields the messages in the order of recording; those that cannot be read are skipped.

        Args:
            from_s: leaves out what comes earlier, in seconds since the recording's first entry. A calibration that was recorded
                earlier, and does not come again soon, is the first entry then, with the stamp of the first message after it.
            skipped: counts the messages that are left out because they cannot be read.
        """
        skipped = Notes() if skipped is None else skipped
        start_ns = self._start_ns()
        entries = self._entries(start_ns, start_ns + round(from_s * 1e9), skipped)
        first = next(entries, None)
        if first is not None:
            yield from self._calibrations_before(first) if from_s > 0 else ()
            yield first
            yield from entries

    def first_image(self, from_s: float = 0.0) -> tuple[int, int] | None:
        """Returns the stamp and the time of recording, both in nanoseconds, of the first image whose header can be read; None for none.

        Args:
            from_s: leaves out what comes earlier, as in `entries`.
        """
        for message in self._bag.messages([self.image_topic], self._start_ns() + round(from_s * 1e9)):
            with suppress(BagError):
                return stamp_ns(message.decode()), message.log_ns
        return None

    def _start_ns(self) -> int:
        return next((message.log_ns for message in self._bag.messages(self._names)), 0)

    def _entries(self, start_ns: int, from_ns: int, skipped: Notes) -> Iterator[Entry]:
        """The messages recorded from a time on."""
        bits = SignificantBits()
        for message in self._bag.messages(self._names, from_ns):
            try:
                published = self._to_publish(message, bits)
            except (BagError, ImageError) as error:
                kind = 'images' if message.topic == self.image_topic else 'messages'
                skipped.add(f'{kind} on {message.topic} that cannot be read are left out', str(error))
                continue
            yield Entry((message.log_ns - start_ns) * 1e-9, message.log_ns, self._names[message.topic], published)

    def _calibrations_before(self, first: Entry) -> Iterator[Entry]:
        """The calibrations that hold at an entry, with its stamp, unless they come again soon: a driver that latches one sends it once."""
        for topic in self._calibrations:
            following = next(self._bag.messages([topic], first.time_ns), None)
            if following is not None and following.log_ns < first.time_ns + _SOON_NS:
                continue
            for message in deque(takewhile(lambda message: message.log_ns < first.time_ns, self._bag.messages([topic])), maxlen=1):
                with suppress(BagError):
                    info = to_ros(CameraInfo, message.decode())
                    info.header.stamp = messages.time_message(first.stamp_ns)
                    yield replace(first, topic=self._names[topic], message=info)

    def _to_publish(self, message: BagMessage, bits: SignificantBits) -> Any:
        decoded = message.decode()
        if message.topic in self._decoded:
            header = to_ros(Header, decoded.header)
            if message.topic == self._depth_topic:
                return messages.depth(header, depth_from_compressed(decoded))
            return messages.image(header, image_from_compressed(decoded, bits))
        if hasattr(decoded, 'transforms'):
            return TFMessage(transforms=[to_ros(TransformStamped, one) for one in decoded.transforms])
        return to_ros(self._types[message.topic], decoded)


def to_ros(message_type: Any, source: Any) -> Any:
    """Converts an object with the fields of a ROS message, such as rosbags reads (ROS 1's capitals too), to that message.

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
