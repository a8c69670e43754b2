"""Whole recordings: .mcap, .db3 and .bag files, damaged anywhere."""
from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
from bag_making import CAMERA, START_NS, Recording, image_message, info_message, write_bag

from c2f_head_pose.recordings import salvage
from c2f_head_pose.recordings.bagfile import BagError, BagFile
from c2f_head_pose.recordings.reader import Notes, choose_topics, read_frames

from .choices import Choices
from .scratch import scratch_file

MODULES = ('c2f_head_pose.recordings.bagfile', 'c2f_head_pose.recordings.salvage', 'c2f_head_pose.recordings.reader',
           'rosbags.rosbag1.reader', 'rosbags.rosbag2.storage_mcap', 'rosbags.rosbag2.storage_sqlite3')
_KINDS = {'mcap': '.mcap', 'sqlite3': '.db3', 'rosbag1': '.bag'}


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
    return found


def check(data: bytes) -> None:
    """Reads the file as an evaluation does, and once more as a file that was cut off."""
    choices = Choices(data)
    path = scratch_file(f'bag{choices.pick([*_KINDS.values()])}', choices.rest())
    try:
        for record in salvage.scan(path):
            assert isinstance(record.topic, str) and isinstance(record.log_ns, int)
    except salvage.CutOffError:
        pass
    try:
        with BagFile(path) as bag:
            for frame in itertools.islice(read_frames(bag, choose_topics(bag), Notes()), 20):
                assert frame.image.dtype == np.uint8
    except BagError:
        pass
