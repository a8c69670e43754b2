"""Checks the structure of video files: whether a file is as long as its own headers state."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_UNKNOWN = -1
_TS_PACKET = 188
_ASF_HEADER = bytes.fromhex('3026b2758e66cf11a6d900aa0062ce6c')
_ASF_FILE_PROPERTIES = bytes.fromhex('a1dcab8c47a9cf118ee400c00c205365')


def missing_part(path: Path) -> str | None:
    """Describes what is missing at the end of a video file; returns None if it is complete, or if its container states no length.

    MP4, QuickTime, Matroska, WebM, AVI and WMV announce the length of their parts in front of them, and a transport stream consists of
    packets of one length. Decoders end without an error where the file ends, so a cut-off video looks like a shorter one.

    Source: ISO/IEC 14496-12, 4.2; RFC 8794, 4 and RFC 9559, 5.1; Microsoft's RIFF and ASF (3.2) specifications; ISO/IEC 13818-1, 2.4.3.
    """
    length = path.stat().st_size
    with path.open('rb') as file:
        head = file.read(12)
        if head[4:8] in (b'ftyp', b'moov', b'mdat', b'wide', b'skip', b'free'):
            return _missing_in_mp4(file, length)
        if head[:4] == b'\x1a\x45\xdf\xa3':
            return _shorter(length, _end_of_matroska(file))
        if head[:4] == b'RIFF' and head[8:] == b'AVI ':
            return _shorter(length, _end_of_avi(file, length))
        file.seek(0)
        start = file.read(1 << 16)
    if start.startswith(_ASF_HEADER) and (at := start.find(_ASF_FILE_PROPERTIES)) > 0:
        return _shorter(length, int.from_bytes(start[at + 40 : at + 48], 'little'))
    if length > 2 * _TS_PACKET and start[::_TS_PACKET][:3] == b'GGG' and length % _TS_PACKET:
        return f'the last packet has {length % _TS_PACKET} bytes of {_TS_PACKET}'
    return None


def _shorter(length: int, announced: int) -> str | None:
    return f'the file has {length} bytes of {announced}' if announced > length else None


def _missing_in_mp4(file: BinaryIO, length: int) -> str | None:
    """Walks the boxes of the top level: 4 bytes of size, 4 of type, and 8 of size where the first size is 1; 0 means to the end."""
    at, found = 0, set()
    while at + 8 <= length:
        file.seek(at)
        head = file.read(16)
        size, kind = int.from_bytes(head[:4], 'big'), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:16], 'big')
        if size == 0:
            size = length - at
        if size < 8 or not all(0x20 <= byte < 0x7F for byte in kind):
            break  # no box: whatever was appended to the file
        found.add(kind)
        at += size
    if at > length:
        return _shorter(length, at)
    return None if b'moov' in found else 'its index (moov) is missing: the recording was not finished'


def _end_of_matroska(file: BinaryIO) -> int:
    """Returns the end of the segment that its header states; -1 if it states none, as in a live recording."""
    file.seek(4)
    header = _vint(file)
    if header == _UNKNOWN:
        return _UNKNOWN
    file.seek(header, 1)
    if file.read(4) != b'\x18\x53\x80\x67':
        return _UNKNOWN
    size = _vint(file)
    return _UNKNOWN if size == _UNKNOWN else file.tell() + size


def _vint(file: BinaryIO) -> int:
    """Reads an EBML size: the number of leading zero bits is the number of further bytes; all ones mean unknown (-1)."""
    first = file.read(1)
    if not first or first[0] == 0:
        return _UNKNOWN
    count = 8 - first[0].bit_length()
    value = int.from_bytes(first + file.read(count), 'big') & ((1 << 7 * (count + 1)) - 1)
    return _UNKNOWN if value == (1 << 7 * (count + 1)) - 1 else value


def _end_of_avi(file: BinaryIO, length: int) -> int:
    """Returns the end of the last RIFF chunk; large files have several."""
    at = end = 0
    while at + 12 <= length:
        file.seek(at)
        head = file.read(12)
        if head[:4] != b'RIFF':
            break
        size = int.from_bytes(head[4:8], 'little')
        if size == 0:
            return _UNKNOWN  # written when a recorder is closed
        end = at + 8 + size
        at = end + size % 2
    return end
