"""A folder of pictures as a recording with one image topic, in the natural order of their names."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ..images import ImageError
from ..images.pictures import is_picture, read_picture
from .storage import PICTURE, BagError, Channel, Record

PICTURE_RATE_HZ = 10.0
TOPIC = 'image'
_FRAME_ID = 'camera'
_START_NS = 10**9


class PictureFolder:
    """The pictures of a folder, stamped evenly from 1 s on; see Storage.

    Args:
        files: the pictures, at least one.
        rate_hz: pictures a second.
    """

    def __init__(self, files: Collection[Path], rate_hz: float = PICTURE_RATE_HZ) -> None:
        self._files = sorted(files, key=natural_order)
        self._rate_hz = rate_hz
        self.channels = [Channel(TOPIC, 'sensor_msgs/msg/Image', PICTURE, count=len(self._files))]
        self.start_ns: int | None = _START_NS
        self.end_ns: int | None = self._stamp_ns(len(self._files) - 1)
        self.damage: str | None = None
        self.notes: list[str] = []

    def records(self, topics: Collection[str], from_ns: int = 0) -> Iterator[Record]:
        """See Storage; a record's bytes are the picture's path."""
        if TOPIC in topics:
            for number, file in enumerate(self._files):
                if self._stamp_ns(number) >= from_ns:
                    yield Record(self.channels[0], self._stamp_ns(number), os.fsencode(file))

    def close(self) -> None:
        """See Storage; nothing is open."""

    def _stamp_ns(self, number: int) -> int:
        return _START_NS + round(number / self._rate_hz * 1e9)


def picture_files(folder: Path) -> list[Path]:
    """The pictures in a folder. Files whose names begin with a dot are left out: macOS's archives hold one beside each file."""
    return [file for file in folder.iterdir() if not file.name.startswith('.') and file.is_file() and is_picture(file)]


def natural_order(file: Path) -> list[int | str]:
    """A sorting key: numbers in the name count as numbers. Only 0 to 9 are digits; others, such as a superscript 2, are letters."""
    return [int(part) if number % 2 else part for number, part in enumerate(re.split(r'([0-9]+)', file.name))]


def image_fields(raw: bytes, log_ns: int) -> SimpleNamespace:
    """The picture with sensor_msgs/Image's fields.

    Args:
        raw: its path, as in a record of PictureFolder.
        log_ns: its stamp.

    Raises:
        BagError: for a file that cannot be read.
    """
    path = Path(os.fsdecode(raw))
    try:
        pixels = read_picture(path)
    except ImageError as error:
        raise BagError(f'{path.name} {error}') from error
    header = SimpleNamespace(stamp=SimpleNamespace(sec=log_ns // 10**9, nanosec=log_ns % 10**9), frame_id=_FRAME_ID)
    return SimpleNamespace(
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding='bgr8',
        is_bigendian=0,
        step=3 * pixels.shape[1],
        data=np.ascontiguousarray(pixels).reshape(-1),
    )
