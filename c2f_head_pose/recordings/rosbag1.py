"""Reads ROS 1 bags (.bag): by their index, else record by record from the beginning to the end or to the damage."""

from __future__ import annotations

import re
import struct
from bz2 import BZ2Decompressor
from collections.abc import Collection, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from .storage import ROS1, Channel, CutOffError, Record, first_line, lz4_decompressor, read_exactly, unpack_frame


class Rosbag1File:
    """A .bag file; see Storage.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        from rosbags.rosbag1 import Reader

        self._path = path
        self.damage: str | None = None
        self.notes: list[str] = []
        self.start_ns: int | None = None
        self.end_ns: int | None = None
        self._reader: Any = Reader(path)
        try:
            self._reader.open()
        except Exception as error:  # rosbags raises a dozen classes for a damaged index; the records are read without it
            with suppress(Exception):
                self._reader.close()
            self._reader = None
            self.damage = first_line(error)
            self._scan_contents()
            return
        self.channels = [Channel(c.topic, c.msgtype, ROS1, c.msgdef, c.msgcount) for c in self._reader.connections]
        if self._reader.message_count:
            self.start_ns, self.end_ns = self._reader.start_time, self._reader.end_time - 1

    def close(self) -> None:
        """See Storage."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def records(self, topics: Collection[str], from_ns: int = 0) -> Iterator[Record]:
        """See Storage."""
        if self._reader is None:
            yield from (record for record in scan(self._path) if record.channel.topic in topics and record.log_ns >= from_ns)
            return
        channels = {c.id: channel for c, channel in zip(self._reader.connections, self.channels)}
        wanted = [c for c in self._reader.connections if c.topic in topics]
        if not wanted:
            return
        try:
            for connection, log_ns, raw in self._reader.messages(wanted, start=from_ns or None):
                yield Record(channels[connection.id], log_ns, raw)
        except Exception as error:  # as above
            raise CutOffError(first_line(error)) from error

    def _scan_contents(self) -> None:
        counts: dict[Channel, int] = {}
        times: list[int] = []
        try:
            for record in scan(self._path):
                counts[record.channel] = counts.get(record.channel, 0) + 1
                times.append(record.log_ns)
        except CutOffError as cut:
            self.damage = f'{self.damage}: {cut}'
        self.channels = [Channel(c.topic, c.type, c.encoding, c.definition, count) for c, count in counts.items()]
        self.start_ns, self.end_ns = (min(times), max(times)) if times else (None, None)


def scan(path: Path) -> Iterator[Record]:
    """The messages of a bag in the order in which they were written, without its index.

    Raises:
        CutOffError: at the place where the bag ends too early or is damaged; the records before it are good.

    Source: wiki.ros.org/Bags/Format/2.0: op 2 message, 5 chunk, 7 connection.
    """
    try:
        yield from _records(path)
    except CutOffError:
        raise
    except Exception as error:  # struct, KeyError, the decompressors' own classes: each means damage here
        raise CutOffError(f'{path.name} breaks off ({first_line(error)})') from error


def _records(path: Path) -> Iterator[Record]:
    connections: dict[bytes, Channel] = {}
    with path.open('rb') as file:
        if not file.readline(64).startswith(b'#ROSBAG V2.0'):
            raise CutOffError('it does not begin as a ROS 1 bag')
        while start := file.read(4):
            if len(start) < 4:
                raise CutOffError('the file ends inside a record')
            header = _fields(read_exactly(file, struct.unpack('<I', start)[0]))
            data = read_exactly(file, struct.unpack('<I', read_exactly(file, 4))[0])
            if header['op'] == b'\x05':
                yield from _chunk_records(_decompressed(data, header['compression'].decode()), connections)


def _chunk_records(data: bytes, connections: dict[bytes, Channel]) -> Iterator[Record]:
    from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
    from rosbags.typesys.msg import normalize_msgtype

    file = BytesIO(data)
    while start := file.read(4):
        header = _fields(read_exactly(file, struct.unpack('<I', start)[0]))
        body = read_exactly(file, struct.unpack('<I', read_exactly(file, 4))[0])
        if header['op'] == b'\x07':
            fields = _fields(body)
            definition = MessageDefinition(MessageDefinitionFormat.MSG, fields['message_definition'].decode())
            topic = re.sub('/+', '/', header['topic'].decode())
            connections[header['conn']] = Channel(topic, normalize_msgtype(fields['type'].decode()), ROS1, definition)
        elif header['op'] == b'\x02':
            seconds, nanoseconds = struct.unpack('<II', header['time'])
            yield Record(connections[header['conn']], seconds * 10**9 + nanoseconds, body)


def _decompressed(data: bytes, compression: str) -> bytes:
    if compression == 'none':
        return data
    return unpack_frame(BZ2Decompressor() if compression == 'bz2' else lz4_decompressor(), data)


def _fields(data: bytes) -> dict[str, bytes]:
    fields, position = {}, 0
    while position < len(data):
        length = struct.unpack_from('<I', data, position)[0]
        name, _, value = data[position + 4 : position + 4 + length].partition(b'=')
        fields[name.decode()] = value
        position += 4 + length
    return fields
