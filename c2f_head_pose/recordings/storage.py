"""The interface of all storage formats: channels, times, and raw messages in order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, Protocol

LARGEST_RECORD = 1 << 29
"""Bytes, packed or unpacked: 40 times an uncompressed 4K image. A damaged length claims more."""
_PIECE = 1 << 20
CDR, ROS1, PICTURE = 'cdr', 'ros1', 'picture'
"""Encodings of messages that are decoded: ROS 2's, ROS 1's, and the path of a picture file."""


class BagError(ValueError):
    """A recording that cannot be read; the message names the fault and the remedy."""


class CutOffError(Exception):
    """The file ends too early, or is damaged, at this place."""


@dataclass(frozen=True)
class Channel:
    """The messages of one type on one topic of a file.

    Attributes:
        topic: name as recorded.
        type: 'package/msg/Type' of ROS messages; a foreign encoding's own name; empty where the file names none.
        encoding: the messages' encoding: 'cdr', 'ros1', 'picture', or a foreign one such as 'json' or 'protobuf'.
        definition: rosbags' MessageDefinition; None where the file holds none that is understood.
        count: messages in the file.
    """

    topic: str
    type: str
    encoding: str = CDR
    definition: Any = None
    count: int = 0


class Record(NamedTuple):
    """One message as it was recorded."""

    channel: Channel
    log_ns: int
    raw: bytes


class Storage(Protocol):
    """An open storage file.

    Attributes:
        channels: the file's channels.
        start_ns: recording time of the earliest message, nanoseconds; None without a message.
        end_ns: recording time of the latest message; None without a message.
        damage: the file's fault, found while it was opened; None for an intact file.
        notes: oddities of an intact file.
    """

    channels: list[Channel]
    start_ns: int | None
    end_ns: int | None
    damage: str | None
    notes: list[str]

    def records(self, topics: Collection[str], from_ns: int = 0) -> Iterator[Record]:
        """The messages of some topics in order of their recording time, from a time on.

        Raises:
            CutOffError: at the place where the file is damaged; the records before it are good.
        """
        ...

    def close(self) -> None:
        """Closes the file."""
        ...


def require_rosbags() -> None:
    """Raises BagError, with the remedy, where the module rosbags is missing: it knows ROS's messages, and reads and writes files."""
    try:
        import rosbags.typesys  # noqa: F401
    except ImportError as error:
        raise BagError(f'recordings are read and written by rosbags, which cannot be imported ({error}); pip install rosbags') from error


def read_exactly(file: BinaryIO, size: int) -> bytes:
    """The next bytes of a file.

    Raises:
        CutOffError: where fewer are left, or the size is beyond reason.
    """
    if size > LARGEST_RECORD:
        raise CutOffError(f'a record claims {size} bytes')
    data = file.read(size)
    if len(data) < size:
        raise CutOffError(f'the file ends {size - len(data)} bytes inside a record')
    return data


def unpack_frame(decompressor: Any, data: bytes) -> bytes:
    """The content of a compressed frame.

    Args:
        decompressor: new, of bz2, lz4 or zstandard.
        data: the frame.

    Raises:
        CutOffError: for a frame that is cut off, or larger than LARGEST_RECORD: a few damaged bytes can unpack to gigabytes.
    """
    unpacked: bytes = decompressor.decompress(data, max_length=LARGEST_RECORD)
    if not decompressor.eof:
        raise CutOffError('compressed data is cut off or larger than can be')
    return unpacked


def unpack_stream(packed: BinaryIO, unpacked: BinaryIO) -> bool:
    """Unpacks a Zstandard file piece by piece; returns False for one that is cut off, whose beginning is unpacked.

    Raises:
        CutOffError: for data that are not Zstandard's, or are damaged.
    """
    decompressor, data, begun = zstd_decompressor(), b'', False
    while True:
        if decompressor.eof:
            decompressor, data, begun = zstd_decompressor(), decompressor.unused_data, False
        if not data and decompressor.needs_input and not (data := packed.read(_PIECE)):
            return not begun
        begun = True
        try:
            unpacked.write(decompressor.decompress(data, max_length=_PIECE))
        except OSError:
            raise
        except Exception as error:  # the decompressor's own class, which differs between Python versions
            raise CutOffError(first_line(error)) from error
        data = b''


def lz4_decompressor() -> Any:
    """A new decompressor of one LZ4 frame."""
    from lz4.frame import LZ4FrameDecompressor

    return LZ4FrameDecompressor()


def zstd_decompressor() -> Any:
    """A new decompressor of one Zstandard frame."""
    try:
        from compression.zstd import ZstdDecompressor  # type: ignore[import-not-found]
    except ImportError:
        from backports.zstd import ZstdDecompressor
    return ZstdDecompressor()


def ros_type(name: str) -> str:
    """A ROS type's name as 'package/msg/Type': ROS 1 and some writers leave 'msg' out, DDS writes 'package::msg::dds_::Type_'."""
    if '::' in name:
        name = '/'.join(part for part in name.split('::') if part != 'dds_').removesuffix('_')
    package, separator, rest = name.partition('/')
    return f'{package}/msg/{rest}' if separator and '/' not in rest else name


def first_line(error: BaseException) -> str:
    """An error's text in one short line; its class where it has none."""
    return (str(error) or type(error).__name__).splitlines()[0][:160]
