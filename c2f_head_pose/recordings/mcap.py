"""Reads MCAP files: by their index where there is one, else from the beginning to the end or to the damage.

Only the channels that are asked for are parsed, so services, JSON, Protobuf or unknown definitions beside them cause no error.
Source: the MCAP specification, mcap.dev/spec; opcodes in hexadecimal as in its section Records.
"""

from __future__ import annotations

import heapq
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from .storage import (
    CDR,
    ROS1,
    Channel,
    CutOffError,
    Record,
    first_line,
    lz4_decompressor,
    read_exactly,
    ros_type,
    unpack_frame,
    zstd_decompressor,
)

_MAGIC = b'\x89MCAP0\r\n'
_HEADER, _FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
_CHUNK_INDEX, _STATISTICS, _DATA_END = 0x08, 0x0B, 0x0F
_FOOTER_SIZE = 9 + 20 + len(_MAGIC)
_ROS_PROFILES = ('ros1', 'ros2')


class _ChunkIndex(NamedTuple):
    start_ns: int
    end_ns: int
    offset: int
    channels: frozenset[int]
    """Channels with a message in the chunk; empty where the writer left the message indexes out."""


@dataclass
class _Contents:
    """The channels of a file, from its summary or from reading all of it."""

    schemas: dict[int, tuple[str, str, bytes]] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    chunks: list[_ChunkIndex] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)
    start_ns: int | None = None
    end_ns: int | None = None
    lacks_schema: bool = False

    def take(self, opcode: int, body: bytes) -> None:
        """Adds a schema or a channel; ignores other records."""
        if opcode == _SCHEMA:
            (name, encoding), position = _strings(body, 2, 2)
            self.schemas[_u16(body)] = name, encoding, body[position + 4 :]
        elif opcode == _CHANNEL:
            number, schema = struct.unpack_from('<HH', body)
            (topic, encoding), _ = _strings(body, 4, 2)
            self.lacks_schema |= schema != 0 and schema not in self.schemas
            self.channels[number] = _channel(topic, encoding, self.schemas.get(schema, ('', '', b'')))

    def count(self, number: int, log_ns: int) -> None:
        self.counts[number] = self.counts.get(number, 0) + 1
        self.start_ns = log_ns if self.start_ns is None else min(self.start_ns, log_ns)
        self.end_ns = log_ns if self.end_ns is None else max(self.end_ns, log_ns)


class McapFile:
    """An MCAP file; see Storage.

    Args:
        path: the file.

    Raises:
        CutOffError: for a file that does not begin as MCAP.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open('rb')
        self.damage: str | None = None
        self.notes: list[str] = []
        try:
            profile = self._read_header()
            contents = self._read_summary()
            if contents is None:
                contents = self._scan_contents()
        except BaseException:
            self._file.close()
            raise
        if self.damage is None and profile not in _ROS_PROFILES:
            self.notes.append(f'{path.name} states the profile {profile!r}, not ros2 or ros1; its ROS messages are read by their encoding')
        self._chunks = sorted(contents.chunks)
        self._channels = {number: replace(channel, count=contents.counts.get(number, 0)) for number, channel in contents.channels.items()}
        self.channels = [*self._channels.values()]
        self.start_ns, self.end_ns = contents.start_ns, contents.end_ns

    def close(self) -> None:
        """See Storage."""
        self._file.close()

    def records(self, topics: Collection[str], from_ns: int = 0) -> Iterator[Record]:
        """See Storage."""
        wanted = {number for number, channel in self._channels.items() if channel.topic in topics}
        records = self._indexed_records(wanted, from_ns) if self._chunks else self._scanned_records(wanted)
        try:
            for number, log_ns, raw in records:
                if log_ns >= from_ns:
                    yield Record(self._channels[number], log_ns, raw)
        except CutOffError:
            raise
        except Exception as error:  # struct, the decompressors and the operating system raise a dozen classes; each means damage here
            raise CutOffError(first_line(error)) from error

    def _read_header(self) -> str:
        if self._file.read(len(_MAGIC)) != _MAGIC:
            raise CutOffError('it does not begin as an MCAP file')
        opcode, size = struct.unpack('<BQ', read_exactly(self._file, 9))
        if opcode != _HEADER:
            raise CutOffError('it does not begin with a header')
        try:
            return _strings(read_exactly(self._file, size), 0, 1)[0][0]
        except (struct.error, ValueError) as error:
            raise CutOffError(f'its header is damaged ({error})') from error

    def _read_summary(self) -> _Contents | None:
        """The contents by the summary section; None for a file without one, or with an incomplete one."""
        try:
            end = self._file.seek(0, 2)
            self._file.seek(max(0, end - _FOOTER_SIZE))
            footer = read_exactly(self._file, _FOOTER_SIZE)
            opcode, size, start, _ = struct.unpack_from('<BQQQ', footer)
            if (opcode, size) != (_FOOTER, 20) or not footer.endswith(_MAGIC) or not 0 < start <= end - _FOOTER_SIZE:
                return None
            self._file.seek(start)
            section = read_exactly(self._file, end - _FOOTER_SIZE - start)
            contents, statistics = _Contents(), b''
            for opcode, body in _records(section):
                if opcode == _CHUNK_INDEX:
                    contents.chunks.append(_chunk_index(body))
                elif opcode == _STATISTICS:
                    statistics = body
                contents.take(opcode, body)
            return contents if _counted(contents, statistics) else None
        except Exception:  # as in `records`: whatever is wrong with the summary, the data are read without it
            return None

    def _scan_contents(self) -> _Contents:
        contents = _Contents()
        try:
            for opcode, body in self._all_records():
                if opcode == _MESSAGE:
                    number, _, log_ns = struct.unpack_from('<HIQ', body)
                    contents.count(number, log_ns)
                contents.take(opcode, body)
        except Exception as error:  # as in `records`
            self.damage = first_line(error)
        return contents

    def _all_records(self) -> Iterator[tuple[int, bytes]]:
        """Schemas, channels and messages from the file's beginning, those of a chunk by recording time.

        Raises:
            CutOffError: where the file ends before its data do.
        """
        end = self._file.seek(0, 2)
        position = len(_MAGIC)
        while True:
            self._file.seek(position)
            start = self._file.read(9)
            if len(start) < 9:
                raise CutOffError('the file ends without an index')
            opcode, size = struct.unpack('<BQ', start)
            position += 9 + size
            if opcode in (_FOOTER, _DATA_END):
                return
            if position > end:
                raise CutOffError(f'the file ends {position - end} bytes inside a record')
            if opcode == _CHUNK:
                inner = [*_records(_chunk_data(read_exactly(self._file, size)))]
                yield from (record for record in inner if record[0] != _MESSAGE)
                yield from sorted((record for record in inner if record[0] == _MESSAGE), key=lambda record: _log_ns(record[1]))
            elif opcode in (_SCHEMA, _CHANNEL, _MESSAGE):
                yield opcode, read_exactly(self._file, size)

    def _scanned_records(self, wanted: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        for opcode, body in self._all_records():
            if opcode == _MESSAGE and _u16(body) in wanted:
                yield _u16(body), _log_ns(body), body[22:]

    def _indexed_records(self, wanted: set[int], from_ns: int) -> Iterator[tuple[int, int, bytes]]:
        """Merges the chunks, which may overlap in time: a message waits until no later chunk can hold an earlier one."""
        waiting: list[tuple[int, int, int, bytes]] = []
        order = count()
        for chunk in self._chunks:
            while waiting and waiting[0][0] < chunk.start_ns:
                log_ns, _, number, raw = heapq.heappop(waiting)
                yield number, log_ns, raw
            if chunk.end_ns < from_ns or (chunk.channels and not chunk.channels & wanted):
                continue
            self._file.seek(chunk.offset)
            opcode, size = struct.unpack('<BQ', read_exactly(self._file, 9))
            if opcode != _CHUNK:
                raise CutOffError('the index points at no chunk')
            for kind, body in _records(_chunk_data(read_exactly(self._file, size))):
                if kind == _MESSAGE and _u16(body) in wanted:
                    heapq.heappush(waiting, (_log_ns(body), next(order), _u16(body), body[22:]))
        while waiting:
            log_ns, _, number, raw = heapq.heappop(waiting)
            yield number, log_ns, raw


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Opcodes and bodies of the records in a chunk or a section."""
    position = 0
    while position < len(data):
        opcode, size = struct.unpack_from('<BQ', data, position)
        if position + 9 + size > len(data):
            raise CutOffError(f'a record claims {size} bytes, {len(data) - position - 9} are there')
        yield opcode, data[position + 9 : position + 9 + size]
        position += 9 + size


def _chunk_data(body: bytes) -> bytes:
    """The records of a chunk, unpacked and checked against its checksum (0: the writer computed none)."""
    size, checksum, length = struct.unpack_from('<QII', body, 16)
    compression = body[32 : 32 + length].decode()
    packed = body[40 + length : 40 + length + struct.unpack_from('<Q', body, 32 + length)[0]]
    if compression == '':
        data = packed
    elif compression == 'lz4':
        data = unpack_frame(lz4_decompressor(), packed)
    elif compression == 'zstd':
        data = unpack_frame(zstd_decompressor(), packed)
    else:
        raise CutOffError(f'a chunk is compressed with {compression!r}, which is not read')
    if len(data) != size or (checksum and zlib.crc32(data) != checksum):
        raise CutOffError('a chunk does not match its size or checksum')
    return data


def _chunk_index(body: bytes) -> _ChunkIndex:
    start_ns, end_ns, offset, _, length = struct.unpack_from('<QQQQI', body)
    return _ChunkIndex(start_ns, end_ns, offset, frozenset(number for number, _ in struct.iter_unpack('<HQ', body[36 : 36 + length])))


def _counted(contents: _Contents, statistics: bytes) -> bool:
    """Takes counts and times from a Statistics record; False if the summary lacks it, a schema, a channel or the chunks."""
    if not statistics or contents.lacks_schema:
        return False
    messages, _, channels, _, _, chunks, start_ns, end_ns, length = struct.unpack_from('<QHIIIIQQI', statistics)
    contents.counts = dict(struct.iter_unpack('<HQ', statistics[46 : 46 + length]))
    if messages:
        contents.start_ns, contents.end_ns = start_ns, end_ns
    complete = len(contents.channels) == channels and len(contents.chunks) == chunks and sum(contents.counts.values()) == messages
    return complete and contents.counts.keys() <= contents.channels.keys()


def _channel(topic: str, encoding: str, schema: tuple[str, str, bytes]) -> Channel:
    from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

    formats = {
        'ros1msg': MessageDefinitionFormat.MSG,
        'ros2msg': MessageDefinitionFormat.MSG,
        'ros2idl': MessageDefinitionFormat.IDL,
        'omgidl': MessageDefinitionFormat.IDL,
    }
    name, form, text = schema
    definition: Any = MessageDefinition(formats[form], text.decode(errors='replace')) if form in formats else None
    return Channel(topic, ros_type(name) if encoding in (CDR, ROS1) else name, encoding, definition)


def _strings(body: bytes, position: int, number: int) -> tuple[list[str], int]:
    """Strings from a position on, and the position after them."""
    found = []
    for _ in range(number):
        length = struct.unpack_from('<I', body, position)[0]
        found.append(body[position + 4 : position + 4 + length].decode())
        position += 4 + length
    return found, position


def _u16(body: bytes) -> int:
    return int.from_bytes(body[:2], 'little')


def _log_ns(body: bytes) -> int:
    return int(struct.unpack_from('<Q', body, 6)[0])
