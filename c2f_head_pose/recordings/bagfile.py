"""Opens any recording as a stream of messages: rosbag2 (mcap, sqlite3) and rosbag1, whole or cut off."""
from __future__ import annotations

import functools
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from . import salvage

_MCAP, _SQLITE3, _ROSBAG1 = '.mcap', '.db3', '.bag'
_SUFFIXES = (_MCAP, _SQLITE3, _ROSBAG1)

VISION_MSGS = {
    'vision_msgs/msg/ObjectHypothesis': 'string class_id\nfloat64 score\n',
    'vision_msgs/msg/ObjectHypothesisWithPose': 'vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose\n',
    'vision_msgs/msg/BoundingBox3D': 'geometry_msgs/Pose center\ngeometry_msgs/Vector3 size\n',
    'vision_msgs/msg/Detection3D': 'std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n'
                                   'vision_msgs/BoundingBox3D bbox\nstring id\n',
    'vision_msgs/msg/Detection3DArray': 'std_msgs/Header header\nvision_msgs/Detection3D[] detections\n',
}
"""Message definitions (vision_msgs 4, Humble and later) for bags that carry none, and for writing."""


class BagError(ValueError):
    """A recording that cannot be read; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class Topic:
    """A topic of a recording.

    Attributes:
        name: as recorded.
        type: 'package/msg/Type'; empty where it was recorded with several.
        count: messages, as far as the recording's index tells.
    """

    name: str
    type: str
    count: int


@dataclass(frozen=True, eq=False)
class BagMessage:
    """A message of a recording.

    Attributes:
        topic: its topic.
        log_ns: when it was recorded, nanoseconds.
        raw: its bytes as recorded (CDR, or ROS 1's serialisation).
        bag: where to decode it.
    """

    topic: str
    log_ns: int
    raw: bytes
    bag: BagFile

    def decode(self) -> Any:
        """The message with ROS's field names.

        Raises:
            BagError: for bytes that do not fit the type's definition.
        """
        return self.bag.decode(self.topic, self.raw)


def ros2_typestore() -> Any:
    """Rosbags' Jazzy types, and vision_msgs."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore
    store = get_typestore(Stores.ROS2_JAZZY)
    for name, definition in VISION_MSGS.items():
        store.register(get_types_from_msg(definition, name))
    return store


class BagFile:
    """A recording that is open for reading. Use it as a context manager.

    Attributes:
        path: as given.
        topics: name to topic.
        damage: what is wrong with the file, in words; None while nothing was noticed. Looked at again after reading.

    Args:
        path: a rosbag2 folder, an .mcap, .db3 or .bag file.

    Raises:
        BagError: when nothing in it can be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.damage: str | None = None
        self.topics: dict[str, Topic] = {}
        self._stores: dict[str, Any] = {}
        self._definitions: dict[str, Any] = {}
        self._readers: list[Any] = []
        self._salvaged: list[Path] = []
        files = _storage_files(self.path)
        self._is_ros1 = files[0].suffix == _ROSBAG1
        try:
            self._open(files)
        except BagError:
            raise
        except Exception as error:  # rosbags raises a dozen classes for a damaged file; each means: salvage what is there
            self.close()
            self.damage = f'{self.path.name} is damaged or was never closed ({_first_line(error)})'
            self._salvage([f for f in files if f.suffix in _SUFFIXES] or _inside(self.path))
        if not self.topics and self.damage:
            raise BagError(f'{self.damage}, and nothing in it can be read; record it again')

    def __enter__(self) -> BagFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the files; no message can be read after."""
        for reader in self._readers:
            with suppress(Exception):  # a reader that failed to open fails to close, too
                reader.close()
        self._readers = []

    def messages(self, topics: Collection[str] = ()) -> Iterator[BagMessage]:
        """The messages of some topics (all, if none is named), by recording time.

        A damaged file ends early; `damage` then says so.
        """
        wanted = set(topics) or set(self.topics)
        last_ns = None
        try:
            for topic, log_ns, raw in self._records(wanted):
                last_ns = log_ns
                yield BagMessage(topic, log_ns, raw, self)
        except GeneratorExit:
            raise
        # As above: whatever the reader raises, the messages before it stay good; MemoryError, too, which a damaged length asks for.
        except Exception as error:
            if isinstance(error, BagError):
                raise
            place = 'at its beginning' if last_ns is None else f'after {1e-9 * last_ns:.3f} s (recording time)'
            self.damage = f'{self.path.name} is damaged {place} ({_first_line(error)}); what comes before is used'

    def decode(self, topic: str, raw: bytes) -> Any:
        """A message's fields; see BagMessage.decode."""
        kind = self.topics[topic].type
        try:
            store = self._store(topic)
            return store.deserialize_ros1(raw, kind) if self._is_ros1 else store.deserialize_cdr(raw, kind)
        except BagError:
            raise
        except Exception as error:  # struct.error, SerdeError, UnicodeDecodeError, IndexError ...: all mean the same here
            raise BagError(f'a message on {topic} is no {kind} ({_first_line(error)})') from error

    def _open(self, files: list[Path]) -> None:
        from rosbags.rosbag1 import Reader as Reader1
        from rosbags.rosbag2 import Reader as Reader2
        for file in files:
            reader = Reader1(file) if self._is_ros1 else Reader2(file)
            reader.open()
            self._readers.append(reader)
            for connection in reader.connections:
                self._add(connection.topic, connection.msgtype, connection.msgcount, connection.msgdef)

    def _add(self, name: str, kind: str, count: int, definition: Any) -> None:
        known = self.topics.get(name)
        if known is not None:
            kind = kind if known.type == kind else ''
            count += known.count
        self.topics[name] = Topic(name, kind, count)
        if definition is not None and definition.data:
            self._definitions[name] = definition

    def _salvage(self, files: list[Path]) -> None:
        self._salvaged = files
        counts: dict[str, int] = {}
        known: dict[str, tuple[str, Any]] = {}
        try:
            for file in files:
                for record in salvage.scan(file):
                    counts[record.topic] = counts.get(record.topic, 0) + 1
                    known[record.topic] = record.type, record.definition
        except salvage.CutOffError as cut:
            self.damage = f'{self.damage}: {cut}'
        for name, (kind, definition) in known.items():
            self._add(name, kind, counts[name], definition)

    def _records(self, wanted: set[str]) -> Iterator[tuple[str, int, bytes]]:
        if self._salvaged:
            for file in self._salvaged:
                try:
                    for record in salvage.scan(file):
                        if record.topic in wanted:
                            yield record.topic, record.log_ns, record.raw
                except salvage.CutOffError:
                    continue
            return
        for reader in self._readers:
            connections = [c for c in reader.connections if c.topic in wanted]
            if connections:
                for connection, log_ns, raw in reader.messages(connections=connections):
                    yield connection.topic, log_ns, raw

    def _store(self, topic: str) -> Any:
        """A store with just this topic's types, as recorded: one odd definition elsewhere in the bag does no harm."""
        if topic not in self._stores:
            kind = self.topics[topic].type
            if not kind:
                raise BagError(f'{topic} was recorded with several message types; record it with one')
            store = _recorded_types(self._definitions.get(topic), kind, self._is_ros1)
            if kind not in store.fielddefs:
                raise BagError(f'{topic} has type {kind}, the recording has no definition of it, and it is no standard type; '
                               'convert the bag to mcap, which carries definitions (ros2 bag convert)')
            if odd := _redefined(store, self._is_ros1):
                raise BagError(f'{topic} was recorded with another {odd} than the standard one, so its fields mean nothing certain; '
                               'the recording is damaged, or needs converting')
            self._stores[topic] = store
        return self._stores[topic]


@functools.lru_cache(maxsize=2)
def _standard_types(is_ros1: bool) -> Any:
    from rosbags.typesys import Stores, get_typestore
    return get_typestore(Stores.ROS1_NOETIC) if is_ros1 else ros2_typestore()


def _redefined(store: Any, is_ros1: bool) -> str:
    """A standard type that a store defines without all of its standard fields; '' for none. vision_msgs changed between distributions."""
    standard = _standard_types(is_ros1).fielddefs
    return next((kind for kind, (_, fields) in store.fielddefs.items()
                 if kind in standard and kind not in VISION_MSGS and not {*standard[kind][1]} <= {*fields}), '')


@functools.lru_cache(maxsize=64)
def _recorded_types(definition: Any, kind: str, is_ros1: bool) -> Any:
    """A store of the types that a topic was recorded with; reading definitions takes longer than reading many a message."""
    from rosbags.interfaces import MessageDefinitionFormat
    from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
    if definition is None:
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


def _storage_files(path: Path) -> list[Path]:
    """What to hand to rosbags: the folder with its metadata.yaml, or the storage files in recording order."""
    if not path.exists():
        raise BagError(f'{path} does not exist')
    if path.is_file():
        if path.suffix not in _SUFFIXES:
            raise BagError(f"{path} is no recording: a rosbag2 folder, {', '.join(_SUFFIXES)} are read")
        return [path]
    return [path] if (path / 'metadata.yaml').is_file() else _inside(path)


def _inside(path: Path) -> list[Path]:
    """Storage files in a folder: of one kind, by name, numbers counted as numbers."""
    if path.is_file():
        return [path]
    for suffix in _SUFFIXES:
        files = [p for p in path.iterdir() if p.suffix == suffix]
        if files:
            return sorted(files, key=lambda p: (len(p.name), p.name))
    raise BagError(f"{path} holds no recording: no metadata.yaml and no {', '.join(_SUFFIXES)} file")


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:160]
