"""Checks SQLite's write-ahead log (NAME.db3-wal): finds the frames that SQLite will use, and damage.

SQLite itself stops at the first frame that does not fit and reports nothing; a recorder that was killed, or a copy that was cut off,
would lose messages without an error. Source: SQLite's file format, sqlite.org/fileformat2.html, section 4.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
_MAGIC = 0x377F0682
"""The magic number's lowest bit tells the checksums' byte order: 1 for big-endian."""


class WriteAheadLog(NamedTuple):
    """The contents of a write-ahead log.

    Attributes:
        frames: pages of finished transactions, which SQLite reads instead of the database's own.
        unfinished: pages after them, of a transaction that never ended.
        damage: the log's fault; None for an intact one.
    """

    frames: int = 0
    unfinished: int = 0
    damage: str | None = None


def check_log(path: Path) -> WriteAheadLog:
    """The state of a write-ahead log that is not empty."""
    with path.open('rb') as file:
        header = file.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES:
            return WriteAheadLog(damage='it ends inside its header, so nothing in it is used')
        magic, _, page_bytes = struct.unpack_from('>III', header)
        if magic & ~1 != _MAGIC or not 512 <= page_bytes <= 65536:
            return WriteAheadLog(damage='its header is damaged, so nothing in it is used')
        checksum = _Checksum(magic, page_bytes)
        sums = checksum.add((0, 0), header[:24])
        if sums != struct.unpack_from('>II', header, 24):
            return WriteAheadLog(damage='its header is damaged, so nothing in it is used')
        return _check_frames(file, header[16:24], page_bytes, checksum, sums)


def _check_frames(file: BinaryIO, salts: bytes, page_bytes: int, checksum: _Checksum, sums: tuple[int, int]) -> WriteAheadLog:
    finished = read = 0
    damage = None
    while frame := file.read(_FRAME_HEADER_BYTES + page_bytes):
        if frame[8:16] != salts[: len(frame[8:16])]:
            break  # a frame of an earlier round, which is in the database by now
        if len(frame) < _FRAME_HEADER_BYTES + page_bytes:
            damage = f'it ends inside frame {read + 1}'
            break
        sums = checksum.add(checksum.add(sums, frame[:8]), frame[_FRAME_HEADER_BYTES:])
        if sums != struct.unpack_from('>II', frame, 16):
            damage = f'frame {read + 1} does not match its checksum'
            break
        read += 1
        if struct.unpack_from('>I', frame, 4)[0]:  # the size of the database after a commit
            finished = read
    if damage is not None:
        damage += f', so {finished} of its frames are used' if finished else ', so nothing in it is used'
    return WriteAheadLog(finished, read - finished, damage)


class _Checksum:
    """SQLite's checksum of 32-bit words in pairs: s0 += x0 + s1, s1 += x1 + s0.

    Written one after the other, the sums are y(n + 2) = y(n + 1) + y(n) + x(n): Fibonacci's recurrence with the words added. So a word d
    places before a sum counts F(d) times in it, and a page is summed by products of vectors, modulo 2^32.
    """

    def __init__(self, magic: int, page_bytes: int) -> None:
        self._words: np.dtype[Any] = np.dtype('>u4' if magic & 1 else '<u4')
        fibonacci = [0, 1]
        while len(fibonacci) <= page_bytes // 4 + 1:
            fibonacci.append((fibonacci[-1] + fibonacci[-2]) & 0xFFFFFFFF)
        self._fibonacci = np.array(fibonacci, np.uint32)

    def add(self, sums: tuple[int, int], data: bytes) -> tuple[int, int]:
        """The sums after some more data, whose length is a multiple of eight."""
        words = np.frombuffer(data, self._words).astype(np.uint32)
        return self._sum(sums, words, len(words)), self._sum(sums, words, len(words) + 1)

    def _sum(self, sums: tuple[int, int], words: np.ndarray, n: int) -> int:
        """y(n), with y(0) and y(1) the earlier sums."""
        F = self._fibonacci
        weights = F[n - 1 :: -1][: len(words)]
        earlier = int(F[n - 1]) * sums[0] + int(F[n]) * sums[1]
        return (earlier + int(np.sum(words * weights, dtype=np.uint32))) & 0xFFFFFFFF
