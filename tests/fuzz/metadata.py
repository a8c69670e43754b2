"""metadata.yaml of rosbag2 folders, damaged anywhere."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bag_making import write_bag
from field_recordings import images

from c2f_head_pose.recordings.locate import locate
from c2f_head_pose.recordings.storage import BagError

from .scratch import scratch_file

MODULES = ('c2f_head_pose.recordings.locate', 'c2f_head_pose.files')


def seeds() -> list[bytes]:
    """What the writer wrote, and what odd writers might."""
    with tempfile.TemporaryDirectory() as folder:
        written = (write_bag(Path(folder) / 'bag', images(range(2))) / 'metadata.yaml').read_bytes()
    head = b'rosbag2_bagfile_information: '
    return [
        written,
        head + b'{version: 12, relative_file_paths: [bag.mcap, ../x.mcap, 5]}',
        head + b'{relative_file_paths: bag.mcap}',
        b'[]',
    ]


def check(data: bytes) -> None:
    """Finds the folder's files, or is refused; files that are found are there."""
    folder = scratch_file('metadata/bag.mcap', b'').parent
    scratch_file('metadata/metadata.yaml', data)
    try:
        located = locate(folder)
    except BagError:
        return
    assert located.files and all(file.is_file() and file.parent == folder for file in located.files)
