"""Recordings as other recorders and tools write them, made with the real writers: rosbags, mcap and SQLite."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from bag_making import START_NS, Recording, header, image_message, write_bag
from mcap.writer import CompressionType, IndexType, Writer
from rosbags.typesys import Stores, get_typestore

from c2f_head_pose.recordings.bagfile import ros2_typestore

PERIOD_NS = 33_000_000
IMAGE_TYPE = 'sensor_msgs/msg/Image'
STORE = ros2_typestore()
STORE1 = get_typestore(Stores.ROS1_NOETIC)


def picture(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A gray picture whose pixels are all its number, so that each image shows which one it is."""
    return np.full((height, width), number, np.uint8)


def gray_image(store: Any, number: int) -> Any:
    """The sensor_msgs/Image of `picture(number)`, stamped PERIOD_NS after the one before."""
    return image_message(store, picture(number), START_NS + number * PERIOD_NS, 'mono8')


def images(numbers: range, topic: str = '/camera/image_raw') -> Recording:
    """A recording with one mono8 image a number."""
    made = Recording()
    for k in numbers:
        made.add(topic, IMAGE_TYPE, START_NS + k * PERIOD_NS, lambda s, k=k: gray_image(s, k))
    return made


def jpeg(number: int) -> bytes:
    """A picture with structure, so that half of its bytes is half of the picture."""
    noise = np.random.default_rng(number).integers(0, 256, (120, 160, 3), np.uint8)
    return cv2.imencode('.jpg', noise)[1].tobytes()


def jpegs(count: int, broken: Callable[[int], bytes | None]) -> Recording:
    """CompressedImages; `broken(k)` gives the bytes that are recorded instead of the whole JPEG, None for the whole one."""
    made = Recording()
    for k in range(count):
        data = broken(k)
        bytes_ = np.frombuffer(jpeg(k) if data is None else data, np.uint8)
        made.add(
            '/camera/image_raw/compressed',
            'sensor_msgs/msg/CompressedImage',
            START_NS + k * PERIOD_NS,
            lambda s, k=k, b=bytes_: s.types['sensor_msgs/msg/CompressedImage'](
                header=header(s, START_NS + k * PERIOD_NS), format='jpeg', data=b
            ),
        )
    return made


class Mcap:
    """Writes an .mcap file with the mcap package: ROS 2 images, and channels of any other kind.

    Args:
        path: of the file.
        profile: of the header.
        **options: of mcap.writer.Writer.
    """

    def __init__(self, path: Path, profile: str = 'ros2', **options: Any) -> None:
        self.path = path
        self._file = path.open('wb')
        self._writer = Writer(self._file, **options)
        self._writer.start(profile, 'test')

    def __enter__(self) -> Mcap:
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.finish()
        self._file.close()

    def channel(self, topic: str, encoding: str = 'cdr', schema: tuple[str, str, bytes] | None = None) -> int:
        """A channel; schema: name, encoding and text, None for a channel without one."""
        number = 0 if schema is None else self._writer.register_schema(*schema)
        return self._writer.register_channel(topic, encoding, number)

    def ros2(self, topic: str, kind: str = IMAGE_TYPE) -> int:
        """A channel of ROS 2 messages of a standard type."""
        return self.channel(topic, 'cdr', (kind, 'ros2msg', STORE.generate_msgdef(kind, ros_version=2)[0].encode()))

    def write(self, channel: int, log_ns: int, data: bytes) -> None:
        """One message."""
        self._writer.add_message(channel, log_ns, data, log_ns)

    def image(self, channel: int, number: int) -> None:
        """The image of a number, as ROS 2 writes it."""
        self.write(channel, START_NS + number * PERIOD_NS, bytes(STORE.serialize_cdr(gray_image(STORE, number), IMAGE_TYPE)))


UNINDEXED = {'index_types': IndexType.NONE, 'use_statistics': False, 'use_summary_offsets': False}
"""Options of a writer that ends the file without any summary."""
ZSTD, UNPACKED = {'compression': CompressionType.ZSTD}, {'compression': CompressionType.NONE}


def write_images(path: Path, numbers: range, **options: Any) -> Path:
    """An .mcap file with one image a number."""
    with Mcap(path, **options) as file:
        channel = file.ros2('/camera/image_raw')
        for k in numbers:
            file.image(channel, k)
    return path


def killed_recorder(
    folder: Path, finished: int, logged: int, checkpoint: Callable[[sqlite3.Connection], None] = lambda database: None
) -> Path:
    """A .db3 as a killed recorder leaves it: `finished` images in the database, `logged` more only in its write-ahead log.

    The files are copied while the connection is open, as they lie on the disk at that moment.
    """
    whole = write_bag(folder / 'writer', images(range(finished)), 'sqlite3')
    source = whole / 'writer.db3'
    database = sqlite3.connect(source)
    database.execute('PRAGMA journal_mode = WAL')
    database.execute('PRAGMA wal_autocheckpoint = 0')
    for k in range(finished, finished + logged):
        raw = bytes(STORE.serialize_cdr(gray_image(STORE, k), IMAGE_TYPE))
        database.execute('INSERT INTO messages (topic_id, timestamp, data) VALUES (1, ?, ?)', (START_NS + k * PERIOD_NS, raw))
        database.commit()
    checkpoint(database)
    killed = folder / 'killed'
    killed.mkdir()
    for file in whole.glob('writer.db3*'):
        shutil.copy(file, killed / file.name)
    database.close()
    return killed / 'writer.db3'


def edit_metadata(folder: Path, **values: Any) -> Path:
    """Changes entries of a recording's metadata.yaml; returns its folder."""
    path = folder / 'metadata.yaml'
    content = yaml.safe_load(path.read_text())
    content['rosbag2_bagfile_information'].update(values)
    path.write_text(yaml.safe_dump(content))
    return folder


def ros1_image(number: int) -> bytes:
    """The image of a number as ROS 1 serialises it."""
    return bytes(STORE1.serialize_ros1(gray_image(STORE1, number), IMAGE_TYPE))
