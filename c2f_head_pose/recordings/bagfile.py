"""Opens a recording as a stream of messages: rosbag2, ROS 1's bags and folders of pictures; complete, compressed, split or cut off."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

from ..counting import counted
from .locate import MCAP, PACKED_SUFFIXES, SQLITE3, Located, locate, several, storage_suffix
from .mcap import McapFile
from .message_types import DECODED, VISION_MSGS, Decoder, ros2_typestore
from .pictures import PICTURE_RATE_HZ, PictureFolder
from .rosbag1 import Rosbag1File
from .sqlite import SqliteFile
from .storage import BagError, Channel, CutOffError, Storage, require_rosbags, unpack_stream

__all__ = ['VISION_MSGS', 'BagError', 'BagFile', 'BagMessage', 'Topic', 'require_rosbags', 'ros2_typestore']

_PART_GAP_NS = 10 * 10**9
"""Parts of one recording follow each other; a pause longer than this means that they are recordings of their own."""
_PART_OVERLAP_NS = 10**9


@dataclass(frozen=True)
class Topic:
    """A topic of a recording.

    Attributes:
        name: the recorded name.
        type: 'package/msg/Type'; empty where it was recorded with several.
        count: messages in all files.
        encoding: the messages' encoding; empty where it was recorded with several.
        definition: rosbags' MessageDefinition; None where the recording holds none.
    """

    name: str
    type: str
    count: int
    encoding: str = 'cdr'
    definition: Any = None

    @property
    def decodable(self) -> bool:
        """Whether its messages are ROS messages, which can be decoded."""
        return self.encoding in DECODED


@dataclass(frozen=True, eq=False)
class BagMessage:
    """A message of a recording.

    Attributes:
        topic: its topic.
        log_ns: when it was recorded, nanoseconds.
        raw: its bytes as recorded.
        bag: the recording that decodes it.
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
        return self.bag.decode(self)


class BagFile:
    """A recording that is open for reading. Use it as a context manager.

    Attributes:
        path: the path that was given.
        topics: name to topic.
        start_ns: recording time of the earliest message; None without a message.
        end_ns: recording time of the latest message; None without a message.
        notes: oddities of a complete recording.
        damage: the recording's fault, in words; None while nothing was noticed. Reading can find more.

    Args:
        path: a rosbag2 folder, an .mcap, .db3 or .bag file, compressed or not, a folder with parts of one recording, or one of pictures.
        picture_rate_hz: pictures a second, for a folder of pictures.

    Raises:
        BagError: when the path names no recording or several, or nothing in it can be read; without rosbags, which pictures do not need.
    """

    def __init__(self, path: str | Path, picture_rate_hz: float = PICTURE_RATE_HZ) -> None:
        self.path = Path(path)
        self.topics: dict[str, Topic] = {}
        self.notes: list[str] = []
        self._damages: dict[str, None] = {}
        self._decoders: dict[str, Decoder | BagError] = {}
        self._storages: list[tuple[str, Storage]] = []
        self._unpacked: TemporaryDirectory[str] | None = None
        located = locate(self.path)
        try:
            self._open(located, picture_rate_hz)
            if located.numbers:
                self._check_order(located)
        except BaseException:
            self.close()
            raise
        if located.damage:
            self._damages[f'{self.path.name} is not complete: {located.damage}'] = None
        if located.messages is not None and located.messages > (found := sum(topic.count for topic in self.topics.values())):
            self._damages[
                f'{self.path.name} holds {counted(found, "message")}, its metadata.yaml counts {located.messages}: a file was cut off, or '
                'copied without the write-ahead log (-wal) beside it'
            ] = None
        self.notes = [*located.notes, *(note for _, storage in self._storages for note in storage.notes)]
        times = [ns for _, storage in self._storages for ns in (storage.start_ns, storage.end_ns) if ns is not None]
        self.start_ns: int | None = min(times, default=None)
        self.end_ns: int | None = max(times, default=None)
        if not self.topics and self.damage:
            self.close()
            raise BagError(f'{self.damage}, and nothing in it can be read; record it again')

    def __enter__(self) -> BagFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def damage(self) -> str | None:
        """See the class."""
        return '; '.join(self._damages) or None

    def close(self) -> None:
        """Closes the files; no message can be read after."""
        for _, storage in self._storages:
            storage.close()
        if self._unpacked is not None:
            self._unpacked.cleanup()
        self._storages, self._unpacked = [], None

    def messages(self, topics: Collection[str] = (), from_ns: int = 0) -> Iterator[BagMessage]:
        """The messages of some topics (all, if none is named), by recording time.

        A damaged file ends at the damage, and the next file goes on; `damage` then holds the fault.

        Args:
            topics: names.
            from_ns: recording time from which on messages are read.
        """
        wanted = set(topics) or set(self.topics)
        for name, storage in self._storages:
            last_ns = None
            try:
                for record in storage.records(wanted, from_ns):
                    last_ns = record.log_ns
                    yield BagMessage(record.channel.topic, record.log_ns, record.raw, self)
            except CutOffError as cut:
                if storage.damage is None:
                    place = 'at its beginning' if last_ns is None else f'after {1e-9 * last_ns:.3f} s (recording time)'
                    self._damages[f'{name} is damaged {place} ({cut}); what comes before is used'] = None

    def decode(self, message: BagMessage) -> Any:
        """A message's fields; see BagMessage.decode."""
        if message.topic not in self._decoders:
            topic = self.topics[message.topic]
            try:
                self._decoders[message.topic] = Decoder(topic.name, topic.type, topic.encoding, topic.definition)
            except BagError as error:
                self._decoders[message.topic] = error
        decoder = self._decoders[message.topic]
        if isinstance(decoder, BagError):
            raise decoder
        return decoder.decode(message.raw, message.log_ns)

    def _open(self, located: Located, picture_rate_hz: float) -> None:
        if located.pictures:
            self._take(self.path.name, PictureFolder(located.pictures, picture_rate_hz))
        if located.files:
            require_rosbags()
        for file in located.files:
            name = file.name
            try:
                storage = _open_storage(self._unpack(file) if file.suffix in PACKED_SUFFIXES else file)
            except CutOffError as cut:
                self._damages[f'{name} is damaged or was never closed ({cut})'] = None
                continue
            except OSError as error:
                raise BagError(f'{file} cannot be opened: {error.strerror or error}') from error
            if storage.damage is not None:
                self._damages[f'{name} is damaged or was never closed ({storage.damage}); what can be read is used'] = None
            self._take(name, storage)

    def _take(self, name: str, storage: Storage) -> None:
        self._storages.append((name, storage))
        for channel in storage.channels:
            self.topics[channel.topic] = _joined(self.topics.get(channel.topic), channel)

    def _unpack(self, file: Path) -> Path:
        """A copy of a packed file's content, for as long as this is open."""
        self._unpacked = self._unpacked or TemporaryDirectory(prefix='c2f_head_pose_')
        target = Path(self._unpacked.name) / file.stem
        try:
            with file.open('rb') as packed, target.open('wb') as unpacked:
                if not unpack_stream(packed, unpacked):
                    self._damages[f'{file.name} is cut off; what can be unpacked is used'] = None
        except OSError as error:
            raise BagError(
                f'{file} cannot be unpacked to {target.parent} ({error.strerror or error}); unpack it (zstd -d), or set TMPDIR '
                'to a folder with more room'
            ) from error
        except CutOffError as error:
            raise BagError(f'{file} is not Zstandard data ({error}); name the file that was packed') from error
        return target

    def _check_order(self, located: Located) -> None:
        """Refuses parts that do not follow each other in time. The gap may be longer by the length of each missing or damaged part.

        Raises:
            BagError: naming the files.
        """
        if len(self._storages) != len(located.files):
            return  # a part without a readable message has no time
        parts = [(storage, number) for (_, storage), number in zip(self._storages, located.numbers) if storage.start_ns is not None]
        longest_ns = max(((storage.end_ns or 0) - (storage.start_ns or 0) for storage, _ in parts), default=0)
        for (before, number), (after, next_number) in pairwise(parts):
            gap_ns = (after.start_ns or 0) - (before.end_ns or 0)
            absent = next_number - number - 1 + (before.damage is not None)
            if gap_ns < -_PART_OVERLAP_NS:
                raise several(self.path, located.files, ', which overlap in time or do not follow in the order of their names')
            if gap_ns > _PART_GAP_NS + 2 * absent * longest_ns:
                raise several(self.path, located.files, f', with {1e-9 * gap_ns:.0f} s between two of them')


def _open_storage(file: Path) -> Storage:
    suffix = storage_suffix(file)
    return McapFile(file) if suffix == MCAP else SqliteFile(file) if suffix == SQLITE3 else Rosbag1File(file)


def _joined(known: Topic | None, channel: Channel) -> Topic:
    """A topic with a channel's messages added; type or encoding become empty where they differ."""
    if known is None:
        return Topic(channel.topic, channel.type, channel.count, channel.encoding, channel.definition)
    return replace(
        known,
        type=known.type if known.type == channel.type else '',
        count=known.count + channel.count,
        encoding=known.encoding if known.encoding == channel.encoding else '',
        definition=channel.definition or known.definition,
    )
