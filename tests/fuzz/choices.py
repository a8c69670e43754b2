"""Makes numbers and choices of a fuzzer's bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar('T')

_NUMBERS = (0.0, 1.0, -1.0, 0.5, 30.0, 90.0, 500.0, 1e-300, 1e300, float('inf'), float('-inf'), float('nan'))


class Choices:
    """Reads a structured input out of bytes; zeros follow when they run out."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken.ljust(count, b'\0')

    def rest(self) -> bytes:
        """All that is left."""
        taken, self._at = self._data[self._at :], len(self._data)
        return taken

    def integer(self, bits: int = 8) -> int:
        """An unsigned whole number."""
        return int.from_bytes(self.take(bits // 8), 'little')

    def size(self) -> int:
        """A picture's width or the like: mostly small, sometimes as large as a uint32 can be."""
        first = self.integer()
        return self.integer(32) if first >= 240 else first

    def number(self) -> float:
        """Any float64, or one of those that break things."""
        first = self.integer()
        return struct.unpack('<d', self.take(8))[0] if first >= 128 else _NUMBERS[first % len(_NUMBERS)]

    def pick(self, options: Sequence[T]) -> T:
        """One of some options."""
        return options[self.integer() % len(options)]

    def text(self) -> str:
        """A short text, any characters."""
        return self.take(self.integer() % 16).decode('utf-8', 'replace')
