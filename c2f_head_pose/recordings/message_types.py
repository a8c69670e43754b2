"""Decodes the messages of a topic by the types that it was recorded with."""

from __future__ import annotations

import functools
from typing import Any

from .pictures import image_fields
from .storage import CDR, PICTURE, ROS1, BagError, first_line, unpack_frame, zstd_decompressor

DECODED = (CDR, ROS1, PICTURE)
"""Encodings of messages that can be decoded."""
_ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'
"""Begins a message that rosbag2 compressed by itself (compression mode MESSAGE); CDR begins with a 0."""

VISION_MSGS = {
    'vision_msgs/msg/ObjectHypothesis': 'string class_id\nfloat64 score\n',
    'vision_msgs/msg/ObjectHypothesisWithPose': 'vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose\n',
    'vision_msgs/msg/BoundingBox3D': 'geometry_msgs/Pose center\ngeometry_msgs/Vector3 size\n',
    'vision_msgs/msg/Detection3D': 'std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n'
    'vision_msgs/BoundingBox3D bbox\nstring id\n',
    'vision_msgs/msg/Detection3DArray': 'std_msgs/Header header\nvision_msgs/Detection3D[] detections\n',
}
"""Message definitions (vision_msgs 4, Humble and later) for bags that carry none, and for writing."""


def ros2_typestore() -> Any:
    """Rosbags' Jazzy types, and vision_msgs."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    for name, definition in VISION_MSGS.items():
        store.register(get_types_from_msg(definition, name))
    return store


class Decoder:
    """Decodes one topic's messages.

    It holds the types of this topic alone, as they were recorded, so an odd definition of another topic causes no error.

    Args:
        topic: its name, for messages to people.
        kind: 'package/msg/Type'; '' where the topic was recorded with several.
        encoding: the messages' encoding.
        definition: rosbags' MessageDefinition; None where the recording holds none.

    Raises:
        BagError: for a type that is unknown or differs from the standard one, and for an encoding that is not decoded.
    """

    def __init__(self, topic: str, kind: str, encoding: str, definition: Any) -> None:
        self._topic, self._kind, self._encoding = topic, kind, encoding
        self._store: Any = None
        if encoding == PICTURE:
            return
        if not kind or not encoding:
            raise BagError(f'{topic} was recorded with several message types, or without one; record it with one')
        if encoding not in DECODED:
            raise BagError(f'{topic} is encoded as {encoding}; only ROS messages ({CDR}, {ROS1}) are read')
        is_ros1 = encoding == ROS1
        try:
            self._store = _recorded_types(definition, kind, is_ros1)
        except Exception as error:  # rosbags' parser raises several classes for text that defines nothing
            raise BagError(
                f'{topic}: the recorded definition of {kind} cannot be read ({first_line(error)}); '
                'the recording is damaged, or needs converting'
            ) from error
        if kind not in self._store.fielddefs:
            raise BagError(
                f'{topic} has type {kind}, the recording has no definition of it, and it is no standard type; '
                'convert the bag to mcap, which carries definitions (ros2 bag convert)'
            )
        if odd := _redefined(self._store, is_ros1):
            raise BagError(
                f'{topic} was recorded with another {odd} than the standard one, so its fields mean nothing certain; '
                'the recording is damaged, or needs converting'
            )

    def decode(self, raw: bytes, log_ns: int) -> Any:
        """A message with ROS's field names.

        Raises:
            BagError: for bytes that do not fit the type's definition.
        """
        if self._encoding == PICTURE:
            return image_fields(raw, log_ns)
        try:
            if self._encoding == ROS1:
                return self._store.deserialize_ros1(raw, self._kind)
            raw = unpack_frame(zstd_decompressor(), raw) if raw[:4] == _ZSTD_MAGIC else raw
            return self._store.deserialize_cdr(raw, self._kind)
        except Exception as error:  # struct.error, SerdeError, UnicodeDecodeError, IndexError ...: all mean the same here
            raise BagError(f'a message on {self._topic} is no {self._kind} ({first_line(error)})') from error


@functools.lru_cache(maxsize=2)
def _standard_types(is_ros1: bool) -> Any:
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    if not is_ros1:
        return ros2_typestore()
    store = get_typestore(Stores.ROS1_NOETIC)
    for name in ('tf2_msgs/msg/TFMessage', 'tf/msg/tfMessage'):  # not among rosbags' types of ROS 1
        store.register(get_types_from_msg('geometry_msgs/TransformStamped[] transforms', name))
    return store


def _redefined(store: Any, is_ros1: bool) -> str:
    """A standard type that a store defines without all of its standard fields; '' for none. vision_msgs changed between distributions."""
    standard = _standard_types(is_ros1).fielddefs
    return next(
        (
            kind
            for kind, (_, fields) in store.fielddefs.items()
            if kind in standard and kind not in VISION_MSGS and not {*standard[kind][1]} <= {*fields}
        ),
        '',
    )


@functools.lru_cache(maxsize=64)
def _recorded_types(definition: Any, kind: str, is_ros1: bool) -> Any:
    """A store of the types that a topic was recorded with; reading definitions takes longer than reading many a message."""
    from rosbags.interfaces import MessageDefinitionFormat
    from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

    if definition is None or not definition.data:
        return _standard_types(is_ros1)
    store = get_typestore(Stores.EMPTY)
    if definition.format == MessageDefinitionFormat.MSG:
        store.register(get_types_from_msg(definition.data, kind))
        return store
    separator = '=' * 80 + '\n'
    if not definition.data.startswith(f'{separator}IDL: '):
        store.register(get_types_from_idl(definition.data))
        return store
    types: dict[str, Any] = {}
    for part in definition.data.split(separator)[1:]:
        types.update(get_types_from_idl(part.split('\n', 1)[1]))
    store.register(types)
    return store
