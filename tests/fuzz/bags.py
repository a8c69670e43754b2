"""Whole recordings: .mcap, .db3 and .bag files, also packed, damaged anywhere."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
from bag_making import CAMERA, START_NS, Recording, image_message, info_message, write_bag
from depth_recordings import DEPTH_FRAME, MOUNTING, RVL_MM, depth_recording
from field_recordings import UNINDEXED, UNPACKED, Mcap

from c2f_head_pose.recordings.bagfile import BagError, BagFile
from c2f_head_pose.recordings.reader import Notes, UnreadableImage, read_frames
from c2f_head_pose.recordings.topics import choose_topics
from c2f_head_pose.types import Camera

from .choices import Choices
from .scratch import scratch_file

MODULES = (
    'c2f_head_pose.recordings.bagfile',
    'c2f_head_pose.recordings.storage',
    'c2f_head_pose.recordings.mcap',
    'c2f_head_pose.recordings.sqlite',
    'c2f_head_pose.recordings.rosbag1',
    'c2f_head_pose.recordings.message_types',
    'c2f_head_pose.recordings.choice',
    'c2f_head_pose.recordings.topics',
    'c2f_head_pose.recordings.recorded_depth',
    'c2f_head_pose.recordings.reader',
    'rosbags.rosbag1.reader',
)
_KINDS = {'mcap': '.mcap', 'sqlite3': '.db3', 'rosbag1': '.bag'}
_PACKED = ('.mcap.zstd', '.db3.zst')
_FOREIGN = (
    ('/note', 'json', ('Note', 'jsonschema', b'{}')),
    ('/odd', 'cdr', ('oem/msg/Odd', 'ros2idl', b'no idl {')),
    ('/raw', 'cbor', None),
    ('/ros1', 'ros1', ('sensor_msgs/Image', 'ros1msg', b'uint8[] data')),
)

_GRAY, _DEPTH_MM = np.full((12, 16), 90, np.uint8), np.arange(12 * 16, dtype=np.uint16).reshape(12, 16) * 20
_SMALL = Camera(16, 12, np.array([[10.0, 0, 8], [0, 10, 6], [0, 0, 1]]))


def seeds() -> list[bytes]:
    """A small recording of each kind, whole and without its end."""
    made = Recording()
    image = np.arange(4 * 4, dtype=np.uint8).reshape(4, 4)
    for number in range(3):
        at_ns = START_NS + number
        made.add('/image', 'sensor_msgs/msg/Image', at_ns, lambda s, n=at_ns: image_message(s, image, n, 'mono8'))
    made.add('/camera_info', 'sensor_msgs/msg/CameraInfo', START_NS, lambda s: info_message(s, CAMERA, START_NS))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (kind, suffix) in enumerate(_KINDS.items()):
            path = write_bag(Path(folder) / kind, made, kind)
            file = path if path.is_file() else next(path.glob(f'*{suffix}'))
            found += [bytes([number]) + file.read_bytes(), bytes([number]) + file.read_bytes()[:-200]]
        for number, (kind, tf_topic) in enumerate({'mcap': '/tf_static', 'rosbag1': '/tf'}.items()):
            made = depth_recording(_DEPTH_MM, RVL_MM, DEPTH_FRAME, depth_camera=_SMALL, transforms=MOUNTING, tf_topic=tf_topic, image=_GRAY)
            path = write_bag(Path(folder) / f'depth_{kind}', made, kind)
            file = path if path.is_file() else next(path.glob('*.mcap'))
            found.append(bytes([2 * number]) + file.read_bytes())
        found.append(bytes([len(_KINDS)]) + _packed(found[0][1:]))
        for unindexed in ({}, UNINDEXED):
            with Mcap(Path(folder) / 'foreign.mcap', '', **UNPACKED, **unindexed) as file:
                for topic, encoding, schema in _FOREIGN:
                    file.write(file.channel(topic, encoding, schema), START_NS, b'{}')
                file.image(file.ros2('/image'), 0)
            found.append(bytes([0]) + (Path(folder) / 'foreign.mcap').read_bytes())
    return found


def _packed(data: bytes) -> bytes:
    from zstandard import ZstdCompressor

    return ZstdCompressor().compress(data)


def check(data: bytes) -> None:
    """Reads all messages of the file, and its images as an evaluation does."""
    choices = Choices(data)
    path = scratch_file(f'bag{choices.pick([*_KINDS.values(), *_PACKED])}', choices.rest())
    try:
        with BagFile(path) as bag:
            for message in itertools.islice(bag.messages(), 50):
                assert message.topic in bag.topics and isinstance(message.log_ns, int) and isinstance(message.raw, bytes)
            for frame in itertools.islice(read_frames(bag, choose_topics(bag), Notes()), 20):
                assert isinstance(frame, UnreadableImage) or frame.image.dtype == np.uint8
    except BagError:
        pass
