"""Reads recordings that were cut off: record by record from the beginning, without the index at the end."""
from __future__ import annotations

import re
import sqlite3
import struct
from bz2 import BZ2Decompressor
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

_LARGEST_RECORD = 1 << 29
"""Bytes, packed or unpacked: 40 times an uncompressed 4K image. A damaged length claims more."""


class CutOffError(Exception):
    """The file ends, or is damaged, here."""


class Record(NamedTuple):
    """One message as recorded; `definition` is rosbags' MessageDefinition or None."""

    topic: str
    type: str
    definition: Any
    log_ns: int
    raw: bytes


def scan(path: Path) -> Iterator[Record]:
    """The messages of an .mcap, .db3 or .bag file in the order they were written.

    Raises:
        CutOffError: at the place where the file ends before its time; what was yielded before is good.
    """
    reader = {'.mcap': _scan_mcap, '.db3': _scan_sqlite3, '.bag': _scan_rosbag1}[path.suffix]
    try:
        yield from reader(path)
    except CutOffError:
        raise
    except Exception as error:  # each decompressor, SQLite and struct have errors of their own; all mean the same here
        raise CutOffError(f'{path.name} breaks off ({str(error) or type(error).__name__})') from error


def _exact(file: BinaryIO, size: int) -> bytes:
    if size > _LARGEST_RECORD:
        raise CutOffError(f'a record claims {size} bytes')
    data = file.read(size)
    if len(data) < size:
        raise CutOffError(f'the file ends {size - len(data)} bytes inside a record')
    return data


def _scan_mcap(path: Path) -> Iterator[Record]:
    """Source: mcap.dev/spec: opcodes 3 schema, 4 channel, 5 message, 6 chunk, 2 footer, 0x0f end of data."""
    schemas: dict[int, tuple[str, Any]] = {}
    channels: dict[int, tuple[str, str, Any]] = {}
    with path.open('rb') as file:
        if _exact(file, 8) != b'\x89MCAP0\r\n':
            raise CutOffError('it does not begin as an mcap file')
        while True:
            start = file.read(9)
            if len(start) < 9:
                raise CutOffError('the file ends without an index')
            opcode, size = struct.unpack('<BQ', start)
            if opcode in (0x02, 0x0F):
                return
            body = _exact(file, size)
            if opcode == 0x06:
                messages = list(_mcap_records(_mcap_chunk(body), schemas, channels))
                yield from sorted(messages, key=lambda r: r.log_ns)
            else:
                yield from _mcap_records(struct.pack('<BQ', opcode, size) + body, schemas, channels)


def _mcap_chunk(body: bytes) -> bytes:
    length = struct.unpack_from('<I', body, 28)[0]
    compression = body[32:32 + length].decode()
    data = body[40 + length:]
    if compression == '':
        return data
    if compression == 'lz4':
        return _lz4(data)
    if compression == 'zstd':
        try:
            from compression.zstd import ZstdDecompressor  # type: ignore[import-not-found]
        except ImportError:
            from backports.zstd import ZstdDecompressor
        return _unpacked(ZstdDecompressor(), data)
    raise CutOffError(f'a chunk is compressed with {compression!r}')


def _mcap_records(data: bytes, schemas: dict[int, tuple[str, Any]],
                  channels: dict[int, tuple[str, str, Any]]) -> Iterator[Record]:
    from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
    formats = {'ros2msg': MessageDefinitionFormat.MSG, 'ros2idl': MessageDefinitionFormat.IDL, 'omgidl': MessageDefinitionFormat.IDL}
    position = 0
    while position < len(data):
        opcode, size = struct.unpack_from('<BQ', data, position)
        body = data[position + 9:position + 9 + size]
        position += 9 + size
        if opcode == 0x03:
            number = struct.unpack_from('<H', body)[0]
            name, encoding, text = _strings(body, 2, 3)
            schemas[number] = name, MessageDefinition(formats[encoding], text) if encoding in formats else None
        elif opcode == 0x04:
            number, schema = struct.unpack_from('<HH', body)
            channels[number] = _strings(body, 4, 1)[0], *schemas[schema]
        elif opcode == 0x05:
            number, _, log_ns, _ = struct.unpack_from('<HIQQ', body)
            yield Record(*channels[number], log_ns, body[22:])


def _strings(body: bytes, position: int, count: int) -> list[str]:
    found = []
    for _ in range(count):
        length = struct.unpack_from('<I', body, position)[0]
        found.append(body[position + 4:position + 4 + length].decode())
        position += 4 + length
    return found


def _scan_sqlite3(path: Path) -> Iterator[Record]:
    """Rows by id: the table's own order, which a scan follows up to the first missing page."""
    database = sqlite3.connect(f'file:{path}?immutable=1', uri=True)
    try:
        database.execute('PRAGMA writable_schema = ON')  # or SQLite refuses a file that is shorter than its header says
        topics = {number: (name, kind) for number, name, kind in database.execute('SELECT id, name, type FROM topics')}
        for number, log_ns, raw in database.execute('SELECT topic_id, timestamp, data FROM messages ORDER BY id'):
            name, kind = topics[number]
            if not (isinstance(name, str) and isinstance(kind, str) and isinstance(log_ns, int) and isinstance(raw, bytes)):
                raise CutOffError('a row holds other kinds of values than a message')
            yield Record(name, kind, None, log_ns, raw)
    finally:
        database.close()


def _scan_rosbag1(path: Path) -> Iterator[Record]:
    """Source: wiki.ros.org/Bags/Format/2.0: op 2 message, 5 chunk, 7 connection."""
    connections: dict[bytes, tuple[str, str, Any]] = {}
    with path.open('rb') as file:
        if not file.readline(64).startswith(b'#ROSBAG V2.0'):
            raise CutOffError('it does not begin as a ROS 1 bag')
        while True:
            start = file.read(4)
            if not start:
                return
            if len(start) < 4:
                raise CutOffError('the file ends inside a record')
            header = _rosbag1_fields(_exact(file, struct.unpack('<I', start)[0]))
            data = _exact(file, struct.unpack('<I', _exact(file, 4))[0])
            if header['op'] == b'\x05':
                yield from _rosbag1_chunk(_rosbag1_decompress(data, header['compression'].decode()), connections)


def _rosbag1_chunk(data: bytes, connections: dict[bytes, tuple[str, str, Any]]) -> Iterator[Record]:
    from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
    from rosbags.typesys.msg import normalize_msgtype
    file = BytesIO(data)
    while start := file.read(4):
        header = _rosbag1_fields(_exact(file, struct.unpack('<I', start)[0]))
        body = _exact(file, struct.unpack('<I', _exact(file, 4))[0])
        if header['op'] == b'\x07':
            fields = _rosbag1_fields(body)
            definition = MessageDefinition(MessageDefinitionFormat.MSG, fields['message_definition'].decode())
            topic = re.sub('/+', '/', header['topic'].decode())
            connections[header['conn']] = topic, normalize_msgtype(fields['type'].decode()), definition
        elif header['op'] == b'\x02':
            seconds, nanoseconds = struct.unpack('<II', header['time'])
            yield Record(*connections[header['conn']], seconds * 10**9 + nanoseconds, body)


def _rosbag1_decompress(data: bytes, compression: str) -> bytes:
    if compression == 'none':
        return data
    if compression == 'bz2':
        return _unpacked(BZ2Decompressor(), data)
    return _lz4(data)


def _lz4(data: bytes) -> bytes:
    from lz4.frame import LZ4FrameDecompressor
    return _unpacked(LZ4FrameDecompressor(), data)


def _unpacked(decompressor: Any, data: bytes) -> bytes:
    """A frame's content, as far as memory is worth it: a few damaged bytes can unpack to gigabytes."""
    unpacked: bytes = decompressor.decompress(data, max_length=_LARGEST_RECORD)
    if not decompressor.eof:
        raise CutOffError('a chunk is cut off or larger than can be')
    return unpacked


def _rosbag1_fields(data: bytes) -> dict[str, bytes]:
    fields, position = {}, 0
    while position < len(data):
        length = struct.unpack_from('<I', data, position)[0]
        name, _, value = data[position + 4:position + 4 + length].partition(b'=')
        fields[name.decode()] = value
        position += 4 + length
    return fields
