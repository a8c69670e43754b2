"""Video files written byte by byte, as muxers other than OpenCV's write them: any time stamps, the index in front, announced lengths."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np


def numbered(number: int) -> np.ndarray:
    """A picture of 64x48 whose level is 2 * number: it survives a codec."""
    return np.full((48, 64, 3), 2 * number, np.uint8)


def matroska(path: Path, stamps_ms: list[int], images: list[np.ndarray] | None = None, known_length: bool = True) -> Path:
    """Motion JPEG in Matroska, one cluster a frame, as mkvmerge writes it; with known_length=False as a live recorder does.

    Source: RFC 9559, 5.1: EBML ids and types.
    """
    images = images or [numbered(number) for number in range(len(stamps_ms))]
    height, width = images[0].shape[:2]
    header = _element(0x1A45DFA3, _element(0x4282, b'matroska') + _number(0x4287, 4) + _number(0x4285, 2))
    ends_ms = stamps_ms[-1] + (stamps_ms[-1] - stamps_ms[-2])
    info = _element(0x1549A966, _number(0x2AD7B1, 1_000_000) + (_element(0x4489, struct.pack('>d', ends_ms)) if known_length else b''))
    track = _element(
        0xAE,
        _number(0xD7, 1)
        + _number(0x73C5, 1)
        + _number(0x83, 1)
        + _element(0x86, b'V_MJPEG')
        + _element(0xE0, _number(0xB0, width) + _number(0xBA, height)),
    )
    blocks = [_element(0xA3, b'\x81\0\0\x80' + cv2.imencode('.jpg', image)[1].tobytes()) for image in images]
    clusters = b''.join(_element(0x1F43B675, _number(0xE7, stamp_ms) + block) for stamp_ms, block in zip(stamps_ms, blocks))
    content = info + _element(0x1654AE6B, track) + clusters
    path.write_bytes(header + (_element(0x18538067, content) if known_length else b'\x18\x53\x80\x67\x01' + 7 * b'\xff' + content))
    return path


def _element(identity: int, content: bytes) -> bytes:
    return identity.to_bytes((identity.bit_length() + 7) // 8, 'big') + (len(content) | 1 << 56).to_bytes(8, 'big') + content


def _number(identity: int, value: int) -> bytes:
    return _element(identity, value.to_bytes(4, 'big'))


def mp4(path: Path, count: int, fps: float = 30.0) -> Path:
    """MPEG-4 as OpenCV writes it: the index (moov) behind the data."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), fps, (64, 48))
    for number in range(count):
        writer.write(numbered(number))
    writer.release()
    return path


def avi(path: Path, count: int, fps: float = 10.0) -> Path:
    """Motion JPEG in AVI."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), fps, (64, 48))
    for number in range(count):
        writer.write(numbered(number))
    writer.release()
    return path


def index_in_front(path: Path) -> Path:
    """Moves an MP4's moov in front of its mdat, as phones and `-movflags +faststart` do, and shifts its table of offsets (stco)."""
    boxes = _boxes(path.read_bytes())
    moov = bytearray(next(box for kind, box in boxes if kind == b'moov'))
    at = moov.index(b'stco') + 8
    for entry in range(int.from_bytes(moov[at : at + 4], 'big')):
        place = slice(at + 4 + 4 * entry, at + 8 + 4 * entry)
        moov[place] = (int.from_bytes(moov[place], 'big') + len(moov)).to_bytes(4, 'big')
    others = [box for kind, box in boxes if kind != b'moov']
    path.write_bytes(others[0] + bytes(moov) + b''.join(others[1:]))
    return path


def with_durations(path: Path, durations: list[int]) -> Path:
    """Gives the frames of an MP4 of mp4() other durations, in units of the time between its frames: a variable frame rate.

    Source: ISO/IEC 14496-12, 8.6.1.2 (stts): pairs of a count and a duration. The edit list and all sizes and durations above follow.
    """
    data = path.read_bytes()
    boxes = _boxes(data)
    moov = next(box for kind, box in boxes if kind == b'moov')
    at = moov.index(b'stts')
    unit = int.from_bytes(moov[at + 16 : at + 20], 'big')
    old = moov[at - 4 : at - 4 + int.from_bytes(moov[at - 4 : at], 'big')]
    table = b''.join(struct.pack('>II', 1, unit * duration) for duration in durations)
    new = struct.pack('>I4sII', 16 + len(table), b'stts', 0, len(durations)) + table
    made = moov.replace(old, new)
    for kind in (b'moov', b'trak', b'mdia', b'minf', b'stbl'):
        place = made.index(kind) - 4
        made = made[:place] + (int.from_bytes(made[place : place + 4], 'big') + len(new) - len(old)).to_bytes(4, 'big') + made[place + 4 :]
    for kind, offset in ((b'mvhd', 20), (b'tkhd', 24), (b'mdhd', 20), (b'elst', 12)):  # 32-bit durations of version 0
        if kind in made:
            place = made.index(kind) + offset
            duration = int.from_bytes(made[place : place + 4], 'big') * sum(durations) // len(durations)
            made = made[:place] + duration.to_bytes(4, 'big') + made[place + 4 :]
    path.write_bytes(b''.join(made if kind == b'moov' else box for kind, box in boxes))
    return path


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], 'big')
        found.append((data[at + 4 : at + 8], data[at : at + size]))
        at += size
    return found


def cut(path: Path, share: float) -> Path:
    """Keeps so much of a file's beginning."""
    data = path.read_bytes()
    path.write_bytes(data[: round(share * len(data))])
    return path
